//! A Kafka log in a corner of its own.

use std::sync::Arc;

use super::kafka_corner::KafkaCorner;
use super::{REFUSED_BYTES, TestWorld};
use crate::{EventLog, KafkaLog, KafkaSettings, RefusalRecord, ShardId};

/// The Kafka log under test.
pub struct KafkaWorld {
    corner: KafkaCorner,
    partitions: u32,
    shards: u32,
    /// The newest is in use; those before belong to processes that are dead to the case.
    logs: Vec<Arc<KafkaLog>>,
}

impl KafkaWorld {
    /// A log of that shape; nothing when there is no broker.
    #[must_use]
    pub fn new(partitions: u32, shards: u32) -> Option<Self> {
        let corner = KafkaCorner::new("contract")?;
        Some(Self { corner, partitions, shards, logs: Vec::new() })
    }

    fn connect(&mut self) -> Arc<KafkaLog> {
        let (partitions, shards) = (self.partitions, self.shards);
        let settings = KafkaSettings { partitions, shards, ..self.corner.settings() };
        Arc::new(KafkaLog::connect(settings).unwrap())
    }

    fn keep(&mut self) -> Arc<KafkaLog> {
        let log = self.connect();
        self.logs.push(Arc::clone(&log));
        log
    }
}

impl TestWorld for KafkaWorld {
    fn log(&mut self) -> Arc<dyn EventLog> {
        match self.logs.last() {
            Some(log) => log.clone(),
            None => self.keep(),
        }
    }

    fn beside(&mut self) -> Arc<dyn EventLog> {
        self.connect()
    }

    fn restart(&mut self) -> Arc<dyn EventLog> {
        self.logs.clear();
        self.keep()
    }

    /// To the brokers, a process that never speaks again is one that was killed.
    fn kill(&mut self) -> Arc<dyn EventLog> {
        self.keep()
    }

    fn refusals(&mut self, shard: ShardId) -> Vec<RefusalRecord> {
        let topic = format!("{}.refusals", self.corner.prefix);
        let records = self.corner.committed(&topic, i32::try_from(shard.0).unwrap());
        records.iter().map(|(_, value)| serde_json::from_slice(value).unwrap()).collect()
    }

    /// The broker's own limit: it takes what came before, and refuses the rest of the transaction.
    fn refuse_large_events(&mut self, refuse: bool) {
        let topic = format!("{}.events", self.corner.prefix);
        let bytes = if refuse { REFUSED_BYTES.to_string() } else { "1048576".to_owned() };
        self.corner.set_one(&topic, "max.message.bytes", &bytes);
    }
}
