//! The port through which everyone sends commands.

use domain::ids::{CommandId, CorrelationId};
use domain::{Actor, Command, ConsistencyToken, Digest, Refusal, StreamName, Tenant};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A command on its way to the owner of its stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CommandRequest {
    /// For which stream.
    pub stream: StreamName,
    /// What is asked; of the stream's category.
    pub command: Command,
    /// The idempotency key: the same id is decided at most once.
    pub command_id: CommandId,
    /// HMAC of the request; another one under the same id is refused.
    pub fingerprint: Digest,
    /// Who asks.
    pub actor: Actor,
    /// Whose data it is.
    pub tenant: Tenant,
    /// What this request and everything it causes have in common.
    pub correlation_id: CorrelationId,
    /// The message that caused the command; its own id at the edge.
    pub causation_id: Uuid,
    /// `If-Match`: the version that the client has seen.
    pub expected_version: Option<u64>,
    /// W3C trace context.
    pub traceparent: Option<String>,
}

/// The command was decided and its events are durable.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Accepted {
    /// The stream's version after the command.
    pub version: u64,
    /// Where a query has to have read to, to see it.
    pub position: TokenText,
    /// Whether this is the stored outcome of an earlier request under the same id.
    pub replayed: bool,
    /// How many events the command appended; none when everything asked for was true already.
    /// Of a replayed outcome it is not known and 0.
    pub events: u32,
}

/// A [`ConsistencyToken`] in its text form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TokenText(pub String);

impl From<ConsistencyToken> for TokenText {
    fn from(token: ConsistencyToken) -> Self {
        Self(token.to_string())
    }
}

/// The command was not accepted, or nobody knows.
#[derive(Clone, Debug, PartialEq, thiserror::Error, Serialize, Deserialize)]
#[serde(tag = "error", rename_all = "snake_case")]
pub enum CommandError {
    /// The domain said no; true of a state between the request and this answer.
    #[error("{}", .0.message)]
    Refused(Refusal),
    /// The stream is not at the version that the client expected.
    #[error("the stream is at version {current}, not at {expected}")]
    VersionConflict {
        /// What the client sent.
        expected: u64,
        /// What it is.
        current: u64,
    },
    /// The same id was used for another request.
    #[error("the idempotency key was used for another request")]
    IdempotencyMismatch,
    /// One of the events would be larger than the log takes.
    #[error("the command's event is larger than the log takes ({bytes_max} bytes)")]
    TooLarge {
        /// Key, value and headers together.
        bytes_max: usize,
    },
    /// Nothing was tried: retry.
    #[error("nothing was tried: {reason}")]
    Unavailable {
        /// What is away.
        reason: String,
        /// When to try again.
        retry_after_seconds: u32,
    },
    /// It may have happened: send the same id again to learn it.
    #[error("the outcome is unknown: {reason}")]
    OutcomeUnknown {
        /// What went wrong.
        reason: String,
        /// When to ask again.
        retry_after_seconds: u32,
    },
    /// Ours: the decision panicked, or the command cannot be appended.
    #[error("a defect of the server: {reason}")]
    Defect {
        /// For the log, not for the client.
        reason: String,
    },
}

impl CommandError {
    /// Stable code for problems, logs and metrics.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Self::Refused(refusal) => &refusal.code,
            Self::VersionConflict { .. } => "version_conflict",
            Self::IdempotencyMismatch => "idempotency_mismatch",
            Self::TooLarge { .. } => "event_too_large",
            Self::Unavailable { .. } => "unavailable",
            Self::OutcomeUnknown { .. } => "outcome_unknown",
            Self::Defect { .. } => "defect",
        }
    }
}

/// Where commands go: the one way to change anything.
#[async_trait::async_trait]
pub trait CommandPort: Send + Sync + 'static {
    /// Sends the command to the owner of its stream and waits, at most until the port's deadline
    /// (5 s by default), for an outcome that is known.
    ///
    /// # Errors
    /// [`CommandError`]; never [`CommandError::Unavailable`] when anything may have been tried.
    async fn send(&self, request: CommandRequest) -> Result<Accepted, CommandError>;

    /// How many shards there are.
    fn shards(&self) -> u32;

    /// Which of them decides for that stream: what waits for one need not wait for another.
    fn shard_of(&self, stream: &StreamName) -> u32;
}
