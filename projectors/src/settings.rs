//! The bounds under which projections run; every default is stated here and nowhere else.

use std::time::Duration;

/// Bounds of reading, batching and waiting.
#[derive(Clone, Debug)]
pub struct ProjectorSettings {
    /// Records asked from the log at once; a chunk never holds more.
    pub chunk_records_max: usize,
    /// Bytes of values after which a chunk is cut.
    pub chunk_bytes_max: usize,
    /// Chunks that wait for one projection. With `chunk_bytes_max` this bounds its memory.
    pub chunks_waiting_max: usize,
    /// Longest wait for the first record of a poll; also how soon a reader notices that it shall
    /// end.
    pub poll_wait: Duration,
    /// How long a reader may bring nothing while the log has more, until another takes its place.
    pub silence_max: Duration,
    /// How long one slow projection may hold up the shared reader in all before it falls off to a
    /// reader of its own; restored whenever it has emptied its queue.
    pub stall_max: Duration,
    /// How close (in offsets) a projection must have come to the shared reader to join it again.
    pub join_distance_offsets: u64,
    /// How long the shared reader waits at the start for the projections to name their vectors.
    pub gather_max: Duration,
    /// Events of one batch of a live projection.
    pub batch_events_max: usize,
    /// Bytes of values after which a batch is closed.
    pub batch_bytes_max: usize,
    /// Longest that a batch of a live projection is collected for.
    pub batch_collect_max: Duration,
    /// Events of one batch of a rebuild; eight times as many on a store where a long batch keeps
    /// nobody waiting.
    pub rebuild_batch_events_max: usize,
    /// Bytes of values after which a batch of a rebuild is closed.
    pub rebuild_batch_bytes_max: usize,
    /// Shortest pause after something was away; doubles with each failure in a row.
    pub backoff_min: Duration,
    /// Longest pause after something was away.
    pub backoff_max: Duration,
    /// How often the log's end is asked for, for lag.
    pub end_interval: Duration,
    /// How often a runner asks which generation is live, and for candidates to fill.
    pub live_check_interval: Duration,
    /// How often a rebuild that has caught up compares itself with the live generation.
    pub compare_interval: Duration,
    /// How long a promotion may take, with the live projection held meanwhile.
    pub promotion_max: Duration,
    /// Streams whose last version is remembered per projection (twice as many at most).
    pub versions_remembered_max: usize,
}

impl Default for ProjectorSettings {
    fn default() -> Self {
        Self {
            chunk_records_max: 256,
            chunk_bytes_max: 1024 * 1024,
            chunks_waiting_max: 16,
            poll_wait: Duration::from_millis(100),
            silence_max: Duration::from_secs(10),
            stall_max: Duration::from_secs(1),
            join_distance_offsets: 2_000,
            gather_max: Duration::from_millis(250),
            batch_events_max: 1_000,
            batch_bytes_max: 4 * 1024 * 1024,
            batch_collect_max: Duration::from_millis(20),
            rebuild_batch_events_max: 4_096,
            rebuild_batch_bytes_max: 16 * 1024 * 1024,
            backoff_min: Duration::from_millis(50),
            backoff_max: Duration::from_secs(5),
            end_interval: Duration::from_secs(1),
            live_check_interval: Duration::from_secs(5),
            compare_interval: Duration::from_secs(1),
            promotion_max: Duration::from_secs(20),
            versions_remembered_max: 10_000,
        }
    }
}

/// Pauses that double with each failure in a row, up to a bound.
#[derive(Debug)]
pub(crate) struct Backoff {
    min: Duration,
    max: Duration,
    next: Duration,
}

impl Backoff {
    pub(crate) fn new(settings: &ProjectorSettings) -> Self {
        Self { min: settings.backoff_min, max: settings.backoff_max, next: settings.backoff_min }
    }

    /// The pause after one more failure.
    pub(crate) fn failed(&mut self) -> Duration {
        let pause = self.next;
        self.next = (pause * 2).min(self.max);
        pause
    }

    /// It worked again.
    pub(crate) fn worked(&mut self) {
        self.next = self.min;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_bound_and_start_over_after_success() {
        let settings = ProjectorSettings {
            backoff_min: Duration::from_millis(10),
            backoff_max: Duration::from_millis(30),
            ..ProjectorSettings::default()
        };
        let mut backoff = Backoff::new(&settings);

        let pauses: Vec<u128> = (0..4).map(|_| backoff.failed().as_millis()).collect();
        backoff.worked();

        assert_eq!(pauses, [10, 20, 30, 30]);
        assert_eq!(backoff.failed().as_millis(), 10);
    }
}
