//! How a lane's thread is told to stop, and how it tells where it is.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::readiness::{LanePhase, LaneStatus};

/// How much haste a lane's end has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stop {
    /// Go on.
    No = 0,
    /// Finish the running batch.
    AfterBatch = 1,
    /// Somebody else may own the shard already: begin no commit.
    AtOnce = 2,
}

/// Shared by a lane's thread and everybody who deals with it; nothing in it is locked per command.
#[derive(Debug)]
pub(crate) struct Control {
    stop: AtomicU8,
    accepting: AtomicBool,
    status: Mutex<LaneStatus>,
    stopped: Condvar,
}

impl Control {
    pub(crate) fn new(status: LaneStatus) -> Self {
        Self {
            stop: AtomicU8::new(Stop::No as u8),
            accepting: AtomicBool::new(true),
            status: Mutex::new(status),
            stopped: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, LaneStatus> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the lane to end; haste is never taken back.
    pub(crate) fn stop(&self, how: Stop) {
        self.stop.fetch_max(how as u8, Ordering::AcqRel);
        // Under the lock, or a lane that is about to pause would miss it.
        drop(self.lock());
        self.stopped.notify_all();
    }

    pub(crate) fn stopping(&self) -> Stop {
        match self.stop.load(Ordering::Acquire) {
            0 => Stop::No,
            1 => Stop::AfterBatch,
            _ => Stop::AtOnce,
        }
    }

    /// Waits until it is to stop; at most that long.
    pub(crate) fn pause(&self, most: Duration) {
        let until = Instant::now() + most;
        let mut status = self.lock();
        while self.stopping() == Stop::No {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let woken = self.stopped.wait_timeout(status, left);
            status = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Whether commands should be sent to this lane.
    pub(crate) fn accepting(&self) -> bool {
        self.accepting.load(Ordering::Acquire) && self.stopping() == Stop::No
    }

    /// Commands should be sent here again, or no longer; a stopping lane takes none.
    pub(crate) fn accept(&self, commands: bool) {
        self.accepting.store(commands, Ordering::Release);
    }

    pub(crate) fn status(&self) -> LaneStatus {
        self.lock().clone()
    }

    pub(crate) fn enter(&self, phase: LanePhase) {
        self.lock().phase = phase;
    }

    /// Commands are decided from now on.
    pub(crate) fn serve(&self, epoch: i64) {
        let mut status = self.lock();
        status.phase = LanePhase::Serving;
        status.epoch = Some(epoch);
        status.trouble = None;
    }

    /// Why the last attempt failed.
    pub(crate) fn explain(&self, trouble: String) {
        self.lock().trouble = Some(trouble);
    }
}
