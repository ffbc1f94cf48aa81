//! A log of its own for each case, and what the cases do with it.

use std::time::{Duration, Instant};

use domain::PositionVector;
use event_log::sample::Author;
use event_log::{
    Batch, EventLog, KafkaLog, KafkaSettings, LogEvent, LogReader, LogRecord, NewEvent, ShardId,
    Topology,
};
use futures::executor::block_on;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, AlterConfig, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};
use uuid::Uuid;

/// Everything that should happen happens within this.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// One case's corner of the cluster; its topics go when it goes.
pub(crate) struct World {
    pub(crate) brokers: String,
    pub(crate) prefix: String,
    owned: bool,
}

impl World {
    /// Nothing when there is no broker: the case is skipped then, or fails when it must not be.
    pub(crate) fn new(case: &str) -> Option<Self> {
        let Ok(brokers) = std::env::var("WAYLOG_KAFKA_BROKERS") else {
            let required = std::env::var("WAYLOG_TEST_REQUIRE_SERVICES").is_ok_and(|v| v == "1");
            assert!(!required, "WAYLOG_KAFKA_BROKERS is not set, and services are required");
            println!("skipped {case}: WAYLOG_KAFKA_BROKERS is not set");
            return None;
        };
        Some(Self { brokers, prefix: format!("{case}-{}", Uuid::now_v7().simple()), owned: true })
    }

    /// Somebody else's corner, for a process started by a case.
    pub(crate) fn visiting(brokers: String, prefix: String) -> Self {
        Self { brokers, prefix, owned: false }
    }

    pub(crate) fn settings(&self) -> KafkaSettings {
        KafkaSettings {
            topic_prefix: self.prefix.clone(),
            partitions: 4,
            shards: 2,
            ..KafkaSettings::new(&self.brokers)
        }
    }

    pub(crate) fn log(&self) -> KafkaLog {
        KafkaLog::connect(self.settings()).unwrap()
    }

    /// Replaces a topic's own settings by these, and waits until they hold.
    pub(crate) fn set(&self, topic: &str, settings: &[(&str, &str)]) {
        let topic = ResourceSpecifier::Topic(topic);
        let wanted = settings
            .iter()
            .fold(AlterConfig::new(topic), |wanted, &(name, value)| wanted.set(name, value));
        let admin = self.admin();
        block_on(admin.alter_configs([&wanted], &options())).unwrap().remove(0).unwrap();
        eventually("the topic's settings hold", || {
            let found = block_on(admin.describe_configs(&[topic], &options())).unwrap().remove(0);
            let found = found.unwrap();
            let holds = |&(name, value): &(&str, &str)| {
                found.get(name).and_then(|entry| entry.value.as_deref()) == Some(value)
            };
            settings.iter().all(holds)
        });
    }

    /// Removes the records of a partition before an offset.
    pub(crate) fn delete_before(&self, topic: &str, partition: i32, offset: Offset) {
        let mut before = TopicPartitionList::new();
        before.add_partition_offset(topic, partition, offset).unwrap();
        let gone = block_on(self.admin().delete_records(&before, &options())).unwrap();
        gone.elements().iter().for_each(|element| element.error().unwrap());
    }

    /// Key and value of all committed records of a partition.
    pub(crate) fn committed(&self, topic: &str, partition: i32) -> Vec<(String, Vec<u8>)> {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", &self.brokers)
            .set("group.id", format!("{}.test", self.prefix))
            .set("isolation.level", "read_committed")
            .set("enable.auto.commit", "false")
            .set("enable.partition.eof", "true")
            .create()
            .unwrap();
        // The end is told at the last stable offset, which follows a commit's answer by a moment.
        eventually("no transaction is open", || {
            let (_, stable) = consumer.fetch_watermarks(topic, partition, PATIENCE).unwrap();
            let (_, end) = self.looker().fetch_watermarks(topic, partition, PATIENCE).unwrap();
            stable == end
        });
        let mut start = TopicPartitionList::new();
        start.add_partition_offset(topic, partition, Offset::Beginning).unwrap();
        consumer.assign(&start).unwrap();
        let mut records = Vec::new();
        let deadline = Instant::now() + PATIENCE;
        loop {
            assert!(Instant::now() < deadline, "the end never came: {} records", records.len());
            match consumer.poll(Duration::from_millis(100)) {
                None => {}
                Some(Err(KafkaError::PartitionEOF(_))) => return records,
                Some(record) => {
                    let record = record.unwrap();
                    let key = String::from_utf8(record.key().unwrap().to_vec()).unwrap();
                    records.push((key, record.payload().unwrap().to_vec()));
                }
            }
        }
    }

    /// How many brokers there are.
    pub(crate) fn broker_count(&self) -> usize {
        self.looker().fetch_metadata(None, PATIENCE).unwrap().brokers().len()
    }

    /// Waits until the coordinator has expelled every owner.
    pub(crate) fn wait_until_the_group_is_empty(&self) {
        let looker = self.looker();
        let group = format!("{}.owners", self.prefix);
        eventually("the owners' group is empty", || {
            let found = looker.fetch_group_list(Some(&group), PATIENCE).unwrap();
            found.groups().iter().all(|group| group.members().is_empty())
        });
    }

    fn looker(&self) -> BaseConsumer {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.brokers).set("isolation.level", "read_uncommitted");
        config.create().unwrap()
    }

    fn admin(&self) -> AdminClient<DefaultClientContext> {
        ClientConfig::new().set("bootstrap.servers", &self.brokers).create().unwrap()
    }
}

fn options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(PATIENCE))
}

impl Drop for World {
    fn drop(&mut self) {
        if !self.owned {
            return;
        }
        let topics = ["events", "shards", "refusals"].map(|name| format!("{}.{name}", self.prefix));
        let topics = topics.each_ref().map(String::as_str);
        let deleted = block_on(self.admin().delete_topics(&topics, &options()));
        if let Err(error) = deleted {
            println!("topics of {} are left behind: {error}", self.prefix);
        }
    }
}

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

/// Waits for something that must come true.
pub(crate) fn eventually(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "never happened: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
