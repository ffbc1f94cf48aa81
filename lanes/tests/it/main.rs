//! What lanes promise, seen through their port: on a log in memory that can be told to fail in
//! every way the contract names, and what depends on the log ([`contract`]) on every log.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod contract;
mod fake_log;
mod faults;
mod group_commit;
mod idempotency;
mod outcomes;
mod ownership;
mod property;
mod requests;
mod streams;
mod world;
