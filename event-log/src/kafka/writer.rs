//! The one writer of a shard, and how a shard is taken over.

use std::sync::Arc;

use domain::{Position, PositionVector};
use rdkafka::error::KafkaError;
use rdkafka::message::{Header, OwnedHeaders};

use super::clients::{self, signed};
use super::producer::{Outgoing, TransactionError, TransactionalProducer, Trouble};
use super::topics::RECORD_BYTES_MAX;
use super::{KafkaSettings, shard_record};
use crate::{
    AppendError, Appended, Batch, LogError, NewEvent, OpenShard, RefusalRecord, ShardId,
    ShardWriter, Topology, headers,
};

/// Headers of an event, traceparent included: sizes the list once.
const HEADERS_TYPICAL: usize = 18;

/// Appends to a shard in transactions of its own transactional id.
pub(super) struct KafkaShardWriter {
    producer: TransactionalProducer,
    shard: ShardId,
    topics: Arc<Topics>,
    scratch: String,
    key: String,
    value: Vec<u8>,
    /// The latest transaction was aborted.
    shaken: bool,
}

/// The topics that a writer writes to.
pub(super) struct Topics {
    pub(super) events: String,
    pub(super) shards: String,
    pub(super) refusals: String,
}

impl Topics {
    pub(super) fn of(settings: &KafkaSettings) -> Self {
        Self {
            events: settings.events(),
            shards: settings.shards_topic(),
            refusals: settings.refusals(),
        }
    }
}

/// Takes a shard over: fences its previous writer, then commits the opened records.
pub(super) fn open(
    settings: &KafkaSettings,
    topology: &Topology,
    shard: ShardId,
    address: &str,
) -> Result<OpenShard, LogError> {
    let config = clients::transactional_producer(settings, &settings.transactional_id(shard));
    let producer = TransactionalProducer::new(&config, settings.transaction_timeout)
        .map_err(|error| clients::failed("create the shard's producer", error))?;
    producer
        .initialise(settings.open_timeout)
        .map_err(|trouble| refusal(shard, TransactionError::Aborted(trouble)))?;
    let topics = Arc::new(Topics::of(settings));
    let partitions: Vec<u32> = topology.partitions_of(shard).collect();
    let epoch = producer
        .transact(|producer| announce(producer, &topics, shard, &partitions, address))
        .map_err(|error| refusal(shard, error))?;
    let missing = || LogError::Failed { reason: "a delivery has no offset".into(), source: None };
    let offsets = producer.offsets(1, 1 + partitions.len()).ok_or_else(missing)?;
    let opened: PositionVector = partitions
        .iter()
        .zip(offsets)
        .map(|(&partition, offset)| Position { partition, offset })
        .collect();
    tracing::info!(%shard, epoch, %opened, "shard taken over");
    let writer = KafkaShardWriter {
        producer,
        shard,
        topics,
        scratch: String::new(),
        key: String::new(),
        value: Vec::new(),
        shaken: false,
    };
    Ok(OpenShard { epoch, opened, writer: Box::new(writer) })
}

/// The opened records; the first one's offset is the epoch that the others carry.
fn announce(
    producer: &TransactionalProducer,
    topics: &Topics,
    shard: ShardId,
    partitions: &[u32],
    address: &str,
) -> Result<i64, Trouble> {
    let key = headers::opened_key(shard);
    producer.send(Outgoing {
        topic: &topics.shards,
        partition: signed(shard.0),
        key: &key,
        value: &shard_record::ownership(address),
        headers: json_headers(),
        created_millis: None,
    })?;
    producer.settle()?;
    let epoch = producer.delivered(0).expect("settled just now").offset;
    let mut scratch = String::new();
    for &partition in partitions {
        let mut list = Some(OwnedHeaders::new_with_capacity(8));
        headers::write_opened(shard, epoch, address, &mut scratch, &mut |name, value| {
            push(&mut list, name, value);
        });
        producer.send(Outgoing {
            topic: &topics.events,
            partition: signed(partition),
            key: &key,
            value: b"",
            headers: list.expect("always put back"),
            created_millis: None,
        })?;
    }
    Ok(epoch)
}

impl ShardWriter for KafkaShardWriter {
    fn append(&mut self, batch: &Batch) -> Result<Appended, AppendError> {
        if batch.events.is_empty() && batch.refusals.is_empty() {
            // A transaction without records is not told to the broker: it would prove nothing.
            return Err(AppendError::Aborted("a batch without records".into()));
        }
        for (index, event) in batch.events.iter().enumerate() {
            let bytes = headers::record_bytes(&event.envelope, &event.value, &mut self.scratch);
            if bytes > RECORD_BYTES_MAX {
                return Err(AppendError::TooLarge { index });
            }
        }
        let mut committed = self.commit(batch);
        // After a batch that the broker rejected, the client's sequence numbers are ahead of the
        // broker's, and its next transaction fails for that alone before they are set right.
        if self.shaken && matches!(committed, Err(TransactionError::Aborted(_))) {
            committed = self.commit(batch);
        }
        self.shaken = committed.is_err();
        match committed {
            Ok(offsets) => Ok(Appended { offsets }),
            Err(TransactionError::Aborted(trouble)) => Err(AppendError::Aborted(Box::new(trouble))),
            Err(TransactionError::Lost { committed, trouble }) => {
                Err(AppendError::Lost { committed, source: Box::new(trouble) })
            }
        }
    }
}

impl KafkaShardWriter {
    fn commit(&mut self, batch: &Batch) -> Result<Vec<i64>, TransactionError> {
        let Self { producer, shard, topics, scratch, key, value, shaken: _ } = self;
        producer.transact(|producer| {
            for event in &batch.events {
                send_event(producer, topics, event, key, scratch)?;
            }
            for refusal in &batch.refusals {
                send_refusal(producer, topics, *shard, refusal, key, value)?;
            }
            Ok(())
        })?;
        let offsets = producer.offsets(0, batch.events.len());
        Ok(offsets.expect("a transaction commits after all its deliveries"))
    }
}

fn send_event(
    producer: &TransactionalProducer,
    topics: &Topics,
    event: &NewEvent,
    key: &mut String,
    scratch: &mut String,
) -> Result<(), Trouble> {
    let mut list = Some(OwnedHeaders::new_with_capacity(HEADERS_TYPICAL));
    headers::write(&event.envelope, scratch, &mut |name, value| push(&mut list, name, value));
    rewrite(key, &event.envelope.stream);
    producer.send(Outgoing {
        topic: &topics.events,
        partition: signed(event.partition),
        key,
        value: &event.value,
        headers: list.expect("always put back"),
        created_millis: Some(event.envelope.recorded_at.micros() / 1000),
    })
}

fn send_refusal(
    producer: &TransactionalProducer,
    topics: &Topics,
    shard: ShardId,
    refusal: &RefusalRecord,
    key: &mut String,
    value: &mut Vec<u8>,
) -> Result<(), Trouble> {
    value.clear();
    serde_json::to_writer(&mut *value, refusal).expect("refusals have string keys only");
    rewrite(key, &refusal.stream);
    producer.send(Outgoing {
        topic: &topics.refusals,
        partition: signed(shard.0),
        key,
        value,
        headers: json_headers(),
        created_millis: Some(refusal.refused_at.micros() / 1000),
    })
}

fn rewrite(text: &mut String, value: &impl std::fmt::Display) {
    use std::fmt::Write as _;
    text.clear();
    write!(text, "{value}").expect("writing to a string cannot fail");
}

/// The library's list is handed on with every header; the option lets a closure do that.
fn push(list: &mut Option<OwnedHeaders>, name: &str, value: &str) {
    let headers = list.take().expect("always put back");
    *list = Some(headers.insert(Header { key: name, value: Some(value) }));
}

pub(super) fn json_headers() -> OwnedHeaders {
    let header = Header { key: "content-type", value: Some("application/json") };
    OwnedHeaders::new_with_capacity(1).insert(header)
}

/// What a failed take-over means for the caller.
fn refusal(shard: ShardId, error: TransactionError) -> LogError {
    let (TransactionError::Aborted(trouble) | TransactionError::Lost { trouble, .. }) = error;
    if trouble.fenced() {
        return LogError::NotAMember;
    }
    let reason = format!("cannot take shard {shard} over");
    match trouble {
        Trouble::Client(error @ KafkaError::Transaction(_)) => {
            clients::failed(&reason["cannot ".len()..], error)
        }
        trouble => LogError::Unavailable { reason, source: Some(Box::new(trouble)) },
    }
}
