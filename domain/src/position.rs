//! Places in the log: positions, vectors of them, and the token that a client carries from a
//! command's answer to a query.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Which log: minted when the log is created, so that positions of two logs are never compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LogId(pub Uuid);

impl fmt::Display for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The place of one record: a partition and an offset in it. Offsets rise, with gaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Position {
    /// The partition of the event topic.
    pub partition: u32,
    /// The record's offset in it.
    pub offset: i64,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.partition, self.offset)
    }
}

/// How far something has read: per partition, the offset of the last record that is included.
/// A partition that is missing has not been read at all.
///
/// Its text form is canonical (`0:17,3:9`, partitions ascending, empty for nothing), so that stores
/// can compare vectors as text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct PositionVector(BTreeMap<u32, i64>);

/// The text is not a vector in canonical form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a position vector such as 0:17,3:9")]
pub struct InvalidPositionVector(pub String);

impl PositionVector {
    /// The vector that has read nothing.
    #[must_use]
    pub const fn empty() -> Self {
        Self(BTreeMap::new())
    }

    /// The last offset included of a partition.
    #[must_use]
    pub fn offset(&self, partition: u32) -> Option<i64> {
        self.0.get(&partition).copied()
    }

    /// Whether the record at that position is included.
    #[must_use]
    pub fn includes(&self, position: Position) -> bool {
        self.offset(position.partition).is_some_and(|offset| offset >= position.offset)
    }

    /// Whether everything that `other` includes is included here.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        other.iter().all(|position| self.includes(position))
    }

    /// Moves forward to include the record; never backward.
    pub fn advance(&mut self, position: Position) {
        let offset = self.0.entry(position.partition).or_insert(position.offset);
        *offset = (*offset).max(position.offset);
    }

    /// Moves forward to include all that `other` includes.
    pub fn merge(&mut self, other: &Self) {
        other.iter().for_each(|position| self.advance(position));
    }

    /// What both include.
    #[must_use]
    pub fn common(&self, other: &Self) -> Self {
        let least = self.iter().filter_map(|mut position| {
            position.offset = position.offset.min(other.offset(position.partition)?);
            Some(position)
        });
        least.collect()
    }

    /// The last position of each partition, partitions ascending.
    pub fn iter(&self) -> impl Iterator<Item = Position> + '_ {
        self.0.iter().map(|(&partition, &offset)| Position { partition, offset })
    }
}

impl FromIterator<Position> for PositionVector {
    fn from_iter<I: IntoIterator<Item = Position>>(positions: I) -> Self {
        let mut vector = Self::empty();
        positions.into_iter().for_each(|position| vector.advance(position));
        vector
    }
}

impl fmt::Display for PositionVector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, position) in self.iter().enumerate() {
            write!(f, "{}{position}", if index == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

impl FromStr for PositionVector {
    type Err = InvalidPositionVector;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused = || InvalidPositionVector(text.to_owned());
        let mut vector = Self::empty();
        for entry in text.split(',').filter(|entry| !entry.is_empty()) {
            let (partition, offset) = entry.split_once(':').ok_or_else(refused)?;
            vector.advance(Position {
                partition: partition.parse().map_err(|_| refused())?,
                offset: offset.parse().map_err(|_| refused())?,
            });
        }
        if vector.to_string() == text { Ok(vector) } else { Err(refused()) }
    }
}

impl Serialize for PositionVector {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PositionVector {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// What a client carries in `Waylog-Position` and `Waylog-Wait-For`: a log and how far to have read
/// it. Opaque to clients; `<log id>@<vector>` inside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsistencyToken {
    /// Of which log.
    pub log: LogId,
    /// How far.
    pub vector: PositionVector,
}

/// The text is not a consistency token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a consistency token")]
pub struct InvalidToken;

impl fmt::Display for ConsistencyToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.log, self.vector)
    }
}

impl FromStr for ConsistencyToken {
    type Err = InvalidToken;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (log, vector) = text.split_once('@').ok_or(InvalidToken)?;
        Ok(Self {
            log: LogId(crate::ids::parse_uuid(log).map_err(|_| InvalidToken)?),
            vector: vector.parse().map_err(|_| InvalidToken)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vector(text: &str) -> PositionVector {
        text.parse().unwrap()
    }

    #[test]
    fn a_vector_covers_what_it_has_read() {
        assert!(vector("0:17,3:9").covers(&vector("0:17")));
        assert!(!vector("0:17,3:9").covers(&vector("0:18")));
        assert!(!vector("0:17").covers(&vector("3:0")));
        assert!(vector("").covers(&PositionVector::empty()));
    }

    #[test]
    fn what_both_include_is_the_least_of_each_partition() {
        let common = vector("0:17,1:2,3:9").common(&vector("0:4,3:12,4:1"));

        assert_eq!(common, vector("0:4,3:9"));
    }

    #[test]
    fn a_vector_never_moves_backward() {
        let mut read = vector("0:17");

        read.advance(Position { partition: 0, offset: 3 });
        read.merge(&vector("3:9"));

        assert_eq!(read.to_string(), "0:17,3:9");
    }

    #[test]
    fn only_the_canonical_text_is_a_vector() {
        for text in ["3:9,0:17", "0:1,0:2", "0", "a:1", "0:1,"] {
            assert!(text.parse::<PositionVector>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_token_reads_back_as_itself() {
        let token = ConsistencyToken { log: LogId(Uuid::from_u128(1)), vector: vector("0:17,3:9") };

        assert_eq!(token.to_string().parse(), Ok(token));
    }
}
