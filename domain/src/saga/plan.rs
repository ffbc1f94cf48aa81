//! What a process is made of: steps in groups, each with what undoes it beside it.

use crate::ids::{BookingId, SagaId};
use crate::{Command, StreamName, Timestamp};

use super::command::Settings;
use super::event::{Ending, FollowUp};
use super::progress::{Cancellation, Progress, StepState};

/// The rules of one kind of saga: a value of it is what one run is about, fixed at its start.
pub(super) trait Rules {
    /// The booking it is about.
    fn booking_id(&self) -> BookingId;

    /// Seconds that it has until its point of no return; none if it has all the time it needs.
    fn deadline_seconds(&self, settings: &Settings) -> Option<u32>;

    /// All steps, as far as they can be told by what is known now. What was requested stays in it.
    fn plan<'a>(&'a self, progress: &'a Progress) -> Plan<'a>;

    /// How it ends after everything is undone: the last command, itself a step.
    fn ending<'a>(&'a self, progress: &'a Progress) -> (Ending, Option<Step<'a>>);

    /// The saga that undoes this one once it has come through; none if nobody cancels it.
    fn undone_by(&self, progress: &Progress, cancellation: &Cancellation) -> Option<FollowUp>;

    /// Whether somebody may cancel what it is about.
    fn cancellable(&self) -> bool;
}

/// The steps of a process in order; those of a group are asked for together.
pub(super) struct Plan<'a> {
    /// What can be undone.
    pub(super) revocable: Vec<Group<'a>>,
    /// The point of no return.
    pub(super) pivot: Option<Step<'a>>,
    /// What must come through, because nothing undoes it.
    pub(super) onward: Vec<Group<'a>>,
}

/// Steps that are asked for together.
pub(super) type Group<'a> = Vec<Step<'a>>;

/// A step, or a compensation.
pub(super) struct Step<'a> {
    /// Its name, unique in its saga (`hold:1`).
    pub(super) key: String,
    /// What undoes it.
    pub(super) undo: Option<Box<Self>>,
    /// Whether its outcome must be known before anything is undone.
    pub(super) awaited: bool,
    ask: Box<dyn Fn(Attempt) -> Ask + 'a>,
}

/// Which try a command is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Attempt {
    /// From 1.
    pub(super) number: u32,
    /// From 1; rises only when the outside is known to have failed, not with a refusal. What must
    /// not happen twice outside is named by it.
    pub(super) round: u32,
    /// When the step was asked for first: the same for all its attempts.
    pub(super) first_at: Timestamp,
}

/// A command and where it goes.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Ask {
    pub(super) target: StreamName,
    pub(super) command: Command,
}

impl Attempt {
    /// The first one.
    pub(super) const fn first(now: Timestamp) -> Self {
        Self { number: 1, round: 1, first_at: now }
    }

    /// The last one that was asked for.
    pub(super) const fn last(state: &StepState) -> Self {
        Self { number: state.attempt, round: state.failures + 1, first_at: state.first_at }
    }

    /// The one after that.
    pub(super) const fn next(state: &StepState) -> Self {
        Self { number: state.attempt + 1, ..Self::last(state) }
    }
}

impl<'a> Step<'a> {
    /// A step that nothing has to undo. The same attempt must give the same command for ever.
    pub(super) fn new(key: impl Into<String>, ask: impl Fn(Attempt) -> Ask + 'a) -> Self {
        Self { key: key.into(), undo: None, awaited: false, ask: Box::new(ask) }
    }

    /// With what undoes it, asked for whenever the step was, whatever came of it.
    pub(super) fn undone_by(
        mut self,
        key: impl Into<String>,
        ask: impl Fn(Attempt) -> Ask + 'a,
    ) -> Self {
        self.undo = Some(Box::new(Step::new(key, ask)));
        self
    }

    /// Without what undoes it, if that is not called for.
    pub(super) fn unless(mut self, needless: bool) -> Self {
        if needless {
            self.undo = None;
        }
        self
    }

    /// Nothing is undone before its outcome is known.
    pub(super) fn awaited(mut self) -> Self {
        self.awaited = true;
        self
    }

    /// The command of an attempt.
    pub(super) fn ask(&self, attempt: Attempt) -> Ask {
        (self.ask)(attempt)
    }
}

impl Plan<'_> {
    /// All groups, in order.
    pub(super) fn groups(&self) -> impl Iterator<Item = &[Step<'_>]> {
        let revocable = self.revocable.iter().map(Vec::as_slice);
        revocable.chain([self.pivot.as_slice()]).chain(self.onward.iter().map(Vec::as_slice))
    }

    /// Whether the point of no return lies behind.
    pub(super) fn irrevocable(&self, progress: &Progress) -> bool {
        match &self.pivot {
            Some(pivot) => progress.succeeded(&pivot.key),
            None => self.revocable.is_empty(),
        }
    }

    /// Whether the point of no return was asked for: its outcome decides, nothing else.
    pub(super) fn deciding(&self, progress: &Progress) -> bool {
        self.pivot.as_ref().is_some_and(|pivot| progress.steps.contains_key(&pivot.key))
    }
}

/// How often a step is tried.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// Attempts, the first included, until it is given up.
    pub(super) attempts_max: u32,
    /// Seconds until the second attempt; doubles with each further one.
    backoff_seconds: u32,
    /// The longest wait between attempts.
    backoff_seconds_max: u32,
}

impl Patience {
    /// For what can be undone: a traveller waits, and its deadline runs.
    pub(super) const BRIEF: Self =
        Self { attempts_max: 4, backoff_seconds: 1, backoff_seconds_max: 60 };
    /// For what must come through: half an hour and more until somebody is called.
    pub(super) const LONG: Self =
        Self { attempts_max: 12, backoff_seconds: 1, backoff_seconds_max: 900 };

    /// Seconds to wait after `tries` attempts in a row; none before the first.
    pub(super) fn backoff_seconds(self, tries: u32) -> i64 {
        let Some(doublings) = tries.checked_sub(1) else { return 0 };
        let seconds = self.backoff_seconds.saturating_mul(2_u32.saturating_pow(doublings));
        i64::from(seconds.min(self.backoff_seconds_max))
    }
}

/// The stream of a saga.
#[must_use]
pub fn stream(saga_id: SagaId) -> StreamName {
    StreamName::new(crate::Category::Saga, saga_id.0)
}
