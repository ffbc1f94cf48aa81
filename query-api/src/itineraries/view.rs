//! Trips as clients see them.

use domain::ids::{AccountId, BookingId};
use read_models::projections::{ActivityRow, CommentRow, FeedRow, ItineraryRow, MemberRow};
use read_models::queries::{ItineraryDetail, ListedItinerary};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::caller::Caller;
use crate::unseal::TextView;

/// The days of a trip, both included.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PeriodView {
    /// The first day.
    #[schema(format = Date, example = "2027-05-01")]
    start: String,
    /// The last day.
    #[schema(format = Date, example = "2027-05-09")]
    end: String,
    /// The IANA zone in which the days are counted.
    #[schema(example = "Europe/Lisbon")]
    zone: String,
}

/// An amount of money.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MoneyView {
    /// Minor units of the currency: 12900 is EUR 129.00.
    #[schema(example = 12900)]
    pub(crate) amount: i64,
    /// ISO 4217 code.
    #[schema(example = "EUR")]
    pub(crate) currency: String,
}

/// What is known of a trip beside its title and days.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct MetadataView {
    /// What may be spent.
    #[serde(skip_serializing_if = "Option::is_none")]
    budget: Option<MoneyView>,
    /// How many people travel.
    #[serde(skip_serializing_if = "Option::is_none")]
    travellers: Option<u32>,
    /// Free words.
    #[schema(example = json!(["window seat"]))]
    preferences: Vec<String>,
}

/// Somebody who takes part, or is asked to.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct MemberView {
    /// Who.
    account_id: Uuid,
    /// `viewer` or `editor`.
    #[schema(example = "editor")]
    role: String,
}

/// Something to do.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ActivityView {
    /// Which activity.
    activity_id: Uuid,
    /// `flight`, `hotel`, `tour`, `transfer`, `meal` or `free`.
    #[schema(example = "tour")]
    kind: String,
    /// What it is called.
    #[schema(example = "Tram 28")]
    title: String,
    /// Where it is.
    #[schema(example = "Lisbon, Martim Moniz")]
    place: String,
    /// When it begins.
    #[schema(format = DateTime, example = "2027-05-02T09:00:00.000000Z")]
    starts_at: String,
    /// When it ends.
    #[schema(format = DateTime, example = "2027-05-02T11:00:00.000000Z")]
    ends_at: String,
    /// IANA zone of the place.
    #[schema(example = "Europe/Lisbon")]
    zone: String,
    /// Anything else worth knowing.
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<String>,
    /// What it may cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    estimated_price: Option<MoneyView>,
    /// Who added it.
    added_by: Uuid,
    /// When it was added.
    #[schema(format = DateTime)]
    added_at: String,
}

/// What somebody said.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CommentView {
    /// Which comment.
    comment_id: Uuid,
    /// Who wrote it.
    author: Uuid,
    #[serde(flatten)]
    text: TextView,
    /// When.
    #[schema(format = DateTime)]
    written_at: String,
}

/// What lists and single trips have alike.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TripView {
    /// The itinerary.
    id: Uuid,
    /// The account that owns it.
    owner: Uuid,
    /// What the traveller calls it.
    #[schema(example = "Nine days in Lisbon")]
    title: String,
    /// `active` or `archived`.
    #[schema(example = "active")]
    status: String,
    /// Whether everybody with the link may read it.
    shared: bool,
    /// Its days.
    period: PeriodView,
    /// What else is known.
    metadata: MetadataView,
    /// The bookings that are part of it.
    bookings: Vec<Uuid>,
    /// The version that this is, also in `ETag`; send it as `If-Match` with a command.
    version: u64,
    /// When it was created.
    #[schema(format = DateTime, example = "2027-01-01T12:00:00.000000Z")]
    created_at: String,
    /// When it last changed.
    #[schema(format = DateTime, example = "2027-01-02T12:00:00.000000Z")]
    updated_at: String,
}

/// A trip with everything about it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ItineraryView {
    #[serde(flatten)]
    trip: TripView,
    /// The plan, in order of time.
    activities: Vec<ActivityView>,
    /// Who helps planning.
    collaborators: Vec<MemberView>,
    /// Who was asked to and has not answered; empty for who only has the link.
    invitations: Vec<MemberView>,
    /// The newest 100 comments, oldest first.
    comments: Vec<CommentView>,
}

/// A trip in the caller's list.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ListedView {
    #[serde(flatten)]
    trip: TripView,
    /// The caller's part in it: `owner`, `editor` or `viewer`.
    #[schema(example = "owner")]
    role: String,
    /// `joined`, or `invited` until the caller accepts.
    #[schema(example = "joined")]
    membership: String,
}

/// One line of what happened.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct FeedView {
    /// The version that the event made.
    version: u64,
    /// What happened.
    #[serde(rename = "type")]
    #[schema(example = "itinerary-renamed")]
    event_type: String,
    /// Who did it.
    #[schema(example = "account:00000000-0000-8000-8000-000000000d3e")]
    actor: String,
    /// When.
    #[schema(format = DateTime, example = "2027-01-02T12:00:00.000000Z")]
    time: String,
    /// The activity, account, booking or comment that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    subject_id: Option<Uuid>,
    /// The event's fields, personal data opened. What can be opened no longer is null, and the
    /// object around it says why: `"forgotten": true`, or `"damaged": true`.
    #[schema(value_type = Object)]
    data: Value,
}

impl ItineraryView {
    /// The trip as the caller may see it; `texts` are those of its comments, opened.
    pub(super) fn of(detail: ItineraryDetail, texts: Vec<TextView>, caller: &Caller) -> Self {
        let takes_part = |member: &MemberRow| Some(member.account_id) == caller.account();
        let inside = caller.staff || detail.members.iter().any(takes_part);
        let in_state = |state: &str| {
            let members = detail.members.iter();
            let members = members.filter(|member| member.state == state && member.role != "owner");
            members.map(MemberView::from).collect()
        };
        Self {
            collaborators: in_state("joined"),
            invitations: if inside { in_state("invited") } else { Vec::new() },
            trip: detail.itinerary.into(),
            activities: detail.activities.into_iter().map(Into::into).collect(),
            comments: detail.comments.into_iter().zip(texts).map(Into::into).collect(),
        }
    }
}

impl From<&MemberRow> for MemberView {
    fn from(row: &MemberRow) -> Self {
        Self { account_id: row.account_id.0, role: row.role.clone() }
    }
}

impl From<ItineraryRow> for TripView {
    fn from(row: ItineraryRow) -> Self {
        Self {
            id: row.itinerary_id.0,
            owner: row.owner_id.0,
            title: row.title,
            status: row.status,
            shared: row.shared,
            period: PeriodView {
                start: row.start_date.to_string(),
                end: row.end_date.to_string(),
                zone: row.zone.to_string(),
            },
            metadata: MetadataView {
                budget: money(row.budget_amount, row.budget_currency),
                travellers: row.travellers,
                preferences: row.preferences.0,
            },
            bookings: row.booking_ids.0.into_iter().map(|BookingId(id)| id).collect(),
            version: row.version,
            created_at: row.created_at.to_string(),
            updated_at: row.updated_at.to_string(),
        }
    }
}

impl From<ActivityRow> for ActivityView {
    fn from(row: ActivityRow) -> Self {
        Self {
            activity_id: row.activity_id,
            kind: row.kind,
            title: row.title,
            place: row.place,
            starts_at: row.starts_at.to_string(),
            ends_at: row.ends_at.to_string(),
            zone: row.zone.to_string(),
            details: row.details,
            estimated_price: money(row.price_amount, row.price_currency),
            added_by: row.added_by.0,
            added_at: row.added_at.to_string(),
        }
    }
}

impl From<(CommentRow, TextView)> for CommentView {
    fn from((row, text): (CommentRow, TextView)) -> Self {
        let AccountId(author) = row.author_id;
        let written_at = row.written_at.to_string();
        Self { comment_id: row.comment_id.0, author, text, written_at }
    }
}

impl From<ListedItinerary> for ListedView {
    fn from(listed: ListedItinerary) -> Self {
        Self { trip: listed.itinerary.into(), role: listed.role, membership: listed.state }
    }
}

impl From<FeedRow> for FeedView {
    fn from(row: FeedRow) -> Self {
        Self {
            version: row.version,
            event_type: row.event_type,
            actor: row.actor,
            time: row.happened_at.to_string(),
            subject_id: row.subject_id,
            data: row.details.0,
        }
    }
}

fn money(amount: Option<i64>, currency: Option<String>) -> Option<MoneyView> {
    Some(MoneyView { amount: amount?, currency: currency? })
}
