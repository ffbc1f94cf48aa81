//! The bodies of itinerary requests, and what they become.

use domain::Timestamp;
use domain::calendar::{Date, Period, Zone};
use domain::itinerary::{Activity, ActivityKind, Metadata, Role};
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::fields::{MoneyBody, id, known_zone, own_id};

/// The days of a trip, both included.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PeriodBody {
    /// The first day.
    #[schema(value_type = String, format = Date, example = "2027-05-01")]
    start: Date,
    /// The last day; not before `start`.
    #[schema(value_type = String, format = Date, example = "2027-05-09")]
    end: Date,
    /// The IANA zone in which the days are counted.
    #[serde(deserialize_with = "known_zone")]
    #[schema(value_type = String, example = "Europe/Lisbon")]
    zone: Zone,
}

impl From<PeriodBody> for Period {
    fn from(body: PeriodBody) -> Self {
        Self { start: body.start, end: body.end, zone: body.zone }
    }
}

/// What is known of a trip beside its title and days.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MetadataBody {
    /// What may be spent.
    budget: Option<MoneyBody>,
    /// How many people travel (1 to 500).
    travellers: Option<u32>,
    /// Free words, at most 50 of at most 100 characters.
    #[serde(default)]
    preferences: Vec<String>,
}

impl From<MetadataBody> for Metadata {
    fn from(body: MetadataBody) -> Self {
        Self {
            budget: body.budget.map(Into::into),
            travellers: body.travellers,
            preferences: body.preferences,
        }
    }
}

/// A new trip.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CreateItinerary {
    /// An id of the client's own; derived from the idempotency key when missing.
    #[serde(default, deserialize_with = "own_id")]
    pub(super) id: Option<Uuid>,
    /// What the traveller calls it, 1 to 200 characters.
    #[schema(example = "Nine days in Lisbon")]
    pub(super) title: String,
    /// Its days.
    pub(super) period: PeriodBody,
    /// What else is known.
    pub(super) metadata: Option<MetadataBody>,
}

/// A change of a trip, all or nothing. What is missing stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReviseItinerary {
    /// The new title.
    pub(super) title: Option<String>,
    /// The new days; every activity must lie inside.
    pub(super) period: Option<PeriodBody>,
    /// Replaces the metadata as a whole.
    pub(super) metadata: Option<MetadataBody>,
}

/// What kind of thing an activity is.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum KindBody {
    Flight,
    Hotel,
    Tour,
    Transfer,
    Meal,
    Free,
}

impl From<KindBody> for ActivityKind {
    fn from(body: KindBody) -> Self {
        match body {
            KindBody::Flight => Self::Flight,
            KindBody::Hotel => Self::Hotel,
            KindBody::Tour => Self::Tour,
            KindBody::Transfer => Self::Transfer,
            KindBody::Meal => Self::Meal,
            KindBody::Free => Self::Free,
        }
    }
}

/// Something to do.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AddActivity {
    /// An id of the client's own; derived from the idempotency key when missing.
    #[serde(default, deserialize_with = "own_id")]
    pub(super) id: Option<Uuid>,
    kind: KindBody,
    /// What it is called, 1 to 200 characters.
    #[schema(example = "Tram 28")]
    title: String,
    /// Where it is, at most 200 characters.
    #[schema(example = "Lisbon, Martim Moniz")]
    place: String,
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
    /// Anything else worth knowing, at most 4000 characters.
    details: Option<String>,
    /// What it may cost.
    estimated_price: Option<MoneyBody>,
}

impl From<AddActivity> for Activity {
    fn from(body: AddActivity) -> Self {
        Self {
            kind: body.kind.into(),
            title: body.title,
            place: body.place,
            starts_at: body.starts_at,
            ends_at: body.ends_at,
            zone: body.zone,
            details: body.details,
            estimated_price: body.estimated_price.map(Into::into),
        }
    }
}

/// Another time for an activity.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RescheduleActivity {
    /// RFC 3339, with an offset.
    #[schema(value_type = String, format = DateTime)]
    pub(super) starts_at: Timestamp,
    /// Not before `starts_at`.
    #[schema(value_type = String, format = DateTime)]
    pub(super) ends_at: Timestamp,
    /// The IANA zone of the place.
    #[serde(deserialize_with = "known_zone")]
    #[schema(value_type = String, example = "Europe/Lisbon")]
    pub(super) zone: Zone,
}

/// What a collaborator may do.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum RoleBody {
    Viewer,
    Editor,
}

impl From<RoleBody> for Role {
    fn from(body: RoleBody) -> Self {
        match body {
            RoleBody::Viewer => Self::Viewer,
            RoleBody::Editor => Self::Editor,
        }
    }
}

/// An invitation.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct InviteCollaborator {
    /// Whom.
    #[serde(deserialize_with = "id")]
    pub(super) account_id: Uuid,
    /// As what.
    pub(super) role: RoleBody,
}

/// A comment.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AddComment {
    /// What is said, 1 to 4000 characters.
    pub(super) text: String,
}
