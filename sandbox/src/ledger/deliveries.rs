//! Webhooks on their way: which are due, and what became of each attempt.

use rusqlite::{OptionalExtension as _, params};
use serde::Serialize;

use super::Work;
use crate::error::Failure;

/// The longest wait between two attempts, in milliseconds.
const BACKOFF_MS_MAX: i64 = 3_600_000;

/// A webhook that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Due {
    pub(crate) number: i64,
    pub(crate) event: String,
    pub(crate) body: String,
    pub(crate) forged: bool,
    attempts: u32,
}

/// A delivery, as it is listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Delivery {
    number: i64,
    event: String,
    state: String,
    forged: bool,
    due_at_ms: i64,
    attempts: u32,
    last_outcome: Option<String>,
}

impl Work<'_> {
    /// At most `limit` webhooks that are due, the longest waiting first.
    pub(crate) fn due(&self, limit: usize) -> Result<Vec<Due>, Failure> {
        let mut query = self.tx.prepare_cached(
            "SELECT number, event, body, forged, attempts FROM deliveries \
             JOIN events ON events.id = deliveries.event \
             WHERE state = 'pending' AND due_at <= ?1 ORDER BY due_at, number LIMIT ?2",
        )?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = query.query_map(params![self.now, limit], |row| {
            Ok(Due {
                number: row.get(0)?,
                event: row.get(1)?,
                body: row.get(2)?,
                forged: row.get(3)?,
                attempts: row.get(4)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Milliseconds until the next webhook is due.
    pub(crate) fn next_due_in(&self) -> Result<Option<i64>, Failure> {
        let due: Option<i64> = self
            .tx
            .prepare_cached(
                "SELECT due_at FROM deliveries WHERE state = 'pending' ORDER BY due_at LIMIT 1",
            )?
            .query_row([], |row| row.get(0))
            .optional()?;
        Ok(due.map(|due| (due - self.now).max(0)))
    }

    /// Notes what became of an attempt: delivered, tried again later, or given up.
    pub(crate) fn attempted(&self, due: &Due, delivered: bool, said: &str) -> Result<(), Failure> {
        let attempts = due.attempts + 1;
        let last = due.forged || attempts >= self.rules.webhook_attempts_max;
        let state = match (delivered, last) {
            (true, _) => "delivered",
            (false, true) => "abandoned",
            (false, false) => "pending",
        };
        if state == "abandoned" {
            tracing::warn!(event = due.event, attempts, said, "a webhook is abandoned");
        }
        let factor = 1_i64.checked_shl(due.attempts.min(30)).unwrap_or(i64::MAX);
        let wait = self.rules.webhook_backoff_ms.saturating_mul(factor).min(BACKOFF_MS_MAX);
        self.tx
            .prepare_cached(
                "UPDATE deliveries SET state = ?2, attempts = ?3, due_at = ?4, last_outcome = ?5 \
                 WHERE number = ?1",
            )?
            .execute(params![due.number, state, attempts, self.now + wait, said])?;
        if delivered && !due.forged {
            // Whatever waited for a later one to overtake it goes now.
            self.tx
                .prepare_cached(
                    "UPDATE deliveries SET held = 0, due_at = ?2 \
                     WHERE state = 'pending' AND held = 1 AND number < ?1",
                )?
                .execute(params![due.number, self.now])?;
        }
        Ok(())
    }

    /// The deliveries behind `after`, in their order.
    pub(crate) fn deliveries(&self, after: i64, limit: u32) -> Result<Vec<Delivery>, Failure> {
        let mut query = self.tx.prepare_cached(
            "SELECT number, event, state, forged, due_at, attempts, last_outcome \
             FROM deliveries WHERE number > ?1 ORDER BY number LIMIT ?2",
        )?;
        let rows = query.query_map(params![after, limit], |row| {
            Ok(Delivery {
                number: row.get(0)?,
                event: row.get(1)?,
                state: row.get(2)?,
                forged: row.get(3)?,
                due_at_ms: row.get(4)?,
                attempts: row.get(5)?,
                last_outcome: row.get(6)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}
