//! Projections run in memory, and the property that every projection must have.

use std::collections::BTreeMap;

use domain::{PositionVector, RecordedEvent};
use proptest::prelude::*;
use uuid::Uuid;

use super::samples::{OPENINGS, SampleLog, any_event};
use crate::check::check_row;
use crate::projection::{Projection, RowChange, RowKey, Rows, encode_key};
use crate::sum::TableSum;
use crate::table::{Row, Table, Value};

type TableRows = BTreeMap<Vec<u8>, Vec<Value>>;

/// Tables and a vector in memory: a read store without a database.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MemoryTables {
    tables: BTreeMap<&'static str, TableRows>,
    vector: PositionVector,
}

impl MemoryTables {
    /// Folds a batch as a runner would: events at or before the vector are skipped.
    ///
    /// # Panics
    /// When the projection breaks its contract: it writes a row that no store can hold, or one of
    /// an
    /// append-only table twice.
    pub fn fold(&mut self, projection: &dyn Projection, events: &[RecordedEvent]) {
        let new: Vec<_> =
            events.iter().filter(|event| !self.vector.includes(event.position)).collect();
        let mut rows = Rows::default();
        let mut keys = Vec::new();
        new.iter().for_each(|event| projection.keys(event, &mut keys));
        self.load(&mut rows, &keys);
        keys.clear();
        new.iter().for_each(|event| projection.further_keys(&rows, event, &mut keys));
        self.load(&mut rows, &keys);
        for event in new {
            projection.fold(&mut rows, event);
            assert_eq!(rows.rejected(), None, "after {event:?}");
            self.vector.advance(event.position);
        }
        rows.changes().for_each(|(table, changes)| self.apply(table, changes));
    }

    fn load(&self, rows: &mut Rows, keys: &[RowKey]) {
        for key in keys {
            assert!(!key.table.append_only, "{} is never read", key.table.name);
            if !rows.holds(key) {
                let stored = self.tables.get(key.table.name);
                rows.load(key, stored.and_then(|table| table.get(&encode_key(&key.key))).cloned());
            }
        }
    }

    fn apply(&mut self, table: &'static Table, changes: Vec<RowChange>) {
        let rows = self.tables.entry(table.name).or_default();
        for change in changes {
            let row = change.after.as_ref().or(change.before.as_ref()).expect("a change of a row");
            let key = encode_key(&row[..table.key_columns]);
            let before = match &change.after {
                Some(after) => {
                    check_row(table, after).expect("every store can hold the row");
                    rows.insert(key, after.clone())
                }
                None => rows.remove(&key),
            };
            assert_eq!(before, change.before, "{} changed behind its fold", table.name);
        }
    }

    /// The rows of one table, in key order.
    ///
    /// # Panics
    /// When a row does not read back.
    #[must_use]
    pub fn rows<R: Row>(&self) -> Vec<R> {
        let rows = self.tables.get(R::TABLE.name).into_iter().flat_map(BTreeMap::values);
        rows.map(|row| R::from_values(row.clone()).expect("a row reads back")).collect()
    }

    /// What a store should say that the table holds.
    #[must_use]
    pub fn sum(&self, table: &str) -> TableSum {
        let mut sum = TableSum::default();
        self.tables
            .get(table)
            .into_iter()
            .flat_map(BTreeMap::values)
            .for_each(|row| sum.insert(row));
        sum
    }
}

/// The rows of a projection after these events, folded in one batch.
#[must_use]
pub fn rows_after<R: Row>(projection: &dyn Projection, events: &[RecordedEvent]) -> Vec<R> {
    let mut tables = MemoryTables::default();
    tables.fold(projection, events);
    tables.rows()
}

/// One way in which a log's events may reach a projection.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Events in an order that keeps every stream's own.
    pub events: Vec<RecordedEvent>,
    /// Where batches end, and whether everything so far is delivered again before going on.
    pub cuts: Vec<(prop::sample::Index, bool)>,
}

impl Delivery {
    /// Folds the events as they are delivered.
    #[must_use]
    pub fn fold(&self, projection: &dyn Projection) -> MemoryTables {
        let mut cuts: Vec<_> = self
            .cuts
            .iter()
            .map(|(cut, repeat)| (cut.index(self.events.len() + 1), *repeat))
            .collect();
        cuts.sort_unstable();
        let mut tables = MemoryTables::default();
        let mut from = 0;
        for (cut, repeat) in cuts {
            tables.fold(projection, &self.events[from..cut]);
            from = if repeat { 0 } else { cut };
        }
        tables.fold(projection, &self.events[from..]);
        tables
    }
}

/// Random histories of a few streams, each in its own partition, delivered in a random way, beside
/// the same events stream by stream.
pub fn deliveries() -> impl Strategy<Value = (Vec<RecordedEvent>, Delivery)> {
    let history = prop::collection::vec((any::<u8>(), any::<u8>()), 1..25);
    let histories = prop::collection::vec(history, 1..4);
    let turns = prop::collection::vec(any::<prop::sample::Index>(), 75);
    let cuts = prop::collection::vec(any::<(prop::sample::Index, bool)>(), 0..12);
    (histories, turns, cuts).prop_map(|(histories, turns, cuts)| {
        let events = recorded(&histories);
        let mut streams: Vec<Vec<RecordedEvent>> = Vec::new();
        for partition in 0..histories.len() {
            let of_stream = |event: &&RecordedEvent| event.position.partition as usize == partition;
            streams.push(events.iter().filter(of_stream).rev().cloned().collect());
        }
        let mut interleaved = Vec::new();
        for turn in turns {
            streams.retain(|stream| !stream.is_empty());
            if streams.is_empty() {
                break;
            }
            let at = turn.index(streams.len());
            interleaved.extend(streams[at].pop());
        }
        (events, Delivery { events: interleaved, cuts })
    })
}

fn recorded(histories: &[Vec<(u8, u8)>]) -> Vec<RecordedEvent> {
    let mut log = SampleLog::new();
    for (partition, history) in (0_u32..).zip(histories) {
        let id = Uuid::from_u128(u128::from(partition) + 1);
        for (nth, (kind, which)) in history.iter().enumerate() {
            // Streams begin with a creation, mostly: a fold refuses nothing.
            let opening = OPENINGS[usize::from(*kind) % OPENINGS.len()];
            let kind = if nth == 0 && which % 8 != 0 { opening } else { *kind };
            log.append(partition, id, Uuid::from_u128(0xB0), any_event(kind, *which, id));
        }
    }
    log.into_events()
}

/// Fails unless the projection gives the same rows for the delivery as for the events stream by
/// stream, one event a batch.
///
/// # Errors
/// What differs.
pub fn check_order_does_not_matter(
    projection: &dyn Projection,
    events: &[RecordedEvent],
    delivery: &Delivery,
) -> Result<(), TestCaseError> {
    let mut expected = MemoryTables::default();
    for event in events {
        expected.fold(projection, std::slice::from_ref(event));
    }
    prop_assert_eq!(delivery.fold(projection), expected, "{}", projection.name());
    Ok(())
}
