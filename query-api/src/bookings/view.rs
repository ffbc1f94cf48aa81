//! Bookings as clients see them.

use domain::Timestamp;
use domain::booking::LineRefund;
use domain::money::Money;
use read_models::projections::{BookedLine, BookingRow};
use read_models::queries::BookingDetail;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::itineraries::MoneyView;
use crate::offers::TermView;
use crate::sagas::SagaView;
use crate::unseal::TextView;

/// What is sealed of a booking, opened.
pub(super) struct Opened {
    pub(super) travellers: Vec<Value>,
    pub(super) reason: Option<TextView>,
}

/// One line of a booking.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LineView {
    /// Its number, from 1.
    line: u32,
    /// What is bought.
    offer_id: Uuid,
    /// How many places.
    quantity: u32,
    /// Which seats, where they were named.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    seats: Vec<String>,
    /// What was agreed for one place.
    unit_price: MoneyView,
    /// The line's price.
    price: MoneyView,
    /// What its hold froze; missing until it is held.
    #[serde(skip_serializing_if = "Option::is_none")]
    held: Option<HeldView>,
    /// What a cancellation returns for it; missing until one is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    refund: Option<RefundView>,
}

/// What a hold froze.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct HeldView {
    /// The hold.
    hold_id: Uuid,
    /// What kind of thing it is.
    #[schema(example = "flight")]
    kind: String,
    /// What it is called.
    title: String,
    /// Where it is, or from where to where.
    places: Vec<String>,
    /// When it begins.
    #[schema(format = DateTime)]
    starts_at: String,
    /// What is returned when the booking is cancelled, by descending hours.
    cancellation: Vec<TermView>,
}

/// What a cancellation returns for a line.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RefundView {
    /// The percentage of its price.
    percent: u8,
    /// That much, rounded down.
    amount: MoneyView,
}

/// Why a booking was rejected.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RejectionView {
    /// The stable code.
    #[schema(example = "price_changed")]
    code: String,
    /// One sentence for people.
    message: String,
    /// The reason's facts, such as `old_price` and `new_price`.
    #[schema(value_type = Object)]
    facts: Value,
}

/// What a cancellation fixed.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CancellationView {
    /// As whom it was asked for: `traveller` or `operator`.
    by: String,
    /// When it was asked for.
    #[schema(format = DateTime)]
    at: String,
    /// What goes back of what was taken.
    refund: MoneyView,
    /// What is kept.
    fee: MoneyView,
    /// Why; not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<TextView>,
}

/// A booking, and what became of it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct BookingView {
    /// The booking.
    id: Uuid,
    /// The account that owns it.
    account_id: Uuid,
    /// The trip that it belongs to.
    itinerary_id: Uuid,
    /// `requested`, `held`, `confirmed`, `cancelling`, `cancelled`, `rejected` or `expired`.
    #[schema(example = "confirmed")]
    status: String,
    /// What is bought.
    lines: Vec<LineView>,
    /// What it costs.
    total: MoneyView,
    /// How it is paid.
    #[schema(example = "card_approved")]
    payment_method: String,
    /// What paid for it, once it is confirmed.
    #[serde(skip_serializing_if = "Option::is_none")]
    payment_id: Option<Uuid>,
    /// Until when everything is held.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    hold_expires_at: Option<String>,
    /// Why it was rejected.
    #[serde(skip_serializing_if = "Option::is_none")]
    rejection: Option<RejectionView>,
    /// What its cancellation fixed.
    #[serde(skip_serializing_if = "Option::is_none")]
    cancellation: Option<CancellationView>,
    /// What works on it, or worked on it last; null until it starts.
    #[schema(required)]
    saga: Option<SagaView>,
    /// When it was confirmed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    confirmed_at: Option<String>,
    /// When it was cancelled, rejected or expired for good.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    ended_at: Option<String>,
    /// The version that this is; send it as `If-Match` with a command.
    version: u64,
    /// When it was asked for.
    #[schema(format = DateTime, example = "2027-01-01T12:00:00.000000Z")]
    created_at: String,
    /// When it last changed.
    #[schema(format = DateTime, example = "2027-01-01T12:00:03.000000Z")]
    updated_at: String,
}

/// A booking with who travels.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct WholeBookingView {
    #[serde(flatten)]
    booking: BookingView,
    /// Who travels: `traveller_id` and `details` (`name`, `email`, `phone`, `born_on`). What can be
    /// opened no longer is null, and says why beside it: `"forgotten": true` or `"damaged": true`.
    #[schema(value_type = Vec<Object>)]
    travellers: Vec<Value>,
}

impl WholeBookingView {
    pub(super) fn of(detail: BookingDetail, opened: Opened, staff: bool) -> Self {
        let mut booking = BookingView::of(detail, staff);
        if let Some(cancellation) = &mut booking.cancellation {
            cancellation.reason = opened.reason;
        }
        Self { booking, travellers: opened.travellers }
    }
}

impl BookingView {
    /// The booking as the caller may see it.
    pub(super) fn of(detail: BookingDetail, staff: bool) -> Self {
        let BookingDetail { booking: row, saga } = detail;
        let text = |at: Option<Timestamp>| at.map(|at| at.to_string());
        Self {
            id: row.booking_id.0,
            account_id: row.account_id.0,
            itinerary_id: row.itinerary_id.0,
            rejection: rejection(&row),
            cancellation: cancellation(&row),
            total: MoneyView { amount: row.amount_total, currency: row.currency },
            status: row.status,
            lines: row.lines.0.into_iter().map(LineView::from).collect(),
            payment_method: row.payment_method,
            payment_id: row.payment_id.map(|id| id.0),
            hold_expires_at: text(row.hold_expires_at),
            saga: saga.map(|saga| SagaView::of(saga, staff)),
            confirmed_at: text(row.confirmed_at),
            ended_at: text(row.ended_at),
            version: row.version,
            created_at: row.created_at.to_string(),
            updated_at: row.updated_at.to_string(),
        }
    }
}

fn rejection(row: &BookingRow) -> Option<RejectionView> {
    let facts = row.rejection_facts.as_ref().map(|facts| facts.0.clone());
    Some(RejectionView {
        code: row.rejection_code.clone()?,
        message: row.rejection_message.clone()?,
        facts: facts.unwrap_or_else(|| Value::Object(serde_json::Map::new())),
    })
}

fn cancellation(row: &BookingRow) -> Option<CancellationView> {
    let money = |amount| MoneyView { amount, currency: row.currency.clone() };
    Some(CancellationView {
        by: row.cancelled_by.clone()?,
        at: row.cancelled_at?.to_string(),
        refund: money(row.amount_refund?),
        fee: money(row.amount_fee?),
        reason: None,
    })
}

impl From<BookedLine> for LineView {
    fn from(line: BookedLine) -> Self {
        let held = line.held.map(|held| HeldView {
            hold_id: held.hold_id.0,
            kind: held.kind.name().to_owned(),
            title: held.title,
            places: held.places,
            starts_at: held.starts_at.to_string(),
            cancellation: held.cancellation.terms().iter().map(TermView::from).collect(),
        });
        Self {
            line: line.line,
            offer_id: line.offer_id.0,
            quantity: line.claim.quantity(),
            seats: line.claim.seats().to_vec(),
            unit_price: money(line.unit_price),
            price: money(line.price),
            held,
            refund: line.refund.map(RefundView::from),
        }
    }
}

impl From<LineRefund> for RefundView {
    fn from(refund: LineRefund) -> Self {
        Self { percent: refund.percent, amount: money(refund.amount) }
    }
}

fn money(money: Money) -> MoneyView {
    MoneyView { amount: money.amount, currency: money.currency.to_string() }
}
