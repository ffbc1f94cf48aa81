//! What can have happened to a booking. One struct an event: each has an Avro schema of its own.
//!
//! Every struct names the booking, so that a reader of one record needs nothing else.

use serde::{Deserialize, Serialize};

use super::value::{CancelledBy, HeldLine, Line, LineRefund, SoldLine, Status, Traveller};
use crate::Sealed;
use crate::ids::{AccountId, BookingId, ItineraryId, PaymentId};
use crate::money::Money;
use crate::payload::event_types;
use crate::time::Timestamp;

event_types! {
    /// An event of a booking.
    pub enum Event in Booking {
        /// It was asked for.
        Requested(BookingRequested) = "booking-requested",
        /// Every line is held.
        Held(BookingHeld) = "booking-held",
        /// It is paid and sold.
        Confirmed(BookingConfirmed) = "booking-confirmed",
        /// It was refused, and is undone.
        Rejected(BookingRejected) = "booking-rejected",
        /// It ran out of time, and is undone.
        Expired(BookingExpired) = "booking-expired",
        /// Somebody asked to undo it.
        CancellationRequested(BookingCancellationRequested) = "booking-cancellation-requested",
        /// It is undone.
        Cancelled(BookingCancelled) = "booking-cancelled",
        /// Other people travel.
        TravellersChanged(BookingTravellersChanged) = "booking-travellers-changed",
    }
}

macro_rules! payloads {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* })+) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        pub struct $name {
            /// The booking.
            pub booking_id: BookingId,
            $($(#[$field_doc])* pub $field: $type,)*
        }
    )+};
}

payloads! {
    /// `booking-requested`.
    BookingRequested {
        /// Whose it is: the account that asked.
        account: AccountId,
        /// The trip that it belongs to.
        itinerary_id: ItineraryId,
        /// What is bought, numbered from 1.
        lines: Vec<Line>,
        /// Who travels.
        travellers: Vec<Traveller>,
        /// What it costs: the sum of its lines.
        total: Money,
        /// How it is paid.
        payment_method: String,
        /// When it was decided.
        requested_at: Timestamp,
    }
    /// `booking-held`.
    BookingHeld {
        /// The lines with what their holds froze.
        lines: Vec<HeldLine>,
        /// From when on the first of the holds cannot be sold any more.
        hold_expires_at: Timestamp,
    }
    /// `booking-confirmed`.
    BookingConfirmed {
        /// Whose it is.
        account: AccountId,
        /// The trip that it belongs to.
        itinerary_id: ItineraryId,
        /// What paid for it.
        payment_id: PaymentId,
        /// What is sold.
        lines: Vec<SoldLine>,
        /// What it costs.
        total: Money,
        /// When it was decided.
        confirmed_at: Timestamp,
    }
    /// `booking-rejected`.
    BookingRejected {
        /// The stable code of the reason.
        code: String,
        /// One sentence for people.
        message: String,
        /// The facts of the reason: a JSON object as text.
        facts: String,
    }
    /// `booking-expired`.
    BookingExpired {}
    /// `booking-cancellation-requested`: fixes when, by whom, why and what is returned.
    BookingCancellationRequested {
        /// Where it stood: requested, held or confirmed.
        previous: Status,
        /// As whom it was asked.
        by: CancelledBy,
        /// Why, in the words of whoever asked.
        reason: Sealed,
        /// When it was decided: what the policies are judged by.
        cancelled_at: Timestamp,
        /// What is returned for each line. Before the confirmation, everything.
        refunds: Vec<LineRefund>,
        /// The sum of the refunds: what is returned of what was captured.
        refund_total: Money,
        /// What is kept: the price without the refunds.
        fee: Money,
    }
    /// `booking-cancelled`.
    BookingCancelled {}
    /// `booking-travellers-changed`: replaces what was said before.
    BookingTravellersChanged {
        /// Who travels.
        travellers: Vec<Traveller>,
    }
}
