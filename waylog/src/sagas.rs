//! The service `sagas`: the dispatcher over the read models, and its way to the lanes.

use std::sync::Arc;

use lanes::{CommandPort, SystemClock};
use read_models::ReadQueries;
use sagas::Dispatcher;
use service_kit::health::{Finding, Health};
use service_kit::shutdown::{Phase, Shutdown};

use crate::settings::SagasSection;

/// What the service is built with.
pub(crate) struct Parts<'a> {
    pub(crate) section: &'a SagasSection,
    pub(crate) queries: Arc<ReadQueries>,
    pub(crate) port: Arc<dyn CommandPort>,
    pub(crate) health: &'a Health,
    pub(crate) shutdown: &'a Shutdown,
}

/// Starts the dispatcher. It stops with the intake: what it has sent by then is waited for.
pub(crate) fn start(parts: Parts<'_>) {
    sagas::describe_metrics();
    let Parts { section, queries, port, health, shutdown } = parts;
    let dispatcher = Dispatcher::new(queries, port, Arc::new(SystemClock), section.dispatcher());
    let standing = dispatcher.watch();
    health.register("sagas", move || {
        std::future::ready(standing().trouble.map_or(Finding::Passing, Finding::Failing))
    });
    let ended = shutdown.clone();
    // The handle is not needed: the shutdown waits for the task by itself.
    drop(shutdown.spawn(Phase::Intake, "sagas", |stopping| async move {
        // A dispatcher that ended by itself, by a defect, takes the process down: whoever starts it
        // again continues every saga.
        let _takes_down = ended.on_drop();
        dispatcher.run(stopping).await;
    }));
}
