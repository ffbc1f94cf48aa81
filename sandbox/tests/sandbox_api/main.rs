//! The API as its callers meet it: over sockets, with a ledger on disk.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise, helper or not")]

mod faults;
mod idempotency;
mod money;
mod restart;
mod webhooks;
mod world;
