//! What became visible at one look: events of one tenant, with who may see each.

use std::collections::HashMap;
use std::sync::Arc;

use domain::ids::{AccountId, BookingId, ItineraryId, PaymentId};
use domain::{Category, PositionVector, StreamName, Tenant};
use read_models::ReadQueries;
use read_models::projections::AuditRow;
use read_models::queries::{QueryError, Viewer};

/// Events of one look at the store.
const EVENTS_MAX: u32 = 256;
/// Streams whose audience is remembered; when there are more, all are looked up anew.
const AUDIENCES_MAX: usize = 4096;

/// Who may see the events of a stream.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Audience {
    /// Of an itinerary: owner, collaborators, and who is invited; of a booking: its owner; of a
    /// payment: the owner of its booking.
    pub(super) members: Vec<AccountId>,
    /// Whether everybody with the link may.
    pub(super) shared: bool,
}

/// An event, with who may see it.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) event: Arc<AuditRow>,
    pub(super) audience: Arc<Audience>,
}

/// What became visible at one look.
#[derive(Debug)]
pub(super) struct Moment {
    /// In the order of each stream.
    pub(super) events: Vec<Seen>,
    /// How far it goes: everything up to here was given, or is another tenant's.
    pub(super) next: PositionVector,
    /// Whether the store has more behind it already.
    pub(super) more: bool,
}

/// Remembers who may see which stream, until one of the stream's events may have changed it.
#[derive(Debug, Default)]
pub(super) struct Audiences(HashMap<String, Arc<Audience>>);

/// What every read model that a client may ask after an event has read.
pub(super) async fn horizon(
    queries: &ReadQueries,
    read_models: &[&'static str],
) -> Result<PositionVector, QueryError> {
    let mut common: Option<PositionVector> = None;
    for name in read_models {
        let vector = queries.position(name).await?.vector;
        common = Some(common.map_or_else(|| vector.clone(), |common| common.common(&vector)));
    }
    Ok(common.unwrap_or_default())
}

/// The tenant's events behind `after` and up to `horizon`.
pub(super) async fn look(
    queries: &ReadQueries,
    tenant: &Tenant,
    after: &PositionVector,
    horizon: &PositionVector,
    audiences: &mut Audiences,
) -> Result<Moment, QueryError> {
    let answer = queries.events_after(tenant, after, EVENTS_MAX).await?;
    let found = answer.value;
    let mut next = found.next.common(horizon);
    // Never backward: a horizon may be of tables that were made anew.
    next.merge(after);
    let shown = found.events.into_iter().filter(|event| horizon.includes(event.position()));
    let mut events = Vec::new();
    for event in shown {
        let audience = audiences.of(queries, &event).await?;
        events.push(Seen { event: Arc::new(event), audience });
    }
    let more = found.more && next != *after;
    Ok(Moment { events, next, more })
}

impl Audiences {
    async fn of(
        &mut self,
        queries: &ReadQueries,
        event: &AuditRow,
    ) -> Result<Arc<Audience>, QueryError> {
        if changes_people(&event.event_type) {
            self.0.remove(&event.stream);
        }
        if let Some(known) = self.0.get(&event.stream) {
            return Ok(Arc::clone(known));
        }
        let audience = Arc::new(look_up(queries, event).await?);
        if self.0.len() >= AUDIENCES_MAX {
            self.0.clear();
        }
        self.0.insert(event.stream.clone(), Arc::clone(&audience));
        Ok(audience)
    }
}

/// Whether an event of that type may change who sees the stream. Types that only say what became of
/// a plan are listed: an unknown one may change anything.
fn changes_people(event_type: &str) -> bool {
    !matches!(
        event_type,
        "itinerary-renamed"
            | "itinerary-period-changed"
            | "itinerary-metadata-described"
            | "itinerary-activity-added"
            | "itinerary-activity-rescheduled"
            | "itinerary-activity-removed"
            | "itinerary-booking-attached"
            | "itinerary-booking-detached"
            | "itinerary-commented"
            | "itinerary-archived"
            | "destination-described"
            | "destination-retired"
            | "offer-listed"
            | "offer-repriced"
            | "offer-capacity-changed"
            | "offer-held"
            | "offer-hold-released"
            | "offer-hold-expired"
            | "offer-allocated"
            | "offer-returned"
            | "offer-closed"
            | "booking-requested"
            | "booking-held"
            | "booking-confirmed"
            | "booking-rejected"
            | "booking-expired"
            | "booking-cancellation-requested"
            | "booking-cancelled"
            | "booking-travellers-changed"
            | "payment-authorized"
            | "payment-capture-requested"
            | "payment-succeeded"
            | "payment-failed"
            | "payment-timed-out"
            | "payment-voided"
            | "payment-void-failed"
            | "payment-refund-requested"
            | "payment-refunded"
            | "payment-refund-failed"
            | "payment-watch-requested"
            | "invoice-issued"
            | "invoice-credited"
            | "notification-requested"
            | "notification-sent"
            | "notification-failed"
            | "notification-delivered"
            | "notification-abandoned"
            | "saga-started"
            | "saga-step-requested"
            | "saga-step-succeeded"
            | "saga-step-failed"
            | "saga-compensation-requested"
            | "saga-compensation-succeeded"
            | "saga-compensation-failed"
            | "saga-deadline-passed"
            | "saga-cancellation-noted"
            | "saga-completed"
            | "saga-compensated"
            | "saga-stuck"
            | "saga-resolved-by-operator"
    )
}

async fn look_up(queries: &ReadQueries, event: &AuditRow) -> Result<Audience, QueryError> {
    // A stream of a category that this process does not know is shown to staff alone.
    let Ok(StreamName { category, id }) = event.stream.parse() else {
        return Ok(Audience::default());
    };
    match category {
        Category::Itinerary => {
            let found = queries.itinerary(&event.tenant, Viewer::Operator, ItineraryId(id)).await?;
            Ok(found.value.map_or_else(Audience::default, |detail| Audience {
                members: detail.members.iter().map(|member| member.account_id).collect(),
                shared: detail.itinerary.shared,
            }))
        }
        Category::Booking => {
            let owner = queries.booking_owner(&event.tenant, BookingId(id)).await?.value;
            Ok(Audience { members: owner.into_iter().collect(), shared: false })
        }
        Category::Payment => {
            let found = queries.payment(&event.tenant, Viewer::Operator, PaymentId(id)).await?;
            Ok(found.value.map_or_else(Audience::default, |payment| Audience {
                members: vec![payment.account_id],
                shared: false,
            }))
        }
        // Staff alone.
        Category::Destination
        | Category::Offer
        | Category::InvoiceSeries
        | Category::Notification
        | Category::Saga => Ok(Audience::default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_about_people_or_sharing_forgets_the_audience() {
        let lasting: Vec<_> = domain::Event::names().filter(|name| !changes_people(name)).collect();

        assert_eq!(domain::Event::names().count() - lasting.len(), 8);
        for name in ["created", "collaborator-left", "collaborator-invited", "shared", "unshared"] {
            assert!(changes_people(&format!("itinerary-{name}")), "{name}");
        }
        assert!(changes_people("payment-requested") && changes_people("payment-void-requested"));
        assert!(changes_people("itinerary-teleported"));
    }
}
