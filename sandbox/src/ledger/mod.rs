//! The ledger: one SQLite file in which intents, money, answers, events and deliveries change
//! together.
//!
//! One connection writes, one piece of work at a time, each in a transaction that is synced to disk
//! before anybody hears of it. An exclusive lock on a file beside it keeps other processes away.

mod answers;
pub(crate) mod deliveries;
mod entries;
pub(crate) mod events;
pub(crate) mod intents;
pub(crate) mod messages;
pub(crate) mod refunds;
pub(crate) mod totals;

use std::fs::{File, TryLockError};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rusqlite::types::Type;
use rusqlite::{Connection, Transaction, TransactionBehavior};
use serde_json::Value;
use uuid::Uuid;

pub(crate) use answers::{Answer, Request};

use crate::error::{Failure, SandboxError};
use crate::faults::Faults;
use crate::settings::Settings;

const SCHEMA: &str = include_str!("schema.sql");
/// How long a statement waits for another process that reads.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// The ledger; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Ledger(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    connection: Mutex<Connection>,
    faults: Arc<Faults>,
    rules: Rules,
    /// Held as long as the ledger is open.
    _lock: File,
}

/// What the settings say about work in the ledger.
#[derive(Debug)]
struct Rules {
    webhook_late_ms: i64,
    webhooks_pending_max: u32,
    webhook_backoff_ms: i64,
    webhook_attempts_max: u32,
    idempotency_ttl_ms: i64,
}

/// One piece of work: a transaction, the time at which it happens, and what it has to know.
pub(crate) struct Work<'a> {
    tx: Transaction<'a>,
    /// Milliseconds since 1970.
    now: i64,
    faults: &'a Faults,
    rules: &'a Rules,
    /// Whether webhooks go anywhere.
    webhooks: bool,
}

impl Ledger {
    /// Opens the file, making it when it does not exist.
    ///
    /// # Errors
    /// [`SandboxError`].
    pub(crate) fn open(settings: &Settings, faults: Arc<Faults>) -> Result<Self, SandboxError> {
        let lock = lock(&settings.data_file)?;
        let connection = Connection::open(&settings.data_file)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        connection.execute_batch(SCHEMA)?;
        let rules = Rules {
            webhook_late_ms: millis(settings.webhook_late),
            webhooks_pending_max: settings.webhooks_pending_max,
            webhook_backoff_ms: millis(settings.webhook_backoff),
            webhook_attempts_max: settings.webhook_attempts_max,
            idempotency_ttl_ms: millis(settings.idempotency_ttl),
        };
        let connection = Mutex::new(connection);
        Ok(Self(Arc::new(Inner { connection, faults, rules, _lock: lock })))
    }

    /// Does `work` in one transaction, on a thread that may block. A refusal is committed too: it
    /// is a decision with traces of its own. When the ledger fails nothing is kept.
    ///
    /// # Errors
    /// Those of `work`.
    pub(crate) async fn work<T: Send + 'static>(
        &self,
        webhooks: bool,
        work: impl FnOnce(&Work<'_>) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let ledger = self.clone();
        let done = tokio::task::spawn_blocking(move || ledger.transact(webhooks, work));
        match done.await {
            Ok(done) => done,
            Err(stopped) => match stopped.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime is shutting down; whoever waits is about to be dropped.
                Err(_) => std::future::pending().await,
            },
        }
    }

    fn transact<T>(
        &self,
        webhooks: bool,
        work: impl FnOnce(&Work<'_>) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let Inner { connection, faults, rules, .. } = &*self.0;
        // A panic rolled its transaction back.
        let mut connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
        let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let work_at_hand = Work { tx, now: now_millis(), faults, rules, webhooks };
        let done = work(&work_at_hand);
        match done {
            Err(Failure::Ledger(_)) => work_at_hand.tx.rollback()?,
            Ok(_) | Err(Failure::Refused(_)) => work_at_hand.tx.commit()?,
        }
        done
    }
}

/// Takes the lock file beside the ledger.
fn lock(path: &Path) -> Result<File, SandboxError> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(SandboxError::File)?;
    }
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path.with_extension("lock"))
        .map_err(SandboxError::File)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(SandboxError::InUse(path.display().to_string())),
        Err(TryLockError::Error(error)) => Err(SandboxError::File(error)),
    }
}

/// JSON that was written here.
fn parsed(text: &str) -> rusqlite::Result<Value> {
    let broken = |error| rusqlite::Error::FromSqlConversionFailure(0, Type::Text, Box::new(error));
    serde_json::from_str(text).map_err(broken)
}

/// A new id with its prefix.
fn new_id(prefix: &str) -> String {
    format!("{prefix}_{}", Uuid::now_v7().simple())
}

pub(crate) fn now_millis() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    millis(since)
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
