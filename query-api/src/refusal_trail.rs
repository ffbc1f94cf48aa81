//! Where refusals are asked for: evidence that the log keeps for a limited time, beside its events.
//! The query API never opens the log; whoever serves it gives it this.

use domain::ids::{CommandId, CorrelationId};
use domain::{Actor, Position, PositionVector, Refusal, StreamName, Tenant, Timestamp};
use futures::future::BoxFuture;
use uuid::Uuid;

/// A command that was refused, or changed nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct Refused {
    /// Where it is among the refusals; rises in its partition.
    pub at: Position,
    /// The stream that the command was for.
    pub stream: StreamName,
    /// The stream's version that it was judged against.
    pub version: u64,
    /// The command.
    pub command_id: CommandId,
    /// Its name, `itinerary.create`.
    pub command: String,
    /// What the request and everything it caused have in common.
    pub correlation_id: CorrelationId,
    /// The message that caused the command, where that is known.
    pub causation_id: Option<Uuid>,
    /// Who asked.
    pub actor: Actor,
    /// Whose data it is.
    pub tenant: Tenant,
    /// When it was judged.
    pub refused_at: Timestamp,
    /// Why; nothing when everything asked for was true already.
    pub refusal: Option<Refusal>,
}

/// Some of the refusals, newest first.
#[derive(Clone, Debug, Default)]
pub struct RefusedPage {
    /// The refusals.
    pub refused: Vec<Refused>,
    /// Before where this began, of each partition.
    pub start: PositionVector,
    /// Before where the next page begins.
    pub before: PositionVector,
    /// Whether there is anything before it. A page may be empty all the same.
    pub more: bool,
}

/// The refusals were not read.
#[derive(Debug, thiserror::Error)]
pub enum TrailError {
    /// The log is away or slow; asking again may help.
    #[error("the refusals cannot be read now")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// They cannot be read.
    #[error("the refusals cannot be read")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl TrailError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unavailable(_) => "refusals_unavailable",
            Self::Failed(_) => "refusals_failed",
        }
    }
}

/// The log's refusals from afar.
pub trait RefusalTrail: Send + Sync + 'static {
    /// At most `max` of them, newest first, before those places (from the newest on, where a
    /// partition has none). Answers within some seconds.
    fn read(
        &self,
        before: PositionVector,
        max: usize,
    ) -> BoxFuture<'_, Result<RefusedPage, TrailError>>;
}
