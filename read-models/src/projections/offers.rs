//! `offers`: what can be bought, and how much of it is left. Tables `offers` (key: offer) and
//! `offer_places` (offer, place; append-only).
//!
//! A repeat is harmless because rows and vector move together. Every row belongs to one stream, so
//! streams may interleave in any way. Events say how many places they take or free, so that nothing
//! here remembers holds.

use std::collections::BTreeSet;

use domain::calendar::{Date, Zone};
use domain::ids::OfferId;
use domain::offer::{CancellationPolicy, Claim, Event as Offer, OfferListed, SeatId};
use domain::{Event, RecordedEvent, Tenant, Timestamp};
use serde::{Deserialize, Serialize};

use super::availability::AvailabilityRow;
use super::offer_stock::OfferStock;
use crate::projection::{Projection, RowKey, Rows};
use crate::row::{Cell as _, Document, row};
use crate::search::search_words;
use crate::table::{Index, IndexKind, Row as _, Table, Value};

const OPEN: &str = "open";
const CLOSED: &str = "closed";
/// Characters that places are compared by: folding may make a place longer than offers may name it,
/// and an index holds only so much.
const PLACE_CHARACTERS_MAX: usize = 128;

row! {
    /// One offer: its terms, and how many of its places are held, sold and left.
    pub struct OfferRow in "offers", keys 1, append_only false {
        /// The offer.
        offer_id: OfferId,
        /// Whose data it is.
        tenant: Tenant,
        /// `flight`, `train`, `hotel`, `tour`, `transfer`, `meal` or `other`.
        kind: String,
        /// Who provides it.
        supplier: String,
        /// What it is called.
        title: String,
        /// Where it is, or from where to where.
        places: Document<Vec<String>>,
        /// When it begins.
        starts_at: Timestamp,
        /// When it ends.
        ends_at: Timestamp,
        /// IANA zone of the place.
        zone: Zone,
        /// The day on which it begins, in its zone.
        start_date: Date,
        /// `open` or `closed`.
        status: String,
        /// The price of one place, in minor units.
        price_amount: i64,
        /// ISO 4217 code of the price.
        price_currency: String,
        /// What is returned when a purchase is cancelled.
        cancellation: Document<CancellationPolicy>,
        /// How many places can be sold.
        capacity: u32,
        /// How many of them are held.
        held: u32,
        /// How many are sold.
        allocated: u32,
        /// How many can be bought now: none once it is closed.
        available: u32,
        /// The seats, where places have names.
        seats: Document<Seats>,
        /// Words of title, places and supplier.
        search_words: String,
        /// The stream's version that the row is at.
        version: u64,
        /// When it was listed.
        created_at: Timestamp,
        /// When its last event was recorded.
        updated_at: Timestamp,
    }
    indexes &[
        Index { name: "start", kind: IndexKind::Ordered(&["tenant", "starts_at", "offer_id"]) },
        Index {
            name: "kind",
            kind: IndexKind::Ordered(&["tenant", "kind", "starts_at", "offer_id"]),
        },
        Index { name: "words", kind: IndexKind::FullText("search_words") },
    ]
}

row! {
    /// One place of an offer, by which it is found.
    pub struct OfferPlaceRow in "offer_places", keys 2, append_only true {
        /// The offer.
        offer_id: OfferId,
        /// The place's words, without case and accents.
        place: String,
        /// Whose data it is.
        tenant: Tenant,
        /// When the offer begins.
        starts_at: Timestamp,
    }
    indexes &[Index {
        name: "place",
        kind: IndexKind::Ordered(&["tenant", "place", "starts_at", "offer_id"]),
    }]
}

/// Seats by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Seats {
    /// The seat map; empty where places have no names.
    pub all: BTreeSet<SeatId>,
    /// Those that are held or sold.
    pub taken: BTreeSet<SeatId>,
}

/// The projection of offers.
pub struct Offers;

impl Projection for Offers {
    fn name(&self) -> &'static str {
        "offers"
    }

    fn version(&self) -> u32 {
        1
    }

    fn tables(&self) -> &'static [&'static Table] {
        &[OfferRow::TABLE, OfferPlaceRow::TABLE]
    }

    fn keyed_by_stream(&self) -> bool {
        true
    }

    fn keys(&self, event: &RecordedEvent, keys: &mut Vec<RowKey>) {
        match &event.event {
            Event::Offer(_) => keys.push(RowKey { table: OfferRow::TABLE, key: key(event) }),
            Event::Itinerary(_)
            | Event::Destination(_)
            | Event::Booking(_)
            | Event::Payment(_)
            | Event::InvoiceSeries(_)
            | Event::Notification(_)
            | Event::Saga(_) => {}
        }
    }

    fn fold(&self, rows: &mut Rows, event: &RecordedEvent) {
        let happened = match &event.event {
            Event::Offer(happened) => happened,
            Event::Itinerary(_)
            | Event::Destination(_)
            | Event::Booking(_)
            | Event::Payment(_)
            | Event::InvoiceSeries(_)
            | Event::Notification(_)
            | Event::Saga(_) => return,
        };
        let row = match (happened, rows.read::<OfferRow>(&key(event))) {
            (Offer::Listed(listed), None) => Some(begun(rows, event, listed)),
            (_, row) => row,
        };
        // A stream without its first event has no row, and a fold refuses nothing.
        let Some(mut row) = row else { return };
        row.follow(happened);
        row.version = event.envelope.version;
        row.updated_at = event.envelope.recorded_at;
        rows.write(row);
    }
}

/// The row of an offer whose first event this is; its places are written beside it.
fn begun(rows: &mut Rows, event: &RecordedEvent, listed: &OfferListed) -> OfferRow {
    let (tenant, at) = (&event.envelope.tenant, event.envelope.recorded_at);
    let offer_id = OfferId(event.envelope.stream.id);
    let places: BTreeSet<String> = listed.places.iter().map(|place| place_words(place)).collect();
    for place in places {
        let (tenant, starts_at) = (tenant.clone(), listed.starts_at);
        rows.write(OfferPlaceRow { offer_id, place, tenant, starts_at });
    }
    let texts = [listed.title.as_str(), listed.supplier.as_str()];
    let texts = texts.into_iter().chain(listed.places.iter().map(String::as_str));
    OfferRow {
        offer_id,
        tenant: tenant.clone(),
        kind: listed.kind.name().to_owned(),
        supplier: listed.supplier.clone(),
        title: listed.title.clone(),
        places: Document(listed.places.clone()),
        starts_at: listed.starts_at,
        ends_at: listed.ends_at,
        zone: listed.zone.clone(),
        start_date: listed.zone.date_at(listed.starts_at),
        status: OPEN.to_owned(),
        price_amount: listed.price.amount,
        price_currency: listed.price.currency.to_string(),
        cancellation: Document(listed.cancellation.clone()),
        capacity: listed.capacity,
        held: 0,
        allocated: 0,
        available: listed.capacity,
        seats: Document(Seats {
            all: listed.seats.iter().flatten().cloned().collect(),
            taken: BTreeSet::new(),
        }),
        search_words: search_words(texts),
        version: 0,
        created_at: at,
        updated_at: at,
    }
}

/// What places are compared by: the beginning of their words in their order, without case and
/// accents.
pub(crate) fn place_words(place: &str) -> String {
    let words = crate::search::words(place).collect::<Vec<_>>().join(" ");
    words.chars().take(PLACE_CHARACTERS_MAX).collect()
}

impl OfferRow {
    /// What the event says of an offer that is listed.
    fn follow(&mut self, happened: &Offer) {
        match happened {
            Offer::Repriced(repriced) => {
                self.price_amount = repriced.price.amount;
                self.price_currency = repriced.price.currency.to_string();
            }
            Offer::CapacityChanged(changed) => {
                self.seats.0.all = changed.seats.iter().flatten().cloned().collect();
            }
            Offer::Held(held) => self.seats.0.taken.extend(held.claim.seats().iter().cloned()),
            Offer::HoldReleased(released) => self.vacate(released.claim.as_ref()),
            Offer::HoldExpired(expired) => self.vacate(Some(&expired.claim)),
            Offer::Returned(returned) => self.vacate(returned.claim.as_ref()),
            Offer::Closed(_) => CLOSED.clone_into(&mut self.status),
            // Nothing is listed twice; the first one holds. Sold seats were held.
            Offer::Listed(_) | Offer::Allocated(_) => {}
        }
        let stock = self.stock().follow(happened);
        self.capacity = stock.capacity;
        self.held = stock.held;
        self.allocated = stock.allocated;
        self.available = stock.free();
    }

    /// Takes over the numbers of what is known to be left.
    pub(crate) fn refresh(&mut self, newer: &AvailabilityRow) {
        self.capacity = newer.capacity;
        self.held = newer.held;
        self.allocated = newer.allocated;
        self.available = newer.free;
        self.price_amount = newer.price_amount;
        self.price_currency.clone_from(&newer.price_currency);
        if newer.closed {
            CLOSED.clone_into(&mut self.status);
        }
    }

    fn stock(&self) -> OfferStock {
        let (capacity, held, allocated) = (self.capacity, self.held, self.allocated);
        OfferStock { capacity, held, allocated, closed: self.status == CLOSED }
    }

    fn vacate(&mut self, claim: Option<&Claim>) {
        for seat in claim.map(Claim::seats).unwrap_or_default() {
            self.seats.0.taken.remove(seat);
        }
    }
}

fn key(event: &RecordedEvent) -> Vec<Value> {
    vec![event.envelope.stream.id.into_value()]
}
