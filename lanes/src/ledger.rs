//! What a shard counts: its time, and the sequence of each partition.

use domain::Timestamp;
use event_log::{Checkpoint, ShardId, Topology};

/// Rises with every record; small, so that a batch keeps the one before it for a rollback.
#[derive(Clone, Debug)]
pub(crate) struct Ledger {
    last_time: Timestamp,
    /// Of the shard's partitions, ascending: the sequence of the last event.
    sequences: Vec<u64>,
    shards: u32,
}

impl Ledger {
    /// Goes on where the log ends.
    pub(crate) fn resume(topology: &Topology, shard: ShardId, checkpoint: &Checkpoint) -> Self {
        let mut ledger = Self {
            last_time: Timestamp::default(),
            sequences: topology.partitions_of(shard).map(|_| 0).collect(),
            shards: topology.shards,
        };
        for known in &checkpoint.partitions {
            ledger.last_time = ledger.last_time.max(known.recorded_at);
            if topology.shard(known.position.partition) == shard {
                *ledger.sequence_mut(known.position.partition) = known.sequence;
            }
        }
        ledger
    }

    /// The lane's time: the wall clock's, but always after every record of the shard.
    pub(crate) fn time(&self, wall: Timestamp) -> Timestamp {
        wall.max(later(self.last_time, 1))
    }

    /// A record of that time is decided.
    pub(crate) fn record(&mut self, at: Timestamp) {
        self.last_time = self.last_time.max(at);
    }

    /// The next event of the partition gets this sequence.
    pub(crate) fn next_sequence(&mut self, partition: u32) -> u64 {
        let sequence = self.sequence_mut(partition);
        *sequence += 1;
        *sequence
    }

    fn sequence_mut(&mut self, partition: u32) -> &mut u64 {
        // Partition p of shard p mod S is the (p div S)-th of its shard.
        &mut self.sequences[(partition / self.shards) as usize]
    }
}

/// The instant that is so many microseconds later.
pub(crate) fn later(time: Timestamp, micros: i64) -> Timestamp {
    Timestamp::from_micros(time.micros().saturating_add(micros))
}

#[cfg(test)]
mod tests {
    use domain::{LogId, Position};
    use event_log::PartitionCheckpoint;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_ledger_goes_on_where_the_log_ends() {
        let log_id = LogId(Uuid::nil());
        let topology = Topology { log_id, partitions: 6, shards: 2 };
        let partition = |partition, sequence, micros| PartitionCheckpoint {
            position: Position { partition, offset: 40 },
            sequence,
            epoch: 1,
            recorded_at: Timestamp::from_micros(micros),
        };
        let partitions = vec![partition(1, 7, 500), partition(5, 9, 400)];

        let mut ledger = Ledger::resume(&topology, ShardId(1), &Checkpoint { log_id, partitions });

        assert_eq!([1, 3, 5, 5].map(|p| ledger.next_sequence(p)), [8, 1, 10, 11]);
        assert_eq!(ledger.time(Timestamp::from_micros(3)), Timestamp::from_micros(501));
        assert_eq!(ledger.time(Timestamp::from_micros(900)), Timestamp::from_micros(900));
    }

    #[test]
    fn time_rises_when_the_wall_clock_steps_back() {
        let log_id = LogId(Uuid::nil());
        let topology = Topology { log_id, partitions: 1, shards: 1 };
        let mut ledger =
            Ledger::resume(&topology, ShardId(0), &Checkpoint { log_id, partitions: Vec::new() });

        ledger.record(ledger.time(Timestamp::from_micros(1_000)));
        let next = ledger.time(Timestamp::from_micros(10));

        assert_eq!(next, Timestamp::from_micros(1_001));
    }
}
