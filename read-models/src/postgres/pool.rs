//! Connections to `PostgreSQL`: a bounded pool, a deadline on everything, and what errors mean.

use std::error::Error as _;
use std::fmt;
use std::time::Duration;

use deadpool_postgres::{
    Hook, HookError, Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Runtime,
};
use tokio::time::error::Elapsed;
use tokio_postgres::NoTls;
use tokio_postgres::error::SqlState;

use crate::call::late;
use crate::store::ReadStoreError;

/// Where the database is, how long calls may take, and how many run at once.
#[derive(Clone)]
pub struct PostgresSettings {
    /// `postgresql://user:password@host:port/database`; never printed.
    pub url: String,
    /// For connecting and for every call but the scans.
    pub deadline: Duration,
    /// For calls that read whole tables or create and drop them.
    pub scan_deadline: Duration,
    /// Connections of each pool (one pool writes, one reads).
    pub connections: usize,
}

impl PostgresSettings {
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

impl fmt::Debug for PostgresSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresSettings")
            .field("url", &"(redacted)")
            .field("deadline", &self.deadline)
            .field("scan_deadline", &self.scan_deadline)
            .field("connections", &self.connections)
            .finish()
    }
}

/// A pool whose connections were all set up with the same statements.
pub(crate) struct Connections {
    pool: Pool,
    pub(crate) deadline: Duration,
    pub(crate) scan_deadline: Duration,
}

impl Connections {
    /// A pool; it connects when it is first used.
    pub(crate) fn new(
        settings: &PostgresSettings,
        setup: &'static str,
    ) -> Result<Self, ReadStoreError> {
        let mut config: tokio_postgres::Config = settings.url.parse().map_err(|_| {
            // The parser's own message may quote the password.
            ReadStoreError::Refused("the PostgreSQL URL cannot be read".to_owned())
        })?;
        config.connect_timeout(settings.deadline);
        if config.get_application_name().is_none() {
            config.application_name("waylog");
        }
        let manager = Manager::from_config(
            config,
            NoTls,
            ManagerConfig { recycling_method: RecyclingMethod::Fast },
        );
        // The server gives a statement up a little before the caller does, so that the reason is
        // known and the connection stays usable.
        let millis = settings.deadline.as_millis() * 9 / 10;
        let session = format!(
            "SET statement_timeout = {millis}; SET lock_timeout = {}; \
             SET idle_in_transaction_session_timeout = {}; SET timezone = 'UTC'; {setup}",
            millis / 2,
            settings.scan_deadline.as_millis(),
        );
        let hook = Hook::async_fn(move |client: &mut deadpool_postgres::ClientWrapper, _| {
            let session = session.clone();
            Box::pin(
                async move { client.batch_execute(&session).await.map_err(HookError::Backend) },
            )
        });
        let pool = Pool::builder(manager)
            .max_size(settings.connections.max(1))
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(settings.deadline))
            .create_timeout(Some(settings.deadline))
            .recycle_timeout(Some(settings.deadline))
            .post_create(hook)
            .build()
            .map_err(|error| ReadStoreError::Failed(error.to_string(), Some(error.into())))?;
        Ok(Self { pool, deadline: settings.deadline, scan_deadline: settings.scan_deadline })
    }

    /// A connection, within the deadline.
    pub(crate) async fn connection(&self) -> Result<Object, ReadStoreError> {
        match tokio::time::timeout(self.deadline, self.pool.get()).await {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(PoolError::Backend(error))) => Err(fault(error)),
            Ok(Err(PoolError::PostCreateHook(HookError::Backend(error)))) => Err(fault(error)),
            Ok(Err(error)) => {
                Err(ReadStoreError::Unavailable(error.to_string(), Some(error.into())))
            }
            Err(_) => Err(late(self.deadline)),
        }
    }

    /// Gives the connection back; one whose call is still running is closed, so that nobody else
    /// waits behind that call.
    #[expect(clippy::unused_self, reason = "`call!` asks the pool, whichever it is")]
    pub(crate) fn settle<T>(
        &self,
        connection: Object,
        deadline: Duration,
        outcome: Result<Result<T, ReadStoreError>, Elapsed>,
    ) -> Result<T, ReadStoreError> {
        outcome.unwrap_or_else(|_| {
            drop(Object::take(connection));
            Err(late(deadline))
        })
    }
}

/// What an error of the database or of its client means to a caller.
pub(crate) fn fault(error: tokio_postgres::Error) -> ReadStoreError {
    let away = match error.code() {
        Some(code) => away(code),
        None => error.is_closed() || lost(&error),
    };
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    if away {
        ReadStoreError::Unavailable(text, Some(error.into()))
    } else {
        ReadStoreError::Failed(text, Some(error.into()))
    }
}

/// A table or column that is missing: the store is not prepared yet, or the generation was switched
/// and dropped since the transaction began, or is of another version. Asking again helps.
pub(crate) fn switched(error: ReadStoreError) -> ReadStoreError {
    match error {
        ReadStoreError::Failed(text, Some(source))
            if source
                .downcast_ref::<tokio_postgres::Error>()
                .and_then(tokio_postgres::Error::code)
                .is_some_and(|code| {
                    [SqlState::UNDEFINED_TABLE, SqlState::UNDEFINED_COLUMN].contains(code)
                }) =>
        {
            ReadStoreError::Unavailable(text, Some(source))
        }
        other => other,
    }
}

fn away(code: &SqlState) -> bool {
    // Connection, resources, operator's intervention (shutdown, statement time-out).
    ["08", "53", "57"].iter().any(|class| code.code().starts_with(class))
        || [
            SqlState::LOCK_NOT_AVAILABLE,
            SqlState::T_R_SERIALIZATION_FAILURE,
            SqlState::T_R_DEADLOCK_DETECTED,
            // A primary that became a standby: the pool finds the new one when it reconnects.
            SqlState::READ_ONLY_SQL_TRANSACTION,
        ]
        .contains(code)
}

fn lost(error: &tokio_postgres::Error) -> bool {
    let mut source = error.source();
    while let Some(cause) = source {
        if cause.is::<std::io::Error>() {
            return true;
        }
        source = cause.source();
    }
    false
}
