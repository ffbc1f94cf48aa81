//! The lanes' metrics. Handles are looked up once per lane, not once per command.

use event_log::ShardId;
use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};

/// One lane's metrics, labelled with its shard.
#[derive(Clone)]
pub(crate) struct LaneMetrics {
    /// Commands decided per commit.
    pub(crate) batch_commands: Histogram,
    /// From the first byte of a batch to the known outcome, in seconds.
    pub(crate) commit_seconds: Histogram,
    /// Commands waiting in the mailbox.
    pub(crate) queued_commands: Gauge,
    /// Events committed.
    pub(crate) events: Counter,
    /// Commands that appended nothing and left evidence.
    pub(crate) refused: Counter,
    /// Take-overs of the shard by this process.
    pub(crate) take_overs: Counter,
    /// Batches that were not committed at the first attempt.
    pub(crate) failed_commits: Counter,
}

impl LaneMetrics {
    pub(crate) fn of(shard: ShardId) -> Self {
        let shard = shard.to_string();
        Self {
            batch_commands: histogram!("waylog_lane_batch_commands", "shard" => shard.clone()),
            commit_seconds: histogram!("waylog_lane_commit_seconds", "shard" => shard.clone()),
            queued_commands: gauge!("waylog_lane_queued_commands", "shard" => shard.clone()),
            events: counter!("waylog_lane_events_total", "shard" => shard.clone()),
            refused: counter!("waylog_lane_refused_total", "shard" => shard.clone()),
            take_overs: counter!("waylog_lane_take_overs_total", "shard" => shard.clone()),
            failed_commits: counter!("waylog_lane_failed_commits_total", "shard" => shard),
        }
    }
}

/// Names and meanings, for the metrics endpoint. Call once per process; a repeat changes nothing.
pub fn describe_metrics() {
    use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};
    describe_histogram!("waylog_lane_batch_commands", Unit::Count, "Commands decided per commit");
    describe_histogram!("waylog_lane_commit_seconds", Unit::Seconds, "Duration of a commit");
    describe_gauge!("waylog_lane_queued_commands", Unit::Count, "Commands waiting for a lane");
    describe_counter!("waylog_lane_events_total", Unit::Count, "Events committed");
    describe_counter!("waylog_lane_refused_total", Unit::Count, "Commands that appended nothing");
    describe_counter!("waylog_lane_take_overs_total", Unit::Count, "Take-overs of a shard");
    describe_counter!(
        "waylog_lane_failed_commits_total",
        Unit::Count,
        "Batches not committed at the first attempt"
    );
}
