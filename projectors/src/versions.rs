//! The last version seen of each stream, for a bounded number of streams.
//!
//! A partition's dense sequence already proves that nothing of it is missing, and a stream lives in
//! one partition. The version is a second witness, checked for projections whose rows belong to one
//! stream, as far as the process remembers: a stream that it has not seen lately is taken as it is.

use std::collections::{BTreeMap, HashMap};

use domain::StreamName;

/// Remembers at least `max` streams and at most twice as many; those not seen longest are
/// forgotten.
#[derive(Debug)]
pub(crate) struct Versions {
    max: usize,
    young: HashMap<StreamName, u64>,
    old: HashMap<StreamName, u64>,
}

impl Versions {
    pub(crate) fn new(max: usize) -> Self {
        Self { max: max.max(1), young: HashMap::new(), old: HashMap::new() }
    }

    /// The last version seen.
    pub(crate) fn last(&self, stream: &StreamName) -> Option<u64> {
        self.young.get(stream).or_else(|| self.old.get(stream)).copied()
    }

    pub(crate) fn remember(&mut self, seen: BTreeMap<StreamName, u64>) {
        for (stream, version) in seen {
            if self.young.len() >= self.max {
                self.old = std::mem::take(&mut self.young);
            }
            self.young.insert(stream, version);
        }
    }

    /// Forgets everything: what comes next may not follow what was seen.
    pub(crate) fn forget(&mut self) {
        self.young.clear();
        self.old.clear();
    }
}

#[cfg(test)]
mod tests {
    use domain::Category;
    use uuid::Uuid;

    use super::*;

    fn stream(id: u128) -> StreamName {
        StreamName::new(Category::Itinerary, Uuid::from_u128(id))
    }

    #[test]
    fn the_streams_seen_last_are_remembered_within_the_bound() {
        let mut versions = Versions::new(2);

        for id in 1..=5 {
            versions.remember(BTreeMap::from([(stream(id), 7)]));
        }

        assert_eq!(versions.last(&stream(5)), Some(7));
        assert_eq!(versions.last(&stream(4)), Some(7));
        assert_eq!(versions.last(&stream(1)), None);
        assert!(versions.young.len() + versions.old.len() <= 4);
    }
}
