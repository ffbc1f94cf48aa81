//! Payments: from open requests in the log to the provider, and back into the log as facts.
//!
//! What is open is a projection, and nothing else is kept: this process may die at any point, and
//! any number of it may run, because a call's key is the id of the event that asks for it, and what
//! came of it is recorded under an id that follows from both.
//!
//! Promises:
//! - money moves once for each request, however often it is asked for;
//! - an unknown outcome is asked about, under the same key, until it is known, and stands among the
//!   log's refusals, below the request (`unanswered.rs`);
//! - an authorization that nobody can tell anything of is timed out; one that comes late is
//!   recorded all the same, and the payment asks for its undoing.

mod answers;
mod asking;
mod disbelief;
mod settings;
mod telemetry;
pub mod webhooks;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::ids::EventId;
use domain::payment::Command as Payment;
use domain::{Command, Timestamp};
use lanes::{Came, Cause, CommandPort, Piece, Rounds, SystemActor, WallClock, WorkList};
use read_models::ReadQueries;
use read_models::projections::ProviderRequestRow;
use read_models::queries::{ProviderCursor, QueryError, WORK_MAX};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::payment_provider::PaymentProvider;
use crate::unanswered::{Evidence, Unanswered};
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
    /// How long the oldest request has been without an answer, if one is open.
    pub oldest_open: Option<Duration>,
}

/// Works through what the payment provider is to do, until it is stopped.
pub struct PaymentConnector {
    rounds: Rounds<OpenRequests>,
    provider: Arc<Mutex<Option<&'static str>>>,
    oldest: Oldest,
    clock: Arc<dyn WallClock>,
    unanswered: Arc<Unanswered>,
}

/// When the oldest open request was asked for, as of the last look at the list's beginning.
type Oldest = Arc<Mutex<Option<Timestamp>>>;

/// The list of what is asked of the provider and not answered.
struct OpenRequests {
    queries: Arc<ReadQueries>,
    asker: Asker,
    oldest: Oldest,
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
        let rounds = settings.rounds();
        let (standing, oldest) = (Arc::new(Mutex::new(None)), Oldest::default());
        let (noted, now) = (Arc::clone(&standing), Arc::clone(&clock));
        let unanswered = Arc::new(Unanswered::new(Arc::clone(&port), ACTOR, evidence));
        let noting = Arc::clone(&unanswered);
        let asker = Asker { port, provider, clock, settings, standing: noted, unanswered: noting };
        let list = OpenRequests { queries, asker, oldest: Arc::clone(&oldest) };
        let rounds = Rounds::new(Arc::new(list), rounds);
        Self { rounds, provider: standing, oldest, clock: now, unanswered }
    }

    /// Looks for requests soon after word that there may be some.
    #[must_use]
    pub fn woken_by(self, word: Arc<Notify>) -> Self {
        Self { rounds: self.rounds.woken_by(word), ..self }
    }

    /// How it stands, whenever it is asked.
    pub fn watch(&self) -> impl Fn() -> Standing + Send + Sync + 'static {
        let (rounds, provider) = (self.rounds.watch(), Arc::clone(&self.provider));
        let (oldest, clock) = (Arc::clone(&self.oldest), Arc::clone(&self.clock));
        move || {
            let lanes::Standing { trouble, running } = rounds();
            let provider = *provider.lock().unwrap_or_else(PoisonError::into_inner);
            let oldest = *oldest.lock().unwrap_or_else(PoisonError::into_inner);
            let oldest_open = oldest.map(|asked_at| clock.now().since(asked_at));
            Standing { trouble, provider, running, oldest_open }
        }
    }

    /// Runs until it is told to stop, and waits then a moment for what is on its way. What is left
    /// behind is found again: a call under its key, a command under its id.
    pub async fn run(self, stopping: CancellationToken) {
        let Self { rounds, unanswered, .. } = self;
        unanswered.beside(rounds.run(stopping)).await;
    }
}

/// Why what the provider says of a request is recorded.
fn cause(asked: &ProviderRequestRow) -> Cause {
    Cause {
        tenant: asked.tenant.clone(),
        correlation_id: asked.correlation_id,
        causation_id: asked.asked_by.0,
        traceparent: asked.traceparent.clone(),
    }
}

/// That a call had no certain answer, as a command.
fn evidence(evidence: Evidence) -> Command {
    let Evidence { request, operation, may_be_done, code, left_out } = evidence;
    Command::Payment(Payment::NoteUnanswered { request, operation, may_be_done, code, left_out })
}

#[async_trait::async_trait]
impl WorkList for OpenRequests {
    type Entry = ProviderRequestRow;
    type Key = EventId;
    type Cursor = ProviderCursor;
    type Error = QueryError;

    fn name(&self) -> &'static str {
        "requests to the payment provider"
    }

    async fn look(
        &self,
        after: Option<ProviderCursor>,
    ) -> Result<Piece<ProviderRequestRow, ProviderCursor>, QueryError> {
        let begins = after.is_none();
        let entries = self.queries.open_provider_requests(after).await?;
        telemetry::open(entries.len());
        if begins {
            let oldest = entries.first().map(|row| row.asked_at);
            *self.oldest.lock().unwrap_or_else(PoisonError::into_inner) = oldest;
            let now = self.asker.clock.now();
            telemetry::oldest(oldest.map(|asked_at| now.since(asked_at)));
        }
        let full = entries.len() == WORK_MAX as usize;
        let more = entries.last().filter(|_| full).map(ProviderCursor::from);
        Ok(Piece { entries, more })
    }

    fn key(&self, row: &ProviderRequestRow) -> EventId {
        row.asked_by
    }

    /// All wait for the one provider.
    fn group(&self, _: &ProviderRequestRow) -> u32 {
        0
    }

    async fn run(&self, row: ProviderRequestRow) -> Came {
        let came = self.asker.run(&row).await;
        if matches!(came, Came::Done) {
            self.asker.unanswered.answered(row.asked_by);
        }
        came
    }
}
