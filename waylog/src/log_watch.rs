//! What the query API is told about the log, kept up to date by a thread of its own.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use domain::{LogId, PositionVector, Timestamp};
use event_log::EventLog;
use query_api::{LogEnd, LogView};
use tokio_util::sync::CancellationToken;

/// How often the log is asked for its end.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// The log from afar: its id, and its end as it was a moment ago.
pub(crate) struct LogWatch {
    log_id: LogId,
    end: RwLock<Seen>,
}

/// The end, and when it was last seen to be that.
#[derive(Default)]
struct Seen {
    end: Option<Arc<LogEnd>>,
    at: Option<Timestamp>,
}

impl LogWatch {
    /// Starts watching; ends with the token. A log that does not answer leaves the last known end.
    pub(crate) fn start(log: Arc<dyn EventLog>, stopping: CancellationToken) -> Arc<Self> {
        let watch = Arc::new(Self { log_id: log.topology().log_id, end: RwLock::default() });
        let kept = Arc::clone(&watch);
        tokio::spawn(async move {
            let mut away = false;
            while !stopping.is_cancelled() {
                let asked = Arc::clone(&log);
                match tokio::task::spawn_blocking(move || asked.end()).await {
                    Ok(Ok(vector)) => {
                        away = false;
                        kept.keep(vector);
                    }
                    Ok(Err(error)) if !away => {
                        away = true;
                        tracing::warn!(code = error.code(), %error, "the log's end is not known");
                    }
                    Ok(Err(_)) => {}
                    Err(panic) => tracing::error!(%panic, "asking for the log's end panicked"),
                }
                tokio::select! {
                    () = tokio::time::sleep(LOOK_EVERY) => {}
                    () = stopping.cancelled() => {}
                }
            }
        });
        watch
    }

    /// An end that moved has a new event, recorded at most one look ago.
    fn keep(&self, vector: PositionVector) {
        let mut seen = self.end.write().unwrap_or_else(PoisonError::into_inner);
        if seen.end.as_ref().is_none_or(|known| known.vector != vector) {
            let before = seen.end.as_ref().map(|end| end.vector.clone()).zip(seen.at);
            seen.end = Some(Arc::new(LogEnd { vector, last_event_at: Some(now()), before }));
        }
        seen.at = Some(now());
    }
}

impl LogView for LogWatch {
    fn log_id(&self) -> Option<LogId> {
        Some(self.log_id)
    }

    fn end(&self) -> Option<Arc<LogEnd>> {
        self.end.read().unwrap_or_else(PoisonError::into_inner).end.clone()
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}
