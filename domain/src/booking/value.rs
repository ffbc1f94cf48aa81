//! The small values that bookings are made of. Where a name on the wire differs, it is the Avro
//! record's: names there are the whole log's, not a module's.

use serde::{Deserialize, Serialize};

use crate::Sealed;
use crate::ids::{HoldId, OfferId, TravellerId};
use crate::money::Money;
use crate::offer::{CancellationPolicy, Claim, OfferKind};
use crate::time::Timestamp;

/// Where a booking stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename = "BookingStatus", rename_all = "snake_case")]
pub enum Status {
    /// Asked for; nothing is set aside yet. The default for readers that know fewer.
    Requested,
    /// Every line is held.
    Held,
    /// Paid and sold.
    Confirmed,
    /// Being undone.
    Cancelling,
    /// Undone by the traveller's or the operator's wish.
    Cancelled,
    /// Refused on the way, and undone.
    Rejected,
    /// Out of time on the way, and undone.
    Expired,
}

impl Status {
    /// Every status, for listings and exhaustive tests.
    pub const ALL: &'static [Self] = &[
        Self::Requested,
        Self::Held,
        Self::Confirmed,
        Self::Cancelling,
        Self::Cancelled,
        Self::Rejected,
        Self::Expired,
    ];

    /// The status's wire name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Held => "held",
            Self::Confirmed => "confirmed",
            Self::Cancelling => "cancelling",
            Self::Cancelled => "cancelled",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
        }
    }
}

/// Who asked for a cancellation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CancelledBy {
    /// Whose booking it is.
    Traveller,
    /// Somebody who runs the platform; the default for readers that know fewer.
    Operator,
}

/// One line of a booking: what is bought of one offer, at the price agreed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename = "BookingLine", deny_unknown_fields)]
pub struct Line {
    /// Its number in the booking, from 1.
    pub line: u32,
    /// What is bought.
    pub offer_id: OfferId,
    /// How much of it, or which seats.
    pub claim: Claim,
    /// The price of one place.
    pub unit_price: Money,
}

impl Line {
    /// The line's price: places times the price of one.
    #[must_use]
    pub fn price(&self) -> Money {
        price(&self.claim, self.unit_price)
    }
}

/// A line that is held, with what the hold froze.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename = "BookingHeldLine", deny_unknown_fields)]
pub struct HeldLine {
    /// Its number in the booking, from 1.
    pub line: u32,
    /// What is bought.
    pub offer_id: OfferId,
    /// How much of it, or which seats.
    pub claim: Claim,
    /// The price of one place.
    pub unit_price: Money,
    /// The hold.
    pub hold_id: HoldId,
    /// What is returned when the booking is cancelled.
    pub cancellation: CancellationPolicy,
    /// When it begins.
    pub starts_at: Timestamp,
    /// What kind of thing it is.
    pub kind: OfferKind,
    /// Where it is, or from where to where.
    pub places: Vec<String>,
    /// What it is called.
    pub title: String,
}

impl HeldLine {
    /// The line's price: places times the price of one.
    #[must_use]
    pub fn price(&self) -> Money {
        price(&self.claim, self.unit_price)
    }

    /// Whether it holds exactly what that line asks for.
    pub(super) fn holds(&self, asked: &Line) -> bool {
        (self.line, self.offer_id, &self.claim, self.unit_price)
            == (asked.line, asked.offer_id, &asked.claim, asked.unit_price)
    }
}

/// A line that is sold, as read models count it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename = "BookingSoldLine", deny_unknown_fields)]
pub struct SoldLine {
    /// Its number in the booking, from 1.
    pub line: u32,
    /// What is bought.
    pub offer_id: OfferId,
    /// Its hold, under which the offer knows the sale.
    pub hold_id: HoldId,
    /// What kind of thing it is.
    pub kind: OfferKind,
    /// Where it is, or from where to where.
    pub places: Vec<String>,
    /// What it is called.
    pub title: String,
    /// When it begins.
    pub starts_at: Timestamp,
    /// How many places.
    pub quantity: u32,
    /// The line's price.
    pub total: Money,
}

/// What a cancellation returns for one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename = "BookingLineRefund", deny_unknown_fields)]
pub struct LineRefund {
    /// The line's number in the booking, from 1.
    pub line: u32,
    /// The percentage of its price.
    pub percent: u8,
    /// That much, rounded down to the minor unit.
    pub amount: Money,
}

/// Somebody who travels; who, is sealed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Traveller {
    /// Which traveller.
    pub traveller_id: TravellerId,
    /// Name, contacts, documents: JSON under the key of whoever entered it.
    pub details: Sealed,
}

/// Both factors are bounded where they are taken in; a fold of anything else must not panic.
fn price(claim: &Claim, unit_price: Money) -> Money {
    let amount = unit_price.amount.saturating_mul(i64::from(claim.quantity()));
    Money { amount, ..unit_price }
}
