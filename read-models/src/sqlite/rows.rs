//! Rows in `SQLite`: loading by key, applying a batch, and what tables sum up to.

use domain::{PositionVector, Timestamp};
use rusqlite::{
    Connection, OptionalExtension, Transaction, TransactionBehavior, params, params_from_iter,
};

use super::catalog;
use super::threads::fault;
use super::values::{read_row, types};
use crate::store::{Applied, Generation, ParkedStream, ReadStoreError, TableChange};
use crate::sum::TableSum;
use crate::table::{Table, Value};

type Outcome<T> = Result<T, ReadStoreError>;

/// A batch that owns what it needs on the writer's thread.
pub(super) struct Batch {
    pub(super) generation: Generation,
    pub(super) expected: PositionVector,
    pub(super) expected_continuity: String,
    pub(super) next: PositionVector,
    pub(super) continuity: String,
    pub(super) last_event_at: Option<Timestamp>,
    pub(super) tables: Vec<TableChange>,
    pub(super) parked: Vec<ParkedStream>,
    pub(super) unparked: Vec<String>,
}

/// The rows with these keys.
pub(super) fn load(
    connection: &Connection,
    generation: &Generation,
    table: &Table,
    keys: &[Vec<Value>],
) -> Outcome<Vec<Vec<Value>>> {
    let sql = format!(
        "SELECT {} FROM \"{}\" WHERE {}",
        columns(table),
        generation.physical_name(table.name),
        key_condition(table)
    );
    let mut statement = connection.prepare_cached(&sql).map_err(fault)?;
    let mut rows = Vec::with_capacity(keys.len());
    for key in keys {
        let mut found = statement.query(params_from_iter(key)).map_err(fault)?;
        if let Some(row) = found.next().map_err(fault)? {
            rows.push(read_row(row, types(table.columns))?);
        }
    }
    Ok(rows)
}

/// Writes the batch, all of it or nothing.
pub(super) fn apply(connection: &mut Connection, batch: &Batch) -> Outcome<Applied> {
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(fault)?;
    let generation = &batch.generation;
    let moved = tx
        .prepare_cached(
            "UPDATE waylog_generations SET vector = ?4, continuity = ?5, \
             last_event_at = max(coalesce(last_event_at, ?6), coalesce(?6, last_event_at)) \
             WHERE projection = ?1 AND number = ?2 AND vector = ?3 AND dropped = 0 \
             AND continuity = ?7",
        )
        .and_then(|mut statement| {
            statement.execute(params![
                generation.projection,
                generation.number,
                batch.expected.to_string(),
                batch.next.to_string(),
                batch.continuity,
                batch.last_event_at.map(Timestamp::micros),
                batch.expected_continuity,
            ])
        })
        .map_err(fault)?;
    if moved == 0 {
        let known = catalog::state(&tx, generation)?;
        return known
            .map(|_| Applied::Superseded)
            .ok_or_else(|| ReadStoreError::unknown(generation));
    }
    for change in &batch.tables {
        write(&tx, generation, change)?;
        add_to_sum(&tx, generation, change)?;
    }
    park(&tx, batch)?;
    tx.commit().map_err(fault)?;
    Ok(Applied::Committed)
}

fn write(tx: &Transaction<'_>, generation: &Generation, change: &TableChange) -> Outcome<()> {
    let table = change.table;
    let name = generation.physical_name(table.name);
    let key = table.key_columns;
    let places = (1..=table.columns.len()).map(|n| format!("?{n}")).collect::<Vec<_>>().join(", ");
    let insert = format!("INSERT INTO \"{name}\" ({}) VALUES ({places})", columns(table));
    let assignments = table.columns.iter().enumerate().skip(key);
    let assignments: Vec<_> = assignments
        .map(|(index, column)| format!("\"{}\" = ?{}", column.name, index + 1))
        .collect();
    let condition = key_condition(table);
    let update = format!("UPDATE \"{name}\" SET {} WHERE {condition}", assignments.join(", "));
    let delete = format!("DELETE FROM \"{name}\" WHERE {condition}");
    for row in &change.rows {
        let (sql, values) = match (&row.before, &row.after) {
            (None, Some(after)) => (&insert, after.as_slice()),
            // A table of nothing but its key has nothing to update.
            (Some(_), Some(_)) if assignments.is_empty() => continue,
            (Some(_), Some(after)) => (&update, after.as_slice()),
            (Some(before), None) => (&delete, &before[..key]),
            (None, None) => continue,
        };
        let mut statement = tx.prepare_cached(sql).map_err(fault)?;
        if statement.execute(params_from_iter(values)).map_err(fault)? != 1 {
            return Err(ReadStoreError::corrupt(format!("{name} lacks a row of {values:?}")));
        }
    }
    Ok(())
}

fn add_to_sum(tx: &Transaction<'_>, generation: &Generation, change: &TableChange) -> Outcome<()> {
    let (number, name) = (generation.number, change.table.name);
    let before = tx
        .prepare_cached(
            "SELECT row_count, sum FROM waylog_table_sums \
             WHERE projection = ?1 AND number = ?2 AND name = ?3",
        )
        .and_then(|mut statement| {
            statement.query_row(params![generation.projection, number, name], read_sum).optional()
        })
        .map_err(fault)?
        .ok_or_else(|| ReadStoreError::Refused(format!("{generation} has no table {name}")))?;
    let after = before.plus(TableSum::of_changes(&change.rows));
    tx.prepare_cached(
        "UPDATE waylog_table_sums SET row_count = ?4, sum = ?5 \
         WHERE projection = ?1 AND number = ?2 AND name = ?3",
    )
    .and_then(|mut statement| {
        let sum = after.sum.to_be_bytes();
        statement.execute(params![generation.projection, number, name, after.rows, sum])
    })
    .map_err(fault)?;
    Ok(())
}

fn park(tx: &Transaction<'_>, batch: &Batch) -> Outcome<()> {
    let generation = &batch.generation;
    for stream in &batch.unparked {
        tx.execute(
            "DELETE FROM waylog_parked_streams \
             WHERE projection = ?1 AND number = ?2 AND stream = ?3",
            params![generation.projection, generation.number, stream],
        )
        .map_err(fault)?;
    }
    for parked in &batch.parked {
        tx.execute(
            "INSERT INTO waylog_parked_streams VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
             ON CONFLICT DO NOTHING",
            params![
                generation.projection,
                generation.number,
                parked.stream,
                parked.position.partition,
                parked.position.offset,
                parked.reason,
            ],
        )
        .map_err(fault)?;
    }
    Ok(())
}

/// Vector and sums, as kept, at one moment.
pub(super) fn sums(
    connection: &mut Connection,
    generation: &Generation,
) -> Outcome<(PositionVector, Vec<(String, TableSum)>)> {
    let tx = connection.transaction().map_err(fault)?;
    let state = catalog::state(&tx, generation)?;
    let state = state.ok_or_else(|| ReadStoreError::unknown(generation))?;
    let sql = "SELECT row_count, sum, name FROM waylog_table_sums \
               WHERE projection = ?1 AND number = ?2 ORDER BY name";
    let mut statement = tx.prepare_cached(sql).map_err(fault)?;
    let read = |row: &rusqlite::Row<'_>| Ok((row.get(2)?, read_sum(row)?));
    let rows = statement
        .query_map(params![generation.projection, generation.number], read)
        .map_err(fault)?;
    Ok((state.vector, rows.collect::<Result<_, _>>().map_err(fault)?))
}

/// Vector and sums, computed from the rows, at one moment.
pub(super) fn recompute_sums(
    connection: &mut Connection,
    generation: &Generation,
    tables: &'static [&'static Table],
) -> Outcome<(PositionVector, Vec<(String, TableSum)>)> {
    let tx = connection.transaction().map_err(fault)?;
    let state = catalog::state(&tx, generation)?;
    let state = state.ok_or_else(|| ReadStoreError::unknown(generation))?;
    let mut sums = Vec::with_capacity(tables.len());
    for table in tables {
        let name = generation.physical_name(table.name);
        let sql = format!("SELECT {} FROM \"{name}\"", columns(table));
        let mut statement = tx.prepare(&sql).map_err(fault)?;
        let mut rows = statement.query([]).map_err(fault)?;
        let mut sum = TableSum::default();
        while let Some(row) = rows.next().map_err(fault)? {
            sum.insert(&read_row(row, types(table.columns))?);
        }
        sums.push((table.name.to_owned(), sum));
    }
    sums.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    Ok((state.vector, sums))
}

fn read_sum(row: &rusqlite::Row<'_>) -> rusqlite::Result<TableSum> {
    Ok(TableSum { rows: row.get(0)?, sum: u128::from_be_bytes(row.get(1)?) })
}

fn columns(table: &Table) -> String {
    let names = table.columns.iter().map(|column| format!("\"{}\"", column.name));
    names.collect::<Vec<_>>().join(", ")
}

fn key_condition(table: &Table) -> String {
    let key = table.columns[..table.key_columns].iter().enumerate();
    let parts = key.map(|(index, column)| format!("\"{}\" = ?{}", column.name, index + 1));
    parts.collect::<Vec<_>>().join(" AND ")
}
