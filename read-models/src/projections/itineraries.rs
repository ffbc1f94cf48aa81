//! `itineraries`: each trip as its people see it. Tables `itineraries` (key: trip),
//! `itinerary_members` (account, trip), `itinerary_activities` (trip, activity) and
//! `itinerary_comments` (trip, version; append-only).
//!
//! A repeat is harmless because rows and vector move together: an event at or before the vector is
//! never folded again. Every row belongs to one stream, so streams may interleave in any way.

use domain::ids::AccountId;
use domain::itinerary::{
    Event as Itinerary, ItineraryActivityAdded, ItineraryActivityRescheduled,
    ItineraryCollaboratorInvited, ItineraryCommented, ItineraryCreated,
};
use domain::{Event, RecordedEvent};
use serde::Serialize;
use uuid::Uuid;

use super::itinerary_rows::{ActivityRow, CommentRow, ItineraryRow, MemberRow};
use crate::projection::{Projection, RowKey, Rows};
use crate::row::{Cell, Document};
use crate::table::{Row, Table, Value};

/// The projection of trips.
pub struct Itineraries;

impl Projection for Itineraries {
    fn name(&self) -> &'static str {
        "itineraries"
    }

    fn version(&self) -> u32 {
        1
    }

    fn tables(&self) -> &'static [&'static Table] {
        &[ItineraryRow::TABLE, MemberRow::TABLE, ActivityRow::TABLE, CommentRow::TABLE]
    }

    fn keyed_by_stream(&self) -> bool {
        true
    }

    fn keys(&self, event: &RecordedEvent, keys: &mut Vec<RowKey>) {
        let trip = event.envelope.stream.id;
        match &event.event {
            Event::Itinerary(happened) => {
                keys.push(RowKey { table: ItineraryRow::TABLE, key: trip_key(event) });
                if let Some(account) = member_of(happened) {
                    keys.push(RowKey { table: MemberRow::TABLE, key: member_key(account, trip) });
                }
                if let Some(activity) = activity_of(happened) {
                    let key = activity_key(trip, activity);
                    keys.push(RowKey { table: ActivityRow::TABLE, key });
                }
            }
            Event::Destination(_)
            | Event::Offer(_)
            | Event::Booking(_)
            | Event::Payment(_)
            | Event::InvoiceSeries(_)
            | Event::Notification(_)
            | Event::Saga(_) => {}
        }
    }

    fn fold(&self, rows: &mut Rows, event: &RecordedEvent) {
        let trip = event.envelope.stream.id;
        match &event.event {
            Event::Itinerary(happened) => match happened {
                Itinerary::Created(created) => create(rows, event, created),
                Itinerary::Renamed(renamed) => revise(rows, event, |row| {
                    row.title.clone_from(&renamed.title);
                    row.reindex();
                }),
                Itinerary::PeriodChanged(changed) => revise(rows, event, |row| {
                    row.start_date = changed.period.start;
                    row.end_date = changed.period.end;
                    row.zone = changed.period.zone.clone();
                }),
                Itinerary::MetadataDescribed(described) => revise(rows, event, |row| {
                    row.budget_amount = described.budget.map(|budget| budget.amount);
                    row.budget_currency =
                        described.budget.map(|budget| budget.currency.to_string());
                    row.travellers = described.travellers;
                    row.preferences = Document(described.preferences.clone());
                }),
                Itinerary::ActivityAdded(added) => add_activity(rows, event, added),
                Itinerary::ActivityRescheduled(moved) => reschedule(rows, event, moved),
                Itinerary::ActivityRemoved(removed) => {
                    rows.delete::<ActivityRow>(&activity_key(trip, removed.activity_id.0));
                    revise(rows, event, |row| {
                        row.activity_texts.0.remove(&removed.activity_id.0);
                        row.reindex();
                    });
                }
                Itinerary::BookingAttached(attached) => revise(rows, event, |row| {
                    row.booking_ids.0.push(attached.booking_id);
                }),
                Itinerary::BookingDetached(detached) => revise(rows, event, |row| {
                    row.booking_ids.0.retain(|id| *id != detached.booking_id);
                }),
                Itinerary::CollaboratorInvited(invited) => invite(rows, event, invited),
                Itinerary::CollaboratorJoined(joined) => {
                    let key = member_key(joined.account_id, trip);
                    if let Some(mut member) = rows.read::<MemberRow>(&key) {
                        member.role = wire_name(&joined.role);
                        "joined".clone_into(&mut member.state);
                        rows.write(member);
                    }
                    revise(rows, event, |_| ());
                }
                Itinerary::CollaboratorLeft(left) => {
                    rows.delete::<MemberRow>(&member_key(left.account_id, trip));
                    revise(rows, event, |_| ());
                }
                Itinerary::Commented(commented) => comment(rows, event, commented),
                Itinerary::Shared(_) => revise(rows, event, |row| row.shared = true),
                Itinerary::Unshared(_) => revise(rows, event, |row| row.shared = false),
                Itinerary::Archived(_) => revise(rows, event, |row| {
                    "archived".clone_into(&mut row.status);
                }),
            },
            // What a trip shows of its bookings comes by its own events.
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

fn create(rows: &mut Rows, event: &RecordedEvent, created: &ItineraryCreated) {
    let at = event.envelope.recorded_at;
    let mut row = ItineraryRow {
        itinerary_id: created.itinerary_id,
        tenant: event.envelope.tenant.clone(),
        owner_id: created.owner,
        title: created.title.clone(),
        status: "active".to_owned(),
        shared: false,
        start_date: created.period.start,
        end_date: created.period.end,
        zone: created.period.zone.clone(),
        budget_amount: None,
        budget_currency: None,
        travellers: None,
        preferences: Document::default(),
        booking_ids: Document::default(),
        activity_texts: Document::default(),
        search_words: String::new(),
        version: event.envelope.version,
        created_at: at,
        updated_at: at,
    };
    row.reindex();
    rows.write(row);
    rows.write(MemberRow {
        account_id: created.owner,
        itinerary_id: created.itinerary_id,
        tenant: event.envelope.tenant.clone(),
        role: "owner".to_owned(),
        state: "joined".to_owned(),
        itinerary_created_at: at,
    });
}

/// Changes the trip's row; a stream without its first event has none, and a fold refuses nothing.
fn revise(rows: &mut Rows, event: &RecordedEvent, change: impl FnOnce(&mut ItineraryRow)) {
    if let Some(mut row) = rows.read::<ItineraryRow>(&trip_key(event)) {
        change(&mut row);
        row.version = event.envelope.version;
        row.updated_at = event.envelope.recorded_at;
        rows.write(row);
    }
}

fn add_activity(rows: &mut Rows, event: &RecordedEvent, added: &ItineraryActivityAdded) {
    rows.write(ActivityRow {
        itinerary_id: added.itinerary_id,
        activity_id: added.activity_id.0,
        tenant: event.envelope.tenant.clone(),
        kind: wire_name(&added.kind),
        title: added.title.clone(),
        place: added.place.clone(),
        starts_at: added.starts_at,
        ends_at: added.ends_at,
        zone: added.zone.clone(),
        details: added.details.clone(),
        price_amount: added.estimated_price.map(|price| price.amount),
        price_currency: added.estimated_price.map(|price| price.currency.to_string()),
        added_by: added.added_by,
        added_at: event.envelope.recorded_at,
    });
    revise(rows, event, |row| {
        let text = format!("{}\n{}", added.title, added.place);
        row.activity_texts.0.insert(added.activity_id.0, text);
        row.reindex();
    });
}

fn reschedule(rows: &mut Rows, event: &RecordedEvent, moved: &ItineraryActivityRescheduled) {
    let key = activity_key(event.envelope.stream.id, moved.activity_id.0);
    if let Some(mut activity) = rows.read::<ActivityRow>(&key) {
        activity.starts_at = moved.starts_at;
        activity.ends_at = moved.ends_at;
        activity.zone = moved.zone.clone();
        rows.write(activity);
    }
    revise(rows, event, |_| ());
}

fn invite(rows: &mut Rows, event: &RecordedEvent, invited: &ItineraryCollaboratorInvited) {
    let Some(trip) = rows.read::<ItineraryRow>(&trip_key(event)) else { return };
    rows.write(MemberRow {
        account_id: invited.account_id,
        itinerary_id: invited.itinerary_id,
        tenant: trip.tenant,
        role: wire_name(&invited.role),
        state: "invited".to_owned(),
        itinerary_created_at: trip.created_at,
    });
    revise(rows, event, |_| ());
}

fn comment(rows: &mut Rows, event: &RecordedEvent, commented: &ItineraryCommented) {
    rows.write(CommentRow {
        itinerary_id: commented.itinerary_id,
        version: event.envelope.version,
        comment_id: commented.comment_id,
        tenant: event.envelope.tenant.clone(),
        author_id: commented.author,
        text: Document(commented.text.clone()),
        written_at: event.envelope.recorded_at,
    });
    revise(rows, event, |_| ());
}

/// The account whose part in the trip the event changes.
fn member_of(happened: &Itinerary) -> Option<AccountId> {
    match happened {
        Itinerary::Created(created) => Some(created.owner),
        Itinerary::CollaboratorInvited(invited) => Some(invited.account_id),
        Itinerary::CollaboratorJoined(joined) => Some(joined.account_id),
        Itinerary::CollaboratorLeft(left) => Some(left.account_id),
        _ => None,
    }
}

/// The activity that the event changes.
fn activity_of(happened: &Itinerary) -> Option<Uuid> {
    match happened {
        Itinerary::ActivityAdded(added) => Some(added.activity_id.0),
        Itinerary::ActivityRescheduled(moved) => Some(moved.activity_id.0),
        Itinerary::ActivityRemoved(removed) => Some(removed.activity_id.0),
        _ => None,
    }
}

fn trip_key(event: &RecordedEvent) -> Vec<Value> {
    vec![event.envelope.stream.id.into_value()]
}

fn member_key(account: AccountId, trip: Uuid) -> Vec<Value> {
    vec![account.into_value(), trip.into_value()]
}

fn activity_key(trip: Uuid, activity: Uuid) -> Vec<Value> {
    vec![trip.into_value(), activity.into_value()]
}

/// The literal that a value has on the wire (`editor`, `flight`).
pub(crate) fn wire_name(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(name)) => name,
        other => unreachable!("an enumeration without fields is text on the wire, not {other:?}"),
    }
}
