//! What can be asked of an offer. New ids come inside, so that a decision needs no randomness.

use serde::{Deserialize, Serialize};

use super::value::{CancellationPolicy, Claim, LineRef, OfferKind, SeatId};
use crate::calendar::Zone;
use crate::ids::{HoldId, OfferId};
use crate::money::Money;
use crate::time::Timestamp;

/// A command to an offer. Which accounts may send it is judged where it is taken in; what only
/// processes may ask for is judged here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Command {
    /// Puts it up for sale.
    List {
        /// Its id, which also names its stream.
        offer_id: OfferId,
        /// What is sold.
        terms: Box<Listing>,
    },
    /// Asks another price from now on; holds keep theirs.
    Reprice {
        /// The new price of one place.
        price: Money,
    },
    /// Has more or fewer places from now on.
    ChangeCapacity {
        /// How many.
        capacity: u32,
        /// The new seat map, where there is one.
        seats: Option<Vec<SeatId>>,
    },
    /// Sets places aside for somebody, for a while.
    Hold {
        /// Its id: one a booking's line; partners mint their own.
        hold_id: HoldId,
        /// For which line of which booking, if for one.
        line: Option<LineRef>,
        /// What is wanted.
        claim: Claim,
        /// What was agreed for one place.
        unit_price: Money,
        /// For how long, from the decision on.
        ttl_seconds: u32,
        /// Until when this may be decided at all.
        valid_until: Timestamp,
    },
    /// Frees what a hold set aside, once its time has passed (processes alone).
    ExpireHold {
        /// Which one.
        hold_id: HoldId,
    },
    /// Frees what a hold set aside, and keeps it from ever being held (again).
    Release {
        /// Which one; it may never have been.
        hold_id: HoldId,
        /// Until when a hold under that id could still be asked for.
        valid_until: Timestamp,
    },
    /// Turns a hold into sold places (processes alone).
    Allocate {
        /// Which one.
        hold_id: HoldId,
    },
    /// Takes sold places back, and keeps the hold from ever being sold (again) (processes alone).
    Return {
        /// Which one; it may never have been.
        hold_id: HoldId,
    },
    /// Sells nothing new from now on; live holds may still be sold.
    Close,
}

/// What an offer sells.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listing {
    /// What kind of thing it is.
    pub kind: OfferKind,
    /// Who provides it.
    pub supplier: String,
    /// What it is called.
    pub title: String,
    /// Where it is, or from where to where: names or slugs of destinations.
    pub places: Vec<String>,
    /// When it begins.
    pub starts_at: Timestamp,
    /// When it ends.
    pub ends_at: Timestamp,
    /// The zone of the place.
    pub zone: Zone,
    /// How many can be sold.
    pub capacity: u32,
    /// The seat map, where places have names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seats: Option<Vec<SeatId>>,
    /// The price of one place.
    pub price: Money,
    /// What is returned when a purchase is cancelled.
    pub cancellation: CancellationPolicy,
}

impl Command {
    /// Refuses what no offer accepts, whatever its state, before it reaches one.
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
            Self::List { .. } => "list",
            Self::Reprice { .. } => "reprice",
            Self::ChangeCapacity { .. } => "change-capacity",
            Self::Hold { .. } => "hold",
            Self::ExpireHold { .. } => "expire-hold",
            Self::Release { .. } => "release",
            Self::Allocate { .. } => "allocate",
            Self::Return { .. } => "return",
            Self::Close => "close",
        }
    }
}
