//! The contract of a stream store: one stream's events, its command ids and snapshots, by key,
//! without scanning a partition.
//!
//! The embedded log is its own stream store. Over Kafka a lane keeps one beside it, derived from
//! the log and thrown away whenever in doubt.

use domain::ids::CommandId;
use domain::{Digest, LogId, Position, PositionVector, StreamName, Timestamp};

use crate::{LogEvent, LogRecord};

/// What a shard's store holds, per partition and as a whole.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// Of which log.
    pub log_id: LogId,
    /// Per partition of the shard that holds anything.
    pub partitions: Vec<PartitionCheckpoint>,
}

/// How far a store has read one partition.
#[derive(Clone, Debug, PartialEq)]
pub struct PartitionCheckpoint {
    /// The last record included, opened records too.
    pub position: Position,
    /// The sequence of the last event included; 0 for none.
    pub sequence: u64,
    /// The epoch of the last record included.
    pub epoch: i64,
    /// The time of the last event included; zero for none.
    pub recorded_at: Timestamp,
}

impl Checkpoint {
    /// The positions alone.
    #[must_use]
    pub fn vector(&self) -> PositionVector {
        self.partitions.iter().map(|partition| partition.position).collect()
    }
}

/// The end of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamHead {
    /// The last version; 0 for a stream without events.
    pub version: u64,
    /// The hash chain's head; zeros for a stream without events.
    pub hash: Digest,
}

/// What became of a command that appended events: kept for ever.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredOutcome {
    /// HMAC of the request.
    pub fingerprint: Digest,
    /// The stream's version after it.
    pub version: u64,
    /// The position of its last event.
    pub position: Position,
}

/// A folded state at a version.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// Of which stream.
    pub stream: StreamName,
    /// The head that it was folded up to.
    pub head: StreamHead,
    /// The version of the fold; another one is not used.
    pub fold_version: u32,
    /// The state.
    pub state_json: Vec<u8>,
}

/// One shard's streams, by key. Used by the shard's lane alone.
pub trait StreamStore: Send {
    /// How far the store has read.
    ///
    /// # Errors
    /// [`StreamStoreError`], as every method here.
    fn checkpoint(&mut self) -> Result<Checkpoint, StreamStoreError>;

    /// The stream's events after that version, ascending, at most `limit`.
    ///
    /// # Errors
    /// [`StreamStoreError`].
    fn events(
        &mut self,
        stream: &StreamName,
        after_version: u64,
        limit: usize,
    ) -> Result<Vec<LogEvent>, StreamStoreError>;

    /// What became of a command to that stream, if it appended anything. The stream's tenant is
    /// checked by the caller.
    ///
    /// # Errors
    /// [`StreamStoreError`].
    fn outcome(
        &mut self,
        stream: &StreamName,
        command_id: CommandId,
    ) -> Result<Option<StoredOutcome>, StreamStoreError>;

    /// The stream's newest snapshot.
    ///
    /// # Errors
    /// [`StreamStoreError`].
    fn snapshot(&mut self, stream: &StreamName) -> Result<Option<Snapshot>, StreamStoreError>;

    /// Keeps snapshots, one a stream, replacing older ones. They are a cache: not made durable.
    ///
    /// # Errors
    /// [`StreamStoreError`].
    fn put_snapshots(&mut self, snapshots: &[Snapshot]) -> Result<(), StreamStoreError>;

    /// Takes in records in log order and moves the checkpoint, in one transaction. Records that are
    /// included already change nothing (in the embedded log, all of them).
    ///
    /// # Errors
    /// [`StreamStoreError`]; [`StreamStoreError::Corrupt`] when a version or sequence is missing.
    fn apply(&mut self, records: &[LogRecord]) -> Result<(), StreamStoreError>;
}

/// A stream store cannot do its work.
#[derive(Debug, thiserror::Error)]
pub enum StreamStoreError {
    /// What it holds contradicts itself or the log: give the shard up, delete it, restore.
    #[error("the stream store is corrupt: {0}")]
    Corrupt(String),
    /// The disk or the database failed.
    #[error("the stream store failed")]
    Storage(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl StreamStoreError {
    /// Stable code for logs and metrics.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Corrupt(_) => "stream_store_corrupt",
            Self::Storage(_) => "stream_store_failed",
        }
    }
}
