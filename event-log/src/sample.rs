//! Events for tests: valid, chained, and different in every field that matters.

use bytes::Bytes;
use domain::ids::{AccountId, CommandId, CorrelationId, EventId};
use domain::{Actor, Category, Digest, Envelope, Position, StreamName, Tenant, Timestamp};
use uuid::Uuid;

use crate::hash_chain::HashChain;
use crate::{LogEvent, NewEvent, Topology};

/// 2025-05-01T09:30:00Z in microseconds.
const START_MICROS: i64 = 1_746_091_800_000_000;

/// The stream that a small number names.
#[must_use]
pub fn stream(number: u64) -> StreamName {
    StreamName::new(Category::Itinerary, Uuid::from_u64_pair(0x0190_0000_0000_7000, number))
}

/// The first event of a stream, at partition 0, offset 0. Its value is framed but no datum.
#[must_use]
pub fn event(number: u64) -> LogEvent {
    let stream = stream(number);
    let value = Bytes::from(format!("\0\0\0\0\u{1}value of {stream}"));
    let envelope = envelope(stream, 1, 1, 1, &Digest::default(), &value);
    LogEvent { position: Position { partition: 0, offset: 0 }, envelope, value }
}

fn envelope(
    stream: StreamName,
    version: u64,
    sequence: u64,
    epoch: i64,
    previous: &Digest,
    value: &[u8],
) -> Envelope {
    let id = |kind: u64| Uuid::from_u64_pair(stream.id.as_u64_pair().1 << 8 | kind, version);
    let mut envelope = Envelope {
        event_id: EventId(id(1)),
        event_type: "itinerary-renamed".into(),
        stream,
        version,
        recorded_at: Timestamp::from_micros(
            START_MICROS + i64::try_from(sequence).expect("tests are short"),
        ),
        sequence,
        epoch,
        correlation_id: CorrelationId(id(2)),
        causation_id: id(3),
        command_id: CommandId(id(4)),
        fingerprint: Digest([u8::try_from(version % 251).expect("below 251"); 32]),
        actor: Actor::Account(AccountId(id(5))),
        tenant: Tenant::default(),
        hash: Digest::default(),
        traceparent: version
            .is_multiple_of(2)
            .then(|| "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned()),
    };
    envelope.hash = HashChain::default().hash(previous, &envelope, value);
    envelope
}

/// Numbers events as a lane does: versions per stream, dense sequences per partition, chained.
#[derive(Clone, Debug)]
pub struct Author {
    topology: Topology,
    heads: std::collections::HashMap<StreamName, (u64, Digest)>,
    sequences: Vec<u64>,
}

impl Author {
    /// Starts where an empty log starts.
    #[must_use]
    pub fn new(topology: Topology) -> Self {
        let sequences = vec![0; topology.partitions as usize];
        Self { topology, heads: std::collections::HashMap::new(), sequences }
    }

    /// Goes on after an event that is in the log already.
    pub fn learn(&mut self, event: &LogEvent) {
        let envelope = &event.envelope;
        self.heads.insert(envelope.stream, (envelope.version, envelope.hash));
        self.sequences[event.position.partition as usize] = envelope.sequence;
    }

    /// The next event of a stream, with a value of about that many bytes.
    pub fn next(&mut self, stream: StreamName, epoch: i64, value_bytes: usize) -> NewEvent {
        let partition = self.topology.partition(&stream);
        let (version, hash) = self.heads.get(&stream).copied().unwrap_or_default();
        let sequence = &mut self.sequences[partition as usize];
        *sequence += 1;
        let mut value = format!("\0\0\0\0\u{1}version {} of {stream}", version + 1).into_bytes();
        value.resize(value.len().max(value_bytes), b'.');
        let envelope = envelope(stream, version + 1, *sequence, epoch, &hash, &value);
        self.heads.insert(stream, (version + 1, envelope.hash));
        NewEvent { partition, envelope, value: value.into() }
    }

    /// The number of a stream in that partition, the `index`-th of them.
    ///
    /// # Panics
    /// When a million streams do not hold enough, which murmur2 rules out.
    #[must_use]
    pub fn stream_in(&self, partition: u32, index: usize) -> StreamName {
        (0..1_000_000)
            .map(stream)
            .filter(|stream| self.topology.partition(stream) == partition)
            .nth(index)
            .expect("streams are spread over all partitions")
    }
}
