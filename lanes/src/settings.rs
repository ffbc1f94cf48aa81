//! What can be set on lanes, with bounds that hold without being set.

use std::time::Duration;

/// Settings of all lanes of a process. The defaults fit a machine of a few cores and 1 GiB.
#[derive(Clone, Debug)]
pub struct LaneSettings {
    /// Where this process takes forwarded commands (a URL without a path, `http://10.0.0.1:8080`);
    /// empty when it takes none.
    pub address: String,
    /// How long a caller waits at most for an outcome.
    pub deadline: Duration,
    /// How long a caller waits at most for a shard that has no owner to get one; part of
    /// `deadline`.
    pub owner_wait: Duration,
    /// Commands that wait for one lane; more are answered with `unavailable` at once.
    pub mailbox_commands_max: usize,
    /// Commands that are decided together and committed once.
    pub batch_commands_max: usize,
    /// Bytes of event values that are committed together; one command may exceed it alone.
    pub batch_bytes_max: usize,
    /// States of aggregates that one lane keeps in memory.
    pub cached_states_max: usize,
    /// About how many bytes these states may take.
    pub cached_bytes_max: usize,
    /// Outcomes that one lane keeps in memory, so that quick repeats need no look-up.
    pub recent_outcomes_max: usize,
    /// Events after which a stream gets a new snapshot.
    pub snapshot_every_events: u32,
    /// How far the wall clock may be from the log's before nothing is served.
    pub clock_skew_max: Duration,
    /// How often the skew is measured.
    pub clock_check_every: Duration,
    /// How long giving shards up may take; then a lane that is still in an append is left to be
    /// fenced.
    pub give_up_within: Duration,
    /// Between attempts to take a shard over, at first and at most.
    pub retry_pause: (Duration, Duration),
}

impl Default for LaneSettings {
    fn default() -> Self {
        Self {
            address: String::new(),
            deadline: Duration::from_secs(5),
            owner_wait: Duration::from_secs(2),
            mailbox_commands_max: 4096,
            batch_commands_max: 500,
            batch_bytes_max: 4 << 20,
            cached_states_max: 50_000,
            cached_bytes_max: 256 << 20,
            recent_outcomes_max: 20_000,
            snapshot_every_events: 200,
            clock_skew_max: Duration::from_secs(5),
            clock_check_every: Duration::from_secs(10),
            give_up_within: Duration::from_millis(4500),
            retry_pause: (Duration::from_millis(50), Duration::from_secs(2)),
        }
    }
}
