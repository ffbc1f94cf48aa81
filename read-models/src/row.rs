//! Rows as structs: one declaration gives the struct, its table with comments, and both
//! conversions.

use domain::calendar::{Date, Zone};
use domain::ids::{
    AccountId, BookingId, CommandId, CommentId, CorrelationId, DestinationId, EventId, ItineraryId,
    NotificationId, OfferId, PaymentId, SagaId,
};
use domain::{Digest, Tenant, Timestamp};
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::canonical::canonical_json;
use crate::table::{ColumnType, Value};

/// A Rust type that is one column.
pub trait Cell: Sized {
    /// What the column holds.
    const TYPE: ColumnType;
    /// Whether it may be null.
    const NULLABLE: bool = false;

    /// As a store takes it.
    fn into_value(self) -> Value;

    /// From what a store returned; nothing when it is of another type.
    fn from_value(value: Value) -> Option<Self>;
}

/// A value kept as a JSON document, in canonical form.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Document<T>(pub T);

impl<T: Serialize + DeserializeOwned> Cell for Document<T> {
    const TYPE: ColumnType = ColumnType::Json;

    fn into_value(self) -> Value {
        Value::Json(canonical_json(&self.0))
    }

    fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::Json(text) => serde_json::from_str(&text).ok().map(Self),
            _ => None,
        }
    }
}

impl<T: Cell> Cell for Option<T> {
    const TYPE: ColumnType = T::TYPE;
    const NULLABLE: bool = true;

    fn into_value(self) -> Value {
        self.map_or(Value::Null, T::into_value)
    }

    fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::Null => Some(None),
            value => T::from_value(value).map(Some),
        }
    }
}

macro_rules! cells {
    ($($cell:ty => $variant:ident, $into:expr, $from:expr;)+) => {$(
        impl Cell for $cell {
            const TYPE: ColumnType = ColumnType::$variant;

            fn into_value(self) -> Value {
                let into: fn($cell) -> _ = $into;
                Value::$variant(into(self))
            }

            fn from_value(value: Value) -> Option<Self> {
                let from: fn(_) -> Option<$cell> = $from;
                match value {
                    Value::$variant(inner) => from(inner),
                    _ => None,
                }
            }
        }
    )+};
}

cells! {
    bool => Bool, |flag| flag, Some;
    i64 => Integer, |number| number, Some;
    u32 => Integer, i64::from, |number: i64| number.try_into().ok();
    // Offsets, versions and sequences are counted, never drawn: they end long before 2^63.
    u64 => Integer,
        |number| i64::try_from(number).unwrap_or(i64::MAX),
        |number: i64| number.try_into().ok();
    String => Text, |text| text, Some;
    Uuid => Uuid, |id| id, Some;
    AccountId => Uuid, |id| id.0, |id| Some(AccountId(id));
    ItineraryId => Uuid, |id| id.0, |id| Some(ItineraryId(id));
    BookingId => Uuid, |id| id.0, |id| Some(BookingId(id));
    DestinationId => Uuid, |id| id.0, |id| Some(DestinationId(id));
    OfferId => Uuid, |id| id.0, |id| Some(OfferId(id));
    PaymentId => Uuid, |id| id.0, |id| Some(PaymentId(id));
    NotificationId => Uuid, |id| id.0, |id| Some(NotificationId(id));
    SagaId => Uuid, |id| id.0, |id| Some(SagaId(id));
    CommentId => Uuid, |id| id.0, |id| Some(CommentId(id));
    CommandId => Uuid, |id| id.0, |id| Some(CommandId(id));
    EventId => Uuid, |id| id.0, |id| Some(EventId(id));
    CorrelationId => Uuid, |id| id.0, |id| Some(CorrelationId(id));
    Timestamp => Timestamp, |instant| instant, Some;
    Date => Date, |date| date.epoch_days(), Date::from_epoch_days;
    Digest => Digest, |digest| digest.0, |digest| Some(Digest(digest));
    Tenant => Text, |tenant| tenant.as_str().to_owned(), |text: String| text.parse().ok();
    Zone => Text,
        |zone| zone.as_str().to_owned(),
        |text: String| serde_json::from_value(text.into()).ok();
}

/// Declares a row: the struct, its [`Table`](crate::Table) with the documentation as comments, and
/// its [`Row`](crate::Row) conversions. The first `keys` fields are the primary key.
macro_rules! row {
    (
        $(#[doc = $doc:literal])+
        $vis:vis struct $row:ident
            in $table:literal, keys $keys:literal, append_only $append_only:literal
        {
            $($(#[doc = $field_doc:literal])+ $field:ident: $type:ty,)+
        }
        indexes $indexes:expr
    ) => {
        $(#[doc = $doc])+
        #[derive(Clone, Debug, PartialEq)]
        $vis struct $row {
            $($(#[doc = $field_doc])+ $vis $field: $type,)+
        }

        impl $crate::table::Row for $row {
            const TABLE: &'static $crate::table::Table = &$crate::table::Table {
                name: $table,
                comment: concat!($($doc),+),
                columns: &[$($crate::table::Column {
                    name: stringify!($field),
                    column_type: <$type as $crate::row::Cell>::TYPE,
                    nullable: <$type as $crate::row::Cell>::NULLABLE,
                    comment: concat!($($field_doc),+),
                },)+],
                key_columns: $keys,
                indexes: $indexes,
                append_only: $append_only,
            };

            fn into_values(self) -> Vec<$crate::table::Value> {
                vec![$($crate::row::Cell::into_value(self.$field),)+]
            }

            fn from_values(values: Vec<$crate::table::Value>) -> Result<Self, String> {
                let mut values = values.into_iter();
                Ok(Self {$(
                    $field: values
                        .next()
                        .and_then($crate::row::Cell::from_value)
                        .ok_or(concat!(
                            $table, ".", stringify!($field), " is not as it was written"
                        ))?,
                )+})
            }
        }
    };
}
pub(crate) use row;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::Row;

    row! {
        /// A visit.
        struct Visit in "visits", keys 1, append_only false {
            /// Which one.
            id: Uuid,
            /// When, if it is known.
            day: Option<Date>,
            /// Whatever was
            /// noted.
            notes: Document<Vec<String>>,
        }
        indexes &[]
    }

    #[test]
    fn a_row_reads_back_from_its_values() {
        let visit = Visit {
            id: Uuid::from_u128(7),
            day: Some("2026-05-01".parse().unwrap()),
            notes: Document(vec!["a".to_owned()]),
        };

        let values = visit.clone().into_values();

        assert_eq!(values[2], Value::Json(r#"["a"]"#.to_owned()));
        assert_eq!(Visit::from_values(values), Ok(visit));
        assert!(Visit::TABLE.columns[1].nullable && !Visit::TABLE.columns[0].nullable);
        assert_eq!(Visit::TABLE.columns[2].comment, " Whatever was noted.");
    }

    #[test]
    fn values_of_another_shape_are_no_row() {
        let refusal = Visit::from_values(vec![Value::Integer(1)]).unwrap_err();

        assert_eq!(refusal, "visits.id is not as it was written");
    }
}
