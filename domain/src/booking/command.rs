//! What can be asked of a booking. New ids come inside, so that a decision needs no randomness.

use serde::{Deserialize, Serialize};

use super::value::{CancelledBy, HeldLine, Line, Traveller};
use crate::Sealed;
use crate::ids::{BookingId, ItineraryId, PaymentId};
use crate::time::Timestamp;

/// A command to a booking. The actor is in the decision's context.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Command {
    /// Asks for a purchase, for the account that asks.
    Request {
        /// Its id, which also names its stream.
        booking_id: BookingId,
        /// The trip that it belongs to.
        itinerary_id: ItineraryId,
        /// What is bought; numbered from 1 in their order.
        lines: Vec<Line>,
        /// Who travels.
        travellers: Vec<Traveller>,
        /// How it is paid: a name or a token, never a card's number.
        payment_method: String,
    },
    /// Every line is held (the booking process alone).
    MarkHeld {
        /// The lines with what their holds froze, in their order.
        lines: Vec<HeldLine>,
        /// From when on the first of the holds cannot be sold any more.
        hold_expires_at: Timestamp,
    },
    /// It is paid and sold: from here on it is only cancelled (the booking process alone).
    Confirm {
        /// What paid for it.
        payment_id: PaymentId,
    },
    /// It was refused, and is undone (the booking process alone).
    Reject {
        /// The stable code of the reason.
        code: String,
        /// One sentence for people.
        message: String,
        /// The facts of the reason: a JSON object as text.
        facts: String,
    },
    /// It ran out of time, and is undone (the booking process alone).
    Expire,
    /// Asks to undo it.
    Cancel {
        /// As whom: the owner always cancels as a traveller, others only as an operator.
        by: CancelledBy,
        /// Why, in the words of whoever asks.
        reason: Sealed,
    },
    /// It is undone (the booking process alone).
    FinishCancellation,
    /// Says anew who travels; replaces what was said before (the owner alone).
    ChangeTravellers {
        /// Who travels.
        travellers: Vec<Traveller>,
    },
}

impl Command {
    /// Refuses what no booking accepts, whatever its state, before it reaches one.
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
            Self::MarkHeld { .. } => "mark-held",
            Self::Confirm { .. } => "confirm",
            Self::Reject { .. } => "reject",
            Self::Expire => "expire",
            Self::Cancel { .. } => "cancel",
            Self::FinishCancellation => "finish-cancellation",
            Self::ChangeTravellers { .. } => "change-travellers",
        }
    }
}
