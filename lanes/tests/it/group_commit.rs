//! Commands that share a commit.

use domain::Digest;
use event_log::hash_chain::HashChain;
use lanes::CommandError;

use crate::fake_log::{Fault, Stage};
use crate::requests::{With as _, create, leave, rename, share, stream};
use crate::world::{Outcome, World, until};

fn version(outcome: &Outcome) -> u64 {
    outcome.as_ref().unwrap().version
}

#[test]
fn commands_that_arrive_during_a_commit_share_the_next_one() {
    let stage = Stage::new(4, 1);
    let world = World::on(&stage);
    let requests = (2..=40).map(|number| create(stream(number), number)).collect();

    let (first, others) = world.batch(&stage, create(stream(1), 1), requests);

    assert_eq!(version(&first), 1);
    assert!(others.iter().all(|outcome| version(outcome) == 1));
    assert_eq!(stage.batches(), [(1, 0), (39, 0)]);
}

#[test]
fn a_command_is_decided_against_the_earlier_ones_of_its_batch() {
    let stage = Stage::new(4, 1);
    let world = World::on(&stage);
    let trip = stream(2);
    let requests = vec![
        create(trip, 2),
        rename(trip, "Porto", 3),
        create(trip, 4),
        share(trip, 5).expecting(2),
        share(trip, 6),
    ];

    let (_, outcomes) = world.batch(&stage, create(stream(1), 1), requests);

    assert_eq!((version(&outcomes[0]), version(&outcomes[1])), (1, 2));
    assert_eq!(outcomes[2].as_ref().unwrap_err().code(), "itinerary_already_exists");
    assert_eq!(version(&outcomes[3]), 3);
    let unchanged = outcomes[4].as_ref().unwrap();
    assert_eq!((unchanged.version, unchanged.events), (3, 0));
    assert_eq!(unchanged.position, outcomes[3].as_ref().unwrap().position);
    assert_eq!(stage.batches(), [(1, 0), (3, 2)]);
}

#[test]
fn an_aborted_batch_leaves_nothing_behind_and_is_decided_again() {
    let stage = Stage::new(1, 1);
    let world = World::on(&stage);
    let trip = stream(2);
    world.ask(create(trip, 2)).unwrap();
    stage.hold();
    let first = world.begin(create(stream(1), 1));
    stage.await_held(1);
    let pending = world.queue(vec![rename(trip, "Porto", 3), leave(trip, 4), share(trip, 5)]);

    stage.fail_next(&[Fault::Abort, Fault::Abort]);
    stage.release();
    world.wait(first).unwrap().unwrap();
    let outcomes = world.outcomes(pending);

    assert_eq!((version(&outcomes[0]), version(&outcomes[2])), (2, 3));
    assert_eq!(outcomes[1].as_ref().unwrap_err().code(), "itinerary_owner_leaving");
    let events = stage.events();
    let mut chain = HashChain::default();
    let mut previous = Digest::default();
    for event in stage.events_of(trip) {
        assert!(chain.follows(&previous, &event), "version {}", event.envelope.version);
        previous = event.envelope.hash;
    }
    let sequences: Vec<u64> = events.iter().map(|event| event.envelope.sequence).collect();
    assert_eq!(sequences, [1, 2, 3, 4]);
    assert!(events.is_sorted_by_key(|event| event.envelope.recorded_at));
    assert_eq!(stage.refusals().len(), 1);
}

#[test]
fn a_refusal_is_answered_only_after_its_commit_and_leaves_evidence() {
    let stage = Stage::new(1, 1);
    let world = World::on(&stage);
    let trip = stream(1);
    world.ask(create(trip, 1)).unwrap();

    stage.hold();
    let refused = world.begin(leave(trip, 2));
    stage.await_held(1);
    let answered_early = refused.is_finished();
    stage.release();
    let outcome = world.wait(refused).unwrap();

    assert!(!answered_early);
    assert_eq!(outcome.unwrap_err().code(), "itinerary_owner_leaving");
    let evidence = &stage.refusals()[0];
    assert_eq!((evidence.stream, evidence.version), (trip, 1));
    assert_eq!(evidence.command, "itinerary.leave");
    assert_eq!(evidence.refusal.as_ref().unwrap().code, "itinerary_owner_leaving");
    assert!(evidence.refused_at > stage.events()[0].envelope.recorded_at);
}

#[test]
fn a_command_that_changes_nothing_is_answered_after_a_commit_too() {
    let stage = Stage::new(1, 1);
    let world = World::on(&stage);
    let trip = stream(1);
    let created = world.ask(create(trip, 1)).unwrap();

    let outcome = world.ask(rename(trip, "Lisbon", 2)).unwrap();

    assert_eq!((outcome.version, outcome.events, outcome.replayed), (1, 0, false));
    assert_eq!(outcome.position, created.position);
    assert_eq!(stage.refusals()[0].refusal, None);
}

#[test]
fn a_stale_version_is_a_conflict_with_evidence() {
    let stage = Stage::new(1, 1);
    let world = World::on(&stage);
    let trip = stream(1);
    world.ask(create(trip, 1)).unwrap();
    world.ask(rename(trip, "Porto", 2).expecting(1)).unwrap();

    let outcome = world.ask(rename(trip, "Faro", 3).expecting(1));

    assert_eq!(outcome, Err(CommandError::VersionConflict { expected: 1, current: 2 }));
    let evidence = stage.refusals()[0].refusal.clone().unwrap();
    assert_eq!(evidence.code, "version_conflict");
    assert_eq!(evidence.facts["current_version"], 2);
}

#[test]
fn what_is_not_there_is_not_found_whatever_version_is_expected_of_it() {
    let stage = Stage::new(1, 1);
    let world = World::on(&stage);

    let missing = world.ask(rename(stream(1), "Porto", 1).expecting(3));
    let creation = world.ask(create(stream(1), 2).expecting(3));

    assert_eq!(missing.unwrap_err().code(), "itinerary_not_found");
    assert_eq!(creation, Err(CommandError::VersionConflict { expected: 3, current: 0 }));
}

#[test]
fn every_shard_commits_on_its_own() {
    let stage = Stage::new(8, 4);
    let world = World::on(&stage);
    until("four lanes serve", || {
        world.lanes.readiness().lanes.len() == 4 && world.lanes.readiness().ready()
    });

    let pending: Vec<_> =
        (1..=64).map(|number| world.begin(create(stream(number), number))).collect();
    let outcomes = world.outcomes(pending);

    assert!(outcomes.iter().all(Result::is_ok));
    for partition in 0..8 {
        let events = stage.events().into_iter().filter(|e| e.position.partition == partition);
        let sequences: Vec<u64> = events.map(|event| event.envelope.sequence).collect();
        assert!(sequences.iter().copied().eq(1..=sequences.len() as u64), "{sequences:?}");
    }
}
