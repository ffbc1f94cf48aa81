//! Streams in and out of memory: snapshots, eviction, restarts.

use domain::itinerary::Itinerary;
use domain::{Event, State};
use event_log::ShardId;
use lanes::{LaneSettings, Rules};

use crate::fake_log::Stage;
use crate::requests::{create, rename, share, stream};
use crate::world::{Plan, World, settings};

fn small(rules: Rules) -> Plan {
    let settings = LaneSettings { cached_states_max: 2, snapshot_every_events: 5, ..settings() };
    Plan { settings, rules, ..Plan::default() }
}

#[test]
fn streams_that_do_not_fit_into_memory_are_decided_as_well() {
    let stage = Stage::new(4, 1);
    let world = World::planned(&stage, small(Rules::default()));

    for number in 1..=10 {
        world.ask(create(stream(number), number)).unwrap();
    }
    for round in 1..=8 {
        for number in 1..=10 {
            let title = format!("Title {round}");
            let renamed = world.ask(rename(stream(number), &title, round * 100 + number)).unwrap();
            assert_eq!(u128::from(renamed.version), round + 1);
        }
    }
}

/// Counts nothing: a fold that sees an early event again would undo the snapshot's purpose.
fn refuses_creation_twice(state: State, event: &Event) -> State {
    let State::Itinerary(trip) = &state else { panic!("the streams here are trips") };
    let created = event.name() == "itinerary-created";
    assert!(!created || matches!(**trip, Itinerary::NotCreated), "folded anew");
    state.evolve(event)
}

/// A fold that cannot read the first event: only a snapshot saves the stream from being refused.
fn forgets_creation(state: State, event: &Event) -> State {
    assert_ne!(event.name(), "itinerary-created", "the stream was folded from its first event");
    state.evolve(event)
}

#[test]
fn a_restart_begins_with_the_snapshot() {
    let stage = Stage::new(1, 1);
    let rules = Rules { evolve: refuses_creation_twice, ..Rules::default() };
    let world = World::planned(&stage, small(rules));
    let trip = stream(1);
    world.ask(create(trip, 1)).unwrap();
    for number in 2..=7 {
        world.ask(rename(trip, &format!("Title {number}"), number)).unwrap();
    }
    let directory = world.end();
    let member = stage.member();
    stage.reassign_silently(ShardId(0), 1);

    let rules = Rules { evolve: forgets_creation, ..Rules::default() };
    let world = World::start(member, small(rules), directory);
    let unchanged = world.ask(rename(trip, "Title 7", 8)).unwrap();
    let shared = world.ask(share(trip, 9)).unwrap();

    assert_eq!((unchanged.version, unchanged.events), (7, 0));
    assert_eq!(shared.version, 8);
}

#[test]
fn without_its_snapshot_a_stream_is_folded_from_the_log() {
    let stage = Stage::new(1, 1);
    let world = World::planned(&stage, small(Rules::default()));
    let trip = stream(1);
    world.ask(create(trip, 1)).unwrap();
    for number in 2..=7 {
        world.ask(rename(trip, &format!("Title {number}"), number)).unwrap();
    }
    drop(world.end());
    let member = stage.member();
    stage.reassign_silently(ShardId(0), 1);

    let empty = tempfile::TempDir::new().unwrap();
    let world = World::start(member, small(Rules::default()), empty);
    let unchanged = world.ask(rename(trip, "Title 7", 8)).unwrap();

    assert_eq!((unchanged.version, unchanged.events), (7, 0));
    let last = stage.events_of(trip).pop().unwrap();
    assert!(unchanged.position.0.ends_with(&format!("@{}", last.position)));
}

#[test]
fn time_never_steps_back_across_restarts() {
    let stage = Stage::new(1, 1);
    let world = World::on(&stage);
    world.ask(create(stream(1), 1)).unwrap();
    let directory = world.end();
    let future = stage.events()[0].envelope.recorded_at.plus_seconds(3_600);
    let mut event = stage.events().pop().unwrap();
    stage.put(0, |offset| {
        event.position.offset = offset;
        event.envelope.stream = stream(2);
        event.envelope.sequence = 2;
        event.envelope.recorded_at = future;
        event_log::LogRecord::Event(event)
    });
    let member = stage.member();
    stage.reassign_silently(ShardId(0), 1);

    let world = World::start(member, Plan::default(), directory);
    world.ask(share(stream(1), 2)).unwrap();

    let shared = stage.events_of(stream(1)).pop().unwrap();
    assert_eq!(shared.envelope.recorded_at.micros(), future.micros() + 1);
    assert_eq!(shared.envelope.sequence, 3);
}
