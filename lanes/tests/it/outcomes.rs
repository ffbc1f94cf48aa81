//! What a caller is told when there is no outcome: whether anything was tried.

use std::time::Duration;

use lanes::{CommandError, LaneSettings};

use crate::fake_log::{PATIENCE, Stage};
use crate::requests::{create, stream};
use crate::world::{Plan, World, settings, until};

/// Long enough for a test to get where it wants, and short enough to wait for.
fn impatient() -> Plan {
    let settings = LaneSettings { deadline: Duration::from_millis(700), ..settings() };
    Plan { settings, ..Plan::default() }
}

#[test]
fn at_the_deadline_only_what_was_not_tried_is_unavailable() {
    let stage = Stage::new(1, 1);
    let world = World::planned(&stage, impatient());
    world.until_serving();

    stage.hold();
    let tried = world.begin(create(stream(1), 1));
    stage.await_held(1);
    let untried = world.begin(create(stream(2), 2));
    let (tried, untried) = (world.wait(tried).unwrap(), world.wait(untried).unwrap());
    stage.release();

    assert!(matches!(tried, Err(CommandError::OutcomeUnknown { .. })), "{tried:?}");
    assert!(matches!(untried, Err(CommandError::Unavailable { .. })), "{untried:?}");
    let repeat = world.ask(create(stream(1), 1)).unwrap();
    assert!(repeat.replayed, "the outcome can be learnt under the same id");
    assert!(stage.events_of(stream(2)).is_empty(), "what was called untried is never tried");
}

#[test]
fn a_command_whose_caller_has_gone_is_not_decided() {
    let stage = Stage::new(1, 1);
    let world = World::on(&stage);
    stage.hold();
    let first = world.begin(create(stream(1), 1));
    stage.await_held(1);
    let pending = world.queue(vec![create(stream(2), 2), create(stream(3), 3)]);

    pending[0].abort();
    until("the caller has gone", || pending[0].is_finished());
    stage.release();
    world.wait(first).unwrap().unwrap();
    let last = pending.into_iter().next_back().unwrap();

    assert!(world.wait(last).unwrap().is_ok());
    assert!(stage.events_of(stream(2)).is_empty());
}

#[test]
fn a_full_mailbox_is_unavailable_at_once() {
    let stage = Stage::new(1, 1);
    let settings = LaneSettings { mailbox_commands_max: 3, ..settings() };
    let world = World::planned(&stage, Plan { settings, ..Plan::default() });
    stage.hold();
    let first = world.begin(create(stream(1), 1));
    stage.await_held(1);
    let pending = world.queue((2..=4).map(|number| create(stream(number), number)).collect());

    let refused = world.ask(create(stream(5), 5));
    stage.release();

    let Err(CommandError::Unavailable { retry_after_seconds, .. }) = refused else {
        panic!("{refused:?}")
    };
    assert!(retry_after_seconds > 0);
    assert!(world.wait(first).unwrap().is_ok());
    assert!(world.outcomes(pending).iter().all(Result::is_ok));
}

#[test]
fn a_shard_without_an_owner_is_unavailable_when_patience_ends() {
    let stage = Stage::new(1, 1);
    // The first member, which has the shard, is never started.
    let absent = stage.member();
    let settings = LaneSettings { owner_wait: Duration::from_millis(30), ..settings() };
    let world = World::planned(&stage, Plan { settings, ..Plan::default() });

    let refused = world.ask(create(stream(1), 1));

    assert!(matches!(refused, Err(CommandError::Unavailable { .. })), "{refused:?}");
    assert!(!world.lanes.readiness().ready(), "there is nobody to forward to");
    drop(absent);
}

#[test]
fn batches_are_bounded_by_count_and_by_bytes() {
    for (commands, bytes, expected) in [(4, usize::MAX, 4), (100, 1, 1)] {
        let stage = Stage::new(1, 1);
        let settings =
            LaneSettings { batch_commands_max: commands, batch_bytes_max: bytes, ..settings() };
        let world = World::planned(&stage, Plan { settings, ..Plan::default() });
        let requests = (2..=13).map(|number| create(stream(number), number)).collect();

        let (_, outcomes) = world.batch(&stage, create(stream(1), 1), requests);

        assert!(outcomes.iter().all(Result::is_ok));
        assert!(stage.batches().iter().all(|(events, _)| *events <= expected));
        assert_eq!(stage.events().len(), 13);
    }
}

#[test]
fn shutdown_answers_everybody() {
    let stage = Stage::new(1, 1);
    let world = World::on(&stage);
    stage.hold();
    let running = world.begin(create(stream(1), 1));
    stage.await_held(1);
    let waiting = world.queue(vec![create(stream(2), 2)]);

    let lanes = std::sync::Arc::clone(&world.lanes);
    let shutdown = world.runtime().spawn(async move { lanes.shutdown().await });
    until("intake has stopped", || world.lanes.readiness().lanes.is_empty());
    stage.release();
    world.wait(async { tokio::time::timeout(PATIENCE, shutdown).await }).unwrap().unwrap();

    assert!(world.wait(running).unwrap().is_ok(), "the running batch is finished");
    let waiting = world.outcomes(waiting).remove(0);
    assert!(matches!(waiting, Err(CommandError::Unavailable { .. })), "{waiting:?}");
    assert_eq!(stage.events().len(), 1);
}
