//! The read store in one `SQLite` file, for the embedded mode.
//!
//! One thread writes, a few read; write-ahead logging lets readers go on while the writer commits.
//! `synchronous=NORMAL`: a power cut may take the last batches, never part of one, and the log
//! brings them back, because rows and vector are of one transaction. The file may be deleted; one
//! that is damaged is set aside when it is opened, and damage that is met later is told as such.

pub(crate) mod catalog;
mod ddl;
mod rows;
pub(crate) mod threads;
pub(crate) mod values;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use domain::PositionVector;
use rusqlite::{Connection, OpenFlags};

use self::rows::Batch;
use self::threads::{Threads, damaged, unprepared};
use crate::check::check_changes;
use crate::projection::RowKey;
use crate::store::{
    Applied, Changes, Generation, ParkedStream, ProjectionState, ReadStore, ReadStoreError,
};
use crate::sum::TableSum;
use crate::table::{Table, Value};

/// How long calls may take and how many may read at once.
#[derive(Clone, Debug)]
pub struct SqliteSettings {
    /// For every call but the scans.
    pub deadline: Duration,
    /// For calls that read whole tables or build indexes.
    pub scan_deadline: Duration,
    /// Threads that read, each with a connection of its own.
    pub readers: usize,
}

impl Default for SqliteSettings {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(10),
            scan_deadline: Duration::from_secs(600),
            readers: 4,
        }
    }
}

/// A read store in one file.
pub struct SqliteReadStore {
    writer: Threads,
    scanner: Threads,
    settings: SqliteSettings,
}

impl SqliteReadStore {
    /// Opens the file, or creates it. One that is no database, or whose schema is damaged, is set
    /// aside as `*.damaged`, in the place of an earlier one, and begun anew: the log has it all.
    /// Nobody else may use the file meanwhile.
    ///
    /// # Errors
    /// [`ReadStoreError`], when the file cannot be opened.
    pub fn open(path: &Path, settings: SqliteSettings) -> Result<Self, ReadStoreError> {
        // Waiting for a lock ends before the caller's deadline does, so that the reason is told.
        let busy = settings.deadline / 2;
        let open = || -> rusqlite::Result<Connection> {
            let connection = Connection::open(path)?;
            connection.busy_timeout(busy)?;
            connection.pragma_update(None, "journal_mode", "WAL")?;
            connection.pragma_update(None, "synchronous", "NORMAL")?;
            Ok(connection)
        };
        let whole = || open()?.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()));
        if let Err(error) = whole()
            && damaged(&error)
        {
            let aside = set_aside(path).map_err(|cause| {
                let what = format!("{}, which cannot be set aside: {cause}", path.display());
                ReadStoreError::Damaged(what, Some(error.into()))
            })?;
            let (file, aside) = (path.display(), aside.display());
            tracing::warn!(
                %file, %aside,
                "the read models' file is damaged: it is set aside, and they are built anew"
            );
        }
        Self::on(open, settings)
    }

    /// Opens a file that is there, also one that is being written, to look at it.
    ///
    /// # Errors
    /// [`ReadStoreError`], when there is no such file or it is no database.
    pub fn open_read_only(path: &Path, settings: SqliteSettings) -> Result<Self, ReadStoreError> {
        let busy = settings.deadline / 2;
        Self::on(|| reading(path, busy), settings)
    }

    fn on(
        open: impl Fn() -> rusqlite::Result<Connection>,
        settings: SqliteSettings,
    ) -> Result<Self, ReadStoreError> {
        let writer = Threads::start("read-store-writer", 1, &open)?;
        let scanner = Threads::start("read-store-scanner", 1, &open)?;
        Ok(Self { writer, scanner, settings })
    }
}

/// Renames the file and what belongs to it. The write-ahead log goes first: it must never be taken
/// for one of the file that comes after.
fn set_aside(path: &Path) -> std::io::Result<PathBuf> {
    let with = |suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    for suffix in ["-wal", "-shm", ""] {
        let (from, to) = (with(suffix), with(&format!(".damaged{suffix}")));
        match std::fs::rename(&from, &to) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            renamed => renamed?,
        }
    }
    Ok(with(".damaged"))
}

fn reading(path: &Path, busy: Duration) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(busy)?;
    Ok(connection)
}

/// Connections that only read, for queries.
pub struct SqliteReaders {
    pub(crate) threads: Threads,
    pub(crate) deadline: Duration,
}

impl SqliteReaders {
    /// Opens a file that a [`SqliteReadStore`] has prepared, also one that is being written.
    ///
    /// # Errors
    /// [`ReadStoreError`], when there is no such file or it is no database.
    pub fn open(path: &Path, settings: &SqliteSettings) -> Result<Self, ReadStoreError> {
        let busy = settings.deadline / 2;
        let open = || reading(path, busy);
        let threads = Threads::start("read-store-reader", settings.readers.max(1), open)?;
        Ok(Self { threads, deadline: settings.deadline })
    }
}

#[async_trait::async_trait]
impl ReadStore for SqliteReadStore {
    async fn prepare(&self) -> Result<(), ReadStoreError> {
        self.writer.run(self.settings.scan_deadline, catalog::prepare).await
    }

    async fn generations(&self) -> Result<Vec<ProjectionState>, ReadStoreError> {
        let job = |connection: &mut Connection| catalog::generations(connection);
        self.writer.run(self.settings.deadline, job).await.map_err(unprepared)
    }

    async fn next_number(&self, projection: &str) -> Result<u32, ReadStoreError> {
        let projection = projection.to_owned();
        let job = move |connection: &mut Connection| catalog::next_number(connection, &projection);
        self.writer.run(self.settings.deadline, job).await
    }

    async fn create(
        &self,
        generation: &Generation,
        version: u32,
        tables: &'static [&'static Table],
    ) -> Result<ProjectionState, ReadStoreError> {
        let generation = generation.clone();
        let job = move |connection: &mut Connection| {
            catalog::create(connection, &generation, version, tables)
        };
        self.writer.run(self.settings.deadline, job).await
    }

    async fn state(
        &self,
        generation: &Generation,
    ) -> Result<Option<ProjectionState>, ReadStoreError> {
        let generation = generation.clone();
        let job = move |connection: &mut Connection| catalog::state(connection, &generation);
        self.writer.run(self.settings.deadline, job).await
    }

    async fn load(
        &self,
        generation: &Generation,
        table: &'static Table,
        keys: &[RowKey],
    ) -> Result<Vec<Vec<Value>>, ReadStoreError> {
        let generation = generation.clone();
        let keys: Vec<_> = keys.iter().map(|key| key.key.clone()).collect();
        let job =
            move |connection: &mut Connection| rows::load(connection, &generation, table, &keys);
        self.writer.run(self.settings.deadline, job).await
    }

    async fn apply(&self, changes: Changes<'_>) -> Result<Applied, ReadStoreError> {
        check_changes(&changes.tables)?;
        let batch = Batch {
            generation: changes.generation.clone(),
            expected: changes.expected.clone(),
            expected_continuity: changes.expected_continuity.to_owned(),
            next: changes.next.clone(),
            continuity: changes.continuity.to_owned(),
            last_event_at: changes.last_event_at,
            tables: changes.tables,
            parked: changes.parked,
            unparked: changes.unparked,
        };
        let job = move |connection: &mut Connection| rows::apply(connection, &batch);
        self.writer.run(self.settings.deadline, job).await
    }

    async fn sums(
        &self,
        generation: &Generation,
    ) -> Result<(PositionVector, Vec<(String, TableSum)>), ReadStoreError> {
        let generation = generation.clone();
        let job = move |connection: &mut Connection| rows::sums(connection, &generation);
        self.writer.run(self.settings.deadline, job).await
    }

    async fn recompute_sums(
        &self,
        generation: &Generation,
        tables: &'static [&'static Table],
    ) -> Result<(PositionVector, Vec<(String, TableSum)>), ReadStoreError> {
        let generation = generation.clone();
        let job = move |connection: &mut Connection| {
            rows::recompute_sums(connection, &generation, tables)
        };
        self.scanner.run(self.settings.scan_deadline, job).await
    }

    async fn parked(&self, generation: &Generation) -> Result<Vec<ParkedStream>, ReadStoreError> {
        let generation = generation.clone();
        let job = move |connection: &mut Connection| catalog::parked(connection, &generation);
        self.writer.run(self.settings.deadline, job).await
    }

    async fn promote(&self, generation: &Generation) -> Result<(), ReadStoreError> {
        let generation = generation.clone();
        let job = move |connection: &mut Connection| catalog::promote(connection, &generation);
        self.writer.run(self.settings.deadline, job).await
    }

    async fn drop_generation(&self, generation: &Generation) -> Result<(), ReadStoreError> {
        let generation = generation.clone();
        let job =
            move |connection: &mut Connection| catalog::drop_generation(connection, &generation);
        self.writer.run(self.settings.scan_deadline, job).await
    }
}
