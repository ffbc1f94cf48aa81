//! Records in SQLite: the tables that the embedded log and a lane's local stream store have in
//! common, and the statements on them.
//!
//! A record's row id is its place, `partition << 48 | offset`, so that a partition is read in order
//! without another index. Every row carries a checksum of all its columns, which every read checks:
//! what comes out is what went in, or [`RecordsError::Corrupt`].

mod columns;
mod ends;
mod events;
mod snapshots;

use std::path::Path;
use std::time::Duration;

use domain::Position;
use rusqlite::{Connection, ErrorCode, OpenFlags};

pub(crate) use ends::{Ends, PartitionEnd};
pub(crate) use events::{
    EventInserter, event_at, insert_opened, last_offset, outcome, partition_records, stream_events,
    stream_head, stream_head_at,
};
pub(crate) use snapshots::{create as create_snapshots, put_snapshots, snapshot};

use crate::{LogError, StreamStoreError};

/// The longest wait for another connection's lock.
const BUSY_WAIT: Duration = Duration::from_secs(5);

const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS events (
        place INTEGER PRIMARY KEY,
        stream BLOB NOT NULL,
        version INTEGER NOT NULL,
        sequence INTEGER NOT NULL,
        epoch INTEGER NOT NULL,
        recorded_at INTEGER NOT NULL,
        event_id BLOB NOT NULL,
        event_type TEXT NOT NULL,
        correlation_id BLOB NOT NULL,
        causation_id BLOB NOT NULL,
        command_id BLOB NOT NULL,
        fingerprint BLOB NOT NULL,
        actor TEXT NOT NULL,
        tenant TEXT NOT NULL,
        hash BLOB NOT NULL,
        traceparent TEXT,
        value BLOB NOT NULL,
        checksum INTEGER NOT NULL
    );
    CREATE UNIQUE INDEX IF NOT EXISTS events_by_version ON events (stream, version);
    CREATE INDEX IF NOT EXISTS events_by_command ON events (command_id, stream);
    CREATE TABLE IF NOT EXISTS opened (
        place INTEGER PRIMARY KEY,
        shard INTEGER NOT NULL,
        epoch INTEGER NOT NULL,
        address TEXT NOT NULL,
        checksum INTEGER NOT NULL
    );
    CREATE TABLE IF NOT EXISTS ends (
        partition INTEGER PRIMARY KEY,
        last_offset INTEGER NOT NULL,
        sequence INTEGER NOT NULL,
        epoch INTEGER NOT NULL,
        recorded_at INTEGER NOT NULL,
        event_offset INTEGER NOT NULL,
        event_hash BLOB NOT NULL,
        unreadable INTEGER NOT NULL
    );
";

/// How safe a commit is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Safety {
    /// Synced before it returns: for what is the only copy.
    Synced,
    /// Survives a crash of the process, not of the machine: for what can be derived again.
    Derived,
}

/// SQLite failed, or what it holds is not what was written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RecordsError {
    #[error("{0}")]
    Corrupt(String),
    #[error("the database failed")]
    Sqlite(#[source] rusqlite::Error),
}

impl From<rusqlite::Error> for RecordsError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                Self::Corrupt(format!("the database is damaged: {error}"))
            }
            _ if strange(&error) => {
                Self::Corrupt(format!("the database holds what was never written: {error}"))
            }
            _ => Self::Sqlite(error),
        }
    }
}

/// Whether a value is none that a column of ours ever held: what overwritten bytes look like.
const fn strange(error: &rusqlite::Error) -> bool {
    use rusqlite::Error::{
        FromSqlConversionFailure, IntegralValueOutOfRange, InvalidColumnType, Utf8Error,
    };

    matches!(
        error,
        FromSqlConversionFailure(..)
            | IntegralValueOutOfRange(..)
            | InvalidColumnType(..)
            | Utf8Error(..)
    )
}

/// Of the embedded log, whose one copy of everything is its data directory.
impl From<RecordsError> for LogError {
    fn from(error: RecordsError) -> Self {
        match error {
            RecordsError::Corrupt(reason) => Self::Corrupt(format!(
                "{reason}; stop the server and restore the data directory from a backup"
            )),
            RecordsError::Sqlite(error) => match error.sqlite_error_code() {
                Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Unavailable {
                    reason: "the database is busy".to_owned(),
                    source: Some(Box::new(error)),
                },
                _ => Self::Failed {
                    reason: "the database".to_owned(),
                    source: Some(Box::new(error)),
                },
            },
        }
    }
}

impl From<RecordsError> for StreamStoreError {
    fn from(error: RecordsError) -> Self {
        match error {
            RecordsError::Corrupt(reason) => Self::Corrupt(reason),
            RecordsError::Sqlite(error) => Self::Storage(Box::new(error)),
        }
    }
}

/// Opens for writing, creating what is missing. The caller is the only writer of the file.
pub(crate) fn open(path: &Path, safety: Safety) -> Result<Connection, RecordsError> {
    let connection = Connection::open(path)?;
    prepare(&connection)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    let synchronous = if safety == Safety::Synced { "FULL" } else { "OFF" };
    connection.pragma_update(None, "synchronous", synchronous)?;
    Ok(connection)
}

/// Creates the tables that are missing.
pub(crate) fn create(connection: &Connection) -> Result<(), RecordsError> {
    Ok(connection.execute_batch(TABLES)?)
}

/// Opens for reading beside a writer, in this process or another.
pub(crate) fn open_read_only(path: &Path) -> Result<Connection, RecordsError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    prepare(&connection)?;
    // The last connection to close would otherwise move the writer's log into the database.
    connection.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    Ok(connection)
}

fn prepare(connection: &Connection) -> Result<(), RecordsError> {
    connection.busy_timeout(BUSY_WAIT)?;
    connection.set_prepared_statement_cache_capacity(32);
    connection.pragma_update(None, "cache_size", -16_384)?;
    connection.pragma_update(None, "mmap_size", 0)?;
    Ok(())
}

/// A named fact about the database.
pub(crate) fn meta(connection: &Connection, name: &str) -> Result<Option<String>, RecordsError> {
    let mut statement = connection.prepare_cached("SELECT value FROM meta WHERE name = ?1")?;
    let mut rows = statement.query([name])?;
    Ok(rows.next()?.map(|row| row.get(0)).transpose()?)
}

/// Records a named fact about the database.
pub(crate) fn put_meta(
    connection: &Connection,
    name: &str,
    value: &str,
) -> Result<(), RecordsError> {
    connection
        .execute("INSERT OR REPLACE INTO meta (name, value) VALUES (?1, ?2)", [name, value])?;
    Ok(())
}

/// A column that holds a number that is never negative.
fn unsigned(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let number: i64 = row.get(column)?;
    u64::try_from(number).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, number))
}

const OFFSET_BITS: u32 = 48;

/// The row id of a record.
pub(crate) fn place(position: Position) -> i64 {
    debug_assert!((0..1 << OFFSET_BITS).contains(&position.offset), "offsets fit in 48 bits");
    i64::from(position.partition) << OFFSET_BITS | position.offset
}

/// The position that a row id stands for.
pub(crate) fn position(place: i64) -> Position {
    let partition = u32::try_from(place >> OFFSET_BITS).unwrap_or(u32::MAX);
    Position { partition, offset: place & ((1 << OFFSET_BITS) - 1) }
}
