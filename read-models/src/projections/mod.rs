//! The projections, one file each. [`projections`] is the list: what is not in it is not run, and
//! everything in it has to pass the generic property of `testing.rs`.

mod activity_feed;
mod audit;
mod availability;
mod bookings;
#[cfg(test)]
mod catalogue_tests;
mod destination_rows;
mod destinations;
mod itineraries;
mod itinerary_rows;
mod notifications;
mod offer_stock;
mod offers;
mod open_holds;
#[cfg(test)]
mod payment_tests;
mod payments;
mod popular;
pub mod provider_requests;
pub mod saga_work;
mod sagas;
#[cfg(test)]
mod sale_tests;
#[cfg(test)]
mod tests;

pub use activity_feed::{ActivityFeed, FeedRow};
pub use audit::{Audit, AuditRow};
pub use availability::{Availability, AvailabilityRow};
pub use bookings::{BookedLine, BookingRow, Bookings, FrozenTerms, SealedParts};
pub use destination_rows::{
    DestinationBookingRow, DestinationCountRow, DestinationOfferRow, DestinationRow,
};
pub(crate) use destinations::DESCRIBED;
pub use destinations::Destinations;
pub use itineraries::Itineraries;
pub(crate) use itineraries::wire_name;
pub use itinerary_rows::{ActivityRow, CommentRow, ItineraryRow, MemberRow};
pub use notifications::{NotificationRow, Notifications};
pub(crate) use offers::place_words;
pub use offers::{OfferPlaceRow, OfferRow, Offers, Seats};
pub use open_holds::{OpenHoldRow, OpenHolds};
pub use payments::{PaymentRow, Payments};
pub use popular::{Period, PopularDestinations, PopularPlaceRow};
pub use provider_requests::{ProviderPaymentRow, ProviderRequestRow, ProviderRequests};
pub use saga_work::{SagaWork, SagaWorkRow};
pub use sagas::{SagaEventRow, SagaRow, Sagas, StepAt};

use crate::Projection;

/// Every projection, in the order in which operators see them.
#[must_use]
pub fn projections() -> Vec<Box<dyn Projection>> {
    vec![
        Box::new(Itineraries),
        Box::new(ActivityFeed),
        Box::new(Offers),
        Box::new(Availability),
        Box::new(Destinations),
        Box::new(PopularDestinations),
        Box::new(Bookings),
        Box::new(Payments),
        Box::new(Sagas),
        Box::new(Notifications),
        Box::new(SagaWork),
        Box::new(OpenHolds),
        Box::new(ProviderRequests),
        Box::new(Audit),
    ]
}
