//! The content of a table in two numbers that any store can keep and compare.
//!
//! A row's hash is SHA-256 over an unambiguous encoding of its values (type, length, bytes); a
//! table's sum adds the first 16 bytes of its rows' hashes modulo 2^128. Adding commutes, so the
//! sum
//! depends on the rows alone and a batch can move it by what it changes.

use sha2::{Digest as _, Sha256};

use crate::projection::RowChange;
use crate::table::Value;

/// A table's content in two numbers: equal tables have equal sums, on any store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct TableSum {
    /// How many rows.
    pub rows: i64,
    /// The sum, modulo 2^128, of each row's SHA-256 (first 16 bytes, big-endian) over its values.
    pub sum: u128,
}

impl TableSum {
    /// What a batch of changes adds (modulo 2^128; `rows` may be negative).
    #[must_use]
    pub fn of_changes(changes: &[RowChange]) -> Self {
        let mut delta = Self::default();
        for change in changes {
            if let Some(before) = &change.before {
                delta.rows -= 1;
                delta.sum = delta.sum.wrapping_sub(row_hash(before));
            }
            if let Some(after) = &change.after {
                delta.insert(after);
            }
        }
        delta
    }

    /// Counts one more row.
    pub fn insert(&mut self, values: &[Value]) {
        self.rows += 1;
        self.sum = self.sum.wrapping_add(row_hash(values));
    }

    /// Both together.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self { rows: self.rows + other.rows, sum: self.sum.wrapping_add(other.sum) }
    }
}

/// The first 16 bytes of the SHA-256 of a row, as a number.
#[must_use]
pub fn row_hash(values: &[Value]) -> u128 {
    let mut bytes = Vec::with_capacity(64 * values.len());
    for value in values {
        encode(value, &mut bytes);
    }
    let digest: [u8; 32] = Sha256::digest(&bytes).into();
    u128::from_be_bytes(digest[..16].try_into().expect("half of 32 bytes"))
}

fn encode(value: &Value, bytes: &mut Vec<u8>) {
    match value {
        Value::Null => bytes.push(0),
        Value::Bool(flag) => bytes.extend([1, u8::from(*flag)]),
        Value::Integer(number) => tagged(2, &number.to_be_bytes(), bytes),
        Value::Text(text) => tagged(3, text.as_bytes(), bytes),
        Value::Uuid(id) => tagged(4, id.as_bytes(), bytes),
        Value::Timestamp(instant) => tagged(5, &instant.micros().to_be_bytes(), bytes),
        Value::Date(days) => tagged(6, &days.to_be_bytes(), bytes),
        Value::Digest(digest) => tagged(7, digest, bytes),
        Value::Json(text) => tagged(8, text.as_bytes(), bytes),
    }
}

fn tagged(tag: u8, content: &[u8], bytes: &mut Vec<u8>) {
    bytes.push(tag);
    bytes.extend((content.len() as u64).to_be_bytes());
    bytes.extend(content);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(text: &str, number: i64) -> Vec<Value> {
        vec![Value::Text(text.to_owned()), Value::Integer(number)]
    }

    #[test]
    fn a_sum_depends_on_the_rows_and_not_on_the_way_to_them() {
        let changed = RowChange { before: Some(row("a", 1)), after: Some(row("a", 2)) };
        let inserted = RowChange { before: None, after: Some(row("b", 1)) };
        let deleted = RowChange { before: Some(row("c", 1)), after: None };
        let (mut start, mut end) = (TableSum::default(), TableSum::default());
        start.insert(&row("c", 1));
        start.insert(&row("a", 1));
        end.insert(&row("b", 1));
        end.insert(&row("a", 2));

        let reached = start.plus(TableSum::of_changes(&[inserted, deleted, changed]));

        assert_eq!(reached, end);
        assert_ne!(reached.sum, start.sum);
    }

    #[test]
    fn values_that_run_together_are_told_apart() {
        let text = |text: &str| Value::Text(text.to_owned());

        assert_ne!(row_hash(&[text("ab"), text("c")]), row_hash(&[text("a"), text("bc")]));
        assert_ne!(row_hash(&[text("")]), row_hash(&[Value::Null]));
        assert_ne!(row_hash(&[text("{}")]), row_hash(&[Value::Json("{}".to_owned())]));
    }
}
