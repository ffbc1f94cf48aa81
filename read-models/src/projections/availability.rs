//! `availability`: how much of each offer is left, and for how much. Table `availability` (key:
//! offer). Small rows that are asked for all the time: Redis holds a copy.
//!
//! A repeat is harmless because rows and vector move together. Every row belongs to one stream, so
//! streams may interleave in any way.

use domain::ids::OfferId;
use domain::offer::{Event as Offer, OfferListed};
use domain::{Event, RecordedEvent, Tenant, Timestamp};

use super::offer_stock::OfferStock;
use crate::projection::{Home, Projection, RowKey, Rows};
use crate::row::{Cell as _, row};
use crate::table::{Row as _, Table, Value};

row! {
    /// What is left of one offer.
    pub struct AvailabilityRow in "availability", keys 1, append_only false {
        /// The offer.
        offer_id: OfferId,
        /// Whose data it is.
        tenant: Tenant,
        /// How many places can be sold.
        capacity: u32,
        /// How many of them are held.
        held: u32,
        /// How many are sold.
        allocated: u32,
        /// How many can be bought now: none once it is closed.
        free: u32,
        /// Whether it sells nothing new.
        closed: bool,
        /// The price of one place, in minor units.
        price_amount: i64,
        /// ISO 4217 code of the price.
        price_currency: String,
        /// When it begins.
        starts_at: Timestamp,
        /// The stream's version that the row is at.
        version: u64,
    }
    indexes &[]
}

/// The projection of what is left.
pub struct Availability;

impl Projection for Availability {
    fn name(&self) -> &'static str {
        "availability"
    }

    fn version(&self) -> u32 {
        1
    }

    fn tables(&self) -> &'static [&'static Table] {
        &[AvailabilityRow::TABLE]
    }

    fn home(&self) -> Home {
        Home::Redis { copy: "availability_hot" }
    }

    fn keyed_by_stream(&self) -> bool {
        true
    }

    fn keys(&self, event: &RecordedEvent, keys: &mut Vec<RowKey>) {
        match &event.event {
            Event::Offer(_) => keys.push(RowKey { table: AvailabilityRow::TABLE, key: key(event) }),
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
        let row = match (happened, rows.read::<AvailabilityRow>(&key(event))) {
            (Offer::Listed(listed), None) => Some(begun(event, listed)),
            (_, row) => row,
        };
        // A stream without its first event has no row, and a fold refuses nothing.
        let Some(mut row) = row else { return };
        if let Offer::Repriced(repriced) = happened {
            row.price_amount = repriced.price.amount;
            row.price_currency = repriced.price.currency.to_string();
        }
        let stock = OfferStock {
            capacity: row.capacity,
            held: row.held,
            allocated: row.allocated,
            closed: row.closed,
        };
        let stock = stock.follow(happened);
        row.capacity = stock.capacity;
        row.held = stock.held;
        row.allocated = stock.allocated;
        row.closed = stock.closed;
        row.free = stock.free();
        row.version = event.envelope.version;
        rows.write(row);
    }
}

/// The row of an offer whose first event this is.
fn begun(event: &RecordedEvent, listed: &OfferListed) -> AvailabilityRow {
    AvailabilityRow {
        offer_id: OfferId(event.envelope.stream.id),
        tenant: event.envelope.tenant.clone(),
        capacity: listed.capacity,
        held: 0,
        allocated: 0,
        free: listed.capacity,
        closed: false,
        price_amount: listed.price.amount,
        price_currency: listed.price.currency.to_string(),
        starts_at: listed.starts_at,
        version: 0,
    }
}

fn key(event: &RecordedEvent) -> Vec<Value> {
    vec![event.envelope.stream.id.into_value()]
}
