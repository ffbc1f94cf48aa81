//! What can be asked of a notification, and what became of it outside.

use serde::{Deserialize, Serialize};

use super::value::Channel;
use crate::Sealed;
use crate::ids::{BookingId, EventId, NotificationId};

/// A command to a notification; from systems alone (sagas, connectors).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Command {
    /// Asks for a message to be sent.
    Request {
        /// Its id, which also names its stream.
        notification_id: NotificationId,
        /// What it is about.
        booking_id: BookingId,
        /// Which text (`booking-confirmed`).
        template: String,
        /// Which way.
        channel: Channel,
        /// In which language (`pt-PT`).
        locale: String,
        /// To whom; none when the channel knows (a partner's webhook).
        recipient: Option<Sealed>,
        /// What the text is filled with: a JSON object, never personal data.
        facts: String,
    },
    /// The provider took the message.
    RecordSent {
        /// The provider's id of the message, if it has one.
        reference: Option<String>,
    },
    /// The provider did not take it, or it came back.
    RecordFailed {
        /// From 1; which try this was.
        attempt: u32,
        /// The provider's code.
        code: String,
        /// What was wrong, in words that may stay when the recipient is forgotten.
        message: String,
    },
    /// The message reached the recipient.
    RecordDelivered {},
    /// Notes that nobody could be asked to take the message: no try, so always refused, and a trace
    /// among the refusals.
    NoteUnanswered {
        /// The event that asks for the message.
        request: EventId,
        /// The channel.
        operation: String,
        /// What was in the way: a stable code.
        code: String,
        /// How many more ended so, and were not recorded, since the last that was.
        left_out: u64,
    },
    /// Gives up.
    Abandon {
        /// Why.
        reason: String,
    },
}

impl Command {
    /// Refuses what no notification accepts, whatever its state, before it reaches one.
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
            Self::RecordSent { .. } => "record-sent",
            Self::RecordFailed { .. } => "record-failed",
            Self::RecordDelivered {} => "record-delivered",
            Self::NoteUnanswered { .. } => "note-unanswered",
            Self::Abandon { .. } => "abandon",
        }
    }
}
