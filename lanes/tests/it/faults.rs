//! What can go wrong with a batch, and who notices.

use std::sync::atomic::Ordering;

use domain::{Command, State, itinerary};
use event_log::{LogEvent, LogRecord};
use lanes::{CommandError, Rules};

use crate::fake_log::{Fault, Stage};
use crate::requests::{With as _, create, key, leave, rename, share, stream, titled};
use crate::world::{Outcome, Plan, World, until};

/// Commands in one batch of which the second is bad; the others' outcomes.
fn with_a_bad_one(
    world: &World,
    stage: &Stage,
    bad: lanes::CommandRequest,
) -> (Vec<Outcome>, Outcome) {
    let requests = vec![create(stream(2), 2), bad, create(stream(4), 4)];
    let (_, mut outcomes) = world.batch(stage, create(stream(1), 1), requests);
    let bad = outcomes.remove(1);
    (outcomes, bad)
}

#[test]
fn an_append_whose_outcome_is_lost_is_found_in_the_log() {
    let stage = Stage::new(4, 1);
    let world = World::on(&stage);
    let trip = stream(1);
    world.ask(create(trip, 1)).unwrap();

    stage.fail_next(&[Fault::LostWritten]);
    let renamed = world.ask(rename(trip, "Porto", 2)).unwrap();

    assert_eq!((renamed.version, renamed.events, renamed.replayed), (2, 1, false));
    assert_eq!(stage.events_of(trip).len(), 2);
    assert_eq!(stage.epoch(event_log::ShardId(0)), 2);
}

#[test]
fn an_append_that_got_lost_is_decided_again_by_the_next_ownership() {
    for fault in [Fault::LostUnwritten, Fault::LostForSure] {
        let stage = Stage::new(4, 1);
        let world = World::on(&stage);
        let trip = stream(1);
        world.ask(create(trip, 1)).unwrap();

        stage.fail_next(&[fault]);
        let renamed = world.ask(rename(trip, "Porto", 2)).unwrap();

        assert_eq!((renamed.version, renamed.events, renamed.replayed), (2, 1, false), "{fault:?}");
        let epochs: Vec<i64> =
            stage.events_of(trip).iter().map(|event| event.envelope.epoch).collect();
        assert_eq!(epochs, [1, 2], "{fault:?}");
    }
}

#[test]
fn refusals_of_a_lost_batch_are_decided_again_too() {
    let stage = Stage::new(1, 1);
    let world = World::on(&stage);
    let trip = stream(2);
    world.ask(create(trip, 2)).unwrap();
    stage.hold();
    let first = world.begin(create(stream(1), 1));
    stage.await_held(1);
    let pending = world.queue(vec![share(trip, 3), leave(trip, 4), share(trip, 3)]);

    stage.fail_next(&[Fault::LostWritten, Fault::LostWritten]);
    stage.release();
    let first = world.wait(first).unwrap().unwrap();
    let outcomes = world.outcomes(pending);

    assert_eq!((first.version, first.replayed), (1, false));
    assert_eq!(outcomes[0].as_ref().unwrap().version, 2);
    assert_eq!(outcomes[1].as_ref().unwrap_err().code(), "itinerary_owner_leaving");
    assert!(outcomes[2].as_ref().unwrap().replayed);
    assert_eq!(stage.events_of(trip).len(), 2);
}

#[test]
fn a_command_whose_event_is_too_large_fails_alone() {
    let stage = Stage::new(1, 1);
    stage.limit_bytes(150);
    let world = World::on(&stage);

    let (others, bad) = with_a_bad_one(&world, &stage, titled(stream(3), &"x".repeat(160), 3));

    assert!(others.iter().all(Result::is_ok), "{others:?}");
    assert_eq!(bad, Err(CommandError::TooLarge { bytes_max: 150 }));
    assert_eq!(stage.refusals()[0].refusal.as_ref().unwrap().code, "event_too_large");
    assert!(stage.events_of(stream(3)).is_empty());
}

#[test]
fn a_command_that_the_log_never_takes_fails_alone() {
    let stage = Stage::new(1, 1);
    stage.poison(key(3));
    let world = World::on(&stage);

    let (others, bad) = with_a_bad_one(&world, &stage, create(stream(3), 3));

    assert!(others.iter().all(Result::is_ok), "{others:?}");
    assert_eq!(bad.unwrap_err().code(), "defect");
    assert_eq!(stage.refusals()[0].refusal.as_ref().unwrap().code, "defect");
    assert_eq!(world.ask(create(stream(5), 5)).unwrap().version, 1);
}

#[test]
fn a_log_that_takes_nothing_makes_no_command_a_defect() {
    let stage = Stage::new(1, 1);
    let world = World::on(&stage);
    stage.away(true);
    let requests = vec![create(stream(2), 2), create(stream(3), 3)];

    let (first, others) = world.batch(&stage, create(stream(1), 1), requests);
    stage.away(false);
    let again = world.ask(create(stream(1), 1));

    for outcome in others.into_iter().chain([first]) {
        assert!(matches!(outcome, Err(CommandError::Unavailable { .. })), "{outcome:?}");
    }
    assert_eq!(again.map(|accepted| accepted.replayed), Ok(false));
}

const BAD: &str = "bad";

fn title(command: &Command) -> Option<&str> {
    match command {
        Command::Itinerary(itinerary::Command::Create { title, .. }) => Some(title),
        _ => None,
    }
}

#[test]
fn a_panic_in_a_decision_fails_its_command_alone() {
    let stage = Stage::new(1, 1);
    let rules = Rules {
        decide: |state, command, context| {
            assert_ne!(title(command), Some(BAD), "a bug in a rule");
            state.decide(command, context)
        },
        ..Rules::default()
    };
    let world = World::planned(&stage, Plan { rules, ..Plan::default() });

    let (others, bad) = with_a_bad_one(&world, &stage, titled(stream(3), BAD, 3));

    assert!(others.iter().all(Result::is_ok), "{others:?}");
    assert_eq!(bad.unwrap_err().code(), "defect");
    assert_eq!(stage.batches(), [(1, 0), (2, 1)]);
}

#[test]
fn a_panic_in_a_fold_fails_its_command_alone_and_keeps_the_state_before_it() {
    let stage = Stage::new(1, 1);
    let rules = Rules {
        evolve: |state, event| {
            let folded = state.evolve(event);
            let State::Itinerary(trip) = &folded else { panic!("the streams here are trips") };
            assert!(!format!("{trip:?}").contains("\"bad\""), "a bug in a fold");
            folded
        },
        ..Rules::default()
    };
    let world = World::planned(&stage, Plan { rules, ..Plan::default() });
    let trip = stream(2);

    let requests =
        vec![create(trip, 2), rename(trip, BAD, 3), rename(trip, "Porto", 4), share(trip, 5)];
    let (_, outcomes) = world.batch(&stage, create(stream(1), 1), requests);

    let versions: Vec<_> =
        outcomes.iter().map(|outcome| outcome.as_ref().ok().map(|ok| ok.version)).collect();
    assert_eq!(versions, [Some(1), None, Some(2), Some(3)]);
    assert_eq!(outcomes[1].as_ref().unwrap_err().code(), "defect");
    assert_eq!(stage.events_of(trip).len(), 3);
}

#[test]
fn a_corrupt_stream_store_is_rebuilt_from_the_log() {
    let stage = Stage::new(4, 1);
    let world = World::on(&stage);
    let trip = stream(1);
    world.ask(create(trip, 1)).unwrap();

    world.corrupt_next_apply.store(true, Ordering::SeqCst);
    let answered = world.ask(rename(trip, "Porto", 2)).unwrap();
    let after = world.ask(share(trip, 3).expecting(2)).unwrap();
    let repeat = world.ask(create(trip, 1)).unwrap();

    assert_eq!((answered.version, after.version), (2, 3));
    assert!(repeat.replayed);
    assert_eq!(stage.epoch(event_log::ShardId(0)), 2);
}

#[test]
fn a_stream_with_an_event_of_a_newer_program_is_refused_and_the_shard_goes_on() {
    let stage = Stage::new(1, 1);
    let world = World::on(&stage);
    let (trip, other) = (stream(1), stream(2));
    world.ask(create(trip, 1)).unwrap();
    let directory = world.end();
    let first = stage.events().remove(0);
    stage.put(0, |offset| {
        let LogEvent { mut position, mut envelope, value } = first;
        position.offset = offset;
        envelope.event_type = "itinerary-teleported".into();
        (envelope.version, envelope.sequence) = (2, 2);
        LogRecord::Event(LogEvent { position, envelope, value })
    });
    let member = stage.member();
    stage.reassign_silently(event_log::ShardId(0), 1);

    let world = World::start(member, Plan::default(), directory);
    let refused = world.ask(rename(trip, "Porto", 2));
    let served = world.ask(create(other, 3));

    let Err(CommandError::Unavailable { reason, .. }) = refused else { panic!("{refused:?}") };
    assert!(reason.contains("itinerary-teleported") && reason.contains("upgrade"), "{reason}");
    assert_eq!(served.unwrap().version, 1);
}

#[test]
fn nothing_is_served_while_the_clocks_are_too_far_apart() {
    let stage = Stage::new(1, 1);
    stage.skew(-6_000_000);
    let world = World::on(&stage);

    let refused = world.ask(create(stream(1), 1));
    let readiness = world.lanes.readiness();
    stage.skew(4_000_000);
    until("the clock is trusted again", || world.lanes.readiness().clock.is_none());
    let served = world.ask(create(stream(1), 1));

    assert!(matches!(refused, Err(CommandError::Unavailable { .. })), "{refused:?}");
    assert!(!readiness.ready());
    assert_eq!(served.unwrap().version, 1);
}
