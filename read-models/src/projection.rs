//! The shape of a projection: a name, a version, tables, and a pure fold.
//!
//! The runner collects the keys that a batch of events touches, loads those rows at once (and,
//! where rows name further ones, those), folds the events one after another, and writes what
//! changed. So a fold never waits for a database, and a row that a batch touches a hundred times is
//! loaded and written once.

use std::collections::BTreeMap;

use domain::RecordedEvent;

use crate::check::check_row;
use crate::table::{Row, Table, Value};

/// A fold from events to rows. It never sees a database, a clock or the network.
///
/// Order holds inside a stream and nowhere else: the rows must come out the same for every
/// interleaving of streams that keeps each stream's own order.
pub trait Projection: Send + Sync + 'static {
    /// Its name, `itineraries`.
    fn name(&self) -> &'static str;

    /// Raised when the same events give other rows or columns.
    fn version(&self) -> u32;

    /// Its tables.
    fn tables(&self) -> &'static [&'static Table];

    /// Where its tables belong in a distributed deployment; embedded, all are in one `SQLite` file.
    fn home(&self) -> Home {
        Home::Postgres
    }

    /// Whether each of its rows belongs to one stream, so that it may be split by partition.
    fn keyed_by_stream(&self) -> bool;

    /// The rows that folding the event reads, pushed onto `keys`. Rows of append-only tables are
    /// never read.
    fn keys(&self, event: &RecordedEvent, keys: &mut Vec<RowKey>);

    /// Further rows that folding the event reads, known from those of [`Projection::keys`] alone.
    /// Asked once the rows of the whole batch are at hand as the store has them: a row that an
    /// earlier event of the batch makes or changes is not seen here, so that event has to name by
    /// itself whatever follows from what it writes.
    fn further_keys(&self, _rows: &Rows, _event: &RecordedEvent, _keys: &mut Vec<RowKey>) {}

    /// Whether the same questions are answered without it: its failing is worth a warning alone.
    fn dispensable(&self) -> bool {
        false
    }

    /// Folds one event. Only rows named by [`Projection::keys`] or [`Projection::further_keys`] can
    /// be read.
    fn fold(&self, rows: &mut Rows, event: &RecordedEvent);
}

/// Where the tables of a projection belong when there are several databases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Home {
    /// The server database.
    Postgres,
    /// `MySQL` or `MariaDB`, and nowhere else.
    Mysql,
    /// The server database, and a copy in Redis where there is one, which is asked first. The copy
    /// is run, rebuilt and verified like a projection of its own.
    Redis {
        /// The name that operators call the copy by.
        copy: &'static str,
    },
}

/// The copy in Redis of a projection: the same fold under a name of its own.
pub struct HotCopy {
    name: &'static str,
    of: Box<dyn Projection>,
}

impl HotCopy {
    /// The copy, if the projection wants one.
    #[must_use]
    pub fn of(projection: Box<dyn Projection>) -> Option<Self> {
        match projection.home() {
            Home::Redis { copy } => Some(Self { name: copy, of: projection }),
            Home::Postgres | Home::Mysql => None,
        }
    }
}

impl Projection for HotCopy {
    fn name(&self) -> &'static str {
        self.name
    }

    fn version(&self) -> u32 {
        self.of.version()
    }

    fn tables(&self) -> &'static [&'static Table] {
        self.of.tables()
    }

    fn home(&self) -> Home {
        self.of.home()
    }

    fn keyed_by_stream(&self) -> bool {
        self.of.keyed_by_stream()
    }

    fn keys(&self, event: &RecordedEvent, keys: &mut Vec<RowKey>) {
        self.of.keys(event, keys);
    }

    fn further_keys(&self, rows: &Rows, event: &RecordedEvent, keys: &mut Vec<RowKey>) {
        self.of.further_keys(rows, event, keys);
    }

    fn dispensable(&self) -> bool {
        true
    }

    fn fold(&self, rows: &mut Rows, event: &RecordedEvent) {
        self.of.fold(rows, event);
    }
}

/// A row of a table by its key values.
#[derive(Clone, Debug, PartialEq)]
pub struct RowKey {
    /// The table.
    pub table: &'static Table,
    /// Its key columns' values.
    pub key: Vec<Value>,
}

/// The rows at hand while a batch is folded: loaded ones, and what became of them.
#[derive(Debug, Default)]
pub struct Rows {
    tables: BTreeMap<&'static str, TableRows>,
    rejected: Option<String>,
}

/// The rows at hand of one table.
#[derive(Debug)]
pub struct TableRows {
    table: &'static Table,
    rows: BTreeMap<Vec<u8>, Slot>,
}

#[derive(Debug)]
struct Slot {
    /// As the store has it.
    before: Option<Vec<Value>>,
    /// As it shall be.
    after: Option<Vec<Value>>,
}

impl Rows {
    /// Whether the row is at hand already, loaded or written by an earlier event of the batch.
    #[must_use]
    pub fn holds(&self, key: &RowKey) -> bool {
        self.tables
            .get(key.table.name)
            .is_some_and(|table| table.rows.contains_key(&encode_key(&key.key)))
    }

    /// Puts a row at hand as the store has it (nothing when it has none).
    pub fn load(&mut self, key: &RowKey, row: Option<Vec<Value>>) {
        let slot = Slot { before: row.clone(), after: row };
        self.table(key.table).rows.insert(encode_key(&key.key), slot);
    }

    /// The row as it is after the events folded so far.
    ///
    /// # Panics
    /// When the key was not named by the projection, or the stored values are not such a row:
    /// both are defects that the runner turns into a parked stream.
    #[must_use]
    pub fn read<R: Row>(&self, key: &[Value]) -> Option<R> {
        let slot = self
            .tables
            .get(R::TABLE.name)
            .and_then(|table| table.rows.get(&encode_key(key)))
            .expect("a fold reads only rows whose keys it named");
        slot.after.clone().map(|values| {
            R::from_values(values).expect("a store returns rows as they were written")
        })
    }

    /// Writes the row, whether it was there or not. A row that no store could hold is rejected: see
    /// [`Rows::rejected`].
    ///
    /// # Panics
    /// When its key was not named by the projection (but for append-only tables): what a table
    /// holds could then not be summed.
    pub fn write<R: Row>(&mut self, row: R) {
        let values = row.into_values();
        if let Err(reason) = check_row(R::TABLE, &values) {
            self.rejected.get_or_insert(reason);
            return;
        }
        let key = encode_key(&values[..R::TABLE.key_columns]);
        let rows = &mut self.table(R::TABLE).rows;
        let slot = if R::TABLE.append_only {
            rows.entry(key).or_insert(Slot { before: None, after: None })
        } else {
            rows.get_mut(&key).expect("a fold writes only rows whose keys it named")
        };
        slot.after = Some(values);
    }

    /// Deletes the row, if it is there.
    ///
    /// # Panics
    /// As [`Rows::write`].
    pub fn delete<R: Row>(&mut self, key: &[Value]) {
        self.table(R::TABLE)
            .rows
            .get_mut(&encode_key(key))
            .expect("a fold deletes only rows whose keys it named")
            .after = None;
    }

    /// Why a row that was written cannot be stored, if there was one. The runner asks after each
    /// event and parks the event's stream, as after a panic.
    #[must_use]
    pub fn rejected(&self) -> Option<&str> {
        self.rejected.as_deref()
    }

    /// What changed since the rows were loaded, by table, in key order.
    pub fn changes(self) -> impl Iterator<Item = (&'static Table, Vec<RowChange>)> {
        self.tables.into_values().map(|table| {
            let changed = table.rows.into_values().filter(|slot| slot.before != slot.after);
            let changes =
                changed.map(|slot| RowChange { before: slot.before, after: slot.after }).collect();
            (table.table, changes)
        })
    }

    fn table(&mut self, table: &'static Table) -> &mut TableRows {
        self.tables.entry(table.name).or_insert_with(|| TableRows { table, rows: BTreeMap::new() })
    }
}

/// What became of one row in a batch: inserted, updated or deleted.
#[derive(Clone, Debug, PartialEq)]
pub struct RowChange {
    /// As the store has it.
    pub before: Option<Vec<Value>>,
    /// As it shall be.
    pub after: Option<Vec<Value>>,
}

/// An unambiguous, ordered encoding of key values.
pub(crate) fn encode_key(key: &[Value]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(24 * key.len());
    for value in key {
        match value {
            Value::Null => bytes.push(0),
            Value::Bool(flag) => bytes.extend([1, u8::from(*flag)]),
            Value::Integer(number) => {
                bytes.push(2);
                bytes.extend((number ^ i64::MIN).to_be_bytes());
            }
            Value::Text(text) | Value::Json(text) => {
                bytes.push(3);
                bytes.extend(text.as_bytes());
                bytes.push(0);
            }
            Value::Uuid(id) => {
                bytes.push(4);
                bytes.extend(id.as_bytes());
            }
            Value::Timestamp(instant) => {
                bytes.push(5);
                bytes.extend((instant.micros() ^ i64::MIN).to_be_bytes());
            }
            Value::Date(days) => {
                bytes.push(6);
                bytes.extend((days ^ i32::MIN).to_be_bytes());
            }
            Value::Digest(digest) => {
                bytes.push(7);
                bytes.extend(digest);
            }
        }
    }
    bytes
}
