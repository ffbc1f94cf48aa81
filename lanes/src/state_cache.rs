//! The states that a lane keeps in memory: bounded by count and by about how many bytes they take.
//!
//! Eviction is second chance: a state that was used since the hand last came by stays for another
//! round. It happens between batches only, because a state that a batch has touched is not in the
//! store yet.

use std::collections::{HashMap, VecDeque};

use domain::{Position, State, StreamName, Tenant};
use event_log::StreamHead;

/// Where a stream's last event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// There is none.
    Nowhere,
    /// In the log.
    Log(Position),
    /// In the batch that is being decided, at that index.
    Batch(usize),
}

/// A stream's state and what the next decision needs to know beside it.
#[derive(Debug)]
pub(crate) struct Live {
    /// Absent only while events are being folded into it.
    pub(crate) state: Option<State>,
    pub(crate) head: StreamHead,
    /// Whose it is; of its first event.
    pub(crate) tenant: Option<Tenant>,
    pub(crate) last: Place,
    /// About how much memory it takes.
    pub(crate) bytes: usize,
    pub(crate) events_since_snapshot: u32,
}

/// A stream in memory.
#[derive(Debug)]
pub(crate) enum Cached {
    /// Ready for decisions; boxed, because it is moved when it is loaded and evicted.
    Live(Box<Live>),
    /// It holds what this process cannot read or fold; every command gets that reason.
    Refused(String),
}

impl Cached {
    fn bytes(&self) -> usize {
        const OVERHEAD: usize = 256;
        OVERHEAD
            + match self {
                Self::Live(live) => live.bytes,
                Self::Refused(reason) => reason.len(),
            }
    }
}

#[derive(Debug)]
struct Slot {
    cached: Cached,
    counted_bytes: usize,
    used: bool,
    round: u64,
}

/// States by stream.
#[derive(Debug)]
pub(crate) struct StateCache {
    slots: HashMap<StreamName, Slot>,
    /// Every slot once; an entry of an earlier round of a stream is stale.
    ring: VecDeque<(StreamName, u64)>,
    round: u64,
    bytes: usize,
    states_max: usize,
    bytes_max: usize,
}

impl StateCache {
    pub(crate) fn new(states_max: usize, bytes_max: usize) -> Self {
        Self {
            slots: HashMap::new(),
            ring: VecDeque::new(),
            round: 0,
            bytes: 0,
            states_max,
            bytes_max,
        }
    }

    pub(crate) fn contains(&self, stream: &StreamName) -> bool {
        self.slots.contains_key(stream)
    }

    /// The state, used now.
    pub(crate) fn touch(&mut self, stream: &StreamName) -> Option<&mut Cached> {
        let slot = self.slots.get_mut(stream)?;
        slot.used = true;
        Some(&mut slot.cached)
    }

    pub(crate) fn insert(&mut self, stream: StreamName, cached: Cached) {
        self.remove(&stream);
        self.round += 1;
        let counted_bytes = cached.bytes();
        self.bytes += counted_bytes;
        self.ring.push_back((stream, self.round));
        self.slots.insert(stream, Slot { cached, counted_bytes, used: false, round: self.round });
    }

    pub(crate) fn remove(&mut self, stream: &StreamName) -> Option<Cached> {
        let slot = self.slots.remove(stream)?;
        self.bytes -= slot.counted_bytes;
        Some(slot.cached)
    }

    /// Counts anew what the state takes, after events were folded into it.
    pub(crate) fn recount(&mut self, stream: &StreamName) {
        if let Some(slot) = self.slots.get_mut(stream) {
            let bytes = slot.cached.bytes();
            self.bytes = self.bytes - slot.counted_bytes + bytes;
            slot.counted_bytes = bytes;
        }
    }

    /// Takes out what is too much, longest unused first.
    pub(crate) fn shrink(&mut self, mut evicted: impl FnMut(StreamName, Cached)) {
        while self.slots.len() > self.states_max || self.bytes > self.bytes_max {
            let Some((stream, round)) = self.ring.pop_front() else { return };
            match self.slots.get_mut(&stream) {
                Some(slot) if slot.round == round && slot.used => {
                    slot.used = false;
                    self.ring.push_back((stream, round));
                }
                Some(slot) if slot.round == round => {
                    if let Some(cached) = self.remove(&stream) {
                        evicted(stream, cached);
                    }
                }
                _ => {}
            }
        }
        // Streams that were taken out and loaded again leave stale entries behind.
        if self.ring.len() > 2 * self.slots.len() + 64 {
            let slots = &self.slots;
            self.ring.retain(|(stream, round)| {
                slots.get(stream).is_some_and(|slot| slot.round == *round)
            });
        }
    }

    /// Takes everything out.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = (StreamName, Cached)> + '_ {
        self.ring.clear();
        self.bytes = 0;
        self.slots.drain().map(|(stream, slot)| (stream, slot.cached))
    }
}

#[cfg(test)]
mod tests {
    use domain::Category;
    use uuid::Uuid;

    use super::*;

    fn stream(number: u128) -> StreamName {
        StreamName::new(Category::Itinerary, Uuid::from_u128(number))
    }

    fn refused(bytes: usize) -> Cached {
        Cached::Refused("x".repeat(bytes))
    }

    fn evicted(cache: &mut StateCache) -> Vec<StreamName> {
        let mut gone = Vec::new();
        cache.shrink(|stream, _| gone.push(stream));
        gone
    }

    #[test]
    fn the_longest_unused_state_goes_first() {
        let mut cache = StateCache::new(2, usize::MAX);
        (1..=3).for_each(|number| cache.insert(stream(number), refused(0)));
        cache.touch(&stream(1));

        let gone = evicted(&mut cache);

        assert_eq!(gone, [stream(2)]);
        assert!(cache.contains(&stream(1)) && cache.contains(&stream(3)));
    }

    #[test]
    fn states_that_grow_push_others_out() {
        let mut cache = StateCache::new(10, 2_000);
        cache.insert(stream(1), refused(100));
        cache.insert(stream(2), refused(100));
        assert!(evicted(&mut cache).is_empty());

        let Some(Cached::Refused(text)) = cache.touch(&stream(2)) else { panic!("it is there") };
        text.push_str(&"x".repeat(1_500));
        cache.recount(&stream(2));

        assert_eq!(evicted(&mut cache), [stream(1)]);
    }

    #[test]
    fn a_state_loaded_again_and_again_leaves_nothing_behind() {
        let mut cache = StateCache::new(10, usize::MAX);

        for _ in 0..1_000 {
            cache.insert(stream(1), refused(10));
            cache.remove(&stream(1));
            cache.shrink(|_, _| {});
        }

        assert_eq!(cache.bytes, 0);
        assert!(cache.ring.len() <= 65, "{}", cache.ring.len());
    }
}
