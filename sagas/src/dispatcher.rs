//! The loop: look at what is open, send what is not under way, rest what failed.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use lanes::{CommandPort, WallClock};
use read_models::ReadQueries;
use read_models::projections::{SagaWorkRow, saga_work};
use read_models::queries::{QueryError, WORK_MAX, WorkCursor};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::holds;
use crate::ledger::{Errand, Ledger};
use crate::sending::{Came, Sender};
use crate::settings::DispatcherSettings;
use crate::telemetry;

/// How long an errand that is over is remembered.
const REMEMBERED: Duration = Duration::from_secs(60);

/// How the dispatcher stands, for the health check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// What keeps it from working, if anything does.
    pub trouble: Option<String>,
    /// Commands on their way now.
    pub running: usize,
}

/// Works through what sagas want done, until it is stopped.
pub struct Dispatcher {
    queries: Arc<ReadQueries>,
    port: Arc<dyn CommandPort>,
    clock: Arc<dyn WallClock>,
    settings: DispatcherSettings,
    standing: Arc<Mutex<Standing>>,
}

/// An errand that ended, with how often it had failed before.
type Ended = (Errand, u32, Came);

impl Dispatcher {
    /// A dispatcher that reads there and sends there. It does nothing before [`Dispatcher::run`].
    #[must_use]
    pub fn new(
        queries: Arc<ReadQueries>,
        port: Arc<dyn CommandPort>,
        clock: Arc<dyn WallClock>,
        settings: DispatcherSettings,
    ) -> Self {
        let trouble = Some("it has not looked at its work yet".to_owned());
        let standing = Arc::new(Mutex::new(Standing { trouble, running: 0 }));
        Self { queries, port, clock, settings, standing }
    }

    /// How it stands, whenever it is asked.
    pub fn watch(&self) -> impl Fn() -> Standing + Send + Sync + 'static {
        let standing = Arc::clone(&self.standing);
        move || standing.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Runs until it is told to stop, and waits then for what is on its way: each command's own
    /// deadline bounds that.
    pub async fn run(self, stopping: CancellationToken) {
        let holds = holds::Expiry::new(
            Arc::clone(&self.queries),
            Arc::clone(&self.port),
            Arc::clone(&self.clock),
            self.settings.look_for_expired,
        );
        tokio::join!(self.work(&stopping), holds.run(&stopping));
    }

    async fn work(&self, stopping: &CancellationToken) {
        let sender = Arc::new(Sender {
            port: Arc::clone(&self.port),
            settings: self.settings.sagas.clone(),
        });
        let (mut ledger, mut running) = (Ledger::default(), JoinSet::<Ended>::new());
        let mut cursor = None;
        while !stopping.is_cancelled() {
            let looked = self.look(&mut cursor).await;
            let busy = match &looked {
                Ok(open) => self.begin(open, &sender, &mut ledger, &mut running),
                Err(_) => false,
            };
            self.stand(looked.err().as_ref(), ledger.running());
            let settings = &self.settings;
            let pause =
                if busy || !running.is_empty() { settings.look_busy } else { settings.look_idle };
            let pause = tokio::time::sleep(pause);
            tokio::select! {
                () = stopping.cancelled() => {}
                () = pause => {}
            }
            while let Some(ended) = running.try_join_next() {
                self.end(ended, &mut ledger);
            }
            ledger.sweep(Instant::now(), REMEMBERED);
        }
        while let Some(ended) = running.join_next().await {
            self.end(ended, &mut ledger);
        }
    }

    /// The next piece of what is due; the piece behind it next time, until there is none.
    async fn look(&self, cursor: &mut Option<WorkCursor>) -> Result<Vec<SagaWorkRow>, QueryError> {
        let open = self.queries.open_saga_work(self.clock.now(), cursor.take()).await?;
        telemetry::open(open.len());
        let mut to_send = open.iter().filter(|row| row.todo == saga_work::SEND);
        if to_send.clone().count() == WORK_MAX as usize {
            *cursor = to_send.next_back().map(WorkCursor::from);
        }
        Ok(open)
    }

    /// Starts what is not under way, as far as there is room. Whether anything was started.
    fn begin(
        &self,
        open: &[SagaWorkRow],
        sender: &Arc<Sender>,
        ledger: &mut Ledger,
        running: &mut JoinSet<Ended>,
    ) -> bool {
        let now = Instant::now();
        let mut begun = false;
        for row in open {
            if running.len() >= self.settings.commands_in_flight_max {
                break;
            }
            let errand = Errand {
                target: row.target.clone(),
                effect: row.effect.clone(),
                attempt: row.attempt,
                records: row.todo == saga_work::RECORD,
            };
            if !ledger.begin(&errand, now) {
                continue;
            }
            let failures = ledger.run(errand.clone());
            let (sender, row) = (Arc::clone(sender), row.clone());
            running.spawn(async move { (errand, failures, sender.run(&row).await) });
            begun = true;
        }
        begun
    }

    fn end(&self, ended: Result<Ended, tokio::task::JoinError>, ledger: &mut Ledger) {
        let (errand, failures, came) = match ended {
            Ok(ended) => ended,
            Err(error) => {
                // Its entry stays marked as running, so that what kills a task is not repeated for
                // ever; another process, or the next start, tries again.
                tracing::error!(%error, "an errand died");
                return;
            }
        };
        let settings = &self.settings;
        let (rest, failures) = match came {
            // The projection closes it meanwhile; if not, the same again is harmless.
            Came::Done => (settings.retry_max, 0),
            Came::Waits => (settings.resend_after, 0),
            Came::Failed => {
                let doubled = settings.retry_first * 2_u32.saturating_pow(failures.min(16));
                (doubled.min(settings.retry_max), failures + 1)
            }
        };
        ledger.rest(errand, Instant::now() + rest, failures);
    }

    fn stand(&self, error: Option<&QueryError>, running: usize) {
        let trouble = error.map(ToString::to_string);
        let mut standing = self.standing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(trouble) = &trouble
            && standing.trouble.is_none()
        {
            tracing::warn!(trouble, "the sagas' work cannot be read; looking again");
        }
        *standing = Standing { trouble, running };
    }
}
