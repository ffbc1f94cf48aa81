//! What can be asked of a payment, and what its provider can have said about it.

use serde::{Deserialize, Serialize};

use super::value::{Phase, Terms};
use crate::Digest;
use crate::ids::{EventId, RefundId};
use crate::money::Money;

/// A command to a payment; from systems alone (sagas, connectors).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Command {
    /// Asks the provider to set the money aside.
    Request {
        /// What for.
        terms: Terms,
    },
    /// Asks the provider to take what was set aside, all of it.
    RequestCapture {
        /// From 1; rises after a known failure.
        attempt: u32,
    },
    /// Asks for everything that is held to be given back, and closes the payment.
    RequestVoid {
        /// What the payment is for, in case it was never requested.
        terms: Terms,
        /// From 1; rises after a known failure.
        attempt: u32,
        /// Why.
        reason: String,
    },
    /// Asks the provider to give captured money back.
    RequestRefund {
        /// Its id, new in this payment.
        refund_id: RefundId,
        /// How much; nothing is asked of the provider for nothing.
        amount: Money,
        /// Why.
        reason: String,
        /// From 1; rises after a known failure.
        attempt: u32,
    },
    /// Gives up waiting for the authorization.
    TimeOut {},
    /// The provider set money aside.
    RecordAuthorized {
        /// The provider's id of the authorization.
        reference: String,
        /// How much the provider says it is.
        amount: Money,
    },
    /// The provider took money.
    RecordSucceeded {
        /// The provider's id of the capture.
        reference: String,
        /// How much the provider says it is.
        amount: Money,
    },
    /// The provider refused for good.
    RecordFailed {
        /// What it refused.
        phase: Phase,
        /// Which attempt, where the provider's answer tells; else the open one.
        attempt: Option<u32>,
        /// The provider's id of the refused try, if it has one.
        reference: Option<String>,
        /// The provider's code (`card_declined`).
        code: String,
        /// The provider's words.
        message: String,
    },
    /// The provider holds nothing any more.
    RecordVoided {
        /// Which attempt was answered.
        attempt: u32,
        /// The provider's id of the release, if it has one.
        reference: Option<String>,
    },
    /// The provider did not release what it holds.
    RecordVoidFailed {
        /// Which attempt was answered.
        attempt: u32,
        /// The provider's code.
        code: String,
        /// The provider's words.
        message: String,
    },
    /// The provider gave money back.
    RecordRefunded {
        /// Which refund.
        refund_id: RefundId,
        /// The provider's id of the refund.
        reference: String,
        /// How much the provider says it is.
        amount: Money,
    },
    /// Takes what nobody proves that a provider says: always refused, so that it leaves a trace.
    TakeUnproven {
        /// Which provider is said to speak.
        provider: String,
        /// Why it is not believed: a stable code.
        why: String,
        /// The digest of what was said.
        body_sha256: Digest,
        /// How many more were not believed, and not recorded, since the last that was.
        left_out: u64,
    },
    /// Notes that the provider was called and gave no certain answer, or did nothing: no
    /// fact, so always refused, and a trace among the refusals.
    NoteUnanswered {
        /// The event that asks the provider.
        request: EventId,
        /// What it was called for: `capture`, or `look_up`.
        operation: String,
        /// Whether it may have been done; otherwise it was not.
        may_be_done: bool,
        /// How the call ended: a stable code.
        code: String,
        /// How many more ended so, and were not recorded, since the last that was.
        left_out: u64,
    },
    /// The provider did not give the money back.
    RecordRefundFailed {
        /// Which refund.
        refund_id: RefundId,
        /// The provider's code.
        code: String,
        /// The provider's words.
        message: String,
    },
}

impl Command {
    /// Refuses what no payment accepts, whatever its state, before it reaches one.
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
            Self::Request { .. } => "request",
            Self::RequestCapture { .. } => "request-capture",
            Self::RequestVoid { .. } => "request-void",
            Self::RequestRefund { .. } => "request-refund",
            Self::TimeOut {} => "time-out",
            Self::RecordAuthorized { .. } => "record-authorized",
            Self::RecordSucceeded { .. } => "record-succeeded",
            Self::RecordFailed { .. } => "record-failed",
            Self::RecordVoided { .. } => "record-voided",
            Self::RecordVoidFailed { .. } => "record-void-failed",
            Self::RecordRefunded { .. } => "record-refunded",
            Self::RecordRefundFailed { .. } => "record-refund-failed",
            Self::TakeUnproven { .. } => "take-unproven",
            Self::NoteUnanswered { .. } => "note-unanswered",
        }
    }
}
