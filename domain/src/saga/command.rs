//! What can be asked of a saga. The process's own facts come inside Start; outcomes come from
//! whoever sent the step's command.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::process::Process;
use super::progress::Cancellation;
use crate::calendar::Zone;
use crate::ids::SagaId;

/// A command to a saga. The actor is in the decision's context.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Command {
    /// Begins the process (the system alone). A second one appends nothing.
    Start {
        /// Its id, which also names its stream.
        saga_id: SagaId,
        /// What it is about.
        process: Process,
        /// What the installation allows; fixed from here on.
        settings: Settings,
    },
    /// Says what came of a step or a compensation (the system alone). Only the first outcome of an
    /// attempt counts.
    RecordStep {
        /// Which one.
        step: String,
        /// Which attempt.
        attempt: u32,
        /// What came of it.
        outcome: Outcome,
    },
    /// Says that the deadline is over (the system alone).
    PassDeadline,
    /// Says that somebody cancels what the process is about (the system alone).
    NoteCancellation {
        /// What the cancelled aggregate fixed.
        cancellation: Cancellation,
    },
    /// Tries again what a stuck saga gave up (an operator).
    Retry {
        /// Why; empty when there is nothing to say.
        #[serde(default)]
        reason: String,
    },
    /// Tries one step at once, whether it waits for its next attempt or was given up (an operator).
    Force {
        /// Which one.
        step: String,
        /// Why; empty when there is nothing to say.
        #[serde(default)]
        reason: String,
    },
    /// Settles by hand: one step, which then counts as done, or the whole saga (an operator).
    Resolve {
        /// Which step; the saga as a whole if none.
        step: Option<String>,
        /// Why, and what was done instead.
        reason: String,
    },
}

/// What an installation allows every saga. Fixed when a saga starts: a later change touches only
/// those that start later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Seconds from the start of a trip booking until it is paid or given up.
    pub payment_deadline_seconds: u32,
    /// Seconds that a hold outlives that deadline.
    pub hold_margin_seconds: u32,
    /// Who sells, as invoices say.
    pub seller: String,
    /// Where the seller's years begin and end.
    pub seller_zone: Zone,
    /// The language in which travellers are told of things.
    pub locale: String,
}

impl Default for Settings {
    /// 15 minutes to pay, and 5 more for the holds; the platform sells, in UTC and in English.
    fn default() -> Self {
        Self {
            payment_deadline_seconds: 900,
            hold_margin_seconds: 300,
            seller: "waylog".to_owned(),
            seller_zone: "UTC".parse().expect("UTC is a zone"),
            locale: "en".to_owned(),
        }
    }
}

impl Settings {
    /// Refuses what no saga could start with, or would be refused by the last steps of every one.
    ///
    /// # Errors
    /// The refusal that the saga, its invoice or its notification would give.
    pub fn check(&self) -> Result<(), crate::Refusal> {
        super::check::settings(self)?;
        crate::invoice_series::check_seller(&self.seller)?;
        crate::notification::check_locale(&self.locale)?;
        Ok(())
    }
}

/// What came of an attempt at a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Outcome {
    /// It is done.
    Succeeded {
        /// What later steps want to know of it.
        #[serde(default)]
        facts: Map<String, Value>,
    },
    /// It is known not to have happened.
    Failed {
        /// Stable code of the refusal or failure.
        code: String,
        /// One sentence for people.
        message: String,
        /// The refusal's facts.
        #[serde(default)]
        facts: Map<String, Value>,
        /// Whether the same may succeed later. A refusal is not retried.
        retryable: bool,
    },
}

impl Outcome {
    /// Done, with nothing to remember.
    #[must_use]
    pub fn done() -> Self {
        Self::Succeeded { facts: Map::new() }
    }

    /// Refused by an aggregate.
    #[must_use]
    pub fn refused(refusal: crate::Refusal) -> Self {
        let crate::Refusal { code, message, facts, .. } = refusal;
        Self::Failed { code, message, facts, retryable: false }
    }
}

impl Command {
    /// Refuses what no saga accepts, whatever its state, before it reaches one.
    ///
    /// # Errors
    /// The same refusal that a decision would give.
    pub fn check(&self) -> Result<(), super::Refusal> {
        super::check::command(self)
    }

    /// The command's name for logs and metrics.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Start { .. } => "start",
            Self::RecordStep { .. } => "record-step",
            Self::PassDeadline => "pass-deadline",
            Self::NoteCancellation { .. } => "note-cancellation",
            Self::Retry { .. } => "retry",
            Self::Force { .. } => "force",
            Self::Resolve { .. } => "resolve",
        }
    }
}

impl Command {
    /// The same, under these settings if it starts a saga.
    #[must_use]
    pub fn with_settings(mut self, ours: Settings) -> Self {
        if let Self::Start { settings, .. } = &mut self {
            *settings = ours;
        }
        self
    }
}

impl From<Command> for crate::Command {
    fn from(command: Command) -> Self {
        Self::Saga(command)
    }
}
