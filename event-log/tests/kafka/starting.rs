//! Where a reader may start, and what the end is.

use domain::PositionVector;
use event_log::sample::Author;
use event_log::{EventLog, KafkaLog, LogError, ShardId};
use rdkafka::Offset;

use crate::world::{PATIENCE, World, batch, events};

/// Six events in partition 0, and the offsets they got.
fn filled(world: &World) -> (KafkaLog, Vec<i64>) {
    let log = world.log();
    let topology = log.topology();
    let mut author = Author::new(topology);
    let mut open = log.open_shard(ShardId(0), "").unwrap();
    let sent = batch(events(&mut author, topology, ShardId(0), open.epoch, 6));
    let offsets = open.writer.append(&sent).unwrap().offsets;
    (log, offsets)
}

/// Polls until something comes: records or an error.
fn first_answer(log: &KafkaLog, start: &PositionVector) -> Result<usize, LogError> {
    let mut reader = log.reader(start, &[0])?;
    let deadline = std::time::Instant::now() + PATIENCE;
    loop {
        let records = reader.poll(100, std::time::Duration::from_millis(100))?;
        if !records.is_empty() {
            return Ok(records.len());
        }
        assert!(std::time::Instant::now() < deadline, "neither records nor an error");
    }
}

#[test]
fn a_start_whose_records_are_gone_is_corrupt_and_never_a_skip() {
    let Some(world) = World::new("gone") else { return };
    let (log, offsets) = filled(&world);
    world.delete_before(&format!("{}.events", world.prefix), 0, Offset::Offset(offsets[4]));

    let whole = first_answer(&log, &PositionVector::empty());
    let middle = first_answer(&log, &format!("0:{}", offsets[1]).parse().unwrap());
    let rest = first_answer(&log, &format!("0:{}", offsets[3]).parse().unwrap());

    assert!(matches!(whole, Err(LogError::Corrupt(_))), "{whole:?}");
    assert!(matches!(middle, Err(LogError::Corrupt(_))), "{middle:?}");
    assert_eq!(rest.unwrap(), 2);
}

#[test]
fn a_start_behind_the_end_is_corrupt() {
    let Some(world) = World::new("behind") else { return };
    let (log, offsets) = filled(&world);

    let beyond = first_answer(&log, &format!("0:{}", offsets[5] + 1000).parse().unwrap());

    assert!(matches!(beyond, Err(LogError::Corrupt(_))), "{beyond:?}");
}

#[test]
fn the_end_is_the_last_committed_record() {
    let Some(world) = World::new("end") else { return };
    let empty = world.log().end().unwrap();

    let (log, offsets) = filled(&world);

    assert_eq!(empty, PositionVector::empty());
    // The marker behind the last record may be written a moment after the commit is answered.
    crate::world::eventually("the end is the last record", || {
        log.end().unwrap().offset(0) == offsets.last().copied()
    });
}
