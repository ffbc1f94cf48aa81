//! What a process has under way from a work list, so that one look at the list does not begin what
//! the one before it began already. A hint and nothing more: it may be lost at any time, because
//! whatever is begun twice has the same ids twice.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::future::Future;
use std::hash::Hash;
use std::time::{Duration, Instant};

use tokio::task::{Id, JoinError, JoinSet};

/// How long the failures of an errand that rests no more are remembered.
const REMEMBERED: Duration = Duration::from_secs(60);
/// Between two looks for errands that can be forgotten: each looks at all of them.
const SWEEP: Duration = Duration::from_secs(5);

/// What became of an errand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Came {
    /// Done: the work list will close it.
    Done,
    /// Taken, and to be answered by an event of its own.
    Waits,
    /// Not known, or not possible now: to be tried again.
    Failed,
}

/// Bounds and pauses of errands.
#[derive(Clone, Debug)]
pub struct ErrandSettings {
    /// Errands of one group under way at one time.
    pub in_flight_max: usize,
    /// The first pause after a failure; it doubles with each further one.
    pub retry_first: Duration,
    /// The longest pause after a failure.
    pub retry_max: Duration,
    /// When what was taken, and has not been answered by an event, is begun again.
    pub resend_after: Duration,
}

/// What became of a wish to begin an errand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begun {
    /// It is under way from now on.
    Now,
    /// It is under way already, or rests.
    Before,
    /// As many of its group are under way as may be.
    NoRoom,
}

#[derive(Debug)]
enum State {
    /// On its way.
    Running { failures: u32 },
    /// Not to be looked at before.
    Resting { until: Instant, failures: u32 },
}

/// Errands of this process, by what tells them apart. Those that may have to wait for the same are
/// a group with room of its own, so that they keep nobody else from going. Dropped, it ends those
/// that are under way.
#[derive(Debug)]
pub struct Errands<K> {
    settings: ErrandSettings,
    states: HashMap<K, State>,
    running: JoinSet<Came>,
    /// Which task runs which, and of which group it is.
    tasks: HashMap<Id, (K, u32)>,
    /// How many of each group are under way; those of which none is are not listed.
    groups: HashMap<u32, usize>,
    swept_at: Instant,
}

impl<K: Clone + Eq + Hash + Send + 'static> Errands<K> {
    /// None yet.
    #[must_use]
    pub fn new(settings: ErrandSettings) -> Self {
        Self {
            settings,
            states: HashMap::new(),
            running: JoinSet::new(),
            tasks: HashMap::new(),
            groups: HashMap::new(),
            swept_at: Instant::now(),
        }
    }

    /// In how many groups no more may be begun for now.
    #[must_use]
    pub fn groups_full(&self) -> usize {
        self.groups.values().filter(|running| **running >= self.settings.in_flight_max).count()
    }

    /// How many are under way.
    #[must_use]
    pub fn running(&self) -> usize {
        self.running.len()
    }

    /// Begins the errand unless it is under way, rests, or its group has no room.
    pub fn begin<F>(&mut self, errand: &K, group: u32, run: impl FnOnce() -> F) -> Begun
    where
        F: Future<Output = Came> + Send + 'static,
    {
        if !self.due(errand, Instant::now()) {
            return Begun::Before;
        }
        let running = self.groups.entry(group).or_default();
        if *running >= self.settings.in_flight_max {
            return Begun::NoRoom;
        }
        *running += 1;
        let failures = self.failures(errand);
        self.states.insert(errand.clone(), State::Running { failures });
        let task = self.running.spawn(run());
        self.tasks.insert(task.id(), (errand.clone(), group));
        Begun::Now
    }

    /// Notes what has ended, without waiting for it.
    pub fn reap(&mut self) {
        let now = Instant::now();
        while let Some(ended) = self.running.try_join_next_with_id() {
            self.end(ended, now);
        }
        if now.duration_since(self.swept_at) >= SWEEP {
            self.swept_at = now;
            self.sweep(now);
        }
    }

    /// Waits until nothing is under way; what an errand waits for has to have an end of its own.
    pub async fn drain(&mut self) {
        while let Some(ended) = self.running.join_next_with_id().await {
            self.end(ended, Instant::now());
        }
    }

    fn failures(&self, errand: &K) -> u32 {
        match self.states.get(errand) {
            Some(State::Running { failures } | State::Resting { failures, .. }) => *failures,
            None => 0,
        }
    }

    fn due(&self, errand: &K, now: Instant) -> bool {
        match self.states.get(errand) {
            Some(State::Running { .. }) => false,
            Some(State::Resting { until, .. }) => *until <= now,
            None => true,
        }
    }

    fn end(&mut self, ended: Result<(Id, Came), JoinError>, now: Instant) {
        let (task, came) = match ended {
            Ok(ended) => ended,
            Err(error) => {
                // Tried again like any other failure: nothing that is asked for is dropped.
                tracing::error!(%error, "an errand died; it is run again");
                (error.id(), Came::Failed)
            }
        };
        let Some((errand, group)) = self.tasks.remove(&task) else { return };
        if let Entry::Occupied(mut running) = self.groups.entry(group) {
            *running.get_mut() -= 1;
            if *running.get() == 0 {
                running.remove();
            }
        }
        self.rest(errand, came, now);
    }

    fn rest(&mut self, errand: K, came: Came, now: Instant) {
        let before = self.failures(&errand);
        let settings = &self.settings;
        let (rest, failures) = match came {
            // The list closes it meanwhile; if not, the same again is harmless.
            Came::Done => (settings.retry_max, 0),
            Came::Waits => (settings.resend_after, 0),
            Came::Failed => {
                let doubled = settings.retry_first * 2_u32.saturating_pow(before.min(16));
                (doubled.min(settings.retry_max), before + 1)
            }
        };
        self.states.insert(errand, State::Resting { until: now + rest, failures });
    }

    /// Forgets what rests no more and never failed, and what failed long ago: its entry is gone
    /// from the list, or it is begun anew.
    fn sweep(&mut self, now: Instant) {
        self.states.retain(|_, state| match state {
            State::Running { .. } => true,
            State::Resting { until, failures: 0 } => *until > now,
            State::Resting { until, .. } => *until + REMEMBERED > now,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Duration = Duration::from_secs(1);

    fn errands() -> Errands<u32> {
        Errands::new(ErrandSettings {
            in_flight_max: 1,
            retry_first: FIRST,
            retry_max: FIRST * 3,
            resend_after: FIRST * 10,
        })
    }

    async fn done() -> Came {
        Came::Done
    }

    #[tokio::test]
    async fn what_is_under_way_or_rests_is_not_begun_again() {
        let mut errands = errands();

        let begun = errands.begin(&1, 0, done);
        let twice = errands.begin(&1, 0, done);
        let no_room = errands.begin(&2, 0, done);
        let under_way = errands.running();
        errands.drain().await;
        let resting = errands.begin(&1, 0, done);
        let room = errands.begin(&2, 0, done);

        assert_eq!([begun, twice, no_room], [Begun::Now, Begun::Before, Begun::NoRoom]);
        assert_eq!(under_way, 1);
        assert_eq!([resting, room], [Begun::Before, Begun::Now]);
    }

    #[tokio::test]
    async fn a_group_that_is_full_keeps_no_other_from_going() {
        let mut errands = errands();

        errands.begin(&1, 7, std::future::pending);
        let (same, other) = (errands.begin(&2, 7, done), errands.begin(&3, 8, done));

        assert_eq!([same, other], [Begun::NoRoom, Begun::Now]);
        assert_eq!(errands.groups_full(), 2);
    }

    #[tokio::test]
    async fn what_dies_is_tried_again_after_a_pause() {
        let mut errands = errands();

        errands.begin(&1, 0, || async { panic!("as a defect does") });
        errands.drain().await;

        assert_eq!((errands.running(), errands.failures(&1)), (0, 1));
        assert!(!errands.due(&1, Instant::now()));
        assert!(errands.due(&1, Instant::now() + FIRST));
    }

    #[tokio::test]
    async fn pauses_double_with_each_failure_and_are_bounded() {
        let (mut errands, now) = (errands(), Instant::now());
        let mut pauses = Vec::new();

        for failures in 0..4 {
            errands.states.insert(1, State::Running { failures });
            errands.rest(1, Came::Failed, now);
            let State::Resting { until, .. } = errands.states[&1] else { panic!("it rests") };
            pauses.push(until - now);
        }

        assert_eq!(pauses, [FIRST, FIRST * 2, FIRST * 3, FIRST * 3]);
    }

    #[tokio::test]
    async fn only_what_has_rested_for_long_is_forgotten() {
        let (mut errands, now) = (errands(), Instant::now());
        errands.states.insert(1, State::Running { failures: 0 });
        errands.rest(2, Came::Failed, now);

        errands.rest(3, Came::Done, now);

        errands.sweep(now + FIRST);
        assert_eq!(errands.states.len(), 3);
        errands.sweep(now + FIRST * 3);
        assert!(!errands.states.contains_key(&3), "nothing is lost with it");
        errands.sweep(now + FIRST + REMEMBERED);

        assert!(!errands.due(&1, now), "what runs is never forgotten");
        assert!(errands.due(&2, now));
    }
}
