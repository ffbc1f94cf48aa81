//! The same command id is decided at most once in its stream.

use lanes::CommandError;

use crate::fake_log::{Fault, Stage};
use crate::requests::{With as _, create, leave, rename, share, stream};
use crate::world::{Plan, World};

#[test]
fn a_repeat_gets_the_stored_outcome_without_a_commit() {
    let stage = Stage::new(4, 1);
    let world = World::on(&stage);
    let trip = stream(1);
    let first = world.ask(create(trip, 1)).unwrap();
    world.ask(rename(trip, "Porto", 2)).unwrap();
    let commits = stage.batches().len();

    let repeat = world.ask(create(trip, 1)).unwrap();

    assert!(repeat.replayed && !first.replayed);
    assert_eq!((repeat.version, &repeat.position), (1, &first.position));
    assert_eq!(stage.batches().len(), commits);
    assert_eq!(stage.events_of(trip).len(), 2);
}

#[test]
fn a_repeat_is_found_before_the_expected_version_is_looked_at() {
    let stage = Stage::new(4, 1);
    let world = World::on(&stage);
    let trip = stream(1);
    world.ask(create(trip, 1)).unwrap();
    world.ask(rename(trip, "Porto", 2).expecting(1)).unwrap();

    let repeat = world.ask(rename(trip, "Porto", 2).expecting(1)).unwrap();

    assert_eq!((repeat.version, repeat.replayed), (2, true));
}

#[test]
fn a_repeat_in_the_same_batch_gets_the_outcome_of_the_first() {
    let stage = Stage::new(1, 1);
    let world = World::on(&stage);
    let trip = stream(2);
    let requests = vec![create(trip, 2), create(trip, 2), create(trip, 2).fingerprinted(99)];

    let (_, outcomes) = world.batch(&stage, create(stream(1), 1), requests);

    let [first, repeat] = [0, 1].map(|index: usize| outcomes[index].clone().unwrap());
    assert_eq!((first.replayed, first.events), (false, 1));
    assert_eq!((repeat.replayed, repeat.version), (true, 1));
    assert_eq!(repeat.position, first.position);
    assert_eq!(outcomes[2], Err(CommandError::IdempotencyMismatch));
    assert_eq!(stage.events_of(trip).len(), 1);
}

#[test]
fn a_repeat_in_a_batch_that_is_aborted_is_decided_again_with_it() {
    let stage = Stage::new(1, 1);
    let world = World::on(&stage);
    let trip = stream(2);
    stage.hold();
    let first = world.begin(create(stream(1), 1));
    stage.await_held(1);
    let pending = world.queue(vec![create(trip, 2), create(trip, 2)]);

    stage.fail_next(&[Fault::Abort, Fault::Abort]);
    stage.release();
    world.wait(first).unwrap().unwrap();
    let outcomes = world.outcomes(pending);

    assert!(!outcomes[0].as_ref().unwrap().replayed && outcomes[1].as_ref().unwrap().replayed);
    assert_eq!(stage.events_of(trip).len(), 1);
}

#[test]
fn outcomes_survive_a_restart_and_the_loss_of_the_stream_store() {
    let stage = Stage::new(4, 1);
    let world = World::on(&stage);
    let trip = stream(1);
    let first = world.ask(create(trip, 1)).unwrap();
    let directory = world.end();
    let member = stage.member();
    stage.reassign_silently(event_log::ShardId(0), 1);

    let world = World::start(member, Plan::default(), directory);
    let repeat = world.ask(create(trip, 1)).unwrap();
    drop(world);
    let member = stage.member();
    stage.reassign_silently(event_log::ShardId(0), 2);
    let elsewhere = World::start(member, Plan::default(), tempfile::TempDir::new().unwrap());
    let repeat_elsewhere = elsewhere.ask(create(trip, 1)).unwrap();

    assert!(repeat.replayed && repeat_elsewhere.replayed);
    assert_eq!(
        [repeat.position, repeat_elsewhere.position],
        [(); 2].map(|()| first.position.clone())
    );
    assert_eq!(stage.events_of(trip).len(), 1);
}

#[test]
fn another_request_under_a_used_id_is_refused() {
    let stage = Stage::new(4, 1);
    let world = World::on(&stage);
    let trip = stream(1);
    world.ask(create(trip, 1)).unwrap();

    let other = world.ask(create(trip, 1).fingerprinted(99));

    assert_eq!(other, Err(CommandError::IdempotencyMismatch));
}

#[test]
fn a_refused_id_is_not_used_up() {
    let stage = Stage::new(4, 1);
    let world = World::on(&stage);
    let trip = stream(1);
    let too_early = world.ask(share(trip, 2));
    world.ask(create(trip, 1)).unwrap();

    let now = world.ask(share(trip, 2));
    let refused_again = [world.ask(leave(trip, 3)), world.ask(leave(trip, 3))];

    assert_eq!(too_early.unwrap_err().code(), "itinerary_not_found");
    assert_eq!(now.unwrap().version, 2);
    assert!(
        refused_again
            .into_iter()
            .all(|outcome| outcome.unwrap_err().code() == "itinerary_owner_leaving")
    );
    assert_eq!(stage.refusals().len(), 3);
}

#[test]
fn another_tenant_neither_finds_the_stream_nor_its_outcomes() {
    let stage = Stage::new(4, 1);
    let world = World::on(&stage);
    let trip = stream(1);
    world.ask(create(trip, 1)).unwrap();

    let repeat = world.ask(create(trip, 1).of_tenant("other"));
    let renamed = world.ask(rename(trip, "Porto", 2).of_tenant("other").expecting(1));

    assert_eq!(repeat.unwrap_err().code(), "id_not_available");
    assert_eq!(renamed.unwrap_err().code(), "itinerary_not_found");
    assert_eq!(stage.events_of(trip).len(), 1);
    assert!(stage.refusals().iter().all(|evidence| evidence.version == 0));
}
