//! The notification connector's metrics.

use metrics::{Unit, counter, describe_counter, describe_gauge, gauge};

const TRIES: &str = "waylog_notification_tries_total";
const OPEN: &str = "waylog_notifications_open";

/// Names and meanings, for the metrics endpoint. Call once per process; a repeat changes nothing.
pub fn describe_metrics() {
    describe_counter!(
        TRIES,
        Unit::Count,
        "Tries to send a message, by channel and outcome: taken, refused, later, unknown, \
         not_tried, or abandoned without a try"
    );
    describe_gauge!(
        OPEN,
        Unit::Count,
        "Messages that were due at the last look, at most five hundred"
    );
}

/// Counts one try.
pub(super) fn tried(channel: &str, outcome: &'static str) {
    counter!(TRIES, "channel" => channel.to_owned(), "outcome" => outcome).increment(1);
}

/// Tells how long the list was.
pub(super) fn open(messages: usize) {
    // A look is bounded far below the precision of a float.
    gauge!(OPEN).set(u32::try_from(messages).map_or(f64::MAX, f64::from));
}
