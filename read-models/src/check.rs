//! What every store can hold: checked before a value reaches any of them, so that no store takes
//! what another refuses.

use crate::store::{ReadStoreError, TableChange};
use crate::table::{ColumnType, Table, Value};

/// Bytes of a text.
pub const TEXT_BYTES_MAX: usize = 1024 * 1024;
/// Characters of a text in a key or an ordered index: what every server's index can hold.
pub const INDEXED_TEXT_CHARACTERS_MAX: usize = 255;
/// Bytes of a JSON document: the largest itinerary, and any event that the log takes.
pub const JSON_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The first instant that every store can hold: 4713 BC, in microseconds before 1970.
pub const TIMESTAMP_MICROS_MIN: i64 = -210_866_803_200_000_000;
/// The first day that every store can hold: 4713 BC, in days before 1970.
pub const DATE_DAYS_MIN: i32 = -2_440_588;
/// The last day that every store can hold: in the year 5,874,897.
pub const DATE_DAYS_MAX: i32 = 2_145_042_905;

/// Checks that the values are a row of the table that every store can hold.
///
/// # Errors
/// A sentence that names table, column and reason.
pub fn check_row(table: &Table, values: &[Value]) -> Result<(), String> {
    if values.len() != table.columns.len() {
        return Err(format!("a row of {} has {} values", table.name, values.len()));
    }
    for (column, value) in table.columns.iter().zip(values) {
        check_value(column.column_type, column.nullable, value)
            .and_then(|()| check_indexed(table, column.name, value))
            .map_err(|reason| format!("{}.{} {reason}", table.name, column.name))?;
    }
    Ok(())
}

fn check_value(column_type: ColumnType, nullable: bool, value: &Value) -> Result<(), String> {
    match (column_type, value) {
        (_, Value::Null) if nullable => Ok(()),
        (_, Value::Null) => Err("is null".to_owned()),
        (ColumnType::Text, Value::Text(text)) if text.contains('\0') => {
            Err("contains a NUL character, which no text column takes".to_owned())
        }
        (ColumnType::Json, Value::Json(text)) if escapes_nul(text) => {
            Err("contains a NUL character, which no document takes".to_owned())
        }
        (ColumnType::Text, Value::Text(text)) => bounded(text, TEXT_BYTES_MAX),
        (ColumnType::Json, Value::Json(text)) => bounded(text, JSON_BYTES_MAX),
        (ColumnType::Timestamp, Value::Timestamp(instant))
            if instant.micros() < TIMESTAMP_MICROS_MIN =>
        {
            Err("lies before 4713 BC".to_owned())
        }
        (ColumnType::Date, Value::Date(days))
            if !(DATE_DAYS_MIN..=DATE_DAYS_MAX).contains(days) =>
        {
            Err("lies outside the calendar".to_owned())
        }
        (ColumnType::Bool, Value::Bool(_))
        | (ColumnType::Integer, Value::Integer(_))
        | (ColumnType::Uuid, Value::Uuid(_))
        | (ColumnType::Timestamp, Value::Timestamp(_))
        | (ColumnType::Date, Value::Date(_))
        | (ColumnType::Digest, Value::Digest(_)) => Ok(()),
        (expected, _) => Err(format!("is no {expected:?}")),
    }
}

/// Text that an index holds is shorter than other text.
fn check_indexed(table: &Table, column: &str, value: &Value) -> Result<(), String> {
    let Value::Text(text) = value else { return Ok(()) };
    // Fewer bytes are no more characters: most texts are not counted.
    if text.len() <= INDEXED_TEXT_CHARACTERS_MAX || !table.indexes(column) {
        return Ok(());
    }
    match text.chars().count() {
        count if count <= INDEXED_TEXT_CHARACTERS_MAX => Ok(()),
        count => Err(format!(
            "is indexed and has {count} characters, over {INDEXED_TEXT_CHARACTERS_MAX}"
        )),
    }
}

fn bounded(text: &str, bytes_max: usize) -> Result<(), String> {
    if text.len() > bytes_max {
        return Err(format!("has {} bytes, over {bytes_max}", text.len()));
    }
    Ok(())
}

/// Whether JSON text holds an escaped NUL: `\u0000` whose backslash is not itself escaped.
fn escapes_nul(json: &str) -> bool {
    json.match_indices("\\u0000").any(|(at, _)| {
        json.as_bytes()[..at].iter().rev().take_while(|&&byte| byte == b'\\').count() % 2 == 0
    })
}

/// Checks every row that a batch writes.
pub(crate) fn check_changes(tables: &[TableChange]) -> Result<(), ReadStoreError> {
    for change in tables {
        for row in &change.rows {
            if change.table.append_only && (row.before.is_some() || row.after.is_none()) {
                let name = change.table.name;
                return Err(ReadStoreError::Refused(format!("rows of {name} are only inserted")));
            }
            if let Some(after) = &row.after {
                check_row(change.table, after).map_err(ReadStoreError::Refused)?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use domain::Timestamp;

    use super::*;

    fn refusal(column_type: ColumnType, value: &Value) -> String {
        check_value(column_type, false, value).unwrap_err()
    }

    #[test]
    fn what_one_store_cannot_hold_is_refused_for_all() {
        assert!(refusal(ColumnType::Text, &Value::Text("a\0b".to_owned())).contains("NUL"));
        assert!(refusal(ColumnType::Json, &Value::Json(r#""\u0000""#.to_owned())).contains("NUL"));
        assert!(!escapes_nul(r#""\\u0000""#));
        assert!(
            refusal(ColumnType::Text, &Value::Text("x".repeat(TEXT_BYTES_MAX + 1)))
                .contains("over")
        );
        assert!(
            refusal(ColumnType::Timestamp, &Value::Timestamp(Timestamp::from_micros(i64::MIN)))
                .contains("4713")
        );
        assert!(refusal(ColumnType::Date, &Value::Date(i32::MAX)).contains("calendar"));
        assert_eq!(refusal(ColumnType::Bool, &Value::Null), "is null");
        assert_eq!(refusal(ColumnType::Bool, &Value::Integer(1)), "is no Bool");
    }
}
