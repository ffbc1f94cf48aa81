//! Snapshots: a cache of folded states. One that is damaged is as good as none.

use domain::{Digest, StreamName};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::{RecordsError, events::signed, unsigned};
use crate::{Snapshot, StreamHead};

const TABLE: &str = "
    CREATE TABLE IF NOT EXISTS snapshots (
        stream TEXT PRIMARY KEY,
        version INTEGER NOT NULL,
        hash BLOB NOT NULL,
        fold_version INTEGER NOT NULL,
        state_json BLOB NOT NULL,
        checksum INTEGER NOT NULL
    ) WITHOUT ROWID;
";

/// Creates the table when it is missing.
pub(crate) fn create(connection: &Connection) -> Result<(), RecordsError> {
    Ok(connection.execute_batch(TABLE)?)
}

fn checksum(snapshot: &Snapshot) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(snapshot.stream.id.as_bytes());
    crc.update(&snapshot.head.version.to_be_bytes());
    crc.update(&snapshot.head.hash.0);
    crc.update(&snapshot.fold_version.to_be_bytes());
    crc.update(&snapshot.state_json);
    crc.finalize()
}

/// Keeps snapshots in one transaction, replacing older ones of the same streams.
pub(crate) fn put_snapshots(
    connection: &mut Connection,
    snapshots: &[Snapshot],
) -> Result<(), RecordsError> {
    let transaction = connection.transaction()?;
    {
        let mut statement = transaction
            .prepare_cached("INSERT OR REPLACE INTO snapshots VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
        for snapshot in snapshots {
            statement.execute(params![
                snapshot.stream.to_string(),
                signed(snapshot.head.version),
                snapshot.head.hash.0,
                snapshot.fold_version,
                snapshot.state_json,
                checksum(snapshot),
            ])?;
        }
    }
    Ok(transaction.commit()?)
}

/// The stream's snapshot; nothing when it is damaged.
pub(crate) fn snapshot(
    connection: &Connection,
    stream: &StreamName,
) -> Result<Option<Snapshot>, RecordsError> {
    let mut statement = connection.prepare_cached(
        "SELECT version, hash, fold_version, state_json, checksum FROM snapshots WHERE stream = ?1",
    )?;
    let found = statement.query_row([stream.to_string()], |row| read(row, *stream)).optional();
    match found {
        Ok(Some((snapshot, stored))) if checksum(&snapshot) == stored => Ok(Some(snapshot)),
        Ok(_) => Ok(None),
        Err(error) if error.sqlite_error_code().is_some() => Err(error.into()),
        Err(_) => Ok(None),
    }
}

fn read(row: &Row<'_>, stream: StreamName) -> rusqlite::Result<(Snapshot, u32)> {
    let head = StreamHead { version: unsigned(row, 0)?, hash: Digest(row.get(1)?) };
    let snapshot = Snapshot { stream, head, fold_version: row.get(2)?, state_json: row.get(3)? };
    Ok((snapshot, row.get(4)?))
}
