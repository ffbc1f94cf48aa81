//! Offers as clients see them.

use domain::offer::{CancellationTerm, SeatId};
use read_models::projections::OfferRow;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::itineraries::MoneyView;

/// One line of a cancellation policy.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TermView {
    /// Applies while at least that many hours are left before the start.
    #[schema(example = 24)]
    hours_before: u32,
    /// What is returned of the price, 0 to 100.
    #[schema(example = 50)]
    refund_percent: u8,
}

impl From<&CancellationTerm> for TermView {
    fn from(term: &CancellationTerm) -> Self {
        Self { hours_before: term.hours_before, refund_percent: term.refund_percent }
    }
}

/// One offer, and how much of it is left.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct OfferView {
    /// The offer.
    id: Uuid,
    /// `flight`, `train`, `hotel`, `tour`, `transfer`, `meal` or `other`.
    #[schema(example = "flight")]
    kind: String,
    /// Who provides it.
    supplier: String,
    /// What it is called.
    title: String,
    /// Where it is, or from where to where.
    #[schema(example = json!(["Lisbon", "Porto"]))]
    places: Vec<String>,
    /// When it begins.
    #[schema(format = DateTime, example = "2027-05-02T09:00:00.000000Z")]
    starts_at: String,
    /// When it ends.
    #[schema(format = DateTime, example = "2027-05-02T10:00:00.000000Z")]
    ends_at: String,
    /// IANA zone of the place.
    #[schema(example = "Europe/Lisbon")]
    zone: String,
    /// `open` or `closed`.
    #[schema(example = "open")]
    status: String,
    /// The price of one place.
    price: MoneyView,
    /// What is returned when a purchase is cancelled, by descending hours.
    cancellation: Vec<TermView>,
    /// How many places can be sold.
    capacity: u32,
    /// How many of them are held.
    held: u32,
    /// How many are sold.
    allocated: u32,
    /// How many can be bought now: none once it is closed.
    available: u32,
    /// The version that this is; send it as `If-Match` with a command.
    version: u64,
    /// When it was listed.
    #[schema(format = DateTime)]
    created_at: String,
    /// When it last changed.
    #[schema(format = DateTime)]
    updated_at: String,
}

/// The seats of an offer, where places have names.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SeatsView {
    /// Those that can be held.
    #[schema(value_type = Vec<String>, example = json!(["12A"]))]
    free: Vec<SeatId>,
    /// Those that are held or sold.
    #[schema(value_type = Vec<String>, example = json!(["12B"]))]
    taken: Vec<SeatId>,
}

/// One offer with its seats.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct WholeOfferView {
    #[serde(flatten)]
    offer: OfferView,
    /// Its seats, where places have names.
    #[serde(skip_serializing_if = "Option::is_none")]
    seats: Option<SeatsView>,
}

impl From<OfferRow> for WholeOfferView {
    fn from(mut row: OfferRow) -> Self {
        let seats = std::mem::take(&mut row.seats.0);
        let seats = (!seats.all.is_empty()).then(|| SeatsView {
            free: seats.all.difference(&seats.taken).cloned().collect(),
            taken: seats.taken.into_iter().collect(),
        });
        Self { offer: row.into(), seats }
    }
}

impl From<OfferRow> for OfferView {
    fn from(row: OfferRow) -> Self {
        Self {
            id: row.offer_id.0,
            kind: row.kind,
            supplier: row.supplier,
            title: row.title,
            places: row.places.0,
            starts_at: row.starts_at.to_string(),
            ends_at: row.ends_at.to_string(),
            zone: row.zone.to_string(),
            status: row.status,
            price: MoneyView { amount: row.price_amount, currency: row.price_currency },
            cancellation: row.cancellation.0.terms().iter().map(TermView::from).collect(),
            capacity: row.capacity,
            held: row.held,
            allocated: row.allocated,
            available: row.available,
            version: row.version,
            created_at: row.created_at.to_string(),
            updated_at: row.updated_at.to_string(),
        }
    }
}
