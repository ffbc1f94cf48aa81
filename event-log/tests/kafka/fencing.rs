//! Only the last one to open a shard writes to it, whatever became of those before.

use std::time::{Duration, Instant};

use event_log::sample::Author;
use event_log::{AppendError, CommitState, EventLog, KafkaSettings, LogRecord, ShardId};
use rdkafka::ClientConfig;
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};

use crate::child::{self, Second};
use crate::world::{World, batch, events, only_events, read_until};

const SHARD: ShardId = ShardId(0);

#[test]
fn a_writer_that_was_replaced_appends_nothing() {
    let Some(world) = World::new("replaced") else { return };
    let (mine, theirs) = (world.log(), world.log());
    let topology = mine.topology();
    let mut author = Author::new(topology);
    let mut old = mine.open_shard(SHARD, "http://old:1").unwrap();
    old.writer.append(&batch(events(&mut author, topology, SHARD, old.epoch, 1))).unwrap();
    let mut fork = author.clone();

    let mut new = theirs.open_shard(SHARD, "http://new:1").unwrap();
    let refused = old.writer.append(&batch(events(&mut fork, topology, SHARD, old.epoch, 5)));
    new.writer.append(&batch(events(&mut author, topology, SHARD, new.epoch, 1))).unwrap();

    assert!(new.epoch > old.epoch);
    let Err(AppendError::Lost { committed, .. }) = refused else { panic!("{refused:?}") };
    assert_eq!(committed, CommitState::NotWritten);
    let records = read_until(&mine, |records| only_events(records).len() >= 2);
    let epochs: Vec<i64> = only_events(&records).iter().map(|event| event.envelope.epoch).collect();
    assert_eq!(epochs, [old.epoch, new.epoch]);
}

#[test]
fn epochs_rise_with_every_take_over_and_stand_in_every_partition() {
    let Some(world) = World::new("epochs") else { return };
    let log = world.log();

    let first = log.open_shard(SHARD, "http://a:1").unwrap();
    let second = log.open_shard(SHARD, "http://b:1").unwrap();

    assert!(second.epoch > first.epoch);
    let records = read_until(&log, |records| records.len() >= 4);
    for (open, address) in [(&first, "http://a:1"), (&second, "http://b:1")] {
        let partitions = open.opened.iter().map(|position| position.partition);
        assert_eq!(
            partitions.collect::<Vec<_>>(),
            log.topology().partitions_of(SHARD).collect::<Vec<_>>()
        );
        for position in open.opened.iter() {
            let found = records.iter().find(|record| record.position() == position);
            let Some(LogRecord::Opened(opened)) = found else { panic!("{position}: {found:?}") };
            assert_eq!((opened.shard, opened.epoch), (SHARD, open.epoch));
            assert_eq!(opened.address, address);
        }
    }
}

/// Starts a transaction as the shard's writer and leaves it open.
fn leave_a_transaction_open(world: &World) -> ThreadedProducer<DefaultProducerContext> {
    let producer: ThreadedProducer<DefaultProducerContext> = ClientConfig::new()
        .set("bootstrap.servers", &world.brokers)
        .set("transactional.id", format!("{}.shard.{SHARD}", world.prefix))
        .set("transaction.timeout.ms", "60000")
        .create()
        .unwrap();
    producer.init_transactions(Duration::from_secs(20)).unwrap();
    producer.begin_transaction().unwrap();
    let topic = format!("{}.events", world.prefix);
    let record = BaseRecord::to(&topic).partition(0).key("never").payload("committed");
    assert!(producer.send(record).is_ok());
    producer.flush(Duration::from_secs(20)).unwrap();
    producer
}

#[test]
fn the_open_transaction_of_a_killed_process_does_not_keep_its_successor_waiting() {
    if let Some(world) = child::role() {
        let producer = leave_a_transaction_open(&world);
        child::say("open");
        child::hear();
        drop(producer);
        return;
    }
    let Some(world) = World::new("killed") else { return };
    let log = world.log();
    let mut second = Second::start(
        "fencing::the_open_transaction_of_a_killed_process_does_not_keep_its_successor_waiting",
        &world,
    );
    assert_eq!(second.said(), "open");
    second.kill();

    let started = Instant::now();
    let open = log.open_shard(SHARD, "").unwrap();
    let records = read_until(&log, |records| records.len() >= 2);
    let elapsed = started.elapsed();

    let read: domain::PositionVector = records.iter().map(LogRecord::position).collect();
    assert_eq!(read, open.opened, "only the opened records are visible: {records:?}");
    println!("taken over from a killed process in {elapsed:?}");
    assert!(elapsed < Duration::from_secs(10), "waited {elapsed:?} of the 60 s time-out");
}

#[test]
fn a_transaction_left_open_cannot_be_committed_after_the_take_over() {
    let Some(world) = World::new("outlived") else { return };
    let log = world.log();
    let abandoned = leave_a_transaction_open(&world);

    let first = log.open_shard(SHARD, "").unwrap();
    let late = abandoned.commit_transaction(Duration::from_secs(20));

    assert!(late.is_err(), "the abandoned transaction committed");
    let records = read_until(&log, |records| records.len() >= 2);
    let read: domain::PositionVector = records.iter().map(LogRecord::position).collect();
    assert_eq!(read, first.opened);
}

#[test]
fn an_event_that_is_too_large_is_named_and_the_writer_lives_on() {
    let Some(world) = World::new("too-large") else { return };
    let log = world.log();
    let topology = log.topology();
    let mut author = Author::new(topology);
    let mut open = log.open_shard(SHARD, "").unwrap();
    let stream = author.stream_in(0, 0);

    let limit = log.record_bytes_max();
    let mut fork = author.clone();
    let large = vec![fork.next(stream, open.epoch, 10), fork.next(stream, open.epoch, limit)];
    let refused = open.writer.append(&batch(large));
    let nearly = author.next(stream, open.epoch, limit - 2000);
    let appended = open.writer.append(&batch(vec![nearly])).unwrap();

    assert!(matches!(refused, Err(AppendError::TooLarge { index: 1 })), "{refused:?}");
    let records = read_until(&log, |records| !only_events(records).is_empty());
    assert_eq!(only_events(&records)[0].position.offset, appended.offsets[0]);
}

#[test]
fn a_shard_that_does_not_exist_is_refused() {
    let Some(world) = World::new("no-shard") else { return };
    let settings = KafkaSettings { partitions: 2, shards: 2, ..world.settings() };
    let log = event_log::KafkaLog::connect(settings).unwrap();

    let refused = log.open_shard(ShardId(2), "");

    assert_eq!(refused.err().map(|error| error.code()), Some("log_mismatch"));
}
