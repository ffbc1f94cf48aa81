//! What all lanes of a process share.

use std::sync::{Arc, Mutex, PoisonError};

use event_log::{Codec, EventLog, LogError, Membership, ShardId, StreamStore, StreamStoreError};

use crate::clock::{ClockSkew, WallClock};
use crate::lanes::LanesParts;
use crate::rules::Rules;
use crate::settings::LaneSettings;

/// Where lanes keep stream stores when the log has none of its own.
pub trait StreamStores: Send + Sync + 'static {
    /// Opens the shard's store, empty when there is none.
    ///
    /// # Errors
    /// [`StreamStoreError`]; the store is then destroyed and opened once more.
    fn open(&self, shard: ShardId) -> Result<Box<dyn StreamStore>, StreamStoreError>;

    /// Deletes the shard's store, which is not open.
    ///
    /// # Errors
    /// [`StreamStoreError`].
    fn destroy(&self, shard: ShardId) -> Result<(), StreamStoreError>;
}

/// The tools that every lane works with.
pub(crate) struct Gear {
    pub(crate) log: Arc<dyn EventLog>,
    pub(crate) codec: Arc<Codec>,
    pub(crate) stores: Option<Arc<dyn StreamStores>>,
    pub(crate) clock: Arc<dyn WallClock>,
    pub(crate) skew: Arc<ClockSkew>,
    pub(crate) rules: Rules,
    pub(crate) settings: LaneSettings,
    pub(crate) membership: Mutex<Option<Arc<dyn Membership>>>,
}

impl Gear {
    /// The tools, before the owners are joined.
    pub(crate) fn of(parts: LanesParts, skew: Arc<ClockSkew>) -> Self {
        Self {
            log: parts.log,
            codec: parts.codec,
            stores: parts.stores,
            clock: parts.clock,
            skew,
            rules: parts.rules,
            settings: parts.settings,
            membership: Mutex::new(None),
        }
    }

    /// Asks the coordinator whether the shard is still ours.
    pub(crate) fn prove(&self, shard: ShardId) -> Result<(), LogError> {
        let membership =
            self.membership.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(Arc::clone);
        match membership {
            Some(membership) => membership.prove(shard),
            None => Err(LogError::Unavailable {
                reason: "this process has not joined the owners yet, or has left them".to_owned(),
                source: None,
            }),
        }
    }
}
