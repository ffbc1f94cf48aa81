//! The offer: something that can be sold, such as a departure, a block of room nights or a tour
//! date, and who has how much of it.
//!
//! | state | leaves it by | accepts |
//! |---|---|---|
//! | not listed | `offer-listed` | List |
//! | open | `offer-closed` | everything but List |
//! | closed | never | ExpireHold, Release, Allocate, Return, Close |
//!
//! And each hold, under its id:
//!
//! | hold | Hold | Release | ExpireHold | Allocate | Return |
//! |---|---|---|---|---|---|
//! | unknown | held | door closed | nothing | refused | door closed |
//! | held | nothing, if the same | freed, door closed | refused | sold | kept, never sold |
//! | expired | refused | freed, door closed | freed, door closed | refused | kept |
//! | sold | nothing, if the same | refused | nothing | nothing | taken back, door closed |
//! | door closed | refused | nothing | nothing | refused | nothing |
//!
//! Invariants, at every version:
//! - Held and sold places together never exceed the capacity; a seat is held by or sold to at most
//!   one.
//! - Room is freed only by an event: an expired hold counts until `offer-hold-expired`,
//!   `offer-hold-released` says otherwise. Whoever needs its room appends that first.
//! - What is sold was held, at a price that was the offer's, and had not expired.
//! - A hold that was released, returned or expired never comes back: its door stays closed until
//!   the hold could no longer be asked for (`valid_until`), and then time refuses.
//! - A compensation (Release, Return) is refused only where it would be a mistake: what is sold is
//!   not released. On an offer that never was, a process's compensation has nothing to do; should
//!   that very offer be listed and a forward command come still later, the hold's time frees it.
//! - Nothing grows without a limit (`limits.rs`, `doors.rs`).
//!
//! Which accounts list, price, close and hold is judged where requests are taken in; selling,
//! taking back and expiring are asked for by processes alone.

mod check;
mod command;
mod decide;
mod doors;
mod error;
mod event;
pub mod limits;
#[cfg(test)]
mod properties;
mod room;
mod stock;
#[cfg(test)]
mod tests;
mod value;

use serde::{Deserialize, Serialize};

pub(crate) use check::{claim as check_claim, price as check_price};
pub use command::{Command, Listing};
pub use doors::{Door, Doors, Ending};
pub use error::Refusal;
pub use event::{
    Event, OfferAllocated, OfferCapacityChanged, OfferClosed, OfferHeld, OfferHoldExpired,
    OfferHoldReleased, OfferListed, OfferRepriced, OfferReturned,
};
pub use stock::{Allocation, Held, Stock};
pub use value::{
    CancellationPolicy, CancellationTerm, Claim, InvalidClaim, LineRef, OfferKind, SeatId, SeatMap,
};

use crate::{Aggregate, Category, Context};

/// The state of an offer. As JSON, the stock's fields beside a `status`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum Offer {
    /// Nothing has happened yet.
    #[default]
    NotListed,
    /// It is for sale.
    Open(Box<Stock>),
    /// It sells nothing new.
    Closed(Box<Stock>),
}

impl Aggregate for Offer {
    const CATEGORY: Category = Category::Offer;
    const FOLD_VERSION: u32 = 1;
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;

    fn decide(&self, command: &Command, context: &Context) -> Result<Vec<Event>, Refusal> {
        decide::decide(self, command, context)
    }

    fn evolve(self, event: &Event) -> Self {
        match (self, event) {
            (Self::NotListed, Event::Listed(event)) => Self::Open(Box::new(event.into())),
            // The log holds no such event; a fold refuses nothing.
            (Self::NotListed, _) => Self::NotListed,
            (Self::Open(stock) | Self::Closed(stock), Event::Closed(_)) => Self::Closed(stock),
            (Self::Open(mut stock), event) => {
                stock.apply(event);
                Self::Open(stock)
            }
            (Self::Closed(mut stock), event) => {
                stock.apply(event);
                Self::Closed(stock)
            }
        }
    }
}
