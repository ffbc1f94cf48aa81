//! The saga: a process over several aggregates, all of it or nothing of it.
//!
//! | state | leaves it by | accepts |
//! |---|---|---|
//! | not started | `saga-started` | Start |
//! | running | `saga-stuck`, or an end | all but Retry |
//! | stuck | `saga-resolved-by-operator`, or an end | all |
//! | completed | never | NoteCancellation; the rest changes nothing |
//! | compensated, resolved | `saga-cancellation-noted` (`running`) | the same |
//!
//! A saga is decided like any aggregate; what it decides is which command is to be sent next. A
//! **step** is such a command; an **attempt** is one try of it, under an id of its own, and a new
//! one begins only after a known failure: whoever does not know what came of a command sends the
//! same one again. A **compensation** undoes a step, and goes to every step that was ever
//! requested, whether or not it is known to have happened: what finds nothing to undo closes the
//! door for a step that comes late. Steps of a group are asked for together; compensations run in
//! reverse.
//!
//! Invariants, at every version:
//! - The first recorded outcome of an attempt counts, and every step is settled before the saga
//!   ends: done, failed for good, or no longer waited for (then it was undone).
//! - Nothing is requested forward once it compensates, and nothing is undone past the point of no
//!   return. While the point of no return is undecided, no deadline interferes.
//! - A step whose outcome must be known (`awaited`) is known before anything is undone.
//! - Attempts are bounded. What must come through and does not leaves the saga stuck, never
//!   dropped; only an operator, by name, takes it from there.
//! - Nobody's wish to cancel is lost: where an operator ended a saga, or the last step of one, and
//!   left its booking neither confirmed nor ended, a cancellation makes the same saga run again and
//!   undo what is not undone.
//! - What settings and time allow is fixed when the saga starts: its history means the same for
//!   ever.
//!
//! `process.rs` lists the kinds, one file each; `react.rs` is the engine of all; `work.rs` and
//! `effect.rs` say what a dispatcher has to do for it.

mod ask;
mod cancellation;
mod check;
mod command;
mod decide;
mod effect;
mod error;
mod event;
mod json_text;
mod payment_watch;
mod plan;
mod process;
mod progress;
mod react;
mod trip_booking;
mod work;

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use cancellation::{CancelledTrip, Sold};
pub use command::{Command, Outcome, Settings};
pub use effect::{Effect, awaits_fact, effect_key, effects_of};
pub use error::Refusal;
pub use event::{
    Action, Consequence, Ending, Event, FollowUp, SagaCancellationNoted, SagaCompensated,
    SagaCompensationFailed, SagaCompensationRequested, SagaCompensationSucceeded, SagaCompleted,
    SagaDeadlinePassed, SagaResolvedByOperator, SagaStarted, SagaStepFailed, SagaStepRequested,
    SagaStepSucceeded, SagaStuck, Standing,
};
pub use json_text::JsonText;
pub use payment_watch::PaymentWatch;
pub use plan::stream;
pub use process::{InvalidKind, Kind, Process};
pub use progress::{Cancellation, Cause, Failure, Progress, StepState, StepStatus};
pub use trip_booking::TripBooking;
pub use work::{Ask, Change, Todo, Work, WorkKey, changes_of, record};

use crate::{Aggregate, Category, Context};

/// The state of a saga. As JSON, its progress beside a `status`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum Saga {
    /// Nothing has happened yet.
    #[default]
    NotStarted,
    /// It asks for steps, or undoes them.
    Running(Box<Progress>),
    /// Something that must come through does not.
    Stuck(Box<Progress>),
    /// Everything is done.
    Completed(Box<Progress>),
    /// Everything is undone.
    Compensated(Box<Progress>),
    /// An operator ended it.
    Resolved(Box<Progress>),
}

impl Saga {
    /// How far it has come, once it has started.
    #[must_use]
    pub fn progress(&self) -> Option<&Progress> {
        match self {
            Self::NotStarted => None,
            Self::Running(progress)
            | Self::Stuck(progress)
            | Self::Completed(progress)
            | Self::Compensated(progress)
            | Self::Resolved(progress) => Some(progress),
        }
    }

    /// Whether it has started and not ended.
    #[must_use]
    pub const fn active(&self) -> bool {
        matches!(self, Self::Running(_) | Self::Stuck(_))
    }
}

impl Aggregate for Saga {
    const CATEGORY: Category = Category::Saga;
    const FOLD_VERSION: u32 = 1;
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;

    fn decide(&self, command: &Command, context: &Context) -> Result<Vec<Event>, Refusal> {
        decide::decide(self, command, context)
    }

    fn evolve(self, event: &Event) -> Self {
        let ended = !self.active();
        let (mut progress, into): (_, fn(Box<Progress>) -> Self) = match self {
            // The log holds nothing else before the start; a fold refuses nothing.
            Self::NotStarted => {
                return match event {
                    Event::Started(event) => Self::Running(Box::new(event.into())),
                    _ => Self::NotStarted,
                };
            }
            Self::Running(progress) => (progress, Self::Running),
            Self::Stuck(progress) => (progress, Self::Stuck),
            Self::Completed(progress) => (progress, Self::Completed),
            Self::Compensated(progress) => (progress, Self::Compensated),
            Self::Resolved(progress) => (progress, Self::Resolved),
        };
        progress.apply(event);
        match event {
            Event::Completed(_) => Self::Completed(progress),
            Event::Compensated(_) => Self::Compensated(progress),
            Event::Stuck(_) => Self::Stuck(progress),
            Event::ResolvedByOperator(event) if event.ends => Self::Resolved(progress),
            Event::ResolvedByOperator(_) => Self::Running(progress),
            Event::CancellationNoted(event) if event.standing == Standing::Running => {
                if ended {
                    progress.reopen();
                }
                Self::Running(progress)
            }
            _ => into(progress),
        }
    }
}
