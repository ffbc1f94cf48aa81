//! The integration tests: one binary, a module for each subject.

#![expect(clippy::print_stderr, reason = "a test says what it left out, and why it failed")]
#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise, helper or not")]

mod architecture;
mod audit;
mod bad_input;
mod bookings;
mod compose;
mod crash_points;
mod crashes;
mod demo;
mod failures;
mod hand_over;
mod hot;
mod journey;
mod load;
mod operator;
mod outages;
mod pauses;
mod provider_faults;
mod rebuilds;
mod sandbox;
mod seed;
mod services;
mod stock_client;
mod verify;
mod webhooks;
mod world;
