//! `activity_feed`: who did what to a trip and when, one line per event. Table `activity_feed`
//! (key: trip, version; append-only).
//!
//! A repeat is harmless because rows and vector move together. Each line is made from its event
//! alone, so the set of lines does not depend on how streams interleave.

use domain::ids::{AccountId, ItineraryId};
use domain::itinerary::Event as Itinerary;
use domain::{Event, RecordedEvent, Tenant, Timestamp};
use uuid::Uuid;

use crate::projection::{Projection, RowKey, Rows};
use crate::row::{Document, row};
use crate::table::{Row, Table};

row! {
    /// One line of a trip's feed: who did what, when.
    pub struct FeedRow in "activity_feed", keys 2, append_only true {
        /// On which trip.
        itinerary_id: ItineraryId,
        /// The stream's version of the event: lines rise with it.
        version: u64,
        /// Whose data it is.
        tenant: Tenant,
        /// The event's wire name, `itinerary-renamed`.
        event_type: String,
        /// Who did it: `account:<id>` or `system:<name>`.
        actor: String,
        /// The account that did it, when a person did.
        account_id: Option<AccountId>,
        /// The activity, account, booking or comment that it is about, if it is about one.
        subject_id: Option<Uuid>,
        /// When it was recorded.
        happened_at: Timestamp,
        /// The event's fields but for the trip's id.
        details: Document<serde_json::Value>,
    }
    indexes &[]
}

/// The projection of what happened to trips.
pub struct ActivityFeed;

impl Projection for ActivityFeed {
    fn name(&self) -> &'static str {
        "activity_feed"
    }

    fn version(&self) -> u32 {
        1
    }

    fn tables(&self) -> &'static [&'static Table] {
        &[FeedRow::TABLE]
    }

    fn keyed_by_stream(&self) -> bool {
        true
    }

    fn keys(&self, _: &RecordedEvent, _: &mut Vec<RowKey>) {}

    fn fold(&self, rows: &mut Rows, event: &RecordedEvent) {
        match &event.event {
            Event::Itinerary(happened) => rows.write(FeedRow {
                itinerary_id: ItineraryId(event.envelope.stream.id),
                version: event.envelope.version,
                tenant: event.envelope.tenant.clone(),
                event_type: event.envelope.event_type.clone().into_owned(),
                actor: event.envelope.actor.to_string(),
                account_id: event.envelope.actor.account(),
                subject_id: subject(happened),
                happened_at: event.envelope.recorded_at,
                details: Document(details(&event.event)),
            }),
            // A trip's feed tells of its bookings by its own events.
            Event::Destination(_)
            | Event::Offer(_)
            | Event::Booking(_)
            | Event::Payment(_)
            | Event::InvoiceSeries(_)
            | Event::Notification(_)
            | Event::Saga(_) => {}
        }
    }
}

/// What the line is about, beside the trip.
fn subject(happened: &Itinerary) -> Option<Uuid> {
    match happened {
        Itinerary::ActivityAdded(added) => Some(added.activity_id.0),
        Itinerary::ActivityRescheduled(moved) => Some(moved.activity_id.0),
        Itinerary::ActivityRemoved(removed) => Some(removed.activity_id.0),
        Itinerary::BookingAttached(attached) => Some(attached.booking_id.0),
        Itinerary::BookingDetached(detached) => Some(detached.booking_id.0),
        Itinerary::CollaboratorInvited(invited) => Some(invited.account_id.0),
        Itinerary::CollaboratorJoined(joined) => Some(joined.account_id.0),
        Itinerary::CollaboratorLeft(left) => Some(left.account_id.0),
        Itinerary::Commented(commented) => Some(commented.comment_id.0),
        Itinerary::Created(_)
        | Itinerary::Renamed(_)
        | Itinerary::PeriodChanged(_)
        | Itinerary::MetadataDescribed(_)
        | Itinerary::Shared(_)
        | Itinerary::Unshared(_)
        | Itinerary::Archived(_) => None,
    }
}

fn details(event: &Event) -> serde_json::Value {
    let mut fields = serde_json::to_value(event).expect("every event has a JSON form");
    if let Some(fields) = fields.as_object_mut() {
        fields.remove("itinerary_id");
    }
    fields
}
