//! Reading: every record once, in order, from any place; and restores.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use domain::ids::CommandId;
use domain::{Position, PositionVector};
use uuid::Uuid;

use super::TestWorld;
use super::session::{DEADLINE, Session, assert_same, events_of, read};
use crate::{LocalStreamStore, LogEvent, LogRecord, Snapshot, StreamHead, StreamStore};

fn positions(records: &[LogRecord], partition: u32) -> Vec<Position> {
    let of = |record: &LogRecord| Some(record.position()).filter(|at| at.partition == partition);
    records.iter().filter_map(of).collect()
}

/// Whatever was read before, the rest follows: nothing twice, nothing left out.
pub fn a_reader_from_any_place_yields_exactly_the_rest(world: &mut dyn TestWorld) {
    let mut session = Session::start(world.log());
    session.write_history();
    let all = session.read(&PositionVector::empty(), 1000);

    for cut in (0..=all.len()).step_by(5) {
        let start: PositionVector = all[..cut].iter().map(LogRecord::position).collect();
        let rest = session.read(&start, 1000);

        for partition in 0..session.topology.partitions {
            let expected = positions(&all[cut..], partition);
            assert_eq!(positions(&rest, partition), expected, "from {start}");
        }
    }
}

/// The size of a step changes nothing but the number of steps.
pub fn reading_in_steps_equals_reading_at_once(world: &mut dyn TestWorld) {
    let mut session = Session::start(world.log());
    session.write_history();
    let all = session.read(&PositionVector::empty(), 1000);

    for max in [1, 2, 7] {
        let steps = session.read(&PositionVector::empty(), max);

        for partition in 0..session.topology.partitions {
            assert_eq!(positions(&steps, partition), positions(&all, partition), "steps of {max}");
            assert_same(&events_of(&steps, partition), &events_of(&all, partition));
        }
    }
}

/// A reader of one partition is not given another's records.
pub fn a_reader_of_some_partitions_reads_only_those(world: &mut dyn TestWorld) {
    let mut session = Session::start(world.log());
    session.write_history();
    let partition = session.topology.partitions - 1;
    let all = session.read(&PositionVector::empty(), 1000);
    let end = session.end().iter().filter(|at| at.partition == partition).collect();

    let some = read(&*session.log, &PositionVector::empty(), &[partition], &end, 1000);

    assert_eq!(positions(&some, partition), positions(&all, partition));
    assert_eq!(some.len(), positions(&some, partition).len());
}

/// A poll that waits returns as soon as there is something.
pub fn a_waiting_reader_is_given_what_is_appended(world: &mut dyn TestWorld) {
    let mut session = Session::start(world.log());
    let mut reader = session.log.reader(&session.end(), &[]).unwrap();
    assert!(reader.poll(10, Duration::from_millis(1)).unwrap().is_empty());

    let waiting = std::thread::spawn(move || {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let found = reader.poll(10, DEADLINE / 4).unwrap();
            if !found.is_empty() || Instant::now() > deadline {
                return found;
            }
        }
    });
    let stream = session.author.stream_in(0, 0);
    session.append(&[stream]);

    let found = waiting.join().unwrap();
    assert_same(&events_of(&found, 0), &session.written);
}

/// A start that the log does not have is an error at once or at the first poll.
pub fn a_start_beyond_the_end_is_refused(world: &mut dyn TestWorld) {
    let mut session = Session::start(world.log());
    let stream = session.author.stream_in(0, 0);
    session.append(&[stream]);
    let mut start = session.end();
    start.advance(Position { partition: 0, offset: 1_000_000 });

    let deadline = Instant::now() + DEADLINE;
    let refused = session.log.reader(&start, &[]).and_then(|mut reader| {
        while Instant::now() < deadline {
            reader.poll(10, Duration::from_millis(100))?;
        }
        Ok(())
    });

    assert!(refused.is_err(), "the reader waits for offset 1,000,001");
}

/// Sooner or later the end includes all that was acknowledged.
pub fn the_end_covers_what_was_appended(world: &mut dyn TestWorld) {
    let mut session = Session::start(world.log());
    session.write_history();

    let deadline = Instant::now() + DEADLINE;
    while !session.log.end().unwrap().covers(&session.end()) {
        assert!(Instant::now() < deadline, "{} of {}", session.log.end().unwrap(), session.end());
        std::thread::yield_now();
    }
}

/// A store that was filled from the log, and the log's own if it has one, hold what the log holds.
pub fn a_restored_stream_store_equals_the_log(world: &mut dyn TestWorld) {
    let mut session = Session::start(world.log());
    session.write_history();
    let records = session.read(&PositionVector::empty(), 1000);
    let directory = tempfile::tempdir().unwrap();

    for shard in session.topology.all_shards() {
        let path = directory.path().join(format!("shard-{shard}.sqlite"));
        let mut local = LocalStreamStore::open(&path, session.topology, shard).unwrap();
        let of_shard =
            |record: &&LogRecord| session.topology.shard(record.position().partition) == shard;
        let of_shard: Vec<_> = records.iter().filter(of_shard).cloned().collect();
        // In two overlapping halves: what is included already changes nothing.
        let half = of_shard.len() / 2;
        local.apply(&of_shard[..half + 1]).unwrap();
        local.apply(&of_shard[half..]).unwrap();

        let mut stores: Vec<Box<dyn StreamStore>> = vec![Box::new(local)];
        stores.extend(session.log.stream_store(shard).unwrap());
        for store in &mut stores {
            store.apply(&of_shard).unwrap();
            let written = session.written.iter();
            let written = written.filter(|e| session.topology.shard(e.position.partition) == shard);
            assert_store_holds(&mut **store, &written.cloned().collect::<Vec<_>>());
            let end = session.end();
            let end = end.iter().filter(|at| session.topology.shard(at.partition) == shard);
            assert_eq!(store.checkpoint().unwrap().vector(), end.collect());
        }
        let checkpoints: BTreeSet<_> =
            stores.iter_mut().map(|store| format!("{:?}", store.checkpoint().unwrap())).collect();
        assert_eq!(checkpoints.len(), 1, "{checkpoints:?}");
    }
}

fn assert_store_holds(store: &mut dyn StreamStore, written: &[LogEvent]) {
    let streams: BTreeSet<_> = written.iter().map(|event| event.envelope.stream).collect();
    for stream in streams {
        let own: Vec<_> =
            written.iter().filter(|event| event.envelope.stream == stream).cloned().collect();
        assert_same(&store.events(&stream, 0, 1000).unwrap(), &own);
        assert_same(&store.events(&stream, 1, 1).unwrap(), &own[1..2]);
        for event in &own {
            let outcome = store.outcome(&stream, event.envelope.command_id).unwrap().unwrap();
            assert_eq!(outcome.fingerprint, event.envelope.fingerprint);
            assert_eq!(outcome.version, event.envelope.version);
            assert_eq!(outcome.position, event.position);
        }
        assert_eq!(store.outcome(&stream, CommandId(Uuid::max())).unwrap(), None);
        let last = &own.last().unwrap().envelope;
        let head = StreamHead { version: last.version, hash: last.hash };
        let snapshot = Snapshot { stream, head, fold_version: 1, state_json: b"{}".to_vec() };
        assert_eq!(store.snapshot(&stream).unwrap(), None);
        store.put_snapshots(std::slice::from_ref(&snapshot)).unwrap();
        assert_eq!(store.snapshot(&stream).unwrap(), Some(snapshot));
    }
}
