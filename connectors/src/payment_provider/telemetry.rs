//! What is told about calls to the payment provider: metrics, and one log line a call.

use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, histogram};

use super::{Obstacle, Outcome};

const CALLS: &str = "waylog_payment_provider_calls_total";
const DURATION: &str = "waylog_payment_provider_call_duration_seconds";
pub(super) const CIRCUIT_STATE: &str = "waylog_payment_provider_circuit_state";
pub(super) const CIRCUIT_OPENED: &str = "waylog_payment_provider_circuit_opened_total";

/// Says what the metrics mean; once, after the recorder was set up.
pub fn describe_metrics() {
    describe_counter!(CALLS, "Calls to the payment provider, by operation and outcome");
    describe_histogram!(
        DURATION,
        Unit::Seconds,
        "From a call to its outcome, repeats and the waits between them included"
    );
    describe_gauge!(CIRCUIT_STATE, "The circuit's state: 0 closed, 1 half open, 2 open");
    describe_counter!(CIRCUIT_OPENED, "How often the circuit opened");
}

/// Tells how a call ended.
pub(super) fn record<T>(operation: &'static str, outcome: &Outcome<T>, took: Duration) {
    counter!(CALLS, "operation" => operation, "outcome" => outcome.name()).increment(1);
    histogram!(DURATION, "operation" => operation).record(took.as_secs_f64());
    let took_ms = took.as_millis();
    match outcome {
        Outcome::Done(_) => tracing::debug!(operation, took_ms, "the payment provider did it"),
        Outcome::Refused(refusal) => {
            tracing::info!(operation, took_ms, code = refusal.code, "the payment provider refused");
        }
        Outcome::Unknown(doubt) => {
            let doubt = doubt.code();
            tracing::warn!(operation, took_ms, doubt, "what the payment provider did is unknown");
        }
        Outcome::NotTried(Obstacle::Misconfigured) => {
            tracing::error!(operation, "the payment provider does not take our secret or route");
        }
        Outcome::NotTried(obstacle) => {
            let obstacle = obstacle.code();
            tracing::warn!(operation, took_ms, obstacle, "the payment provider was not asked");
        }
    }
}
