//! Rows in `MySQL`: loading by key, applying a batch, and what tables sum up to.
//!
//! A batch knows which rows are new and which were there, so nothing is an upsert: a changed row is
//! taken away and put in anew, and both have to find what the batch says.

use std::collections::BTreeSet;

use domain::PositionVector;
use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Params, Transaction, Value as Native};

use super::catalog;
use super::ddl::{column_list, full_text, words_table};
use super::pool::{Limits, bound, fault, snapshot, writing};
use super::statements::{by_keys, each_once, execute, parameters, places, slices};
use super::values::{parameter, read_row};
use crate::projection::{RowChange, RowKey};
use crate::store::{Applied, Changes, Generation, ReadStoreError, TableChange};
use crate::sum::TableSum;
use crate::table::{Column, Table, Value};

type Outcome<T> = Result<T, ReadStoreError>;

/// The rows with these keys.
pub(super) async fn load(
    connection: &mut Conn,
    generation: &Generation,
    table: &Table,
    keys: &[RowKey],
) -> Outcome<Vec<Vec<Value>>> {
    let columns = column_list(names(table.columns));
    let name = generation.physical_name(table.name);
    let keys: Vec<Vec<&Value>> = keys.iter().map(|key| key.key.iter().collect()).collect();
    let mut rows = Vec::with_capacity(keys.len());
    for slice in slices(&keys, table.key_columns) {
        let condition = by_keys(names(table.key()), slice.len());
        let sql =
            format!("SELECT {columns} FROM \"{name}\" FORCE INDEX (PRIMARY) WHERE {condition}");
        let found: Vec<mysql_async::Row> =
            connection.exec(sql, Params::Positional(parameters(slice))).await.map_err(fault)?;
        for row in found {
            rows.push(read_row(row, types(table))?);
        }
    }
    Ok(rows)
}

/// Writes the batch, all of it or nothing: what goes wrong ends the connection, and with it the
/// transaction.
pub(super) async fn apply(connection: &mut Conn, changes: &Changes<'_>) -> Outcome<Applied> {
    let mut tx = connection.start_transaction(writing()).await.map_err(fault)?;
    if !move_vector(&mut tx, changes).await? {
        catalog::vector(&mut tx, changes.generation).await?;
        tx.rollback().await.map_err(fault)?;
        return Ok(Applied::Superseded);
    }
    for change in &changes.tables {
        write(&mut tx, changes.generation, change).await?;
        for (index, column) in full_text(change.table) {
            let words = words_table(changes.generation, change.table, index);
            write_words(&mut tx, &words, change, column).await?;
        }
        add_to_sum(&mut tx, changes.generation, change).await?;
    }
    park(&mut tx, changes).await?;
    tx.commit().await.map_err(fault)?;
    Ok(Applied::Committed)
}

/// Compares and sets the vector; whoever else is writing is waited for here.
async fn move_vector(tx: &mut Transaction<'_>, changes: &Changes<'_>) -> Outcome<bool> {
    let newest = parameter(&catalog::instant(changes.last_event_at));
    let parameters = vec![
        text(&changes.next.to_string()),
        text(changes.continuity),
        newest.clone(),
        newest.clone(),
        newest,
        text(&changes.generation.projection),
        Native::Int(i64::from(changes.generation.number)),
        text(&changes.expected.to_string()),
        text(changes.expected_continuity),
    ];
    let sql = "UPDATE waylog_generations SET vector = ?, continuity = ?, last_event_at = \
               CASE WHEN ? IS NULL OR last_event_at >= ? THEN last_event_at ELSE ? END \
               WHERE projection = ? AND number = ? AND vector = ? AND continuity = ? \
               AND dropped = FALSE";
    Ok(execute(tx, sql, parameters).await? == 1)
}

async fn write(
    tx: &mut Transaction<'_>,
    generation: &Generation,
    change: &TableChange,
) -> Outcome<()> {
    let table = change.table;
    let name = generation.physical_name(table.name);
    let gone: Vec<Vec<&Value>> = change
        .rows
        .iter()
        .filter_map(|row| row.before.as_ref())
        .map(|before| before[..table.key_columns].iter().collect())
        .collect();
    let delete =
        |rows| format!("DELETE FROM \"{name}\" WHERE {}", by_keys(names(table.key()), rows));
    each_once(tx, &gone, table.key_columns, delete).await?;
    let come: Vec<Vec<&Value>> = change
        .rows
        .iter()
        .filter_map(|row| row.after.as_ref())
        .map(|after| after.iter().collect())
        .collect();
    let columns = column_list(names(table.columns));
    let insert = |rows| {
        let places = places(rows, table.columns.len());
        format!("INSERT INTO \"{name}\" ({columns}) VALUES {places}")
    };
    each_once(tx, &come, table.columns.len(), insert).await
}

/// Takes away the words of rows that went or changed, and puts in those of rows that came.
async fn write_words(
    tx: &mut Transaction<'_>,
    name: &str,
    change: &TableChange,
    column: usize,
) -> Outcome<()> {
    let key = change.table.key_columns;
    let (mut gone, mut come) = (Vec::new(), Vec::new());
    let same = |row: &&RowChange| match (&row.before, &row.after) {
        (Some(before), Some(after)) => before[column] == after[column],
        _ => false,
    };
    for row in change.rows.iter().filter(|row| !same(row)) {
        if let Some(before) = &row.before {
            gone.push(before[..key].iter().collect::<Vec<_>>());
        }
        if let Some(after) = &row.after
            && let Value::Text(words) = &after[column]
        {
            let distinct: BTreeSet<&str> = words.split(' ').filter(|w| !w.is_empty()).collect();
            come.extend(distinct.into_iter().map(|word| (Value::Text(word.to_owned()), after)));
        }
    }
    for slice in slices(&gone, key) {
        let condition = by_keys(names(change.table.key()), slice.len());
        let sql = format!("DELETE FROM \"{name}\" WHERE {condition}");
        execute(tx, &sql, parameters(slice)).await?;
    }
    let rows: Vec<Vec<&Value>> =
        come.iter().map(|(word, row)| std::iter::once(word).chain(&row[..key]).collect()).collect();
    let columns = column_list(names(change.table.key()));
    let insert =
        |rows| format!("INSERT INTO \"{name}\" (word, {columns}) VALUES {}", places(rows, key + 1));
    each_once(tx, &rows, key + 1, insert).await
}

async fn add_to_sum(
    tx: &mut Transaction<'_>,
    generation: &Generation,
    change: &TableChange,
) -> Outcome<()> {
    let delta = TableSum::of_changes(&change.rows);
    let name = change.table.name;
    let sql = "UPDATE waylog_table_sums SET row_count = row_count + ?, \
               sum = MOD(sum + CAST(? AS DECIMAL(39, 0)), 340282366920938463463374607431768211456) \
               WHERE projection = ? AND number = ? AND name = ?";
    let parameters = vec![
        Native::Int(delta.rows),
        text(&delta.sum.to_string()),
        text(&generation.projection),
        Native::Int(i64::from(generation.number)),
        text(name),
    ];
    if execute(tx, sql, parameters).await? == 1 {
        Ok(())
    } else {
        Err(ReadStoreError::Refused(format!("{generation} has no table {name}")))
    }
}

async fn park(tx: &mut Transaction<'_>, changes: &Changes<'_>) -> Outcome<()> {
    let generation = changes.generation;
    let key = |stream: &str| {
        let number = Native::Int(i64::from(generation.number));
        vec![text(&generation.projection), number, text(stream)]
    };
    for stream in &changes.unparked {
        let sql = "DELETE FROM waylog_parked_streams \
                   WHERE projection = ? AND number = ? AND stream = ?";
        execute(tx, sql, key(stream)).await?;
    }
    for parked in &changes.parked {
        // The first position and reason stay; only what is there already is passed over.
        let sql = "INSERT INTO waylog_parked_streams \
                   (projection, number, stream, log_partition, log_offset, reason) \
                   VALUES (?, ?, ?, ?, ?, ?) ON DUPLICATE KEY UPDATE stream = stream";
        let mut parameters = key(&parked.stream);
        parameters.extend([
            Native::Int(i64::from(parked.position.partition)),
            Native::Int(parked.position.offset),
            text(&parked.reason),
        ]);
        execute(tx, sql, parameters).await?;
    }
    Ok(())
}

/// Vector and sums, as kept, at one moment.
pub(super) async fn sums(
    connection: &mut Conn,
    generation: &Generation,
) -> Outcome<(PositionVector, Vec<(String, TableSum)>)> {
    let mut tx = connection.start_transaction(snapshot()).await.map_err(fault)?;
    let vector = catalog::vector(&mut tx, generation).await?;
    let sql = "SELECT name, row_count, CAST(sum AS CHAR(40)) FROM waylog_table_sums \
               WHERE projection = ? AND number = ? ORDER BY name";
    let key = catalog::key(generation);
    let rows: Vec<(String, i64, String)> = tx.exec(sql, key).await.map_err(fault)?;
    tx.commit().await.map_err(fault)?;
    let sums = rows.into_iter().map(|(name, rows, sum)| {
        let sum = sum.parse().map_err(ReadStoreError::corrupt)?;
        Ok((name, TableSum { rows, sum }))
    });
    Ok((vector, sums.collect::<Outcome<_>>()?))
}

/// Vector and sums, computed from the rows, at one moment.
pub(super) async fn recompute_sums(
    connection: &mut Conn,
    generation: &Generation,
    tables: &'static [&'static Table],
    limits: Limits,
) -> Outcome<(PositionVector, Vec<(String, TableSum)>)> {
    bound(connection, limits.scan).await?;
    let mut tx = connection.start_transaction(snapshot()).await.map_err(fault)?;
    let vector = catalog::vector(&mut tx, generation).await?;
    let mut sums = Vec::with_capacity(tables.len());
    for table in tables {
        let name = generation.physical_name(table.name);
        let sql = format!("SELECT {} FROM \"{name}\"", column_list(names(table.columns)));
        let mut rows = tx.exec_iter(sql, ()).await.map_err(fault)?;
        let mut sum = TableSum::default();
        while let Some(row) = rows.next().await.map_err(fault)? {
            sum.insert(&read_row(row, types(table))?);
        }
        rows.drop_result().await.map_err(fault)?;
        sums.push((table.name.to_owned(), sum));
    }
    tx.commit().await.map_err(fault)?;
    bound(connection, limits.call).await?;
    sums.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    Ok((vector, sums))
}

/// Text as a parameter.
pub(super) fn text(text: &str) -> Native {
    Native::Bytes(text.as_bytes().to_vec())
}

fn names(columns: &'static [Column]) -> impl Iterator<Item = &'static str> {
    columns.iter().map(|column| column.name)
}

fn types(table: &Table) -> impl Iterator<Item = crate::table::ColumnType> + '_ {
    table.columns.iter().map(|column| column.column_type)
}
