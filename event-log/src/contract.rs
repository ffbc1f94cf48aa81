//! The contract of a log. All calls block: they are made from threads of the caller's own, never
//! from an asynchronous runtime's workers.

use std::sync::Arc;
use std::time::Duration;

use domain::{Envelope, PositionVector};

use crate::{LogRecord, RefusalPage, RefusalRecord, ShardId, StreamStore, Topology};

type Source = Box<dyn std::error::Error + Send + Sync>;

/// An append-only log of events in partitions, owned shard by shard.
pub trait EventLog: Send + Sync + 'static {
    /// Its shape.
    fn topology(&self) -> Topology;

    /// Takes the shard over: fences its previous writer, settles that one's open transaction, and
    /// commits a `lane-opened` record to the shard topic and to every partition of the shard.
    /// Only a current member that was assigned the shard may call it.
    ///
    /// # Errors
    /// [`LogError`]; the shard is then not open.
    fn open_shard(&self, shard: ShardId, address: &str) -> Result<OpenShard, LogError>;

    /// The log's own stream store of a shard, when it has one (the embedded log); over Kafka the
    /// lane keeps its own.
    ///
    /// # Errors
    /// [`LogError`].
    fn stream_store(&self, shard: ShardId) -> Result<Option<Box<dyn StreamStore>>, LogError>;

    /// Reads committed records after `start`, of the given partitions (all when empty), each
    /// partition in order. A start that the log no longer has is an error, never a skip.
    ///
    /// # Errors
    /// [`LogError`].
    fn reader(
        &self,
        start: &PositionVector,
        partitions: &[u32],
    ) -> Result<Box<dyn LogReader>, LogError>;

    /// About the last committed record of each partition: for progress, lag and time-outs only.
    ///
    /// # Errors
    /// [`LogError`].
    fn end(&self) -> Result<PositionVector, LogError>;

    /// At most `max` of the refusals that are still kept, newest first, before those places (from
    /// the newest on, where a partition has none). They are evidence and may be gone at any time;
    /// a page may be empty although there are more.
    ///
    /// # Errors
    /// [`LogError`].
    fn refusals(&self, before: &PositionVector, max: usize) -> Result<RefusalPage, LogError>;

    /// Joins the owners of this log. The handler is told which shards to open and to give up.
    ///
    /// # Errors
    /// [`LogError`].
    fn join(&self, handler: Arc<dyn OwnershipHandler>) -> Result<Box<dyn Membership>, LogError>;

    /// Who owns the shard, as far as is known here; possibly stale.
    fn owner(&self, shard: ShardId) -> Option<ShardOwner>;

    /// How far this machine's clock is ahead of the log's, in microseconds (negative: behind); zero
    /// when the log has no other clock.
    ///
    /// # Errors
    /// [`LogError`].
    fn clock_skew_micros(&self) -> Result<i64, LogError>;

    /// The largest event that may be appended: key, value and headers, in bytes.
    fn record_bytes_max(&self) -> usize;

    /// What an acknowledged event survives.
    fn durability(&self) -> Durability;
}

/// A shard that was taken over.
pub struct OpenShard {
    /// Rises with every take-over of the shard.
    pub epoch: i64,
    /// The opened record of each partition of the shard: a restore is complete when it has read
    /// them all.
    pub opened: PositionVector,
    /// The only one that can append to the shard until somebody else opens it.
    pub writer: Box<dyn ShardWriter>,
}

/// Appends to one shard. Drop it after [`AppendError::Lost`]; never use it again.
pub trait ShardWriter: Send {
    /// Appends all events and refusals durably, or nothing. A batch is never empty.
    ///
    /// # Errors
    /// [`AppendError`] says whether anything was written and whether the writer still lives.
    fn append(&mut self, batch: &Batch) -> Result<Appended, AppendError>;
}

/// What one commit appends.
#[derive(Debug, Default)]
pub struct Batch {
    /// Events in the order of decision.
    pub events: Vec<NewEvent>,
    /// Evidence of refusals.
    pub refusals: Vec<RefusalRecord>,
}

/// One event on its way into the log.
#[derive(Debug)]
pub struct NewEvent {
    /// Its stream's partition.
    pub partition: u32,
    /// Its headers.
    pub envelope: Envelope,
    /// Its value in Confluent framing.
    pub value: bytes::Bytes,
}

/// Where the events of a batch are.
#[derive(Debug)]
pub struct Appended {
    /// The offset of each event, in the order of the batch.
    pub offsets: Vec<i64>,
}

/// Whether a batch that failed is in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommitState {
    /// Certainly not.
    NotWritten,
    /// It may be; only a restore tells.
    Unknown,
}

/// An append did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// Nothing was written; the writer still lives: decide again.
    #[error("the append was aborted; nothing was written")]
    Aborted(#[source] Source),
    /// The event at that index is larger than the log takes; nothing was written; the writer lives.
    #[error("event {index} of the batch is larger than the log takes")]
    TooLarge {
        /// Index in the batch's events.
        index: usize,
    },
    /// The writer was fenced or broke: drop it.
    #[error("the writer is lost ({committed:?})")]
    Lost {
        /// Whether the batch is in the log.
        committed: CommitState,
        /// Why.
        #[source]
        source: Source,
    },
}

/// Reads committed records in order, partition by partition.
pub trait LogReader: Send {
    /// The next records: up to `max`, waiting at most `wait` for the first. Empty means that none
    /// came in time, not that the end was reached.
    ///
    /// # Errors
    /// [`LogError`]; the reader may be used again when it is [`LogError::Unavailable`].
    fn poll(&mut self, max: usize, wait: Duration) -> Result<Vec<LogRecord>, LogError>;
}

/// Is told which shards this process should own. Called on the membership's own thread.
pub trait OwnershipHandler: Send + Sync {
    /// These may be opened now.
    fn assigned(&self, shards: &[ShardId]);
    /// These must be given up before this returns (in at most 5 s). `lost` means that somebody else
    /// may own them already: abort, do not commit.
    fn revoked(&self, shards: &[ShardId], lost: bool);
}

/// A place among the owners.
pub trait Membership: Send + Sync {
    /// Proves, by asking the coordinator, that the shard is still assigned to this member.
    ///
    /// # Errors
    /// [`LogError::NotAMember`] when it is not; any other error proves nothing.
    fn prove(&self, shard: ShardId) -> Result<(), LogError>;

    /// Gives all shards up and leaves at once, so that others need not wait for a time-out.
    ///
    /// # Errors
    /// [`LogError`]; the place is given up all the same.
    fn leave(&self) -> Result<(), LogError>;
}

/// Who owns a shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardOwner {
    /// Of the ownership.
    pub epoch: i64,
    /// Where its owner takes forwarded commands (a URL); empty when it takes none.
    pub address: String,
}

/// What an acknowledged event survives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Durability {
    /// Whether it survives a power cut of one machine.
    pub survives_power_cut: bool,
    /// One sentence for the operator.
    pub description: String,
}

/// The log cannot do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// It is away or slow; asking again may help.
    #[error("the log is unavailable: {reason}")]
    Unavailable {
        /// What did not answer.
        reason: String,
        /// The client library's error, if any.
        #[source]
        source: Option<Source>,
    },
    /// This process does not own what it wanted to use.
    #[error("not a member of the owners, or the shard is not assigned here")]
    NotAMember,
    /// What exists is not what the settings say; the message names the way out.
    #[error("the log does not fit the settings: {0}")]
    Mismatch(String),
    /// The log contradicts itself or lacks what was acknowledged.
    #[error("the log is corrupt: {0}")]
    Corrupt(String),
    /// The disk or the client library failed.
    #[error("the log failed: {reason}")]
    Failed {
        /// At what.
        reason: String,
        /// The library's error, if any.
        #[source]
        source: Option<Source>,
    },
}

impl LogError {
    /// Stable code for logs, metrics and problems.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unavailable { .. } => "log_unavailable",
            Self::NotAMember => "not_a_member",
            Self::Mismatch(_) => "log_mismatch",
            Self::Corrupt(_) => "log_corrupt",
            Self::Failed { .. } => "log_failed",
        }
    }
}
