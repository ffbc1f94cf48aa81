//! Connections to `PostgreSQL`: a bounded pool, a deadline on everything, and what errors mean.

use std::error::Error as _;
use std::fmt;
use std::time::Duration;

use deadpool_postgres::{
    ClientWrapper, Hook, HookError, Manager, ManagerConfig, Object, Pool, PoolError,
    RecyclingMethod, Runtime,
};
use tokio_postgres::NoTls;
use tokio_postgres::error::SqlState;

use crate::error::KeyError;

/// Where the database is, how long a call may take, and how many run at once.
#[derive(Clone)]
pub struct PostgresKeySettings {
    /// `postgresql://user:password@host:port/database`; never printed.
    pub url: String,
    /// For connecting, and for every call.
    pub deadline: Duration,
    /// Connections of the pool.
    pub connections: usize,
}

impl PostgresKeySettings {
    /// Settings for that database: 2 s, as commands and queries wait for keys, and 4 connections.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into(), deadline: Duration::from_secs(2), connections: 4 }
    }
}

impl fmt::Debug for PostgresKeySettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresKeySettings")
            .field("url", &"(redacted)")
            .field("deadline", &self.deadline)
            .field("connections", &self.connections)
            .finish()
    }
}

/// A pool whose connections were all set up alike.
pub(super) struct Connections {
    pool: Pool,
    pub(super) deadline: Duration,
}

impl Connections {
    /// A pool; it connects when it is first used.
    pub(super) fn new(settings: &PostgresKeySettings) -> Result<Self, KeyError> {
        let mut config: tokio_postgres::Config = settings.url.parse().map_err(|_| {
            // The parser's own message may quote the password.
            KeyError::Refused("the PostgreSQL URL cannot be read".to_owned())
        })?;
        config.connect_timeout(settings.deadline);
        if config.get_application_name().is_none() {
            config.application_name("waylog-keys");
        }
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        // The server gives up a little before the caller does, so that the reason is known. A key
        // is on the disk before it is used, whatever the server does for others.
        let millis = settings.deadline.as_millis() * 9 / 10;
        let session = format!(
            "SET statement_timeout = {millis}; SET lock_timeout = {}; \
             SET idle_in_transaction_session_timeout = {millis}; SET timezone = 'UTC'; \
             SET synchronous_commit = on",
            millis / 2,
        );
        let set_up = Hook::async_fn(move |client: &mut ClientWrapper, _| {
            let session = session.clone();
            let set_up = async move { client.batch_execute(&session).await };
            Box::pin(async move { set_up.await.map_err(HookError::Backend) })
        });
        let pool = Pool::builder(Manager::from_config(config, NoTls, recycling))
            .max_size(settings.connections.max(1))
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(settings.deadline))
            .create_timeout(Some(settings.deadline))
            .recycle_timeout(Some(settings.deadline))
            .post_create(set_up)
            .build()
            .map_err(|error| KeyError::Store(error.to_string(), Some(error.into())))?;
        Ok(Self { pool, deadline: settings.deadline })
    }

    /// A connection, within the deadline.
    pub(super) async fn connection(&self) -> Result<Object, KeyError> {
        match tokio::time::timeout(self.deadline, self.pool.get()).await {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(
                PoolError::Backend(error) | PoolError::PostCreateHook(HookError::Backend(error)),
            )) => Err(fault(error)),
            Ok(Err(error)) => Err(KeyError::Unavailable(error.to_string(), Some(error.into()))),
            Err(_) => Err(super::late(self.deadline)),
        }
    }
}

/// What an error of the database or of its client means to a caller.
pub(super) fn fault(error: tokio_postgres::Error) -> KeyError {
    let away = match error.code() {
        // Connection, resources, an operator's intervention, a primary that became a standby.
        Some(code) => {
            ["08", "53", "57"].iter().any(|class| code.code().starts_with(class))
                || [SqlState::LOCK_NOT_AVAILABLE, SqlState::READ_ONLY_SQL_TRANSACTION]
                    .contains(code)
        }
        None => error.is_closed() || lost(&error),
    };
    // The database's own words (`db error` alone says nothing), but never the row that it quotes in
    // the detail: there may be a key in it.
    let (text, source) = match error.as_db_error() {
        Some(said) => (said.message().to_owned(), None),
        None => (error.to_string(), Some(error.into())),
    };
    if away { KeyError::Unavailable(text, source) } else { KeyError::Store(text, source) }
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
