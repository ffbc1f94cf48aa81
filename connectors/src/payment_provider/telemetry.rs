//! What is told about calls to providers: metrics, and one log line a call. What is not certain is
//! told loudly by whoever made the call, who knows what it was about.

use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, histogram};

use super::{Obstacle, Outcome};
use crate::circuit;

const CALLS: &str = "waylog_provider_calls_total";
const DURATION: &str = "waylog_provider_call_duration_seconds";

/// Says what the metrics mean; once, after the recorder was set up.
pub fn describe_metrics() {
    describe_counter!(CALLS, "Calls to providers, by provider, operation and outcome");
    describe_histogram!(
        DURATION,
        Unit::Seconds,
        "From a call to its outcome, repeats and the waits between them included"
    );
    describe_gauge!(circuit::STATE, "The circuit's state: 0 closed, 1 half open, 2 open");
    describe_counter!(circuit::OPENED, "How often the circuit opened");
}

/// Tells how a call ended.
pub(crate) fn record<T>(
    provider: &'static str,
    operation: &'static str,
    outcome: &Outcome<T>,
    took: Duration,
) {
    counter!(CALLS, "provider" => provider, "operation" => operation, "outcome" => outcome.name())
        .increment(1);
    histogram!(DURATION, "provider" => provider, "operation" => operation)
        .record(took.as_secs_f64());
    let took_ms = took.as_millis();
    match outcome {
        Outcome::Done(_) => tracing::debug!(provider, operation, took_ms, "the provider did it"),
        Outcome::Refused(refusal) => {
            tracing::info!(
                provider,
                operation,
                took_ms,
                code = refusal.code,
                "the provider refused"
            );
        }
        Outcome::Unknown(doubt) => {
            let doubt = doubt.code();
            tracing::debug!(
                provider,
                operation,
                took_ms,
                doubt,
                "what the provider did is unknown"
            );
        }
        Outcome::NotTried(Obstacle::Misconfigured) => {
            tracing::error!(provider, operation, "the provider does not take our secret or route");
        }
        Outcome::NotTried(obstacle) => {
            let obstacle = obstacle.code();
            tracing::debug!(provider, operation, took_ms, obstacle, "the provider was not asked");
        }
    }
}
