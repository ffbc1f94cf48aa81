//! The Kafka log keeps the contract of every log, with one shard and with several.

use std::sync::Arc;

use event_log::contract_suite::TestWorld;
use event_log::{EventLog, KafkaLog, KafkaSettings, RefusalRecord, ShardId};

use crate::world::World;

struct ContractWorld {
    world: World,
    partitions: u32,
    shards: u32,
    /// The newest is in use; those before belong to processes that are dead to the case.
    logs: Vec<Arc<KafkaLog>>,
}

impl ContractWorld {
    fn new(partitions: u32, shards: u32) -> Option<Self> {
        let world = World::new("contract")?;
        Some(Self { world, partitions, shards, logs: Vec::new() })
    }

    fn connect(&mut self) -> Arc<KafkaLog> {
        let (partitions, shards) = (self.partitions, self.shards);
        let settings = KafkaSettings { partitions, shards, ..self.world.settings() };
        let log = Arc::new(KafkaLog::connect(settings).unwrap());
        self.logs.push(Arc::clone(&log));
        log
    }
}

impl TestWorld for ContractWorld {
    fn log(&mut self) -> Arc<dyn EventLog> {
        match self.logs.last() {
            Some(log) => log.clone(),
            None => self.connect(),
        }
    }

    fn restart(&mut self) -> Arc<dyn EventLog> {
        self.logs.clear();
        self.connect()
    }

    /// To the brokers, a process that never speaks again is one that was killed.
    fn kill(&mut self) -> Arc<dyn EventLog> {
        self.connect()
    }

    fn refusals(&mut self, shard: ShardId) -> Vec<RefusalRecord> {
        let topic = format!("{}.refusals", self.world.prefix);
        let records = self.world.committed(&topic, i32::try_from(shard.0).unwrap());
        records.iter().map(|(_, value)| serde_json::from_slice(value).unwrap()).collect()
    }
}

macro_rules! world {
    ($partitions:literal, $shards:literal) => {
        match crate::contract::ContractWorld::new($partitions, $shards) {
            Some(world) => world,
            None => return,
        }
    };
}

mod with_one_shard {
    event_log::contract_tests!(world!(4, 1));
}

mod with_two_shards {
    event_log::contract_tests!(world!(4, 2));
}
