//! Statements over many rows at once, in few sizes and within bounds.
//!
//! A statement's text says how many rows it takes, so rows are taken in powers of two: few texts
//! are ever prepared. A statement stays well below what servers take in one packet, but for a row
//! that is larger by itself.

use mysql_async::prelude::Queryable;
use mysql_async::{Params, Value as Native};

use super::pool::fault;
use super::values::parameter;
use crate::store::ReadStoreError;
use crate::table::Value;

/// Rows of one statement.
const ROWS_MAX: usize = 512;
/// Parameters of one statement; the protocol counts them in 16 bits.
const PARAMETERS_MAX: usize = 60_000;
/// Bytes of the parameters of one statement of several rows.
const BYTES_MAX: usize = 1024 * 1024;

/// Splits rows of so many values each into slices of one statement.
pub(super) fn slices<'r, 'v>(
    rows: &'r [Vec<&'v Value>],
    columns: usize,
) -> impl Iterator<Item = &'r [Vec<&'v Value>]> {
    let most = (PARAMETERS_MAX / columns.max(1)).min(ROWS_MAX);
    let mut rest = rows;
    std::iter::from_fn(move || {
        let mut count = rest.len().min(most);
        if count == 0 {
            return None;
        }
        // The largest power of two that is not more.
        count = 1 << count.ilog2();
        while count > 1 && bytes(&rest[..count]) > BYTES_MAX {
            count /= 2;
        }
        let (slice, after) = rest.split_at(count);
        rest = after;
        Some(slice)
    })
}

fn bytes(rows: &[Vec<&Value>]) -> usize {
    let size = |value: &&Value| match value {
        Value::Text(text) | Value::Json(text) => text.len(),
        Value::Digest(_) => 32,
        _ => 16,
    };
    rows.iter().flatten().map(size).sum()
}

/// Runs a statement for the rows, slice by slice; it must touch every row exactly once.
pub(super) async fn each_once(
    connection: &mut impl Queryable,
    rows: &[Vec<&Value>],
    columns: usize,
    sql: impl Fn(usize) -> String,
) -> Result<(), ReadStoreError> {
    for slice in slices(rows, columns) {
        let sql = sql(slice.len());
        let touched = execute(connection, &sql, parameters(slice)).await?;
        if touched != slice.len() as u64 {
            let expected = slice.len();
            return Err(ReadStoreError::corrupt(format!("{touched} of {expected} rows: {sql}")));
        }
    }
    Ok(())
}

/// Runs a statement and gives how many rows it found.
pub(super) async fn execute(
    connection: &mut impl Queryable,
    sql: &str,
    parameters: Vec<Native>,
) -> Result<u64, ReadStoreError> {
    // An empty list is not taken for positional parameters.
    let parameters =
        if parameters.is_empty() { Params::Empty } else { Params::Positional(parameters) };
    let result = connection.exec_iter(sql, parameters).await.map_err(fault)?;
    let touched = result.affected_rows();
    result.drop_result().await.map_err(fault)?;
    Ok(touched)
}

/// The rows' values, one after another.
pub(super) fn parameters(rows: &[Vec<&Value>]) -> Vec<Native> {
    rows.iter().flatten().map(|value| parameter(value)).collect()
}

/// `(?, ?), (?, ?)` for so many rows.
pub(super) fn places(rows: usize, columns: usize) -> String {
    let row = format!("({})", vec!["?"; columns].join(", "));
    vec![row.as_str(); rows].join(", ")
}

/// A condition that finds so many rows by their keys. Alternatives of equalities are what both
/// servers look up in an index; tuples in a list are not.
pub(super) fn by_keys<'a>(key: impl Iterator<Item = &'a str>, rows: usize) -> String {
    let one: Vec<_> = key.map(|name| format!("\"{name}\" = ?")).collect();
    let one = format!("({})", one.join(" AND "));
    vec![one.as_str(); rows].join(" OR ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(values: &[Value], columns: usize) -> Vec<usize> {
        let rows: Vec<Vec<&Value>> = values.iter().map(|value| vec![value]).collect();
        slices(&rows, columns).map(<[_]>::len).collect()
    }

    #[test]
    fn rows_are_taken_in_few_sizes() {
        let values = vec![Value::Integer(1); 1_300];

        assert_eq!(sizes(&values, 1), [512, 512, 256, 16, 4]);
        assert_eq!(sizes(&values[..300], 1_000), [32, 32, 32, 32, 32, 32, 32, 32, 32, 8, 4]);
        assert!(sizes(&[], 1).is_empty());
    }

    #[test]
    fn large_rows_go_in_small_statements() {
        let values = vec![Value::Text("x".repeat(BYTES_MAX * 3 / 8)); 5];

        assert_eq!(sizes(&values, 1), [2, 2, 1]);
        assert_eq!(sizes(&vec![Value::Text("x".repeat(2 * BYTES_MAX)); 2], 1), [1, 1]);
    }
}
