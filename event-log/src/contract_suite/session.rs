//! A member that owns the shards of a log, and an author of events for it.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use domain::{Position, PositionVector, StreamName};

use crate::sample::Author;
use crate::{
    Appended, Batch, EventLog, LogEvent, LogRecord, Membership, NewEvent, OpenShard,
    OwnershipHandler, ShardId, Topology,
};

/// Everything that a real broker on a busy machine may take.
pub(super) const DEADLINE: Duration = Duration::from_secs(60);

/// Remembers which shards it was given and which were taken.
#[derive(Default)]
pub(super) struct Owned {
    now: Mutex<Vec<ShardId>>,
    changed: Condvar,
}

impl OwnershipHandler for Owned {
    fn assigned(&self, shards: &[ShardId]) {
        self.now.lock().unwrap().extend(shards);
        self.changed.notify_all();
    }

    fn revoked(&self, shards: &[ShardId], _lost: bool) {
        self.now.lock().unwrap().retain(|shard| !shards.contains(shard));
        self.changed.notify_all();
    }
}

impl Owned {
    pub(super) fn wait_for(&self, count: usize) {
        let owned = self.now.lock().unwrap();
        let (owned, waited) =
            self.changed.wait_timeout_while(owned, DEADLINE, |owned| owned.len() != count).unwrap();
        assert!(!waited.timed_out(), "{count} shards were expected, {:?} are owned", *owned);
    }
}

/// A process that owns all shards.
pub(super) struct Session {
    pub(super) log: Arc<dyn EventLog>,
    pub(super) topology: Topology,
    pub(super) author: Author,
    pub(super) membership: Box<dyn Membership>,
    pub(super) shards: BTreeMap<ShardId, OpenShard>,
    /// All that was acknowledged, in the order of appending.
    pub(super) written: Vec<LogEvent>,
}

impl Session {
    /// Joins, waits for every shard and opens it.
    pub(super) fn start(log: Arc<dyn EventLog>) -> Self {
        let topology = log.topology();
        let owned = Arc::new(Owned::default());
        let membership = log.join(Arc::clone(&owned) as Arc<dyn OwnershipHandler>).unwrap();
        owned.wait_for(topology.shards as usize);
        let open = |shard| (shard, log.open_shard(shard, "http://first:1").unwrap());
        let shards = topology.all_shards().map(open).collect();
        let author = Author::new(topology);
        Self { log, topology, author, membership, shards, written: Vec::new() }
    }

    /// Goes on in another process: same history, new ownership.
    pub(super) fn resume(self, world: impl FnOnce() -> Arc<dyn EventLog>) -> Self {
        let Self { log, author, membership, shards, written, .. } = self;
        drop((shards, membership, log));
        Self { author, written, ..Self::start(world()) }
    }

    pub(super) fn shard_of(&self, stream: &StreamName) -> ShardId {
        self.topology.shard(self.topology.partition(stream))
    }

    pub(super) fn epoch(&self, shard: ShardId) -> i64 {
        self.shards[&shard].epoch
    }

    /// The next events of these streams, which must be of one shard.
    pub(super) fn events(&mut self, streams: &[StreamName]) -> Vec<NewEvent> {
        let epoch = |session: &Self, stream| session.epoch(session.shard_of(stream));
        streams
            .iter()
            .map(|stream| {
                let epoch = epoch(self, stream);
                self.author.next(*stream, epoch, 0)
            })
            .collect()
    }

    /// Appends one event to each of these streams of one shard, in one batch.
    pub(super) fn append(&mut self, streams: &[StreamName]) -> Appended {
        let batch = Batch { events: self.events(streams), refusals: Vec::new() };
        self.append_batch(self.shard_of(&streams[0]), &batch)
    }

    pub(super) fn append_batch(&mut self, shard: ShardId, batch: &Batch) -> Appended {
        let writer = &mut self.shards.get_mut(&shard).unwrap().writer;
        let appended = writer.append(batch).unwrap();
        for (event, offset) in batch.events.iter().zip(&appended.offsets) {
            let position = Position { partition: event.partition, offset: *offset };
            let (envelope, value) = (event.envelope.clone(), event.value.clone());
            self.written.push(LogEvent { position, envelope, value });
        }
        appended
    }

    /// A history with several streams in every partition, in batches of different sizes.
    pub(super) fn write_history(&mut self) {
        for shard in self.topology.all_shards() {
            let streams: Vec<_> = self
                .topology
                .partitions_of(shard)
                .flat_map(|partition| (0..2).map(move |index| (partition, index)))
                .map(|(partition, index)| self.author.stream_in(partition, index))
                .collect();
            for size in (1..=streams.len()).chain([streams.len()]) {
                self.append(&streams[..size]);
            }
        }
    }

    /// The last place of each partition: opened records and events.
    pub(super) fn end(&self) -> PositionVector {
        let mut end: PositionVector = self.written.iter().map(|event| event.position).collect();
        self.shards.values().for_each(|open| end.merge(&open.opened));
        end
    }

    /// Everything in the log after `start`, read in steps of `max`.
    pub(super) fn read(&self, start: &PositionVector, max: usize) -> Vec<LogRecord> {
        read(&*self.log, start, &[], &self.end(), max)
    }
}

/// Reads until `end` is reached.
pub(super) fn read(
    log: &dyn EventLog,
    start: &PositionVector,
    partitions: &[u32],
    end: &PositionVector,
    max: usize,
) -> Vec<LogRecord> {
    let deadline = Instant::now() + DEADLINE;
    let mut reader = log.reader(start, partitions).unwrap();
    let mut read = start.clone();
    let mut records = Vec::new();
    while !read.covers(end) {
        assert!(Instant::now() < deadline, "read up to {read} of {end}");
        let found = reader.poll(max, Duration::from_millis(100)).unwrap();
        assert!(found.len() <= max);
        found.iter().for_each(|record| read.advance(record.position()));
        records.extend(found);
    }
    records
}

/// The events of one partition, in the order of the records.
pub(super) fn events_of(records: &[LogRecord], partition: u32) -> Vec<LogEvent> {
    let events = records.iter().filter_map(|record| match record {
        LogRecord::Event(event) if event.position.partition == partition => Some(event.clone()),
        _ => None,
    });
    events.collect()
}

/// Two events are the same record.
pub(super) fn assert_same(read: &[LogEvent], written: &[LogEvent]) {
    let places = |events: &[LogEvent]| -> Vec<_> { events.iter().map(|e| e.position).collect() };
    assert_eq!(places(read), places(written));
    for (read, written) in read.iter().zip(written) {
        assert_eq!(read.envelope, written.envelope);
        assert_eq!(read.value, written.value);
    }
}

/// The log holds exactly what was acknowledged, in every partition.
pub(super) fn assert_log_holds(session: &Session) {
    let records = session.read(&PositionVector::empty(), 1000);
    for partition in 0..session.topology.partitions {
        let written = session.written.iter().filter(|e| e.position.partition == partition);
        let written: Vec<_> = written.cloned().collect();
        assert_same(&events_of(&records, partition), &written);
    }
}
