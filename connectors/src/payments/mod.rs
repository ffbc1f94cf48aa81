//! Payments: from open requests in the log to the provider, and back into the log as facts.
//!
//! What is open is a projection, and nothing else is kept: this process may die at any point, and
//! any number of it may run, because a call's key is the id of the event that asks for it, and what
//! came of it is recorded under an id that follows from both.
//!
//! Promises:
//! - money moves once for each request, however often it is asked for;
//! - an unknown outcome is asked about, under the same key, until it is known;
//! - an authorization that nobody can tell anything of is timed out; one that comes late is
//!   recorded all the same, and the payment asks for its undoing.

mod answers;
mod asking;
mod settings;
mod telemetry;
pub mod webhooks;

use std::sync::{Arc, Mutex, PoisonError};

use domain::ids::EventId;
use lanes::{CommandPort, ErrandSettings, Errands, SystemActor, WallClock};
use read_models::ReadQueries;
use read_models::projections::ProviderRequestRow;
use read_models::queries::{ProviderCursor, QueryError, WORK_MAX};
use tokio_util::sync::CancellationToken;

use crate::payment_provider::PaymentProvider;
use asking::Asker;
pub use settings::ConnectorSettings;
pub use telemetry::describe_metrics;

/// Who records what the provider says.
const ACTOR: SystemActor = SystemActor("payments");

/// How the connector stands, for the health check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// What keeps it from working, if anything does.
    pub trouble: Option<String>,
    /// What the provider's last answer left to be desired, if anything.
    pub provider: Option<&'static str>,
    /// Requests that it works on now.
    pub running: usize,
}

/// Works through what the payment provider is to do, until it is stopped.
pub struct PaymentConnector {
    queries: Arc<ReadQueries>,
    asker: Arc<Asker>,
    settings: ConnectorSettings,
    standing: Arc<Mutex<Standing>>,
}

impl PaymentConnector {
    /// A connector between these. It does nothing before [`PaymentConnector::run`].
    #[must_use]
    pub fn new(
        queries: Arc<ReadQueries>,
        port: Arc<dyn CommandPort>,
        provider: Arc<dyn PaymentProvider>,
        clock: Arc<dyn WallClock>,
        settings: ConnectorSettings,
    ) -> Self {
        let trouble = Some("it has not looked at its work yet".to_owned());
        let standing = Arc::new(Mutex::new(Standing { trouble, provider: None, running: 0 }));
        let asker = Arc::new(Asker {
            port,
            provider,
            clock,
            settings: settings.clone(),
            standing: Arc::clone(&standing),
        });
        Self { queries, asker, settings, standing }
    }

    /// How it stands, whenever it is asked.
    pub fn watch(&self) -> impl Fn() -> Standing + Send + Sync + 'static {
        let standing = Arc::clone(&self.standing);
        move || standing.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Runs until it is told to stop, and waits then a moment for what is on its way. What is left
    /// behind is found again: a call under its key, a command under its id.
    pub async fn run(self, stopping: CancellationToken) {
        let mut errands = Errands::new(ErrandSettings::from(&self.settings));
        let mut cursor = None;
        while !stopping.is_cancelled() {
            let looked = self.look(&mut cursor).await;
            let busy = looked.as_ref().is_ok_and(|open| self.begin(open, &mut errands));
            self.stand(looked.err().as_ref(), errands.running());
            let settings = &self.settings;
            let busy = busy || errands.running() > 0;
            let pause = if busy { settings.look_busy } else { settings.look_idle };
            let pause = tokio::time::sleep(pause);
            tokio::select! {
                () = stopping.cancelled() => {}
                () = pause => {}
            }
            errands.reap();
        }
        if tokio::time::timeout(self.settings.stop_max, errands.drain()).await.is_err() {
            let left = errands.running();
            tracing::warn!(left, "calls to the payment provider were left; they are found again");
        }
    }

    /// The next piece of what is open; the piece behind it next time, until there is none.
    async fn look(
        &self,
        cursor: &mut Option<ProviderCursor>,
    ) -> Result<Vec<ProviderRequestRow>, QueryError> {
        let open = self.queries.open_provider_requests(cursor.take()).await?;
        telemetry::open(open.len());
        if open.len() == WORK_MAX as usize {
            *cursor = open.last().map(ProviderCursor::from);
        }
        Ok(open)
    }

    /// Starts what is not under way, as far as there is room. Whether anything was started.
    fn begin(&self, open: &[ProviderRequestRow], errands: &mut Errands<EventId>) -> bool {
        let mut begun = false;
        for row in open {
            begun |= errands.begin(&row.asked_by, || {
                let (asker, row) = (Arc::clone(&self.asker), row.clone());
                async move { asker.run(&row).await }
            });
        }
        begun
    }

    fn stand(&self, error: Option<&QueryError>, running: usize) {
        let trouble = error.map(ToString::to_string);
        let mut standing = self.standing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(trouble) = &trouble
            && standing.trouble.is_none()
        {
            tracing::warn!(trouble, "the provider's work cannot be read; looking again");
        }
        standing.trouble = trouble;
        standing.running = running;
    }
}
