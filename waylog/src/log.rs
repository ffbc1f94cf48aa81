//! Opens the log that the settings choose: the one place that knows which it is.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use event_log::schema_registry::{self, RegistryOptions};
use event_log::{Codec, EmbeddedLog, EmbeddedOptions, EventLog, KafkaLog, KafkaSettings};

use crate::settings::{Mode, Places};

/// How long the schema registry may take for one answer.
const REGISTRY_CALL_WAIT: Duration = Duration::from_secs(5);

/// A log with what reads and writes its values.
#[derive(Clone)]
pub(crate) struct OpenLog {
    /// The log.
    pub(crate) log: Arc<dyn EventLog>,
    /// Values to events and back.
    pub(crate) codec: Arc<Codec>,
}

/// What is going to be done with the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// Serving: the embedded log is locked for this process.
    Serve,
    /// Looking at it, safely beside a running server.
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
            distributed(places, brokers, registry.expose().to_owned())
        }
    }
}

fn embedded(places: &Places, purpose: Use) -> anyhow::Result<OpenLog> {
    let dir = &places.data_dir;
    let log = match purpose {
        Use::Serve => {
            std::fs::create_dir_all(dir)
                .with_context(|| format!("cannot create the data directory {}", dir.display()))?;
            EmbeddedLog::open(dir, EmbeddedOptions::default())?
        }
        Use::Read => EmbeddedLog::open_read_only(dir)?,
    };
    let codec = Arc::new(log.codec()?);
    Ok(OpenLog { log: Arc::new(log), codec })
}

fn distributed(places: &Places, brokers: String, registry: String) -> anyhow::Result<OpenLog> {
    let dir = &places.data_dir;
    std::fs::create_dir_all(dir)
        .with_context(|| format!("cannot create the data directory {}", dir.display()))?;
    // First: an incompatible schema must stop the start before anything is written.
    let codec = schema_registry::prepare(&RegistryOptions {
        url: registry,
        topic: format!("{}.events", places.kafka_topic_prefix),
        cache: dir.join("schemas.json"),
        call_wait: REGISTRY_CALL_WAIT,
    })?;
    let log = KafkaLog::connect(KafkaSettings {
        topic_prefix: places.kafka_topic_prefix.clone(),
        partitions: places.partitions,
        shards: places.shards,
        session_timeout: Duration::from_millis(places.owner_session_timeout_ms.into()),
        ..KafkaSettings::new(brokers)
    })?;
    Ok(OpenLog { log: Arc::new(log), codec: Arc::new(codec) })
}
