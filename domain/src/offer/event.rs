//! What can have happened to an offer. One struct an event: each has an Avro schema of its own.
//!
//! Every struct names the offer, so that a reader of one record needs nothing else; what takes or
//! frees places says how many, so that a fold needs no memory of holds to count them.

use serde::{Deserialize, Serialize};

use super::value::{CancellationPolicy, Claim, LineRef, OfferKind, SeatId};
use crate::calendar::Zone;
use crate::ids::{HoldId, OfferId};
use crate::money::Money;
use crate::payload::event_types;
use crate::time::Timestamp;

event_types! {
    /// An event of an offer.
    pub enum Event in Offer {
        /// It is for sale.
        Listed(OfferListed) = "offer-listed",
        /// It has another price.
        Repriced(OfferRepriced) = "offer-repriced",
        /// It has more or fewer places.
        CapacityChanged(OfferCapacityChanged) = "offer-capacity-changed",
        /// Places are set aside.
        Held(OfferHeld) = "offer-held",
        /// A hold was given up, or will never be.
        HoldReleased(OfferHoldReleased) = "offer-hold-released",
        /// A hold's time has passed.
        HoldExpired(OfferHoldExpired) = "offer-hold-expired",
        /// A hold became sold places.
        Allocated(OfferAllocated) = "offer-allocated",
        /// Sold places came back, or will never be sold.
        Returned(OfferReturned) = "offer-returned",
        /// It sells nothing new.
        Closed(OfferClosed) = "offer-closed",
    }
}

macro_rules! payloads {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* })+) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        pub struct $name {
            /// The offer.
            pub offer_id: OfferId,
            $($(#[$field_doc])* pub $field: $type,)*
        }
    )+};
}

payloads! {
    /// `offer-listed`.
    OfferListed {
        /// What kind of thing it is.
        kind: OfferKind,
        /// Who provides it.
        supplier: String,
        /// What it is called.
        title: String,
        /// Where it is, or from where to where.
        places: Vec<String>,
        /// When it begins.
        starts_at: Timestamp,
        /// When it ends; never before `starts_at`.
        ends_at: Timestamp,
        /// The zone of the place.
        zone: Zone,
        /// How many can be sold.
        capacity: u32,
        /// The seat map, where places have names: as many as the capacity.
        seats: Option<Vec<SeatId>>,
        /// The price of one place.
        price: Money,
        /// What is returned when a purchase is cancelled.
        cancellation: CancellationPolicy,
    }
    /// `offer-repriced`.
    OfferRepriced {
        /// The price until now.
        old_price: Money,
        /// The price from now on.
        price: Money,
    }
    /// `offer-capacity-changed`.
    OfferCapacityChanged {
        /// How many can be sold now.
        capacity: u32,
        /// The new seat map, where there is one.
        seats: Option<Vec<SeatId>>,
    }
    /// `offer-held`: freezes price, policy and start for whom it is held.
    OfferHeld {
        /// The new hold.
        hold_id: HoldId,
        /// For which line of which booking, if for one.
        line: Option<LineRef>,
        /// What is set aside.
        claim: Claim,
        /// The price of one place.
        unit_price: Money,
        /// What is returned when the purchase is cancelled.
        cancellation: CancellationPolicy,
        /// When it begins.
        starts_at: Timestamp,
        /// What kind of thing it is.
        kind: OfferKind,
        /// Where it is, or from where to where.
        places: Vec<String>,
        /// What it is called.
        title: String,
        /// When it was decided.
        held_at: Timestamp,
        /// From when on it is held no longer, once an event says so.
        expires_at: Timestamp,
        /// Until when its id is remembered after its end.
        valid_until: Timestamp,
    }
    /// `offer-hold-released`. Also recorded for a hold that never was: it closes the door for one
    /// that comes late.
    OfferHoldReleased {
        /// Which hold.
        hold_id: HoldId,
        /// What is free again; nothing where nothing was held.
        claim: Option<Claim>,
        /// When it was decided.
        released_at: Timestamp,
        /// Until when its id is remembered.
        valid_until: Timestamp,
    }
    /// `offer-hold-expired`.
    OfferHoldExpired {
        /// Which hold.
        hold_id: HoldId,
        /// What is free again.
        claim: Claim,
        /// When it was decided.
        expired_at: Timestamp,
    }
    /// `offer-allocated`: what was held is sold.
    OfferAllocated {
        /// Which hold.
        hold_id: HoldId,
        /// For which line of which booking, if for one.
        line: Option<LineRef>,
        /// What is sold.
        claim: Claim,
    }
    /// `offer-returned`. Also recorded for a hold that was never sold: it closes the door for an
    /// allocation that comes late.
    OfferReturned {
        /// Which hold.
        hold_id: HoldId,
        /// What is free again; nothing where nothing was sold.
        claim: Option<Claim>,
        /// When it was decided.
        returned_at: Timestamp,
        /// Until when its id is remembered.
        valid_until: Timestamp,
    }
    /// `offer-closed`.
    OfferClosed {}
}
