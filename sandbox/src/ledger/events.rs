//! Events: what happened, for webhooks and for whoever asks later.

use rusqlite::{OptionalExtension as _, Row, params};
use serde_json::{Value, json};

use super::intents::Intent;
use super::{Work, new_id, parsed};
use crate::card::Card;
use crate::error::Failure;
use crate::faults::WebhookFaultKind;

/// How long a webhook that is to come after the next one waits for it, in milliseconds.
const HELD_MS_MAX: i64 = 10_000;

impl Work<'_> {
    /// Records that something happened to an intent, and what webhooks tell it.
    pub(super) fn record_event(
        &self,
        kind: &str,
        intent: &Intent,
        object: &Value,
    ) -> Result<(), Failure> {
        let id = new_id("evt");
        let body = json!({
            "object": "event",
            "id": id,
            "type": kind,
            "created_at_ms": self.now,
            "data": { "object": object },
        });
        self.tx.prepare_cached("INSERT INTO events VALUES (?1, ?2, ?3, ?4)")?.execute(params![
            id,
            intent.id,
            body.to_string(),
            self.now
        ])?;
        if self.webhooks { self.schedule(&id, intent) } else { Ok(()) }
    }

    fn schedule(&self, event: &str, intent: &Intent) -> Result<(), Failure> {
        let late = intent.method.is_some_and(Card::webhooks_late);
        let due_at = self.now + if late { self.rules.webhook_late_ms } else { 0 };
        let Some(fault) = self.faults.meet_webhook() else {
            return self.insert_delivery(event, due_at, Kind::Genuine);
        };
        match fault.kind {
            WebhookFaultKind::Late => {
                let delay = i64::try_from(fault.delay_ms).unwrap_or(i64::MAX / 2);
                self.insert_delivery(event, due_at + delay, Kind::Genuine)
            }
            WebhookFaultKind::Twice => {
                self.insert_delivery(event, due_at, Kind::Genuine)?;
                self.insert_delivery(event, due_at, Kind::Genuine)
            }
            WebhookFaultKind::OutOfOrder => {
                self.insert_delivery(event, due_at + HELD_MS_MAX, Kind::Held)
            }
            WebhookFaultKind::Forged => {
                self.insert_delivery(event, due_at, Kind::Forged)?;
                self.insert_delivery(event, due_at, Kind::Genuine)
            }
        }
    }

    fn insert_delivery(&self, event: &str, due_at: i64, kind: Kind) -> Result<(), Failure> {
        let pending: u32 = self
            .tx
            .prepare_cached("SELECT count(*) FROM deliveries WHERE state = 'pending'")?
            .query_row([], |row| row.get(0))?;
        let full = pending >= self.rules.webhooks_pending_max;
        if full {
            tracing::warn!(event, pending, "too many webhooks wait; this one is abandoned");
        }
        self.tx
            .prepare_cached(
                "INSERT INTO deliveries \
                 (event, state, forged, held, due_at, attempts, last_outcome) \
                 VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6)",
            )?
            .execute(params![
                event,
                if full { "abandoned" } else { "pending" },
                kind == Kind::Forged,
                kind == Kind::Held,
                due_at,
                full.then_some("too many webhooks were waiting"),
            ])?;
        Ok(())
    }

    /// The event of that id, as it is sent.
    pub(crate) fn event(&self, id: &str) -> Result<Option<Value>, Failure> {
        let mut query = self.tx.prepare_cached("SELECT body FROM events WHERE id = ?1")?;
        Ok(query.query_row([id], body).optional()?)
    }

    /// The events of an intent behind `after`, in their order.
    pub(crate) fn events(
        &self,
        intent: &str,
        after: &str,
        limit: u32,
    ) -> Result<Vec<Value>, Failure> {
        let mut query = self.tx.prepare_cached(
            "SELECT body FROM events WHERE intent = ?1 AND id > ?2 ORDER BY id LIMIT ?3",
        )?;
        let rows = query.query_map(params![intent, after, limit], body)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

fn body(row: &Row<'_>) -> rusqlite::Result<Value> {
    parsed(&row.get::<_, String>(0)?)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Genuine,
    Held,
    Forged,
}
