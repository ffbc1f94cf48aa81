//! Counts the sagas that only an operator can help, those of every tenant, for whoever is on call,
//! and names each of them once in the log.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use domain::ids::SagaId;
use read_models::ReadQueries;
use read_models::projections::SagaRow;
use tokio_util::sync::CancellationToken;

use crate::telemetry;

/// Between two looks.
const EVERY: Duration = Duration::from_secs(5);

/// How many are stuck, as of the last look; more than one look brings are told as so many.
pub(crate) struct StuckSagas {
    queries: Arc<ReadQueries>,
    count: Arc<AtomicUsize>,
}

/// Those that were told of and are still stuck: as many as one look brings, at most.
#[derive(Default)]
struct Told(BTreeSet<SagaId>);

impl StuckSagas {
    pub(crate) fn new(queries: Arc<ReadQueries>) -> Self {
        Self { queries, count: Arc::default() }
    }

    pub(crate) fn watch(&self) -> impl Fn() -> usize + Send + Sync + 'static {
        let count = Arc::clone(&self.count);
        move || count.load(Ordering::Relaxed)
    }

    pub(crate) async fn run(self, stopping: CancellationToken) {
        let mut told = Told::default();
        let mut pace = tokio::time::interval(EVERY);
        loop {
            tokio::select! {
                () = stopping.cancelled() => return,
                _ = pace.tick() => self.look(&mut told).await,
            }
        }
    }

    async fn look(&self, told: &mut Told) {
        match self.queries.stuck_sagas().await {
            Ok(stuck) => {
                self.count.store(stuck.len(), Ordering::Relaxed);
                telemetry::stuck(stuck.len());
                let new = told.replace(stuck.iter().map(|saga| saga.saga_id).collect());
                stuck.iter().filter(|saga| new.contains(&saga.saga_id)).for_each(tell);
            }
            // The work lists say that the store is away; the last count stands.
            Err(error) => tracing::debug!(%error, "stuck sagas cannot be counted now"),
        }
    }
}

fn tell(saga: &SagaRow) {
    tracing::error!(saga_id = %saga.saga_id, tenant = %saga.tenant, kind = saga.kind,
        booking_id = %saga.booking_id, step = saga.failed_step, code = saga.failure_code,
        "a saga is stuck and waits for an operator");
}

impl Told {
    /// Takes these for the ones that are stuck now; gives those that were not before.
    fn replace(&mut self, stuck: BTreeSet<SagaId>) -> BTreeSet<SagaId> {
        let new = stuck.difference(&self.0).copied().collect();
        self.0 = stuck;
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn a_saga_is_told_of_once_for_as_long_as_it_is_stuck() {
        let sagas = |numbers: &[u128]| -> BTreeSet<SagaId> {
            numbers.iter().map(|number| SagaId(Uuid::from_u128(*number))).collect()
        };
        let mut told = Told::default();

        assert_eq!(told.replace(sagas(&[1, 2])), sagas(&[1, 2]));
        assert_eq!(told.replace(sagas(&[1, 2])), sagas(&[]));
        // As many as before, and another one among them.
        assert_eq!(told.replace(sagas(&[2, 3])), sagas(&[3]));
        assert_eq!(told.replace(sagas(&[1, 2])), sagas(&[1]));
    }
}
