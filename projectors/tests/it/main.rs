//! The running of projections, on SQLite, with a log in memory that can fail and with the real one.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod continuity;
mod embedded;
mod faults;
mod forgetful;
mod http;
mod live;
mod parking;
mod rebuilding;
mod support;
mod verifying;
