//! Given events, then rows: destinations, rankings, and what is left.

use domain::destination::{DestinationDescribed, DestinationRetired};
use domain::ids::{BookingId, DestinationId, OfferId};
use domain::{Event, RecordedEvent, booking, offer};
use uuid::Uuid;

use super::{
    Availability, AvailabilityRow, DestinationCountRow, DestinationRow, Destinations,
    PopularDestinations, PopularPlaceRow,
};
use crate::testing::harness::{MemoryTables, rows_after};
use crate::testing::sales::{any_sale, eur, listed};
use crate::testing::samples::{START, SampleLog};

const PORTO: Uuid = Uuid::from_u128(0xD1);
const OFFER: Uuid = Uuid::from_u128(0xF1);
const BOOKING: Uuid = Uuid::from_u128(0xB1);
const ACTOR: Uuid = Uuid::from_u128(0xA1);

fn described(name: &str) -> DestinationDescribed {
    let Event::Destination(domain::destination::Event::Described(described)) =
        any_sale(0, 0, PORTO)
    else {
        panic!("a description")
    };
    DestinationDescribed {
        name: name.to_owned(),
        tags: vec!["Vinho Verde".to_owned()],
        ..described
    }
}

/// Each stream in a partition of its own.
fn log(events: impl IntoIterator<Item = (u32, Uuid, Event)>) -> Vec<RecordedEvent> {
    let mut log = SampleLog::new();
    events.into_iter().for_each(|(partition, id, event)| log.append(partition, id, ACTOR, event));
    log.into_events()
}

fn sales() -> Vec<(u32, Uuid, Event)> {
    let hold_id = domain::ids::HoldId(Uuid::from_u128(0xC1));
    let claim = offer::Claim::Quantity(3);
    let offer_id = OfferId(OFFER);
    let allocated = offer::OfferAllocated { offer_id, hold_id, line: None, claim };
    let returned = offer::OfferReturned {
        offer_id,
        hold_id,
        claim: Some(offer::Claim::Quantity(1)),
        returned_at: START,
        valid_until: START,
    };
    let booking_id = BookingId(BOOKING);
    vec![
        (1, OFFER, listed(OFFER, "Voo").into()),
        (1, OFFER, allocated.into()),
        (2, BOOKING, any_sale(13, 0, BOOKING)),
        (1, OFFER, returned.into()),
        (2, BOOKING, booking::BookingCancelled { booking_id }.into()),
        (1, OFFER, offer::OfferClosed { offer_id }.into()),
    ]
}

fn count(rows: &[DestinationCountRow], place: &str) -> [i64; 5] {
    let row = rows.iter().find(|row| row.place == place).unwrap();
    [
        row.offers_listed,
        row.offers_open,
        row.places_sold,
        row.bookings_confirmed,
        row.bookings_cancelled,
    ]
}

#[test]
fn what_is_sold_and_booked_is_counted_by_place_and_taken_back() {
    let events = log(sales());

    let sold: Vec<DestinationCountRow> = rows_after(&Destinations, &events[..3]);
    let all: Vec<DestinationCountRow> = rows_after(&Destinations, &events);

    assert_eq!(sold.len(), 2, "Lisbon and Porto");
    assert_eq!(count(&sold, "porto"), [1, 1, 3, 1, 0]);
    assert_eq!(count(&all, "lisbon"), [1, 0, 2, 1, 1]);
}

#[test]
fn counts_are_the_same_in_one_batch_and_event_by_event() {
    let events = log(sales());
    let mut one_by_one = MemoryTables::default();

    for event in &events {
        one_by_one.fold(&Destinations, std::slice::from_ref(event));
    }

    let mut at_once = MemoryTables::default();
    at_once.fold(&Destinations, &events);
    assert_eq!(one_by_one, at_once);
}

#[test]
fn a_destination_that_is_described_after_its_offers_comes_out_equal() {
    let description = || vec![(0, PORTO, Event::from(described("Porto")))];

    let before = log(description().into_iter().chain(sales()));
    let after = log(sales().into_iter().chain(description()));

    let counts =
        |events: &[RecordedEvent]| rows_after::<DestinationCountRow>(&Destinations, events);
    assert_eq!(counts(&before), counts(&after));
    let row = &rows_after::<DestinationRow>(&Destinations, &after)[0];
    assert_eq!((row.slug_place.as_str(), row.status.as_str()), ("porto", "described"));
    assert_eq!(row.tag_words, "|vinho verde|");
}

#[test]
fn a_description_replaces_the_one_before_and_brings_back_what_was_retired() {
    let destination_id = DestinationId(PORTO);
    let events = log([
        (0, PORTO, described("Porto").into()),
        (0, PORTO, DestinationRetired { destination_id }.into()),
        (0, PORTO, described("Oporto").into()),
    ]);

    let retired = &rows_after::<DestinationRow>(&Destinations, &events[..2])[0];
    let anew = &rows_after::<DestinationRow>(&Destinations, &events)[0];

    assert_eq!((retired.status.as_str(), retired.version), ("retired", 2));
    assert_eq!((anew.status.as_str(), anew.name.as_str()), ("described", "Oporto"));
    assert_eq!((anew.created_at, anew.updated_at), (START.plus_seconds(1), START.plus_seconds(3)));
}

#[test]
fn a_confirmation_counts_once_for_each_of_its_places_in_day_week_and_month() {
    let other = Uuid::from_u128(0xB2);
    let events = log([
        (0, BOOKING, any_sale(13, 0, BOOKING)),
        (0, BOOKING, booking::BookingCancelled { booking_id: BookingId(BOOKING) }.into()),
        (1, other, any_sale(13, 1, other)),
    ]);

    let rows: Vec<PopularPlaceRow> = rows_after(&PopularDestinations, &events);

    let porto: Vec<_> = rows.iter().filter(|row| row.place == "porto").collect();
    let periods: Vec<_> = porto
        .iter()
        .map(|row| (row.period.as_str(), row.begins_on.to_string(), row.bookings, row.places))
        .collect();
    // The log begins on a Friday, the first of May.
    let day = ("day", "2026-05-01".to_owned(), 2, 4);
    let month = ("month", "2026-05-01".to_owned(), 2, 4);
    assert_eq!(periods, [day, month, ("week", "2026-04-27".to_owned(), 2, 4)]);
    assert_eq!(rows.len(), 6);
}

#[test]
fn what_is_left_follows_holds_prices_and_the_end_of_sales() {
    let repriced =
        offer::OfferRepriced { offer_id: OfferId(OFFER), old_price: eur(5_000), price: eur(6_000) };
    let events = log([
        (0, OFFER, listed(OFFER, "Voo").into()),
        (0, OFFER, any_sale(5, 1, OFFER)),
        (0, OFFER, repriced.into()),
        (0, OFFER, offer::OfferClosed { offer_id: OfferId(OFFER) }.into()),
    ]);

    let open = &rows_after::<AvailabilityRow>(&Availability, &events[..3])[0];
    let closed = &rows_after::<AvailabilityRow>(&Availability, &events)[0];

    assert_eq!((open.capacity, open.held, open.free, open.closed), (10, 2, 8, false));
    assert_eq!((open.price_amount, open.version), (6_000, 3));
    assert_eq!((closed.held, closed.free, closed.closed), (2, 0, true));
}
