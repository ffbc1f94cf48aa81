//! What can have happened to a saga. One struct an event: each has an Avro schema of its own.
//!
//! Every struct names the saga. What a process or a step knows beyond that travels as JSON text, so
//! that a new saga needs no new schema.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::json_text::JsonText;
use super::process::{Kind, Process};
use super::progress::Cancellation;
use crate::ids::{BookingId, CommandId, SagaId};
use crate::payload::event_types;
use crate::{Actor, StreamName, Timestamp};

event_types! {
    /// An event of a saga.
    pub enum Event in Saga {
        /// The process began.
        Started(SagaStarted) = "saga-started",
        /// A command is to be sent.
        StepRequested(SagaStepRequested) = "saga-step-requested",
        /// A step is done.
        StepSucceeded(SagaStepSucceeded) = "saga-step-succeeded",
        /// An attempt at a step failed, or is no longer waited for.
        StepFailed(SagaStepFailed) = "saga-step-failed",
        /// A command that undoes, or ends what was undone, is to be sent.
        CompensationRequested(SagaCompensationRequested) = "saga-compensation-requested",
        /// A compensation is done.
        CompensationSucceeded(SagaCompensationSucceeded) = "saga-compensation-succeeded",
        /// An attempt at a compensation failed, or is no longer waited for.
        CompensationFailed(SagaCompensationFailed) = "saga-compensation-failed",
        /// Its time is over.
        DeadlinePassed(SagaDeadlinePassed) = "saga-deadline-passed",
        /// It has seen that somebody cancels.
        CancellationNoted(SagaCancellationNoted) = "saga-cancellation-noted",
        /// Everything is done.
        Completed(SagaCompleted) = "saga-completed",
        /// Everything is undone.
        Compensated(SagaCompensated) = "saga-compensated",
        /// It cannot go on without an operator.
        Stuck(SagaStuck) = "saga-stuck",
        /// An operator interfered.
        ResolvedByOperator(SagaResolvedByOperator) = "saga-resolved-by-operator",
    }
}

macro_rules! payloads {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* })+) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        pub struct $name {
            /// The saga.
            pub saga_id: SagaId,
            $($(#[$field_doc])* pub $field: $type,)*
        }
    )+};
}

/// Steps and compensations happen alike.
macro_rules! step_payloads {
    ($requested:ident, $succeeded:ident, $failed:ident, $what:literal) => {
        payloads! {
            #[doc = concat!("`saga-", $what, "-requested`: a command to be sent.")]
            $requested {
                /// Which one; unique in its saga.
                step: String,
                /// From 1; rises only after a known failure.
                attempt: u32,
                /// The command's id: an unknown outcome repeats it.
                command_id: CommandId,
                /// To which stream the command goes.
                target: StreamName,
                /// What the target's events will call this step's effect.
                effect: String,
                /// The command.
                command: JsonText<crate::Command>,
                /// Not to be sent earlier.
                not_before: Timestamp,
            }
            #[doc = concat!("`saga-", $what, "-succeeded`: it is done.")]
            $succeeded {
                /// Which one.
                step: String,
                /// Which attempt.
                attempt: u32,
                /// To which stream the command went.
                target: StreamName,
                /// What the target's events call this step's effect.
                effect: String,
                /// What later steps want to know of it.
                facts: JsonText<Map<String, Value>>,
            }
            #[doc = concat!("`saga-", $what, "-failed`: an attempt is over.")]
            $failed {
                /// Which one.
                step: String,
                /// Which attempt.
                attempt: u32,
                /// To which stream the command went.
                target: StreamName,
                /// What the target's events call this step's effect.
                effect: String,
                /// Stable code of the refusal or failure.
                code: String,
                /// One sentence for people.
                message: String,
                /// The refusal's facts.
                facts: JsonText<Map<String, Value>>,
                /// Whether the outside failed, so that the same may succeed later; not a refusal.
                retryable: bool,
                /// What the saga makes of it.
                consequence: Consequence,
            }
        }
    };
}

step_payloads!(SagaStepRequested, SagaStepSucceeded, SagaStepFailed, "step");
step_payloads!(
    SagaCompensationRequested,
    SagaCompensationSucceeded,
    SagaCompensationFailed,
    "compensation"
);

/// What a saga makes of a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Consequence {
    /// Another attempt follows.
    Retry,
    /// No other attempt follows: what was requested is undone.
    Compensate,
    /// No other attempt follows, and it must come through: an operator is needed.
    GiveUp,
    /// The outcome is not known and no longer waited for: whatever comes of it is undone.
    Abandon,
}

/// What an operator did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Tried again what was given up.
    Retry,
    /// Tried one step at once.
    Force,
    /// Settled one step, or the saga, by hand.
    Resolve,
}

/// Where a saga stood when it saw the cancellation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Before the point of no return: it compensates. So does one that an operator had ended there.
    Running,
    /// Past it: it goes on to its end, and what undoes it starts then.
    Irrevocable,
    /// It had ended.
    Ended,
}

/// How a saga that compensated left its booking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// A step was refused or failed.
    Failed,
    /// Time was over.
    Expired,
    /// Somebody cancelled.
    Cancelled,
}

/// Another saga that is to start now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FollowUp {
    /// Its id.
    pub saga_id: SagaId,
    /// What it is about.
    pub process: Process,
}

payloads! {
    /// `saga-started`.
    SagaStarted {
        /// Which process it is.
        kind: Kind,
        /// The booking it is about.
        booking_id: BookingId,
        /// What it is about, as fixed at the start.
        process: JsonText<Process>,
        /// What the installation allowed at the start.
        settings: JsonText<super::Settings>,
        /// When its time is over; none if it has all the time it needs.
        deadline_at: Option<Timestamp>,
    }
    /// `saga-deadline-passed`.
    SagaDeadlinePassed {
        /// When it was.
        deadline_at: Timestamp,
        /// Whether it turns the saga around; not past the point of no return.
        interrupts: bool,
    }
    /// `saga-cancellation-noted`.
    SagaCancellationNoted {
        /// What was cancelled, as the event said.
        cancellation: JsonText<Cancellation>,
        /// Where the saga stood.
        standing: Standing,
        /// The saga that undoes this one, if it is to start now.
        follow_up: Option<JsonText<FollowUp>>,
    }
    /// `saga-completed`.
    SagaCompleted {
        /// Which process it was.
        kind: Kind,
        /// The booking it was about.
        booking_id: BookingId,
        /// The saga that is to start now, if any.
        follow_up: Option<JsonText<FollowUp>>,
    }
    /// `saga-compensated`.
    SagaCompensated {
        /// Which process it was.
        kind: Kind,
        /// The booking it was about.
        booking_id: BookingId,
        /// How it ended.
        ending: Ending,
    }
    /// `saga-stuck`.
    SagaStuck {
        /// Which step or compensation was given up.
        step: String,
        /// After which attempt.
        attempt: u32,
        /// Stable code of its last failure.
        code: String,
        /// One sentence for people.
        message: String,
    }
    /// `saga-resolved-by-operator`.
    SagaResolvedByOperator {
        /// What the operator did.
        action: Action,
        /// The step it concerns; the saga as a whole if none.
        step: Option<String>,
        /// Why; empty when nothing was said.
        reason: String,
        /// Who.
        operator: Actor,
        /// Whether this ends the saga.
        ends: bool,
        /// The saga that is to start now, if any.
        follow_up: Option<JsonText<FollowUp>>,
    }
}
