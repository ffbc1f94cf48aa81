//! Counts the sagas that only an operator can help, for whoever is on call.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use domain::Tenant;
use read_models::ReadQueries;
use read_models::queries::{PageRequest, SagaFilter, SagaState};
use tokio_util::sync::CancellationToken;

use crate::telemetry;

/// Between two looks.
const EVERY: Duration = Duration::from_secs(5);
/// More than so many are told as so many.
const COUNTED_MAX: u32 = 100;

/// How many are stuck, as of the last look.
pub(crate) struct StuckSagas {
    queries: Arc<ReadQueries>,
    count: Arc<AtomicUsize>,
}

impl StuckSagas {
    pub(crate) fn new(queries: Arc<ReadQueries>) -> Self {
        Self { queries, count: Arc::default() }
    }

    pub(crate) fn watch(&self) -> impl Fn() -> usize + Send + Sync + 'static {
        let count = Arc::clone(&self.count);
        move || count.load(Ordering::Relaxed)
    }

    pub(crate) async fn run(self, stopping: CancellationToken) {
        let mut pace = tokio::time::interval(EVERY);
        loop {
            tokio::select! {
                () = stopping.cancelled() => return,
                _ = pace.tick() => self.look().await,
            }
        }
    }

    async fn look(&self) {
        let filter = SagaFilter { state: Some(SagaState::Stuck), kind: None };
        let page = PageRequest { limit: COUNTED_MAX, cursor: None };
        match self.queries.sagas(&Tenant::default(), filter, &page).await {
            Ok(answer) => {
                let stuck = answer.value.items.len();
                if self.count.swap(stuck, Ordering::Relaxed) < stuck {
                    tracing::error!(stuck, "sagas are stuck and wait for an operator");
                }
                telemetry::stuck(stuck);
            }
            // The work lists say that the store is away; the last count stands.
            Err(error) => tracing::debug!(%error, "stuck sagas cannot be counted now"),
        }
    }
}
