//! Generations in `SQLite`: which there are, which is live, how to create, switch and drop them.

use domain::{PositionVector, Timestamp};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use super::ddl;
use super::threads::fault;
use crate::migrations::{self, AppliedMigration};
use crate::store::{Generation, ParkedStream, ProjectionState, ReadStoreError};
use crate::table::Table;

type Outcome<T> = Result<T, ReadStoreError>;

/// Takes the migrations that are still to be taken, in one transaction that keeps others out.
pub(super) fn prepare(connection: &mut Connection) -> Outcome<()> {
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(fault)?;
    tx.execute_batch(
        "CREATE TABLE IF NOT EXISTS waylog_migrations (
             number INTEGER NOT NULL PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL
         ) STRICT",
    )
    .map_err(fault)?;
    let applied = {
        let sql = "SELECT number, checksum FROM waylog_migrations ORDER BY number";
        let mut statement = tx.prepare(sql).map_err(fault)?;
        let read = |row: &rusqlite::Row<'_>| {
            Ok(AppliedMigration { number: row.get(0)?, checksum: row.get(1)? })
        };
        let rows = statement.query_map([], read).map_err(fault)?;
        rows.collect::<Result<Vec<_>, _>>().map_err(fault)?
    };
    for step in migrations::pending(migrations::SQLITE, &applied)? {
        tx.execute_batch(step.sql).map_err(fault)?;
        let sql = "INSERT INTO waylog_migrations (number, name, checksum) VALUES (?1, ?2, ?3)";
        tx.execute(sql, params![step.number, step.name, step.checksum()]).map_err(fault)?;
    }
    tx.commit().map_err(fault)
}

const STATES: &str = "SELECT g.projection, g.number, g.version, g.vector, g.continuity, \
     g.last_event_at, l.number IS NOT NULL \
     FROM waylog_generations g \
     LEFT JOIN waylog_live l ON l.projection = g.projection AND l.number = g.number \
     WHERE g.dropped = 0";

fn read_state(row: &rusqlite::Row<'_>) -> rusqlite::Result<(ProjectionState, String)> {
    let state = ProjectionState {
        generation: Generation { projection: row.get(0)?, number: row.get(1)? },
        version: row.get(2)?,
        vector: PositionVector::empty(),
        continuity: row.get(4)?,
        last_event_at: row.get::<_, Option<i64>>(5)?.map(Timestamp::from_micros),
        live: row.get(6)?,
    };
    Ok((state, row.get(3)?))
}

fn with_vector((state, vector): (ProjectionState, String)) -> Outcome<ProjectionState> {
    let vector = vector.parse().map_err(ReadStoreError::corrupt)?;
    Ok(ProjectionState { vector, ..state })
}

/// All generations that are not dropped.
pub(super) fn generations(connection: &Connection) -> Outcome<Vec<ProjectionState>> {
    let sql = format!("{STATES} ORDER BY g.projection, g.number");
    let mut statement = connection.prepare_cached(&sql).map_err(fault)?;
    let rows = statement.query_map([], read_state).map_err(fault)?;
    rows.map(|row| row.map_err(fault).and_then(with_vector)).collect()
}

/// One more than the largest number ever used.
pub(super) fn next_number(connection: &Connection, projection: &str) -> Outcome<u32> {
    let sql = "SELECT coalesce(max(number), 0) + 1 FROM waylog_generations WHERE projection = ?1";
    connection.query_row(sql, [projection], |row| row.get(0)).map_err(fault)
}

/// One generation as it is now.
pub(super) fn state(
    connection: &Connection,
    generation: &Generation,
) -> Outcome<Option<ProjectionState>> {
    let sql = format!("{STATES} AND g.projection = ?1 AND g.number = ?2");
    let mut statement = connection.prepare_cached(&sql).map_err(fault)?;
    statement
        .query_row(params![generation.projection, generation.number], read_state)
        .optional()
        .map_err(fault)?
        .map(with_vector)
        .transpose()
}

/// The live generation of a projection.
pub(crate) fn live(connection: &Connection, projection: &str) -> Outcome<Option<ProjectionState>> {
    let sql = format!("{STATES} AND g.projection = ?1 AND l.number IS NOT NULL");
    let mut statement = connection.prepare_cached(&sql).map_err(fault)?;
    statement
        .query_row([projection], read_state)
        .optional()
        .map_err(fault)?
        .map(with_vector)
        .transpose()
}

/// Creates the tables of a new generation; the first of a projection is live at once.
pub(super) fn create(
    connection: &mut Connection,
    generation: &Generation,
    version: u32,
    tables: &'static [&'static Table],
) -> Outcome<ProjectionState> {
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(fault)?;
    if let Some(state) = state(&tx, generation)? {
        return state.of_version(version);
    }
    let names: Vec<&str> = tables.iter().map(|table| table.name).collect();
    let names = serde_json::to_string(&names).expect("names are text");
    let inserted = tx
        .execute(
            "INSERT INTO waylog_generations (projection, number, version, vector, continuity, \
             tables) VALUES (?1, ?2, ?3, '', '', ?4) ON CONFLICT DO NOTHING",
            params![generation.projection, generation.number, version, names],
        )
        .map_err(fault)?;
    if inserted == 0 {
        return Err(ReadStoreError::dropped(generation));
    }
    for table in tables {
        tx.execute_batch(&ddl::create_table(generation, table)).map_err(fault)?;
        tx.execute(
            "INSERT INTO waylog_table_sums VALUES (?1, ?2, ?3, 0, ?4)",
            params![generation.projection, generation.number, table.name, [0_u8; 16]],
        )
        .map_err(fault)?;
    }
    let sql = "INSERT INTO waylog_live (projection, number) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
    tx.execute(sql, params![generation.projection, generation.number]).map_err(fault)?;
    let created = state(&tx, generation)?.ok_or_else(|| ReadStoreError::unknown(generation))?;
    tx.commit().map_err(fault)?;
    Ok(created)
}

/// Moves the live pointer.
pub(super) fn promote(connection: &mut Connection, generation: &Generation) -> Outcome<()> {
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(fault)?;
    let next = state(&tx, generation)?.ok_or_else(|| ReadStoreError::unknown(generation))?;
    if let Some(live) = live(&tx, &generation.projection)? {
        next.may_replace(&live)?;
    }
    let sql = "UPDATE waylog_live SET number = ?2 WHERE projection = ?1";
    if tx.execute(sql, params![generation.projection, generation.number]).map_err(fault)? != 1 {
        return Err(ReadStoreError::no_pointer(generation));
    }
    tx.commit().map_err(fault)
}

/// Drops a generation's tables.
pub(super) fn drop_generation(connection: &mut Connection, generation: &Generation) -> Outcome<()> {
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(fault)?;
    let key = params![generation.projection, generation.number];
    let known: Option<(String, bool, bool)> = tx
        .query_row(
            "SELECT g.tables, g.dropped, l.number IS NOT NULL FROM waylog_generations g \
             LEFT JOIN waylog_live l ON l.projection = g.projection AND l.number = g.number \
             WHERE g.projection = ?1 AND g.number = ?2",
            key,
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )
        .optional()
        .map_err(fault)?;
    let tables = match known {
        None => return Err(ReadStoreError::unknown(generation)),
        Some((_, true, _)) => return Ok(()),
        Some((_, _, true)) => {
            return Err(ReadStoreError::Refused(format!("{generation} is the live one")));
        }
        Some((tables, ..)) => tables,
    };
    let tables: Vec<String> = serde_json::from_str(&tables).map_err(ReadStoreError::corrupt)?;
    for table in &tables {
        for index in full_text_indexes(&tx, &generation.physical_name(table))? {
            tx.execute_batch(&format!("DROP TABLE \"{index}\"")).map_err(fault)?;
        }
        tx.execute_batch(&ddl::drop_table(generation, table)).map_err(fault)?;
    }
    for sql in [
        "DELETE FROM waylog_table_sums WHERE projection = ?1 AND number = ?2",
        "DELETE FROM waylog_parked_streams WHERE projection = ?1 AND number = ?2",
        "UPDATE waylog_generations SET dropped = 1 WHERE projection = ?1 AND number = ?2",
    ] {
        tx.execute(sql, key).map_err(fault)?;
    }
    tx.commit().map_err(fault)
}

/// The full-text indexes over a table: tables of their own that refer to it.
fn full_text_indexes(connection: &Connection, table: &str) -> Outcome<Vec<String>> {
    let sql = "SELECT name FROM sqlite_master WHERE type = 'table' \
               AND sql LIKE 'CREATE VIRTUAL TABLE %' AND instr(sql, ?1) > 0";
    let mut statement = connection.prepare(sql).map_err(fault)?;
    let refers = format!("content='{table}'");
    let names = statement.query_map([refers], |row| row.get(0)).map_err(fault)?;
    names.collect::<Result<_, _>>().map_err(fault)
}

/// The streams that a generation could not fold.
pub(super) fn parked(
    connection: &Connection,
    generation: &Generation,
) -> Outcome<Vec<ParkedStream>> {
    let sql = "SELECT stream, log_partition, log_offset, reason FROM waylog_parked_streams \
               WHERE projection = ?1 AND number = ?2 ORDER BY stream";
    let mut statement = connection.prepare_cached(sql).map_err(fault)?;
    let read = |row: &rusqlite::Row<'_>| {
        Ok(ParkedStream {
            stream: row.get(0)?,
            position: domain::Position { partition: row.get(1)?, offset: row.get(2)? },
            reason: row.get(3)?,
        })
    };
    let rows = statement
        .query_map(params![generation.projection, generation.number], read)
        .map_err(fault)?;
    rows.collect::<Result<_, _>>().map_err(fault)
}
