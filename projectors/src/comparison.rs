//! Whether two generations hold the same rows, asked at one vector.
//!
//! A store keeps a commutative sum of row hashes per table beside the vector. So the sums of one
//! generation are taken with the vector that they are true at, the other is filled up to exactly
//! that vector, and its sums must be the same: nobody has to stand still for that. A parked stream
//! counts with what was folded before the place where it is parked; generations that parked
//! different streams, or at different places, cannot be compared.

use std::collections::BTreeMap;
use std::fmt;

use domain::PositionVector;
use read_models::{Generation, ParkedStream, ReadStore, ReadStoreError, TableSum};

/// How often sums are taken again because streams were parked meanwhile.
const SNAPSHOTS_MAX: usize = 20;

/// What a generation holds at a vector.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Snapshot {
    pub(crate) vector: PositionVector,
    pub(crate) sums: BTreeMap<String, TableSum>,
    pub(crate) parked: Vec<ParkedStream>,
}

impl Snapshot {
    /// Sums, vector and parked streams of one moment.
    ///
    /// # Errors
    /// [`ReadStoreError`].
    pub(crate) async fn of(
        store: &dyn ReadStore,
        generation: &Generation,
    ) -> Result<Self, ReadStoreError> {
        let mut before = store.sums(generation).await?;
        for _ in 0..SNAPSHOTS_MAX {
            let mut parked = store.parked(generation).await?;
            let after = store.sums(generation).await?;
            // Streams are parked by batches only: nothing moved, so all of it is of one moment.
            if before == after {
                parked.sort_by(|a, b| a.stream.cmp(&b.stream));
                let (vector, sums) = after;
                return Ok(Self { vector, sums: sums.into_iter().collect(), parked });
            }
            before = after;
        }
        Err(ReadStoreError::Unavailable("the generation does not stand still".to_owned(), None))
    }
}

/// What a comparison says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The same rows, proved by their sums at one vector.
    Equal,
    /// Other rows, though they are folded by the same version.
    Different,
    /// They parked different streams: sums say nothing.
    Incomparable,
    /// They are of different versions: only counts are shown.
    OtherVersion,
}

impl Verdict {
    /// Its name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Equal => "equal",
            Self::Different => "different",
            Self::Incomparable => "incomparable",
            Self::OtherVersion => "other_version",
        }
    }
}

/// One table in both generations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableComparison {
    /// The logical name.
    pub table: String,
    /// As it is expected; nothing when that generation has no such table.
    pub expected: Option<TableSum>,
    /// As it was found.
    pub found: Option<TableSum>,
}

impl TableComparison {
    /// Whether both hold the same rows.
    #[must_use]
    pub fn equal(&self) -> bool {
        self.expected == self.found
    }
}

/// Two generations side by side.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// What it comes to.
    pub verdict: Verdict,
    /// The vector that both were asked at.
    pub vector: PositionVector,
    /// Table by table.
    pub tables: Vec<TableComparison>,
    /// Streams that are parked in one of them only, or at different places.
    pub parked_apart: Vec<String>,
}

impl Comparison {
    pub(crate) fn of(expected: &Snapshot, found: &Snapshot, same_version: bool) -> Self {
        let names: std::collections::BTreeSet<&String> =
            expected.sums.keys().chain(found.sums.keys()).collect();
        let tables: Vec<TableComparison> = names
            .into_iter()
            .map(|table| TableComparison {
                table: table.clone(),
                expected: expected.sums.get(table).copied(),
                found: found.sums.get(table).copied(),
            })
            .collect();
        let parked_apart = parked_apart(&expected.parked, &found.parked);
        let verdict = if !same_version {
            Verdict::OtherVersion
        } else if !parked_apart.is_empty() || expected.vector != found.vector {
            Verdict::Incomparable
        } else if tables.iter().all(TableComparison::equal) {
            Verdict::Equal
        } else {
            Verdict::Different
        };
        Self { verdict, vector: found.vector.clone(), tables, parked_apart }
    }
}

fn parked_apart(expected: &[ParkedStream], found: &[ParkedStream]) -> Vec<String> {
    let places = |parked: &[ParkedStream]| -> BTreeMap<String, domain::Position> {
        parked.iter().map(|parked| (parked.stream.clone(), parked.position)).collect()
    };
    let (expected, found) = (places(expected), places(found));
    let streams: std::collections::BTreeSet<&String> =
        expected.keys().chain(found.keys()).collect();
    streams
        .into_iter()
        .filter(|stream| expected.get(*stream) != found.get(*stream))
        .cloned()
        .collect()
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at [{}]", self.verdict.name(), self.vector)?;
        for table in self.tables.iter().filter(|table| !table.equal()) {
            let rows = |sum: Option<TableSum>| {
                sum.map_or_else(|| "no table".to_owned(), |sum| format!("{} rows", sum.rows))
            };
            let (expected, found) = (rows(table.expected), rows(table.found));
            write!(f, "; {} has {found}, expected {expected}", table.table)?;
        }
        if !self.parked_apart.is_empty() {
            write!(f, "; parked in one only: {}", self.parked_apart.join(", "))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use domain::Position;

    use super::*;

    fn snapshot(rows: i64, sum: u128, parked: &[(&str, i64)]) -> Snapshot {
        let parked = parked.iter().map(|(stream, offset)| ParkedStream {
            stream: (*stream).to_owned(),
            position: Position { partition: 0, offset: *offset },
            reason: "for a reason".to_owned(),
        });
        Snapshot {
            vector: "0:9".parse().unwrap(),
            sums: BTreeMap::from([("trips".to_owned(), TableSum { rows, sum })]),
            parked: parked.collect(),
        }
    }

    #[test]
    fn equal_sums_at_one_vector_are_equal_rows() {
        let comparison = Comparison::of(&snapshot(2, 7, &[]), &snapshot(2, 7, &[]), true);

        assert_eq!(comparison.verdict, Verdict::Equal);
        assert_eq!(comparison.to_string(), "equal at [0:9]");
    }

    #[test]
    fn another_sum_is_named_with_its_table() {
        let comparison = Comparison::of(&snapshot(2, 7, &[]), &snapshot(3, 8, &[]), true);

        assert_eq!(comparison.verdict, Verdict::Different);
        assert_eq!(comparison.to_string(), "different at [0:9]; trips has 3 rows, expected 2 rows");
    }

    #[test]
    fn streams_parked_apart_cannot_be_compared() {
        let (live, new) = (snapshot(2, 7, &[("a", 1), ("b", 2)]), snapshot(2, 7, &[("b", 3)]));

        let comparison = Comparison::of(&live, &new, true);
        let same = Comparison::of(&live, &live, true);

        assert_eq!(comparison.verdict, Verdict::Incomparable);
        assert_eq!(comparison.parked_apart, ["a", "b"]);
        assert_eq!(same.verdict, Verdict::Equal);
    }

    #[test]
    fn other_versions_and_other_vectors_are_never_equal() {
        let (live, mut new) = (snapshot(2, 7, &[]), snapshot(2, 7, &[]));
        assert_eq!(Comparison::of(&live, &new, false).verdict, Verdict::OtherVersion);

        new.vector = "0:10".parse().unwrap();

        assert_eq!(Comparison::of(&live, &new, true).verdict, Verdict::Incomparable);
    }
}
