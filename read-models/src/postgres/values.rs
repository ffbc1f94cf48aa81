//! Values in `PostgreSQL`'s binary format, for parameters, arrays and COPY alike.

use bytes::{BufMut as _, BytesMut};
use domain::Timestamp;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};
use uuid::Uuid;

use super::pool::fault;
use crate::canonical::canonicalize;
use crate::store::ReadStoreError;
use crate::table::{ColumnType, Value};

/// Microseconds from 1970 to 2000, which `PostgreSQL` counts from.
const EPOCH_MICROS: i64 = 946_684_800_000_000;
/// Days from 1970 to 2000.
const EPOCH_DAYS: i32 = 10_957;
/// Version of the binary form of jsonb.
const JSONB_VERSION: u8 = 1;

/// `PostgreSQL`'s name for the type.
pub(crate) const fn type_name(column_type: ColumnType) -> &'static str {
    match column_type {
        ColumnType::Bool => "boolean",
        ColumnType::Integer => "bigint",
        ColumnType::Text => "text",
        ColumnType::Uuid => "uuid",
        ColumnType::Timestamp => "timestamptz",
        ColumnType::Date => "date",
        ColumnType::Json => "jsonb",
        ColumnType::Digest => "bytea",
    }
}

/// Appends the value's binary form; nothing for null.
pub(super) fn put(value: &Value, out: &mut BytesMut) -> IsNull {
    match value {
        Value::Null => return IsNull::Yes,
        Value::Bool(flag) => out.put_u8(u8::from(*flag)),
        Value::Integer(number) => out.put_i64(*number),
        Value::Text(text) => out.put_slice(text.as_bytes()),
        Value::Uuid(id) => out.put_slice(id.as_bytes()),
        // Saturates only below what `check.rs` lets through.
        Value::Timestamp(instant) => out.put_i64(instant.micros().saturating_sub(EPOCH_MICROS)),
        Value::Date(days) => out.put_i32(days.saturating_sub(EPOCH_DAYS)),
        Value::Json(text) => {
            out.put_u8(JSONB_VERSION);
            out.put_slice(text.as_bytes());
        }
        Value::Digest(digest) => out.put_slice(digest),
    }
    IsNull::No
}

impl ToSql for Value {
    fn to_sql(
        &self,
        _: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        Ok(put(self, out))
    }

    // The server checks: parameters are cast to their column's type in every statement.
    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// A column's bytes as the server sent them.
struct Raw<'a>(&'a [u8]);

impl<'a> FromSql<'a> for Raw<'a> {
    fn from_sql(
        _: &Type,
        bytes: &'a [u8],
    ) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self(bytes))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// Reads the first columns of a row as values of these types.
pub(crate) fn read_row(
    row: &tokio_postgres::Row,
    columns: impl IntoIterator<Item = ColumnType>,
) -> Result<Vec<Value>, ReadStoreError> {
    let read = |(index, column_type)| {
        let raw: Option<Raw<'_>> = row.try_get(index).map_err(fault)?;
        raw.map_or(Ok(Value::Null), |raw| {
            read_value(column_type, raw.0).ok_or_else(|| {
                ReadStoreError::Failed(format!("column {index} holds no {column_type:?}"), None)
            })
        })
    };
    columns.into_iter().enumerate().map(read).collect()
}

fn read_value(column_type: ColumnType, bytes: &[u8]) -> Option<Value> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).ok();
    let long = || bytes.try_into().map(i64::from_be_bytes).ok();
    Some(match column_type {
        ColumnType::Bool => Value::Bool(*bytes.first()? != 0),
        ColumnType::Integer => Value::Integer(long()?),
        ColumnType::Text => Value::Text(text(bytes)?),
        ColumnType::Uuid => Value::Uuid(Uuid::from_slice(bytes).ok()?),
        ColumnType::Timestamp => {
            Value::Timestamp(Timestamp::from_micros(long()?.checked_add(EPOCH_MICROS)?))
        }
        ColumnType::Date => {
            Value::Date(i32::from_be_bytes(bytes.try_into().ok()?).checked_add(EPOCH_DAYS)?)
        }
        // The server keeps documents in an order and spacing of its own.
        ColumnType::Json => Value::Json(
            canonicalize(std::str::from_utf8(bytes.strip_prefix(&[JSONB_VERSION])?).ok()?).ok()?,
        ),
        ColumnType::Digest => Value::Digest(bytes.try_into().ok()?),
    })
}
