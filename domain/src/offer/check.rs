//! Guards over values alone: what no offer accepts, whatever its state. Values come back as they
//! are kept.

use std::collections::BTreeSet;

use super::command::{Command, Listing};
use super::error::Refusal;
use super::limits::{
    CANCELLATION_HOURS_MAX, CANCELLATION_TERMS_MAX, CAPACITY_MAX, HOLD_TTL_SECONDS_MAX,
    HOLD_VALIDITY_SECONDS_MAX, PLACE_CHARACTERS_MAX, PLACES_MAX, PRICE_MAX, QUANTITY_MAX,
    SEAT_CHARACTERS_MAX, SEATS_MAX, SUPPLIER_CHARACTERS_MAX, TITLE_CHARACTERS_MAX, YEAR_MAX,
    YEAR_MIN,
};
use super::value::{CancellationPolicy, CancellationTerm, Claim, SeatId};
use crate::money::Money;
use crate::text::said_line;
use crate::time::Timestamp;

/// What no offer accepts, whatever its state: the edge asks before it troubles a lane.
pub(super) fn command(command: &Command) -> Result<(), Refusal> {
    match command {
        Command::List { terms, .. } => listing(terms).map(drop),
        Command::Reprice { price: asked } => price(*asked).map(drop),
        Command::ChangeCapacity { capacity, seats } => seat_map(*capacity, seats.as_deref()),
        Command::Hold { claim: wanted, unit_price, ttl_seconds, .. } => {
            claim(wanted)?;
            price(*unit_price)?;
            ttl(*ttl_seconds)
        }
        Command::ExpireHold { .. }
        | Command::Release { .. }
        | Command::Allocate { .. }
        | Command::Return { .. }
        | Command::Close => Ok(()),
    }
}

/// Everything that an offer sells, as it is kept.
pub(super) fn listing(listing: &Listing) -> Result<Listing, Refusal> {
    let Listing { kind, starts_at, ends_at, zone, capacity, seats, .. } = listing;
    if !zone.known() {
        return Err(Refusal::ZoneUnknown { zone: zone.clone() });
    }
    if ends_at < starts_at {
        return Err(Refusal::Reversed { starts_at: *starts_at, ends_at: *ends_at });
    }
    let (first, last) = (zone.date_at(*starts_at), zone.date_at(*ends_at));
    if first.year() < YEAR_MIN || last.year() > YEAR_MAX {
        return Err(Refusal::OutsideCalendar { year_min: YEAR_MIN, year_max: YEAR_MAX });
    }
    seat_map(*capacity, seats.as_deref())?;
    let title = said_line("title", &listing.title, TITLE_CHARACTERS_MAX)?;
    let supplier = said_line("supplier", &listing.supplier, SUPPLIER_CHARACTERS_MAX)?;
    Ok(Listing {
        kind: *kind,
        supplier,
        title,
        places: places(&listing.places)?,
        starts_at: *starts_at,
        ends_at: *ends_at,
        zone: zone.clone(),
        capacity: *capacity,
        seats: seats.clone(),
        price: price(listing.price)?,
        cancellation: cancellation(&listing.cancellation)?,
    })
}

/// A price: not negative, not absurd.
pub(crate) fn price(price: Money) -> Result<Money, Refusal> {
    if !(0..=PRICE_MAX).contains(&price.amount) {
        return Err(Refusal::PriceOutOfRange { amount: price.amount, amount_max: PRICE_MAX });
    }
    Ok(price)
}

/// A capacity, and as many seats as that where there is a seat map.
pub(super) fn seat_map(capacity: u32, seats: Option<&[SeatId]>) -> Result<(), Refusal> {
    if !(1..=CAPACITY_MAX).contains(&capacity) {
        return Err(Refusal::CapacityOutOfRange { capacity, capacity_max: CAPACITY_MAX });
    }
    let Some(named) = seats else { return Ok(()) };
    if named.len() > SEATS_MAX {
        return Err(Refusal::TooManySeats { seats_max: SEATS_MAX });
    }
    if u32::try_from(named.len()) != Ok(capacity) {
        return Err(Refusal::SeatsDiffer { seats: named.len(), capacity });
    }
    distinct_seats(named)
}

/// A claim on at least one place, and not on too many.
pub(crate) fn claim(claim: &Claim) -> Result<(), Refusal> {
    let quantity = claim.quantity();
    if !(1..=QUANTITY_MAX).contains(&quantity) {
        return Err(Refusal::QuantityOutOfRange { quantity, quantity_max: QUANTITY_MAX });
    }
    distinct_seats(claim.seats())
}

/// How long a hold may last.
pub(super) fn ttl(ttl_seconds: u32) -> Result<(), Refusal> {
    if !(1..=HOLD_TTL_SECONDS_MAX).contains(&ttl_seconds) {
        let ttl_seconds_max = HOLD_TTL_SECONDS_MAX;
        return Err(Refusal::TtlOutOfRange { ttl_seconds, ttl_seconds_max });
    }
    Ok(())
}

/// Until when a hold may be asked for, or has to be remembered.
pub(super) fn validity(valid_until: Timestamp, now: Timestamp) -> Result<(), Refusal> {
    if valid_until > now.plus_seconds(i64::from(HOLD_VALIDITY_SECONDS_MAX)) {
        let validity_seconds_max = HOLD_VALIDITY_SECONDS_MAX;
        return Err(Refusal::ValidityTooLong { valid_until, validity_seconds_max });
    }
    Ok(())
}

fn places(places: &[String]) -> Result<Vec<String>, Refusal> {
    if !(1..=PLACES_MAX).contains(&places.len()) {
        return Err(Refusal::PlacesOutOfRange { places: places.len(), places_max: PLACES_MAX });
    }
    places.iter().map(|place| Ok(said_line("places", place, PLACE_CHARACTERS_MAX)?)).collect()
}

fn distinct_seats(seats: &[SeatId]) -> Result<(), Refusal> {
    let mut seen = BTreeSet::new();
    for seat in seats {
        let plain = seat.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if !plain || !(1..=SEAT_CHARACTERS_MAX).contains(&seat.len()) {
            return Err(Refusal::SeatInvalid { characters_max: SEAT_CHARACTERS_MAX });
        }
        if !seen.insert(seat) {
            return Err(Refusal::SeatRepeated { seat: seat.clone() });
        }
    }
    Ok(())
}

fn cancellation(policy: &CancellationPolicy) -> Result<CancellationPolicy, Refusal> {
    let terms = policy.terms();
    if terms.len() > CANCELLATION_TERMS_MAX {
        return Err(Refusal::TooManyTerms { terms_max: CANCELLATION_TERMS_MAX });
    }
    let mut seen = BTreeSet::new();
    for CancellationTerm { hours_before, refund_percent } in terms.iter().copied() {
        if hours_before > CANCELLATION_HOURS_MAX || refund_percent > 100 {
            let hours_max = CANCELLATION_HOURS_MAX;
            return Err(Refusal::TermOutOfRange { hours_before, refund_percent, hours_max });
        }
        if !seen.insert(hours_before) {
            return Err(Refusal::TermRepeated { hours_before });
        }
    }
    Ok(CancellationPolicy::new(terms.to_vec()))
}
