//! What the cases do with a log of their own.

use std::time::{Duration, Instant};

use domain::PositionVector;
use event_log::sample::Author;
use event_log::{
    Batch, EventLog, KafkaLog, LogEvent, LogReader, LogRecord, NewEvent, ShardId, Topology,
};

pub(crate) use event_log::contract_suite::{KafkaCorner as World, eventually};

/// Everything that should happen happens within this.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The next `count` events of one stream of the shard's first partition.
pub(crate) fn events(
    author: &mut Author,
    topology: Topology,
    shard: ShardId,
    epoch: i64,
    count: usize,
) -> Vec<NewEvent> {
    let partition = topology.partitions_of(shard).next().unwrap();
    let stream = author.stream_in(partition, 0);
    (0..count).map(|_| author.next(stream, epoch, 100)).collect()
}

pub(crate) fn batch(events: Vec<NewEvent>) -> Batch {
    Batch { events, refusals: Vec::new() }
}

/// Reads all partitions from the beginning until `done`.
pub(crate) fn read_until(log: &KafkaLog, done: impl Fn(&[LogRecord]) -> bool) -> Vec<LogRecord> {
    let mut reader = log.reader(&PositionVector::empty(), &[]).unwrap();
    continue_until(reader.as_mut(), done)
}

/// Reads on until `done`.
pub(crate) fn continue_until(
    reader: &mut dyn LogReader,
    done: impl Fn(&[LogRecord]) -> bool,
) -> Vec<LogRecord> {
    let deadline = Instant::now() + PATIENCE;
    let mut records = Vec::new();
    while !done(&records) {
        assert!(Instant::now() < deadline, "only {} records: {records:?}", records.len());
        records.extend(reader.poll(1000, Duration::from_millis(100)).unwrap());
    }
    records
}

/// The events among the records.
pub(crate) fn only_events(records: &[LogRecord]) -> Vec<&LogEvent> {
    let mut events = Vec::new();
    for record in records {
        if let LogRecord::Event(event) = record {
            events.push(event);
        }
    }
    events
}
