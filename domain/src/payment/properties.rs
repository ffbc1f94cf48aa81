//! What holds after any commands, judged from the events alone where that is possible.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::ids::{BookingId, PaymentId, RefundId, SagaId};
use crate::money::Money;
use crate::testing::{account, decide, reads_back, restores, saga};
use crate::{Actor, Timestamp};

const PRICE: i64 = 100;

fn money() -> impl Strategy<Value = Money> {
    let amounts = prop_oneof![6 => Just(PRICE), 1 => Just(0_i64), 2 => 1..2 * PRICE];
    let currencies = prop_oneof![12 => Just("EUR"), 1 => Just("JPY")];
    (amounts, currencies)
        .prop_map(|(amount, currency)| Money { amount, currency: currency.parse().unwrap() })
}

fn terms() -> Terms {
    Terms {
        payment_id: PaymentId(Uuid::from_u128(1)),
        booking_id: BookingId(Uuid::from_u128(2)),
        saga_id: SagaId(Uuid::from_u128(3)),
        account_id: account(4),
        amount: Money { amount: PRICE, currency: "EUR".parse().unwrap() },
        method: "card_approved".to_owned(),
        due_at: Timestamp::from_micros(0),
    }
}

/// A step: a command, or an answer to what the payment itself asked for.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Command(Command),
    SettleRefund { part: bool, fail: bool, reference: u8 },
}

impl Step {
    fn command(&self, state: &Payment) -> Option<Command> {
        match self {
            Self::Command(command) => Some(command.clone()),
            Self::SettleRefund { part, fail, reference } => {
                let Payment::Known(ledger) = state else { return None };
                let refund_id = ledger.pending()?;
                if *fail {
                    let (code, message) = ("refused".to_owned(), "no".to_owned());
                    return Some(Command::RecordRefundFailed { refund_id, code, message });
                }
                let amount = ledger.refunds[&refund_id].amount / if *part { 2 } else { 1 };
                let amount = Money { amount, ..terms().amount };
                let reference = format!("settled_{reference}");
                Some(Command::RecordRefunded { refund_id, reference, amount })
            }
        }
    }
}

fn commands() -> impl Strategy<Value = Command> {
    let attempts = || 1..5_u32;
    let watched = || {
        (1..3_u32, 1..4_u32)
            .prop_map(|(episode, number)| WatchAttempt { episode, number }.attempt())
    };
    let references = || (0..4_u8).prop_map(|number| format!("ref_{number}"));
    let refund_ids = || (0..4_u128).prop_map(|n| RefundId(Uuid::from_u128(n)));
    let words = || ("refused".to_owned(), "no".to_owned());
    let phases = prop::sample::select(vec![Phase::Authorization, Phase::Capture]);
    prop_oneof![
        2 => Just(Command::Request { terms: terms() }),
        4 => attempts().prop_map(|attempt| Command::RequestCapture { attempt }),
        2 => prop_oneof![3 => attempts(), 1 => watched()].prop_map(|attempt| {
            Command::RequestVoid { terms: terms(), attempt, reason: "deadline".to_owned() }
        }),
        3 => (refund_ids(), money(), attempts()).prop_map(|(refund_id, amount, attempt)| {
            let reason = "cancellation".to_owned();
            Command::RequestRefund { refund_id, amount, reason, attempt }
        }),
        1 => Just(Command::TimeOut {}),
        4 => (references(), money())
            .prop_map(|(reference, amount)| Command::RecordAuthorized { reference, amount }),
        4 => (references(), money())
            .prop_map(|(reference, amount)| Command::RecordSucceeded { reference, amount }),
        2 => (phases, prop::option::of(attempts())).prop_map(move |(phase, attempt)| {
            let (code, message) = words();
            Command::RecordFailed { phase, attempt, reference: None, code, message }
        }),
        2 => (0..5_u32).prop_map(|attempt| Command::RecordVoided { attempt, reference: None }),
        2 => prop_oneof![3 => 0..5_u32, 1 => watched()].prop_map(move |attempt| {
            let (code, message) = words();
            Command::RecordVoidFailed { attempt, code, message }
        }),
        2 => (refund_ids(), references(), money()).prop_map(|(refund_id, reference, amount)| {
            Command::RecordRefunded { refund_id, reference, amount }
        }),
        1 => refund_ids().prop_map(move |refund_id| {
            let (code, message) = words();
            Command::RecordRefundFailed { refund_id, code, message }
        }),
    ]
}

/// Most begin with the request.
pub(super) fn stories() -> impl Strategy<Value = Vec<Step>> {
    let steps = prop_oneof![
        8 => commands().prop_map(Step::Command),
        2 => (prop::bool::weighted(0.2), prop::bool::weighted(0.3), 0..20_u8)
            .prop_map(|(part, fail, reference)| Step::SettleRefund { part, fail, reference }),
    ];
    let opening = prop::bool::weighted(0.9)
        .prop_map(|request| request.then(|| Step::Command(Command::Request { terms: terms() })));
    (opening, prop::collection::vec(steps, 0..60))
        .prop_map(|(opening, rest)| opening.into_iter().chain(rest).collect())
}

/// Plays the story; hands over each command that is decided, what came of it, and the states.
pub(super) fn play(story: &[Step], mut seen: impl FnMut(&Payment, &Command, &Decided, &Payment)) {
    let mut state = Payment::default();
    for step in story {
        let Some(command) = step.command(&state) else { continue };
        let decided = decide(&state, &saga(), &command, Timestamp::default());
        let events = decided.clone().unwrap_or_default();
        let next = events.iter().fold(state.clone(), Payment::evolve);
        seen(&state, &command, &decided, &next);
        state = next;
    }
}

pub(super) type Decided = Result<Vec<Event>, Refusal>;

/// What the invariants say, kept from events alone.
#[derive(Default)]
struct Witness {
    requested: i64,
    authorized: i64,
    captured: i64,
    pending: BTreeMap<RefundId, i64>,
    refunded: i64,
    asked: BTreeSet<&'static str>,
    void: Option<u32>,
    references: BTreeSet<(&'static str, String)>,
    closed: bool,
}

impl Witness {
    fn see(&mut self, event: &Event) {
        match event {
            Event::Requested(event) => {
                assert_eq!(self.requested, 0, "requested twice, or after a void");
                self.requested = event.amount.amount;
                self.ask("authorization");
            }
            Event::Authorized(event) => {
                self.once("authorization", &event.reference);
                assert!(!(event.kept && self.closed), "kept although closed");
                self.authorized += event.amount.amount;
                self.asked.remove("authorization");
            }
            Event::CaptureRequested(event) => {
                assert!(!self.closed, "captured although closed");
                assert_eq!(event.amount.amount, self.requested);
                self.ask("capture");
            }
            Event::Succeeded(event) => {
                self.once("capture", &event.reference);
                assert!(!(event.kept && self.closed), "kept although closed");
                self.captured += event.amount.amount;
                self.asked.clear();
            }
            Event::Failed(event) => {
                self.asked.remove(match event.phase {
                    Phase::Authorization => "authorization",
                    Phase::Capture => "capture",
                });
                self.closed |= event.phase == Phase::Authorization && self.authorized == 0;
            }
            Event::TimedOut(_) => {
                self.asked.clear();
                self.closed = true;
            }
            undoing => self.see_undoing(undoing),
        }
        let pending: i64 = self.pending.values().sum();
        assert!(pending >= 0 && self.refunded + pending <= self.captured, "{event:?}");
        assert!(self.captured <= self.authorized, "{event:?}");
        assert!(self.authorized <= self.requested, "{event:?}");
    }

    fn see_undoing(&mut self, event: &Event) {
        match event {
            Event::VoidRequested(event) => {
                self.requested = self.requested.max(event.amount.amount);
                let same = self.void.is_none() || self.void == Some(event.attempt);
                assert!(same, "two voids at a time");
                // It takes the place of what is open.
                self.asked.clear();
                self.void = Some(event.attempt);
                self.closed = true;
                if event.release {
                    self.ask("release");
                }
            }
            Event::Voided(event) => {
                assert!(self.void.is_none_or(|attempt| attempt == event.attempt));
                assert_eq!(self.captured, self.refunded, "voided with money held");
                self.asked.clear();
                self.void = None;
                self.closed = true;
            }
            Event::VoidFailed(event) => {
                assert_eq!(self.void.take(), Some(event.attempt));
                self.asked.remove("release");
            }
            Event::RefundRequested(event) => {
                let before = self.pending.insert(event.refund_id, event.amount.amount);
                assert_eq!(before, None, "one attempt a refund");
                self.closed = true;
            }
            Event::Refunded(event) => {
                if let Some(reference) = &event.reference {
                    self.once("refund", reference);
                }
                self.pending.remove(&event.refund_id);
                self.refunded += event.amount.amount;
            }
            Event::RefundFailed(event) => {
                assert!(self.pending.remove(&event.refund_id).is_some());
            }
            // Somebody sees to what is still held: nothing moves by that.
            Event::WatchRequested(_) => assert!(self.closed, "its own undoing closed it"),
            other => panic!("{other:?} undoes nothing"),
        }
    }

    fn ask(&mut self, what: &'static str) {
        self.asked.insert(what);
        assert_eq!(self.asked.len(), 1, "one open attempt at a time: {:?}", self.asked);
    }

    fn once(&mut self, named: &'static str, reference: &str) {
        assert!(self.references.insert((named, reference.to_owned())), "{reference} twice");
    }

    fn agrees_with(&self, state: &Payment) {
        let Payment::Known(ledger) = state else { return assert_eq!(self.requested, 0) };
        assert_eq!(ledger.authorized, self.authorized);
        assert_eq!(ledger.captured, self.captured);
        assert_eq!(ledger.refunded(), self.refunded);
        assert_eq!(ledger.refund_pending(), self.pending.values().sum::<i64>());
        assert_eq!(ledger.void.map(|void| void.attempt), self.void);
    }
}

const fn fact(command: &Command) -> bool {
    matches!(
        command,
        Command::RecordAuthorized { .. }
            | Command::RecordSucceeded { .. }
            | Command::RecordFailed { .. }
            | Command::RecordVoided { .. }
            | Command::RecordVoidFailed { .. }
            | Command::RecordRefunded { .. }
            | Command::RecordRefundFailed { .. }
    )
}

/// Whether money that the provider holds is on its way back, or at an operator's feet.
fn undoing(state: &Payment) -> bool {
    let Payment::Known(ledger) = state else { return true };
    ledger.void.is_some() || ledger.pending().is_some() || ledger.status == Status::VoidFailed
}

proptest! {
    #[test]
    fn the_invariants_hold_at_every_version(story in stories()) {
        let mut witness = Witness::default();

        play(&story, |_, _, decided, next| {
            decided.iter().flatten().for_each(|event| witness.see(event));
            witness.agrees_with(next);
        });
    }

    #[test]
    fn a_fact_about_a_known_payment_is_never_refused_and_recorded_once(story in stories()) {
        play(&story, |state, command, decided, next| {
            if fact(command) && *state != Payment::NotRequested {
                assert!(decided.is_ok(), "{command:?} is refused: {decided:?}");
                let again = decide(next, &saga(), command, Timestamp::default());
                // A release that the provider repeats is the answer once the refunds are settled.
                if !matches!(command, Command::RecordVoided { .. }) {
                    assert_eq!(again, Ok(vec![]), "{command:?}");
                }
            }
        });
    }

    #[test]
    fn what_comes_late_is_undone_by_the_same_decision(story in stories()) {
        play(&story, |state, _, decided, next| {
            let Payment::Known(before) = state else { return };
            let late = decided.iter().flatten().any(|event| match event {
                Event::Authorized(event) => before.closed && event.amount.amount > 0,
                Event::Succeeded(event) => before.closed && event.amount.amount > 0,
                _ => false,
            });
            if late {
                assert!(undoing(next), "{decided:?}");
            }
        });
    }

    #[test]
    fn a_closed_payment_never_opens_again(story in stories()) {
        play(&story, |before, _, _, next| {
            if let (Payment::Known(before), Payment::Known(next)) = (before, next) {
                assert!(next.closed || !before.closed);
            }
        });
    }

    #[test]
    fn nobody_else_moves_money(story in stories(), number: u128) {
        play(&story, |state, command, _, _| {
            let somebody = Actor::Account(account(number));
            let outcome = decide(state, &somebody, command, Timestamp::default());
            assert_eq!(outcome, Err(Refusal::SystemRequired));
        });
    }

    #[test]
    fn a_snapshot_at_any_version_continues_like_the_fold(
        story in stories(),
        cut: prop::sample::Index,
    ) {
        let mut events = Vec::new();
        play(&story, |_, _, decided, _| events.extend(decided.iter().flatten().cloned()));

        restores::<Payment>(&events, cut)?;
    }

    #[test]
    fn a_command_reads_back_as_itself_on_the_way_to_another_owner(command in commands()) {
        reads_back(crate::Command::Payment(command))?;
    }
}

/// The generator must reach what the properties speak of, or they prove nothing.
#[test]
fn the_stories_reach_every_event() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;

    let mut runner = TestRunner::deterministic();
    let mut seen = BTreeSet::new();

    for _ in 0..300 {
        let story = stories().new_tree(&mut runner).unwrap().current();
        play(&story, |_, _, decided, _| {
            seen.extend(decided.iter().flatten().map(Event::name));
        });
    }

    assert_eq!(seen.into_iter().collect::<Vec<_>>(), {
        let mut names = Event::NAMES.to_vec();
        names.sort_unstable();
        names
    });
}
