//! Answers under their idempotency keys: a request is worked on once, and told the same again.

use http::StatusCode;
use rusqlite::{OptionalExtension as _, params};
use serde_json::Value;

use super::{Work, parsed};
use crate::card::Card;
use crate::error::{ApiError, Failure};

/// Answers that are forgotten with one piece of work at most: work stays short.
const SWEPT_MAX: u32 = 100;

/// A request under its key.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// The caller's key.
    pub(crate) key: String,
    /// What was asked, as a digest over operation, path and body.
    pub(crate) digest: [u8; 32],
}

/// What the caller is told.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    /// The HTTP status.
    pub(crate) status: StatusCode,
    /// The body.
    pub(crate) body: Value,
    /// The card that was worked on, if this is no repeat.
    pub(crate) card: Option<Card>,
    /// Whether the answer was stored before.
    pub(crate) repeated: bool,
}

impl Work<'_> {
    /// Does `work` unless its request has an answer already, and stores the answer with it.
    ///
    /// # Errors
    /// When the key was used for another request, or the ledger fails. A refusal by `work` is an
    /// answer.
    pub(crate) fn once(
        &self,
        request: &Request,
        work: impl FnOnce(&Self) -> Result<(Value, Option<Card>), Failure>,
    ) -> Result<Answer, Failure> {
        self.forget_old_answers()?;
        if let Some(stored) = self.stored(request)? {
            return Ok(stored);
        }
        let (status, body, card) = match work(self) {
            Ok((body, card)) => (StatusCode::OK, body, card),
            Err(Failure::Refused(refused)) => (refused.status, refused.body(), None),
            Err(Failure::Ledger(error)) => return Err(error.into()),
        };
        self.tx.prepare_cached("INSERT INTO answers VALUES (?1, ?2, ?3, ?4, ?5)")?.execute(
            params![request.key, request.digest, status.as_u16(), body.to_string(), self.now],
        )?;
        Ok(Answer { status, body, card, repeated: false })
    }

    fn stored(&self, request: &Request) -> Result<Option<Answer>, Failure> {
        let row = self
            .tx
            .prepare_cached("SELECT request, status, body FROM answers WHERE key = ?1")?
            .query_row([&request.key], |row| {
                Ok((
                    row.get::<_, Vec<u8>>(0)?,
                    row.get::<_, u16>(1)?,
                    parsed(&row.get::<_, String>(2)?)?,
                ))
            })
            .optional()?;
        let Some((digest, status, body)) = row else { return Ok(None) };
        if digest != request.digest {
            return Err(ApiError::other_request().into());
        }
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Ok(Some(Answer { status, body, card: None, repeated: true }))
    }

    fn forget_old_answers(&self) -> Result<(), Failure> {
        self.tx
            .prepare_cached(
                "DELETE FROM answers WHERE key IN \
                 (SELECT key FROM answers WHERE created_at < ?1 ORDER BY created_at LIMIT ?2)",
            )?
            .execute(params![self.now.saturating_sub(self.rules.idempotency_ttl_ms), SWEPT_MAX])?;
        Ok(())
    }
}
