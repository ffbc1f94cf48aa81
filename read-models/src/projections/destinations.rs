//! `destinations`: the catalogue, with what is offered and booked at each. Tables `destinations`
//! (key: destination), `destination_counts` (tenant, place), `destination_offers` (offer) and
//! `destination_bookings` (booking). Home: MySQL.
//!
//! A repeat is harmless because rows and vector move together. Offers and bookings name places, not
//! destinations, and may come before what describes them: counts are kept by place, and joined when
//! they are asked for. Each stream adds to them what its own row says that it has not added yet, so
//! that streams may interleave in any way. An offer that calls a destination by its slug and by
//! another name too counts for both.

use std::collections::BTreeSet;

use domain::booking::{BookingConfirmed, Event as Booking};
use domain::destination::{DestinationDescribed, Event as Destination};
use domain::ids::{BookingId, OfferId};
use domain::offer::Event as Offer;
use domain::{Event, RecordedEvent};

use super::destination_rows::{
    DestinationBookingRow, DestinationCountRow, DestinationOfferRow, DestinationRow,
};
use super::offer_stock::OfferStock;
use super::offers::place_words;
use crate::projection::{Home, Projection, RowKey, Rows};
use crate::row::{Cell as _, Document};
use crate::search::search_words;
use crate::table::{Row as _, Table, Value};

/// In the catalogue.
pub(crate) const DESCRIBED: &str = "described";
const RETIRED: &str = "retired";

/// The projection of destinations.
pub struct Destinations;

/// What an event adds to the counts of a place.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Added {
    offers_listed: i64,
    offers_open: i64,
    places_sold: i64,
    bookings_confirmed: i64,
    bookings_cancelled: i64,
}

impl Projection for Destinations {
    fn name(&self) -> &'static str {
        "destinations"
    }

    fn version(&self) -> u32 {
        1
    }

    fn tables(&self) -> &'static [&'static Table] {
        &[
            DestinationRow::TABLE,
            DestinationCountRow::TABLE,
            DestinationOfferRow::TABLE,
            DestinationBookingRow::TABLE,
        ]
    }

    fn home(&self) -> Home {
        Home::Mysql
    }

    fn keyed_by_stream(&self) -> bool {
        false
    }

    fn keys(&self, event: &RecordedEvent, keys: &mut Vec<RowKey>) {
        let own = |table| RowKey { table, key: key(event) };
        match &event.event {
            Event::Destination(_) => keys.push(own(DestinationRow::TABLE)),
            Event::Offer(happened) if counts(happened) => {
                keys.push(own(DestinationOfferRow::TABLE));
                if let Offer::Listed(listed) = happened {
                    count_keys(event, &distinct(&listed.places), keys);
                }
            }
            Event::Booking(Booking::Confirmed(confirmed)) => {
                keys.push(own(DestinationBookingRow::TABLE));
                count_keys(event, &booked(confirmed), keys);
            }
            Event::Booking(Booking::Cancelled(_)) => keys.push(own(DestinationBookingRow::TABLE)),
            Event::Offer(_)
            | Event::Booking(_)
            | Event::Itinerary(_)
            | Event::Payment(_)
            | Event::InvoiceSeries(_)
            | Event::Notification(_)
            | Event::Saga(_) => {}
        }
    }

    fn further_keys(&self, rows: &Rows, event: &RecordedEvent, keys: &mut Vec<RowKey>) {
        // Only the first event of a stream names its places; the others find them in its row.
        let places = match &event.event {
            Event::Offer(happened) if counts(happened) => {
                rows.read::<DestinationOfferRow>(&key(event)).map(|row| row.places.0)
            }
            Event::Booking(Booking::Cancelled(_)) => {
                rows.read::<DestinationBookingRow>(&key(event)).map(|row| row.places.0)
            }
            _ => None,
        };
        count_keys(event, &places.unwrap_or_default(), keys);
    }

    fn fold(&self, rows: &mut Rows, event: &RecordedEvent) {
        match &event.event {
            Event::Destination(happened) => describe(rows, event, happened),
            Event::Offer(happened) => offer(rows, event, happened),
            Event::Booking(happened) => booking(rows, event, happened),
            Event::Itinerary(_)
            | Event::Payment(_)
            | Event::InvoiceSeries(_)
            | Event::Notification(_)
            | Event::Saga(_) => {}
        }
    }
}

fn describe(rows: &mut Rows, event: &RecordedEvent, happened: &Destination) {
    let before = rows.read::<DestinationRow>(&key(event));
    let row = match (happened, before) {
        (Destination::Described(described), before) => {
            let mut row = described_row(event, described);
            if let Some(before) = before {
                row.created_at = before.created_at;
            }
            row
        }
        (Destination::Retired(_), Some(before)) => DestinationRow {
            status: RETIRED.to_owned(),
            version: event.envelope.version,
            updated_at: event.envelope.recorded_at,
            ..before
        },
        // A stream without its first event has no row, and a fold refuses nothing.
        (Destination::Retired(_), None) => return,
    };
    rows.write(row);
}

fn described_row(event: &RecordedEvent, described: &DestinationDescribed) -> DestinationRow {
    let at = event.envelope.recorded_at;
    let texts = [described.name.as_str(), &described.slug, &described.country];
    let texts = texts.into_iter().chain(described.tags.iter().map(String::as_str));
    let tags = distinct(&described.tags).into_iter().map(|tag| format!("{tag}|"));
    DestinationRow {
        destination_id: described.destination_id,
        tenant: event.envelope.tenant.clone(),
        slug: described.slug.clone(),
        name: described.name.clone(),
        country: described.country.clone(),
        latitude_microdegrees: described.coordinates.latitude_microdegrees.into(),
        longitude_microdegrees: described.coordinates.longitude_microdegrees.into(),
        zone: described.zone.clone(),
        tags: Document(described.tags.clone()),
        tag_words: format!("|{}", tags.collect::<String>()),
        status: DESCRIBED.to_owned(),
        slug_place: place_words(&described.slug),
        name_place: place_words(&described.name),
        search_words: search_words(texts),
        version: event.envelope.version,
        created_at: at,
        updated_at: at,
    }
}

/// Whether the event changes what an offer adds.
fn counts(happened: &Offer) -> bool {
    match happened {
        Offer::Listed(_) | Offer::Allocated(_) | Offer::Returned(_) | Offer::Closed(_) => true,
        Offer::Repriced(_)
        | Offer::CapacityChanged(_)
        | Offer::Held(_)
        | Offer::HoldReleased(_)
        | Offer::HoldExpired(_) => false,
    }
}

fn offer(rows: &mut Rows, event: &RecordedEvent, happened: &Offer) {
    if !counts(happened) {
        return;
    }
    let offer_id = OfferId(event.envelope.stream.id);
    let (before, listed) = match (happened, rows.read::<DestinationOfferRow>(&key(event))) {
        (Offer::Listed(listed), None) => {
            let places = Document(distinct(&listed.places));
            (DestinationOfferRow { offer_id, places, closed: false, sold: 0 }, 1)
        }
        (_, Some(row)) => (row, 0),
        (_, None) => return,
    };
    let stock = OfferStock { capacity: 0, held: 0, allocated: before.sold, closed: before.closed };
    let stock = stock.follow(happened);
    let added = Added {
        offers_listed: listed,
        offers_open: listed - i64::from(stock.closed) + i64::from(before.closed),
        places_sold: i64::from(stock.allocated) - i64::from(before.sold),
        ..Added::default()
    };
    add(rows, event, &before.places.0, added);
    rows.write(DestinationOfferRow { closed: stock.closed, sold: stock.allocated, ..before });
}

fn booking(rows: &mut Rows, event: &RecordedEvent, happened: &Booking) {
    match happened {
        Booking::Confirmed(confirmed) => {
            // Nothing is confirmed twice; the first one holds.
            if rows.read::<DestinationBookingRow>(&key(event)).is_some() {
                return;
            }
            let places = booked(confirmed);
            add(rows, event, &places, Added { bookings_confirmed: 1, ..Added::default() });
            let booking_id = BookingId(event.envelope.stream.id);
            let places = Document(places);
            rows.write(DestinationBookingRow { booking_id, places, cancelled: false });
        }
        Booking::Cancelled(_) => {
            // What was never confirmed was never counted.
            let Some(row) = rows.read::<DestinationBookingRow>(&key(event)) else { return };
            if row.cancelled {
                return;
            }
            add(rows, event, &row.places.0, Added { bookings_cancelled: 1, ..Added::default() });
            rows.write(DestinationBookingRow { cancelled: true, ..row });
        }
        Booking::Requested(_)
        | Booking::Held(_)
        | Booking::Rejected(_)
        | Booking::Expired(_)
        | Booking::CancellationRequested(_)
        | Booking::TravellersChanged(_) => {}
    }
}

/// Adds to the counts of these places.
fn add(rows: &mut Rows, event: &RecordedEvent, places: &[String], added: Added) {
    if added == Added::default() {
        return;
    }
    for place in places {
        let before = rows.read::<DestinationCountRow>(&count_key(event, place));
        let before = before.unwrap_or_else(|| DestinationCountRow {
            tenant: event.envelope.tenant.clone(),
            place: place.clone(),
            offers_listed: 0,
            offers_open: 0,
            places_sold: 0,
            bookings_confirmed: 0,
            bookings_cancelled: 0,
        });
        rows.write(DestinationCountRow {
            offers_listed: before.offers_listed + added.offers_listed,
            offers_open: before.offers_open + added.offers_open,
            places_sold: before.places_sold + added.places_sold,
            bookings_confirmed: before.bookings_confirmed + added.bookings_confirmed,
            bookings_cancelled: before.bookings_cancelled + added.bookings_cancelled,
            ..before
        });
    }
}

fn booked(confirmed: &BookingConfirmed) -> Vec<String> {
    distinct(confirmed.lines.iter().flat_map(|line| &line.places))
}

/// The words of the texts, each once; a text without words names nothing.
fn distinct<'a>(texts: impl IntoIterator<Item = &'a String>) -> Vec<String> {
    let words: BTreeSet<String> = texts.into_iter().map(|text| place_words(text)).collect();
    words.into_iter().filter(|words| !words.is_empty()).collect()
}

fn count_keys(event: &RecordedEvent, places: &[String], keys: &mut Vec<RowKey>) {
    let key =
        |place: &String| RowKey { table: DestinationCountRow::TABLE, key: count_key(event, place) };
    keys.extend(places.iter().map(key));
}

fn count_key(event: &RecordedEvent, place: &str) -> Vec<Value> {
    vec![event.envelope.tenant.clone().into_value(), Value::Text(place.to_owned())]
}

fn key(event: &RecordedEvent) -> Vec<Value> {
    vec![event.envelope.stream.id.into_value()]
}
