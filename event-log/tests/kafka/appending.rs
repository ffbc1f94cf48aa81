//! What is appended is read, in order and once; what is aborted is not.

use std::process::Command;

use domain::PositionVector;
use domain::ids::{CommandId, CorrelationId};
use event_log::sample::Author;
use event_log::{Batch, EventLog, LogRecord, RefusalRecord, ShardId};
use uuid::Uuid;

use crate::world::{World, batch, continue_until, events, only_events, read_until};

#[test]
fn appended_events_are_read_back_where_the_answer_said() {
    let Some(world) = World::new("read-back") else { return };
    let log = world.log();
    let topology = log.topology();
    let mut author = Author::new(topology);

    let mut open = log.open_shard(ShardId(1), "http://me:1").unwrap();
    let first = batch(events(&mut author, topology, ShardId(1), open.epoch, 3));
    let second = batch(events(&mut author, topology, ShardId(1), open.epoch, 500));
    let first_at = open.writer.append(&first).unwrap();
    let second_at = open.writer.append(&second).unwrap();

    let records = read_until(&log, |records| only_events(records).len() >= 503);
    let read = only_events(&records);
    let expected: Vec<i64> = first_at.offsets.iter().chain(&second_at.offsets).copied().collect();
    assert_eq!(read.iter().map(|event| event.position.offset).collect::<Vec<_>>(), expected);
    for (event, sent) in read.iter().zip(first.events.iter().chain(&second.events)) {
        assert_eq!(event.envelope, sent.envelope);
        assert_eq!(event.value, sent.value);
    }
    let opened: PositionVector = records
        .iter()
        .filter(|record| matches!(record, LogRecord::Opened(_)))
        .map(LogRecord::position)
        .collect();
    assert_eq!(opened, open.opened);
}

#[test]
fn a_reader_goes_on_after_its_vector() {
    let Some(world) = World::new("go-on") else { return };
    let log = world.log();
    let topology = log.topology();
    let mut author = Author::new(topology);
    let mut open = log.open_shard(ShardId(0), "").unwrap();
    let sent = batch(events(&mut author, topology, ShardId(0), open.epoch, 10));
    let offsets = open.writer.append(&sent).unwrap().offsets;
    let partition = sent.events[0].partition;

    let start = format!("{partition}:{}", offsets[6]).parse().unwrap();
    let mut reader = log.reader(&start, &[partition]).unwrap();
    let records = continue_until(reader.as_mut(), |records| records.len() >= 3);

    let read: Vec<i64> = records.iter().map(|record| record.position().offset).collect();
    assert_eq!(read, offsets[7..]);
}

#[test]
fn refusals_are_evidence_in_the_same_transaction() {
    let Some(world) = World::new("refusals") else { return };
    let log = world.log();
    let topology = log.topology();
    let mut author = Author::new(topology);
    let mut open = log.open_shard(ShardId(1), "").unwrap();
    let sent = events(&mut author, topology, ShardId(1), open.epoch, 1);
    let refusal = RefusalRecord {
        stream: sent[0].envelope.stream,
        version: 1,
        command_id: CommandId(Uuid::from_u128(7)),
        command: "itinerary.rename".to_owned(),
        correlation_id: CorrelationId(Uuid::from_u128(8)),
        causation_id: None,
        actor: sent[0].envelope.actor.clone(),
        tenant: sent[0].envelope.tenant.clone(),
        refused_at: sent[0].envelope.recorded_at,
        refusal: None,
    };

    let mixed = Batch { events: sent, refusals: vec![refusal.clone()] };
    let appended = open.writer.append(&mixed).unwrap();
    let alone = Batch { events: Vec::new(), refusals: vec![refusal.clone()] };
    let nothing = open.writer.append(&alone).unwrap();

    assert_eq!((appended.offsets.len(), nothing.offsets.len()), (1, 0));
    let kept = world.committed(&format!("{}.refusals", world.prefix), 1);
    assert_eq!(kept.len(), 2);
    for (key, value) in kept {
        assert_eq!(key, refusal.stream.to_string());
        assert_eq!(serde_json::from_slice::<RefusalRecord>(&value).unwrap(), refusal);
    }
}

#[test]
fn any_tool_reads_the_headers_as_text() {
    let Some(world) = World::new("kcat") else { return };
    let log = world.log();
    let topology = log.topology();
    let mut author = Author::new(topology);
    let mut open = log.open_shard(ShardId(0), "http://me:1").unwrap();
    let sent = batch(events(&mut author, topology, ShardId(0), open.epoch, 1));
    open.writer.append(&sent).unwrap();
    read_until(&log, |records| only_events(records).len() == 1);

    let topic = format!("{}.events", world.prefix);
    let shown = Command::new("kcat")
        .args(["-C", "-b", &world.brokers, "-t", &topic, "-p", "0", "-o", "beginning", "-e", "-q"])
        .args(["-X", "isolation.level=read_committed", "-f", "%k|%h\n"])
        .output()
        .expect("kcat is installed with the services");

    let shown = String::from_utf8(shown.stdout).expect("printable");
    let envelope = &sent.events[0].envelope;
    let opened = format!("waylog_epoch={}", open.epoch);
    assert!(shown.lines().next().unwrap().contains(&opened), "{shown}");
    let line = shown.lines().find(|line| line.starts_with(&envelope.stream.to_string())).unwrap();
    for expected in [
        "ce_type=itinerary-renamed".to_owned(),
        "waylog_version=1".to_owned(),
        format!("ce_subject={}", envelope.stream),
        format!("waylog_hash={}", envelope.hash),
    ] {
        assert!(line.contains(&expected), "{expected} in {line}");
    }
}
