//! The projections, one file each. [`projections`] is the list: what is not in it is not run, and
//! everything in it has to pass the generic property of `testing.rs`.

mod activity_feed;
mod audit;
mod itineraries;
mod itinerary_rows;
mod notifications;
mod open_holds;
#[cfg(test)]
mod payment_tests;
mod payments;
pub mod provider_requests;
pub mod saga_work;
#[cfg(test)]
mod tests;

pub use activity_feed::{ActivityFeed, FeedRow};
pub use audit::{Audit, AuditRow};
pub use itineraries::Itineraries;
pub use itinerary_rows::{ActivityRow, CommentRow, ItineraryRow, MemberRow};
pub use notifications::{NotificationRow, Notifications};
pub use open_holds::{OpenHoldRow, OpenHolds};
pub use payments::{PaymentRow, Payments};
pub use provider_requests::{ProviderPaymentRow, ProviderRequestRow, ProviderRequests};
pub use saga_work::{SagaWork, SagaWorkRow};

use crate::Projection;

/// Every projection, in the order in which operators see them.
#[must_use]
pub fn projections() -> Vec<Box<dyn Projection>> {
    vec![
        Box::new(Itineraries),
        Box::new(ActivityFeed),
        Box::new(Payments),
        Box::new(Notifications),
        Box::new(SagaWork),
        Box::new(OpenHolds),
        Box::new(ProviderRequests),
        Box::new(Audit),
    ]
}
