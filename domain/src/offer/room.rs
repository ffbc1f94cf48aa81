//! Making room: which expired holds have to give way. They are freed by events of their own, and no
//! more of them than the decision needs.

use super::error::Refusal;
use super::stock::Stock;
use super::value::{Claim, SeatId, SeatMap};
use crate::ids::HoldId;
use crate::time::Timestamp;

/// The expired holds that have to give way for the claim.
pub(super) fn for_claim(
    stock: &Stock,
    claim: &Claim,
    now: Timestamp,
) -> Result<Vec<HoldId>, Refusal> {
    match (&stock.seats, claim) {
        (Some(_), Claim::Quantity(_)) => Err(Refusal::SeatsRequired),
        (None, Claim::Seats(_)) => Err(Refusal::SeatsNotOffered),
        (Some(map), Claim::Seats(seats)) => {
            let unknown = seats.iter().filter(|seat| !map.contains(*seat));
            let unknown: Vec<SeatId> = unknown.cloned().collect();
            if !unknown.is_empty() {
                return Err(Refusal::SeatsUnknown { seats: unknown });
            }
            let taken = seats.iter().filter(|seat| stock.taken.contains(*seat));
            let taken: Vec<SeatId> = taken.cloned().collect();
            seats_freed(stock, &taken, now).map_err(|seats| Refusal::SeatsTaken { seats })
        }
        (None, Claim::Quantity(requested)) => {
            let lacking = requested.saturating_sub(stock.free());
            places_freed(stock, lacking, now).map_err(|freed| Refusal::SoldOut {
                requested: *requested,
                available: stock.free() + freed,
            })
        }
    }
}

/// The expired holds that hold these seats; otherwise, the seats that remain taken.
pub(super) fn seats_freed(
    stock: &Stock,
    seats: &[SeatId],
    now: Timestamp,
) -> Result<Vec<HoldId>, Vec<SeatId>> {
    if seats.is_empty() {
        return Ok(vec![]);
    }
    let mut remaining: SeatMap = seats.iter().cloned().collect();
    let mut freed = Vec::new();
    for (hold_id, held) in stock.expired(now) {
        let before = remaining.len();
        for seat in held.claim.seats() {
            remaining.remove(seat);
        }
        if remaining.len() < before {
            freed.push(hold_id);
        }
    }
    if remaining.is_empty() { Ok(freed) } else { Err(remaining.into_iter().collect()) }
}

/// The expired holds, the longest expired first, that free so many places; otherwise, how many
/// places they all would free.
pub(super) fn places_freed(stock: &Stock, places: u32, now: Timestamp) -> Result<Vec<HoldId>, u32> {
    let (mut freed, mut free) = (Vec::new(), 0);
    if places == 0 {
        return Ok(freed);
    }
    for (hold_id, held) in stock.expired(now) {
        freed.push(hold_id);
        free += held.claim.quantity();
        if free >= places {
            return Ok(freed);
        }
    }
    Err(free)
}
