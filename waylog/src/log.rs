//! Opens the log that the settings choose: the one place that knows which it is.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use event_log::schema_registry::{self, RegistryOptions};
use event_log::{Codec, EmbeddedLog, EmbeddedOptions, EventLog, KafkaLog, KafkaSettings};

use crate::settings::{Mode, Places};

/// How long the schema registry may take for one answer.
const REGISTRY_CALL_WAIT: Duration = Duration::from_secs(5);

/// The file whose lock keeps a second process out of a distributed one's caches.
const LOCK_FILE: &str = "process.lock";

/// A log with what reads and writes its values.
#[derive(Clone)]
pub(crate) struct OpenLog {
    /// The log.
    pub(crate) log: Arc<dyn EventLog>,
    /// Values to events and back.
    pub(crate) codec: Arc<Codec>,
    /// Held as long as this process may write to the data directory; the embedded log has a lock of
    /// its own.
    _lock: Option<Arc<File>>,
}

/// What is going to be done with the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// Serving: the embedded log is locked for this process.
    Serve,
    /// Looking at it, safely beside a running server: nothing is created, registered or altered.
    Read,
}

/// Opens the log. Blocks: call it from a thread of its own.
///
/// # Errors
/// When it is away, locked by another process, of another shape than the settings say, or when a
/// schema does not fit the registered ones; nothing has been written then.
pub(crate) fn open(places: &Places, purpose: Use) -> anyhow::Result<OpenLog> {
    match places.mode()? {
        Mode::Embedded => embedded(places, purpose),
        Mode::Distributed { brokers, registry, .. } => {
            distributed(places, purpose, brokers, registry.expose().to_owned())
        }
    }
}

fn embedded(places: &Places, purpose: Use) -> anyhow::Result<OpenLog> {
    let dir = &places.data_dir;
    let log = match purpose {
        Use::Serve => {
            std::fs::create_dir_all(dir)
                .with_context(|| format!("cannot create the data directory {}", dir.display()))?;
            let (partitions, shards) = places.shape();
            let options = EmbeddedOptions { partitions, shards, ..EmbeddedOptions::default() };
            EmbeddedLog::open(dir, options)?
        }
        Use::Read => EmbeddedLog::open_read_only(dir)?,
    };
    let codec = Arc::new(log.codec()?);
    Ok(OpenLog { log: Arc::new(log), codec, _lock: None })
}

fn distributed(
    places: &Places,
    purpose: Use,
    brokers: String,
    registry: String,
) -> anyhow::Result<OpenLog> {
    let dir = &places.data_dir;
    let registry = RegistryOptions {
        url: registry,
        topic: format!("{}.events", places.kafka_topic_prefix),
        cache: dir.join("schemas.json"),
        call_wait: REGISTRY_CALL_WAIT,
    };
    let (partitions, shards) = places.shape();
    let settings = KafkaSettings {
        topic_prefix: places.kafka_topic_prefix.clone(),
        partitions,
        shards,
        session_timeout: Duration::from_millis(places.owner_session_timeout_ms.into()),
        ..KafkaSettings::new(brokers)
    };
    let (log, codec, lock) = match purpose {
        Use::Serve => {
            std::fs::create_dir_all(dir)
                .with_context(|| format!("cannot create the data directory {}", dir.display()))?;
            let lock = locked(dir)?;
            // First: an incompatible schema must stop the start before anything is written.
            let codec = schema_registry::prepare(&registry)?;
            (KafkaLog::connect(settings)?, codec, Some(Arc::new(lock)))
        }
        Use::Read => {
            let log = KafkaLog::connect_existing(settings)?;
            (log, schema_registry::consult(&registry)?, None)
        }
    };
    Ok(OpenLog { log: Arc::new(log), codec: Arc::new(codec), _lock: lock })
}

/// Keeps other processes out of the directory's caches, as long as the file is open.
fn locked(dir: &Path) -> anyhow::Result<File> {
    let path = dir.join(LOCK_FILE);
    let lock = File::create(&path).with_context(|| format!("cannot open {}", path.display()))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => anyhow::bail!(
            "another process serves from {}: give each process a --data-dir of its own",
            dir.display()
        ),
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("cannot lock {}", path.display()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_serves_one_process_at_a_time() {
        let dir = tempfile::tempdir().unwrap();

        let first = locked(dir.path()).unwrap();
        let second = locked(dir.path()).map(|_| ());
        drop(first);
        let after = locked(dir.path()).map(|_| ());

        assert!(second.unwrap_err().to_string().contains("--data-dir"));
        assert!(after.is_ok());
    }
}
