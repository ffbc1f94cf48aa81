//! The payment connector's metrics. Calls themselves are counted by the provider's client.

use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_gauge, gauge};

const ANSWERS: &str = "waylog_payment_answers_total";
const WEBHOOKS: &str = "waylog_payment_webhooks_total";
const OPEN: &str = "waylog_payment_requests_open";
const OLDEST: &str = "waylog_payment_oldest_request_seconds";

/// Names and meanings, for the metrics endpoint. Call once per process; a repeat changes nothing.
pub fn describe_metrics() {
    describe_counter!(
        ANSWERS,
        Unit::Count,
        "What the payment provider's answers became, by command and outcome: recorded, refused, or \
         unknown"
    );
    describe_counter!(
        WEBHOOKS,
        Unit::Count,
        "Webhooks of the payment provider, by outcome: recorded, ignored, or a problem's code"
    );
    describe_gauge!(
        OPEN,
        Unit::Count,
        "Open requests to the payment provider at the last look, at most five hundred"
    );
    describe_gauge!(
        OLDEST,
        Unit::Seconds,
        "How long the oldest open request to the payment provider has had no answer"
    );
}

/// Counts one answer.
pub(super) fn answer(command: &'static str, outcome: &'static str) {
    counter!(ANSWERS, "command" => command, "outcome" => outcome).increment(1);
}

/// Counts one webhook.
pub(super) fn webhook(outcome: &str) {
    counter!(WEBHOOKS, "outcome" => outcome.to_owned()).increment(1);
}

/// Tells how long the oldest request waits; nothing open is no wait.
pub(super) fn oldest(waits: Option<Duration>) {
    gauge!(OLDEST).set(waits.unwrap_or_default().as_secs_f64());
}

/// Tells how long the list was.
pub(super) fn open(requests: usize) {
    // A look is bounded far below the precision of a float.
    gauge!(OPEN).set(u32::try_from(requests).map_or(f64::MAX, f64::from));
}
