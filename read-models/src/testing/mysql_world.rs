//! A `MySQL` database that lasts as long as a test.

use std::sync::Arc;
use std::time::Duration;

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Opts, OptsBuilder};
use uuid::Uuid;

use super::worlds::{StoreWorld, named};
use crate::mysql::{MysqlReadStore, MysqlReaders, MysqlSettings};
use crate::queries::ReadQueries;
use crate::store::ReadStore;

/// A database of its own on the server that `WAYLOG_MYSQL_URL` names, or one that was made before.
pub struct MysqlWorld {
    server: Opts,
    database: String,
    settings: MysqlSettings,
}

impl MysqlWorld {
    /// A new database; nothing when the environment names no server and does not require one.
    ///
    /// # Panics
    /// When the server does not answer, or `WAYLOG_TEST_REQUIRE_SERVICES=1` and none is named.
    pub async fn new() -> Option<Self> {
        let url = named("WAYLOG_MYSQL_URL")?;
        let server = Opts::from_url(&url).expect("the URL named by the environment");
        let database = format!("waylog_test_{}", Uuid::now_v7().simple());
        execute(&server, &format!("CREATE DATABASE `{database}`")).await;
        let old = server.db_name().expect("the URL names a database");
        let cut = url.rfind(&format!("/{old}")).expect("the database is the URL's path");
        let (head, tail) = (&url[..cut], &url[cut + 1 + old.len()..]);
        let settings = MysqlSettings {
            connections: 4,
            deadline: Duration::from_secs(30),
            ..MysqlSettings::new(format!("{head}/{database}{tail}"))
        };
        Some(Self { server, database, settings })
    }

    /// Settings that lead to the database.
    #[must_use]
    pub const fn settings(&self) -> &MysqlSettings {
        &self.settings
    }

    /// A connection of the test's own to the database.
    ///
    /// # Panics
    /// When the server does not answer.
    pub async fn client(&self) -> Conn {
        let options = OptsBuilder::from_opts(self.server.clone())
            .db_name(Some(self.database.clone()))
            .setup(vec!["SET SESSION sql_mode = 'ANSI_QUOTES,STRICT_ALL_TABLES'"]);
        Conn::new(options).await.expect("the server named by the environment")
    }
}

impl StoreWorld for MysqlWorld {
    fn open(&self) -> Arc<dyn ReadStore> {
        Arc::new(MysqlReadStore::new(&self.settings).expect("the URL was used before"))
    }

    fn queries(&self) -> ReadQueries {
        ReadQueries::mysql(MysqlReaders::new(&self.settings).expect("the URL was used before"))
    }
}

impl Drop for MysqlWorld {
    fn drop(&mut self) {
        let sql = format!("DROP DATABASE `{}`", self.database);
        let server = self.server.clone();
        // A runtime of its own: the test's may be in the middle of a panic.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(execute(&server, &sql));
        });
        if dropping.join().is_err() && !std::thread::panicking() {
            panic!("the database {} was not dropped", self.database);
        }
    }
}

/// Runs one statement on a connection of its own; waiting for locks ends.
async fn execute(server: &Opts, sql: &str) {
    let options =
        OptsBuilder::from_opts(server.clone()).setup(vec!["SET SESSION lock_wait_timeout = 10"]);
    let mut client = Conn::new(options).await.expect("the server named by the environment");
    client.query_drop(sql).await.expect("the statement runs");
    client.disconnect().await.expect("the connection ends well");
}
