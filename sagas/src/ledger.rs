//! What this process has under way, so that one look at the work list does not send what the one
//! before it sent already. A hint and nothing more: it may be lost at any time.

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// One thing to do: an entry of the work list, for one attempt.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Errand {
    pub(crate) target: String,
    pub(crate) effect: String,
    pub(crate) attempt: u32,
    /// Telling the saga, rather than sending its command.
    pub(crate) records: bool,
}

#[derive(Debug)]
enum State {
    /// On its way.
    Running,
    /// Not to be looked at before.
    Resting { until: Instant, failures: u32 },
}

/// Errands of this process.
#[derive(Debug, Default)]
pub(crate) struct Ledger(HashMap<Errand, State>);

impl Ledger {
    /// Whether the errand may be run now; it counts as running then.
    pub(crate) fn begin(&mut self, errand: &Errand, now: Instant) -> bool {
        match self.0.get(errand) {
            Some(State::Running) => false,
            Some(State::Resting { until, .. }) if *until > now => false,
            Some(State::Resting { .. }) | None => true,
        }
    }

    /// Marks it as running; gives how often it has failed in a row.
    pub(crate) fn run(&mut self, errand: Errand) -> u32 {
        match self.0.insert(errand, State::Running) {
            Some(State::Resting { failures, .. }) => failures,
            Some(State::Running) | None => 0,
        }
    }

    /// It is over for now, and not to be repeated before.
    pub(crate) fn rest(&mut self, errand: Errand, until: Instant, failures: u32) {
        self.0.insert(errand, State::Resting { until, failures });
    }

    /// Forgets what has rested for long: its entry is gone, or it is begun anew.
    pub(crate) fn sweep(&mut self, now: Instant, after: Duration) {
        self.0.retain(|_, state| match state {
            State::Running => true,
            State::Resting { until, .. } => *until + after > now,
        });
    }

    pub(crate) fn running(&self) -> usize {
        self.0.values().filter(|state| matches!(state, State::Running)).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errand(attempt: u32) -> Errand {
        let (target, effect) = ("offer-1".to_owned(), "hold:1".to_owned());
        Errand { target, effect, attempt, records: false }
    }

    #[test]
    fn what_is_under_way_or_rests_is_not_begun_again() {
        let (mut ledger, now) = (Ledger::default(), Instant::now());
        let second = Duration::from_secs(1);

        assert!(ledger.begin(&errand(1), now));
        assert_eq!(ledger.run(errand(1)), 0);
        assert!(!ledger.begin(&errand(1), now));
        assert!(ledger.begin(&errand(2), now), "another attempt is another errand");

        ledger.rest(errand(1), now + second, 1);
        assert!(!ledger.begin(&errand(1), now));
        assert!(ledger.begin(&errand(1), now + second));
        assert_eq!(ledger.run(errand(1)), 1);
        assert_eq!(ledger.running(), 1);
    }

    #[test]
    fn only_what_has_rested_for_long_is_forgotten() {
        let (mut ledger, now) = (Ledger::default(), Instant::now());
        let second = Duration::from_secs(1);
        ledger.run(errand(1));
        ledger.rest(errand(2), now, 3);

        ledger.sweep(now + second, second * 2);
        assert_eq!(ledger.run(errand(2)), 3);
        ledger.rest(errand(2), now, 4);
        ledger.sweep(now + second * 3, second * 2);

        assert_eq!(ledger.run(errand(2)), 0);
        assert!(!ledger.begin(&errand(1), now), "what runs is never forgotten");
    }
}
