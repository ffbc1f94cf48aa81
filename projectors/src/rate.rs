//! How many events a second, over the last seconds.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Over how long the rate is taken.
const WINDOW: Duration = Duration::from_secs(10);
/// Counts closer together than this are taken as one.
const GRAIN: Duration = Duration::from_millis(100);

/// Counts events and forgets them after the window.
#[derive(Debug)]
pub(crate) struct Rate {
    since: Instant,
    counts: VecDeque<(Instant, u64)>,
    pub(crate) total: u64,
}

impl Rate {
    pub(crate) fn new(now: Instant) -> Self {
        Self { since: now, counts: VecDeque::new(), total: 0 }
    }

    pub(crate) fn count(&mut self, events: u64, now: Instant) {
        self.total += events;
        match self.counts.back_mut() {
            Some((at, count)) if now.duration_since(*at) < GRAIN => *count += events,
            _ => self.counts.push_back((now, events)),
        }
        self.forget(now);
    }

    /// Events a second over the window, or since the beginning when that was later.
    pub(crate) fn per_second(&mut self, now: Instant) -> f64 {
        self.forget(now);
        let events: u64 = self.counts.iter().map(|(_, count)| count).sum();
        let span = now.duration_since(self.since).min(WINDOW).max(GRAIN);
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        let events = events as f64;
        events / span.as_secs_f64()
    }

    fn forget(&mut self, now: Instant) {
        while self.counts.front().is_some_and(|(at, _)| now.duration_since(*at) > WINDOW) {
            self.counts.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_that_of_the_last_ten_seconds() {
        let start = Instant::now();
        let mut rate = Rate::new(start);

        rate.count(1_000, start);
        rate.count(100, start + Duration::from_secs(5));
        let early = rate.per_second(start + Duration::from_secs(5));
        let late = rate.per_second(start + Duration::from_secs(14));

        assert!((early - 220.0).abs() < 0.1, "{early}");
        assert!((late - 10.0).abs() < 0.1, "{late}");
        assert_eq!(rate.total, 1_100);
    }
}
