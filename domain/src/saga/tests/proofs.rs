//! What must be true of every kind of saga: whichever step fails, whichever step or compensation
//! comes twice or late, and whenever somebody interrupts, the world ends with all of it or nothing.

use super::provider::{Intent, captured};
use super::world::{World, booking_id, offer_stream};
use crate::offer::Claim;
use crate::saga::{self, Ask, Event as SagaEvent, Kind, Outcome, Saga, Todo, WorkKey};
use crate::testing::saga as system;
use crate::{Event, State, derive};

/// A world in which one saga of that kind is about to start.
fn scene(kind: Kind) -> World {
    let mut world = World::new();
    world.book(1, &[(0, Claim::Quantity(2)), (2, Claim::Seats(vec!["1A".to_owned()]))]);
    match kind {
        Kind::TripBooking => {}
        Kind::Cancellation => {
            world.come_to_rest();
            world.cancel(1);
        }
        Kind::PaymentWatch => unhappy_payment(&mut world),
    }
    world
}

/// A trip that was declined; then the provider takes the money all the same, and refuses to give it
/// back when the payment asks for that.
fn unhappy_payment(world: &mut World) {
    while world.payments().is_empty() {
        assert!(world.turn(true) || world.step_time(), "no payment{}", world.told());
    }
    let payment_id = world.payments()[0];
    world.call(payment_id, false);
    world.come_to_rest();
    let amount = world.ledger(payment_id).expect("it was asked for").terms.amount;
    world.provider.intents.insert(payment_id, Intent::Captured);
    world.mail.push((payment_id, captured(payment_id, amount)));
    world.receive(0, false);
    world.call(payment_id, false);
    world.receive(0, false);
}

/// What befalls a command on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It never arrives, and that is known.
    Fails,
    /// It arrives, but what is recorded is a failure.
    FailsAfterAll,
    /// It arrives twice under its id, and once more under another.
    Repeats,
    /// It arrives, and once more when everything is over, under another id.
    Returns,
}

/// Runs the world to its rest; `fate` says what befalls which command.
fn run(mut world: World, kind: Kind, fate: impl Fn(&World, &Ask, &str) -> Option<Fate>) -> World {
    let mut returning = Vec::new();
    for _ in 0..400 {
        world.read_all();
        let due = world.due().into_iter().find(|key| {
            matches!(world.work[key].todo(), Todo::Send(ask)
                if of_kind(&world, ask, kind) && ask.step.is_some() && !sent(&world, ask))
        });
        let Some(key) = due else {
            if world.turn(true) || world.step_time() {
                continue;
            }
            break;
        };
        let Todo::Send(ask) = world.work[&key].todo() else { continue };
        let (ask, target) = (ask.clone(), key.target);
        let step = ask.step.clone().unwrap_or_default();
        let fate = fate(&world, &ask, &step);
        world.tell(format!("{step}, attempt {}: {fate:?}", ask.attempt));
        let failed = Outcome::Failed {
            code: "test_failure".to_owned(),
            message: "as the test wants it".to_owned(),
            facts: serde_json::Map::new(),
            retryable: false,
        };
        match fate {
            Some(Fate::Fails) => world.record(&ask, failed),
            Some(Fate::FailsAfterAll) => {
                let _whatever_came_of_it = world.deliver(target, &ask);
                world.record(&ask, failed);
            }
            Some(Fate::Repeats) => {
                let answer = world.deliver(target, &ask);
                let _repeated = world.deliver(target, &ask);
                let _under_another_id = world.ask(target, ask.command.clone(), &system());
                world.answered(&ask, answer);
            }
            Some(Fate::Returns) => {
                returning.push((target, ask.command.clone()));
                let answer = world.deliver(target, &ask);
                world.answered(&ask, answer);
            }
            None => {
                let answer = world.deliver(target, &ask);
                world.answered(&ask, answer);
            }
        }
    }
    world.come_to_rest();
    for (target, command) in returning {
        let _too_late = world.ask(target, command, &system());
    }
    world.come_to_rest();
    world.assert_settled();
    world
}

fn of_kind(world: &World, ask: &Ask, kind: Kind) -> bool {
    let progress = world.saga(ask.saga_id).and_then(Saga::progress);
    progress.is_some_and(|progress| progress.process.kind() == kind)
}

/// What waits for a fact is not sent again and again.
fn sent(world: &World, ask: &Ask) -> bool {
    ask.awaits_fact && world.knows(ask.command_id)
}

/// The steps (or compensations) that sagas of that kind asked for, in order.
fn asked(world: &World, kind: Kind, compensations: bool) -> Vec<String> {
    let sagas = world.streams.values().filter(|stream| match &stream.state {
        State::Saga(saga) => saga.progress().is_some_and(|p| p.process.kind() == kind),
        _ => false,
    });
    let events = sagas.flat_map(|stream| &stream.events);
    let steps = events.filter_map(|event| match event {
        Event::Saga(SagaEvent::StepRequested(e)) if !compensations => Some(e.step.clone()),
        Event::Saga(SagaEvent::CompensationRequested(e)) if compensations => Some(e.step.clone()),
        _ => None,
    });
    steps.collect()
}

fn steps(kind: Kind) -> Vec<String> {
    asked(&run(scene(kind), kind, |_, _, _| None), kind, false)
}

/// A step past the point of no return is tried again until it comes through.
const TRIES: u32 = 3;

#[test]
fn whichever_step_fails_all_of_it_or_nothing_is_left() {
    for kind in Kind::ALL.iter().copied() {
        for failing in steps(kind) {
            for fate in [Fate::Fails, Fate::FailsAfterAll] {
                // The booking alone says whether it is confirmed: a confirmation that happened is
                // never known to have failed.
                if fate == Fate::FailsAfterAll && failing == "confirm" {
                    continue;
                }

                let world = run(scene(kind), kind, |_, ask, step| {
                    (step == failing && ask.attempt <= TRIES).then_some(fate)
                });

                let failed = asked(&world, kind, false);
                assert!(failed.contains(&failing), "{failing} was never asked{}", world.told());
            }
        }
    }
}

#[test]
fn whichever_step_fails_for_good_an_operator_can_finish_it() {
    for kind in Kind::ALL.iter().copied() {
        for failing in steps(kind) {
            let world = run(scene(kind), kind, |_, ask, step| {
                (step == failing && ask.attempt <= 20).then_some(Fate::Fails)
            });

            let undone = !asked(&world, kind, true).is_empty();
            let stuck = world.story.iter().any(|line| line.contains("saga-stuck"));
            assert!(undone != stuck, "{failing} is neither undone nor stuck{}", world.told());
        }
    }
}

#[test]
fn whichever_step_comes_twice_or_late_it_happens_once() {
    for kind in Kind::ALL.iter().copied() {
        let usual = run(scene(kind), kind, |_, _, _| None).history(1);
        for repeated in steps(kind) {
            for fate in [Fate::Repeats, Fate::Returns] {
                let world = run(scene(kind), kind, |_, _, step| (step == repeated).then_some(fate));

                assert_eq!(world.history(1), usual, "{repeated} {fate:?}{}", world.told());
            }
        }
    }
}

/// The last step before the point of no return fails, so that everything before it is undone.
fn last_revocable(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::TripBooking => Some("confirm"),
        Kind::Cancellation | Kind::PaymentWatch => None,
    }
}

#[test]
fn whichever_compensation_comes_twice_or_late_or_fails_everything_is_undone() {
    for kind in Kind::ALL.iter().copied() {
        let Some(last) = last_revocable(kind) else { continue };
        for failing in [last, "capture", "attach", "authorize", "hold:2"] {
            let fails = |step: &str| (step == failing).then_some(Fate::Fails);
            let usual = run(scene(kind), kind, |_, _, step| fails(step));
            let undoing = asked(&usual, kind, true);
            assert!(undoing.len() >= 2, "{failing}{}", usual.told());
            for repeated in undoing {
                for fate in [Fate::Repeats, Fate::Returns, Fate::Fails, Fate::FailsAfterAll] {
                    let world = run(scene(kind), kind, |_, ask, step| {
                        let meant = step == repeated && ask.attempt <= TRIES;
                        meant.then_some(fate).or_else(|| fails(step))
                    });

                    assert_eq!(world.history(1).last(), Some(&"booking-rejected"));
                }
            }
        }
    }
}

#[test]
fn whichever_forward_step_comes_late_finds_its_door_closed() {
    for kind in Kind::ALL.iter().copied() {
        let Some(last) = last_revocable(kind) else { continue };
        for late in steps(kind).into_iter().filter(|step| step != last) {
            let world = run(scene(kind), kind, |_, _, step| match step {
                step if step == last => Some(Fate::Fails),
                step if step == late => Some(Fate::Returns),
                _ => None,
            });

            assert_eq!(world.history(1).last(), Some(&"booking-rejected"), "{late}");
        }
    }
}

#[test]
fn a_cancellation_at_any_step_ends_cancelled() {
    for step_met in steps(Kind::TripBooking) {
        for sent_first in [false, true] {
            let cancelled = std::cell::Cell::new(false);
            let mut world = scene(Kind::TripBooking);
            for _ in 0..400 {
                world.read_all();
                let meets = world.due().into_iter().find(|key| {
                    matches!(world.work[key].todo(), Todo::Send(ask)
                        if ask.step.as_ref() == Some(&step_met))
                });
                if let Some(key) = meets.filter(|_| !cancelled.replace(true)) {
                    if sent_first {
                        world.work_on(&key);
                    }
                    world.cancel(1);
                }
                if !(world.turn(true) || world.step_time()) {
                    break;
                }
            }
            world.come_to_rest();

            world.assert_settled();
            assert_eq!(world.history(1).last(), Some(&"booking-cancelled"), "{step_met}");
        }
    }
}

/// A trip that an operator ended as a whole when that step or compensation was due, or had just
/// been sent; with `undoing`, its confirmation had failed.
pub(super) fn ended_by_an_operator(step_met: &str, sent_first: bool, undoing: bool) -> World {
    let due = |world: &World, step: &str| -> Option<(WorkKey, Ask)> {
        world.due().into_iter().find_map(|key| match world.work[&key].todo() {
            Todo::Send(ask) if ask.step.as_deref() == Some(step) => {
                Some((key.clone(), ask.clone()))
            }
            _ => None,
        })
    };
    let mut world = scene(Kind::TripBooking);
    for _ in 0..400 {
        world.read_all();
        if let Some((key, _)) = due(&world, step_met) {
            if sent_first {
                world.work_on(&key);
            }
            let resolve = saga::Command::Resolve { step: None, reason: "Leave it.".to_owned() };
            let stream = saga::stream(derive::trip_saga(booking_id(1)));
            world.person_asks(stream, resolve.into());
            return world;
        }
        if let Some((_, ask)) = due(&world, "confirm").filter(|_| undoing) {
            let (code, message) = ("test_failure".to_owned(), "as the test wants it".to_owned());
            let facts = serde_json::Map::new();
            world.record(&ask, Outcome::Failed { code, message, facts, retryable: false });
            continue;
        }
        if !(world.turn(true) || world.step_time()) {
            break;
        }
    }
    panic!("{step_met} was never due{}", world.told())
}

#[test]
fn a_cancellation_after_an_operator_ended_the_trip_at_any_step_ends_cancelled() {
    let fails = |_: &World, _: &Ask, step: &str| (step == "confirm").then_some(Fate::Fails);
    let undone = run(scene(Kind::TripBooking), Kind::TripBooking, fails);
    let forward = steps(Kind::TripBooking).into_iter().map(|step| (step, false));
    let backward = asked(&undone, Kind::TripBooking, true).into_iter().map(|step| (step, true));
    for (step_met, undoing) in forward.chain(backward) {
        for (sent_first, at_rest) in [(false, false), (true, false), (false, true), (true, true)] {
            let mut world = ended_by_an_operator(&step_met, sent_first, undoing);
            if at_rest {
                world.come_to_rest();
            }

            world.cancel(1);
            world.come_to_rest();

            world.assert_settled();
            let rejected = step_met == "reject" && sent_first;
            let last = if rejected { "booking-rejected" } else { "booking-cancelled" };
            assert_eq!(world.history(1).last(), Some(&last), "{step_met}{}", world.told());
        }
    }
}

#[test]
fn a_deadline_at_any_step_ends_expired_or_confirmed() {
    for step_met in steps(Kind::TripBooking) {
        let mut world = scene(Kind::TripBooking);
        for _ in 0..400 {
            world.read_all();
            let meets = world.due().iter().any(|key| {
                matches!(world.work[key].todo(), Todo::Send(ask)
                    if ask.step.as_ref() == Some(&step_met) && ask.attempt == 1)
            });
            let deadline = world.trip(1).and_then(Saga::progress).and_then(|p| p.deadline_at);
            if let Some(deadline) = deadline.filter(|at| meets && *at > world.now) {
                world.now = deadline;
                world.tell("the deadline passes".to_owned());
                world.pass_deadlines();
            }
            if !(world.turn(true) || world.step_time()) {
                break;
            }
        }
        world.come_to_rest();

        world.assert_settled();
        let past = ["confirm", "invoice", "notify"].contains(&step_met.as_str());
        let last = if past { "booking-confirmed" } else { "booking-expired" };
        assert_eq!(world.history(1).last(), Some(&last), "{step_met}{}", world.told());
    }
}

#[test]
fn a_price_that_changed_rejects_with_the_old_and_the_new_one() {
    let mut world = scene(Kind::TripBooking);
    let reprice = crate::offer::Command::Reprice { price: super::world::euro(1_234) };
    world.person_asks(offer_stream(0), crate::Command::Offer(reprice));

    world.come_to_rest();

    world.assert_settled();
    let rejected = world.streams[&super::world::booking_stream(1)].events.last();
    let Some(Event::Booking(crate::booking::Event::Rejected(rejected))) = rejected else {
        panic!("not rejected{}", world.told());
    };
    assert_eq!(rejected.code, "price_changed");
    let facts: serde_json::Value = serde_json::from_str(&rejected.facts).unwrap();
    assert_eq!(facts["old_price"]["amount"], 1_000);
    assert_eq!(facts["new_price"]["amount"], 1_234);
}
