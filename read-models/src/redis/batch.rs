//! A batch as the arguments of its script.

use redis::Script;

use super::codec::{instant_text, member, row_text};
use super::connection::Connection;
use crate::projection::encode_key;
use crate::store::{Applied, Changes, Generation, ReadStoreError, TableChange};
use crate::sum::TableSum;
use crate::table::{IndexKind, Table};

/// Rows of one batch. The server does nothing else while it writes one: this takes about 0.1 s.
const ROWS_MAX: usize = 20_000;
/// Bytes of one batch.
const BYTES_MAX: usize = 32 * 1024 * 1024;

/// Writes the batch, all of it or nothing.
pub(super) async fn apply(
    connection: &Connection,
    script: &Script,
    changes: &Changes<'_>,
) -> Result<Applied, ReadStoreError> {
    let generation = changes.generation;
    let rows: usize = changes.tables.iter().map(|change| change.rows.len()).sum();
    if rows > ROWS_MAX {
        return Err(too_large(&format!("{rows} rows, over {ROWS_MAX}")));
    }
    let keys = &connection.keys;
    let mut names: Vec<String> =
        ["state", "sums", "parked"].map(|kind| keys.of(kind, generation)).into();
    let mut arguments = Arguments::default();
    arguments.text(&changes.expected.to_string());
    arguments.text(&changes.next.to_string());
    arguments.text(changes.expected_continuity);
    arguments.text(changes.continuity);
    arguments.text(&instant_text(changes.last_event_at));
    arguments.count(changes.tables.len());
    for change in &changes.tables {
        let table = change.table;
        names.push(keys.rows(generation, table.name));
        let indexes = ordered(table).map(|(index, _)| keys.index(generation, table.name, index));
        names.extend(indexes);
        arguments.table(change);
    }
    arguments.count(changes.parked.len());
    for parked in &changes.parked {
        arguments.text(&parked.stream);
        let (partition, offset) = (parked.position.partition, parked.position.offset);
        arguments.text(&format!("{partition} {offset} {}", parked.reason));
    }
    arguments.count(changes.unparked.len());
    changes.unparked.iter().for_each(|stream| arguments.text(stream));
    if arguments.bytes > BYTES_MAX {
        return Err(too_large(&format!("{} bytes, over {BYTES_MAX}", arguments.bytes)));
    }
    let said: Vec<String> = connection.run(script, &names, &arguments.all).await?;
    outcome(&said, generation)
}

fn outcome(said: &[String], generation: &Generation) -> Result<Applied, ReadStoreError> {
    let said: Vec<&str> = said.iter().map(String::as_str).collect();
    match said.as_slice() {
        ["committed"] => Ok(Applied::Committed),
        ["superseded"] => Ok(Applied::Superseded),
        ["unknown"] => Err(ReadStoreError::unknown(generation)),
        ["no table", name] => {
            Err(ReadStoreError::Refused(format!("{generation} has no table {name}")))
        }
        other => Err(ReadStoreError::corrupt(other.join(": "))),
    }
}

/// A batch that is too large is refused: the runner then folds it in smaller ones.
fn too_large(what: &str) -> ReadStoreError {
    ReadStoreError::Refused(format!("a batch for Redis has {what}"))
}

/// The ordered indexes of a table.
pub(super) fn ordered(
    table: &Table,
) -> impl Iterator<Item = (&'static str, &'static [&'static str])> + '_ {
    table.indexes.iter().filter_map(|index| match index.kind {
        IndexKind::Ordered(columns) => Some((index.name, columns)),
        IndexKind::Present(_) | IndexKind::FullText(_) | IndexKind::Json(_) => None,
    })
}

#[derive(Default)]
struct Arguments {
    all: Vec<Vec<u8>>,
    bytes: usize,
}

impl Arguments {
    fn bytes(&mut self, bytes: Vec<u8>) {
        self.bytes += bytes.len();
        self.all.push(bytes);
    }

    fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes().to_vec());
    }

    fn count(&mut self, count: usize) {
        self.text(&count.to_string());
    }

    /// One table: what its sum changes by; its new, changed and deleted rows; then of each index
    /// the members that go and those that come.
    fn table(&mut self, change: &TableChange) {
        let table = change.table;
        let delta = TableSum::of_changes(&change.rows);
        self.text(table.name);
        self.text(&delta.rows.to_string());
        self.text(&format!("{:032x}", delta.sum));
        let of = |before: bool, after: bool| {
            let rows = change.rows.iter();
            rows.filter(move |r| r.before.is_some() == before && r.after.is_some() == after)
        };
        for (before, after) in [(false, true), (true, true)] {
            self.count(of(before, after).count());
            for values in of(before, after).filter_map(|row| row.after.as_ref()) {
                self.bytes(encode_key(&values[..table.key_columns]));
                self.text(&row_text(values));
            }
        }
        self.count(of(true, false).count());
        for values in of(true, false).filter_map(|row| row.before.as_ref()) {
            self.bytes(encode_key(&values[..table.key_columns]));
        }
        self.count(ordered(table).count());
        for (_, columns) in ordered(table) {
            let (mut gone, mut come) = (Vec::new(), Vec::new());
            for row in &change.rows {
                let before = row.before.as_ref().map(|row| member(table, columns, row));
                let after = row.after.as_ref().map(|row| member(table, columns, row));
                if before != after {
                    gone.extend(before);
                    come.extend(after);
                }
            }
            self.count(gone.len());
            gone.into_iter().for_each(|member| self.bytes(member));
            self.count(come.len());
            for member in come {
                self.text("0");
                self.bytes(member);
            }
        }
    }
}
