//! Values as `MySQL` keeps them: UUIDs and digests as bytes; instants as microseconds and days as
//! numbers, because its own types end in the year 9999 and know a time zone of the session;
//! documents as text, because its own type counts levels and one server has no such type.

use domain::Timestamp;
use mysql_async::{Row, Value as Native};
use uuid::Uuid;

use crate::check::INDEXED_TEXT_CHARACTERS_MAX;
use crate::store::ReadStoreError;
use crate::table::{Column, ColumnType, Table, Value};

/// Text by code point, last spaces included: the server reads the name that is its own.
const COLLATION: &str = "CHARACTER SET utf8mb4 \
                         COLLATE /*M! utf8mb4_nopad_bin */ /*!80000 utf8mb4_0900_bin */";

/// `MySQL`'s type of a table's column.
pub(super) fn type_name(table: &Table, column: &Column) -> String {
    match column.column_type {
        ColumnType::Bool => "BOOLEAN".to_owned(),
        ColumnType::Integer | ColumnType::Timestamp => "BIGINT".to_owned(),
        // What an index holds whole has to be bounded; `check.rs` does so for every store.
        ColumnType::Text if table.indexes(column.name) => {
            format!("VARCHAR({INDEXED_TEXT_CHARACTERS_MAX}) {COLLATION}")
        }
        ColumnType::Text => format!("MEDIUMTEXT {COLLATION}"),
        ColumnType::Uuid => "BINARY(16)".to_owned(),
        ColumnType::Date => "INT".to_owned(),
        ColumnType::Json => format!("LONGTEXT {COLLATION}"),
        ColumnType::Digest => "BINARY(32)".to_owned(),
    }
}

/// The type of a word of a full-text index.
pub(super) fn word_type() -> String {
    format!("VARCHAR({}) {COLLATION}", crate::search::WORD_CHARACTERS_MAX)
}

/// An expression of the column that people can read: UUIDs written out, instants and days as dates.
pub(super) fn readable(column: &Column) -> String {
    let name = column.name;
    match column.column_type {
        ColumnType::Uuid => {
            let part = |from, count| format!("HEX(SUBSTR(\"{name}\", {from}, {count}))");
            let parts = [part(1, 4), part(5, 2), part(7, 2), part(9, 2), part(11, 6)];
            format!("LOWER(CONCAT({}))", parts.join(", '-', "))
        }
        ColumnType::Digest => format!("LOWER(HEX(\"{name}\"))"),
        ColumnType::Timestamp => {
            format!("TIMESTAMPADD(MICROSECOND, \"{name}\", TIMESTAMP '1970-01-01 00:00:00')")
        }
        ColumnType::Date => format!("TIMESTAMPADD(DAY, \"{name}\", DATE '1970-01-01')"),
        ColumnType::Bool | ColumnType::Integer | ColumnType::Text | ColumnType::Json => {
            format!("\"{name}\"")
        }
    }
}

/// The value as a parameter.
pub(crate) fn parameter(value: &Value) -> Native {
    match value {
        Value::Null => Native::NULL,
        Value::Bool(flag) => Native::Int(i64::from(*flag)),
        Value::Integer(number) => Native::Int(*number),
        Value::Text(text) | Value::Json(text) => Native::Bytes(text.as_bytes().to_vec()),
        Value::Uuid(id) => Native::Bytes(id.as_bytes().to_vec()),
        Value::Timestamp(instant) => Native::Int(instant.micros()),
        Value::Date(days) => Native::Int(i64::from(*days)),
        Value::Digest(digest) => Native::Bytes(digest.to_vec()),
    }
}

/// Reads the columns of a row as values of these types.
pub(crate) fn read_row(
    row: Row,
    columns: impl IntoIterator<Item = ColumnType>,
) -> Result<Vec<Value>, ReadStoreError> {
    let read = |(index, (native, column_type))| {
        read_value(column_type, native).ok_or_else(|| {
            ReadStoreError::Failed(format!("column {index} holds no {column_type:?}"), None)
        })
    };
    row.unwrap().into_iter().zip(columns).enumerate().map(read).collect()
}

fn read_value(column_type: ColumnType, native: Native) -> Option<Value> {
    Some(match (column_type, native) {
        (_, Native::NULL) => Value::Null,
        (ColumnType::Bool, Native::Int(number)) => Value::Bool(number != 0),
        (ColumnType::Integer, Native::Int(number)) => Value::Integer(number),
        (ColumnType::Timestamp, Native::Int(micros)) => {
            Value::Timestamp(Timestamp::from_micros(micros))
        }
        (ColumnType::Date, Native::Int(days)) => Value::Date(days.try_into().ok()?),
        (ColumnType::Text, Native::Bytes(bytes)) => Value::Text(String::from_utf8(bytes).ok()?),
        (ColumnType::Json, Native::Bytes(bytes)) => Value::Json(String::from_utf8(bytes).ok()?),
        (ColumnType::Uuid, Native::Bytes(bytes)) => Value::Uuid(Uuid::from_slice(&bytes).ok()?),
        (ColumnType::Digest, Native::Bytes(bytes)) => Value::Digest(bytes.try_into().ok()?),
        _ => return None,
    })
}
