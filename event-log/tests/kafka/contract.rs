//! The Kafka log keeps the contract of every log, with one shard and with several.

macro_rules! world {
    ($partitions:literal, $shards:literal) => {
        match event_log::contract_suite::KafkaWorld::new($partitions, $shards) {
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
