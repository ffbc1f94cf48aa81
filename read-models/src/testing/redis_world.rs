//! A part of a Redis server that lasts as long as a test.

use std::sync::Arc;
use std::time::Duration;

use redis::{Client, Commands as _};
use uuid::Uuid;

use super::worlds::{StoreWorld, named};
use crate::projection::{Home, HotCopy, Projection};
use crate::queries::ReadQueries;
use crate::redis::{RedisReadStore, RedisReaders, RedisSettings};
use crate::store::ReadStore;

/// A prefix of its own on the server that `WAYLOG_REDIS_URL` names.
pub struct RedisWorld {
    settings: RedisSettings,
}

impl RedisWorld {
    /// A new prefix; nothing when the environment names no server and does not require one.
    ///
    /// # Panics
    /// When `WAYLOG_TEST_REQUIRE_SERVICES=1` and no server is named.
    #[must_use]
    pub fn new() -> Option<Self> {
        let settings = RedisSettings {
            prefix: format!("waylog-test-{}", Uuid::now_v7().simple()),
            deadline: Duration::from_secs(30),
            ..RedisSettings::new(named("WAYLOG_REDIS_URL")?)
        };
        Some(Self { settings })
    }

    /// Settings that lead to the prefix.
    #[must_use]
    pub const fn settings(&self) -> &RedisSettings {
        &self.settings
    }

    /// A connection of the test's own.
    ///
    /// # Panics
    /// When the server does not answer.
    #[must_use]
    pub fn client(&self) -> redis::Connection {
        let client = Client::open(self.settings.url.as_str()).expect("the URL was used before");
        let wait = Duration::from_secs(10);
        client.get_connection_with_timeout(wait).expect("the server named by the environment")
    }

    /// Deletes everything under the prefix, as a server that lost its memory; gives how many keys.
    ///
    /// # Panics
    /// When the server does not answer.
    #[must_use]
    pub fn forget(&self) -> usize {
        let mut client = self.client();
        let pattern = format!("{{{}}}:*", self.settings.prefix);
        let found = client.scan_match(pattern).expect("the server answers");
        let keys: Vec<String> = found.map(|key| key.expect("a key is text")).collect();
        if !keys.is_empty() {
            let _: () = client.unlink(&keys).expect("the server answers");
        }
        keys.len()
    }
}

impl StoreWorld for RedisWorld {
    fn open(&self) -> Arc<dyn ReadStore> {
        Arc::new(RedisReadStore::new(&self.settings).expect("the URL can be read"))
    }

    fn queries(&self) -> ReadQueries {
        let readers = RedisReaders::new(&self.settings).expect("the URL can be read");
        let homes = crate::projections();
        let copies = homes.iter().filter_map(|projection| match projection.home() {
            Home::Redis { copy } => Some((projection.name(), copy)),
            Home::Postgres | Home::Mysql => None,
        });
        ReadQueries::redis(readers, copies.chain([("suite", "suite")]))
    }

    fn projections(&self) -> Vec<Box<dyn Projection>> {
        let copies = crate::projections().into_iter().filter_map(HotCopy::of);
        copies.map(|copy| Box::new(copy) as Box<dyn Projection>).collect()
    }
}

impl Drop for RedisWorld {
    fn drop(&mut self) {
        // Whatever it says: a test that is ending has its own reasons.
        if !std::thread::panicking() {
            tracing::debug!(keys = self.forget(), "the prefix is gone");
        }
    }
}
