//! `notifications`: each message and what became of it outside. Table `notifications` (key:
//! notification).
//!
//! A repeat is harmless because rows and vector move together: an event at or before the vector is
//! never folded again. What has a `due_at` is the work list of whoever sends. Every row belongs to
//! one stream, so streams may interleave in any way. The recipient stays sealed.

use domain::ids::{BookingId, CorrelationId, EventId, NotificationId};
use domain::notification::{
    Event as Notification, Notification as State, Status, retry_after_seconds,
};
use domain::{Aggregate as _, Event, RecordedEvent, Sealed, Tenant, Timestamp};

use super::itineraries::wire_name;
use crate::projection::{Projection, RowKey, Rows};
use crate::row::{Cell, Document, row};
use crate::table::{Index, IndexKind, Row, Table, Value};

row! {
    /// One message to somebody: what it says, and what became of it.
    pub struct NotificationRow in "notifications", keys 1, append_only false {
        /// The notification.
        notification_id: NotificationId,
        /// Whose data it is.
        tenant: Tenant,
        /// What it is about.
        booking_id: BookingId,
        /// Which text.
        template: String,
        /// `email`, `sms`, `push` or `webhook`.
        channel: String,
        /// In which language.
        locale: String,
        /// To whom, sealed: an object of person and ciphertext, or null.
        recipient: Document<Option<Sealed>>,
        /// What the text is filled with: an object.
        facts: Document<serde_json::Value>,
        /// `requested`, `failed`, `sent`, `delivered` or `abandoned`.
        status: String,
        /// The provider's id of the last dispatch.
        provider_reference: Option<String>,
        /// The provider's code of the last failure.
        failure_code: Option<String>,
        /// What was wrong, in a sentence of our own.
        failure_message: Option<String>,
        /// When a provider last took it.
        sent_at: Option<Timestamp>,
        /// When it reached the recipient.
        delivered_at: Option<Timestamp>,
        /// When it was given up.
        abandoned_at: Option<Timestamp>,
        /// How many tries have failed.
        attempt_failed: u32,
        /// From when on it is to be sent, or sent again; null when nobody tries any more.
        due_at: Option<Timestamp>,
        /// The event that asks for it: its name at providers.
        requested_by: EventId,
        /// What the request and everything it caused have in common.
        correlation_id: CorrelationId,
        /// W3C trace context of the request.
        traceparent: Option<String>,
        /// What the notification's own fold made of its events.
        state: Document<State>,
        /// The stream's version that the row is at.
        version: u64,
        /// When it was requested.
        created_at: Timestamp,
        /// When its last event was recorded.
        updated_at: Timestamp,
    }
    indexes &[
        Index { name: "booking", kind: IndexKind::Ordered(&["tenant", "booking_id"]) },
        Index { name: "due", kind: IndexKind::Present(&["due_at", "notification_id"]) },
        Index { name: "status", kind: IndexKind::Ordered(&["tenant", "status", "created_at"]) },
    ]
}

/// The projection of notifications.
pub struct Notifications;

impl Projection for Notifications {
    fn name(&self) -> &'static str {
        "notifications"
    }

    fn version(&self) -> u32 {
        2
    }

    fn tables(&self) -> &'static [&'static Table] {
        &[NotificationRow::TABLE]
    }

    fn keyed_by_stream(&self) -> bool {
        true
    }

    fn keys(&self, event: &RecordedEvent, keys: &mut Vec<RowKey>) {
        match &event.event {
            Event::Notification(_) => {
                keys.push(RowKey { table: NotificationRow::TABLE, key: key(event) });
            }
            Event::Itinerary(_)
            | Event::Destination(_)
            | Event::Offer(_)
            | Event::Booking(_)
            | Event::Payment(_)
            | Event::InvoiceSeries(_)
            | Event::Saga(_) => {}
        }
    }

    fn fold(&self, rows: &mut Rows, event: &RecordedEvent) {
        let happened = match &event.event {
            Event::Notification(happened) => happened,
            Event::Itinerary(_)
            | Event::Destination(_)
            | Event::Offer(_)
            | Event::Booking(_)
            | Event::Payment(_)
            | Event::InvoiceSeries(_)
            | Event::Saga(_) => return,
        };
        let at = event.envelope.recorded_at;
        let begun = || begun(event, happened);
        // A stream without its first event has no row, and a fold refuses nothing.
        let Some(mut row) = rows.read::<NotificationRow>(&key(event)).or_else(begun) else {
            return;
        };
        match happened {
            Notification::Sent(_) => row.sent_at = Some(at),
            Notification::Failed(failed) => {
                row.failure_code = Some(failed.code.clone());
                row.failure_message = Some(failed.message.clone());
            }
            Notification::Delivered(_) => row.delivered_at = Some(at),
            Notification::Abandoned(_) => row.abandoned_at = Some(at),
            Notification::Requested(_) => {}
        }
        row.state = Document(row.state.0.evolve(happened));
        if let State::Known(message) = &row.state.0 {
            row.status = wire_name(&message.status);
            row.provider_reference.clone_from(&message.reference);
            row.attempt_failed = message.attempt_failed;
            row.due_at = match message.status {
                Status::Requested => Some(row.created_at),
                Status::Failed => {
                    let wait = retry_after_seconds(message.attempt_failed);
                    Some(at.plus_seconds(i64::from(wait)))
                }
                Status::Sent | Status::Delivered | Status::Abandoned => None,
            };
        }
        row.version = event.envelope.version;
        row.updated_at = at;
        rows.write(row);
    }
}

/// The row of a message, when this event begins it.
fn begun(event: &RecordedEvent, happened: &Notification) -> Option<NotificationRow> {
    let Notification::Requested(asked) = happened else { return None };
    let at = event.envelope.recorded_at;
    Some(NotificationRow {
        notification_id: NotificationId(event.envelope.stream.id),
        tenant: event.envelope.tenant.clone(),
        booking_id: asked.booking_id,
        template: asked.template.clone(),
        channel: wire_name(&asked.channel),
        locale: asked.locale.clone(),
        recipient: Document(asked.recipient.clone()),
        // The aggregate lets only objects through.
        facts: Document(serde_json::from_str(&asked.facts).unwrap_or_default()),
        status: String::new(),
        provider_reference: None,
        failure_code: None,
        failure_message: None,
        sent_at: None,
        delivered_at: None,
        abandoned_at: None,
        attempt_failed: 0,
        due_at: None,
        requested_by: event.envelope.event_id,
        correlation_id: event.envelope.correlation_id,
        traceparent: event.envelope.traceparent.clone(),
        state: Document::default(),
        version: 0,
        created_at: at,
        updated_at: at,
    })
}

fn key(event: &RecordedEvent) -> Vec<Value> {
    vec![event.envelope.stream.id.into_value()]
}
