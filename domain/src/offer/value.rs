//! The small values that offers are made of.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::ids::BookingId;
use crate::money::Money;
use crate::time::Timestamp;

/// The name of a seat, as it is written on it (`12A`).
pub type SeatId = String;

/// What kind of thing is sold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OfferKind {
    /// A departure by air.
    Flight,
    /// A departure by rail.
    Train,
    /// A block of room nights.
    Hotel,
    /// A guided tour on a date.
    Tour,
    /// A ride from one place to another.
    Transfer,
    /// A meal.
    Meal,
    /// Anything else; the default for readers that know fewer kinds than the writer.
    Other,
}

impl OfferKind {
    /// Every kind, for listings and exhaustive tests.
    pub const ALL: &'static [Self] = &[
        Self::Flight,
        Self::Train,
        Self::Hotel,
        Self::Tour,
        Self::Transfer,
        Self::Meal,
        Self::Other,
    ];

    /// The kind's wire name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Flight => "flight",
            Self::Train => "train",
            Self::Hotel => "hotel",
            Self::Tour => "tour",
            Self::Transfer => "transfer",
            Self::Meal => "meal",
            Self::Other => "other",
        }
    }
}

/// Which line of which booking a hold is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LineRef {
    /// The booking.
    pub booking_id: BookingId,
    /// The line's number in it, from 1.
    pub line: u32,
}

/// What is wanted of an offer: some of its places, or these seats. As JSON `{"quantity": 2}` or
/// `{"seats": ["12A"]}`; in Avro both fields, one of them null.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "ClaimFields", try_from = "ClaimFields")]
pub enum Claim {
    /// That many, whichever.
    Quantity(u32),
    /// These and no others.
    Seats(Vec<SeatId>),
}

#[derive(Serialize, Deserialize)]
#[serde(rename = "Claim", deny_unknown_fields)]
struct ClaimFields {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    quantity: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seats: Option<Vec<SeatId>>,
}

/// Neither a quantity nor seats, or both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a claim is either a quantity or seats")]
pub struct InvalidClaim;

impl Claim {
    /// From the two fields of which exactly one is given.
    ///
    /// # Errors
    /// [`InvalidClaim`].
    pub fn of(quantity: Option<u32>, seats: Option<Vec<SeatId>>) -> Result<Self, InvalidClaim> {
        match (quantity, seats) {
            (Some(quantity), None) => Ok(Self::Quantity(quantity)),
            (None, Some(seats)) => Ok(Self::Seats(seats)),
            _ => Err(InvalidClaim),
        }
    }

    /// How many places it takes.
    #[must_use]
    pub fn quantity(&self) -> u32 {
        match self {
            Self::Quantity(quantity) => *quantity,
            Self::Seats(seats) => u32::try_from(seats.len()).unwrap_or(u32::MAX),
        }
    }

    /// The seats it names; none when any will do.
    #[must_use]
    pub fn seats(&self) -> &[SeatId] {
        match self {
            Self::Quantity(_) => &[],
            Self::Seats(seats) => seats,
        }
    }
}

impl From<Claim> for ClaimFields {
    fn from(claim: Claim) -> Self {
        match claim {
            Claim::Quantity(quantity) => Self { quantity: Some(quantity), seats: None },
            Claim::Seats(seats) => Self { quantity: None, seats: Some(seats) },
        }
    }
}

impl TryFrom<ClaimFields> for Claim {
    type Error = InvalidClaim;

    fn try_from(fields: ClaimFields) -> Result<Self, InvalidClaim> {
        Self::of(fields.quantity, fields.seats)
    }
}

/// One line of a cancellation policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CancellationTerm {
    /// Applies while at least that many hours are left before the start.
    pub hours_before: u32,
    /// What is returned of the price, 0 to 100.
    pub refund_percent: u8,
}

/// What is returned when a purchase is cancelled: terms by descending hours. Before the first
/// term's hours its percentage applies; later than the last term's, nothing is returned.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CancellationPolicy(Vec<CancellationTerm>);

impl CancellationPolicy {
    /// The terms in their order, whatever order they came in.
    #[must_use]
    pub fn new(mut terms: Vec<CancellationTerm>) -> Self {
        terms.sort_by_key(|term| std::cmp::Reverse(term.hours_before));
        Self(terms)
    }

    /// By descending hours.
    #[must_use]
    pub fn terms(&self) -> &[CancellationTerm] {
        &self.0
    }

    /// The percentage returned at `now` of what starts at `starts_at`: that of the term with the
    /// most hours that are still left, and nothing when no term's are.
    #[must_use]
    pub fn refund_percent_at(&self, now: Timestamp, starts_at: Timestamp) -> u8 {
        let applies = |term: &&CancellationTerm| {
            now.plus_seconds(i64::from(term.hours_before) * 3_600) <= starts_at
        };
        self.0.iter().filter(applies).max_by_key(|term| term.hours_before).map_or(0, |term| {
            // Stored policies were checked; a fold must not return more than was paid.
            term.refund_percent.min(100)
        })
    }

    /// What is returned of `price` at `now`, rounded down to the minor unit.
    #[must_use]
    pub fn refund_at(&self, price: Money, now: Timestamp, starts_at: Timestamp) -> Money {
        let percent = i128::from(self.refund_percent_at(now, starts_at));
        let amount = i128::from(price.amount) * percent / 100;
        let amount = i64::try_from(amount).expect("at most 100 percent of an amount fits");
        Money { amount, ..price }
    }
}

/// The seats of a seat map.
pub type SeatMap = BTreeSet<SeatId>;
