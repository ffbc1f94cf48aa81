//! Reading: REST and live updates over the read models, the audit of every event, and, in a process
//! of its own, the way on for whatever it does not serve itself.
//!
//! It never opens the log: what it needs to know of it is told by a [`LogView`]. Every answer says
//! at which position of the log it is true (`Waylog-Position`), and waits for one when it is asked
//! to (`Waylog-Wait-For`). Nothing crosses a tenant, and what a caller may not see does not exist.
//!
//! No rules and no SQL: rules are the domain's, questions are `read-models`'.

mod audit;
mod bookings;
mod caller;
mod consistency;
mod destinations;
pub mod docs;
mod failure;
mod itineraries;
mod live;
mod log_view;
mod notifications;
mod offers;
mod one;
mod openapi;
mod page;
mod payments;
pub mod proxy;
mod refusal_trail;
mod sagas;
mod unseal;

use std::sync::Arc;

use keys::Keyring;
use read_models::ReadQueries;
use tokio_util::sync::CancellationToken;
use utoipa_axum::router::OpenApiRouter;

use self::consistency::Gate;
pub use self::consistency::WaitLimits;
use self::live::Hub;
pub use self::live::LiveLimits;
pub use self::log_view::{LogEnd, LogView, NamedLog};
pub use self::refusal_trail::{RefusalTrail, Refused, RefusedPage, TrailError};

/// The projections that answers come from.
pub(crate) const ITINERARIES: &str = "itineraries";
pub(crate) const ACTIVITY_FEED: &str = "activity_feed";
pub(crate) const OFFERS: &str = "offers";
pub(crate) const DESTINATIONS: &str = "destinations";
pub(crate) const POPULAR_DESTINATIONS: &str = "popular_destinations";
pub(crate) const BOOKINGS: &str = "bookings";
pub(crate) const PAYMENTS: &str = "payments";
pub(crate) const SAGAS: &str = "sagas";
pub(crate) const NOTIFICATIONS: &str = "notifications";
pub(crate) const AUDIT: &str = "audit";

/// What queries may cost.
#[derive(Clone, Debug, Default)]
pub struct QuerySettings {
    /// Waiting for read models.
    pub wait: WaitLimits,
    /// Live updates.
    pub live: LiveLimits,
}

/// What every route needs. Cheap to clone.
#[derive(Clone)]
pub struct QueryApi(Arc<Parts>);

struct Parts {
    queries: Arc<ReadQueries>,
    keyring: Keyring,
    log: Arc<dyn LogView>,
    trail: Arc<dyn RefusalTrail>,
    gate: Gate,
    hub: Hub,
}

impl QueryApi {
    /// An API that asks these read models, which are made from that log, tells that log's refusals,
    /// and opens what is sealed in them with `keyring`. Live updates end when `stopping` is
    /// cancelled.
    #[must_use]
    pub fn new(
        queries: Arc<ReadQueries>,
        keyring: Keyring,
        (log, trail): (Arc<dyn LogView>, Arc<dyn RefusalTrail>),
        settings: QuerySettings,
        stopping: CancellationToken,
    ) -> Self {
        let projections = [
            ITINERARIES,
            ACTIVITY_FEED,
            OFFERS,
            DESTINATIONS,
            POPULAR_DESTINATIONS,
            BOOKINGS,
            PAYMENTS,
            SAGAS,
            NOTIFICATIONS,
            AUDIT,
        ];
        let gate = Gate::new(Arc::clone(&queries), settings.wait, &projections);
        let hub = Hub::new(Arc::clone(&queries), keyring.clone(), settings.live, stopping);
        Self(Arc::new(Parts { queries, keyring, log, trail, gate, hub }))
    }
}

/// All routes for queries, with their description. Whoever serves them establishes who asks:
/// without a `service_kit::auth::Identity` every route answers 401.
#[must_use]
pub fn router(api: QueryApi) -> OpenApiRouter {
    routes().with_state(api)
}

/// The description of all routes, without anything behind them.
#[must_use]
pub fn description() -> utoipa::openapi::OpenApi {
    routes().to_openapi()
}

fn routes() -> OpenApiRouter<QueryApi> {
    itineraries::router()
        .merge(offers::router())
        .merge(destinations::router())
        .merge(bookings::router())
        .merge(payments::router())
        .merge(sagas::router())
        .merge(notifications::router())
        .merge(audit::router())
        .merge(live::router())
}
