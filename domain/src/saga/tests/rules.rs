//! The saga's own rules, without a world.

use uuid::Uuid;

use super::world::{euro, owner};
use crate::booking::Line;
use crate::ids::{AccountId, BookingId, ItineraryId, OfferId};
use crate::offer::Claim;
use crate::saga::{
    Action, Cancellation, Command, Ending, Event, Outcome, Process, Refusal, Saga, Settings,
    Standing, TripBooking,
};
use crate::testing::{decide, saga as system};
use crate::{Actor, Aggregate, State, Timestamp, derive};

/// A saga under test, with its clock.
struct Case {
    saga: Saga,
    now: Timestamp,
}

fn trip() -> Command {
    let booking_id = BookingId(Uuid::from_u128(7));
    let line = Line {
        line: 1,
        offer_id: OfferId(Uuid::from_u128(8)),
        claim: Claim::Quantity(1),
        unit_price: euro(500),
    };
    Command::Start {
        saga_id: derive::trip_saga(booking_id),
        process: Process::TripBooking(TripBooking {
            booking_id,
            account_id: AccountId(Uuid::from_u128(1)),
            itinerary_id: ItineraryId(Uuid::from_u128(9)),
            lines: vec![line],
            total: euro(500),
            payment_method: "card".to_owned(),
            recipient: None,
        }),
        settings: Settings::default(),
    }
}

impl Case {
    fn started() -> Self {
        let now = "2026-01-01T12:00:00Z".parse().unwrap();
        let mut case = Self { saga: Saga::default(), now };
        case.ask(&system(), trip()).unwrap();
        case
    }

    #[expect(clippy::needless_pass_by_value, reason = "who asks hands the command over")]
    fn ask(&mut self, actor: &Actor, command: Command) -> Result<Vec<Event>, Refusal> {
        let events = decide(&self.saga, actor, &command, self.now)?;
        self.saga = events.iter().fold(std::mem::take(&mut self.saga), Saga::evolve);
        Ok(events)
    }

    fn fail(&mut self, step: &str, attempt: u32) -> Vec<Event> {
        self.refuse(step, attempt, "no")
    }

    fn refuse(&mut self, step: &str, attempt: u32, code: &str) -> Vec<Event> {
        let outcome = Outcome::Failed {
            code: code.to_owned(),
            message: "no".to_owned(),
            facts: serde_json::Map::new(),
            retryable: false,
        };
        let step = step.to_owned();
        self.ask(&system(), Command::RecordStep { step, attempt, outcome }).unwrap()
    }

    fn succeed(&mut self, step: &str, attempt: u32) -> Vec<Event> {
        let (step, outcome) = (step.to_owned(), Outcome::done());
        self.ask(&system(), Command::RecordStep { step, attempt, outcome }).unwrap()
    }

    /// Its release was refused more often than it is tried.
    fn stuck() -> Self {
        let mut case = Self::started();
        case.fail("hold:1", 1);
        (1..=12).for_each(|attempt| drop(case.fail("release:1", attempt)));
        assert!(matches!(case.saga, Saga::Stuck(_)));
        case
    }
}

/// What the saga is told when somebody cancels the booking.
fn cancelled(was_confirmed: bool) -> Command {
    let cancellation = Cancellation { was_confirmed, refund: euro(500), fee: euro(0) };
    Command::NoteCancellation { cancellation }
}

/// Where the saga stood, as the first of the events says.
fn standing(events: &[Event]) -> Standing {
    let Some(Event::CancellationNoted(noted)) = events.first() else { panic!("{events:?}") };
    noted.standing
}

/// The compensation that the last of the events asks for, and which attempt it is.
fn undoing(events: &[Event]) -> (&str, u32, Timestamp) {
    let Some(Event::CompensationRequested(next)) = events.last() else { panic!("{events:?}") };
    (&next.step, next.attempt, next.not_before)
}

fn names(events: &[Event]) -> Vec<&'static str> {
    events.iter().map(Event::name).collect()
}

fn resolve(step: Option<&str>) -> Command {
    Command::Resolve { step: step.map(str::to_owned), reason: "done by telephone".to_owned() }
}

#[test]
fn the_system_drives_and_only_an_operator_interferes() {
    let mut case = Case::started();

    let driven = [trip(), Command::PassDeadline];
    let interfering = [Command::Retry { reason: String::new() }, resolve(None)];

    for command in driven {
        assert_eq!(case.ask(&owner(), command), Err(Refusal::SystemRequired));
    }
    for command in interfering {
        assert_eq!(case.ask(&system(), command), Err(Refusal::OperatorRequired));
    }
}

#[test]
fn a_second_start_appends_nothing() {
    let mut case = Case::started();

    assert_eq!(case.ask(&system(), trip()), Ok(vec![]));
}

#[test]
fn the_first_recorded_outcome_counts() {
    let mut case = Case::started();

    let first = case.fail("hold:1", 1);
    let second = case.succeed("hold:1", 1);

    assert_eq!(names(&first), ["saga-step-failed", "saga-compensation-requested"]);
    assert_eq!(second, []);
}

#[test]
fn what_was_never_asked_has_no_outcome() {
    let mut case = Case::started();
    let record = |step: &str, attempt| {
        let (step, outcome) = (step.to_owned(), Outcome::done());
        Command::RecordStep { step, attempt, outcome }
    };

    let unknown = case.ask(&system(), record("capture", 1));
    let early = case.ask(&system(), record("hold:1", 2));

    assert_eq!(unknown, Err(Refusal::StepNotFound { step: "capture".to_owned() }));
    let step = "hold:1".to_owned();
    assert_eq!(early, Err(Refusal::AttemptNotFound { step, attempt: 1 }));
}

#[test]
fn a_deadline_passes_when_it_is_over_and_once() {
    let mut case = Case::started();
    let deadline_at = case.now.plus_seconds(900);

    let early = case.ask(&system(), Command::PassDeadline);
    case.now = deadline_at;
    let late = case.ask(&system(), Command::PassDeadline).unwrap();
    let again = case.ask(&system(), Command::PassDeadline);

    assert_eq!(early, Err(Refusal::DeadlineNotReached { deadline_at }));
    let expected = ["saga-deadline-passed", "saga-step-failed", "saga-compensation-requested"];
    assert_eq!(names(&late), expected);
    assert_eq!(again, Ok(vec![]));
}

#[test]
fn attempts_wait_longer_and_longer_and_are_bounded() {
    let mut case = Case::started();
    case.fail("hold:1", 1);

    let waits = (1..=12).map(|attempt| {
        let now = case.now;
        let events = case.fail("release:1", attempt);
        match events.last() {
            Some(Event::CompensationRequested(next)) => {
                Some((next.not_before.micros() - now.micros()) / 1_000_000)
            }
            Some(Event::Stuck(stuck)) => {
                assert_eq!((stuck.step.as_str(), stuck.attempt), ("release:1", 12));
                None
            }
            other => panic!("{other:?}"),
        }
    });
    let waits: Vec<_> = waits.collect();

    let expected = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900].map(Some);
    assert_eq!(waits[..11], expected);
    assert_eq!(waits[11], None);
}

#[test]
fn an_operator_tries_again_what_was_given_up() {
    let mut case = Case::stuck();

    let events = case.ask(&owner(), Command::Retry { reason: String::new() }).unwrap();

    assert_eq!(names(&events), ["saga-resolved-by-operator", "saga-compensation-requested"]);
    let Some(Event::CompensationRequested(next)) = events.last() else { panic!("{events:?}") };
    assert_eq!((next.attempt, next.not_before), (13, case.now));
    let again = case.ask(&owner(), Command::Retry { reason: String::new() });
    assert_eq!(again, Err(Refusal::NotStuck));
}

#[test]
fn an_operator_forces_a_waiting_attempt_without_making_another() {
    let mut case = Case::started();
    case.fail("hold:1", 1);
    let failed = case.fail("release:1", 1);
    let (step, reason) = ("release:1".to_owned(), String::new());

    let forced = case.ask(&owner(), Command::Force { step, reason }).unwrap();

    let (Some(Event::CompensationRequested(waits)), Some(Event::CompensationRequested(now))) =
        (failed.last(), forced.last())
    else {
        panic!("{failed:?} {forced:?}")
    };
    assert_eq!((now.attempt, now.command_id), (2, waits.command_id));
    assert_eq!((&now.command, now.not_before), (&waits.command, case.now));
    assert!(waits.not_before > case.now);
}

#[test]
fn an_operator_who_forces_what_is_tried_already_is_named_all_the_same() {
    let mut case = Case::started();
    let (step, reason) = ("hold:1".to_owned(), "It hangs.".to_owned());
    let before = case.saga.clone();

    let forced = case.ask(&owner(), Command::Force { step, reason }).unwrap();

    let [Event::ResolvedByOperator(forced)] = &forced[..] else { panic!("{forced:?}") };
    assert_eq!((forced.action, forced.step.as_deref()), (Action::Force, Some("hold:1")));
    assert_eq!((&forced.operator, forced.reason.as_str()), (&owner(), "It hangs."));
    assert_eq!(case.saga, before, "it is tried no differently");
}

#[test]
fn an_operator_forces_what_was_given_up() {
    let mut case = Case::stuck();
    let (step, reason) = ("release:1".to_owned(), String::new());

    let given_up = case.ask(&owner(), Command::Force { step, reason }).unwrap();

    assert_eq!(names(&given_up), ["saga-resolved-by-operator", "saga-compensation-requested"]);
    assert_eq!(undoing(&given_up), ("release:1", 13, case.now));
}

#[test]
fn an_operator_settles_a_compensation_by_hand_and_the_saga_goes_on() {
    let mut case = Case::stuck();

    let events = case.ask(&owner(), resolve(Some("release:1"))).unwrap();

    let expected =
        ["saga-resolved-by-operator", "saga-compensation-succeeded", "saga-compensation-requested"];
    assert_eq!(names(&events), expected);
    let Some(Event::ResolvedByOperator(resolved)) = events.first() else { panic!("{events:?}") };
    assert_eq!((&resolved.operator, resolved.ends), (&owner(), false));
}

#[test]
fn what_can_be_undone_is_not_settled_by_hand() {
    let mut case = Case::started();

    let refused = case.ask(&owner(), resolve(Some("hold:1")));

    assert_eq!(refused, Err(Refusal::StepUndoable { step: "hold:1".to_owned() }));
}

#[test]
fn an_operator_ends_a_saga_as_it_is() {
    let mut case = Case::started();

    let events = case.ask(&owner(), resolve(None)).unwrap();

    assert_eq!(names(&events), ["saga-step-failed", "saga-resolved-by-operator"]);
    assert!(matches!(case.saga, Saga::Resolved(_)));
    assert_eq!(case.ask(&owner(), resolve(None)), Err(Refusal::Ended));
    assert_eq!(case.succeed("hold:1", 1), []);
}

#[test]
fn a_cancellation_makes_a_saga_run_again_that_an_operator_ended() {
    let mut case = Case::started();
    case.ask(&owner(), resolve(None)).unwrap();

    let events = case.ask(&system(), cancelled(false)).unwrap();

    assert_eq!(names(&events), ["saga-cancellation-noted", "saga-compensation-requested"]);
    assert_eq!(standing(&events), Standing::Running);
    assert_eq!(undoing(&events), ("release:1", 1, case.now));
    assert_eq!(case.ask(&system(), cancelled(false)), Ok(vec![]));
    case.succeed("release:1", 1);
    let last = case.succeed("finish-cancellation", 1);
    let [.., Event::Compensated(ended)] = &last[..] else { panic!("{last:?}") };
    assert_eq!(ended.ending, Ending::Cancelled);
}

#[test]
fn what_a_saga_left_behind_is_undone_under_a_new_attempt() {
    let mut waiting = Case::started();
    waiting.fail("hold:1", 1);
    waiting.ask(&owner(), resolve(None)).unwrap();
    let mut stuck = Case::stuck();
    stuck.ask(&owner(), resolve(None)).unwrap();

    let of_waiting = waiting.ask(&system(), cancelled(false)).unwrap();
    let of_stuck = stuck.ask(&system(), cancelled(false)).unwrap();

    assert_eq!(undoing(&of_waiting), ("release:1", 2, waiting.now));
    assert_eq!(undoing(&of_stuck), ("release:1", 13, stuck.now));
    // It has all its attempts again.
    let failed = stuck.fail("release:1", 13);
    assert_eq!(undoing(&failed), ("release:1", 14, stuck.now.plus_seconds(1)));
}

#[test]
fn what_an_operator_settled_step_by_step_is_not_undone_again() {
    let mut case = Case::stuck();
    case.ask(&owner(), resolve(Some("release:1"))).unwrap();
    case.ask(&owner(), resolve(None)).unwrap();

    let events = case.ask(&system(), cancelled(false)).unwrap();

    assert_eq!(undoing(&events), ("finish-cancellation", 1, case.now));
}

#[test]
fn a_cancellation_finishes_a_booking_whose_rejection_an_operator_only_claimed() {
    let mut case = Case::started();
    case.fail("hold:1", 1);
    case.succeed("release:1", 1);
    case.ask(&owner(), resolve(Some("reject"))).unwrap();
    assert!(matches!(case.saga, Saga::Compensated(_)));

    let events = case.ask(&system(), cancelled(false)).unwrap();

    assert_eq!(standing(&events), Standing::Running);
    assert_eq!(undoing(&events), ("finish-cancellation", 1, case.now));
}

#[test]
fn a_saga_that_cancelled_already_and_hears_of_it_late_does_nothing() {
    let mut case = Case::started();
    case.refuse("hold:1", 1, "booking_cancelling");
    case.succeed("release:1", 1);
    case.succeed("finish-cancellation", 1);
    assert!(matches!(case.saga, Saga::Compensated(_)));

    let events = case.ask(&system(), cancelled(false)).unwrap();

    assert_eq!((names(&events), standing(&events)), (vec![events[0].name()], Standing::Ended));
    assert!(matches!(case.saga, Saga::Compensated(_)));
}

#[test]
fn a_saga_that_is_ended_before_it_hears_of_the_confirmation_is_undone_by_another() {
    let mut case = Case::started();
    for step in ["hold:1", "mark-held", "authorize", "allocate:1", "attach", "capture"] {
        case.succeed(step, 1);
    }
    let noted = case.ask(&system(), cancelled(true)).unwrap();

    let ended = case.ask(&owner(), resolve(None)).unwrap();

    assert_eq!(standing(&noted), Standing::Irrevocable);
    let Some(Event::ResolvedByOperator(ended)) = ended.last() else { panic!("{ended:?}") };
    assert!(ended.ends && ended.follow_up.is_some(), "{ended:?}");
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    let Command::Start { saga_id, process, .. } = trip() else { unreachable!() };
    let settings = Settings { payment_deadline_seconds: 0, ..Settings::default() };

    let refused = Command::Start { saga_id, process, settings }.check();

    let field = "payment_deadline_seconds";
    let (seconds_min, seconds_max) = (1, 43_200);
    assert_eq!(refused, Err(Refusal::SettingOutOfRange { field, seconds_min, seconds_max }));
}

#[test]
fn commands_events_and_states_read_back_as_themselves() {
    let case = Case::stuck();
    let command = crate::Command::Saga(trip());

    let json = serde_json::to_vec(&command).unwrap();
    assert_eq!(serde_json::from_slice::<crate::Command>(&json).unwrap(), command);
    let snapshot = serde_json::to_vec(&case.saga).unwrap();
    assert_eq!(serde_json::from_slice::<Saga>(&snapshot).unwrap(), case.saga);
    let erased = State::from_json(Saga::CATEGORY, &snapshot).unwrap();
    assert_eq!(serde_json::to_vec(&erased).unwrap(), snapshot);
}
