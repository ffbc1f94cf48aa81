//! Rows, instants and members of indexes as Redis keeps them.
//!
//! A row is a JSON list of its values, which people can read. An index is a sorted set whose
//! members all have the score 0, so that they stand in the order of their bytes: the indexed values
//! in an encoding that keeps their order, then the row's key, then that key's length.

use domain::Timestamp;
use serde_json::Value as Json;
use uuid::Uuid;

use crate::projection::encode_key;
use crate::store::ReadStoreError;
use crate::table::{Column, ColumnType, Table, Value};

/// A row as text.
pub(super) fn row_text(values: &[Value]) -> String {
    let json = |value: &Value| match value {
        Value::Null => Json::Null,
        Value::Bool(flag) => Json::Bool(*flag),
        Value::Integer(number) => Json::from(*number),
        // A document is kept as the text that it is: other spellings would be other rows.
        Value::Text(text) | Value::Json(text) => Json::String(text.clone()),
        Value::Uuid(id) => Json::String(id.to_string()),
        Value::Timestamp(instant) => Json::from(instant.micros()),
        Value::Date(days) => Json::from(*days),
        Value::Digest(digest) => {
            Json::String(digest.iter().map(|byte| format!("{byte:02x}")).collect())
        }
    };
    Json::Array(values.iter().map(json).collect()).to_string()
}

/// A row of the table from its text.
pub(crate) fn read_row(table: &Table, text: &[u8]) -> Result<Vec<Value>, ReadStoreError> {
    let values: Vec<Json> = serde_json::from_slice(text).map_err(ReadStoreError::corrupt)?;
    if values.len() != table.columns.len() {
        return Err(ReadStoreError::corrupt(format!("a short row of {}", table.name)));
    }
    let read = |(column, json): (&Column, Json)| {
        read_value(column.column_type, json).ok_or_else(|| {
            ReadStoreError::corrupt(format!("{}.{} is of another type", table.name, column.name))
        })
    };
    table.columns.iter().zip(values).map(read).collect()
}

fn read_value(column_type: ColumnType, json: Json) -> Option<Value> {
    Some(match (column_type, json) {
        (_, Json::Null) => Value::Null,
        (ColumnType::Bool, Json::Bool(flag)) => Value::Bool(flag),
        (ColumnType::Integer, Json::Number(number)) => Value::Integer(number.as_i64()?),
        (ColumnType::Text, Json::String(text)) => Value::Text(text),
        (ColumnType::Json, Json::String(text)) => Value::Json(text),
        (ColumnType::Uuid, Json::String(text)) => Value::Uuid(Uuid::parse_str(&text).ok()?),
        (ColumnType::Timestamp, Json::Number(number)) => {
            Value::Timestamp(Timestamp::from_micros(number.as_i64()?))
        }
        (ColumnType::Date, Json::Number(number)) => Value::Date(number.as_i64()?.try_into().ok()?),
        (ColumnType::Digest, Json::String(text)) => Value::Digest(digest(&text)?),
        _ => return None,
    })
}

fn digest(text: &str) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    if text.len() != 64 {
        return None;
    }
    for (index, byte) in digest.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * index..2 * index + 2)?, 16).ok()?;
    }
    Some(digest)
}

/// The member of an ordered index that leads to the row.
pub(super) fn member(table: &Table, columns: &[&str], row: &[Value]) -> Vec<u8> {
    let value = |name: &&str| {
        let at = table.columns.iter().position(|column| column.name == *name);
        row[at.expect("an index is over columns of its table")].clone()
    };
    let indexed: Vec<Value> = columns.iter().map(value).collect();
    let key = encode_key(&row[..table.key_columns]);
    let length = u32::try_from(key.len()).expect("a key is bounded by its check");
    let mut member = encode_key(&indexed);
    member.extend(key);
    member.extend(length.to_be_bytes());
    member
}

/// An instant as text that stands in its order.
pub(super) fn instant_text(at: Option<Timestamp>) -> String {
    at.map(|at| format!("{:016x}", at.micros() ^ i64::MIN)).unwrap_or_default()
}

/// The instant of such a text; nothing for an empty one.
pub(super) fn read_instant(text: &str) -> Result<Option<Timestamp>, ReadStoreError> {
    if text.is_empty() {
        return Ok(None);
    }
    let bits = u64::from_str_radix(text, 16).map_err(ReadStoreError::corrupt)?;
    Ok(Some(Timestamp::from_micros(bits.cast_signed() ^ i64::MIN)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_stand_in_their_order() {
        let micros = [i64::MIN, -1, 0, 1, i64::MAX];

        let texts = micros.map(|micros| instant_text(Some(Timestamp::from_micros(micros))));

        assert!(texts.is_sorted());
        let read = texts.map(|text| read_instant(&text).unwrap().unwrap().micros());
        assert_eq!(read, micros);
        assert_eq!(read_instant("").unwrap(), None);
    }

    #[test]
    fn what_was_never_written_is_no_row() {
        use crate::testing::store_suite::ENTRIES;

        assert!(read_row(ENTRIES, b"[1]").is_err());
        assert!(read_row(ENTRIES, br#"["1","text"]"#).is_err());
        assert!(read_row(ENTRIES, b"no list").is_err());
    }
}
