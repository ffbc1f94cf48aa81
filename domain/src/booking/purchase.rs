//! What a booking knows in each state.

use serde::{Deserialize, Serialize};

use super::event::{BookingCancellationRequested, BookingRequested};
use super::value::{CancelledBy, HeldLine, Line, LineRefund, Status, Traveller};
use crate::ids::{AccountId, BookingId, ItineraryId, PaymentId};
use crate::money::Money;
use crate::time::Timestamp;

/// What was asked for, in every state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Purchase {
    /// The booking's id.
    pub booking_id: BookingId,
    /// Whose it is.
    pub account: AccountId,
    /// The trip that it belongs to.
    pub itinerary_id: ItineraryId,
    /// What is bought.
    pub lines: Vec<Line>,
    /// Who travels.
    pub travellers: Vec<Traveller>,
    /// What it costs.
    pub total: Money,
    /// How it is paid.
    pub payment_method: String,
}

/// A purchase whose lines are held.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HeldPurchase {
    /// What was asked for.
    pub purchase: Purchase,
    /// What the holds froze.
    pub held_lines: Vec<HeldLine>,
    /// From when on the first of the holds cannot be sold any more.
    pub hold_expires_at: Timestamp,
}

/// A purchase that is paid and sold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConfirmedPurchase {
    /// What was asked for.
    pub purchase: Purchase,
    /// What is sold, with what the holds froze.
    pub held_lines: Vec<HeldLine>,
    /// What paid for it.
    pub payment_id: PaymentId,
}

/// A purchase that somebody asked to undo.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CancelledPurchase {
    /// What was asked for.
    pub purchase: Purchase,
    /// What was fixed when it was asked.
    pub cancellation: Cancellation,
}

/// What a cancellation fixed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cancellation {
    /// Where the booking stood.
    pub previous: Status,
    /// As whom it was asked.
    pub by: CancelledBy,
    /// When it was decided.
    pub cancelled_at: Timestamp,
    /// What is returned for each line.
    pub refunds: Vec<LineRefund>,
    /// The sum of the refunds.
    pub refund_total: Money,
    /// What is kept.
    pub fee: Money,
}

/// A purchase that was refused on the way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RejectedPurchase {
    /// What was asked for.
    pub purchase: Purchase,
    /// The stable code of the reason.
    pub code: String,
    /// One sentence for people.
    pub message: String,
}

impl From<&BookingRequested> for Purchase {
    fn from(event: &BookingRequested) -> Self {
        Self {
            booking_id: event.booking_id,
            account: event.account,
            itinerary_id: event.itinerary_id,
            lines: event.lines.clone(),
            travellers: event.travellers.clone(),
            total: event.total,
            payment_method: event.payment_method.clone(),
        }
    }
}

impl From<&BookingCancellationRequested> for Cancellation {
    fn from(event: &BookingCancellationRequested) -> Self {
        Self {
            previous: event.previous,
            by: event.by,
            cancelled_at: event.cancelled_at,
            refunds: event.refunds.clone(),
            refund_total: event.refund_total,
            fee: event.fee,
        }
    }
}
