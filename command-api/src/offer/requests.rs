//! The bodies of offer requests, and what they become.

use domain::Timestamp;
use domain::calendar::Zone;
use domain::offer::{CancellationPolicy, CancellationTerm, Claim, Listing, OfferKind};
use http::StatusCode;
use serde::Deserialize;
use service_kit::Problem;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::fields::{MoneyBody, known_zone, own_id};

/// What kind of thing is sold.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum OfferKindBody {
    Flight,
    Train,
    Hotel,
    Tour,
    Transfer,
    Meal,
    Other,
}

impl From<OfferKindBody> for OfferKind {
    fn from(body: OfferKindBody) -> Self {
        match body {
            OfferKindBody::Flight => Self::Flight,
            OfferKindBody::Train => Self::Train,
            OfferKindBody::Hotel => Self::Hotel,
            OfferKindBody::Tour => Self::Tour,
            OfferKindBody::Transfer => Self::Transfer,
            OfferKindBody::Meal => Self::Meal,
            OfferKindBody::Other => Self::Other,
        }
    }
}

/// One line of a cancellation policy.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CancellationTermBody {
    /// Applies while at least that many hours are left before the start, 0 to 8784.
    #[schema(example = 48)]
    hours_before: u32,
    /// What is returned of the price, 0 to 100.
    #[schema(example = 50)]
    refund_percent: u8,
}

/// Something to sell.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ListOffer {
    /// An id of the client's own; derived from the idempotency key when missing.
    #[serde(default, deserialize_with = "own_id")]
    pub(super) id: Option<Uuid>,
    kind: OfferKindBody,
    /// Who provides it, 1 to 100 characters.
    #[schema(example = "Voa")]
    supplier: String,
    /// What it is called, 1 to 200 characters.
    #[schema(example = "Lisbon to Porto")]
    title: String,
    /// Where it is, or from where to where: 1 to 10 names or slugs of destinations.
    places: Vec<String>,
    /// RFC 3339, with an offset; kept in UTC with microseconds.
    #[schema(value_type = String, format = DateTime)]
    starts_at: Timestamp,
    /// Not before `starts_at`.
    #[schema(value_type = String, format = DateTime)]
    ends_at: Timestamp,
    /// The IANA zone of the place.
    #[serde(deserialize_with = "known_zone")]
    #[schema(value_type = String, example = "Europe/Lisbon")]
    zone: Zone,
    /// How many can be sold, 1 to 10000.
    capacity: u32,
    /// The seat map, where places have names: as many as the capacity.
    seats: Option<Vec<String>>,
    /// The price of one place.
    price: MoneyBody,
    /// The terms of the cancellation policy, in any order; none returns nothing.
    #[serde(default)]
    cancellation: Vec<CancellationTermBody>,
}

impl From<ListOffer> for Listing {
    fn from(body: ListOffer) -> Self {
        let term = |term: CancellationTermBody| CancellationTerm {
            hours_before: term.hours_before,
            refund_percent: term.refund_percent,
        };
        Self {
            kind: body.kind.into(),
            supplier: body.supplier,
            title: body.title,
            places: body.places,
            starts_at: body.starts_at,
            ends_at: body.ends_at,
            zone: body.zone,
            capacity: body.capacity,
            seats: body.seats,
            price: body.price.into(),
            cancellation: CancellationPolicy::new(
                body.cancellation.into_iter().map(term).collect(),
            ),
        }
    }
}

/// Another price.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RepriceOffer {
    /// The price of one place from now on.
    pub(super) price: MoneyBody,
}

/// Another capacity.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangeOfferCapacity {
    /// How many can be sold from now on, 1 to 10000.
    pub(super) capacity: u32,
    /// The new seat map, where there is one: as many as the capacity.
    pub(super) seats: Option<Vec<String>>,
}

/// Places to set aside: a quantity or seats.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct HoldPlaces {
    /// An id of the client's own; derived from the idempotency key when missing.
    #[serde(default, deserialize_with = "own_id")]
    pub(super) hold_id: Option<Uuid>,
    /// How many places, 1 to 500.
    pub(super) quantity: Option<u32>,
    /// Which seats, where there is a seat map.
    pub(super) seats: Option<Vec<String>>,
    /// What was agreed for one place.
    pub(super) unit_price: MoneyBody,
    /// For how long, 1 to 86400 seconds.
    #[schema(example = 1200)]
    pub(super) ttl_seconds: u32,
}

/// A claim from the two fields of which exactly one is to be given.
pub(crate) fn claim(
    place: &str,
    quantity: Option<u32>,
    seats: Option<Vec<String>>,
) -> Result<Claim, Problem> {
    Claim::of(quantity, seats).map_err(|_| {
        Problem::new(StatusCode::BAD_REQUEST, "invalid_field", "A field cannot be read")
            .field(format!("{place}quantity"), "either a quantity or seats are to be named")
    })
}
