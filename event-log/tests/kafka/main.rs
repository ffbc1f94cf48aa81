//! The Kafka log on a real broker: what the contract says of every log, and what only Kafka does.
//!
//! Needs `WAYLOG_KAFKA_BROKERS`. Without it the cases say that they were skipped, and fail when
//! `WAYLOG_TEST_REQUIRE_SERVICES=1`.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]
#![expect(clippy::print_stdout, reason = "skipped cases and second processes say so")]

mod appending;
mod child;
mod contract;
mod fencing;
mod ownership;
mod shape;
mod starting;
mod world;
