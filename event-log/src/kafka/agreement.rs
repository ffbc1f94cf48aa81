//! How processes that start at the same moment agree on the log's shape.
//!
//! The shape is written once, by whoever holds the one transactional id for it: that producer marks
//! the shard topic, reads up to its own mark (only that proves that the end was reached), and
//! writes the shape if there is none. A second process that takes the id over fences the first,
//! whose commit then fails: so nobody writes between the reading and the writing of another.

use std::thread;
use std::time::{Duration, Instant};

use domain::LogId;
use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::topic_partition_list::Offset;
use uuid::Uuid;

use super::KafkaSettings;
use super::clients::{self, Quiet};
use super::producer::{Outgoing, TransactionError, TransactionalProducer};
use super::shard_record::{CLAIM_KEY, TOPOLOGY_KEY, TopologyRecord};
use super::writer::json_headers;
use crate::{LogError, Topology};

/// The shape stands in this partition of the shard topic.
const PARTITION: i32 = 0;
/// Before a fenced process tries again, times its own share of a second.
const RETRY_PAUSE: Duration = Duration::from_millis(50);

/// Reads the log's shape, or records the settings' shape as the log's.
pub(super) fn agree(settings: &KafkaSettings) -> Result<Topology, LogError> {
    let deadline = Instant::now() + settings.connect_timeout;
    if let Some(record) = look(settings, Until::Quiet, deadline)? {
        return fits(settings, &record);
    }
    loop {
        match establish(settings, deadline) {
            Ok(record) => return fits(settings, &record),
            Err(error) if Instant::now() >= deadline => return Err(error),
            Err(LogError::Unavailable { reason, .. }) => {
                tracing::debug!(reason, "the log's shape is being agreed on; trying again");
                // Two that always collide would fence each other for ever.
                let share = u32::from(Uuid::now_v7().as_bytes()[15] % 16);
                thread::sleep(RETRY_PAUSE * (1 + share));
            }
            Err(error) => return Err(error),
        }
    }
}

/// Reads the log's shape, and records none.
pub(super) fn recorded(settings: &KafkaSettings) -> Result<Topology, LogError> {
    // Finding nothing proves nothing, so a slow broker is asked more than once.
    let deadline = Instant::now() + settings.request_timeout;
    while Instant::now() < deadline {
        if let Some(record) = look(settings, Until::Quiet, deadline)? {
            return fits(settings, &record);
        }
    }
    Err(LogError::Mismatch(format!(
        "{} holds no shape of a log: nothing was ever served under this prefix; run `waylog \
         serve`, or say another --kafka-topic-prefix",
        settings.shards_topic()
    )))
}

fn fits(settings: &KafkaSettings, record: &TopologyRecord) -> Result<Topology, LogError> {
    let expected = TopologyRecord::new(record.log_id, settings);
    if *record == expected {
        return Ok(record.topology());
    }
    Err(LogError::Mismatch(format!(
        "log {} has {} partitions in {} shards, and the settings say {} in {}; start with the \
         log's own numbers, or under another topic prefix",
        record.log_id, record.partitions, record.shards, settings.partitions, settings.shards
    )))
}

fn establish(settings: &KafkaSettings, deadline: Instant) -> Result<TopologyRecord, LogError> {
    let config = clients::transactional_producer(settings, &settings.topology_transactional_id());
    let producer = TransactionalProducer::new(&config, settings.transaction_timeout)
        .map_err(|error| clients::failed("create the producer of the log's shape", error))?;
    let again = |error: TransactionError| {
        let (TransactionError::Aborted(trouble) | TransactionError::Lost { trouble, .. }) = error;
        let reason = "the log's shape cannot be written".to_owned();
        LogError::Unavailable { reason, source: Some(Box::new(trouble)) }
    };
    let left = deadline.saturating_duration_since(Instant::now());
    producer.initialise(left).map_err(|trouble| again(TransactionError::Aborted(trouble)))?;
    let topic = settings.shards_topic();
    let write = |key: &str, value: &[u8]| {
        let record = Outgoing {
            topic: &topic,
            partition: PARTITION,
            key,
            value,
            headers: json_headers(),
            created_millis: None,
        };
        producer.transact(|producer| producer.send(record)).map_err(again)
    };
    write(CLAIM_KEY, b"{}")?;
    let claim = producer.delivered(0).expect("committed just now").offset;
    if let Some(record) = look(settings, Until::Offset(claim), deadline)? {
        return Ok(record);
    }
    let record = TopologyRecord::new(LogId(Uuid::now_v7()), settings);
    write(TOPOLOGY_KEY, &serde_json::to_vec(&record).expect("plain data is JSON"))?;
    tracing::info!(log = %record.log_id, record.partitions, record.shards, "log created");
    Ok(record)
}

/// How far to look.
#[derive(Clone, Copy)]
enum Until {
    /// Until the broker says that there is no more: finding nothing proves nothing, because others
    /// may be writing it.
    Quiet,
    /// Until that record, which is known to exist: finding nothing proves that there was nothing.
    Offset(i64),
}

fn look(
    settings: &KafkaSettings,
    until: Until,
    deadline: Instant,
) -> Result<Option<TopologyRecord>, LogError> {
    let what = "read the log's shape";
    let failed = |error| clients::failed(what, error);
    let mut config = clients::reading_consumer(settings);
    // The topic is compacted: it need not begin at zero.
    config.set("auto.offset.reset", "earliest");
    // Waiting for a while instead would be too short for a consumer that is slow to begin.
    config.set("enable.partition.eof", "true");
    let consumer: BaseConsumer<Quiet> = config.create_with_context(Quiet).map_err(failed)?;
    let mut start = TopicPartitionList::new();
    start
        .add_partition_offset(&settings.shards_topic(), PARTITION, Offset::Beginning)
        .and_then(|()| consumer.assign(&start))
        .map_err(failed)?;
    let mut newest = None;
    while Instant::now() < deadline {
        let record = match consumer.poll(Duration::from_millis(50)) {
            Some(Ok(record)) => record,
            Some(Err(KafkaError::MessageConsumptionFatal(code))) => {
                return Err(failed(KafkaError::MessageConsumptionFatal(code)));
            }
            Some(Err(KafkaError::PartitionEOF(_))) if matches!(until, Until::Quiet) => {
                return Ok(newest);
            }
            // Heals, or runs into the deadline.
            Some(Err(_)) | None => continue,
        };
        if record.key() == Some(TOPOLOGY_KEY.as_bytes()) {
            let value = record.payload().unwrap_or_default();
            newest = Some(serde_json::from_slice(value).map_err(|error| {
                LogError::Corrupt(format!("the record of the log's shape cannot be read: {error}"))
            })?);
        }
        if matches!(until, Until::Offset(last) if record.offset() >= last) {
            return Ok(newest);
        }
    }
    Err(LogError::Unavailable { reason: format!("cannot {what} in time"), source: None })
}
