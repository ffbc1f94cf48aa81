//! The loop: look at what is open, send what is not under way, rest what failed.

use std::sync::{Arc, Mutex, PoisonError};

use lanes::{CommandPort, ErrandSettings, Errands, WallClock};
use read_models::ReadQueries;
use read_models::projections::{SagaWorkRow, saga_work};
use read_models::queries::{QueryError, WORK_MAX, WorkCursor};
use tokio_util::sync::CancellationToken;

use crate::holds;
use crate::sending::Sender;
use crate::settings::DispatcherSettings;
use crate::telemetry;

/// One thing to do: an entry of the work list, for one attempt.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Errand {
    target: String,
    effect: String,
    attempt: u32,
    /// Telling the saga, rather than sending its command.
    records: bool,
}

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
        let mut errands = Errands::new(ErrandSettings::from(&self.settings));
        let mut cursor = None;
        while !stopping.is_cancelled() {
            let looked = self.look(&mut cursor).await;
            let busy = match &looked {
                Ok(open) => Self::begin(open, &sender, &mut errands),
                Err(_) => false,
            };
            self.stand(looked.err().as_ref(), errands.running());
            let settings = &self.settings;
            let pause =
                if busy || errands.running() > 0 { settings.look_busy } else { settings.look_idle };
            let pause = tokio::time::sleep(pause);
            tokio::select! {
                () = stopping.cancelled() => {}
                () = pause => {}
            }
            errands.reap();
        }
        errands.drain().await;
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
    fn begin(open: &[SagaWorkRow], sender: &Arc<Sender>, errands: &mut Errands<Errand>) -> bool {
        let mut begun = false;
        for row in open {
            let errand = Errand {
                target: row.target.clone(),
                effect: row.effect.clone(),
                attempt: row.attempt,
                records: row.todo == saga_work::RECORD,
            };
            begun |= errands.begin(&errand, || {
                let (sender, row) = (Arc::clone(sender), row.clone());
                async move { sender.run(&row).await }
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
            tracing::warn!(trouble, "the sagas' work cannot be read; looking again");
        }
        *standing = Standing { trouble, running };
    }
}
