//! What must hold of the records themselves: of every stream, versions 1..n, an unbroken hash chain
//! and events that can be read; of every partition, sequences 1..n and epochs that never go back.

use std::collections::BTreeMap;

use domain::{Digest, Event, StreamName};
use event_log::hash_chain::HashChain;
use event_log::{Codec, LogEvent, LogRecord};

use super::report::Report;

#[derive(Default)]
struct Partition {
    sequence: u64,
    epoch: i64,
}

#[derive(Default)]
struct Stream {
    version: u64,
    hash: Digest,
}

/// The checks, fed with records in order of each partition.
pub(super) struct Records<'a> {
    codec: &'a Codec,
    chain: HashChain,
    partitions: BTreeMap<u32, Partition>,
    streams: BTreeMap<StreamName, Stream>,
}

impl<'a> Records<'a> {
    pub(super) fn new(codec: &'a Codec) -> Self {
        Self {
            codec,
            chain: HashChain::default(),
            partitions: BTreeMap::new(),
            streams: BTreeMap::new(),
        }
    }

    /// Checks the record. Gives what happened, if it is an event that can be read.
    pub(super) fn read(&mut self, record: &LogRecord, report: &mut Report) -> Option<Event> {
        report.records += 1;
        match record {
            LogRecord::Event(event) => {
                report.events += 1;
                self.partition(event, report);
                self.stream(event, report)
            }
            LogRecord::Opened(opened) => {
                self.epoch(opened.position.partition, opened.epoch, report);
                None
            }
            LogRecord::Unreadable(record) => {
                report.checked("records", "events", 1);
                let what = format!("{}: unreadable: {}", record.key, record.reason);
                report.violated_at("records", record.position, &what);
                None
            }
        }
    }

    fn epoch(&mut self, partition: u32, epoch: i64, report: &mut Report) {
        let known = self.partitions.entry(partition).or_default();
        if epoch < known.epoch {
            let what = format!("partition {partition}: epoch {epoch} after {}", known.epoch);
            report.violated("epochs", what);
        }
        report.checked("epochs", "records", 1);
        known.epoch = known.epoch.max(epoch);
    }

    fn partition(&mut self, event: &LogEvent, report: &mut Report) {
        let (position, sequence) = (event.position, event.envelope.sequence);
        self.epoch(position.partition, event.envelope.epoch, report);
        let known = self.partitions.entry(position.partition).or_default();
        if sequence != known.sequence + 1 {
            let what = format!("sequence {sequence} after {}", known.sequence);
            report.violated_at("sequences", position, &what);
        }
        report.checked("sequences", "events", 1);
        known.sequence = sequence;
    }

    fn stream(&mut self, event: &LogEvent, report: &mut Report) -> Option<Event> {
        let (position, envelope) = (event.position, &event.envelope);
        let stream = self.streams.entry(envelope.stream).or_default();
        let name = envelope.stream;
        if envelope.version != stream.version + 1 {
            let (version, last) = (envelope.version, stream.version);
            let what = format!("{name}: version {version} after {last}");
            report.violated_at("versions", position, &what);
        }
        report.checked("versions", "events", 1);
        if !self.chain.follows(&stream.hash, event) {
            let what = format!("{name} v{}: the hash chain breaks here", envelope.version);
            report.violated_at("hash_chain", position, &what);
        }
        report.checked("hash_chain", "events", 1);
        (stream.version, stream.hash) = (envelope.version, envelope.hash);
        report.checked("records", "events", 1);
        match self.codec.decode(&envelope.event_type, &event.value) {
            Ok(decoded) => Some(decoded),
            Err(error) => {
                let what = format!("{name} v{}: {error}", envelope.version);
                report.violated_at("records", position, &what);
                None
            }
        }
    }

    /// How many streams and partitions there are.
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.streams.len(), self.partitions.len())
    }
}
