//! The service `sagas`: the dispatcher over the read models, and its way to the lanes.

use std::sync::Arc;

use lanes::{CommandPort, SystemClock};
use sagas::{Dispatcher, DispatcherSettings};
use service_kit::health::{Finding, Health};
use service_kit::shutdown::{Phase, Shutdown};

use crate::settings::Places;
use crate::stores;

/// Starts the dispatcher. It stops with the intake: what it has sent by then is waited for.
///
/// # Errors
/// When the read models' address cannot be read.
pub(crate) fn start(
    places: &Places,
    port: Arc<dyn CommandPort>,
    health: &Health,
    shutdown: &Shutdown,
) -> anyhow::Result<()> {
    sagas::describe_metrics();
    let queries = stores::queries(places)?;
    let settings = DispatcherSettings::default();
    let dispatcher = Dispatcher::new(queries, port, Arc::new(SystemClock), settings);
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
    Ok(())
}
