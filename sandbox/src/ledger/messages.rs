//! Messages to people: kept, never passed on.

use rusqlite::params;
use serde::Serialize;

use super::{Work, new_id};
use crate::error::Failure;

/// Messages that are kept; older ones go.
const MESSAGES_MAX: i64 = 10_000;

/// A message that arrives.
#[derive(Debug, Clone)]
pub(crate) struct NewMessage {
    /// The sender's own name for it; the same is kept once.
    pub(crate) key: Option<String>,
    pub(crate) channel: String,
    pub(crate) recipient: String,
    pub(crate) subject: Option<String>,
    pub(crate) reference: Option<String>,
    pub(crate) body: String,
}

/// A message, as it is listed.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Message {
    number: i64,
    id: String,
    channel: String,
    recipient: String,
    subject: Option<String>,
    reference: Option<String>,
    body: String,
    created_at_ms: i64,
}

impl Work<'_> {
    /// Keeps a message. Its id.
    pub(crate) fn keep_message(&self, message: &NewMessage) -> Result<String, Failure> {
        let id = new_id("msg");
        self.tx
            .prepare_cached(
                "INSERT INTO messages (id, key, channel, recipient, subject, reference, body, \
                 created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (key) DO NOTHING",
            )?
            .execute(params![
                id,
                message.key,
                message.channel,
                message.recipient,
                message.subject,
                message.reference,
                message.body,
                self.now
            ])?;
        self.tx
            .prepare_cached(
                "DELETE FROM messages WHERE number <= (SELECT max(number) FROM messages) - ?1",
            )?
            .execute([MESSAGES_MAX])?;
        Ok(id)
    }

    /// The messages behind `after`, in the order in which they came.
    pub(crate) fn messages(&self, after: i64, limit: u32) -> Result<Vec<Message>, Failure> {
        let mut query = self.tx.prepare_cached(
            "SELECT number, id, channel, recipient, subject, reference, body, created_at \
             FROM messages WHERE number > ?1 ORDER BY number LIMIT ?2",
        )?;
        let rows = query.query_map(params![after, limit], |row| {
            Ok(Message {
                number: row.get(0)?,
                id: row.get(1)?,
                channel: row.get(2)?,
                recipient: row.get(3)?,
                subject: row.get(4)?,
                reference: row.get(5)?,
                body: row.get(6)?,
                created_at_ms: row.get(7)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}
