//! Outcomes of the last commands, so that a quick repeat needs no look-up in the store.

use std::collections::{HashMap, VecDeque};

use domain::StreamName;
use domain::ids::CommandId;
use event_log::StoredOutcome;

type Key = (StreamName, CommandId);

/// The newest outcomes, bounded; the oldest are forgotten first.
#[derive(Debug)]
pub(crate) struct RecentOutcomes {
    outcomes: HashMap<Key, StoredOutcome>,
    order: VecDeque<Key>,
    max: usize,
}

impl RecentOutcomes {
    pub(crate) fn new(max: usize) -> Self {
        Self { outcomes: HashMap::new(), order: VecDeque::new(), max }
    }

    pub(crate) fn find(&self, stream: StreamName, command: CommandId) -> Option<&StoredOutcome> {
        self.outcomes.get(&(stream, command))
    }

    /// Keeps an outcome; a command has one only.
    pub(crate) fn keep(&mut self, stream: StreamName, command: CommandId, outcome: StoredOutcome) {
        if self.outcomes.insert((stream, command), outcome).is_none() {
            self.order.push_back((stream, command));
        }
        while self.order.len() > self.max
            && let Some(oldest) = self.order.pop_front()
        {
            self.outcomes.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::{Category, Digest, Position};
    use uuid::Uuid;

    use super::*;

    #[test]
    fn the_oldest_outcome_is_forgotten_first() {
        let stream = StreamName::new(Category::Itinerary, Uuid::from_u128(1));
        let command = |number| CommandId(Uuid::from_u128(number));
        let mut recent = RecentOutcomes::new(2);

        for version in 1..=3u64 {
            let position = Position { partition: 0, offset: 0 };
            let outcome = StoredOutcome { fingerprint: Digest::default(), version, position };
            recent.keep(stream, command(version.into()), outcome);
        }

        assert_eq!(recent.find(stream, command(1)), None);
        assert_eq!(recent.find(stream, command(3)).map(|outcome| outcome.version), Some(3));
        assert_eq!(recent.outcomes.len(), 2);
    }
}
