//! An event as audit shows it.

use domain::Position;
use read_models::projections::AuditRow;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

/// Where an event is in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct PositionView {
    /// The partition of the event topic.
    pub(crate) partition: u32,
    /// The record's offset in it; offsets rise, with gaps.
    pub(crate) offset: i64,
}

impl From<Position> for PositionView {
    fn from(position: Position) -> Self {
        Self { partition: position.partition, offset: position.offset }
    }
}

/// One event of the log.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct EventView {
    /// Its own id: what it caused names it as `causation_id`.
    pub(crate) event_id: Uuid,
    /// Where it is in the log.
    pub(crate) position: PositionView,
    /// Whose history it belongs to.
    #[schema(example = "itinerary-018f4e2a-7c3b-7def-8123-456789abcdef")]
    pub(crate) stream: String,
    /// Its place in the stream, from 1.
    pub(crate) version: u64,
    /// What happened.
    #[serde(rename = "type")]
    #[schema(example = "itinerary-created")]
    pub(crate) event_type: String,
    /// When it was decided.
    #[schema(format = DateTime, example = "2027-01-01T12:00:00.000000Z")]
    pub(crate) time: String,
    /// Who asked.
    #[schema(example = "account:00000000-0000-8000-8000-000000000d3e")]
    pub(crate) actor: String,
    /// Whose data it is.
    #[schema(example = "dev")]
    pub(crate) tenant: String,
    /// What the request and everything it caused have in common.
    pub(crate) correlation_id: Uuid,
    /// The message that caused the command: an event's id, or the command's own at the edge.
    pub(crate) causation_id: Uuid,
    /// The command that was decided: the client's `Idempotency-Key`.
    pub(crate) command_id: Uuid,
    /// The stream's hash chain up to and including this event, hexadecimal.
    #[schema(min_length = 64, max_length = 64)]
    pub(crate) hash: String,
    /// The event's fields, personal data opened. What can be opened no longer is null, and the
    /// object around it says why: `"forgotten": true`, or `"damaged": true`.
    #[schema(value_type = Object)]
    pub(crate) data: Value,
}

impl From<AuditRow> for EventView {
    fn from(row: AuditRow) -> Self {
        Self {
            event_id: row.event_id.0,
            position: row.position().into(),
            stream: row.stream,
            version: row.version,
            event_type: row.event_type,
            time: row.recorded_at.to_string(),
            actor: row.actor,
            tenant: row.tenant.to_string(),
            correlation_id: row.correlation_id.0,
            causation_id: row.causation_id,
            command_id: row.command_id.0,
            hash: row.hash.to_string(),
            data: row.payload.0,
        }
    }
}
