//! Connections to `MySQL` or `MariaDB`: a bounded pool, a deadline on everything, and what errors
//! mean.

use std::fmt;
use std::time::Duration;

use deadpool::Runtime;
use deadpool::managed::{self, Metrics, PoolError, RecycleError, RecycleResult};
use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, DriverError, Error, IsolationLevel, Opts, OptsBuilder, TxOpts};
use tokio::time::error::Elapsed;

use crate::call::late;
use crate::store::ReadStoreError;

/// A connection that rested for longer is asked whether it still works.
const TRUSTED_FOR: Duration = Duration::from_secs(5);
/// How long a connection that is given up may take to say goodbye.
const GOODBYE: Duration = Duration::from_secs(1);
/// Statements that a connection keeps prepared.
const STATEMENTS_MAX: usize = 256;

/// A connection of the pool.
pub(crate) type Object = managed::Object<Opener>;

/// Where the database is, how long calls may take, and how many run at once.
#[derive(Clone)]
pub struct MysqlSettings {
    /// `mysql://user:password@host:port/database`; never printed.
    pub url: String,
    /// For connecting and for every call but the scans.
    pub deadline: Duration,
    /// For calls that read whole tables or drop them.
    pub scan_deadline: Duration,
    /// Connections of each pool (one pool writes, one reads).
    pub connections: usize,
}

impl MysqlSettings {
    /// Settings for that database: 10 s, 10 min for scans, 8 connections.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            deadline: Duration::from_secs(10),
            scan_deadline: Duration::from_secs(600),
            connections: 8,
        }
    }
}

impl fmt::Debug for MysqlSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MysqlSettings")
            .field("url", &"(redacted)")
            .field("deadline", &self.deadline)
            .field("scan_deadline", &self.scan_deadline)
            .field("connections", &self.connections)
            .finish()
    }
}

/// How long calls may take.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    /// Every call but the scans.
    pub(crate) call: Duration,
    /// Calls that read whole tables or drop them.
    pub(crate) scan: Duration,
}

/// A pool whose connections were all set up with the same statement.
pub(crate) struct Connections {
    pool: managed::Pool<Opener>,
    pub(crate) limits: Limits,
}

/// Opens the pool's connections.
pub(crate) struct Opener {
    options: Opts,
}

impl managed::Manager for Opener {
    type Type = Conn;
    type Error = Error;

    async fn create(&self) -> Result<Conn, Error> {
        Conn::new(self.options.clone()).await
    }

    async fn recycle(&self, connection: &mut Conn, metrics: &Metrics) -> RecycleResult<Error> {
        if metrics.last_used() > TRUSTED_FOR {
            connection.ping().await.map_err(RecycleError::Backend)?;
        }
        Ok(())
    }
}

impl Connections {
    /// A pool; it connects when it is first used.
    pub(crate) fn new(settings: &MysqlSettings, access: &str) -> Result<Self, ReadStoreError> {
        // The parser's own message may quote the password.
        let unreadable = |_| {
            ReadStoreError::Refused(
                "the MySQL URL cannot be read (mysql://user:password@host:port/database, without \
                 TLS)"
                    .to_owned(),
            )
        };
        let options = Opts::from_url(&settings.url).map_err(unreadable)?;
        if options.db_name().is_none_or(str::is_empty) {
            return Err(ReadStoreError::Refused("the MySQL URL names no database".to_owned()));
        }
        let limits = Limits { call: settings.deadline, scan: settings.scan_deadline };
        let options = OptsBuilder::from_opts(options)
            // An update that changes nothing must count as one that found its row: compare-and-set
            // at a standing vector is such a one.
            .client_found_rows(true)
            .prefer_socket(false)
            .stmt_cache_size(STATEMENTS_MAX)
            .setup(vec![setup(limits.call, access)]);
        let pool = managed::Pool::builder(Opener { options: options.into() })
            .max_size(settings.connections.max(1))
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(settings.deadline))
            .create_timeout(Some(settings.deadline))
            .recycle_timeout(Some(settings.deadline))
            .build()
            .map_err(|error| ReadStoreError::Failed(error.to_string(), Some(error.into())))?;
        Ok(Self { pool, limits })
    }

    /// A connection, within the deadline.
    pub(crate) async fn connection(&self) -> Result<Object, ReadStoreError> {
        match tokio::time::timeout(self.limits.call, self.pool.get()).await {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(PoolError::Backend(error))) => Err(fault(error)),
            Ok(Err(error)) => {
                Err(ReadStoreError::Unavailable(error.to_string(), Some(error.into())))
            }
            Err(_) => Err(late(self.limits.call)),
        }
    }

    /// Gives the connection back after a call that went well. Any other one is closed: it may hold
    /// a transaction with its locks, or an answer that nobody waits for.
    #[expect(clippy::unused_self, reason = "`call!` asks the pool, whichever it is")]
    pub(crate) fn settle<T>(
        &self,
        connection: Object,
        deadline: Duration,
        outcome: Result<Result<T, ReadStoreError>, Elapsed>,
    ) -> Result<T, ReadStoreError> {
        let outcome = outcome.unwrap_or_else(|_| Err(late(deadline)));
        if outcome.is_err() {
            let goodbye = Object::take(connection).disconnect();
            tokio::spawn(async move {
                if !matches!(tokio::time::timeout(GOODBYE, goodbye).await, Ok(Ok(()))) {
                    tracing::debug!("a connection to MySQL ended without a goodbye");
                }
            });
        }
        outcome
    }
}

/// What every connection is told first. Double quotes are for names, as in the other dialects;
/// nothing is cut off, rounded or taken for another date; locks and statements end before the
/// caller's patience does, so that the reason is known.
fn setup(deadline: Duration, access: &str) -> String {
    let lock_seconds = (deadline / 2).as_secs().max(1);
    format!(
        "SET SESSION sql_mode = 'ANSI_QUOTES,STRICT_ALL_TABLES,NO_BACKSLASH_ESCAPES,\
         NO_ENGINE_SUBSTITUTION,ERROR_FOR_DIVISION_BY_ZERO', time_zone = '+00:00', \
         innodb_lock_wait_timeout = {lock_seconds}, lock_wait_timeout = {lock_seconds}, {}, \
         {}",
        statement_time(deadline),
        if access == "READ ONLY" {
            "/*M! tx_read_only = 1 */ /*!80000 transaction_read_only = 1 */"
        } else {
            "/*M! tx_read_only = 0 */ /*!80000 transaction_read_only = 0 */"
        }
    )
}

/// The assignment that bounds a statement's time, a little below the caller's: `MariaDB` bounds
/// every statement, `MySQL` those that only read.
fn statement_time(deadline: Duration) -> String {
    let millis = deadline.as_millis() * 9 / 10;
    let (seconds, rest) = (millis / 1000, millis % 1000);
    format!(
        "/*M! max_statement_time = {seconds}.{rest:03} */ /*!80000 max_execution_time = {millis} */"
    )
}

/// Bounds the time of the connection's further statements.
pub(super) async fn bound(connection: &mut Conn, deadline: Duration) -> Result<(), ReadStoreError> {
    let sql = format!("SET SESSION {}", statement_time(deadline));
    connection.query_drop(sql).await.map_err(fault)
}

/// The options of a transaction that writes: what others commit meanwhile is seen, and no gap
/// between rows is locked.
pub(super) fn writing() -> TxOpts {
    let mut options = TxOpts::new();
    options.with_isolation_level(IsolationLevel::ReadCommitted);
    options
}

/// The options of a transaction that sees one moment.
pub(crate) fn snapshot() -> TxOpts {
    let mut options = TxOpts::new();
    options
        .with_isolation_level(IsolationLevel::RepeatableRead)
        .with_readonly(true)
        .with_consistent_snapshot(true);
    options
}

/// Codes of the server with which asking again may help: connections, shutdown, lock waits,
/// deadlocks, time-outs, interrupted statements, a read-only server, a full disk, a table whose
/// definition changed.
const AWAY: [u16; 17] = [
    1021, 1040, 1053, 1205, 1213, 1290, 1317, 1412, 1836, 1969, 3024, 1203, 1226, 1158, 1159, 1160,
    1161,
];
/// A packet beyond the server's `max_allowed_packet`.
const PACKET_TOO_LARGE: u16 = 1153;

/// What an error of the database or of its client means to a caller.
pub(crate) fn fault(error: Error) -> ReadStoreError {
    let away = match &error {
        Error::Server(server) if server.code == PACKET_TOO_LARGE => return too_large(),
        Error::Driver(DriverError::PacketTooLarge) => return too_large(),
        Error::Server(server) => AWAY.contains(&server.code),
        Error::Io(_) => true,
        Error::Driver(driver) => matches!(
            driver,
            DriverError::ConnectionClosed
                | DriverError::PacketOutOfOrder
                | DriverError::PoolDisconnected
        ),
        Error::Other(_) | Error::Url(_) => false,
    };
    if away {
        ReadStoreError::Unavailable(error.to_string(), Some(error.into()))
    } else {
        ReadStoreError::Failed(error.to_string(), Some(error.into()))
    }
}

fn too_large() -> ReadStoreError {
    ReadStoreError::Refused(
        "a row is larger than the server takes: raise max_allowed_packet to 32 MiB or more"
            .to_owned(),
    )
}
