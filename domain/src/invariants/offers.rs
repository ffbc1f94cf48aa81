//! What is set aside and sold, counted by the offers' own events: at every version no more than
//! there is, each seat for one hold, and nothing freed or sold that was not held.

use std::collections::BTreeMap;

use super::finding::{Check, Finding};
use crate::ids::{BookingId, HoldId, OfferId};
use crate::offer::{Claim, Event, LineRef, SeatId};
use crate::{Category, StreamName, Timestamp};

/// How long a hold may stay open after its time: what frees it has to look first.
const OPEN_AFTER_EXPIRY_SECONDS: i64 = 60;
/// A decision's events are microseconds apart: an expiry is judged with that much indulgence.
const SAME_DECISION_SECONDS: i64 = 1;

/// Every offer, with what is held and sold of it now.
#[derive(Debug, Default)]
pub(super) struct Offers {
    offers: BTreeMap<OfferId, Offer>,
    versions: u64,
    seats: u64,
}

#[derive(Debug, Default)]
struct Offer {
    capacity: u64,
    claimed: u64,
    claims: BTreeMap<HoldId, Claimed>,
    seats: BTreeMap<SeatId, HoldId>,
    /// Whether it was told already that too much is claimed.
    over: bool,
}

#[derive(Debug)]
struct Claimed {
    line: Option<LineRef>,
    claim: Claim,
    expires_at: Timestamp,
    sold: bool,
    version: u64,
}

/// What a booking has of one offer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Share {
    pub(super) line: u32,
    pub(super) offer_id: OfferId,
    pub(super) places: u64,
    pub(super) sold: bool,
}

impl Offers {
    /// Versions of offers, and seats taken, that were looked at.
    pub(super) const fn counts(&self) -> (u64, u64) {
        (self.versions, self.seats)
    }

    /// What is wrong with an offer from this event on.
    pub(super) fn read(
        &mut self,
        offer_id: OfferId,
        (version, recorded_at): (u64, Timestamp),
        event: &Event,
    ) -> Vec<(Check, String)> {
        self.versions += 1;
        let offer = self.offers.entry(offer_id).or_default();
        let mut wrong = Vec::new();
        match event {
            Event::Listed(listed) => offer.capacity = listed.capacity.into(),
            Event::CapacityChanged(changed) => offer.capacity = changed.capacity.into(),
            Event::Held(held) => {
                self.seats += held.claim.seats().len() as u64;
                let claimed = Claimed {
                    line: held.line,
                    claim: held.claim.clone(),
                    expires_at: held.expires_at,
                    sold: false,
                    version,
                };
                offer.hold(held.hold_id, claimed, &mut wrong);
            }
            Event::HoldReleased(released) => {
                offer.free(released.hold_id, released.claim.as_ref(), false, &mut wrong);
            }
            Event::HoldExpired(expired) => {
                offer.free(expired.hold_id, Some(&expired.claim), false, &mut wrong);
            }
            Event::Allocated(sold) => {
                offer.sell(sold.hold_id, &sold.claim, recorded_at, &mut wrong);
            }
            Event::Returned(back) => {
                // A hold whose sale is taken back before it came stays a hold.
                if back.claim.is_some() || offer.sold(back.hold_id) {
                    offer.free(back.hold_id, back.claim.as_ref(), true, &mut wrong);
                }
            }
            Event::Repriced(_) | Event::Closed(_) => {}
        }
        offer.judge_capacity(&mut wrong);
        wrong
    }

    /// The holds that are open, and those that should not be any more.
    pub(super) fn judge(&self, now: Timestamp, found: &mut Vec<Finding>) -> u64 {
        let mut open = 0;
        for (offer_id, offer) in &self.offers {
            for (hold_id, claimed) in offer.claims.iter().filter(|(_, claimed)| !claimed.sold) {
                open += 1;
                let expires_at = claimed.expires_at;
                if now <= expires_at.plus_seconds(OPEN_AFTER_EXPIRY_SECONDS) {
                    continue;
                }
                let stream = StreamName::new(Category::Offer, offer_id.0);
                let line = claimed.line.map_or_else(String::new, |line| {
                    format!(" for line {} of booking-{}", line.line, line.booking_id)
                });
                let what = format!(
                    "hold {hold_id}{line} of {} places is open, {OPEN_AFTER_EXPIRY_SECONDS} s and \
                     more after it expired at {expires_at}: does a server with sagas run?",
                    claimed.claim.quantity(),
                );
                found.push(Finding::violation(Check::Holds, stream, claimed.version, what));
            }
        }
        open
    }

    /// What bookings hold and bought, by booking.
    pub(super) fn shares(&self) -> BTreeMap<BookingId, Vec<Share>> {
        let mut shares: BTreeMap<BookingId, Vec<Share>> = BTreeMap::new();
        for (offer_id, offer) in &self.offers {
            for claimed in offer.claims.values() {
                let Some(LineRef { booking_id, line }) = claimed.line else { continue };
                let places = claimed.claim.quantity().into();
                let share = Share { line, offer_id: *offer_id, places, sold: claimed.sold };
                shares.entry(booking_id).or_default().push(share);
            }
        }
        shares
    }
}

impl Offer {
    fn sold(&self, hold_id: HoldId) -> bool {
        self.claims.get(&hold_id).is_some_and(|claimed| claimed.sold)
    }

    fn hold(&mut self, hold_id: HoldId, claimed: Claimed, wrong: &mut Vec<(Check, String)>) {
        if let Some(known) = self.claims.get(&hold_id) {
            let what = format!("hold {hold_id} is held again; it is open since v{}", known.version);
            wrong.push((Check::Capacity, what));
            return;
        }
        self.claimed += u64::from(claimed.claim.quantity());
        for seat in claimed.claim.seats() {
            if let Some(other) = self.seats.insert(seat.clone(), hold_id) {
                let what = format!("seat {seat} goes to hold {hold_id}, and hold {other} has it");
                wrong.push((Check::Seats, what));
            }
        }
        self.claims.insert(hold_id, claimed);
    }

    /// Takes a claim back that is held, or sold, exactly as the event says.
    fn free(
        &mut self,
        hold_id: HoldId,
        said: Option<&Claim>,
        sold: bool,
        wrong: &mut Vec<(Check, String)>,
    ) {
        let known = self.claims.get(&hold_id).filter(|claimed| claimed.sold == sold);
        if known.map(|claimed| &claimed.claim) != said {
            let state = if sold { "sold" } else { "held" };
            let places = |claim: Option<&Claim>| claim.map_or(0, Claim::quantity);
            let what = format!(
                "{} places of hold {hold_id} are freed, and {} are {state}",
                places(said),
                places(known.map(|claimed| &claimed.claim)),
            );
            wrong.push((Check::Capacity, what));
        }
        if known.is_none() {
            return;
        }
        if let Some(claimed) = self.claims.remove(&hold_id) {
            self.claimed -= u64::from(claimed.claim.quantity());
            self.seats.retain(|_, holder| *holder != hold_id);
        }
    }

    fn sell(
        &mut self,
        hold_id: HoldId,
        said: &Claim,
        recorded_at: Timestamp,
        wrong: &mut Vec<(Check, String)>,
    ) {
        let Some(claimed) = self.claims.get_mut(&hold_id).filter(|claimed| !claimed.sold) else {
            wrong.push((Check::Capacity, format!("hold {hold_id} is sold, and nothing is held")));
            return;
        };
        let expires_at = claimed.expires_at;
        if recorded_at >= expires_at.plus_seconds(SAME_DECISION_SECONDS) {
            let what = format!("hold {hold_id} is sold at {recorded_at}, expired at {expires_at}");
            wrong.push((Check::Capacity, what));
        }
        if claimed.claim != *said {
            let (held, said) = (claimed.claim.quantity(), said.quantity());
            let what = format!("{said} places of hold {hold_id} are sold, and {held} are held");
            wrong.push((Check::Capacity, what));
        }
        claimed.sold = true;
    }

    /// Told once, until it fits again.
    fn judge_capacity(&mut self, wrong: &mut Vec<(Check, String)>) {
        let over = self.claimed > self.capacity;
        if over && !self.over {
            let (claimed, capacity) = (self.claimed, self.capacity);
            let what = format!("{claimed} places are held or sold, and there are {capacity}");
            wrong.push((Check::Capacity, what));
        }
        self.over = over;
    }
}
