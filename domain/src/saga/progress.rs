//! How far a saga has come, folded from its events. No rules here.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::command::Settings;
use super::event::{Action, Consequence, Event, SagaResolvedByOperator, SagaStarted, Standing};
use super::process::Process;
use crate::ids::SagaId;
use crate::money::Money;
use crate::{StreamName, Timestamp};

/// A saga that has started.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Its id.
    pub saga_id: SagaId,
    /// What it is about.
    pub process: Process,
    /// What was allowed at its start.
    pub settings: Settings,
    /// When its time is over.
    pub deadline_at: Option<Timestamp>,
    /// Whether that was said already.
    pub deadline_passed: bool,
    /// Every step and compensation that was ever requested.
    pub steps: BTreeMap<String, StepState>,
    /// Why it compensates, if it does.
    pub cause: Option<Cause>,
    /// The cancellation that it has seen.
    pub cancellation: Option<Cancellation>,
}

/// A step or a compensation that was requested.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepState {
    /// The last attempt, from 1.
    pub attempt: u32,
    /// Attempts since the first one, or since an operator asked for more.
    pub tries: u32,
    /// Attempts that the outside is known to have failed.
    pub failures: u32,
    /// When it was requested first.
    pub first_at: Timestamp,
    /// When the last attempt may be sent.
    pub not_before: Timestamp,
    /// Whether it undoes something.
    pub compensation: bool,
    /// To which stream its command goes.
    pub target: StreamName,
    /// What the target's events call its effect.
    pub effect: String,
    /// Where it stands.
    pub status: StepStatus,
    /// What is known of what was done.
    pub facts: Map<String, Value>,
    /// Of the last attempt that failed.
    pub failure: Option<Failure>,
}

/// Where a step stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepStatus {
    /// Its outcome is not known yet.
    Requested,
    /// The last attempt failed, and another one follows.
    Failed,
    /// It is done.
    Succeeded,
    /// It failed too often, and must come through: an operator is needed.
    GivenUp,
    /// It is no longer wanted: it failed for good, or its outcome is not waited for. What undoes is
    /// wanted again once the saga compensates.
    Over,
}

/// Why an attempt failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// Stable code of the refusal or failure.
    pub code: String,
    /// One sentence for people.
    pub message: String,
    /// The refusal's facts.
    pub facts: Map<String, Value>,
}

/// Why a saga compensates: what came first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "cause", rename_all = "snake_case")]
pub enum Cause {
    /// A step failed.
    Failed {
        /// Which one.
        step: String,
        /// How.
        failure: Failure,
    },
    /// Time was over.
    Deadline,
    /// Somebody cancelled.
    Cancelled,
}

/// A cancellation, as far as sagas have to know it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cancellation {
    /// Whether it met a booking that was confirmed already.
    pub was_confirmed: bool,
    /// What goes back, as the policies said at that instant.
    pub refund: Money,
    /// What is kept.
    pub fee: Money,
}

impl From<&SagaStarted> for Progress {
    fn from(event: &SagaStarted) -> Self {
        Self {
            saga_id: event.saga_id,
            process: event.process.0.clone(),
            settings: event.settings.0.clone(),
            deadline_at: event.deadline_at,
            deadline_passed: false,
            steps: BTreeMap::new(),
            cause: None,
            cancellation: None,
        }
    }
}

impl Progress {
    /// Whether the step is done.
    #[must_use]
    pub fn succeeded(&self, step: &str) -> bool {
        self.steps.get(step).is_some_and(|state| state.status == StepStatus::Succeeded)
    }

    /// Whether any attempt of any step failed under that code.
    #[must_use]
    pub fn failed_with(&self, code: &str) -> bool {
        let failed = |state: &StepState| state.failure.as_ref().is_some_and(|f| f.code == code);
        self.steps.values().any(failed)
    }

    pub(super) fn apply(&mut self, event: &Event) {
        match event {
            Event::StepRequested(e) => {
                self.requested(&e.step, e.attempt, e.target, &e.effect, e.not_before, false);
            }
            Event::CompensationRequested(e) => {
                self.requested(&e.step, e.attempt, e.target, &e.effect, e.not_before, true);
            }
            Event::StepSucceeded(e) => self.succeed(&e.step, &e.facts.0),
            Event::CompensationSucceeded(e) => self.succeed(&e.step, &e.facts.0),
            Event::StepFailed(e) => {
                let failure = failure(&e.code, &e.message, &e.facts.0);
                self.fail(&e.step, e.consequence, e.retryable, failure);
            }
            Event::CompensationFailed(e) => {
                let failure = failure(&e.code, &e.message, &e.facts.0);
                self.fail(&e.step, e.consequence, e.retryable, failure);
            }
            Event::DeadlinePassed(e) => {
                self.deadline_passed = true;
                if e.interrupts {
                    self.cause.get_or_insert(Cause::Deadline);
                }
            }
            Event::CancellationNoted(e) => {
                self.cancellation = Some(e.cancellation.0.clone());
                if e.standing == Standing::Running {
                    self.cause.get_or_insert(Cause::Cancelled);
                }
            }
            Event::ResolvedByOperator(e) => self.interfered(e),
            Event::Started(_) | Event::Completed(_) | Event::Compensated(_) | Event::Stuck(_) => {}
        }
    }

    fn requested(
        &mut self,
        step: &str,
        attempt: u32,
        target: StreamName,
        effect: &str,
        not_before: Timestamp,
        compensation: bool,
    ) {
        let state = self.steps.entry(step.to_owned()).or_insert_with(|| StepState {
            attempt: 0,
            tries: 0,
            failures: 0,
            first_at: not_before,
            not_before,
            compensation,
            target,
            effect: effect.to_owned(),
            status: StepStatus::Requested,
            facts: Map::new(),
            failure: None,
        });
        // The same attempt, requested again, only comes earlier.
        if state.attempt != attempt {
            (state.attempt, state.tries) = (attempt, state.tries + 1);
        }
        (state.not_before, state.status) = (not_before, StepStatus::Requested);
        (state.target, state.effect) = (target, effect.to_owned());
    }

    fn succeed(&mut self, step: &str, facts: &Map<String, Value>) {
        if let Some(state) = self.steps.get_mut(step) {
            state.status = StepStatus::Succeeded;
            state.facts = facts.clone();
        }
    }

    fn fail(&mut self, step: &str, consequence: Consequence, retryable: bool, failure: Failure) {
        let Some(state) = self.steps.get_mut(step) else { return };
        state.status = match consequence {
            Consequence::Retry => StepStatus::Failed,
            Consequence::GiveUp => StepStatus::GivenUp,
            Consequence::Compensate | Consequence::Abandon => StepStatus::Over,
        };
        state.failures += u32::from(retryable);
        if consequence != Consequence::Abandon {
            state.failure = Some(failure.clone());
        }
        if consequence == Consequence::Compensate {
            self.cause.get_or_insert(Cause::Failed { step: step.to_owned(), failure });
        }
    }

    /// It had ended and undoes now what it left: whatever was given up or no longer waited for is
    /// nobody's, and asked for anew.
    pub(super) fn reopen(&mut self) {
        let undoing =
            |state: &&mut StepState| state.compensation && state.status != StepStatus::Succeeded;
        for state in self.steps.values_mut().filter(undoing) {
            (state.status, state.tries) = (StepStatus::Over, 0);
        }
    }

    /// An operator's retry begins to count anew.
    fn interfered(&mut self, event: &SagaResolvedByOperator) {
        if event.action == Action::Resolve {
            return;
        }
        let meant = |step: &String| event.step.as_ref().is_none_or(|named| named == step);
        for (_, state) in self.steps.iter_mut().filter(|(step, _)| meant(step)) {
            if state.status == StepStatus::GivenUp {
                (state.status, state.tries) = (StepStatus::Failed, 0);
            }
        }
    }
}

fn failure(code: &str, message: &str, facts: &Map<String, Value>) -> Failure {
    Failure { code: code.to_owned(), message: message.to_owned(), facts: facts.clone() }
}
