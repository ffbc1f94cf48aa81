//! What tests here and in other crates share: a log of sample events, projections run in memory
//! with the property that every one must have, the contract suite of the stores, and databases that
//! last as long as a test.

pub mod harness;
pub mod loader;
#[expect(clippy::unwrap_used, reason = "what a test expects")]
pub mod look_up_suite;
pub mod mysql_world;
pub mod payment_samples;
#[expect(clippy::unwrap_used, reason = "what a test expects")]
pub mod query_suite;
pub mod redis_world;
pub mod saga_samples;
pub mod sales;
pub mod samples;
#[expect(clippy::unwrap_used, reason = "what a test expects")]
pub mod server_suite;
#[expect(clippy::unwrap_used, reason = "what a test expects")]
pub mod store_suite;
pub mod worlds;
