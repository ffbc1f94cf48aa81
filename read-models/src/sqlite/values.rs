//! Values as `SQLite` keeps them: UUIDs and digests as bytes, instants as microseconds, days as
//! numbers, truth as 0 and 1.

use domain::Timestamp;
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use uuid::Uuid;

use super::threads::fault;
use crate::store::ReadStoreError;
use crate::table::{Column, ColumnType, Value};

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Bool(flag) => ValueRef::Integer(i64::from(*flag)),
            Self::Integer(number) => ValueRef::Integer(*number),
            Self::Text(text) | Self::Json(text) => ValueRef::Text(text.as_bytes()),
            Self::Uuid(id) => ValueRef::Blob(id.as_bytes()),
            Self::Timestamp(instant) => ValueRef::Integer(instant.micros()),
            Self::Date(days) => ValueRef::Integer(i64::from(*days)),
            Self::Digest(digest) => ValueRef::Blob(digest),
        }))
    }
}

/// `SQLite`'s name for the type.
pub(super) const fn type_name(column_type: ColumnType) -> &'static str {
    match column_type {
        ColumnType::Bool | ColumnType::Integer | ColumnType::Timestamp | ColumnType::Date => {
            "INTEGER"
        }
        ColumnType::Text | ColumnType::Json => "TEXT",
        ColumnType::Uuid | ColumnType::Digest => "BLOB",
    }
}

/// Reads the first columns of a row as values of these types.
pub(crate) fn read_row(
    row: &rusqlite::Row<'_>,
    columns: impl IntoIterator<Item = ColumnType>,
) -> Result<Vec<Value>, ReadStoreError> {
    let read = |(index, column_type)| read_value(row, index, column_type);
    columns.into_iter().enumerate().map(read).collect()
}

/// The types of a table's columns.
pub(super) fn types(columns: &[Column]) -> impl Iterator<Item = ColumnType> + '_ {
    columns.iter().map(|column| column.column_type)
}

fn read_value(
    row: &rusqlite::Row<'_>,
    index: usize,
    column_type: ColumnType,
) -> Result<Value, ReadStoreError> {
    let strange =
        || ReadStoreError::Failed(format!("column {index} holds no {column_type:?}"), None);
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).map_err(|_| strange());
    Ok(match (column_type, row.get_ref(index).map_err(fault)?) {
        (_, ValueRef::Null) => Value::Null,
        (ColumnType::Bool, ValueRef::Integer(number)) => Value::Bool(number != 0),
        (ColumnType::Integer, ValueRef::Integer(number)) => Value::Integer(number),
        (ColumnType::Text, ValueRef::Text(bytes)) => Value::Text(text(bytes)?),
        (ColumnType::Json, ValueRef::Text(bytes)) => Value::Json(text(bytes)?),
        (ColumnType::Uuid, ValueRef::Blob(bytes)) => {
            Value::Uuid(Uuid::from_slice(bytes).map_err(|_| strange())?)
        }
        (ColumnType::Timestamp, ValueRef::Integer(micros)) => {
            Value::Timestamp(Timestamp::from_micros(micros))
        }
        (ColumnType::Date, ValueRef::Integer(days)) => {
            Value::Date(days.try_into().map_err(|_| strange())?)
        }
        (ColumnType::Digest, ValueRef::Blob(bytes)) => {
            Value::Digest(bytes.try_into().map_err(|_| strange())?)
        }
        _ => return Err(strange()),
    })
}
