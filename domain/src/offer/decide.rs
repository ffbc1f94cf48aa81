//! The offer's decisions: one function a command, guards first, events last.

use super::command::Listing;
use super::doors::{Door, Ending};
use super::error::Refusal;
use super::event::{
    Event, OfferAllocated, OfferCapacityChanged, OfferClosed, OfferHeld, OfferHoldExpired,
    OfferHoldReleased, OfferListed, OfferRepriced, OfferReturned,
};
use super::limits::HOLD_VALIDITY_SECONDS_MAX;
use super::room::{for_claim, places_freed, seats_freed};
use super::stock::{Held, Stock};
use super::value::{Claim, LineRef, SeatId, SeatMap};
use super::{Command, Offer, check};
use crate::ids::{HoldId, OfferId};
use crate::money::Money;
use crate::time::Timestamp;
use crate::{Actor, Context};

type Decision = Result<Vec<Event>, Refusal>;

/// Who may ask at all comes first, then whether the offer exists, then whether it is open.
pub(super) fn decide(offer: &Offer, command: &Command, context: &Context) -> Decision {
    let now = context.now;
    match command {
        Command::List { offer_id, terms } => list(offer, *offer_id, terms),
        Command::Reprice { price } => reprice(open(offer)?, *price),
        Command::ChangeCapacity { capacity, seats } => {
            change_capacity(open(offer)?, *capacity, seats.as_deref(), now)
        }
        Command::Hold { hold_id, line, claim, unit_price, ttl_seconds, valid_until } => {
            let (line, unit_price, ttl_seconds) = (*line, *unit_price, *ttl_seconds);
            let wish = Wish { line, claim, unit_price, ttl_seconds, valid_until: *valid_until };
            hold(offer, *hold_id, &wish, now)
        }
        Command::ExpireHold { hold_id } => {
            saga(&context.actor)?;
            listed(offer).map_or(Ok(vec![]), |stock| expire_hold(stock, *hold_id, now))
        }
        Command::Release { hold_id, valid_until } => match listed(offer) {
            Ok(stock) => release(stock, *hold_id, *valid_until, now),
            // An offer that never was holds nothing; a compensation always comes through.
            Err(_) if context.actor.account().is_none() => Ok(vec![]),
            Err(refusal) => Err(refusal),
        },
        Command::Allocate { hold_id } => {
            saga(&context.actor)?;
            allocate(listed(offer)?, *hold_id, now)
        }
        Command::Return { hold_id } => {
            saga(&context.actor)?;
            listed(offer).map_or(Ok(vec![]), |stock| Ok(take_back(stock, *hold_id, now)))
        }
        Command::Close => close(offer),
    }
}

/// What a hold asks for.
struct Wish<'a> {
    line: Option<LineRef>,
    claim: &'a Claim,
    unit_price: Money,
    ttl_seconds: u32,
    valid_until: Timestamp,
}

impl Wish<'_> {
    fn granted(&self, line: Option<LineRef>, claim: &Claim, unit_price: Money) -> bool {
        (self.line, self.claim, self.unit_price) == (line, claim, unit_price)
    }
}

fn saga(actor: &Actor) -> Result<(), Refusal> {
    match actor {
        Actor::System(_) => Ok(()),
        Actor::Account(_) => Err(Refusal::SagaRequired),
    }
}

fn list(offer: &Offer, offer_id: OfferId, terms: &Listing) -> Decision {
    if let Ok(stock) = listed(offer) {
        return Err(Refusal::OfferAlreadyExists { offer_id: stock.offer_id });
    }
    let Listing {
        kind,
        supplier,
        title,
        places,
        starts_at,
        ends_at,
        zone,
        capacity,
        seats,
        price,
        cancellation,
    } = check::listing(terms)?;

    Ok(vec![
        OfferListed {
            offer_id,
            kind,
            supplier,
            title,
            places,
            starts_at,
            ends_at,
            zone,
            capacity,
            seats,
            price,
            cancellation,
        }
        .into(),
    ])
}

fn reprice(stock: &Stock, price: Money) -> Decision {
    check::price(price)?;
    if price == stock.price {
        return Ok(vec![]);
    }

    let (offer_id, old_price) = (stock.offer_id, stock.price);
    Ok(vec![OfferRepriced { offer_id, old_price, price }.into()])
}

/// Expired holds give way, each by an event of its own.
fn change_capacity(
    stock: &Stock,
    capacity: u32,
    seats: Option<&[SeatId]>,
    now: Timestamp,
) -> Decision {
    check::seat_map(capacity, seats)?;
    match (&stock.seats, seats) {
        (Some(_), None) => return Err(Refusal::SeatsRequired),
        (None, Some(_)) => return Err(Refusal::SeatsNotOffered),
        (Some(_), Some(_)) | (None, None) => {}
    }
    let map = seats.map(|seats| SeatMap::from_iter(seats.iter().cloned()));
    if (stock.capacity, &stock.seats) == (capacity, &map) {
        return Ok(vec![]);
    }
    let mut freed = Vec::new();
    if let Some(map) = &map {
        let missing: Vec<SeatId> = stock.taken.difference(map).cloned().collect();
        freed = seats_freed(stock, &missing, now).map_err(|seats| Refusal::SeatsInUse { seats })?;
    } else if let Some(excess) = stock.used().checked_sub(capacity) {
        freed = places_freed(stock, excess, now)
            .map_err(|free| Refusal::CapacityInUse { capacity, used: stock.used() - free })?;
    }

    let (offer_id, seats) = (stock.offer_id, seats.map(<[SeatId]>::to_vec));
    let mut events = expirations(stock, freed, now);
    events.push(OfferCapacityChanged { offer_id, capacity, seats }.into());
    Ok(events)
}

fn hold(offer: &Offer, hold_id: HoldId, wish: &Wish<'_>, now: Timestamp) -> Decision {
    let stock = listed(offer)?;
    check::claim(wish.claim)?;
    check::ttl(wish.ttl_seconds)?;
    if held_already(stock, hold_id, wish, now)? {
        return Ok(vec![]);
    }
    door_open(stock, hold_id, now)?;
    if now > wish.valid_until {
        return Err(Refusal::HoldTooLate { valid_until: wish.valid_until });
    }
    check::validity(wish.valid_until, now)?;
    let stock = open(offer)?;
    if stock.starts_at <= now {
        return Err(Refusal::Started { starts_at: stock.starts_at });
    }
    if wish.unit_price != stock.price {
        let (old_price, new_price) = (wish.unit_price, stock.price);
        return Err(Refusal::PriceChanged { old_price, new_price });
    }
    let freed = for_claim(stock, wish.claim, now)?;

    let mut events = expirations(stock, freed, now);
    events.push(held(stock, hold_id, wish, now).into());
    Ok(events)
}

/// Whether exactly this is held, or sold, under that id.
fn held_already(
    stock: &Stock,
    hold_id: HoldId,
    wish: &Wish<'_>,
    now: Timestamp,
) -> Result<bool, Refusal> {
    let (granted, live) = if let Some(held) = stock.holds.get(&hold_id) {
        (wish.granted(held.line, &held.claim, held.unit_price), Some(held))
    } else if let Some(sold) = stock.allocations.get(&hold_id) {
        (wish.granted(sold.line, &sold.claim, sold.unit_price), None)
    } else {
        return Ok(false);
    };
    if !granted {
        return Err(Refusal::HoldAlreadyExists { hold_id });
    }
    live.map_or(Ok(true), |held| alive(hold_id, held, now).map(|()| true))
}

/// A hold that can still be sold.
fn alive(hold_id: HoldId, held: &Held, now: Timestamp) -> Result<(), Refusal> {
    if held.returned {
        return Err(Refusal::HoldReturned { hold_id });
    }
    if held.expires_at <= now {
        return Err(Refusal::HoldExpired { hold_id });
    }
    Ok(())
}

fn door_open(stock: &Stock, hold_id: HoldId, now: Timestamp) -> Result<(), Refusal> {
    match stock.doors.closed(hold_id, now) {
        Some(Door { ending: Ending::Released, .. }) => Err(Refusal::HoldReleased { hold_id }),
        Some(Door { ending: Ending::Expired, .. }) => Err(Refusal::HoldExpired { hold_id }),
        Some(Door { ending: Ending::Returned, .. }) => Err(Refusal::HoldReturned { hold_id }),
        None => match stock.doors.all_closed(now) {
            Some(until) => Err(Refusal::TooManyEndedHolds { until }),
            None => Ok(()),
        },
    }
}

fn expire_hold(stock: &Stock, hold_id: HoldId, now: Timestamp) -> Decision {
    // What is sold, ended or unknown holds nothing that could expire.
    let Some(held) = stock.holds.get(&hold_id) else { return Ok(vec![]) };
    if held.expires_at > now {
        return Err(Refusal::HoldNotExpired { hold_id, expires_at: held.expires_at });
    }

    Ok(expirations(stock, vec![hold_id], now))
}

/// A compensation: with or without a hold, none of that id comes (again) afterwards.
fn release(stock: &Stock, hold_id: HoldId, valid_until: Timestamp, now: Timestamp) -> Decision {
    if stock.allocations.contains_key(&hold_id) {
        return Err(Refusal::HoldAllocated { hold_id });
    }
    check::validity(valid_until, now)?;
    let held = stock.holds.get(&hold_id);
    let closed_until = stock.doors.closed_until(hold_id, now);
    if held.is_none() && (now > valid_until || closed_until >= Some(valid_until)) {
        return Ok(vec![]);
    }

    let claim = held.map(|held| held.claim.clone());
    let valid_until = held.map_or(valid_until, |held| held.valid_until.max(valid_until));
    let (offer_id, released_at) = (stock.offer_id, now);
    Ok(vec![OfferHoldReleased { offer_id, hold_id, claim, released_at, valid_until }.into()])
}

fn allocate(stock: &Stock, hold_id: HoldId, now: Timestamp) -> Decision {
    if stock.allocations.contains_key(&hold_id) {
        return Ok(vec![]);
    }
    let Some(held) = stock.holds.get(&hold_id) else {
        door_open(stock, hold_id, now)?;
        return Err(Refusal::HoldNotFound { hold_id });
    };
    alive(hold_id, held, now)?;

    let (offer_id, line, claim) = (stock.offer_id, held.line, held.claim.clone());
    Ok(vec![OfferAllocated { offer_id, hold_id, line, claim }.into()])
}

/// A compensation: with or without a sale, none of that hold comes (again) afterwards. What is
/// still held stays held until it is released or expires.
fn take_back(stock: &Stock, hold_id: HoldId, now: Timestamp) -> Vec<Event> {
    // Nobody can ask for a hold that is valid for longer.
    let longest = now.plus_seconds(i64::from(HOLD_VALIDITY_SECONDS_MAX));
    let (claim, valid_until) = match (stock.allocations.get(&hold_id), stock.holds.get(&hold_id)) {
        (Some(sold), _) => (Some(sold.claim.clone()), longest),
        (None, Some(held)) if held.returned => return vec![],
        (None, Some(held)) => (None, held.valid_until),
        (None, None) if stock.doors.closed_until(hold_id, now).is_some() => return vec![],
        (None, None) => (None, longest),
    };

    let (offer_id, returned_at) = (stock.offer_id, now);
    vec![OfferReturned { offer_id, hold_id, claim, returned_at, valid_until }.into()]
}

fn close(offer: &Offer) -> Decision {
    let offer_id = listed(offer)?.offer_id;

    Ok(match offer {
        Offer::Closed(_) => vec![],
        Offer::NotListed | Offer::Open(_) => vec![OfferClosed { offer_id }.into()],
    })
}

fn listed(offer: &Offer) -> Result<&Stock, Refusal> {
    match offer {
        Offer::NotListed => Err(Refusal::OfferNotFound),
        Offer::Open(stock) | Offer::Closed(stock) => Ok(stock),
    }
}

fn open(offer: &Offer) -> Result<&Stock, Refusal> {
    match offer {
        Offer::NotListed => Err(Refusal::OfferNotFound),
        Offer::Open(stock) => Ok(stock),
        Offer::Closed(_) => Err(Refusal::Closed),
    }
}

fn expirations(stock: &Stock, hold_ids: Vec<HoldId>, now: Timestamp) -> Vec<Event> {
    let expired = hold_ids.into_iter().filter_map(|hold_id| {
        let claim = stock.holds.get(&hold_id)?.claim.clone();
        let (offer_id, expired_at) = (stock.offer_id, now);
        Some(OfferHoldExpired { offer_id, hold_id, claim, expired_at }.into())
    });
    expired.collect()
}

fn held(stock: &Stock, hold_id: HoldId, wish: &Wish<'_>, now: Timestamp) -> OfferHeld {
    OfferHeld {
        offer_id: stock.offer_id,
        hold_id,
        line: wish.line,
        claim: wish.claim.clone(),
        unit_price: wish.unit_price,
        cancellation: stock.cancellation.clone(),
        starts_at: stock.starts_at,
        kind: stock.kind,
        places: stock.places.clone(),
        title: stock.title.clone(),
        held_at: now,
        expires_at: now.plus_seconds(i64::from(wish.ttl_seconds)),
        valid_until: wish.valid_until,
    }
}
