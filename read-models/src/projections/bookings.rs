//! `bookings`: what each booking buys and where it stands. Table `bookings` (key: booking).
//!
//! A repeat is harmless because rows and vector move together: an event at or before the vector is
//! never folded again. Every row belongs to one stream, so streams may interleave in any way; what
//! the booking's sagas do is in the projection `sagas`, and joined when it is asked for.

use domain::booking::{
    BookingCancellationRequested, BookingRequested, Event as Booking, HeldLine, Line, LineRefund,
    Status, Traveller,
};
use domain::ids::{AccountId, BookingId, HoldId, ItineraryId, OfferId, PaymentId};
use domain::money::Money;
use domain::offer::{CancellationPolicy, Claim, OfferKind};
use domain::{Event, RecordedEvent, Sealed, Tenant, Timestamp};
use serde::{Deserialize, Serialize};

use super::itineraries::wire_name;
use crate::projection::{Projection, RowKey, Rows};
use crate::row::{Cell, Document, row};
use crate::table::{Index, IndexKind, Row, Table, Value};

row! {
    /// One booking: amounts in minor units of its currency, and what became of it.
    pub struct BookingRow in "bookings", keys 1, append_only false {
        /// The booking.
        booking_id: BookingId,
        /// Whose data it is.
        tenant: Tenant,
        /// The account that owns it.
        account_id: AccountId,
        /// The trip that it belongs to.
        itinerary_id: ItineraryId,
        /// `requested`, `held`, `confirmed`, `cancelling`, `cancelled`, `rejected` or `expired`.
        status: String,
        /// What is bought, with what became of each line.
        lines: Document<Vec<BookedLine>>,
        /// ISO 4217 code of all amounts.
        currency: String,
        /// What it costs.
        amount_total: i64,
        /// How it is paid.
        payment_method: String,
        /// What paid for it, once it is confirmed.
        payment_id: Option<PaymentId>,
        /// Until when everything is held; none before it is, and once it is sold.
        hold_expires_at: Option<Timestamp>,
        /// The stable code of the reason why it was rejected.
        rejection_code: Option<String>,
        /// The reason as a sentence.
        rejection_message: Option<String>,
        /// The reason's facts, an object.
        rejection_facts: Option<Document<serde_json::Value>>,
        /// As whom the cancellation was asked for: `traveller` or `operator`.
        cancelled_by: Option<String>,
        /// What a cancellation returns of what was captured.
        amount_refund: Option<i64>,
        /// What a cancellation keeps.
        amount_fee: Option<i64>,
        /// What only the keys open: who travels, and why it was cancelled.
        sealed: Document<SealedParts>,
        /// When it was asked for.
        requested_at: Timestamp,
        /// When it was confirmed.
        confirmed_at: Option<Timestamp>,
        /// When its cancellation was asked for.
        cancelled_at: Option<Timestamp>,
        /// When it was cancelled, rejected or expired for good.
        ended_at: Option<Timestamp>,
        /// The stream's version that the row is at.
        version: u64,
        /// When its first event was recorded.
        created_at: Timestamp,
        /// When its last event was recorded.
        updated_at: Timestamp,
    }
    indexes &[
        Index {
            name: "owner",
            kind: IndexKind::Ordered(&["tenant", "account_id", "created_at", "booking_id"]),
        },
        Index {
            name: "itinerary",
            kind: IndexKind::Ordered(&["tenant", "itinerary_id", "created_at", "booking_id"]),
        },
        Index {
            name: "status",
            kind: IndexKind::Ordered(&["tenant", "status", "created_at", "booking_id"]),
        },
        Index { name: "time", kind: IndexKind::Ordered(&["tenant", "created_at", "booking_id"]) },
    ]
}

/// One line: as it was asked for, what its hold froze, and what a cancellation returns for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BookedLine {
    /// Its number, from 1.
    pub line: u32,
    /// What is bought.
    pub offer_id: OfferId,
    /// How much of it, or which seats.
    pub claim: Claim,
    /// The price of one place.
    pub unit_price: Money,
    /// The line's price.
    pub price: Money,
    /// What its hold froze, once it is held.
    pub held: Option<FrozenTerms>,
    /// What a cancellation returns for it, once one was asked for.
    pub refund: Option<LineRefund>,
}

/// What a hold froze.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FrozenTerms {
    /// The hold.
    pub hold_id: HoldId,
    /// What kind of thing it is.
    pub kind: OfferKind,
    /// What it is called.
    pub title: String,
    /// Where it is, or from where to where.
    pub places: Vec<String>,
    /// When it begins.
    pub starts_at: Timestamp,
    /// What is returned when the booking is cancelled.
    pub cancellation: CancellationPolicy,
}

/// What only the keys open.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SealedParts {
    /// Who travels.
    pub travellers: Vec<Traveller>,
    /// Why it was cancelled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Sealed>,
}

/// The projection of bookings.
pub struct Bookings;

impl Projection for Bookings {
    fn name(&self) -> &'static str {
        "bookings"
    }

    fn version(&self) -> u32 {
        1
    }

    fn tables(&self) -> &'static [&'static Table] {
        &[BookingRow::TABLE]
    }

    fn keyed_by_stream(&self) -> bool {
        true
    }

    fn keys(&self, event: &RecordedEvent, keys: &mut Vec<RowKey>) {
        match &event.event {
            Event::Booking(_) => keys.push(RowKey { table: BookingRow::TABLE, key: key(event) }),
            Event::Itinerary(_)
            | Event::Destination(_)
            | Event::Offer(_)
            | Event::Payment(_)
            | Event::InvoiceSeries(_)
            | Event::Notification(_)
            | Event::Saga(_) => {}
        }
    }

    fn fold(&self, rows: &mut Rows, event: &RecordedEvent) {
        let happened = match &event.event {
            Event::Booking(happened) => happened,
            Event::Itinerary(_)
            | Event::Destination(_)
            | Event::Offer(_)
            | Event::Payment(_)
            | Event::InvoiceSeries(_)
            | Event::Notification(_)
            | Event::Saga(_) => return,
        };
        let row = match (happened, rows.read::<BookingRow>(&key(event))) {
            (Booking::Requested(requested), None) => Some(begun(event, requested)),
            (_, row) => row,
        };
        // A stream without its first event has no row, and a fold refuses nothing.
        let Some(mut row) = row else { return };
        follow(&mut row, happened, event.envelope.recorded_at);
        row.version = event.envelope.version;
        row.updated_at = event.envelope.recorded_at;
        rows.write(row);
    }
}

/// The row of a booking whose first event this is.
fn begun(event: &RecordedEvent, requested: &BookingRequested) -> BookingRow {
    let at = event.envelope.recorded_at;
    BookingRow {
        booking_id: requested.booking_id,
        tenant: event.envelope.tenant.clone(),
        account_id: requested.account,
        itinerary_id: requested.itinerary_id,
        status: Status::Requested.name().to_owned(),
        lines: Document(requested.lines.iter().map(BookedLine::from).collect()),
        currency: requested.total.currency.to_string(),
        amount_total: requested.total.amount,
        payment_method: requested.payment_method.clone(),
        payment_id: None,
        hold_expires_at: None,
        rejection_code: None,
        rejection_message: None,
        rejection_facts: None,
        cancelled_by: None,
        amount_refund: None,
        amount_fee: None,
        sealed: Document(SealedParts { travellers: requested.travellers.clone(), reason: None }),
        requested_at: requested.requested_at,
        confirmed_at: None,
        cancelled_at: None,
        ended_at: None,
        version: 0,
        created_at: at,
        updated_at: at,
    }
}

/// What the event says of a booking that is there.
fn follow(row: &mut BookingRow, happened: &Booking, at: Timestamp) {
    match happened {
        // Nothing is requested twice; the first one holds.
        Booking::Requested(_) => {}
        Booking::Held(held) => {
            row.stands(Status::Held);
            row.hold_expires_at = Some(held.hold_expires_at);
            for line in &held.lines {
                row.line(line.line, |booked| booked.held = Some(line.into()));
            }
        }
        Booking::Confirmed(confirmed) => {
            row.stands(Status::Confirmed);
            row.hold_expires_at = None;
            row.payment_id = Some(confirmed.payment_id);
            row.confirmed_at = Some(confirmed.confirmed_at);
        }
        Booking::Rejected(rejected) => {
            row.ends(Status::Rejected, at);
            row.rejection_code = Some(rejected.code.clone());
            row.rejection_message = Some(rejected.message.clone());
            // The text was JSON when it was written; of anything else the audit has the text.
            row.rejection_facts = serde_json::from_str(&rejected.facts).ok().map(Document);
        }
        Booking::Expired(_) => row.ends(Status::Expired, at),
        Booking::CancellationRequested(cancellation) => cancel(row, cancellation),
        Booking::Cancelled(_) => row.ends(Status::Cancelled, at),
        Booking::TravellersChanged(changed) => {
            row.sealed.0.travellers.clone_from(&changed.travellers);
        }
    }
}

fn cancel(row: &mut BookingRow, cancellation: &BookingCancellationRequested) {
    row.stands(Status::Cancelling);
    row.hold_expires_at = None;
    row.cancelled_by = Some(wire_name(&cancellation.by));
    row.cancelled_at = Some(cancellation.cancelled_at);
    row.amount_refund = Some(cancellation.refund_total.amount);
    row.amount_fee = Some(cancellation.fee.amount);
    row.sealed.0.reason = Some(cancellation.reason.clone());
    for refund in &cancellation.refunds {
        row.line(refund.line, |booked| booked.refund = Some(*refund));
    }
}

impl BookingRow {
    fn stands(&mut self, status: Status) {
        status.name().clone_into(&mut self.status);
    }

    fn ends(&mut self, status: Status, at: Timestamp) {
        self.stands(status);
        self.hold_expires_at = None;
        self.ended_at = Some(at);
    }

    fn line(&mut self, number: u32, change: impl FnOnce(&mut BookedLine)) {
        if let Some(line) = self.lines.0.iter_mut().find(|line| line.line == number) {
            change(line);
        }
    }
}

impl From<&Line> for BookedLine {
    fn from(line: &Line) -> Self {
        Self {
            line: line.line,
            offer_id: line.offer_id,
            claim: line.claim.clone(),
            unit_price: line.unit_price,
            price: line.price(),
            held: None,
            refund: None,
        }
    }
}

impl From<&HeldLine> for FrozenTerms {
    fn from(line: &HeldLine) -> Self {
        Self {
            hold_id: line.hold_id,
            kind: line.kind,
            title: line.title.clone(),
            places: line.places.clone(),
            starts_at: line.starts_at,
            cancellation: line.cancellation.clone(),
        }
    }
}

fn key(event: &RecordedEvent) -> Vec<Value> {
    vec![event.envelope.stream.id.into_value()]
}
