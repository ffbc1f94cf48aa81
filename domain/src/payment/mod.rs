//! The payment: money for a booking, as far as its provider lets it be known.
//!
//! | status | meaning | leaves it by |
//! |---|---|---|
//! | not requested | nothing was asked | `-requested`, `-void-requested` |
//! | requested | an authorization is awaited | `-authorized`, `-failed`, `-timed-out` |
//! | authorized | money is set aside | `-capture-requested` |
//! | capturing | a capture is awaited | `-succeeded`; `-failed` (back to authorized) |
//! | captured | money was taken | `-refunded`, when all of it was |
//! | failed, timed out | closed: no authorization | a late answer |
//! | voiding | closed: everything is being given back | `-voided`, `-void-failed` |
//! | void failed | closed: something is still held | `-void-requested` |
//! | voided, refunded | closed: nothing is held | a late answer |
//!
//! `-void-requested` leads from every status to voiding, and so does what the provider releases on
//! its own to voided. From requested on, every status knows the same things ([`Ledger`]), because
//! any answer may come at any time: late, twice, or in an order of its own.
//!
//! Invariants, at every version:
//! - refunded + refund-pending <= captured <= authorized <= requested. What a provider says beyond
//!   that is recorded as `reported`, beside the amount that counts.
//! - The provider is asked for one thing at a time: an authorization, a capture or a release; a
//!   void takes the place of what is open. Refunds are asked for one at a time, the payment's own
//!   aside.
//! - What a provider says is never refused but for being unreadable, and is recorded once.
//! - A closed payment keeps nothing: an authorization or success that comes late is recorded, and
//!   the same decision asks for its release or refund, unless a void that is open does so already.
//! - A void gives everything back: it is answered by `-voided` once nothing is authorized without
//!   being captured and nothing captured without being refunded.
//! - Void and refund are asked for by processes that undo what they do not know to have happened.
//!   With nothing to undo they append all the same, and close the payment for what comes late.
//!
//! - What the payment asked for itself and was refused is handed to the payment watch in the same
//!   decision (`-watch-requested`), unless a void of somebody else's is open, who hears of it.
//!
//! Systems alone ask (sagas, connectors).

mod check;
mod command;
mod decide;
mod error;
mod event;
mod facts;
mod ledger;
pub mod limits;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
mod value;
#[cfg(test)]
mod watch_tests;

use serde::{Deserialize, Serialize};

pub use command::Command;
pub use error::Refusal;
pub use event::{
    Event, PaymentAuthorized, PaymentCaptureRequested, PaymentFailed, PaymentRefundFailed,
    PaymentRefundRequested, PaymentRefunded, PaymentRequested, PaymentSucceeded, PaymentTimedOut,
    PaymentVoidFailed, PaymentVoidRequested, PaymentVoided, PaymentWatchRequested,
};
pub use ledger::{Ledger, OpenVoid, Refund, RefundStatus};
pub use value::{Phase, Status, Terms, WatchAttempt};

use crate::{Aggregate, Category, Context};

/// The state of a payment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Payment {
    /// Nothing was asked of it yet.
    #[default]
    NotRequested,
    /// Something was: its status is inside.
    Known(Box<Ledger>),
}

impl Aggregate for Payment {
    const CATEGORY: Category = Category::Payment;
    const FOLD_VERSION: u32 = 2;
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;

    fn decide(&self, command: &Command, context: &Context) -> Result<Vec<Event>, Refusal> {
        decide::decide(self, command, context)
    }

    fn evolve(self, event: &Event) -> Self {
        let mut ledger = match (self, event) {
            (Self::Known(ledger), _) => ledger,
            (Self::NotRequested, Event::Requested(event)) => {
                Box::new(Ledger::new(event.into(), Status::Requested))
            }
            (Self::NotRequested, Event::VoidRequested(event)) => {
                Box::new(Ledger::new(event.into(), Status::Voiding))
            }
            // The log holds no such event; a fold refuses nothing.
            (Self::NotRequested, _) => return Self::NotRequested,
        };
        ledger.apply(event);
        Self::Known(ledger)
    }
}
