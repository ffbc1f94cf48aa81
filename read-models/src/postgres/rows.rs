//! Rows in `PostgreSQL`: loading by key, applying a batch, and what tables sum up to.
//!
//! A batch knows which rows are new, so nothing is an upsert: new rows go straight into their table
//! by binary COPY (or one statement, when they are few), changed ones by one UPDATE and deleted
//! ones
//! by one DELETE, from arrays.

use std::pin::pin;

use bytes::{BufMut as _, Bytes, BytesMut};
use deadpool_postgres::{Object, Transaction};
use domain::PositionVector;
use futures::{SinkExt as _, TryStreamExt as _};
use tokio_postgres::types::{IsNull, ToSql};

use super::catalog;
use super::pool::fault;
use super::values::{put, read_row, type_name};
use crate::projection::RowKey;
use crate::store::{Applied, Changes, Generation, ReadStoreError, TableChange};
use crate::sum::TableSum;
use crate::table::{Column, Table, Value};

type Outcome<T> = Result<T, ReadStoreError>;

/// From how many new rows on COPY is faster than a statement.
const COPY_ROWS_MIN: usize = 8;
/// Bytes of one message of a COPY.
const COPY_CHUNK_BYTES: usize = 256 * 1024;

/// The rows with these keys.
pub(super) async fn load(
    connection: &Object,
    generation: &Generation,
    table: &Table,
    keys: &[RowKey],
) -> Outcome<Vec<Vec<Value>>> {
    let key = &table.columns[..table.key_columns];
    let columns: Vec<_> = table.columns.iter().map(|c| format!("t.\"{}\"", c.name)).collect();
    let sql = format!(
        "SELECT {} FROM {} k JOIN \"{}\" t ON {}",
        columns.join(", "),
        arrays(key),
        generation.physical_name(table.name),
        joined(key)
    );
    let statement = connection.prepare_cached(&sql).await.map_err(fault)?;
    let keys: Vec<&[Value]> = keys.iter().map(|key| key.key.as_slice()).collect();
    let parameters = transposed(&keys, key.len());
    let rows = connection.query(&statement, &references(&parameters)).await.map_err(fault)?;
    let types = || table.columns.iter().map(|column| column.column_type);
    rows.iter().map(|row| read_row(row, types())).collect()
}

/// Writes the batch, all of it or nothing.
pub(super) async fn apply(connection: &mut Object, changes: &Changes<'_>) -> Outcome<Applied> {
    let tx = connection.transaction().await.map_err(fault)?;
    let generation = changes.generation;
    let statement = tx
        .prepare_cached(
            "UPDATE waylog_generations SET vector = $4, continuity = $5, \
             last_event_at = greatest(last_event_at, $6::timestamptz) \
             WHERE projection = $1 AND number = $2 AND vector = $3 AND NOT dropped \
             AND continuity = $7",
        )
        .await
        .map_err(fault)?;
    let moved = tx
        .execute(
            &statement,
            &[
                &generation.projection,
                &i64::from(generation.number),
                &changes.expected.to_string(),
                &changes.next.to_string(),
                &changes.continuity,
                &catalog::instant(changes.last_event_at),
                &changes.expected_continuity,
            ],
        )
        .await
        .map_err(fault)?;
    if moved == 0 {
        return catalog::vector(&tx, generation).await.map(|_| Applied::Superseded);
    }
    for change in &changes.tables {
        let delta = write(&tx, generation, change).await?;
        add_to_sum(&tx, generation, change.table, delta).await?;
    }
    park(&tx, changes).await?;
    tx.commit().await.map_err(fault)?;
    Ok(Applied::Committed)
}

/// Writes the rows, and gives what they add to the table's sum.
async fn write(
    tx: &Transaction<'_>,
    generation: &Generation,
    change: &TableChange,
) -> Outcome<TableSum> {
    let table = change.table;
    let (mut inserts, mut updates, mut deletes) = (Vec::new(), Vec::new(), Vec::new());
    for row in &change.rows {
        match (&row.before, &row.after) {
            (None, Some(after)) => inserts.push(after.as_slice()),
            (Some(_), Some(after)) => updates.push(after.as_slice()),
            (Some(before), None) => deletes.push(&before[..table.key_columns]),
            (None, None) => {}
        }
    }
    let name = generation.physical_name(table.name);
    let (key, rest) = table.columns.split_at(table.key_columns);
    if !deletes.is_empty() {
        let sql = format!("DELETE FROM \"{name}\" t USING {} k WHERE {}", arrays(key), joined(key));
        execute(tx, &sql, &deletes, key.len()).await?;
    }
    if !updates.is_empty() && !rest.is_empty() {
        let set: Vec<_> = rest.iter().map(|c| format!("\"{0}\" = k.\"{0}\"", c.name)).collect();
        let (set, from, on) = (set.join(", "), arrays(table.columns), joined(key));
        let sql = format!("UPDATE \"{name}\" t SET {set} FROM {from} k WHERE {on}");
        execute(tx, &sql, &updates, table.columns.len()).await?;
    }
    if inserts.len() >= COPY_ROWS_MIN {
        return copy(tx, &name, change, &inserts).await;
    }
    if !inserts.is_empty() {
        let columns = names(table.columns);
        let from = arrays(table.columns);
        let sql = format!("INSERT INTO \"{name}\" ({columns}) SELECT {columns} FROM {from} k");
        execute(tx, &sql, &inserts, table.columns.len()).await?;
    }
    Ok(TableSum::of_changes(&change.rows))
}

/// Runs a statement over arrays of the rows' values; it must touch every row exactly once.
async fn execute(
    tx: &Transaction<'_>,
    sql: &str,
    rows: &[&[Value]],
    columns: usize,
) -> Outcome<()> {
    let statement = tx.prepare_cached(sql).await.map_err(fault)?;
    let parameters = transposed(rows, columns);
    let touched = tx.execute(&statement, &references(&parameters)).await.map_err(fault)?;
    if touched == rows.len() as u64 {
        Ok(())
    } else {
        let expected = rows.len();
        Err(ReadStoreError::corrupt(format!("{touched} of {expected} rows for: {sql}")))
    }
}

/// Copies new rows in. The change's hashes are computed while the server still writes what it got.
async fn copy(
    tx: &Transaction<'_>,
    name: &str,
    change: &TableChange,
    rows: &[&[Value]],
) -> Outcome<TableSum> {
    let table = change.table;
    let sql = format!("COPY \"{name}\" ({}) FROM STDIN BINARY", names(table.columns));
    let statement = tx.prepare_cached(&sql).await.map_err(fault)?;
    let mut sink = pin!(tx.copy_in::<_, Bytes>(&statement).await.map_err(fault)?);
    let columns = i16::try_from(table.columns.len()).expect("a table has few columns");
    let mut out = BytesMut::with_capacity(COPY_CHUNK_BYTES + COPY_CHUNK_BYTES / 4);
    // Signature, no flags, no header extension.
    out.put_slice(b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0");
    for row in rows {
        out.put_i16(columns);
        for value in *row {
            put_field(value, &mut out);
        }
        if out.len() >= COPY_CHUNK_BYTES {
            sink.feed(out.split().freeze()).await.map_err(fault)?;
        }
    }
    out.put_i16(-1);
    sink.send(out.freeze()).await.map_err(fault)?;
    let delta = TableSum::of_changes(&change.rows);
    sink.finish().await.map_err(fault)?;
    Ok(delta)
}

/// A field of a COPY: its length, which is known only afterwards, and its bytes; -1 for null.
fn put_field(value: &Value, out: &mut BytesMut) {
    let at = out.len();
    out.put_i32(-1);
    if matches!(put(value, out), IsNull::No) {
        let length = i32::try_from(out.len() - at - 4).expect("a value is bounded by its check");
        out[at..at + 4].copy_from_slice(&length.to_be_bytes());
    }
}

async fn add_to_sum(
    tx: &Transaction<'_>,
    generation: &Generation,
    table: &Table,
    delta: TableSum,
) -> Outcome<()> {
    let statement = tx
        .prepare_cached(
            "UPDATE waylog_table_sums SET row_count = row_count + $4, \
             sum = mod(sum + $5::text::numeric, 340282366920938463463374607431768211456) \
             WHERE projection = $1 AND number = $2 AND name = $3",
        )
        .await
        .map_err(fault)?;
    let (number, sum) = (i64::from(generation.number), delta.sum.to_string());
    let name = table.name;
    let updated = tx
        .execute(&statement, &[&generation.projection, &number, &name, &delta.rows, &sum])
        .await
        .map_err(fault)?;
    if updated == 1 {
        Ok(())
    } else {
        Err(ReadStoreError::Refused(format!("{generation} has no table {name}")))
    }
}

async fn park(tx: &Transaction<'_>, changes: &Changes<'_>) -> Outcome<()> {
    let generation = changes.generation;
    let number = i64::from(generation.number);
    if !changes.unparked.is_empty() {
        let sql = "DELETE FROM waylog_parked_streams \
                   WHERE projection = $1 AND number = $2 AND stream = ANY($3)";
        let parameters: [&(dyn ToSql + Sync); 3] =
            [&generation.projection, &number, &changes.unparked];
        tx.execute(sql, &parameters).await.map_err(fault)?;
    }
    for parked in &changes.parked {
        let (partition, offset) = (i64::from(parked.position.partition), parked.position.offset);
        let sql = "INSERT INTO waylog_parked_streams VALUES ($1, $2, $3, $4, $5, $6) \
                   ON CONFLICT DO NOTHING";
        let parameters: [&(dyn ToSql + Sync); 6] =
            [&generation.projection, &number, &parked.stream, &partition, &offset, &parked.reason];
        tx.execute(sql, &parameters).await.map_err(fault)?;
    }
    Ok(())
}

/// Vector and sums, as kept, at one moment.
pub(super) async fn sums(
    connection: &mut Object,
    generation: &Generation,
) -> Outcome<(PositionVector, Vec<(String, TableSum)>)> {
    let tx = snapshot(connection).await?;
    let vector = catalog::vector(&tx, generation).await?;
    let sql = "SELECT name, row_count, sum::text FROM waylog_table_sums \
               WHERE projection = $1 AND number = $2 ORDER BY name COLLATE \"C\"";
    let number = i64::from(generation.number);
    let mut sums = Vec::new();
    for row in tx.query(sql, &[&generation.projection, &number]).await.map_err(fault)? {
        let sum = row.get::<_, &str>(2).parse().map_err(ReadStoreError::corrupt)?;
        sums.push((row.get(0), TableSum { rows: row.get(1), sum }));
    }
    tx.commit().await.map_err(fault)?;
    Ok((vector, sums))
}

/// Vector and sums, computed from the rows, at one moment.
pub(super) async fn recompute_sums(
    connection: &mut Object,
    generation: &Generation,
    tables: &'static [&'static Table],
    deadline: std::time::Duration,
) -> Outcome<(PositionVector, Vec<(String, TableSum)>)> {
    let tx = snapshot(connection).await?;
    let timeout = format!("SET LOCAL statement_timeout = {}", deadline.as_millis());
    tx.batch_execute(&timeout).await.map_err(fault)?;
    let vector = catalog::vector(&tx, generation).await?;
    let mut sums = Vec::with_capacity(tables.len());
    for table in tables {
        let name = generation.physical_name(table.name);
        let sql = format!("SELECT {} FROM \"{name}\"", names(table.columns));
        let none: [&(dyn ToSql + Sync); 0] = [];
        let mut rows = pin!(tx.query_raw(&sql, none).await.map_err(fault)?);
        let mut sum = TableSum::default();
        while let Some(row) = rows.try_next().await.map_err(fault)? {
            sum.insert(&read_row(&row, table.columns.iter().map(|column| column.column_type))?);
        }
        sums.push((table.name.to_owned(), sum));
    }
    tx.commit().await.map_err(fault)?;
    sums.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    Ok((vector, sums))
}

async fn snapshot(connection: &mut Object) -> Outcome<Transaction<'_>> {
    connection
        .build_transaction()
        .isolation_level(tokio_postgres::IsolationLevel::RepeatableRead)
        .read_only(true)
        .start()
        .await
        .map_err(fault)
}

/// `unnest($1::uuid[], $2::bigint[]) k("a", "b")` without the alias's name.
fn arrays(columns: &[Column]) -> String {
    let parameters: Vec<_> = (1..)
        .zip(columns)
        .map(|(n, column)| format!("${n}::{}[]", type_name(column.column_type)))
        .collect();
    let columns = names(columns);
    format!("(SELECT * FROM unnest({}) AS a({columns}))", parameters.join(", "))
}

fn joined(key: &[Column]) -> String {
    let parts: Vec<_> = key.iter().map(|c| format!("t.\"{0}\" = k.\"{0}\"", c.name)).collect();
    parts.join(" AND ")
}

fn names(columns: &[Column]) -> String {
    let names: Vec<_> = columns.iter().map(|column| format!("\"{}\"", column.name)).collect();
    names.join(", ")
}

/// Rows turned into one array per column.
fn transposed<'a>(rows: &[&'a [Value]], columns: usize) -> Vec<Vec<&'a Value>> {
    (0..columns).map(|column| rows.iter().map(|row| &row[column]).collect()).collect()
}

fn references<'a, 'v>(columns: &'a [Vec<&'v Value>]) -> Vec<&'a (dyn ToSql + Sync)>
where
    'v: 'a,
{
    columns.iter().map(|column| column as &(dyn ToSql + Sync)).collect()
}
