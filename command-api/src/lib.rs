//! REST for commands: a request becomes a command, a command's outcome becomes an answer.
//!
//! No rules and no SQL: rules are the domain's, reading is the query API's. One folder an
//! aggregate.

mod answer;
mod booking;
mod destination;
mod fields;
mod head;
mod itinerary;
mod offer;
mod openapi;
mod refused;
mod saga;
mod seal;

use std::sync::Arc;

use keys::Keyring;
use lanes::CommandPort;
use service_kit::fingerprint::Fingerprinter;
use utoipa_axum::router::OpenApiRouter;

/// What every route needs.
#[derive(Clone)]
pub struct CommandApi {
    port: Arc<dyn CommandPort>,
    fingerprinter: Arc<Fingerprinter>,
    keyring: Keyring,
}

impl CommandApi {
    /// An API that sends its commands through `port`, and seals personal data with `keyring` before
    /// it becomes part of one. The fingerprint key must be the same on every instance of a
    /// deployment.
    #[must_use]
    pub fn new(port: Arc<dyn CommandPort>, fingerprinter: Fingerprinter, keyring: Keyring) -> Self {
        Self { port, fingerprinter: Arc::new(fingerprinter), keyring }
    }
}

/// All routes for commands, with their description. Whoever serves them establishes who asks:
/// without a `service_kit::auth::Identity` every route answers 401.
#[must_use]
pub fn router(api: CommandApi) -> OpenApiRouter {
    routes().with_state(api)
}

/// The routes as they are described, without anything behind them.
#[must_use]
pub fn description() -> utoipa::openapi::OpenApi {
    routes().to_openapi()
}

fn routes() -> OpenApiRouter<CommandApi> {
    itinerary::router()
        .merge(destination::router())
        .merge(offer::router())
        .merge(booking::router())
        .merge(saga::router())
}
