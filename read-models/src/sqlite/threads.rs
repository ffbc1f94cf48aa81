//! Connections on threads of their own: calls of `SQLite` block, and an asynchronous runtime's
//! workers must not.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode};
use tokio::sync::{mpsc, oneshot};

use crate::store::ReadStoreError;

/// Jobs that may wait for a thread; a caller beyond waits for a place, within its deadline.
const QUEUE_MAX: usize = 64;
/// Steps of `SQLite`'s machine between two looks at the clock.
const STEPS_PER_CHECK: i32 = 10_000;
/// Prepared statements that a connection keeps.
const STATEMENTS_MAX: usize = 256;

type Job = Box<dyn FnOnce(&mut Connection) + Send>;

/// Threads with a connection each, fed by one bounded queue. Dropping ends them after the jobs that
/// wait.
pub(crate) struct Threads {
    jobs: Option<mpsc::Sender<Job>>,
    threads: Vec<JoinHandle<()>>,
}

impl Threads {
    /// Opens `count` connections and starts a thread for each.
    pub(crate) fn start(
        name: &str,
        count: usize,
        open: impl Fn() -> rusqlite::Result<Connection>,
    ) -> Result<Self, ReadStoreError> {
        let (jobs, queue) = mpsc::channel::<Job>(QUEUE_MAX);
        let queue = Arc::new(Mutex::new(queue));
        let mut threads = Vec::with_capacity(count);
        for _ in 0..count {
            let mut connection = open().map_err(fault)?;
            connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
            let queue = Arc::clone(&queue);
            let run = move || {
                // Whoever holds the lock waits for the next job; the others wait for the lock.
                while let Some(job) = {
                    let mut queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
                    queue.blocking_recv()
                } {
                    job(&mut connection);
                }
            };
            let thread = std::thread::Builder::new().name(name.to_owned()).spawn(run);
            threads.push(thread.map_err(|error| {
                ReadStoreError::Failed("cannot start a thread".to_owned(), Some(error.into()))
            })?);
        }
        Ok(Self { jobs: Some(jobs), threads })
    }

    /// Runs the job on one of the threads. At the deadline its statement is interrupted, its
    /// transaction rolled back, and the caller told that the store is unavailable.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        deadline: Duration,
        job: impl FnOnce(&mut Connection) -> Result<T, ReadStoreError> + Send + 'static,
    ) -> Result<T, ReadStoreError> {
        let until = Instant::now() + deadline;
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            // Nobody waits any longer: what was not begun must not happen.
            if reply.is_closed() || Instant::now() >= until {
                return;
            }
            let result =
                interruptible(connection, until).map_err(fault).and_then(|()| job(connection));
            if reply.send(result).is_err() {
                tracing::debug!("a caller of the read store left before its answer");
            }
        });
        let ask = async {
            let jobs = self.jobs.as_ref().expect("the queue lives until the drop");
            jobs.send(job).await.map_err(|_| ended())?;
            answer.await.map_err(|_| ended())?
        };
        let late = || ReadStoreError::Unavailable(format!("no answer within {deadline:?}"), None);
        tokio::time::timeout(deadline, ask).await.map_err(|_| late())?
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.jobs.take();
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a thread of the read store had panicked");
            }
        }
    }
}

fn interruptible(connection: &Connection, until: Instant) -> rusqlite::Result<()> {
    connection.progress_handler(STEPS_PER_CHECK, Some(move || Instant::now() >= until))
}

fn ended() -> ReadStoreError {
    ReadStoreError::Unavailable("its thread has ended".to_owned(), None)
}

/// What an error of `SQLite` means to a caller.
pub(crate) fn fault(error: rusqlite::Error) -> ReadStoreError {
    if damaged(&error) {
        return ReadStoreError::Damaged(error.to_string(), Some(error.into()));
    }
    let away = matches!(
        error.sqlite_error_code(),
        Some(
            ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::OperationInterrupted
                | ErrorCode::CannotOpen
                | ErrorCode::DiskFull
                | ErrorCode::SystemIoFailure
        )
    );
    if away {
        ReadStoreError::Unavailable(error.to_string(), Some(error.into()))
    } else {
        ReadStoreError::Failed(error.to_string(), Some(error.into()))
    }
}

/// Whether the file holds what `SQLite` never wrote.
pub(super) fn damaged(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error_code();
    matches!(code, Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}

/// A table that is missing: nobody has prepared the file yet. Asking again helps.
pub(crate) fn unprepared(error: ReadStoreError) -> ReadStoreError {
    match error {
        ReadStoreError::Failed(text, source) if text.contains("no such table") => {
            ReadStoreError::Unavailable(text, source)
        }
        other => other,
    }
}
