//! What follows from what a saga has seen: the engine of every kind of saga.
//!
//! After each event the plan is walked from its begin (or, compensating, from its end) to the first
//! group that is not done; whatever of that group was not asked for yet is asked for now. So the
//! order of the outcomes does not matter, and nothing has to be remembered but what was recorded.

use serde_json::{Map, Value};

use super::Saga;
use super::decide::follow_up;
use super::effect;
use super::event::{
    Consequence, Event, SagaCompensated, SagaCompensationFailed, SagaCompensationRequested,
    SagaCompensationSucceeded, SagaCompleted, SagaStepFailed, SagaStepRequested, SagaStepSucceeded,
    SagaStuck,
};
use super::json_text::JsonText;
use super::plan::{Ask, Attempt, Patience, Step};
use super::progress::{Failure, Progress, StepState, StepStatus};
use crate::{Aggregate, Timestamp, derive};

/// The code of a step that is no longer waited for.
const ABANDONED: &str = "saga_step_abandoned";

/// A decision while it is made: the state after the events so far.
pub(super) struct Unfolding {
    saga: Saga,
    events: Vec<Event>,
    now: Timestamp,
}

impl Unfolding {
    pub(super) fn of(saga: &Saga, now: Timestamp) -> Self {
        Self { saga: saga.clone(), events: Vec::new(), now }
    }

    pub(super) fn push(&mut self, event: impl Into<Event>) {
        let event = event.into();
        self.saga = std::mem::take(&mut self.saga).evolve(&event);
        self.events.push(event);
    }

    /// The step is done.
    pub(super) fn succeeded(&mut self, step: &str, facts: Map<String, Value>) {
        let Some((progress, state)) = self.step(step) else { return };
        let event = success(progress, step, state, facts);
        self.push(event);
    }

    /// The step's last attempt is over.
    pub(super) fn failed(
        &mut self,
        step: &str,
        consequence: Consequence,
        retryable: bool,
        failure: Failure,
    ) {
        let Some((progress, state)) = self.step(step) else { return };
        let event = failed(progress, step, state, (consequence, retryable), failure);
        self.push(event);
    }

    /// The scheduled attempt is made now.
    pub(super) fn hasten(&mut self, step: &str) {
        let Some((progress, state)) = self.step(step) else { return };
        let attempt = Attempt::last(state);
        let compensation = state.compensation;
        let ask = ask_again(progress, step, attempt);
        let event = ask.map(|ask| request(progress, step, compensation, attempt, self.now, ask));
        event.into_iter().for_each(|event| self.push(event));
    }

    /// What is meant and not answered is no longer waited for.
    pub(super) fn abandon(&mut self, meant: impl Fn(&str) -> bool) {
        let Some(progress) = self.saga.progress() else { return };
        let events = abandoned(progress, meant);
        events.into_iter().for_each(|event| self.push(event));
    }

    /// Everything that follows.
    pub(super) fn settle(mut self) -> Vec<Event> {
        while let Some(progress) = self.saga.progress().filter(|_| self.saga.active()) {
            let stuck = matches!(self.saga, Saga::Stuck(_));
            let next = match &progress.cause {
                None => onward(progress, stuck, self.now),
                Some(_) => backward(progress, stuck, self.now),
            };
            if next.is_empty() {
                break;
            }
            next.into_iter().for_each(|event| self.push(event));
        }
        self.events
    }

    fn step(&self, step: &str) -> Option<(&Progress, &StepState)> {
        let progress = self.saga.progress()?;
        Some((progress, progress.steps.get(step)?))
    }
}

/// Forward: the next group, or the end.
fn onward(progress: &Progress, stuck: bool, now: Timestamp) -> Vec<Event> {
    let plan = progress.process.rules().plan(progress);
    let patience = if plan.irrevocable(progress) { Patience::LONG } else { Patience::BRIEF };
    for group in plan.groups() {
        if !group.iter().all(|step| progress.succeeded(&step.key)) {
            return advance(progress, group.iter(), false, patience, stuck, now);
        }
    }
    let (saga_id, process) = (progress.saga_id, &progress.process);
    let follow_up = follow_up(progress, progress.cancellation.as_ref()).map(JsonText);
    let (kind, booking_id) = (process.kind(), process.booking_id());
    vec![SagaCompleted { saga_id, kind, booking_id, follow_up }.into()]
}

/// Backward: nothing is waited for but what must be known; then what was ever asked for is undone,
/// the last group first; then the ending.
fn backward(progress: &Progress, stuck: bool, now: Timestamp) -> Vec<Event> {
    let rules = progress.process.rules();
    let (plan, (how, ending)) = (rules.plan(progress), rules.ending(progress));
    let awaited = |key: &str| plan.groups().flatten().any(|step| step.key == key && step.awaited);
    let undoes = |key: &str| {
        let mut undone = plan.groups().flatten().filter_map(|step| step.undo.as_ref());
        undone.any(|undo| undo.key == key) || ending.as_ref().is_some_and(|step| step.key == key)
    };

    let needless = abandoned(progress, |key| !awaited(key) && !undoes(key));
    if !needless.is_empty() {
        return needless;
    }
    let open =
        |(key, state): (&String, &StepState)| state.status == StepStatus::Requested && awaited(key);
    if progress.steps.iter().any(open) {
        return Vec::new();
    }
    let groups: Vec<_> = plan.groups().collect();
    for group in groups.into_iter().rev() {
        let requested = group.iter().filter(|step| progress.steps.contains_key(&step.key));
        let undo: Vec<&Step<'_>> = requested.filter_map(|step| step.undo.as_deref()).collect();
        if !undo.iter().all(|step| progress.succeeded(&step.key)) {
            return advance(progress, undo.into_iter(), true, Patience::LONG, stuck, now);
        }
    }
    if let Some(step) = ending.as_ref().filter(|step| !progress.succeeded(&step.key)) {
        return advance(progress, [step].into_iter(), true, Patience::LONG, stuck, now);
    }
    let (saga_id, process) = (progress.saga_id, &progress.process);
    let (kind, booking_id) = (process.kind(), process.booking_id());
    vec![SagaCompensated { saga_id, kind, booking_id, ending: how }.into()]
}

/// Asks for what of a group was not asked for, or is to be tried again; or says that it is stuck.
fn advance<'a>(
    progress: &Progress,
    group: impl Iterator<Item = &'a Step<'a>> + Clone,
    compensation: bool,
    patience: Patience,
    stuck: bool,
    now: Timestamp,
) -> Vec<Event> {
    let asked = group.clone().filter_map(|step| {
        let (attempt, not_before) = match progress.steps.get(&step.key) {
            None => (Attempt::first(now), now),
            // What undoes and is over was left behind when an operator ended the saga.
            Some(state)
                if state.status == StepStatus::Failed
                    || (compensation && state.status == StepStatus::Over) =>
            {
                let backoff = patience.backoff_seconds(state.tries);
                (Attempt::next(state), now.plus_seconds(backoff))
            }
            Some(_) => return None,
        };
        let ask = step.ask(attempt);
        Some(request(progress, &step.key, compensation, attempt, not_before, ask))
    });
    let asked: Vec<Event> = asked.collect();
    if !asked.is_empty() || stuck {
        return asked;
    }
    let given_up = group.filter_map(|step| Some((step, progress.steps.get(&step.key)?)));
    let mut given_up = given_up.filter(|(_, state)| state.status == StepStatus::GivenUp);
    given_up.next().map(|(step, state)| stuck_at(progress, &step.key, state)).into_iter().collect()
}

/// The command of an attempt that was asked for before.
fn ask_again(progress: &Progress, step: &str, attempt: Attempt) -> Option<Ask> {
    let rules = progress.process.rules();
    let (plan, (_, ending)) = (rules.plan(progress), rules.ending(progress));
    let steps = plan.groups().flatten();
    let all = steps.flat_map(|step| [Some(step), step.undo.as_deref()]).flatten();
    let mut found = all.chain(ending.as_ref()).filter(|known| known.key == step);
    found.next().map(|known| known.ask(attempt))
}

fn stuck_at(progress: &Progress, step: &str, state: &StepState) -> Event {
    let failure = state.failure.clone();
    let (code, message) = failure.map(|failure| (failure.code, failure.message)).unzip();
    SagaStuck {
        saga_id: progress.saga_id,
        step: step.to_owned(),
        attempt: state.attempt,
        code: code.unwrap_or_default(),
        message: message.unwrap_or_default(),
    }
    .into()
}

fn abandoned(progress: &Progress, meant: impl Fn(&str) -> bool) -> Vec<Event> {
    let open = |state: &StepState| state.status == StepStatus::Requested;
    let needless = progress.steps.iter().filter(|(key, state)| open(state) && meant(key));
    let event = |(key, state): (&String, &StepState)| {
        let message = "the saga no longer waits for it; whatever came of it is undone".to_owned();
        let failure = Failure { code: ABANDONED.to_owned(), message, facts: Map::new() };
        failed(progress, key, state, (Consequence::Abandon, false), failure)
    };
    needless.map(event).collect()
}

fn request(
    progress: &Progress,
    step: &str,
    compensation: bool,
    attempt: Attempt,
    not_before: Timestamp,
    ask: Ask,
) -> Event {
    let (saga_id, step) = (progress.saga_id, step.to_owned());
    let Ask { target, command } = ask;
    let command_id = derive::step_command(saga_id, &step, attempt.number);
    let effect = effect::effect_key(&command).unwrap_or(command.name().into());
    let (attempt, command) = (attempt.number, JsonText(command));
    if compensation {
        SagaCompensationRequested {
            saga_id,
            step,
            attempt,
            command_id,
            target,
            effect,
            command,
            not_before,
        }
        .into()
    } else {
        SagaStepRequested {
            saga_id,
            step,
            attempt,
            command_id,
            target,
            effect,
            command,
            not_before,
        }
        .into()
    }
}

fn success(progress: &Progress, step: &str, state: &StepState, facts: Map<String, Value>) -> Event {
    let (saga_id, step, attempt) = (progress.saga_id, step.to_owned(), state.attempt);
    let (target, effect, facts) = (state.target, state.effect.clone(), JsonText(facts));
    if state.compensation {
        SagaCompensationSucceeded { saga_id, step, attempt, target, effect, facts }.into()
    } else {
        SagaStepSucceeded { saga_id, step, attempt, target, effect, facts }.into()
    }
}

fn failed(
    progress: &Progress,
    step: &str,
    state: &StepState,
    (consequence, retryable): (Consequence, bool),
    failure: Failure,
) -> Event {
    let (saga_id, step, attempt) = (progress.saga_id, step.to_owned(), state.attempt);
    let (target, effect) = (state.target, state.effect.clone());
    let Failure { code, message, facts } = failure;
    let facts = JsonText(facts);
    if state.compensation {
        SagaCompensationFailed {
            saga_id,
            step,
            attempt,
            target,
            effect,
            code,
            message,
            facts,
            retryable,
            consequence,
        }
        .into()
    } else {
        SagaStepFailed {
            saga_id,
            step,
            attempt,
            target,
            effect,
            code,
            message,
            facts,
            retryable,
            consequence,
        }
        .into()
    }
}
