//! `open_holds`: what offers set aside and nobody has bought, released or lost yet. Table
//! `open_holds` (key: offer, hold).
//!
//! A repeat is harmless because rows and vector move together. Every row belongs to one stream.

use domain::ids::{CorrelationId, EventId};
use domain::offer::Event as Offer;
use domain::{Event, RecordedEvent, Tenant, Timestamp};
use uuid::Uuid;

use crate::projection::{Projection, RowKey, Rows};
use crate::row::{Cell as _, row};
use crate::table::{Index, IndexKind, Row as _, Table, Value};

row! {
    /// One hold that still keeps places of an offer from others.
    pub struct OpenHoldRow in "open_holds", keys 2, append_only false {
        /// Of which offer.
        offer_id: Uuid,
        /// Which hold.
        hold_id: Uuid,
        /// Whose data it is.
        tenant: Tenant,
        /// The booking it is for, if it is for one.
        booking_id: Option<Uuid>,
        /// How many places it keeps.
        quantity: u32,
        /// When it ends by itself.
        expires_at: Timestamp,
        /// When it began.
        held_at: Timestamp,
        /// The event that began it.
        held_by: EventId,
        /// What the request and everything it caused have in common.
        correlation_id: CorrelationId,
    }
    indexes &[Index {
        name: "expiry",
        kind: IndexKind::Ordered(&["expires_at", "offer_id", "hold_id"]),
    }]
}

/// The projection of holds that are open.
pub struct OpenHolds;

impl Projection for OpenHolds {
    fn name(&self) -> &'static str {
        "open_holds"
    }

    fn version(&self) -> u32 {
        2
    }

    fn tables(&self) -> &'static [&'static Table] {
        &[OpenHoldRow::TABLE]
    }

    fn keyed_by_stream(&self) -> bool {
        true
    }

    fn keys(&self, event: &RecordedEvent, keys: &mut Vec<RowKey>) {
        if let Event::Offer(happened) = &event.event
            && let Some(hold) = hold_of(happened)
        {
            keys.push(RowKey { table: OpenHoldRow::TABLE, key: key_of(event, hold) });
        }
    }

    fn fold(&self, rows: &mut Rows, event: &RecordedEvent) {
        let Event::Offer(happened) = &event.event else { return };
        match happened {
            Offer::Held(held) => rows.write(OpenHoldRow {
                offer_id: event.envelope.stream.id,
                hold_id: held.hold_id.0,
                tenant: event.envelope.tenant.clone(),
                booking_id: held.line.map(|line| line.booking_id.0),
                quantity: held.claim.quantity(),
                expires_at: held.expires_at,
                held_at: event.envelope.recorded_at,
                held_by: event.envelope.event_id,
                correlation_id: event.envelope.correlation_id,
            }),
            Offer::HoldReleased(_)
            | Offer::HoldExpired(_)
            | Offer::Allocated(_)
            | Offer::Returned(_) => {
                if let Some(hold) = hold_of(happened) {
                    rows.delete::<OpenHoldRow>(&key_of(event, hold));
                }
            }
            Offer::Listed(_)
            | Offer::Repriced(_)
            | Offer::CapacityChanged(_)
            | Offer::Closed(_) => {}
        }
    }
}

fn key_of(event: &RecordedEvent, hold: Uuid) -> Vec<Value> {
    vec![event.envelope.stream.id.into_value(), hold.into_value()]
}

/// The hold that the event begins or ends.
fn hold_of(happened: &Offer) -> Option<Uuid> {
    match happened {
        Offer::Held(held) => Some(held.hold_id.0),
        Offer::HoldReleased(released) => Some(released.hold_id.0),
        Offer::HoldExpired(expired) => Some(expired.hold_id.0),
        Offer::Allocated(allocated) => Some(allocated.hold_id.0),
        Offer::Returned(returned) => Some(returned.hold_id.0),
        Offer::Listed(_) | Offer::Repriced(_) | Offer::CapacityChanged(_) | Offer::Closed(_) => {
            None
        }
    }
}
