//! The service `sagas`: the dispatcher over the read models, and its way to the lanes.

use std::sync::Arc;

use lanes::{CommandPort, SystemClock};
use projectors::Projectors;
use read_models::ReadQueries;
use sagas::{Dispatcher, HoldsStanding};
use service_kit::health::{Finding, Health};
use service_kit::shutdown::{Phase, Shutdown};

use crate::settings::SagasSection;
use crate::word;

/// From when on holds that are over and still open are worth a warning: the promise is that none is
/// open for longer.
const OVERDUE_SECONDS_MAX: u64 = 60;

/// What the service is built with.
pub(crate) struct Parts<'a> {
    pub(crate) section: &'a SagasSection,
    pub(crate) queries: Arc<ReadQueries>,
    pub(crate) port: Arc<dyn CommandPort>,
    /// Those of this process, if it folds.
    pub(crate) projectors: Option<&'a Projectors>,
    pub(crate) health: &'a Health,
    pub(crate) shutdown: &'a Shutdown,
}

/// Starts the dispatcher. It stops with the intake: what it has sent by then is waited for.
pub(crate) fn start(parts: Parts<'_>) {
    sagas::describe_metrics();
    let Parts { section, queries, port, projectors, health, shutdown } = parts;
    let dispatcher = Dispatcher::new(queries, port, Arc::new(SystemClock), &section.dispatcher())
        .woken_by(word::of(projectors, "saga_work"));
    let standing = dispatcher.watch();
    health.register("sagas", move || {
        std::future::ready(standing().trouble.map_or(Finding::Passing, Finding::Failing))
    });
    let stuck = dispatcher.watch_stuck();
    health.register("stuck sagas", move || std::future::ready(stuck_finding(stuck())));
    let standing = dispatcher.watch_holds();
    health.register("holds", move || std::future::ready(holds_finding(standing())));
    let ended = shutdown.clone();
    // The handle is not needed: the shutdown waits for the task by itself.
    drop(shutdown.spawn(Phase::Intake, "sagas", |stopping| async move {
        // A dispatcher that ended by itself, by a defect, takes the process down: whoever starts it
        // again continues every saga.
        let _takes_down = ended.on_drop();
        dispatcher.run(stopping).await;
    }));
}

/// The service works; what it cannot bring to an end is somebody's to settle.
fn stuck_finding(stuck: usize) -> Finding {
    match stuck {
        0 => Finding::Passing,
        stuck => Finding::Warning(format!(
            "{stuck} sagas wait for an operator: `waylog saga ls --state stuck`"
        )),
    }
}

/// A shard that is away keeps its holds open: no reason to take the service out, but to say so.
fn holds_finding(standing: HoldsStanding) -> Finding {
    let HoldsStanding { trouble, overdue_seconds } = standing;
    match trouble {
        Some(trouble) => Finding::Failing(trouble),
        None if overdue_seconds > OVERDUE_SECONDS_MAX => Finding::Warning(format!(
            "a hold is still open {overdue_seconds} s after its end; its offer's shard may be away"
        )),
        None => Finding::Passing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sagas_that_are_stuck_are_a_warning() {
        assert!(matches!(stuck_finding(0), Finding::Passing));
        assert!(matches!(stuck_finding(2), Finding::Warning(_)));
    }

    #[test]
    fn holds_that_stay_open_are_a_warning() {
        let finding = |trouble: Option<&str>, overdue_seconds| {
            holds_finding(HoldsStanding { trouble: trouble.map(str::to_owned), overdue_seconds })
        };

        assert!(matches!(finding(None, 60), Finding::Passing));
        assert!(matches!(finding(None, 61), Finding::Warning(_)));
        assert!(matches!(finding(Some("no database"), 0), Finding::Failing(_)));
    }
}
