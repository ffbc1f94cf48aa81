//! Databases that last as long as a test.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use uuid::Uuid;

use crate::{KeyStore, Keyring, KeyringSettings};
use crate::{PostgresKeySettings, PostgresKeyStore, SqliteKeyStore};

/// One database, opened as often as a test likes.
pub trait KeyWorld: Send + Sync {
    /// Another instance of the store, on the same data.
    fn open(&self) -> Arc<dyn KeyStore>;

    /// Another process's keyring, as far as it can tell.
    fn keyring(&self, settings: KeyringSettings) -> Keyring {
        Keyring::new(self.open(), settings)
    }
}

/// A file in a directory of its own.
#[derive(Debug)]
pub struct SqliteKeyWorld(TempDir);

impl SqliteKeyWorld {
    /// An empty directory.
    ///
    /// # Panics
    /// When there is no place for it.
    #[must_use]
    pub fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary directory"))
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.0.path().join("keys.sqlite")
    }
}

impl Default for SqliteKeyWorld {
    fn default() -> Self {
        Self::new()
    }
}

impl KeyWorld for SqliteKeyWorld {
    fn open(&self) -> Arc<dyn KeyStore> {
        Arc::new(SqliteKeyStore::open(&self.path()).expect("the file opens"))
    }
}

/// A schema of its own in the `PostgreSQL` database that `WAYLOG_POSTGRES_URL` names.
pub struct PostgresKeyWorld {
    url: String,
    schema: String,
    settings: PostgresKeySettings,
}

impl PostgresKeyWorld {
    /// A new schema; nothing when the environment names no database and does not require one.
    ///
    /// # Panics
    /// When the database does not answer, or `WAYLOG_TEST_REQUIRE_SERVICES=1` and none is named.
    #[expect(clippy::print_stderr, reason = "a skipped test must be seen by whoever runs it")]
    pub async fn new() -> Option<Self> {
        let Ok(url) = std::env::var("WAYLOG_POSTGRES_URL") else {
            let required = std::env::var("WAYLOG_TEST_REQUIRE_SERVICES").is_ok_and(|v| v == "1");
            assert!(!required, "WAYLOG_POSTGRES_URL is not set, and services are required");
            eprintln!("skipped: WAYLOG_POSTGRES_URL is not set");
            return None;
        };
        let schema = format!("waylog_keys_{}", Uuid::now_v7().simple());
        execute(&url, &format!("CREATE SCHEMA \"{schema}\"")).await;
        let separator = if url.contains('?') { '&' } else { '?' };
        let own = format!("{url}{separator}options=-csearch_path%3D{schema}");
        let deadline = Duration::from_secs(30);
        let settings = PostgresKeySettings { deadline, ..PostgresKeySettings::new(own) };
        Some(Self { url, schema, settings })
    }

    /// Settings that lead to the schema.
    #[must_use]
    pub const fn settings(&self) -> &PostgresKeySettings {
        &self.settings
    }
}

impl KeyWorld for PostgresKeyWorld {
    fn open(&self) -> Arc<dyn KeyStore> {
        Arc::new(PostgresKeyStore::new(&self.settings).expect("the URL was used before"))
    }
}

impl Drop for PostgresKeyWorld {
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

/// Runs statements on a connection of its own.
async fn execute(url: &str, sql: &str) {
    let connecting = tokio_postgres::connect(url, tokio_postgres::NoTls);
    let (client, connection) = connecting.await.expect("the database named by the environment");
    let running = tokio::spawn(connection);
    client.batch_execute(sql).await.expect("the statement runs");
    drop(client);
    running.await.expect("the connection does not panic").expect("the connection ends well");
}
