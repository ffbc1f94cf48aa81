//! Stopping in good order: stop the intake, drain what is in flight, close what it used.
//!
//! Every long-running task belongs to a [`Phase`] and stops when that phase's token is cancelled;
//! a phase begins when all tasks of the one before have ended. One deadline spans them all. A
//! second signal, like the deadline, cuts: [`Shutdown::run`] returns at once and says what was
//! left, and the process should exit.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::{Stream, StreamExt as _};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

/// The order in which things stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// What takes in work: listeners, consumers, timers.
    Intake,
    /// What finishes work: lanes, projectors.
    Drain,
    /// What the others stand on: producers, pools, files.
    Close,
}

impl Phase {
    const ALL: [Self; 3] = [Self::Intake, Self::Drain, Self::Close];
}

/// The reason of a shutdown that was asked for from inside ([`Shutdown::request`]).
pub const REQUESTED: &str = "request";

/// How the process stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stopped {
    /// What asked for it, as in `SIGTERM`.
    pub reason: &'static str,
    /// The tasks that had not ended, by name; empty after a stop in good order.
    pub left: Vec<&'static str>,
}

/// Waits for SIGTERM or SIGINT, and names it.
///
/// # Errors
/// When the signals cannot be listened to.
pub async fn signalled() -> io::Result<&'static str> {
    let mut signals = signals()?;
    Ok(signals.next().await.expect("signals do not end"))
}

fn signals() -> io::Result<impl Stream<Item = &'static str> + Unpin> {
    let terminate = named(signal(SignalKind::terminate())?, "SIGTERM");
    let interrupt = named(signal(SignalKind::interrupt())?, "SIGINT");
    Ok(Box::pin(futures::stream::select(terminate, interrupt)))
}

/// Shared by everything that has to stop. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Shutdown(Arc<Plan>);

#[derive(Debug)]
struct Plan {
    deadline: Duration,
    requested: CancellationToken,
    phases: [(CancellationToken, TaskTracker); 3],
    running: Mutex<BTreeMap<u64, &'static str>>,
    next_id: AtomicU64,
}

impl Shutdown {
    /// Nothing may take longer than `deadline` to stop, all phases together.
    #[must_use]
    pub fn new(deadline: Duration) -> Self {
        Self(Arc::new(Plan {
            deadline,
            requested: CancellationToken::new(),
            phases: std::array::from_fn(|_| (CancellationToken::new(), TaskTracker::new())),
            running: Mutex::default(),
            next_id: AtomicU64::new(0),
        }))
    }

    /// Cancelled when `phase` begins.
    #[must_use]
    pub fn token(&self, phase: Phase) -> CancellationToken {
        self.0.phases[phase as usize].0.child_token()
    }

    /// Runs a task that stops with `phase`: it is given the phase's token. The next phase waits
    /// for it.
    pub fn spawn<F>(
        &self,
        phase: Phase,
        name: &'static str,
        task: impl FnOnce(CancellationToken) -> F,
    ) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let id = self.0.next_id.fetch_add(1, Ordering::Relaxed);
        self.0.running().insert(id, name);
        // Dropped with the task even when it panics or is aborted.
        let entry = Entry { plan: Arc::clone(&self.0), id };
        let task = task(self.token(phase));
        self.0.phases[phase as usize].1.spawn(async move {
            let _entry = entry;
            task.await
        })
    }

    /// Asks for the shutdown from inside, as when a vital task has failed.
    pub fn request(&self) {
        self.0.requested.cancel();
    }

    /// Asks for the shutdown when it is dropped: held by a task without which the process is of no
    /// use, however that task ends.
    #[must_use]
    pub fn on_drop(&self) -> DropGuard {
        self.0.requested.clone().drop_guard()
    }

    /// Waits for SIGTERM, SIGINT or [`Self::request`], then stops everything.
    ///
    /// # Errors
    /// When the signals cannot be listened to; nothing is stopped then.
    pub async fn run(&self) -> io::Result<Stopped> {
        Ok(self.run_on(signals()?).await)
    }

    async fn run_on(&self, signals: impl Stream<Item = &'static str>) -> Stopped {
        let mut signals = std::pin::pin!(signals);
        let reason = tokio::select! {
            () = self.0.requested.cancelled() => REQUESTED,
            Some(signal) = signals.next() => signal,
        };
        tracing::info!(reason, "stopping");
        let deadline = Instant::now() + self.0.deadline;
        tokio::select! {
            ended = timeout_at(deadline, self.phases()) => if ended.is_err() {
                tracing::error!(left = ?self.left(), "not everything stopped in time");
            },
            Some(signal) = signals.next() => {
                tracing::warn!(signal, left = ?self.left(), "asked twice, stopping at once");
            }
        }
        Stopped { reason, left: self.left() }
    }

    async fn phases(&self) {
        for phase in Phase::ALL {
            let (token, tasks) = &self.0.phases[phase as usize];
            token.cancel();
            tasks.close();
            tasks.wait().await;
            tracing::debug!(?phase, "stopped");
        }
    }

    fn left(&self) -> Vec<&'static str> {
        self.0.running().values().copied().collect()
    }
}

fn named(signal: Signal, name: &'static str) -> impl Stream<Item = &'static str> {
    futures::stream::unfold(signal, move |mut signal| async move {
        signal.recv().await.map(|()| (name, signal))
    })
    .boxed()
}

impl Plan {
    fn running(&self) -> MutexGuard<'_, BTreeMap<u64, &'static str>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Entry {
    plan: Arc<Plan>,
    id: u64,
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.plan.running().remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use futures::stream;

    use super::*;

    const FOREVER: Duration = Duration::from_secs(3600);

    fn recorder() -> (Arc<Mutex<Vec<&'static str>>>, impl Fn(&'static str) + Clone) {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let record = {
            let seen = Arc::clone(&seen);
            move |name| seen.lock().unwrap().push(name)
        };
        (seen, record)
    }

    #[tokio::test]
    async fn each_phase_waits_for_the_one_before() {
        let shutdown = Shutdown::new(FOREVER);
        let (seen, record) = recorder();
        for (phase, name) in
            [(Phase::Close, "store"), (Phase::Drain, "lane"), (Phase::Intake, "listener")]
        {
            let record = record.clone();
            shutdown.spawn(phase, name, |token| async move {
                token.cancelled().await;
                tokio::task::yield_now().await;
                record(name);
            });
        }

        let stopped = shutdown.run_on(stream::iter(["SIGTERM"]).chain(stream::pending())).await;

        assert_eq!(stopped, Stopped { reason: "SIGTERM", left: vec![] });
        assert_eq!(*seen.lock().unwrap(), ["listener", "lane", "store"]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_does_not_stop_in_time_is_named() {
        let shutdown = Shutdown::new(Duration::from_secs(10));
        shutdown.spawn(Phase::Intake, "listener", |token| async move { token.cancelled().await });
        shutdown.spawn(Phase::Drain, "stubborn lane", |_| std::future::pending::<()>());
        shutdown.request();
        let before = Instant::now();

        let stopped = shutdown.run_on(stream::pending()).await;

        assert_eq!(stopped, Stopped { reason: "request", left: vec!["stubborn lane"] });
        assert_eq!(before.elapsed().as_secs(), 10);
        assert!(!shutdown.token(Phase::Close).is_cancelled());
    }

    #[tokio::test]
    async fn a_second_signal_cuts() {
        let shutdown = Shutdown::new(FOREVER);
        shutdown.spawn(Phase::Intake, "stubborn listener", |_| std::future::pending::<()>());

        let stopped = shutdown.run_on(stream::iter(["SIGINT", "SIGINT"])).await;

        assert_eq!(stopped.left, ["stubborn listener"]);
    }

    #[tokio::test]
    async fn a_task_that_panicked_holds_nothing_up() {
        let shutdown = Shutdown::new(FOREVER);
        let task = shutdown.spawn(Phase::Intake, "clumsy", |_| async { panic!("on purpose") });
        assert!(task.await.unwrap_err().is_panic());
        shutdown.request();

        let stopped = shutdown.run_on(stream::pending()).await;

        assert_eq!(stopped.left, Vec::<&str>::new());
    }
}
