//! Payments from the log to the provider and back: a real log, real lanes, and the sandbox's ledger
//! as the judge of what money did.

#![expect(clippy::unwrap_used, reason = "what a test expects")]

mod crashes;
#[path = "../process_log/mod.rs"]
mod process_log;
mod requests;
mod webhooks;
mod world;
