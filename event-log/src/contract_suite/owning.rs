//! Ownership: fencing, epochs, opened records, the directory, membership.

use std::sync::Arc;
use std::time::Instant;

use domain::PositionVector;

use super::TestWorld;
use super::session::{DEADLINE, Owned, Session, assert_log_holds, read};
use crate::{
    AppendError, Batch, CommitState, LogError, LogRecord, OpenedRecord, OwnershipHandler, ShardId,
    ShardOwner,
};

fn opened(records: &[LogRecord]) -> Vec<OpenedRecord> {
    let opened = records.iter().filter_map(|record| match record {
        LogRecord::Opened(opened) => Some(opened.clone()),
        _ => None,
    });
    opened.collect()
}

/// The writer of before a take-over is told so, and what it tried is nowhere.
pub fn a_fenced_writer_cannot_append(world: &mut dyn TestWorld) {
    let mut session = Session::start(world.log());
    let stream = session.author.stream_in(0, 0);
    session.append(&[stream]);
    let mut stale_author = session.author.clone();
    let second = session.log.open_shard(ShardId(0), "http://second:1").unwrap();
    let mut first = session.shards.insert(ShardId(0), second).unwrap();

    let stale = stale_author.next(stream, first.epoch, 0);
    let refused = first.writer.append(&Batch { events: vec![stale], refusals: Vec::new() });

    assert!(
        matches!(refused, Err(AppendError::Lost { committed: CommitState::NotWritten, .. })),
        "{refused:?}"
    );
    session.append(&[stream]);
    assert_log_holds(&session);
}

/// Each take-over has a higher epoch than all before it, over restarts too.
pub fn opening_again_raises_the_epoch(world: &mut dyn TestWorld) {
    let session = Session::start(world.log());
    let first = session.epoch(ShardId(0));
    let second = session.log.open_shard(ShardId(0), "http://second:1").unwrap().epoch;
    assert!(second > first, "{second} after {first}");

    let session = session.resume(|| world.restart());

    let third = session.epoch(ShardId(0));
    assert!(third > second, "{third} after {second}");
}

/// Every shard's writer works when all have been opened.
pub fn a_shard_is_opened_without_fencing_another(world: &mut dyn TestWorld) {
    let mut session = Session::start(world.log());

    for shard in session.topology.all_shards() {
        let stream = session.author.stream_in(shard.0, 0);
        session.append(&[stream]);
    }

    assert_eq!(session.written.len(), session.topology.shards as usize);
    assert_log_holds(&session);
}

/// The opened record names shard, epoch and address where `opened` says it stands.
pub fn opened_records_stand_in_every_partition_of_the_shard(world: &mut dyn TestWorld) {
    let session = Session::start(world.log());

    let records = session.read(&PositionVector::empty(), 1000);

    for (shard, open) in &session.shards {
        let partitions: Vec<_> = open.opened.iter().map(|position| position.partition).collect();
        assert_eq!(partitions, session.topology.partitions_of(*shard).collect::<Vec<_>>());
        for position in open.opened.iter() {
            let expected = OpenedRecord {
                position,
                shard: *shard,
                epoch: open.epoch,
                address: "http://first:1".to_owned(),
            };
            assert!(opened(&records).contains(&expected), "{expected:?} is not in {records:?}");
        }
    }
}

/// Nothing that a former owner wrote comes after the newest opened record.
pub fn a_restore_is_complete_when_it_has_read_the_opened_records(world: &mut dyn TestWorld) {
    let mut session = Session::start(world.log());
    session.write_history();
    let before = session.end();

    let session = session.resume(|| world.restart());

    let mut proof = PositionVector::empty();
    session.shards.values().for_each(|open| proof.merge(&open.opened));
    let records = read(&*session.log, &before, &[], &proof, 1000);
    assert_eq!(records.len(), session.topology.partitions as usize);
    for record in records {
        let LogRecord::Opened(record) = record else { panic!("{record:?} after the end") };
        assert_eq!(proof.offset(record.position.partition), Some(record.position.offset));
        assert_eq!(record.epoch, session.epoch(record.shard));
    }
}

/// Sooner or later everybody learns who owns a shard.
pub fn the_directory_names_the_newest_owner(world: &mut dyn TestWorld) {
    let session = Session::start(world.log());
    let epoch = session.log.open_shard(ShardId(0), "http://second:1").unwrap().epoch;
    let newest = ShardOwner { epoch, address: "http://second:1".to_owned() };

    let deadline = Instant::now() + DEADLINE;
    while session.log.owner(ShardId(0)).as_ref() != Some(&newest) {
        assert!(Instant::now() < deadline, "{:?}", session.log.owner(ShardId(0)));
        std::thread::yield_now();
    }

    assert_eq!(session.log.owner(ShardId(session.topology.shards)), None);
}

/// The only member owns every shard.
pub fn a_member_is_assigned_every_shard_and_proves_it(world: &mut dyn TestWorld) {
    let session = Session::start(world.log());

    for shard in session.topology.all_shards() {
        session.membership.prove(shard).unwrap();
    }

    let none = session.membership.prove(ShardId(session.topology.shards));
    assert!(matches!(none, Err(LogError::NotAMember)), "{none:?}");
}

/// A leave takes every shard away, and who comes next is given them at once.
pub fn who_has_left_proves_nothing(world: &mut dyn TestWorld) {
    let log = world.log();
    let shards = log.topology().shards as usize;
    let (first, second) = (Arc::new(Owned::default()), Arc::new(Owned::default()));
    let leaving = log.join(Arc::clone(&first) as Arc<dyn OwnershipHandler>).unwrap();
    first.wait_for(shards);

    leaving.leave().unwrap();

    first.wait_for(0);
    let proof = leaving.prove(ShardId(0));
    assert!(matches!(proof, Err(LogError::NotAMember)), "{proof:?}");
    let next = log.join(Arc::clone(&second) as Arc<dyn OwnershipHandler>).unwrap();
    second.wait_for(shards);
    next.prove(ShardId(0)).unwrap();
}
