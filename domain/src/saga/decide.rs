//! A saga's decisions: one function a command, guards first; what follows from them is `react.rs`.

use super::command::{Command, Outcome, Settings};
use super::error::Refusal;
use super::event::{
    Action, Consequence, Event, FollowUp, SagaCancellationNoted, SagaDeadlinePassed,
    SagaResolvedByOperator, SagaStarted, Standing,
};
use super::json_text::JsonText;
use super::plan::Patience;
use super::process::Process;
use super::progress::{Cancellation, Failure, Progress, StepState, StepStatus};
use super::react::Unfolding;
use super::{Saga, check};
use crate::ids::SagaId;
use crate::{Actor, Context, Timestamp};

type Decision = Result<Vec<Event>, Refusal>;

/// Who may ask at all comes first, then whether the saga exists.
pub(super) fn decide(saga: &Saga, command: &Command, context: &Context) -> Decision {
    let Context { now, actor, .. } = context;
    match command {
        Command::Start { saga_id, process, settings } => {
            system(actor)?;
            start(saga, *saga_id, process, settings, *now)
        }
        Command::RecordStep { step, attempt, outcome } => {
            system(actor)?;
            record(saga, step, *attempt, outcome, *now)
        }
        Command::PassDeadline => {
            system(actor)?;
            pass_deadline(saga, *now)
        }
        Command::NoteCancellation { cancellation } => {
            system(actor)?;
            note_cancellation(saga, cancellation, *now)
        }
        Command::Retry { reason } => {
            operator(actor)?;
            retry(saga, &check::remark(reason)?, actor, *now)
        }
        Command::Force { step, reason } => {
            operator(actor)?;
            force(saga, step, &check::remark(reason)?, actor, *now)
        }
        Command::Resolve { step: Some(step), reason } => {
            operator(actor)?;
            resolve_step(saga, step, &check::reason(reason)?, actor, *now)
        }
        Command::Resolve { step: None, reason } => {
            operator(actor)?;
            resolve(saga, &check::reason(reason)?, actor, *now)
        }
    }
}

fn start(
    saga: &Saga,
    saga_id: SagaId,
    process: &Process,
    settings: &Settings,
    now: Timestamp,
) -> Decision {
    if saga.progress().is_some() {
        return Ok(Vec::new());
    }
    check::settings(settings)?;

    let deadline = process.rules().deadline_seconds(settings);
    let mut unfolding = Unfolding::of(saga, now);
    unfolding.push(SagaStarted {
        saga_id,
        kind: process.kind(),
        booking_id: process.booking_id(),
        process: JsonText(process.clone()),
        settings: JsonText(settings.clone()),
        deadline_at: deadline.map(|seconds| now.plus_seconds(i64::from(seconds))),
    });
    Ok(unfolding.settle())
}

/// The first recorded outcome of an attempt counts; what an ended saga hears changes nothing.
fn record(saga: &Saga, step: &str, attempt: u32, outcome: &Outcome, now: Timestamp) -> Decision {
    let progress = existing(saga)?;
    let state = known(progress, step)?;
    if attempt > state.attempt {
        return Err(Refusal::AttemptNotFound { step: step.to_owned(), attempt: state.attempt });
    }
    let waiting = state.status == StepStatus::Requested && state.attempt == attempt;
    if !saga.active() || !waiting {
        return Ok(Vec::new());
    }

    let mut unfolding = Unfolding::of(saga, now);
    match outcome {
        Outcome::Succeeded { facts } => unfolding.succeeded(step, facts.clone()),
        Outcome::Failed { code, message, facts, retryable } => {
            let consequence = consequence(progress, state, *retryable);
            let (code, message, facts) = (code.clone(), message.clone(), facts.clone());
            let failure = Failure { code, message, facts };
            unfolding.failed(step, consequence, *retryable, failure);
        }
    }
    Ok(unfolding.settle())
}

/// What must come through is tried long; what can be undone only if there is hope, and briefly; and
/// nothing is tried again that is about to be undone.
fn consequence(progress: &Progress, state: &StepState, retryable: bool) -> Consequence {
    let plan = progress.process.rules().plan(progress);
    if state.compensation || plan.irrevocable(progress) {
        let more = state.tries < Patience::LONG.attempts_max;
        return if more { Consequence::Retry } else { Consequence::GiveUp };
    }
    let more = retryable && state.tries < Patience::BRIEF.attempts_max;
    if more && progress.cause.is_none() { Consequence::Retry } else { Consequence::Compensate }
}

fn pass_deadline(saga: &Saga, now: Timestamp) -> Decision {
    let progress = existing(saga)?;
    let deadline_at = progress.deadline_at.ok_or(Refusal::WithoutDeadline)?;
    if now < deadline_at {
        return Err(Refusal::DeadlineNotReached { deadline_at });
    }
    if !saga.active() || progress.deadline_passed {
        return Ok(Vec::new());
    }

    // Once the point of no return was asked for, its outcome decides.
    let plan = progress.process.rules().plan(progress);
    let free = progress.cause.is_none() && !plan.irrevocable(progress);
    let interrupts = free && !plan.deciding(progress);
    let mut unfolding = Unfolding::of(saga, now);
    unfolding.push(SagaDeadlinePassed { saga_id: progress.saga_id, deadline_at, interrupts });
    Ok(unfolding.settle())
}

fn note_cancellation(saga: &Saga, cancellation: &Cancellation, now: Timestamp) -> Decision {
    let progress = existing(saga)?;
    let rules = progress.process.rules();
    if !rules.cancellable() {
        return Err(Refusal::NotCancellable { kind: progress.process.kind().name() });
    }
    if progress.cancellation.is_some() {
        return Ok(Vec::new());
    }

    // A booking that was not confirmed when it was cancelled never will be: a confirmation that is
    // under way is refused. One that was is past the point of no return, recorded or not.
    let past = rules.plan(progress).irrevocable(progress) || cancellation.was_confirmed;
    let standing = if saga.active() {
        let onward = progress.cause.is_none() && past;
        if onward { Standing::Irrevocable } else { Standing::Running }
    } else if past || cancelled(progress, cancellation) {
        Standing::Ended
    } else {
        // An operator ended it before its booking was: nobody else undoes what it left.
        Standing::Running
    };
    let follow_up = match standing {
        Standing::Ended => follow_up(progress, Some(cancellation)),
        Standing::Running | Standing::Irrevocable => None,
    };
    let mut unfolding = Unfolding::of(saga, now);
    unfolding.push(SagaCancellationNoted {
        saga_id: progress.saga_id,
        cancellation: JsonText(cancellation.clone()),
        standing,
        follow_up: follow_up.map(JsonText),
    });
    Ok(unfolding.settle())
}

/// Whether the saga did already what it would end with, had it heard of the cancellation.
fn cancelled(progress: &Progress, cancellation: &Cancellation) -> bool {
    let mut heard = progress.clone();
    heard.cancellation = Some(cancellation.clone());
    let (_, ending) = heard.process.rules().ending(&heard);
    ending.is_none_or(|step| progress.succeeded(&step.key))
}

fn retry(saga: &Saga, reason: &str, actor: &Actor, now: Timestamp) -> Decision {
    let progress = open(saga)?;
    if !matches!(saga, Saga::Stuck(_)) {
        return Err(Refusal::NotStuck);
    }

    let mut unfolding = Unfolding::of(saga, now);
    unfolding.push(interference(progress, Action::Retry, None, reason, actor));
    Ok(unfolding.settle())
}

fn force(saga: &Saga, step: &str, reason: &str, actor: &Actor, now: Timestamp) -> Decision {
    let progress = open(saga)?;
    let state = unsettled(progress, step)?;
    // What is due is being tried already; who wanted it at once is told of all the same.
    let early = state.status == StepStatus::Requested && state.not_before > now;

    let mut unfolding = Unfolding::of(saga, now);
    unfolding.push(interference(progress, Action::Force, Some(step), reason, actor));
    if early {
        unfolding.hasten(step);
    }
    Ok(unfolding.settle())
}

fn resolve_step(saga: &Saga, step: &str, reason: &str, actor: &Actor, now: Timestamp) -> Decision {
    let progress = open(saga)?;
    let state = unsettled(progress, step)?;
    let plan = progress.process.rules().plan(progress);
    if !(state.compensation || plan.irrevocable(progress)) {
        return Err(Refusal::StepUndoable { step: step.to_owned() });
    }

    let mut unfolding = Unfolding::of(saga, now);
    unfolding.push(interference(progress, Action::Resolve, Some(step), reason, actor));
    unfolding.succeeded(step, serde_json::Map::new());
    Ok(unfolding.settle())
}

fn resolve(saga: &Saga, reason: &str, actor: &Actor, now: Timestamp) -> Decision {
    let progress = open(saga)?;

    let mut unfolding = Unfolding::of(saga, now);
    unfolding.abandon(|_| true);
    // What was confirmed is undone by a saga of its own, whether or not this one has heard of it.
    let cancellation = progress.cancellation.as_ref().filter(|_| progress.cause.is_none());
    let mut ended = interference(progress, Action::Resolve, None, reason, actor);
    ended.ends = true;
    ended.follow_up = follow_up(progress, cancellation).map(JsonText);
    unfolding.push(ended);
    Ok(unfolding.settle())
}

/// The saga that undoes this one, which came through.
pub(super) fn follow_up(
    progress: &Progress,
    cancellation: Option<&Cancellation>,
) -> Option<FollowUp> {
    let cancellation = cancellation.filter(|cancellation| cancellation.was_confirmed)?;
    progress.process.rules().undone_by(progress, cancellation)
}

fn interference(
    progress: &Progress,
    action: Action,
    step: Option<&str>,
    reason: &str,
    operator: &Actor,
) -> SagaResolvedByOperator {
    SagaResolvedByOperator {
        saga_id: progress.saga_id,
        action,
        step: step.map(str::to_owned),
        reason: reason.to_owned(),
        operator: operator.clone(),
        ends: false,
        follow_up: None,
    }
}

fn existing(saga: &Saga) -> Result<&Progress, Refusal> {
    saga.progress().ok_or(Refusal::SagaNotFound)
}

fn open(saga: &Saga) -> Result<&Progress, Refusal> {
    let progress = existing(saga)?;
    if saga.active() { Ok(progress) } else { Err(Refusal::Ended) }
}

fn known<'a>(progress: &'a Progress, step: &str) -> Result<&'a StepState, Refusal> {
    let step_not_found = || Refusal::StepNotFound { step: step.to_owned() };
    progress.steps.get(step).ok_or_else(step_not_found)
}

fn unsettled<'a>(progress: &'a Progress, step: &str) -> Result<&'a StepState, Refusal> {
    let state = known(progress, step)?;
    match state.status {
        StepStatus::Requested | StepStatus::Failed | StepStatus::GivenUp => Ok(state),
        StepStatus::Succeeded | StepStatus::Over => {
            Err(Refusal::StepSettled { step: step.to_owned() })
        }
    }
}

fn system(actor: &Actor) -> Result<(), Refusal> {
    match actor {
        Actor::System(_) => Ok(()),
        Actor::Account(_) => Err(Refusal::SystemRequired),
    }
}

fn operator(actor: &Actor) -> Result<(), Refusal> {
    match actor {
        Actor::Account(_) => Ok(()),
        Actor::System(_) => Err(Refusal::OperatorRequired),
    }
}
