//! A corner of a Kafka cluster: a log of its own for each case, and what only a look from outside
//! the log can tell or break.

use std::time::{Duration, Instant};

use futures::executor::block_on;
use rdkafka::ClientConfig;
use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, ConfigEntry, ConfigSource, ResourceSpecifier,
};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};
use uuid::Uuid;

use crate::{KafkaLog, KafkaSettings};

/// Everything that should happen happens within this.
const PATIENCE: Duration = Duration::from_secs(30);

/// One case's corner of the cluster; its topics go when it goes.
pub struct KafkaCorner {
    /// Bootstrap servers.
    pub brokers: String,
    /// First part of the names of its topics, ids and groups.
    pub prefix: String,
    owned: bool,
}

impl KafkaCorner {
    /// Nothing when there is no broker: the case is skipped then, or fails when it must not be.
    #[must_use]
    pub fn new(case: &str) -> Option<Self> {
        let Ok(brokers) = std::env::var("WAYLOG_KAFKA_BROKERS") else {
            let required = std::env::var("WAYLOG_TEST_REQUIRE_SERVICES").is_ok_and(|v| v == "1");
            assert!(!required, "WAYLOG_KAFKA_BROKERS is not set, and services are required");
            println!("skipped {case}: WAYLOG_KAFKA_BROKERS is not set");
            return None;
        };
        Some(Self { brokers, prefix: format!("{case}-{}", Uuid::now_v7().simple()), owned: true })
    }

    /// Somebody else's corner, for a process started by a case.
    #[must_use]
    pub const fn visiting(brokers: String, prefix: String) -> Self {
        Self { brokers, prefix, owned: false }
    }

    /// Four partitions in two shards.
    #[must_use]
    pub fn settings(&self) -> KafkaSettings {
        KafkaSettings {
            topic_prefix: self.prefix.clone(),
            partitions: 4,
            shards: 2,
            ..KafkaSettings::new(&self.brokers)
        }
    }

    /// The log, as one more process opens it; created when there is none.
    pub fn log(&self) -> KafkaLog {
        KafkaLog::connect(self.settings()).unwrap()
    }

    /// Replaces a topic's own settings by these, and waits until they hold.
    pub fn set(&self, topic: &str, settings: &[(&str, &str)]) {
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

    /// Sets one of a topic's settings and leaves the others as they are.
    pub fn set_one(&self, topic: &str, name: &str, value: &str) {
        let of_topic = ResourceSpecifier::Topic(topic);
        let found = block_on(self.admin().describe_configs(&[of_topic], &options())).unwrap();
        let found = found.into_iter().next().unwrap().unwrap();
        let own = |entry: &&ConfigEntry| matches!(entry.source, ConfigSource::DynamicTopic);
        let mut settings: Vec<(&str, &str)> = found
            .entries
            .iter()
            .filter(own)
            .filter(|entry| entry.name != name)
            .filter_map(|entry| Some((entry.name.as_str(), entry.value.as_deref()?)))
            .collect();
        settings.push((name, value));
        self.set(topic, &settings);
    }

    /// Removes the records of a partition before an offset.
    pub fn delete_before(&self, topic: &str, partition: i32, offset: Offset) {
        let mut before = TopicPartitionList::new();
        before.add_partition_offset(topic, partition, offset).unwrap();
        let gone = block_on(self.admin().delete_records(&before, &options())).unwrap();
        gone.elements().iter().for_each(|element| element.error().unwrap());
    }

    /// Key and value of all committed records of a partition.
    #[must_use]
    pub fn committed(&self, topic: &str, partition: i32) -> Vec<(String, Vec<u8>)> {
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
    #[must_use]
    pub fn broker_count(&self) -> usize {
        self.looker().fetch_metadata(None, PATIENCE).unwrap().brokers().len()
    }

    /// Waits until the coordinator has expelled every owner.
    pub fn wait_until_the_group_is_empty(&self) {
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

impl Drop for KafkaCorner {
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

/// Waits for something that must come true.
pub fn eventually(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "never happened: {what}");
        std::thread::park_timeout(Duration::from_millis(10));
    }
}
