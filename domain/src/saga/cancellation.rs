//! The saga that undoes a confirmed booking, for what its policies give back.
//!
//! Started when a trip booking has come to its end and a cancellation of the confirmed booking was
//! noted, whichever comes last; at most one a booking.
//!
//! | # | step | command | compensation |
//! |---|---|---|---|
//! | | **it begins past the point of no return** | | none: everything is tried until done |
//! | 1 | `return:<line>`, all in parallel | offer: Return | |
//! | 2 | `detach` | itinerary: DetachBooking | |
//! | 3 | `refund` | payment: RequestRefund, of what the cancellation fixed | |
//! | 4 | `finish-cancellation` | booking: FinishCancellation | |
//! | 5 | `credit`, `notify` | invoice series: Credit; notification: Request | |
//!
//! Where nothing is given back, 3 and the credit note are left out.

use serde::{Deserialize, Serialize};
use serde_json::Map;

use super::ask::{self, Notice};
use super::command::Settings;
use super::event::{Ending, FollowUp};
use super::plan::{Plan, Rules, Step};
use super::progress::{Cancellation, Progress};
use crate::ids::{AccountId, BookingId, HoldId, ItineraryId, OfferId, PaymentId};
use crate::money::Money;
use crate::refusal::fact;
use crate::{Sealed, booking};

/// What a cancellation is about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CancelledTrip {
    /// The booking.
    pub booking_id: BookingId,
    /// Whose it is.
    pub account_id: AccountId,
    /// The trip that it belongs to.
    pub itinerary_id: ItineraryId,
    /// What was sold.
    pub lines: Vec<Sold>,
    /// What paid for it.
    pub payment_id: PaymentId,
    /// What is given back.
    pub refund: Money,
    /// What is kept.
    pub fee: Money,
    /// Who is told of it; sealed.
    pub recipient: Option<Sealed>,
}

/// A line that was sold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sold {
    /// Its number in the booking.
    pub line: u32,
    /// Of which offer.
    pub offer_id: OfferId,
    /// The hold that was sold.
    pub hold_id: HoldId,
}

impl Rules for CancelledTrip {
    fn booking_id(&self) -> BookingId {
        self.booking_id
    }

    fn deadline_seconds(&self, _: &Settings) -> Option<u32> {
        None
    }

    fn plan<'a>(&'a self, progress: &'a Progress) -> Plan<'a> {
        let (payment_id, booking_id) = (self.payment_id, self.booking_id);
        let paid = |step: Step<'a>| if self.refund.amount > 0 { vec![step] } else { Vec::new() };

        let returns = self.lines.iter().map(|sold| {
            let ask = |_| ask::take_back(sold.offer_id, sold.hold_id);
            Step::new(format!("return:{}", sold.line), ask)
        });
        let detach = Step::new("detach", move |_| ask::detach(self.itinerary_id, booking_id));
        let refund = Step::new("refund", move |attempt| {
            let reason = "the booking was cancelled";
            ask::refund(payment_id, progress.saga_id, self.refund, reason, attempt)
        });
        let finish = Step::new("finish-cancellation", move |_| {
            ask::booking(booking_id, booking::Command::FinishCancellation)
        });
        let credit = Step::new("credit", move |attempt| {
            let given_back = (payment_id, booking_id, self.refund);
            ask::credit(&progress.settings, attempt, given_back, "cancellation")
        });
        let notify = Step::new("notify", move |_| {
            let facts = Map::from_iter([
                ("account_id".to_owned(), fact(self.account_id)),
                ("refund".to_owned(), fact(self.refund)),
                ("fee".to_owned(), fact(self.fee)),
            ]);
            let (template, recipient) = ("booking-cancelled", self.recipient.clone());
            ask::notify(progress, Notice { booking_id, template, recipient, facts })
        });
        let mut told = paid(credit);
        told.push(notify);

        Plan {
            revocable: Vec::new(),
            pivot: None,
            onward: vec![returns.collect(), vec![detach], paid(refund), vec![finish], told],
        }
    }

    /// It never compensates.
    fn ending<'a>(&'a self, _: &'a Progress) -> (Ending, Option<Step<'a>>) {
        (Ending::Cancelled, None)
    }

    fn undone_by(&self, _: &Progress, _: &Cancellation) -> Option<FollowUp> {
        None
    }

    fn cancellable(&self) -> bool {
        false
    }
}
