//! How processes that start at the same moment agree on the log's shape.
//!
//! The shape is written once, by whoever holds the one transactional id for it: that producer marks
//! the shard topic, reads up to its own mark (only that proves that the end was reached), and
//! writes the shape if there is none. A second process that takes the id over fences the first,
//! whose commit then fails: so nobody writes between the reading and the writing of another.
//!
//! Many that take it over at once keep fencing each other. So whoever created the shard topic goes
//! first, the others give it some seconds, and whoever was fenced pauses before the next try.

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
/// How long a process waits for the one that goes first, which may have died; at most twice that.
const TURN: Duration = Duration::from_secs(3);
/// Between two looks meanwhile.
const LOOK_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause of a process that was fenced before it looks again: at first, and at most. It
/// doubles, so that however many there are, one of them is soon alone for as long as it takes.
const PAUSE: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(8));

/// Reads the log's shape, or records the settings' shape as the log's. `first`: this process
/// created the shard topic, and waits for nobody.
pub(super) fn agree(settings: &KafkaSettings, first: bool) -> Result<Topology, LogError> {
    let begin = Instant::now();
    let deadline = begin + settings.connect_timeout;
    let turn = if first { begin } else { begin + TURN + share_of(TURN) };
    let mut pause = PAUSE.0;
    loop {
        // Each time: whoever claims what is agreed on already fences those who are about to see it.
        if let Some(record) = look(settings, Until::Quiet, deadline)? {
            return fits(settings, &record);
        }
        if Instant::now() < turn {
            thread::sleep(LOOK_PAUSE);
            continue;
        }
        match establish(settings, deadline) {
            Ok(record) => return fits(settings, &record),
            Err(error) if Instant::now() >= deadline => return Err(error),
            Err(LogError::Unavailable { reason, .. }) => {
                tracing::debug!(reason, "the log's shape is being agreed on; trying again");
                thread::sleep(share_of(pause));
                pause = (pause * 2).min(PAUSE.1);
            }
            Err(error) => return Err(error),
        }
    }
}

/// Two that pause for equally long would fence each other for ever.
fn share_of(pause: Duration) -> Duration {
    pause * u32::from(Uuid::now_v7().as_bytes()[15]) / u32::from(u8::MAX)
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
