//! Keys in one `SQLite` file, for the embedded mode: `keys.sqlite`, for its owner's eyes alone.
//!
//! Every change is synced before it is answered. What is destroyed is overwritten in the file
//! (`secure_delete`), and the write-ahead log, which holds the key as it was minted, is emptied
//! before the destruction is answered. What copies of the file hold is beyond reach: backups of
//! keys must not be kept for longer than a forgotten person may be remembered.

use std::fs::{File, OpenOptions, Permissions};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use domain::Timestamp;
use domain::ids::PersonId;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension as _, TransactionBehavior};
use tokio::sync::Mutex;

use crate::error::{KeyError, damaged_store};
use crate::key::{Holding, Key};
use crate::store::{Census, Forgotten, KeyStore};

/// For one call, the wait for another's included.
const DEADLINE: Duration = Duration::from_secs(5);
/// The wait for another process's lock: less than the deadline, so that the reason is told.
const BUSY: Duration = Duration::from_secs(3);
/// Nobody but the owner reads or writes.
const MODE: u32 = 0o600;

/// In order; a file says by its `user_version` how many of them it has.
const MIGRATIONS: &[&str] = &[include_str!("../../migrations/sqlite/keys/0001_person_keys.sql")];

/// Keys in one file. One call at a time: each is a look at a page or two.
pub struct SqliteKeyStore {
    connection: Arc<Mutex<Connection>>,
}

impl SqliteKeyStore {
    /// Opens the file, or makes it, and brings it up to date.
    ///
    /// # Errors
    /// When it cannot be opened or is none of ours.
    pub fn open(path: &Path) -> Result<Self, KeyError> {
        for_the_owner_alone(path).map_err(|error| {
            let what = format!("{} cannot be made: {error}", path.display());
            KeyError::Unavailable(what, Some(error.into()))
        })?;
        let mut connection = Connection::open(path).map_err(fault)?;
        connection.busy_timeout(BUSY).map_err(fault)?;
        // A key must be durable before anything is sealed with it: nothing can make it again.
        for (pragma, value) in
            [("journal_mode", "WAL"), ("synchronous", "FULL"), ("secure_delete", "ON")]
        {
            connection.pragma_update(None, pragma, value).map_err(fault)?;
        }
        prepare(&mut connection)?;
        // What a destruction of an earlier run may have left there.
        if let Err(error) = empty_write_ahead_log(&connection) {
            tracing::warn!(%error, "the key store's write-ahead log stays as it is for now");
        }
        Ok(Self { connection: Arc::new(Mutex::new(connection)) })
    }

    /// Opens a file that is there for reading, also beside a process that writes it.
    ///
    /// # Errors
    /// When there is none, or it is none of ours.
    pub fn open_read_only(path: &Path) -> Result<Self, KeyError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(fault)?;
        connection.busy_timeout(BUSY).map_err(fault)?;
        Ok(Self { connection: Arc::new(Mutex::new(connection)) })
    }

    /// Runs the job away from the runtime's workers, within the deadline. A job that began goes on
    /// to its end in any case.
    async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Connection) -> Result<T, KeyError> + Send + 'static,
    ) -> Result<T, KeyError> {
        let connection = Arc::clone(&self.connection);
        let run = async {
            let mut connection = connection.lock_owned().await;
            tokio::task::spawn_blocking(move || job(&mut connection)).await.map_err(|error| {
                KeyError::Store("a call panicked".to_owned(), Some(error.into()))
            })?
        };
        tokio::time::timeout(DEADLINE, run)
            .await
            .map_err(|_| KeyError::Unavailable(format!("no answer within {DEADLINE:?}"), None))?
    }
}

#[async_trait::async_trait]
impl KeyStore for SqliteKeyStore {
    async fn load_or_mint(&self, person: PersonId) -> Result<Holding, KeyError> {
        self.run(move |connection| match held(connection, person)? {
            Some(holding) => Ok(holding),
            None => mint(connection, person),
        })
        .await
    }

    async fn load(&self, persons: &[PersonId]) -> Result<Vec<(PersonId, Holding)>, KeyError> {
        let persons = persons.to_vec();
        self.run(move |connection| {
            let held = |person| Ok(held(connection, person)?.map(|holding| (person, holding)));
            persons.into_iter().filter_map(|person| held(person).transpose()).collect()
        })
        .await
    }

    async fn destroy(&self, person: PersonId) -> Result<Forgotten, KeyError> {
        self.run(move |connection| {
            let forgotten = destroy(connection, person)?;
            empty_write_ahead_log(connection)?;
            Ok(forgotten)
        })
        .await
    }

    async fn forgotten(
        &self,
        after: Option<PersonId>,
        limit: u32,
    ) -> Result<Vec<Forgotten>, KeyError> {
        self.run(move |connection| {
            let sql = "SELECT person, forgotten_at FROM person_keys \
                       WHERE forgotten_at IS NOT NULL AND person > ?1 ORDER BY person LIMIT ?2";
            let mut statement = connection.prepare_cached(sql).map_err(fault)?;
            let after = after.map(|person| person.to_string()).unwrap_or_default();
            let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
            let rows = statement.query_map((after, limit), read).map_err(fault)?;
            rows.map(|row| {
                let (person, micros): (String, i64) = row.map_err(fault)?;
                let person = person.parse().map_err(|_| damaged_store("a person of no form"))?;
                Ok(Forgotten { person, forgotten_at: Timestamp::from_micros(micros) })
            })
            .collect()
        })
        .await
    }

    async fn check(&self) -> Result<(), KeyError> {
        self.run(|connection| held(connection, PersonId(uuid::Uuid::nil())).map(drop)).await
    }

    async fn census(&self) -> Result<Census, KeyError> {
        self.run(|connection| {
            let sql = "SELECT count(key), count(forgotten_at) FROM person_keys";
            let counts = connection.query_row(sql, (), |row| Ok((row.get(0)?, row.get(1)?)));
            let (keys, forgotten): (i64, i64) = counts.map_err(fault)?;
            Ok(Census { keys: keys.unsigned_abs(), forgotten: forgotten.unsigned_abs() })
        })
        .await
    }
}

/// Makes the file if there is none, and takes it from everybody but its owner. `SQLite` gives its
/// own files the same mode.
fn for_the_owner_alone(path: &Path) -> std::io::Result<()> {
    let fresh = !path.exists();
    // Nothing is truncated: an existing file is only taken hold of.
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(MODE).open(path)?;
    if file.metadata()?.permissions().mode() & 0o777 != MODE {
        tracing::warn!(file = %path.display(), "others could read the keys; no longer");
        file.set_permissions(Permissions::from_mode(MODE))?;
    }
    if fresh && let Some(directory) = path.parent().filter(|d| !d.as_os_str().is_empty()) {
        file.sync_all()?;
        File::open(directory)?.sync_all()?;
    }
    Ok(())
}

fn prepare(connection: &mut Connection) -> Result<(), KeyError> {
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(fault)?;
    let taken: i64 = tx.query_row("PRAGMA user_version", (), |row| row.get(0)).map_err(fault)?;
    let taken = usize::try_from(taken).unwrap_or(usize::MAX);
    let Some(pending) = MIGRATIONS.get(taken..) else {
        return Err(KeyError::Refused("a newer program prepared it: run that one".to_owned()));
    };
    for sql in pending {
        tx.execute_batch(sql).map_err(fault)?;
    }
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    tx.pragma_update(None, "user_version", known).map_err(fault)?;
    tx.commit().map_err(fault)
}

fn held(connection: &Connection, person: PersonId) -> Result<Option<Holding>, KeyError> {
    let sql = "SELECT key FROM person_keys WHERE person = ?1";
    let mut statement = connection.prepare_cached(sql).map_err(fault)?;
    let read =
        |row: &rusqlite::Row<'_>| Ok(row.get_ref(0)?.as_blob_or_null()?.map(Key::from_bytes));
    match statement.query_row([person.to_string()], read).optional().map_err(fault)? {
        None => Ok(None),
        Some(None) => Ok(Some(Holding::Forgotten)),
        Some(Some(key)) => Ok(Some(Holding::Key(key?))),
    }
}

/// Whoever comes first mints; the write lock is taken before anything is looked at.
fn mint(connection: &mut Connection, person: PersonId) -> Result<Holding, KeyError> {
    let key = Key::random()?;
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(fault)?;
    let sql = "INSERT INTO person_keys (person, key, created_at) VALUES (?1, ?2, ?3) \
               ON CONFLICT DO NOTHING";
    tx.execute(sql, (person.to_string(), key.expose().as_slice(), micros_now())).map_err(fault)?;
    let holding = held(&tx, person)?.ok_or_else(|| damaged_store("a key that was just kept"))?;
    tx.commit().map_err(fault)?;
    Ok(holding)
}

fn destroy(connection: &mut Connection, person: PersonId) -> Result<Forgotten, KeyError> {
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(fault)?;
    let sql = "INSERT INTO person_keys (person, key, created_at, forgotten_at) \
               VALUES (?1, NULL, ?2, ?2) ON CONFLICT DO UPDATE \
               SET key = NULL, forgotten_at = excluded.forgotten_at WHERE forgotten_at IS NULL";
    tx.execute(sql, (person.to_string(), micros_now())).map_err(fault)?;
    let sql = "SELECT forgotten_at FROM person_keys WHERE person = ?1";
    let micros = tx.query_row(sql, [person.to_string()], |row| row.get(0)).map_err(fault)?;
    tx.commit().map_err(fault)?;
    Ok(Forgotten { person, forgotten_at: Timestamp::from_micros(micros) })
}

/// Moves everything into the file and cuts the write-ahead log to nothing.
fn empty_write_ahead_log(connection: &Connection) -> Result<(), KeyError> {
    let busy: i64 = connection
        .query_row("PRAGMA wal_checkpoint(TRUNCATE)", (), |row| row.get(0))
        .map_err(fault)?;
    if busy == 0 {
        return Ok(());
    }
    let what = "the tombstone is kept, but a reader holds on to what was before; ask again";
    Err(KeyError::Unavailable(what.to_owned(), None))
}

fn micros_now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// What an error of `SQLite` means to a caller.
fn fault(error: rusqlite::Error) -> KeyError {
    let away = matches!(
        error.sqlite_error_code(),
        Some(
            ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::CannotOpen
                | ErrorCode::DiskFull
                | ErrorCode::SystemIoFailure
        )
    );
    if away {
        KeyError::Unavailable(error.to_string(), Some(error.into()))
    } else {
        KeyError::Store(error.to_string(), Some(error.into()))
    }
}
