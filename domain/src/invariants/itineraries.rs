//! Which trip a booking is attached to: at most once, and never again after it was detached.

use std::collections::BTreeMap;

use crate::ids::{BookingId, ItineraryId};
use crate::itinerary::Event;

/// Where bookings are, and were, attached.
#[derive(Debug, Default)]
pub(super) struct Attachments {
    states: BTreeMap<(BookingId, ItineraryId), State>,
    count: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Attached,
    Detached,
}

impl Attachments {
    /// How many attachments and detachments were looked at.
    pub(super) const fn count(&self) -> u64 {
        self.count
    }

    /// What is wrong with the event.
    pub(super) fn read(&mut self, event: &Event) -> Option<String> {
        let (key, state) = match event {
            Event::BookingAttached(e) => ((e.booking_id, e.itinerary_id), State::Attached),
            Event::BookingDetached(e) => ((e.booking_id, e.itinerary_id), State::Detached),
            _ => return None,
        };
        self.count += 1;
        let before = self.states.insert(key, state);
        let booking_id = key.0;
        match (before, state) {
            (Some(State::Attached), State::Attached) => {
                Some(format!("booking-{booking_id} is attached a second time"))
            }
            (Some(State::Detached), State::Attached) => {
                Some(format!("booking-{booking_id} is attached again after it was detached"))
            }
            _ => None,
        }
    }

    /// The trips that the booking is attached to.
    pub(super) fn of_booking(&self, booking_id: BookingId) -> Vec<ItineraryId> {
        let least = (booking_id, ItineraryId(uuid::Uuid::nil()));
        let most = (booking_id, ItineraryId(uuid::Uuid::max()));
        let attached =
            self.states.range(least..=most).filter(|(_, state)| **state == State::Attached);
        attached.map(|((_, itinerary_id), _)| *itinerary_id).collect()
    }
}
