//! The contract of a read store as tests: every store passes all of them.
//!
//! `read_store_contract!(world)` makes one test of each case, where `world` is an asynchronous
//! function that gives an `Option` of a [`StoreWorld`](super::worlds::StoreWorld).

mod batches;
mod lifecycle;

use std::collections::BTreeMap;

use domain::{Position, PositionVector, Timestamp};
use uuid::Uuid;

pub use batches::*;
pub use lifecycle::*;

use crate::projection::{RowChange, RowKey, encode_key};
use crate::store::{Applied, Changes, Generation, ReadStore, ReadStoreError, TableChange};
use crate::sum::TableSum;
use crate::table::{Column, ColumnType, Index, IndexKind, Table, Value};

/// Makes a test of every case of the contract.
#[macro_export]
macro_rules! read_store_contract {
    ($world:path) => {
        $crate::read_store_contract!(@cases $world:
            a_new_generation_is_empty_and_the_first_is_live,
            creating_twice_at_once_creates_once,
            preparing_twice_at_once_is_safe,
            a_batch_moves_rows_vector_and_continuity_together,
            a_failed_batch_leaves_nothing,
            of_two_writers_on_one_vector_one_is_superseded,
            rows_are_inserted_updated_and_deleted,
            every_value_reads_back_as_written,
            sums_follow_every_change,
            what_no_store_can_hold_is_refused_and_nothing_written,
            parked_streams_keep_their_first_reason_until_they_are_replayed,
            a_batch_on_another_continuity_is_superseded,
            a_generation_that_is_behind_is_not_promoted,
            the_live_pointer_moves_forth_and_back,
            a_generation_is_indexed_after_it_was_filled,
            a_live_generation_is_not_dropped,
            a_dropped_generation_is_gone_for_good,
            many_keys_and_large_batches_are_taken,
            reopening_keeps_everything,
            an_unknown_generation_is_refused,
            tables_that_the_store_cannot_serve_are_refused,
            texts_in_an_index_are_bounded_alike_everywhere,
        );
    };
    (@cases $world:path: $($case:ident,)+) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $case() {
            if let Some(world) = $world().await {
                $crate::testing::store_suite::$case(&world).await;
            }
        }
    )+};
}

const fn column(name: &'static str, column_type: ColumnType, nullable: bool) -> Column {
    Column { name, column_type, nullable, comment: "It's a column of a test" }
}

const TIME: Index = Index { name: "time", kind: IndexKind::Ordered(&["happened_at", "number"]) };

/// A table with every type of column, and a key of two.
pub const SAMPLES: &Table = &Table {
    name: "samples",
    comment: "Every type of column",
    columns: SAMPLE_COLUMNS,
    key_columns: 2,
    indexes: &[
        TIME,
        Index { name: "words", kind: IndexKind::FullText("words") },
        Index { name: "document", kind: IndexKind::Json("document") },
    ],
    append_only: false,
};

/// The same table for stores that do not search for words.
const WORDLESS_SAMPLES: &Table = &Table { indexes: &[TIME], ..*SAMPLES };

const SAMPLE_COLUMNS: &[Column] = &[
    column("kind", ColumnType::Text, false),
    column("number", ColumnType::Integer, false),
    column("flag", ColumnType::Bool, true),
    column("amount", ColumnType::Integer, true),
    column("title", ColumnType::Text, true),
    column("owner", ColumnType::Uuid, true),
    column("happened_at", ColumnType::Timestamp, true),
    column("day", ColumnType::Date, true),
    column("document", ColumnType::Json, true),
    column("digest", ColumnType::Digest, true),
    column("words", ColumnType::Text, false),
];

/// A table whose rows are only inserted.
pub const ENTRIES: &Table = &Table {
    name: "entries",
    comment: "Lines that never change",
    columns: &[
        column("number", ColumnType::Integer, false),
        column("line", ColumnType::Text, false),
    ],
    key_columns: 1,
    indexes: &[],
    append_only: true,
};

/// Both tables.
pub const TABLES: &[&Table] = &[ENTRIES, SAMPLES];

/// Both, as the store can serve them.
fn tables(store: &dyn ReadStore) -> &'static [&'static Table] {
    if store.capabilities().full_text { TABLES } else { &[ENTRIES, WORDLESS_SAMPLES] }
}

fn generation(number: u32) -> Generation {
    Generation { projection: "suite".to_owned(), number }
}

fn sample(number: i64, title: &str) -> Vec<Value> {
    vec![
        Value::Text("plain".to_owned()),
        Value::Integer(number),
        Value::Bool(number % 2 == 0),
        Value::Null,
        Value::Text(title.to_owned()),
        Value::Uuid(Uuid::from_u128(number.unsigned_abs().into())),
        Value::Timestamp(Timestamp::from_micros(number)),
        Value::Date(7),
        Value::Json(format!(r#"{{"a":{number},"long_key":[true]}}"#)),
        Value::Digest([9; 32]),
        Value::Text(title.to_lowercase()),
    ]
}

fn entry(number: i64) -> RowChange {
    let line = Value::Text(format!("line {number}"));
    RowChange { before: None, after: Some(vec![Value::Integer(number), line]) }
}

fn sample_key(number: i64) -> RowKey {
    let key = vec![Value::Text("plain".to_owned()), Value::Integer(number)];
    RowKey { table: SAMPLES, key }
}

/// A writer as the runner is one: it knows the rows and the vector that it stands on.
struct Writer<'s> {
    store: &'s dyn ReadStore,
    generation: Generation,
    vector: PositionVector,
    rows: BTreeMap<Vec<u8>, Vec<Value>>,
}

impl<'s> Writer<'s> {
    async fn create(store: &'s dyn ReadStore, number: u32) -> Self {
        let generation = generation(number);
        store.create(&generation, 1, tables(store)).await.unwrap();
        Self { store, generation, vector: PositionVector::empty(), rows: BTreeMap::new() }
    }

    /// Writes samples, inserting or updating, and deletes others.
    async fn write(&mut self, rows: Vec<Vec<Value>>, deleted: &[i64]) {
        let mut changes = Vec::new();
        for after in rows {
            let before = self.rows.insert(encode_key(&after[..2]), after.clone());
            changes.push(RowChange { before, after: Some(after) });
        }
        for number in deleted {
            let before = self.rows.remove(&encode_key(&sample_key(*number).key));
            changes.push(RowChange { before, after: None });
        }
        let applied = self.apply(vec![TableChange { table: SAMPLES, rows: changes }]).await;
        assert_eq!(applied.unwrap(), Applied::Committed);
    }

    /// Applies changes and moves on by one event.
    async fn apply(&mut self, tables: Vec<TableChange>) -> Result<Applied, ReadStoreError> {
        let mut next = self.vector.clone();
        let offset = next.offset(0).unwrap_or(0) + 1;
        next.advance(Position { partition: 0, offset });
        let changes = Changes { tables, ..self.empty(&next) };
        let applied = self.store.apply(changes).await?;
        if applied == Applied::Committed {
            self.vector = next;
        }
        Ok(applied)
    }

    fn empty<'a>(&'a self, next: &'a PositionVector) -> Changes<'a> {
        Changes {
            generation: &self.generation,
            expected: &self.vector,
            next,
            expected_continuity: if self.vector == PositionVector::empty() { "" } else { "kept" },
            continuity: "kept",
            last_event_at: None,
            tables: Vec::new(),
            parked: Vec::new(),
            unparked: Vec::new(),
        }
    }

    async fn load(&self, numbers: impl IntoIterator<Item = i64>) -> Vec<Vec<Value>> {
        let keys: Vec<_> = numbers.into_iter().map(sample_key).collect();
        let mut rows = self.store.load(&self.generation, SAMPLES, &keys).await.unwrap();
        rows.sort_by_key(|row| encode_key(row));
        rows
    }

    /// The store's sums, the recomputed ones, and those of the rows that were written, are equal.
    async fn check_sums(&self) {
        let (vector, kept) = self.store.sums(&self.generation).await.unwrap();
        let (_, computed) = self.store.recompute_sums(&self.generation, TABLES).await.unwrap();
        let mut expected = TableSum::default();
        self.rows.values().for_each(|row| expected.insert(row));

        assert_eq!(vector, self.vector);
        assert_eq!(kept, computed);
        assert_eq!(kept[1], ("samples".to_owned(), expected));
    }
}
