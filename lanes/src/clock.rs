//! The lane's sense of time: the wall clock, and how far it may be trusted.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use domain::Timestamp;
use event_log::EventLog;

/// A source of wall-clock time; tests bring their own.
pub trait WallClock: Send + Sync + 'static {
    /// The present instant.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl WallClock for SystemClock {
    fn now(&self) -> Timestamp {
        // A clock before 1970 is as wrong as one can be: the skew check stops the lanes.
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }
}

/// The last measured difference between this machine's clock and the log's, in microseconds.
#[derive(Debug, Default)]
pub(crate) struct ClockSkew(AtomicI64);

impl ClockSkew {
    pub(crate) fn micros(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Asks the log. A log that does not answer leaves the last measurement standing.
    pub(crate) fn measure(&self, log: &dyn EventLog) {
        match log.clock_skew_micros() {
            Ok(micros) => self.0.store(micros, Ordering::Relaxed),
            Err(error) => {
                tracing::debug!(code = error.code(), %error, "the clock skew was not measured");
            }
        }
    }

    /// Why nothing may be served, when the clocks are too far apart.
    pub(crate) fn excess(&self, max: Duration) -> Option<String> {
        let micros = self.micros();
        let max = u64::try_from(max.as_micros()).unwrap_or(u64::MAX);
        (micros.unsigned_abs() > max)
            .then(|| format!("the clock is {} ms away from the log's", micros / 1000))
    }
}

/// Measures the skew now and then, on a thread of its own: the measurement may block.
pub(crate) struct ClockWatch {
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl ClockWatch {
    pub(crate) fn start(
        log: Arc<dyn EventLog>,
        skew: Arc<ClockSkew>,
        every: Duration,
    ) -> std::io::Result<Self> {
        let (stop, stopped) = mpsc::channel();
        let thread =
            std::thread::Builder::new().name("lane-clock".to_owned()).spawn(move || {
                while stopped.recv_timeout(every) == Err(mpsc::RecvTimeoutError::Timeout) {
                    skew.measure(&*log);
                }
            })?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for ClockWatch {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the lanes' clock watch panicked");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_trusted_up_to_the_bound_in_both_directions() {
        let skew = ClockSkew::default();
        let max = Duration::from_secs(5);

        for (micros, trusted) in [
            (0, true),
            (5_000_000, true),
            (-5_000_000, true),
            (5_000_001, false),
            (-5_000_001, false),
        ] {
            skew.0.store(micros, Ordering::Relaxed);

            assert_eq!(skew.excess(max).is_none(), trusted, "{micros}");
        }
    }
}
