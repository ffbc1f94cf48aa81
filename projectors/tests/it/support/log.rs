//! A log in memory whose reading can fail, and a decoder that can be away or know too little.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use domain::{Event, LogId, Position, PositionVector, RecordedEvent};
use event_log::{
    Durability, EventLog, LogError, LogEvent, LogReader, LogRecord, Membership, OpenShard,
    OpenedRecord, OwnershipHandler, RefusalPage, ShardId, ShardOwner, StreamStore, Topology,
    UnreadableRecord,
};
use projectors::{DecodeError, EventDecoder};
use uuid::Uuid;

/// Decodes a value that is the event's number here.
#[derive(Default)]
pub(crate) struct Decoder {
    events: Mutex<Vec<Event>>,
    /// The registry is away.
    pub(crate) away: AtomicBool,
    /// Types that it does not know.
    pub(crate) unknown: Mutex<BTreeSet<&'static str>>,
    pub(crate) decoded: AtomicU64,
}

impl EventDecoder for Decoder {
    fn decode(&self, event: &LogEvent) -> Result<Event, DecodeError> {
        if self.away.load(Ordering::SeqCst) {
            return Err(DecodeError::Unavailable("connection refused".to_owned()));
        }
        if self.unknown.lock().unwrap().contains(&*event.envelope.event_type) {
            return Err(DecodeError::Undecodable("unknown type".to_owned()));
        }
        self.decoded.fetch_add(1, Ordering::SeqCst);
        let index = u64::from_be_bytes(event.value[..8].try_into().unwrap());
        Ok(self.events.lock().unwrap()[usize::try_from(index).unwrap()].clone())
    }
}

/// The log.
pub(crate) struct MemoryLog {
    shared: Arc<Shared>,
    partitions: u32,
}

#[derive(Default)]
struct Shared {
    records: Mutex<Vec<LogRecord>>,
    appended: Condvar,
    away: AtomicBool,
    /// Readers that were made before so many others bring nothing any more.
    silenced: AtomicU64,
    readers: AtomicU64,
}

impl MemoryLog {
    pub(crate) fn new(partitions: u32) -> Self {
        Self { shared: Arc::default(), partitions }
    }

    pub(crate) fn away(&self, away: bool) {
        self.shared.away.store(away, Ordering::SeqCst);
    }

    /// Whoever reads now will bring nothing any more, and say nothing of it.
    pub(crate) fn silence_readers(&self) {
        self.shared.silenced.store(self.shared.readers.load(Ordering::SeqCst), Ordering::SeqCst);
    }

    pub(crate) fn append(&self, event: &RecordedEvent, decoder: &Decoder) {
        let mut events = decoder.events.lock().unwrap();
        let value = (events.len() as u64).to_be_bytes().to_vec().into();
        events.push(event.event.clone());
        let (position, envelope) = (event.position, event.envelope.clone());
        self.push(LogRecord::Event(LogEvent { position, envelope, value }));
    }

    /// A take-over, at an offset that no event uses.
    pub(crate) fn opened(&self, partition: u32, offset: i64, epoch: i64) {
        self.push(LogRecord::Opened(OpenedRecord {
            position: Position { partition, offset },
            shard: ShardId(0),
            epoch,
            address: String::new(),
        }));
    }

    /// A record of somebody else's.
    pub(crate) fn unreadable(&self, partition: u32, offset: i64, key: &str) {
        self.push(LogRecord::Unreadable(UnreadableRecord {
            position: Position { partition, offset },
            key: key.to_owned(),
            reason: "no ce_id header".to_owned(),
        }));
    }

    pub(crate) fn vector(&self) -> PositionVector {
        self.shared.records.lock().unwrap().iter().map(LogRecord::position).collect()
    }

    fn push(&self, record: LogRecord) {
        self.shared.records.lock().unwrap().push(record);
        self.shared.appended.notify_all();
    }
}

struct MemoryReader {
    shared: Arc<Shared>,
    at: PositionVector,
    partitions: Vec<u32>,
    /// Where in the list of all records it stands.
    index: usize,
    /// Which reader of the log it is.
    number: u64,
}

impl LogReader for MemoryReader {
    fn poll(&mut self, max: usize, wait: Duration) -> Result<Vec<LogRecord>, LogError> {
        available(&self.shared)?;
        let mut records = self.shared.records.lock().unwrap();
        if self.number < self.shared.silenced.load(Ordering::SeqCst) {
            drop(self.shared.appended.wait_timeout(records, wait).unwrap());
            return Ok(Vec::new());
        }
        if records.len() == self.index {
            records = self.shared.appended.wait_timeout(records, wait).unwrap().0;
        }
        let mut found = Vec::new();
        while self.index < records.len() && found.len() < max {
            let record = &records[self.index];
            self.index += 1;
            let position = record.position();
            let wanted =
                self.partitions.is_empty() || self.partitions.contains(&position.partition);
            if wanted && !self.at.includes(position) {
                found.push(record.clone());
            }
        }
        Ok(found)
    }
}

fn available(shared: &Shared) -> Result<(), LogError> {
    if shared.away.load(Ordering::SeqCst) {
        return Err(LogError::Unavailable { reason: "no brokers".to_owned(), source: None });
    }
    Ok(())
}

impl EventLog for MemoryLog {
    fn topology(&self) -> Topology {
        Topology { log_id: LogId(Uuid::nil()), partitions: self.partitions, shards: 1 }
    }

    fn reader(
        &self,
        start: &PositionVector,
        partitions: &[u32],
    ) -> Result<Box<dyn LogReader>, LogError> {
        available(&self.shared)?;
        Ok(Box::new(MemoryReader {
            shared: Arc::clone(&self.shared),
            at: start.clone(),
            partitions: partitions.to_vec(),
            index: 0,
            number: self.shared.readers.fetch_add(1, Ordering::SeqCst),
        }))
    }

    fn end(&self) -> Result<PositionVector, LogError> {
        available(&self.shared)?;
        Ok(self.vector())
    }

    fn open_shard(&self, _shard: ShardId, _address: &str) -> Result<OpenShard, LogError> {
        Err(LogError::NotAMember)
    }

    fn stream_store(&self, _shard: ShardId) -> Result<Option<Box<dyn StreamStore>>, LogError> {
        Ok(None)
    }

    /// Nobody here asks for evidence.
    fn refusals(&self, _: &PositionVector, _: usize) -> Result<RefusalPage, LogError> {
        Ok(RefusalPage::default())
    }

    fn join(&self, _handler: Arc<dyn OwnershipHandler>) -> Result<Box<dyn Membership>, LogError> {
        Err(LogError::NotAMember)
    }

    fn owner(&self, _shard: ShardId) -> Option<ShardOwner> {
        None
    }

    fn clock_skew_micros(&self) -> Result<i64, LogError> {
        Ok(0)
    }

    fn record_bytes_max(&self) -> usize {
        1_000_000
    }

    fn durability(&self) -> Durability {
        Durability { survives_power_cut: false, description: "memory".to_owned() }
    }
}
