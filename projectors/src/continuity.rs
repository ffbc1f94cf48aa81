//! Whether a partition is whole: its sequence is dense and its epoch never goes back.
//!
//! The log promises both; a break means that acknowledged events are missing, doubled, or written
//! by an owner that had been replaced. A break stops the partition until an operator accepts it by
//! name: the record at which it broke is then taken as it is. What was accepted is remembered, so
//! that a rebuild passes the same places. The state is kept as text beside the position vector.

use std::collections::BTreeMap;
use std::fmt;

use domain::Position;
use serde::{Deserialize, Serialize};

/// How many accepted breaks are remembered per partition; the oldest are forgotten.
const ACCEPTED_MAX: usize = 100;

/// The continuity of all partitions, with the revision of changes that move no vector.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Continuity {
    /// Raised by every change at a standing vector, so that such changes exclude each other.
    #[serde(rename = "r", default)]
    revision: u64,
    #[serde(rename = "p", default)]
    partitions: BTreeMap<u32, PartitionContinuity>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct PartitionContinuity {
    /// Of the last event; 0 for none.
    #[serde(rename = "s", default)]
    sequence: u64,
    /// The highest seen; -1 for none.
    #[serde(rename = "e", default = "no_epoch")]
    epoch: i64,
    /// Records since the last event whose sequence could not be read.
    #[serde(rename = "u", default, skip_serializing_if = "none")]
    unread: u64,
    #[serde(rename = "b", default, skip_serializing_if = "Option::is_none")]
    broken: Option<Break>,
    /// Offsets at which a break was accepted, ascending.
    #[serde(rename = "a", default, skip_serializing_if = "Vec::is_empty")]
    accepted: Vec<i64>,
}

const fn no_epoch() -> i64 {
    -1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the serializer passes references")]
const fn none(count: &u64) -> bool {
    *count == 0
}

impl Default for PartitionContinuity {
    fn default() -> Self {
        Self { sequence: 0, epoch: -1, unread: 0, broken: None, accepted: Vec::new() }
    }
}

/// Where and how a partition is not whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Break {
    /// The first record that does not follow.
    pub position: Position,
    /// What does not follow.
    pub kind: BreakKind,
}

/// What is wrong with a record's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BreakKind {
    /// The sequence jumps or repeats.
    Sequence {
        /// The sequence that should have come.
        expected: u64,
        /// The sequence that came.
        found: u64,
    },
    /// The epoch goes back: an owner wrote after it had been replaced.
    Epoch {
        /// The highest epoch before.
        last: i64,
        /// The epoch that came.
        found: i64,
    },
}

impl fmt::Display for Break {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let position = self.position;
        match self.kind {
            BreakKind::Sequence { expected, found } => {
                write!(f, "at {position} the sequence is {found} and should be {expected}")
            }
            BreakKind::Epoch { last, found } => {
                write!(f, "at {position} the epoch goes back from {last} to {found}")
            }
        }
    }
}

/// What a record says of its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Event {
        sequence: u64,
        epoch: i64,
    },
    Opened {
        epoch: i64,
    },
    /// Its headers could not be read: it may or may not have had a sequence.
    Unreadable,
}

/// The text beside a vector is not a continuity of ours.
#[derive(Debug, thiserror::Error)]
#[error("the stored continuity cannot be read")]
pub(crate) struct InvalidContinuity(#[from] serde_json::Error);

impl Continuity {
    /// From what is stored; the empty text is a new generation's.
    pub(crate) fn parse(text: &str) -> Result<Self, InvalidContinuity> {
        if text.is_empty() { Ok(Self::default()) } else { Ok(serde_json::from_str(text)?) }
    }

    pub(crate) fn to_text(&self) -> String {
        serde_json::to_string(self).expect("numbers and names always serialize")
    }

    /// Takes the record in if it follows, or if that it does not was accepted: then, true.
    pub(crate) fn follow(&mut self, position: Position, place: Place) -> Result<bool, Break> {
        let partition = self.partitions.entry(position.partition).or_default();
        let accepted = partition.accepted.contains(&position.offset);
        if !accepted {
            partition.check(place).map_err(|kind| Break { position, kind })?;
        }
        partition.take(place);
        Ok(accepted)
    }

    /// Stops the partition at the break.
    pub(crate) fn stop(&mut self, broken: Break) {
        let partition = self.partitions.entry(broken.position.partition).or_default();
        partition.broken = Some(broken);
    }

    /// The break that stopped the partition.
    pub(crate) fn broken(&self, partition: u32) -> Option<&Break> {
        self.partitions.get(&partition)?.broken.as_ref()
    }

    /// All partitions that are stopped.
    pub(crate) fn breaks(&self) -> impl Iterator<Item = &Break> {
        self.partitions.values().filter_map(|partition| partition.broken.as_ref())
    }

    /// Goes on at the record where the partition stopped. Nothing to accept: nothing.
    pub(crate) fn accept(&mut self, partition: u32) -> Option<Break> {
        let state = self.partitions.get_mut(&partition)?;
        let accepted = state.broken.take()?;
        state.remember(accepted.position.offset);
        self.revision += 1;
        Some(accepted)
    }

    /// Takes over what was accepted for another generation. Whether anything was new.
    pub(crate) fn accept_as(&mut self, other: &Self) -> bool {
        let before = self.clone();
        for (&partition, state) in &other.partitions {
            for &offset in &state.accepted {
                let own = self.partitions.entry(partition).or_default();
                own.remember(offset);
                own.broken.take_if(|broken| broken.position.offset == offset);
            }
        }
        self.partitions.retain(|_, state| *state != PartitionContinuity::default());
        *self != before
    }

    /// Another text at the same vector.
    pub(crate) fn revise(&mut self) {
        self.revision += 1;
    }
}

impl PartitionContinuity {
    fn check(&self, place: Place) -> Result<(), BreakKind> {
        let (Place::Event { epoch, .. } | Place::Opened { epoch }) = place else { return Ok(()) };
        if epoch < self.epoch {
            return Err(BreakKind::Epoch { last: self.epoch, found: epoch });
        }
        let Place::Event { sequence: found, .. } = place else { return Ok(()) };
        let expected = self.sequence + 1;
        if (expected..=expected + self.unread).contains(&found) {
            Ok(())
        } else {
            Err(BreakKind::Sequence { expected, found })
        }
    }

    fn take(&mut self, place: Place) {
        match place {
            Place::Event { sequence, epoch } => {
                self.sequence = sequence;
                self.epoch = epoch;
                self.unread = 0;
            }
            Place::Opened { epoch } => self.epoch = epoch,
            Place::Unreadable => self.unread += 1,
        }
    }

    fn remember(&mut self, offset: i64) {
        if let Err(place) = self.accepted.binary_search(&offset) {
            self.accepted.insert(place, offset);
        }
        let surplus = self.accepted.len().saturating_sub(ACCEPTED_MAX);
        self.accepted.drain(..surplus);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(offset: i64) -> Position {
        Position { partition: 3, offset }
    }

    fn event(sequence: u64, epoch: i64) -> Place {
        Place::Event { sequence, epoch }
    }

    #[test]
    fn a_dense_sequence_under_rising_epochs_is_whole() {
        let mut continuity = Continuity::default();

        continuity.follow(at(0), Place::Opened { epoch: 4 }).unwrap();
        continuity.follow(at(2), event(1, 4)).unwrap();
        continuity.follow(at(5), Place::Opened { epoch: 9 }).unwrap();
        continuity.follow(at(6), event(2, 9)).unwrap();

        assert_eq!(continuity.breaks().count(), 0);
    }

    #[test]
    fn a_missing_or_doubled_event_breaks_the_partition() {
        let mut continuity = Continuity::default();
        continuity.follow(at(0), event(1, 0)).unwrap();

        let missing = continuity.follow(at(4), event(3, 0)).unwrap_err();
        let doubled = continuity.follow(at(4), event(1, 0)).unwrap_err();

        assert_eq!(missing.kind, BreakKind::Sequence { expected: 2, found: 3 });
        assert_eq!(doubled.kind, BreakKind::Sequence { expected: 2, found: 1 });
    }

    #[test]
    fn an_epoch_that_goes_back_breaks_the_partition() {
        let mut continuity = Continuity::default();
        continuity.follow(at(0), Place::Opened { epoch: 7 }).unwrap();

        let opened = continuity.follow(at(1), Place::Opened { epoch: 6 }).unwrap_err();
        let event = continuity.follow(at(1), event(1, 6)).unwrap_err();

        assert_eq!(opened.kind, BreakKind::Epoch { last: 7, found: 6 });
        assert_eq!(event.kind, BreakKind::Epoch { last: 7, found: 6 });
    }

    #[test]
    fn an_unreadable_record_may_have_used_a_sequence_or_not() {
        for next in [2, 3] {
            let mut continuity = Continuity::default();
            continuity.follow(at(0), event(1, 0)).unwrap();
            continuity.follow(at(1), Place::Unreadable).unwrap();

            continuity.follow(at(2), event(next, 0)).unwrap();

            assert!(continuity.follow(at(3), event(next + 2, 0)).is_err());
        }
    }

    #[test]
    fn an_accepted_break_is_passed_and_remembered_for_rebuilds() {
        let mut live = Continuity::default();
        let broken = live.follow(at(9), event(5, 0)).unwrap_err();
        live.stop(broken.clone());

        let accepted = live.accept(3);
        let mut rebuilt = Continuity::default();

        assert_eq!(accepted, Some(broken));
        assert!(rebuilt.accept_as(&live) && !rebuilt.accept_as(&live));
        for continuity in [&mut live, &mut rebuilt] {
            continuity.follow(at(9), event(5, 0)).unwrap();
            continuity.follow(at(10), event(6, 0)).unwrap();
            assert!(continuity.broken(3).is_none());
        }
    }

    #[test]
    fn its_text_reads_back_as_itself_and_every_acceptance_changes_it() {
        let mut continuity = Continuity::default();
        continuity.follow(at(0), event(1, 2)).unwrap();
        let whole = continuity.to_text();
        let broken = continuity.follow(at(4), event(3, 2)).unwrap_err();
        continuity.stop(broken);
        let stopped = continuity.to_text();

        continuity.accept(3);

        assert_eq!(Continuity::parse(&stopped).unwrap().to_text(), stopped);
        assert_eq!(Continuity::parse(&continuity.to_text()).unwrap(), continuity);
        assert!(whole != stopped && stopped != continuity.to_text());
        assert_eq!(Continuity::parse("").unwrap(), Continuity::default());
        assert!(Continuity::parse("{").is_err());
    }
}
