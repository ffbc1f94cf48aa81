//! The receiving side of the internal hop: decides for shards owned here, and for no others.
//!
//! A command is never forwarded a second time from here: the sender is told the owner and goes
//! there itself, so that no ring of stale directories passes a command around.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde::Deserialize;
use service_kit::{Secret, auth};
use tokio::time::Instant;

use crate::CommandRequest;
use crate::hop_client::HopReply;
use crate::router::{Here, Router};

/// Where forwarded commands are taken.
pub(crate) const PATH: &str = "/internal/v1/commands";
/// A command's body is limited at the edge; its JSON here is somewhat longer.
const BODY_BYTES_MAX: usize = 4 << 20;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HopBody {
    request: Box<CommandRequest>,
    wait_ms: u64,
}

/// The routes of the internal hop, for whoever knows the cluster's secret.
pub(crate) fn routes(router: Arc<Router>, secret: Secret) -> axum::Router {
    let routes = axum::Router::new()
        .route(PATH, post(decide))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(router);
    auth::protect_internal(routes, Some(secret))
}

async fn decide(State(router): State<Arc<Router>>, Json(body): Json<HopBody>) -> Response {
    let wait = Duration::from_millis(body.wait_ms).min(router.gear.settings.deadline);
    let shard = router.shard(&body.request.stream);
    let reply = match router.try_here(shard, body.request, Instant::now() + wait).await {
        Here::Outcome(Ok(accepted)) => HopReply::Accepted(accepted),
        Here::Outcome(Err(error)) => HopReply::Failed(error),
        // Without a reply the sender has to assume that it may have happened.
        Here::Elsewhere { tried: true, .. } => {
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
        Here::Elsewhere { tried: false, .. } => {
            let owner = router.owner_address(shard);
            let reply = Json(HopReply::NotHere { owner });
            return (StatusCode::MISDIRECTED_REQUEST, reply).into_response();
        }
    };
    Json(reply).into_response()
}
