//! What Waylog's services would otherwise copy: problems, the context of a request, strict
//! extractors, the HTTP server, configuration, telemetry, health, authentication, shutdown.
//!
//! It knows nothing of the domain and depends on nothing of ours. A service builds a plain axum
//! router, hands it to [`request_layer::wrap`], and the result to [`http_server::serve`].

mod activity;
pub mod auth;
pub mod client;
pub mod config;
mod connection;
pub mod crash_point;
mod fallback;
pub mod fingerprint;
pub mod health;
pub mod http_metrics;
pub mod http_server;
pub mod idempotency_key;
pub mod if_match;
pub mod json;
mod json_log;
pub mod parameters;
pub mod problem;
mod problem_responses;
mod request_body;
pub mod request_context;
pub mod request_layer;
pub mod secret;
pub mod shutdown;
pub mod telemetry;
pub mod trace_context;

pub use auth::Identity;
pub use idempotency_key::IdempotencyKey;
pub use if_match::{ETag, IfMatch};
pub use json::Json;
pub use parameters::{Path, Query};
pub use problem::Problem;
pub use problem_responses::problem_responses;
pub use request_context::RequestContext;
pub use secret::{ConnectionUrl, Secret};
