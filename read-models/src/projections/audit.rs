//! `audit`: every event with everything that travels with it. Table `audit_events` (key: tenant,
//! partition, offset; append-only).
//!
//! A repeat is harmless because rows and vector move together. Each row is made from its event
//! alone; no event is ignored.

use domain::ids::{CommandId, CorrelationId, EventId};
use domain::{Digest, RecordedEvent, Tenant, Timestamp};
use uuid::Uuid;

use crate::projection::{Projection, RowKey, Rows};
use crate::row::{Document, row};
use crate::table::{Index, IndexKind, Row, Table};

row! {
    /// One event of the log, for ever.
    pub struct AuditRow in "audit_events", keys 3, append_only true {
        /// Whose data it is.
        tenant: Tenant,
        /// The partition of the event topic.
        log_partition: u32,
        /// The record's offset in the partition.
        log_offset: i64,
        /// Whose history it belongs to, `itinerary-<id>`.
        stream: String,
        /// Its place in the stream, from 1.
        version: u64,
        /// The wire name, `itinerary-created`.
        event_type: String,
        /// When it was decided.
        recorded_at: Timestamp,
        /// Who asked: `account:<id>` or `system:<name>`.
        actor: String,
        /// What the request and everything it caused have in common.
        correlation_id: CorrelationId,
        /// The message that caused the command.
        causation_id: Uuid,
        /// The command that was decided: the client's idempotency key.
        command_id: CommandId,
        /// The event's own id.
        event_id: EventId,
        /// Its place among the events of its partition, from 1, without gaps.
        sequence: u64,
        /// Of the ownership under which it was appended.
        epoch: i64,
        /// HMAC of the request.
        fingerprint: Digest,
        /// The stream's hash chain up to and including this event.
        hash: Digest,
        /// W3C trace context of the request.
        traceparent: Option<String>,
        /// What happened: the event's fields.
        payload: Document<serde_json::Value>,
    }
    indexes &[
        Index { name: "stream", kind: IndexKind::Ordered(&["stream", "version"]) },
        Index { name: "correlation", kind: IndexKind::Ordered(&["correlation_id"]) },
        Index { name: "actor", kind: IndexKind::Ordered(&["tenant", "actor", "recorded_at"]) },
        Index { name: "time", kind: IndexKind::Ordered(&["tenant", "recorded_at"]) },
    ]
}

/// The projection of every event.
pub struct Audit;

impl Projection for Audit {
    fn name(&self) -> &'static str {
        "audit"
    }

    fn version(&self) -> u32 {
        1
    }

    fn tables(&self) -> &'static [&'static Table] {
        &[AuditRow::TABLE]
    }

    fn keyed_by_stream(&self) -> bool {
        true
    }

    fn keys(&self, _: &RecordedEvent, _: &mut Vec<RowKey>) {}

    fn fold(&self, rows: &mut Rows, event: &RecordedEvent) {
        let envelope = &event.envelope;
        rows.write(AuditRow {
            tenant: envelope.tenant.clone(),
            log_partition: event.position.partition,
            log_offset: event.position.offset,
            stream: envelope.stream.to_string(),
            version: envelope.version,
            event_type: envelope.event_type.clone().into_owned(),
            recorded_at: envelope.recorded_at,
            actor: envelope.actor.to_string(),
            correlation_id: envelope.correlation_id,
            causation_id: envelope.causation_id,
            command_id: envelope.command_id,
            event_id: envelope.event_id,
            sequence: envelope.sequence,
            epoch: envelope.epoch,
            fingerprint: envelope.fingerprint,
            hash: envelope.hash,
            traceparent: envelope.traceparent.clone(),
            payload: Document(
                serde_json::to_value(&event.event).expect("every event has a JSON form"),
            ),
        });
    }
}
