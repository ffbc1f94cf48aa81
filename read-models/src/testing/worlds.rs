//! Databases that last as long as a test.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use uuid::Uuid;

use crate::postgres::{PostgresReadStore, PostgresReaders, PostgresSettings};
use crate::projection::Projection;
use crate::queries::ReadQueries;
use crate::sqlite::{SqliteReadStore, SqliteReaders, SqliteSettings};
use crate::store::ReadStore;

/// One database, opened as often as a test likes.
pub trait StoreWorld: Send + Sync {
    /// Another instance of the store, on the same data.
    fn open(&self) -> Arc<dyn ReadStore>;

    /// Queries of the same data; the store has been prepared.
    fn queries(&self) -> ReadQueries;

    /// The projections that the store holds for these queries.
    fn projections(&self) -> Vec<Box<dyn Projection>> {
        crate::projections()
    }
}

/// A `SQLite` file in a directory of its own.
pub struct SqliteWorld {
    directory: TempDir,
    settings: SqliteSettings,
}

impl SqliteWorld {
    /// An empty directory.
    ///
    /// # Panics
    /// When there is no place for it.
    #[must_use]
    pub fn new() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        Self { directory, settings: SqliteSettings::default() }
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.directory.path().join("read.sqlite")
    }
}

impl Default for SqliteWorld {
    fn default() -> Self {
        Self::new()
    }
}

impl StoreWorld for SqliteWorld {
    fn open(&self) -> Arc<dyn ReadStore> {
        let store = SqliteReadStore::open(&self.path(), self.settings.clone());
        Arc::new(store.expect("the file opens"))
    }

    fn queries(&self) -> ReadQueries {
        let readers = SqliteReaders::open(&self.path(), &self.settings);
        ReadQueries::sqlite(readers.expect("the file opens"))
    }
}

/// What the variable says; nothing, with a sentence, when it is not set and not required.
#[expect(clippy::print_stderr, reason = "a skipped test must be seen by whoever runs it")]
pub(super) fn named(variable: &str) -> Option<String> {
    if let Ok(url) = std::env::var(variable) {
        return Some(url);
    }
    let required = std::env::var("WAYLOG_TEST_REQUIRE_SERVICES").is_ok_and(|v| v == "1");
    assert!(!required, "{variable} is not set, and services are required");
    eprintln!("skipped: {variable} is not set");
    None
}

/// A schema of its own in the `PostgreSQL` database that `WAYLOG_POSTGRES_URL` names.
pub struct PostgresWorld {
    url: String,
    schema: String,
    settings: PostgresSettings,
}

impl PostgresWorld {
    /// A new schema; nothing when the environment names no database and does not require one.
    ///
    /// # Panics
    /// When the database does not answer, or `WAYLOG_TEST_REQUIRE_SERVICES=1` and none is named.
    pub async fn new() -> Option<Self> {
        let url = named("WAYLOG_POSTGRES_URL")?;
        let schema = format!("waylog_test_{}", Uuid::now_v7().simple());
        execute(&url, &format!("CREATE SCHEMA \"{schema}\"")).await;
        let settings = PostgresSettings {
            connections: 4,
            deadline: Duration::from_secs(30),
            ..PostgresSettings::new(in_schema(&url, &schema))
        };
        Some(Self { url, schema, settings })
    }

    /// Settings that lead to the schema.
    #[must_use]
    pub const fn settings(&self) -> &PostgresSettings {
        &self.settings
    }
}

impl StoreWorld for PostgresWorld {
    fn open(&self) -> Arc<dyn ReadStore> {
        Arc::new(PostgresReadStore::new(&self.settings).expect("the URL was used before"))
    }

    fn queries(&self) -> ReadQueries {
        let readers = PostgresReaders::new(&self.settings);
        ReadQueries::postgres(readers.expect("the URL was used before"))
    }
}

impl Drop for PostgresWorld {
    fn drop(&mut self) {
        // A test that panicked in a transaction still holds its locks: waiting for them ends.
        let sql = format!("SET lock_timeout = '10s'; DROP SCHEMA \"{}\" CASCADE", self.schema);
        let url = self.url.clone();
        // A runtime of its own: the test's may be in the middle of a panic.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(execute(&url, &sql));
        });
        if dropping.join().is_err() && !std::thread::panicking() {
            panic!("the schema {} was not dropped", self.schema);
        }
    }
}

fn in_schema(url: &str, schema: &str) -> String {
    if url.contains("://") {
        let separator = if url.contains('?') { '&' } else { '?' };
        format!("{url}{separator}options=-csearch_path%3D{schema}")
    } else {
        format!("{url} options='-csearch_path={schema}'")
    }
}

/// Runs one statement on a connection of its own.
async fn execute(url: &str, sql: &str) {
    let connecting = tokio_postgres::connect(url, tokio_postgres::NoTls);
    let (client, connection) = connecting.await.expect("the database named by the environment");
    let running = tokio::spawn(connection);
    client.batch_execute(sql).await.expect("the statement runs");
    drop(client);
    running.await.expect("the connection does not panic").expect("the connection ends well");
}
