//! The connection to Redis: one, shared, made anew when it breaks; a deadline on everything, and
//! what errors mean.

use std::fmt;
use std::time::Duration;

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, ErrorKind, FromRedisValue, Pipeline, RedisError, Script, ServerErrorKind};

use crate::call::late;
use crate::store::{Generation, ReadStoreError};

/// Where Redis is and how long calls may take.
#[derive(Clone)]
pub struct RedisSettings {
    /// `redis://user:password@host:port/database`; never printed.
    pub url: String,
    /// What the names of all keys begin with, in braces: one server may serve several deployments.
    pub prefix: String,
    /// For connecting and for every call but the scans.
    pub deadline: Duration,
    /// For calls that read whole tables.
    pub scan_deadline: Duration,
}

impl RedisSettings {
    /// Settings for that server: 5 s, 10 min for scans.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            prefix: "waylog".to_owned(),
            deadline: Duration::from_secs(5),
            scan_deadline: Duration::from_secs(600),
        }
    }
}

impl fmt::Debug for RedisSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisSettings")
            .field("url", &"(redacted)")
            .field("prefix", &self.prefix)
            .field("deadline", &self.deadline)
            .field("scan_deadline", &self.scan_deadline)
            .finish()
    }
}

/// A shared connection with the names of the keys.
pub(crate) struct Connection {
    manager: ConnectionManager,
    pub(crate) keys: Keys,
    pub(crate) deadline: Duration,
    pub(crate) scan_deadline: Duration,
}

impl Connection {
    /// A connection; it is made when it is first used.
    pub(crate) fn new(settings: &RedisSettings) -> Result<Self, ReadStoreError> {
        // The parser's own message may quote the password.
        let unreadable = |_| {
            ReadStoreError::Refused(
                "the Redis URL cannot be read (redis://user:password@host:port/database, without \
                 TLS)"
                    .to_owned(),
            )
        };
        let client = Client::open(settings.url.as_str()).map_err(unreadable)?;
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(settings.deadline))
            .set_response_timeout(Some(settings.deadline))
            // Whoever calls tries again by itself; meanwhile it is told at once.
            .set_number_of_retries(1)
            .set_max_delay(Duration::from_millis(200));
        let manager = ConnectionManager::new_lazy_with_config(client, config).map_err(fault)?;
        Ok(Self {
            manager,
            keys: Keys { prefix: format!("{{{}}}", settings.prefix) },
            deadline: settings.deadline,
            scan_deadline: settings.scan_deadline,
        })
    }

    /// Runs a script; it is sent whole when the server does not know it.
    pub(crate) async fn run<T: FromRedisValue>(
        &self,
        script: &Script,
        keys: &[String],
        arguments: &[impl AsRef<[u8]>],
    ) -> Result<T, ReadStoreError> {
        let mut invocation = script.prepare_invoke();
        for key in keys {
            invocation.key(key);
        }
        for argument in arguments {
            invocation.arg(argument.as_ref());
        }
        let mut manager = self.manager.clone();
        let answer = tokio::time::timeout(self.deadline, invocation.invoke_async(&mut manager));
        answer.await.map_err(|_| late(self.deadline))?.map_err(fault)
    }

    /// Runs commands one after another.
    pub(crate) async fn ask<T: FromRedisValue>(
        &self,
        commands: &Pipeline,
    ) -> Result<T, ReadStoreError> {
        let mut manager = self.manager.clone();
        let answer = tokio::time::timeout(self.deadline, commands.query_async(&mut manager));
        answer.await.map_err(|_| late(self.deadline))?.map_err(fault)
    }
}

/// The names of keys. All begin with the prefix in braces, so that they are of one slot.
pub(crate) struct Keys {
    prefix: String,
}

impl Keys {
    /// One of the store's own keys.
    pub(crate) fn own(&self, name: &str) -> String {
        format!("{}:{name}", self.prefix)
    }

    /// What all keys begin with.
    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// One of a generation's own keys: state, sums, parked.
    pub(crate) fn of(&self, kind: &str, generation: &Generation) -> String {
        format!("{}:{kind}:{}", self.prefix, member(generation))
    }

    /// The rows of a table.
    pub(crate) fn rows(&self, generation: &Generation, table: &str) -> String {
        format!("{}:rows:{}", self.prefix, generation.physical_name(table))
    }

    /// An ordered index of a table.
    pub(crate) fn index(&self, generation: &Generation, table: &str, index: &str) -> String {
        format!("{}:index:{}:{index}", self.prefix, generation.physical_name(table))
    }
}

/// How a generation is listed.
pub(crate) fn member(generation: &Generation) -> String {
    format!("{}/{}", generation.projection, generation.number)
}

/// What servers begin an answer with that does not last: full, loading, busy, read-only, without
/// enough replicas, unable to save.
const AWAY: [&str; 8] =
    ["OOM", "LOADING", "BUSY", "READONLY", "NOREPLICAS", "MISCONF", "MASTERDOWN", "TRYAGAIN"];

/// What an error of the server or of its client means to a caller.
pub(crate) fn fault(error: RedisError) -> ReadStoreError {
    let text = error.to_string();
    let away = match error.kind() {
        ErrorKind::Io => true,
        ErrorKind::Server(
            ServerErrorKind::BusyLoading
            | ServerErrorKind::MasterDown
            | ServerErrorKind::ReadOnly
            | ServerErrorKind::TryAgain
            | ServerErrorKind::ClusterDown,
        ) => true,
        // Older servers wrap what a command in a script says in a sentence of their own.
        _ => AWAY.iter().any(|word| text.contains(word)),
    };
    if away || error.is_timeout() || error.is_connection_dropped() {
        ReadStoreError::Unavailable(text, Some(error.into()))
    } else {
        ReadStoreError::Failed(text, Some(error.into()))
    }
}
