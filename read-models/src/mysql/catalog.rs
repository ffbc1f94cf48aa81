//! Generations in `MySQL`: which there are, which is live, how to create, switch and drop them.

use domain::{Position, PositionVector, Timestamp};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Params, Row, Transaction, Value as Native};

use super::ddl::{TableRecord, create_table, drop_table};
use super::pool::{Limits, bound, fault, writing};
use super::rows::text;
use super::statements::execute;
use super::values::read_row;
use crate::migrations::{self, AppliedMigration};
use crate::store::{Generation, ParkedStream, ProjectionState, ReadStoreError};
use crate::table::{ColumnType, Table, Value};

type Outcome<T> = Result<T, ReadStoreError>;

/// Takes the lock under which definitions change, one process at a time in a database. It ends with
/// the connection, should the process die.
async fn lock(connection: &mut Conn, limits: Limits) -> Outcome<()> {
    let seconds = (limits.call / 2).as_secs().max(1);
    let sql = format!("SELECT GET_LOCK(CONCAT('waylog:', SHA1(DATABASE())), {seconds})");
    match connection.query_first::<Option<i64>, _>(sql).await.map_err(fault)?.flatten() {
        Some(1) => Ok(()),
        _ => Err(ReadStoreError::Unavailable(
            format!("another process changes tables for more than {seconds} s"),
            None,
        )),
    }
}

async fn unlock(connection: &mut Conn) -> Outcome<()> {
    let sql = "SELECT RELEASE_LOCK(CONCAT('waylog:', SHA1(DATABASE())))";
    connection.query_drop(sql).await.map_err(fault)
}

/// Takes the migrations that are still to be taken, and finishes what an interrupted process left:
/// views that point at another generation than the live one, tables of dropped ones.
pub(super) async fn prepare(connection: &mut Conn, limits: Limits) -> Outcome<()> {
    bound(connection, limits.scan).await?;
    lock(connection, limits).await?;
    connection
        .query_drop(
            "CREATE TABLE IF NOT EXISTS waylog_migrations (
                 number BIGINT NOT NULL PRIMARY KEY, name VARCHAR(128) NOT NULL,
                 checksum CHAR(64) NOT NULL,
                 applied_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
             ) ENGINE = InnoDB, CHARACTER SET utf8mb4",
        )
        .await
        .map_err(fault)?;
    let sql = "SELECT number, checksum FROM waylog_migrations ORDER BY number";
    let applied: Vec<(i64, String)> = connection.query(sql).await.map_err(fault)?;
    let applied: Vec<_> = applied
        .into_iter()
        .map(|(number, checksum)| AppliedMigration { number, checksum })
        .collect();
    for step in migrations::pending(migrations::MYSQL, &applied)? {
        for statement in step.sql.split(";\n").map(str::trim).filter(|text| !text.is_empty()) {
            connection.query_drop(statement.trim_end_matches(';')).await.map_err(fault)?;
        }
        let sql = "INSERT INTO waylog_migrations (number, name, checksum) VALUES (?, ?, ?)";
        let parameters = vec![Native::Int(step.number), text(step.name), text(&step.checksum())];
        execute(connection, sql, parameters).await?;
    }
    sweep(connection).await?;
    for state in generations(connection).await?.iter().filter(|state| state.live) {
        point_views(connection, &state.generation).await?;
    }
    unlock(connection).await?;
    bound(connection, limits.call).await
}

const STATES: &str = "SELECT g.projection, g.number, g.version, g.vector, g.continuity, \
     g.last_event_at, l.number IS NOT NULL \
     FROM waylog_generations g \
     LEFT JOIN waylog_live l ON l.projection = g.projection AND l.number = g.number \
     WHERE g.dropped = FALSE";

fn read_state(row: Row) -> Outcome<ProjectionState> {
    use ColumnType::{Bool, Integer, Text, Timestamp as Instant};
    let values = read_row(row, [Text, Integer, Integer, Text, Text, Instant, Bool])?;
    ProjectionState::from_values(values)
}

async fn states(
    client: &mut impl Queryable,
    narrowed: &str,
    parameters: Vec<Native>,
) -> Outcome<Vec<ProjectionState>> {
    // Never the text protocol: its numbers are text.
    let parameters =
        if parameters.is_empty() { Params::Empty } else { Params::Positional(parameters) };
    let sql = format!("{STATES} {narrowed}");
    let rows: Vec<Row> = client.exec(sql, parameters).await.map_err(fault)?;
    rows.into_iter().map(read_state).collect()
}

/// All generations that are not dropped.
pub(super) async fn generations(client: &mut impl Queryable) -> Outcome<Vec<ProjectionState>> {
    states(client, "ORDER BY g.projection, g.number", Vec::new()).await
}

/// One more than the largest number ever used.
pub(super) async fn next_number(connection: &mut Conn, projection: &str) -> Outcome<u32> {
    let sql = "SELECT COALESCE(MAX(number), 0) + 1 FROM waylog_generations WHERE projection = ?";
    let number: Option<i64> = connection.exec_first(sql, (projection,)).await.map_err(fault)?;
    number.unwrap_or(1).try_into().map_err(ReadStoreError::corrupt)
}

/// The parameters that name a generation.
pub(super) fn key(generation: &Generation) -> Params {
    let number = Native::Int(i64::from(generation.number));
    Params::Positional(vec![text(&generation.projection), number])
}

/// One generation as it is now.
pub(super) async fn state(
    client: &mut impl Queryable,
    generation: &Generation,
) -> Outcome<Option<ProjectionState>> {
    let Params::Positional(key) = key(generation) else { return Ok(None) };
    Ok(states(client, "AND g.projection = ? AND g.number = ?", key).await?.pop())
}

/// The live generation of a projection.
pub(crate) async fn live(
    client: &mut impl Queryable,
    projection: &str,
) -> Outcome<Option<ProjectionState>> {
    let narrowed = "AND g.projection = ? AND l.number IS NOT NULL";
    Ok(states(client, narrowed, vec![text(projection)]).await?.pop())
}

/// Creates the tables of a new generation; the first of a projection is live at once.
pub(super) async fn create(
    connection: &mut Conn,
    generation: &Generation,
    version: u32,
    tables: &'static [&'static Table],
    limits: Limits,
) -> Outcome<ProjectionState> {
    // Looked up first: who only starts must not wait for who builds.
    if let Some(state) = state(connection, generation).await? {
        return state.of_version(version);
    }
    lock(connection, limits).await?;
    let known = "SELECT dropped FROM waylog_generations WHERE projection = ? AND number = ?";
    let known: Option<bool> = connection.exec_first(known, key(generation)).await.map_err(fault)?;
    if known == Some(true) {
        return Err(ReadStoreError::dropped(generation));
    }
    if known.is_none() {
        let mut records = Vec::with_capacity(tables.len());
        for table in tables {
            let (statements, record) = create_table(generation, table)?;
            for statement in statements {
                connection.query_drop(statement).await.map_err(fault)?;
            }
            records.push(record);
        }
        insert(connection, generation, version, tables, &records).await?;
    }
    let created = state(connection, generation).await?;
    let created = created.ok_or_else(|| ReadStoreError::unknown(generation))?;
    if created.live {
        point_views(connection, generation).await?;
    }
    unlock(connection).await?;
    created.of_version(version)
}

/// Makes the tables known: the row that does so comes after them, so that nobody finds it alone.
async fn insert(
    connection: &mut Conn,
    generation: &Generation,
    version: u32,
    tables: &'static [&'static Table],
    records: &[TableRecord],
) -> Outcome<()> {
    let (projection, number) = (&generation.projection, Native::Int(generation.number.into()));
    let records = serde_json::to_string(records).expect("records are text");
    let mut tx = connection.start_transaction(writing()).await.map_err(fault)?;
    let sql = "INSERT INTO waylog_generations (projection, number, version, vector, continuity, \
               tables) VALUES (?, ?, ?, '', '', ?)";
    let version = Native::Int(version.into());
    let parameters = vec![text(projection), number.clone(), version, text(&records)];
    execute(&mut tx, sql, parameters).await?;
    for table in tables {
        let sql = "INSERT INTO waylog_table_sums (projection, number, name, row_count, sum) \
                   VALUES (?, ?, ?, 0, 0)";
        let parameters = vec![text(projection), number.clone(), text(table.name)];
        execute(&mut tx, sql, parameters).await?;
    }
    let sql = "INSERT INTO waylog_live (projection, number) VALUES (?, ?) \
               ON DUPLICATE KEY UPDATE projection = waylog_live.projection";
    execute(&mut tx, sql, vec![text(projection), number]).await?;
    tx.commit().await.map_err(fault)
}

/// Moves the live pointer, then the views.
pub(super) async fn promote(
    connection: &mut Conn,
    generation: &Generation,
    limits: Limits,
) -> Outcome<()> {
    lock(connection, limits).await?;
    let mut tx = connection.start_transaction(writing()).await.map_err(fault)?;
    hold(&mut tx, generation).await?;
    let next = state(&mut tx, generation).await?;
    let next = next.ok_or_else(|| ReadStoreError::unknown(generation))?;
    if let Some(live) = live(&mut tx, &generation.projection).await? {
        next.may_replace(&live)?;
    }
    let sql = "UPDATE waylog_live SET number = ? WHERE projection = ?";
    let number = Native::Int(generation.number.into());
    // Rows that are found count, whether or not they change.
    if execute(&mut tx, sql, vec![number, text(&generation.projection)]).await? != 1 {
        return Err(ReadStoreError::no_pointer(generation));
    }
    tx.commit().await.map_err(fault)?;
    point_views(connection, generation).await?;
    unlock(connection).await
}

/// Keeps the vectors of the projection's generations where they are. Rows are locked in number
/// order, and batches lock one row only: no deadlock.
async fn hold(tx: &mut Transaction<'_>, generation: &Generation) -> Outcome<()> {
    let sql =
        "SELECT number FROM waylog_generations WHERE projection = ? ORDER BY number FOR UPDATE";
    tx.exec_drop(sql, (&generation.projection,)).await.map_err(fault)
}

async fn records(
    connection: &mut Conn,
    generation: &Generation,
) -> Outcome<Option<Vec<TableRecord>>> {
    let sql = "SELECT tables FROM waylog_generations WHERE projection = ? AND number = ?";
    let found: Option<String> = connection.exec_first(sql, key(generation)).await.map_err(fault)?;
    found.map(|text| serde_json::from_str(&text).map_err(ReadStoreError::corrupt)).transpose()
}

/// A view by each table's logical name, for people's own SQL: the live generation, readable. It is
/// pointed anew after the pointer moved, and once more at each start, should that have failed.
async fn point_views(connection: &mut Conn, generation: &Generation) -> Outcome<()> {
    for record in records(connection, generation).await?.unwrap_or_default() {
        let sql = format!("CREATE OR REPLACE VIEW \"{}\" AS {}", record.name, record.view);
        connection.query_drop(sql).await.map_err(fault)?;
    }
    Ok(())
}

/// Makes a generation unknown, then drops its tables.
pub(super) async fn drop_generation(
    connection: &mut Conn,
    generation: &Generation,
    limits: Limits,
) -> Outcome<()> {
    bound(connection, limits.scan).await?;
    lock(connection, limits).await?;
    let mut tx = connection.start_transaction(writing()).await.map_err(fault)?;
    hold(&mut tx, generation).await?;
    let sql = "SELECT g.dropped, l.number IS NOT NULL FROM waylog_generations g \
               LEFT JOIN waylog_live l ON l.projection = g.projection AND l.number = g.number \
               WHERE g.projection = ? AND g.number = ?";
    let found: Option<(bool, bool)> = tx.exec_first(sql, key(generation)).await.map_err(fault)?;
    match found {
        None => return Err(ReadStoreError::unknown(generation)),
        Some((_, true)) => {
            return Err(ReadStoreError::Refused(format!("{generation} is the live one")));
        }
        Some((_, false)) => {}
    }
    for sql in [
        "DELETE FROM waylog_table_sums WHERE projection = ? AND number = ?",
        "DELETE FROM waylog_parked_streams WHERE projection = ? AND number = ?",
        "UPDATE waylog_generations SET dropped = TRUE WHERE projection = ? AND number = ?",
    ] {
        tx.exec_drop(sql, key(generation)).await.map_err(fault)?;
    }
    tx.commit().await.map_err(fault)?;
    sweep(connection).await?;
    unlock(connection).await?;
    bound(connection, limits.call).await
}

/// Drops the tables of generations that are dropped, also those that an interrupted process left.
async fn sweep(connection: &mut Conn) -> Outcome<()> {
    let sql = "SELECT projection, number FROM waylog_generations \
               WHERE dropped = TRUE AND tables_dropped = FALSE";
    let left: Vec<(String, u32)> = connection.query(sql).await.map_err(fault)?;
    for (projection, number) in left {
        let generation = Generation { projection, number };
        for record in records(connection, &generation).await?.unwrap_or_default() {
            for name in record.physical {
                connection.query_drop(drop_table(&name)).await.map_err(fault)?;
            }
        }
        let sql = "UPDATE waylog_generations SET tables_dropped = TRUE \
                   WHERE projection = ? AND number = ?";
        connection.exec_drop(sql, key(&generation)).await.map_err(fault)?;
    }
    Ok(())
}

/// The streams that a generation could not fold.
pub(super) async fn parked(
    connection: &mut Conn,
    generation: &Generation,
) -> Outcome<Vec<ParkedStream>> {
    let sql = "SELECT stream, log_partition, log_offset, reason FROM waylog_parked_streams \
               WHERE projection = ? AND number = ? ORDER BY stream";
    let rows: Vec<(String, u32, i64, String)> =
        connection.exec(sql, key(generation)).await.map_err(fault)?;
    let read = |(stream, partition, offset, reason)| ParkedStream {
        stream,
        position: Position { partition, offset },
        reason,
    };
    Ok(rows.into_iter().map(read).collect())
}

/// How an instant is given to the store's own tables.
pub(super) fn instant(at: Option<Timestamp>) -> Value {
    at.map_or(Value::Null, Value::Timestamp)
}

/// The vector of a generation that must be there.
pub(super) async fn vector(
    client: &mut impl Queryable,
    generation: &Generation,
) -> Outcome<PositionVector> {
    let state = state(client, generation).await?;
    state.map(|state| state.vector).ok_or_else(|| ReadStoreError::unknown(generation))
}
