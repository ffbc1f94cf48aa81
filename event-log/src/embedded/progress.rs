//! How far the log goes, for those who wait for more.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Instant;

use domain::PositionVector;

/// The end of the log as this process last saw it; whoever waits is woken when it moves.
#[derive(Debug, Default)]
pub(super) struct Progress {
    end: Mutex<PositionVector>,
    moved: Condvar,
}

impl Progress {
    pub(super) fn new(end: PositionVector) -> Self {
        Self { end: Mutex::new(end), moved: Condvar::new() }
    }

    pub(super) fn end(&self) -> PositionVector {
        self.end.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Moves the end forward and wakes everybody.
    pub(super) fn publish(&self, end: &PositionVector) {
        self.end.lock().unwrap_or_else(PoisonError::into_inner).merge(end);
        self.moved.notify_all();
    }

    /// Waits until the end is another one than `seen`, or the deadline has passed.
    pub(super) fn wait(&self, seen: &PositionVector, deadline: Instant) {
        let mut end = self.end.lock().unwrap_or_else(PoisonError::into_inner);
        while *end == *seen {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            end = self.moved.wait_timeout(end, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}
