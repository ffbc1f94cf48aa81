//! The work that sagas make, as rows that any order of streams folds to the same.
//!
//! A row stands for one command of one saga under its effect key, and is found by the command's
//! stream and that key. Two streams write it, each its own half: the saga says what is asked and
//! that it has heard the outcome; the target's events say what came of it. What starts a saga,
//! tells it of a cancellation or of its deadline is a row too, on the saga's own stream.

use super::command::{Command, Outcome, Settings};
use super::effect::{awaits_fact, effects_of};
use super::event::{Event, FollowUp};
use super::plan::stream;
use super::process::Process;
use super::progress::Cancellation;
use super::{PaymentWatch, TripBooking, trip_booking};
use crate::ids::{BookingId, CommandId, SagaId};
use crate::{StreamName, Timestamp, booking, derive, payment};

/// What asks a saga to start.
const START: &str = "start";
/// What tells a saga of a cancellation.
const CANCELLATION: &str = "cancellation";
/// What tells a saga that its time is over.
const DEADLINE: &str = "deadline";

/// Which row.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkKey {
    /// The stream to which the command goes.
    pub target: StreamName,
    /// The command's effect key, unique in that stream.
    pub effect: String,
}

/// A command to be sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Ask {
    /// The saga that hears the outcome; or, for a row without a step, is told something.
    pub saga_id: SagaId,
    /// Which step of it; none for what a saga is told: its own event closes the row.
    pub step: Option<String>,
    /// Which attempt.
    pub attempt: u32,
    /// The command's id, the same however often it is sent.
    pub command_id: CommandId,
    /// The command.
    pub command: crate::Command,
    /// Not to be sent earlier.
    pub not_before: Timestamp,
    /// Whether only an event settles it; otherwise its acceptance does.
    pub awaits_fact: bool,
}

/// What an event does to a row.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// Something is asked; takes the place of an earlier attempt.
    Asked(Box<Ask>),
    /// Something came of it.
    Answered {
        /// The last attempt that this answers; none if it answers whichever there are.
        attempt: Option<u32>,
        /// What.
        outcome: Outcome,
    },
    /// The saga has heard, or no longer waits for, the outcome of this attempt.
    Closed {
        /// Which attempt.
        attempt: u32,
        /// Whether none follows: what still comes of it is nobody's to hear.
        last: bool,
    },
}

/// One row, folded from the changes to it. It keeps only what may still be asked for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Work {
    /// What is asked; the saga's half.
    pub ask: Option<Ask>,
    /// The last attempt that the saga has heard of, 0 if none; the saga's half too.
    pub closed: u32,
    /// What came of it; the target's half.
    pub answer: Option<(Option<u32>, Outcome)>,
    /// Whether the saga asks and hears nothing more of it; its half, and the end of both.
    pub settled: bool,
}

/// What is to be done about a row.
#[derive(Clone, Debug, PartialEq)]
pub enum Todo<'a> {
    /// Nothing, or not any more.
    Nothing,
    /// The command is to be sent, from its `not_before` on, until something answers it.
    Send(&'a Ask),
    /// The saga is to be told.
    Record(&'a Ask, &'a Outcome),
}

impl Work {
    /// The row after the change. A success stands against any failure, and a failure for good
    /// against that of one attempt.
    pub fn apply(&mut self, change: Change) {
        match change {
            Change::Asked(ask) => self.ask = Some(*ask),
            Change::Closed { attempt, last } => {
                self.closed = self.closed.max(attempt);
                self.settled |= last;
            }
            Change::Answered { attempt, outcome } => {
                let new = (attempt, outcome);
                if self.answer.as_ref().is_none_or(|old| weight(&new) >= weight(old)) {
                    self.answer = Some(new);
                }
            }
        }
        self.forget();
    }

    /// Drops what nobody will ask for again: a command whose attempt is closed, and of a row that
    /// is settled what came of it, too. What comes later still changes nothing then, so that any
    /// order of streams ends in the same row.
    fn forget(&mut self) {
        if self.settled {
            self.answer = None;
        }
        let closed = |ask: &Ask| self.settled || ask.attempt <= self.closed;
        if self.ask.as_ref().is_some_and(closed) {
            self.ask = None;
        }
    }

    /// What is to be done about it.
    #[must_use]
    pub fn todo(&self) -> Todo<'_> {
        let Some(ask) = &self.ask else { return Todo::Nothing };
        match &self.answer {
            Some((answered, outcome))
                if ask.step.is_some() && answered.is_none_or(|last| last >= ask.attempt) =>
            {
                Todo::Record(ask, outcome)
            }
            _ => Todo::Send(ask),
        }
    }
}

/// What an answer weighs against another one.
fn weight((attempt, outcome): &(Option<u32>, Outcome)) -> u8 {
    match (outcome, attempt) {
        (Outcome::Succeeded { .. }, _) => 2,
        (Outcome::Failed { .. }, None) => 1,
        (Outcome::Failed { .. }, Some(_)) => 0,
    }
}

/// The command that tells a saga what came of a step, its stream and its id.
#[must_use]
pub fn record(ask: &Ask, outcome: Outcome) -> Option<(StreamName, crate::Command, CommandId)> {
    let (step, attempt) = (ask.step.clone()?, ask.attempt);
    // Another outcome of the same attempt is another command: the saga's first one counts.
    let text = serde_json::to_vec(&outcome).expect("texts, numbers and facts are JSON");
    let parts = [ask.command_id.0.as_bytes().as_slice(), text.as_slice()];
    let id = CommandId(derive::id("record-step", Some(ask.saga_id.0), &parts));
    let command = Command::RecordStep { step, attempt, outcome };
    Some((stream(ask.saga_id), command.into(), id))
}

/// What an event of that stream does, and to which rows.
#[must_use]
pub fn changes_of(of: StreamName, event: &crate::Event) -> Vec<(WorkKey, Change)> {
    if let crate::Event::Saga(event) = event {
        return of_saga(event);
    }
    let answers = effects_of(event).into_iter().map(|effect| {
        let (attempt, outcome) = (effect.attempt, effect.outcome);
        (WorkKey { target: of, effect: effect.key }, Change::Answered { attempt, outcome })
    });
    let told = match event {
        crate::Event::Booking(booking::Event::Requested(event)) => Some(start(
            derive::trip_saga(event.booking_id),
            Process::TripBooking(TripBooking::from(event)),
        )),
        crate::Event::Booking(booking::Event::CancellationRequested(event)) => {
            Some(cancellation(event.booking_id, trip_booking::cancellation_of(event)))
        }
        crate::Event::Payment(payment::Event::WatchRequested(event)) => Some(start(
            derive::payment_watch(event.payment_id, event.episode),
            Process::PaymentWatch(PaymentWatch::from(event)),
        )),
        _ => None,
    };
    answers.chain(told).collect()
}

fn of_saga(event: &Event) -> Vec<(WorkKey, Change)> {
    match event {
        Event::Started(event) => {
            let (saga_id, started) = (event.saga_id, closed_told(event.saga_id, START));
            let deadline = event
                .deadline_at
                .map(|deadline_at| tell(saga_id, DEADLINE, Command::PassDeadline, deadline_at));
            std::iter::once(started).chain(deadline).collect()
        }
        Event::StepRequested(e) => vec![asked(
            (e.saga_id, &e.step, e.attempt, e.command_id),
            (e.target, &e.effect),
            &e.command.0,
            e.not_before,
        )],
        Event::CompensationRequested(e) => vec![asked(
            (e.saga_id, &e.step, e.attempt, e.command_id),
            (e.target, &e.effect),
            &e.command.0,
            e.not_before,
        )],
        Event::StepSucceeded(e) => vec![closed(e.target, &e.effect, e.attempt, true)],
        Event::StepFailed(e) => vec![closed(e.target, &e.effect, e.attempt, false)],
        Event::CompensationSucceeded(e) => vec![closed(e.target, &e.effect, e.attempt, true)],
        Event::CompensationFailed(e) => vec![closed(e.target, &e.effect, e.attempt, false)],
        Event::DeadlinePassed(e) => vec![closed_told(e.saga_id, DEADLINE)],
        Event::CancellationNoted(e) => {
            let heard = closed_told(e.saga_id, CANCELLATION);
            std::iter::once(heard).chain(e.follow_up.as_ref().map(|next| follow(&next.0))).collect()
        }
        Event::Completed(e) => {
            let over = closed_told(e.saga_id, DEADLINE);
            std::iter::once(over).chain(e.follow_up.as_ref().map(|next| follow(&next.0))).collect()
        }
        Event::Compensated(e) => vec![closed_told(e.saga_id, DEADLINE)],
        Event::ResolvedByOperator(e) if e.ends => {
            let over = closed_told(e.saga_id, DEADLINE);
            std::iter::once(over).chain(e.follow_up.as_ref().map(|next| follow(&next.0))).collect()
        }
        Event::ResolvedByOperator(_) | Event::Stuck(_) => Vec::new(),
    }
}

fn asked(
    (saga_id, step, attempt, command_id): (SagaId, &str, u32, CommandId),
    (target, effect): (StreamName, &str),
    command: &crate::Command,
    not_before: Timestamp,
) -> (WorkKey, Change) {
    let (command, awaits_fact) = (command.clone(), awaits_fact(command));
    let step = Some(step.to_owned());
    let ask = Ask { saga_id, step, attempt, command_id, command, not_before, awaits_fact };
    (WorkKey { target, effect: effect.to_owned() }, Change::Asked(Box::new(ask)))
}

fn closed(target: StreamName, effect: &str, attempt: u32, last: bool) -> (WorkKey, Change) {
    (WorkKey { target, effect: effect.to_owned() }, Change::Closed { attempt, last })
}

/// The settings are the dispatcher's to give ([`Command::with_settings`]).
fn start(saga_id: SagaId, process: Process) -> (WorkKey, Change) {
    let settings = Settings::default();
    tell(saga_id, START, Command::Start { saga_id, process, settings }, Timestamp::default())
}

fn follow(next: &FollowUp) -> (WorkKey, Change) {
    start(next.saga_id, next.process.clone())
}

fn cancellation(booking_id: BookingId, cancellation: Cancellation) -> (WorkKey, Change) {
    let command = Command::NoteCancellation { cancellation };
    tell(derive::trip_saga(booking_id), CANCELLATION, command, Timestamp::default())
}

fn tell(
    saga_id: SagaId,
    effect: &str,
    command: Command,
    not_before: Timestamp,
) -> (WorkKey, Change) {
    let ask = Ask {
        saga_id,
        step: None,
        attempt: 1,
        command_id: derive::step_command(saga_id, effect, 1),
        command: command.into(),
        not_before,
        awaits_fact: false,
    };
    let key = WorkKey { target: stream(saga_id), effect: effect.to_owned() };
    (key, Change::Asked(Box::new(ask)))
}

fn closed_told(saga_id: SagaId, effect: &str) -> (WorkKey, Change) {
    closed(stream(saga_id), effect, 1, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(attempt: u32) -> Change {
        let saga_id = SagaId(uuid::Uuid::from_u128(7));
        let (_, change) = tell(saga_id, DEADLINE, Command::PassDeadline, Timestamp::default());
        let Change::Asked(ask) = change else { panic!("it asks") };
        Change::Asked(Box::new(Ask { attempt, step: Some("capture".to_owned()), ..*ask }))
    }

    fn done() -> Change {
        Change::Answered { attempt: None, outcome: Outcome::done() }
    }

    fn after(changes: &[Change]) -> Work {
        let mut work = Work::default();
        changes.iter().for_each(|change| work.apply(change.clone()));
        work
    }

    #[test]
    fn a_settled_row_keeps_nothing_whatever_comes_later() {
        let settled = Change::Closed { attempt: 1, last: true };

        let orders = [
            [asked(1), settled.clone(), done()],
            [asked(1), done(), settled.clone()],
            [done(), asked(1), settled.clone()],
            [settled.clone(), asked(1), done()],
            [settled.clone(), done(), asked(1)],
            [done(), settled, asked(1)],
        ];

        let mark = Work { ask: None, closed: 1, answer: None, settled: true };
        for order in orders {
            let work = after(&order);
            assert_eq!(work, mark, "{order:?}");
            assert_eq!(work.todo(), Todo::Nothing);
        }
    }

    #[test]
    fn what_answers_any_attempt_is_kept_while_one_may_follow() {
        let closed = Change::Closed { attempt: 1, last: false };

        let between = after(&[asked(1), closed.clone(), done()]);
        let orders = [
            [done(), asked(1), closed.clone(), asked(2)],
            [asked(1), done(), closed.clone(), asked(2)],
            [asked(1), closed.clone(), done(), asked(2)],
            [asked(1), closed, asked(2), done()],
        ];

        assert_eq!(between.ask, None, "the command is not kept");
        for order in orders {
            let work = after(&order);
            assert!(matches!(work.todo(), Todo::Record(ask, _) if ask.attempt == 2), "{order:?}");
        }
    }
}
