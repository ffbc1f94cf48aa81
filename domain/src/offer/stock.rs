//! What an offer knows once it is listed, and how each event changes that. No rules here: what
//! happened, happened.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::doors::{Door, Doors, Ending};
use super::event::{Event, OfferHeld, OfferListed};
use super::value::{CancellationPolicy, Claim, LineRef, OfferKind, SeatId, SeatMap};
use crate::calendar::Zone;
use crate::ids::{HoldId, OfferId};
use crate::money::Money;
use crate::time::Timestamp;

/// An offer as its events left it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stock {
    /// Its id.
    pub offer_id: OfferId,
    /// What kind of thing it is.
    pub kind: OfferKind,
    /// Who provides it.
    pub supplier: String,
    /// What it is called.
    pub title: String,
    /// Where it is, or from where to where.
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
    pub seats: Option<SeatMap>,
    /// The price of one place.
    pub price: Money,
    /// What is returned when a purchase is cancelled.
    pub cancellation: CancellationPolicy,
    /// What is set aside, expired holds included until an event frees them.
    pub holds: BTreeMap<HoldId, Held>,
    /// What is sold.
    pub allocations: BTreeMap<HoldId, Allocation>,
    /// How many places the holds take.
    pub held: u32,
    /// How many places are sold.
    pub allocated: u32,
    /// The seats that are held or sold.
    pub taken: BTreeSet<SeatId>,
    /// The holds that can never be (again).
    pub doors: Doors,
}

/// Places that are set aside.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Held {
    /// For which line of which booking, if for one.
    pub line: Option<LineRef>,
    /// What is set aside.
    pub claim: Claim,
    /// The price of one place.
    pub unit_price: Money,
    /// From when on it cannot be sold any more.
    pub expires_at: Timestamp,
    /// Until when it could have been asked for.
    pub valid_until: Timestamp,
    /// Whether its sale was taken back before it came: it can only be freed.
    pub returned: bool,
}

/// Places that are sold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Allocation {
    /// To which line of which booking, if to one.
    pub line: Option<LineRef>,
    /// What is sold.
    pub claim: Claim,
    /// The price of one place.
    pub unit_price: Money,
}

impl Stock {
    /// Places held and sold.
    pub(super) const fn used(&self) -> u32 {
        self.held.saturating_add(self.allocated)
    }

    /// Places neither held nor sold.
    pub(super) const fn free(&self) -> u32 {
        self.capacity.saturating_sub(self.used())
    }

    /// The holds whose time has passed, the longest passed first.
    pub(super) fn expired(&self, now: Timestamp) -> Vec<(HoldId, &Held)> {
        let expired = self.holds.iter().filter(|(_, held)| held.expires_at <= now);
        let mut expired: Vec<_> = expired.map(|(id, held)| (*id, held)).collect();
        expired.sort_by_key(|(id, held)| (held.expires_at, *id));
        expired
    }

    pub(super) fn apply(&mut self, event: &Event) {
        match event {
            // Nothing is listed twice; the first one holds.
            Event::Listed(_) => {}
            Event::Repriced(event) => self.price = event.price,
            Event::CapacityChanged(event) => {
                self.capacity = event.capacity;
                self.seats = event.seats.clone().map(SeatMap::from_iter);
            }
            Event::Held(event) => self.hold(event),
            Event::HoldReleased(event) => {
                self.free_hold(event.hold_id);
                let door = Door { ending: Ending::Released, until: event.valid_until };
                self.doors.close(event.hold_id, door, event.released_at);
            }
            Event::HoldExpired(event) => {
                if let Some(held) = self.free_hold(event.hold_id) {
                    let door = Door { ending: Ending::Expired, until: held.valid_until };
                    self.doors.close(event.hold_id, door, event.expired_at);
                }
            }
            Event::Allocated(event) => self.allocate(event.hold_id),
            Event::Returned(event) => {
                if let Some(held) = self.holds.get_mut(&event.hold_id) {
                    held.returned = true;
                    return;
                }
                if let Some(sold) = self.allocations.remove(&event.hold_id) {
                    self.allocated = self.allocated.saturating_sub(sold.claim.quantity());
                    for seat in sold.claim.seats() {
                        self.taken.remove(seat);
                    }
                }
                let door = Door { ending: Ending::Returned, until: event.valid_until };
                self.doors.close(event.hold_id, door, event.returned_at);
            }
            // A state of its own, one level up.
            Event::Closed(_) => {}
        }
    }

    fn hold(&mut self, event: &OfferHeld) {
        self.held = self.held.saturating_add(event.claim.quantity());
        self.taken.extend(event.claim.seats().iter().cloned());
        self.holds.insert(event.hold_id, event.into());
    }

    fn free_hold(&mut self, hold_id: HoldId) -> Option<Held> {
        let held = self.holds.remove(&hold_id)?;
        self.held = self.held.saturating_sub(held.claim.quantity());
        for seat in held.claim.seats() {
            self.taken.remove(seat);
        }
        Some(held)
    }

    fn allocate(&mut self, hold_id: HoldId) {
        let Some(held) = self.holds.remove(&hold_id) else { return };
        let quantity = held.claim.quantity();
        self.held = self.held.saturating_sub(quantity);
        self.allocated = self.allocated.saturating_add(quantity);
        let Held { line, claim, unit_price, .. } = held;
        self.allocations.insert(hold_id, Allocation { line, claim, unit_price });
    }
}

impl From<&OfferListed> for Stock {
    fn from(event: &OfferListed) -> Self {
        Self {
            offer_id: event.offer_id,
            kind: event.kind,
            supplier: event.supplier.clone(),
            title: event.title.clone(),
            places: event.places.clone(),
            starts_at: event.starts_at,
            ends_at: event.ends_at,
            zone: event.zone.clone(),
            capacity: event.capacity,
            seats: event.seats.clone().map(SeatMap::from_iter),
            price: event.price,
            cancellation: event.cancellation.clone(),
            holds: BTreeMap::new(),
            allocations: BTreeMap::new(),
            held: 0,
            allocated: 0,
            taken: BTreeSet::new(),
            doors: Doors::default(),
        }
    }
}

impl From<&OfferHeld> for Held {
    fn from(event: &OfferHeld) -> Self {
        Self {
            line: event.line,
            claim: event.claim.clone(),
            unit_price: event.unit_price,
            expires_at: event.expires_at,
            valid_until: event.valid_until,
            returned: false,
        }
    }
}
