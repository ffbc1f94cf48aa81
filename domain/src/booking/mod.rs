//! The booking: one traveller's purchase of one or more lines, in one currency.
//!
//! | state | leaves it by | accepts |
//! |---|---|---|
//! | not requested | `booking-requested` | Request |
//! | requested | `booking-held` or an ending | MarkHeld, Reject, Expire, Cancel, ChangeTravellers |
//! | held | `booking-confirmed` or an ending | Confirm, Reject, Expire, Cancel, ChangeTravellers |
//! | confirmed | `booking-cancellation-requested` | Cancel, ChangeTravellers |
//! | cancelling | `booking-cancelled` | FinishCancellation |
//! | cancelled, rejected, expired | never | nothing |
//!
//! An ending is `booking-rejected`, `-expired` or `-cancellation-requested`.
//!
//! Invariants, at every version:
//! - What is held, sold and paid is what was asked for: held lines equal the requested ones, and
//!   the total is the sum of their prices, in one currency.
//! - Confirm and Cancel exclude each other: whichever the log has first, the other is refused (a
//!   confirmed booking is cancelled under its policies, a cancelling one is never confirmed).
//! - A cancellation fixes what is returned: for each line the percentage that its frozen policy
//!   names at that instant, rounded down; everything as long as nothing is confirmed. Refunds and
//!   fee together are the total.
//! - Nothing leaves rejected, expired and cancelled.
//! - The purchase's steps are the booking process's alone; the owner changes who travels and
//!   cancels; others cancel as operators, which is judged where requests are taken in.
//!
//! What is asked for and true already appends nothing, so that a process may ask again.

mod check;
mod command;
mod decide;
mod error;
mod event;
pub mod limits;
#[cfg(test)]
mod properties;
mod purchase;
#[cfg(test)]
mod tests;
mod value;

use serde::{Deserialize, Serialize};

pub use command::Command;
pub use error::Refusal;
pub use event::{
    BookingCancellationRequested, BookingCancelled, BookingConfirmed, BookingExpired, BookingHeld,
    BookingRejected, BookingRequested, BookingTravellersChanged, Event,
};
pub use purchase::{
    Cancellation, CancelledPurchase, ConfirmedPurchase, HeldPurchase, Purchase, RejectedPurchase,
};
pub use value::{CancelledBy, HeldLine, Line, LineRefund, SoldLine, Status, Traveller};

use crate::{Aggregate, Category, Context};

/// The state of a booking. As JSON, what the state knows beside a `status`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum Booking {
    /// Nothing has happened yet.
    #[default]
    NotRequested,
    /// It was asked for.
    Requested(Box<Purchase>),
    /// Every line is held.
    Held(Box<HeldPurchase>),
    /// It is paid and sold.
    Confirmed(Box<ConfirmedPurchase>),
    /// It is being undone.
    Cancelling(Box<CancelledPurchase>),
    /// It was undone by somebody's wish.
    Cancelled(Box<CancelledPurchase>),
    /// It was refused, and undone.
    Rejected(Box<RejectedPurchase>),
    /// It ran out of time, and was undone.
    Expired(Box<Purchase>),
}

impl Aggregate for Booking {
    const CATEGORY: Category = Category::Booking;
    const FOLD_VERSION: u32 = 1;
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;

    fn decide(&self, command: &Command, context: &Context) -> Result<Vec<Event>, Refusal> {
        decide::decide(self, command, context)
    }

    fn evolve(mut self, event: &Event) -> Self {
        if let (Event::TravellersChanged(event), Some(purchase)) = (event, self.purchase_mut()) {
            purchase.travellers.clone_from(&event.travellers);
            return self;
        }
        match (self, event) {
            (Self::NotRequested, Event::Requested(event)) => {
                Self::Requested(Box::new(event.into()))
            }
            (Self::Requested(purchase), Event::Held(event)) => {
                let (held_lines, hold_expires_at) = (event.lines.clone(), event.hold_expires_at);
                Self::Held(Box::new(HeldPurchase {
                    purchase: *purchase,
                    held_lines,
                    hold_expires_at,
                }))
            }
            (Self::Held(held), Event::Confirmed(event)) => {
                let HeldPurchase { purchase, held_lines, .. } = *held;
                let payment_id = event.payment_id;
                Self::Confirmed(Box::new(ConfirmedPurchase { purchase, held_lines, payment_id }))
            }
            (Self::Cancelling(purchase), Event::Cancelled(_)) => Self::Cancelled(purchase),
            (state, event) => match (event, state.purchase().cloned()) {
                (Event::CancellationRequested(event), Some(purchase)) => {
                    let cancellation = event.into();
                    Self::Cancelling(Box::new(CancelledPurchase { purchase, cancellation }))
                }
                (Event::Rejected(event), Some(purchase)) => {
                    let (code, message) = (event.code.clone(), event.message.clone());
                    Self::Rejected(Box::new(RejectedPurchase { purchase, code, message }))
                }
                (Event::Expired(_), Some(purchase)) => Self::Expired(Box::new(purchase)),
                // The log holds no such event; a fold refuses nothing.
                _ => state,
            },
        }
    }
}

impl Booking {
    /// Where it stands; nothing before it was asked for.
    #[must_use]
    pub const fn status(&self) -> Option<Status> {
        Some(match self {
            Self::NotRequested => return None,
            Self::Requested(_) => Status::Requested,
            Self::Held(_) => Status::Held,
            Self::Confirmed(_) => Status::Confirmed,
            Self::Cancelling(_) => Status::Cancelling,
            Self::Cancelled(_) => Status::Cancelled,
            Self::Rejected(_) => Status::Rejected,
            Self::Expired(_) => Status::Expired,
        })
    }

    /// What was asked for; nothing before it was.
    #[must_use]
    pub fn purchase(&self) -> Option<&Purchase> {
        match self {
            Self::NotRequested => None,
            Self::Requested(purchase) | Self::Expired(purchase) => Some(purchase),
            Self::Held(held) => Some(&held.purchase),
            Self::Confirmed(confirmed) => Some(&confirmed.purchase),
            Self::Cancelling(cancelled) | Self::Cancelled(cancelled) => Some(&cancelled.purchase),
            Self::Rejected(rejected) => Some(&rejected.purchase),
        }
    }

    fn purchase_mut(&mut self) -> Option<&mut Purchase> {
        match self {
            Self::NotRequested => None,
            Self::Requested(purchase) | Self::Expired(purchase) => Some(purchase),
            Self::Held(held) => Some(&mut held.purchase),
            Self::Confirmed(confirmed) => Some(&mut confirmed.purchase),
            Self::Cancelling(cancelled) | Self::Cancelled(cancelled) => {
                Some(&mut cancelled.purchase)
            }
            Self::Rejected(rejected) => Some(&mut rejected.purchase),
        }
    }
}
