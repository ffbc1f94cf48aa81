//! The dispatcher's metrics.

use metrics::{Unit, counter, describe_counter, describe_gauge, gauge};

/// Names and meanings, for the metrics endpoint. Call once per process; a repeat changes nothing.
pub fn describe_metrics() {
    describe_counter!(
        "waylog_saga_commands_total",
        Unit::Count,
        "Commands that were sent for sagas, by outcome: accepted, refused, or unknown"
    );
    describe_counter!("waylog_holds_expired_total", Unit::Count, "Holds whose time was over");
    describe_gauge!(
        "waylog_saga_work_open",
        Unit::Count,
        "Due entries of the sagas' work list at the last look, by what is to be done: send, or \
         record; at most five hundred each"
    );
    describe_gauge!(
        "waylog_sagas_stuck",
        Unit::Count,
        "Sagas that wait for an operator, at most a hundred; above 0 somebody has to be called"
    );
    describe_gauge!(
        "waylog_holds_overdue_seconds",
        Unit::Seconds,
        "By how much the oldest hold that is still open is over; 0 if none is"
    );
}

/// Counts one command.
pub(crate) fn sent(outcome: &'static str) {
    counter!("waylog_saga_commands_total", "outcome" => outcome).increment(1);
}

/// Counts one hold.
pub(crate) fn hold_expired() {
    counter!("waylog_holds_expired_total").increment(1);
}

/// Tells how long the list was.
pub(crate) fn open(todo: &'static str, entries: usize) {
    // A look is bounded far below the precision of a float.
    gauge!("waylog_saga_work_open", "todo" => todo)
        .set(u32::try_from(entries).map_or(f64::MAX, f64::from));
}

/// Tells how late the expiry of holds is.
pub(crate) fn overdue(seconds: u64) {
    gauge!("waylog_holds_overdue_seconds").set(u32::try_from(seconds).map_or(f64::MAX, f64::from));
}

/// Tells how many sagas are stuck.
pub(crate) fn stuck(sagas: usize) {
    gauge!("waylog_sagas_stuck").set(u32::try_from(sagas).map_or(f64::MAX, f64::from));
}
