//! The log's shape and topics: agreed on once, checked ever after.

use std::thread;

use domain::LogId;
use event_log::{EventLog, KafkaLog, KafkaSettings, LogError, ShardId};

use crate::world::World;

fn mismatch(settings: KafkaSettings) -> String {
    match KafkaLog::connect(settings) {
        Err(LogError::Mismatch(sentence)) => sentence,
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("a log of another shape was accepted"),
    }
}

#[test]
fn those_who_create_a_log_at_the_same_moment_agree_on_it() {
    let Some(world) = World::new("at-once") else { return };

    let ids: Vec<LogId> = thread::scope(|scope| {
        let starts: Vec<_> =
            (0..8).map(|_| scope.spawn(|| world.log().topology().log_id)).collect();
        starts.into_iter().map(|start| start.join().unwrap()).collect()
    });
    let seen = KafkaLog::connect_existing(world.settings()).unwrap().topology().log_id;

    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    assert_eq!(seen, ids[0], "whoever only looks sees the same");
    assert_eq!(world.log().topology().log_id, ids[0], "and it stays");
}

#[test]
fn whoever_only_looks_is_told_that_there_is_no_log_yet_and_makes_none() {
    let Some(world) = World::new("nothing-yet") else { return };

    for _ in 0..2 {
        let looked = KafkaLog::connect_existing(world.settings()).map(drop);
        assert!(matches!(looked, Err(LogError::Mismatch(_))), "{looked:?}");
    }
}

#[test]
fn another_number_of_partitions_is_refused_with_the_way_out() {
    let Some(world) = World::new("partitions") else { return };
    world.log();

    let sentence = mismatch(KafkaSettings { partitions: 8, ..world.settings() });

    assert!(sentence.contains("4 partitions") && sentence.contains('8'), "{sentence}");
}

#[test]
fn another_number_of_shards_is_refused() {
    let Some(world) = World::new("shards") else { return };
    world.log();

    let sentence = mismatch(KafkaSettings { shards: 4, ..world.settings() });

    assert!(sentence.contains("start with the log's own numbers"), "{sentence}");
}

#[test]
fn a_topic_that_forgets_is_refused_with_the_command_that_mends_it() {
    let Some(world) = World::new("forgets") else { return };
    world.log();
    let topic = format!("{}.events", world.prefix);
    world.set(&topic, &[("retention.ms", "86400000")]);

    let sentence = mismatch(world.settings());

    assert!(sentence.contains("retention.ms=86400000"), "{sentence}");
    assert!(sentence.contains(&format!("--topic {topic}")), "{sentence}");
}

#[test]
fn no_broker_means_unavailable_and_not_for_ever() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let settings = KafkaSettings {
        request_timeout: std::time::Duration::from_millis(300),
        ..KafkaSettings::new(closed.to_string())
    };

    let refused = KafkaLog::connect(settings);

    assert_eq!(refused.err().map(|error| error.code()), Some("log_unavailable"));
}

#[test]
fn the_brokers_clock_is_compared_with_ours() {
    let Some(world) = World::new("clock") else { return };
    let log = world.log();

    let skew = log.clock_skew_micros().unwrap();

    // The same machine: the whole difference is the measurement's.
    assert!(skew.abs() < 1_000_000, "{skew} µs");
    assert_eq!(log.clock_skew_micros().unwrap(), skew, "asked at most every ten seconds");
    assert_eq!(log.owner(ShardId(0)), None, "the question is not taken for an owner");
}

#[test]
fn a_log_of_one_broker_says_that_it_does_not_survive_a_power_cut() {
    let Some(world) = World::new("durability") else { return };
    let log = world.log();

    let durability = log.durability();

    assert_eq!(durability.survives_power_cut, world.broker_count() >= 3, "{durability:?}");
}
