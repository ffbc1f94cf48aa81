//! Records as they are read from the log, before their values are decoded.

use bytes::Bytes;
use domain::ids::{CommandId, CorrelationId};
use domain::{Actor, Envelope, Position, PositionVector, Refusal, StreamName, Tenant, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::ShardId;

/// Anything that stands in an event partition.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly every record is an event")]
pub enum LogRecord {
    /// An event.
    Event(LogEvent),
    /// A new owner took the shard over. Carries no sequence and no version.
    Opened(OpenedRecord),
    /// Its headers or framing are not ours, or of a category that this process does not know.
    Unreadable(UnreadableRecord),
}

impl LogRecord {
    /// Where it stands.
    #[must_use]
    pub const fn position(&self) -> Position {
        match self {
            Self::Event(record) => record.position,
            Self::Opened(record) => record.position,
            Self::Unreadable(record) => record.position,
        }
    }
}

/// An event with its envelope; the value is still Avro in Confluent framing.
#[derive(Clone, Debug)]
pub struct LogEvent {
    /// Where it stands.
    pub position: Position,
    /// Its headers.
    pub envelope: Envelope,
    /// Magic byte, schema id (four bytes, big-endian), Avro datum.
    pub value: Bytes,
}

/// The first record of an ownership in each partition of the shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenedRecord {
    /// Where it stands.
    pub position: Position,
    /// The shard that was opened.
    pub shard: ShardId,
    /// Its offset in the shard topic: rises with every take-over.
    pub epoch: i64,
    /// The new owner's address for forwarded commands (a URL), empty when it takes none.
    pub address: String,
}

/// A record that this process cannot read.
#[derive(Clone, Debug)]
pub struct UnreadableRecord {
    /// Where it stands.
    pub position: Position,
    /// The record key, lossily as text: the stream to park.
    pub key: String,
    /// What is wrong.
    pub reason: String,
}

/// The evidence of a command that was refused or changed nothing (`waylog.refusals`, limited
/// retention). Written in the same transaction as the events of its batch; its commit proves that
/// the owner was still the owner when it refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RefusalRecord {
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
    /// The message that caused the command; nothing in records of earlier builds.
    #[serde(default)]
    pub causation_id: Option<Uuid>,
    /// Who asked.
    pub actor: Actor,
    /// Whose data it is.
    pub tenant: Tenant,
    /// When it was judged: the lane's time.
    pub refused_at: Timestamp,
    /// Why; nothing when everything asked for was true already.
    pub refusal: Option<Refusal>,
}

/// Some of the refusals that are still kept, newest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RefusalPage {
    /// Each with its place: partition and offset in the log's refusals, which are no positions of
    /// events.
    pub refusals: Vec<(Position, RefusalRecord)>,
    /// Before where this began, of each partition.
    pub start: PositionVector,
    /// Before where the next page begins.
    pub before: PositionVector,
    /// Whether there is anything before it.
    pub more: bool,
}
