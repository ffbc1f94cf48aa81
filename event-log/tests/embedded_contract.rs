//! The embedded log keeps the contract of every log, with one shard and with several.

use event_log::contract_suite::EmbeddedWorld;

mod with_one_shard {
    event_log::contract_tests!(super::EmbeddedWorld::new(4, 1));
}

mod with_two_shards {
    event_log::contract_tests!(super::EmbeddedWorld::new(4, 2));
}

mod with_one_partition {
    event_log::contract_tests!(super::EmbeddedWorld::new(1, 1));
}
