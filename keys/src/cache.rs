//! Keys that were just used, for a short while.
//!
//! Bounded in number, and each entry in time, counted from before the store was asked: what another
//! process destroys is seen here within that life. What this process destroys is seen at once: it
//! is taken out, and whoever was asking the store meanwhile keeps nothing of the answer.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use domain::ids::PersonId;

use crate::key::Holding;

/// The entries, oldest first in `order`. All live equally long, so that the oldest is the first to
/// end.
pub(crate) struct Cache {
    keys_max: usize,
    life: Duration,
    entries: HashMap<PersonId, (Instant, Holding)>,
    order: VecDeque<(Instant, PersonId)>,
    /// Rises with everything that is taken out on purpose.
    removals: u64,
}

/// Taken before the store is asked.
#[derive(Clone, Copy)]
pub(crate) struct Ticket {
    taken_at: Instant,
    removals: u64,
}

impl Cache {
    pub(crate) fn new(keys_max: usize, life: Duration) -> Self {
        let (entries, order) = (HashMap::new(), VecDeque::new());
        Self { keys_max, life, entries, order, removals: 0 }
    }

    /// What is known of the person and still counts.
    pub(crate) fn look(&mut self, person: PersonId, now: Instant) -> Option<Holding> {
        while self.order.front().is_some_and(|(at, _)| self.ended(*at, now)) {
            self.drop_oldest();
        }
        let entry = self.entries.get(&person).filter(|(at, _)| !self.ended(*at, now));
        entry.map(|(_, holding)| holding.clone())
    }

    pub(crate) const fn ticket(&self, now: Instant) -> Ticket {
        Ticket { taken_at: now, removals: self.removals }
    }

    /// Keeps what the store answered, unless something was taken out since it was asked.
    pub(crate) fn keep(&mut self, ticket: Ticket, person: PersonId, holding: Holding) {
        if ticket.removals != self.removals || self.keys_max == 0 {
            return;
        }
        while self.order.len() >= self.keys_max {
            self.drop_oldest();
        }
        self.entries.insert(person, (ticket.taken_at, holding));
        // A slow answer may be older than the one before it: `look` asks each entry for its age.
        self.order.push_back((ticket.taken_at, person));
    }

    /// Takes the person out.
    pub(crate) fn remove(&mut self, person: PersonId) {
        self.removals += 1;
        self.entries.remove(&person);
    }

    fn ended(&self, at: Instant, now: Instant) -> bool {
        now.saturating_duration_since(at) >= self.life
    }

    fn drop_oldest(&mut self) {
        let Some((at, person)) = self.order.pop_front() else { return };
        // A younger entry of the same person stays.
        if self.entries.get(&person).is_some_and(|(entered, _)| *entered == at) {
            self.entries.remove(&person);
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const LIFE: Duration = Duration::from_secs(5);

    fn person(number: u128) -> PersonId {
        PersonId(Uuid::from_u128(number))
    }

    fn knows(cache: &mut Cache, number: u128, now: Instant) -> bool {
        cache.look(person(number), now).is_some()
    }

    #[test]
    fn an_entry_ends_with_its_life_counted_from_before_the_store_was_asked() {
        let (mut cache, asked) = (Cache::new(10, LIFE), Instant::now());
        let ticket = cache.ticket(asked);
        cache.keep(ticket, person(1), Holding::Forgotten);

        assert!(knows(&mut cache, 1, asked + LIFE / 2));
        assert!(!knows(&mut cache, 1, asked + LIFE));
        assert!(cache.entries.is_empty() && cache.order.is_empty());
    }

    #[test]
    fn a_slow_answer_behind_a_fresh_one_ends_with_its_own_life() {
        let (mut cache, start) = (Cache::new(10, LIFE), Instant::now());
        let (slow, fresh) = (cache.ticket(start), cache.ticket(start + LIFE / 2));
        cache.keep(fresh, person(1), Holding::Forgotten);
        cache.keep(slow, person(2), Holding::Forgotten);

        assert!(knows(&mut cache, 1, start + LIFE) && !knows(&mut cache, 2, start + LIFE));
    }

    #[test]
    fn there_are_never_more_entries_than_the_bound() {
        let (mut cache, now) = (Cache::new(3, LIFE), Instant::now());

        for number in 0..100 {
            let ticket = cache.ticket(now);
            cache.keep(ticket, person(number % 7), Holding::Forgotten);
            assert!(cache.entries.len() <= 3 && cache.order.len() <= 3);
        }

        assert!(knows(&mut cache, 99 % 7, now), "the newest is there");
    }

    #[test]
    fn what_was_taken_out_while_the_store_was_asked_does_not_come_back() {
        let (mut cache, now) = (Cache::new(10, LIFE), Instant::now());
        let asked_before = cache.ticket(now);

        cache.remove(person(1));
        cache.keep(asked_before, person(1), Holding::Forgotten);

        assert!(!knows(&mut cache, 1, now));
        let asked_after = cache.ticket(now);
        cache.keep(asked_after, person(1), Holding::Forgotten);
        assert!(knows(&mut cache, 1, now));
    }
}
