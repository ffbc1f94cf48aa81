//! How often evidence is recorded of what may come in any number: the first at once, the next after
//! a pause. What comes in between is counted, and told with the next.

use std::time::Duration;

use tokio::time::Instant;

/// When the next record may be made, and of how many.
pub(crate) struct Pace {
    pause: Duration,
    pause_max: Duration,
    next_at: Option<Instant>,
    counted: u64,
}

impl Pace {
    /// One at once; between two at least the pause, which doubles with each record up to the
    /// longest.
    pub(crate) const fn new(pause: Duration, pause_max: Duration) -> Self {
        Self { pause, pause_max, next_at: None, counted: 0 }
    }

    /// One more came.
    pub(crate) const fn count(&mut self) {
        self.counted += 1;
    }

    /// How many came that no record tells of.
    pub(crate) const fn counted(&self) -> u64 {
        self.counted
    }

    /// Of how many a record is to be made now; none when none came, or before the pause is over.
    pub(crate) fn take(&mut self, now: Instant) -> Option<u64> {
        if self.counted == 0 || self.next_at.is_some_and(|next_at| now < next_at) {
            return None;
        }
        self.next_at = Some(now + self.pause);
        self.pause = self.pause_max.min(self.pause * 2);
        Some(std::mem::take(&mut self.counted))
    }

    /// The record of so many was not made.
    pub(crate) const fn give_back(&mut self, count: u64) {
        self.counted += count;
    }

    /// What was counted may be told at once.
    pub(crate) const fn hurry(&mut self) {
        self.next_at = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn pace(pause_max: Duration) -> impl FnMut(u64) -> Option<u64> {
        let (mut pace, began) = (Pace::new(SECOND, pause_max), Instant::now());
        move |millis| {
            pace.count();
            pace.take(began + Duration::from_millis(millis))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_a_pause_is_recorded_and_tells_of_the_others() {
        let mut came = pace(SECOND);

        assert_eq!([0, 1, 999].map(&mut came), [Some(1), None, None]);
        assert_eq!([1000, 1999, 2000].map(&mut came), [Some(3), None, Some(2)]);
        assert_eq!([9000].map(&mut came), [Some(1)]);
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_double_up_to_the_longest() {
        let mut came = pace(4 * SECOND);

        assert_eq!([0, 1000, 2999].map(&mut came), [Some(1), Some(1), None]);
        assert_eq!([3000, 6999, 7000].map(&mut came), [Some(2), None, Some(2)]);
        assert_eq!([10_999, 11_000].map(&mut came), [None, Some(2)]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_not_recorded_is_told_with_the_next() {
        let (mut pace, now) = (Pace::new(SECOND, SECOND), Instant::now());
        pace.count();

        let first = pace.take(now).unwrap();
        pace.give_back(first);
        pace.count();
        let before = pace.take(now);
        pace.hurry();

        assert_eq!((before, pace.take(now)), (None, Some(2)));
        pace.hurry();
        assert_eq!(pace.take(now), None, "there is nothing to tell");
    }
}
