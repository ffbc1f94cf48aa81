//! Refunds: captured money that goes back, at most once per reference of the merchant's.

use http::StatusCode;
use rusqlite::{OptionalExtension as _, Row, params};
use serde_json::{Value, json};

use super::entries::Movement;
use super::intents::{Intent, Name};
use super::{Work, new_id};
use crate::card::Card;
use crate::error::{ApiError, Failure};

/// Refunds of one intent, failed ones counted.
const REFUNDS_MAX: u32 = 100;
const REFUSED: (&str, &str) = ("refund_refused", "The bank does not take the refund.");

/// A refund.
#[derive(Debug, Clone)]
pub(crate) struct Refund {
    id: String,
    reference: String,
    intent: String,
    amount: i64,
    status: String,
    failure: Option<(String, String)>,
    created_at: i64,
}

impl Refund {
    /// As it is sent.
    pub(crate) fn json(&self) -> Value {
        let failure =
            self.failure.as_ref().map(|(code, message)| json!({"code": code, "message": message}));
        json!({
            "object": "refund",
            "id": self.id,
            "reference": self.reference,
            "payment_intent": self.intent,
            "amount": self.amount,
            "status": self.status,
            "failure": failure,
            "created_at_ms": self.created_at,
        })
    }

    /// The refund, or the refusal that it ended in.
    fn outcome(self) -> Result<Self, Failure> {
        if self.failure.is_none() {
            return Ok(self);
        }
        let (code, message) = REFUSED;
        Err(ApiError::card(code, message).with("refund", self.json()).into())
    }
}

impl Work<'_> {
    /// Gives `amount` back, or says what became of the refund of that reference.
    pub(crate) fn refund(
        &self,
        intent: &Intent,
        reference: &str,
        amount: i64,
    ) -> Result<Refund, Failure> {
        if let Some(there) = self.refund_named(&Name::Reference(reference.to_owned()))? {
            if (&there.intent, there.amount) == (&intent.id, amount) {
                return there.outcome();
            }
            let message = "This reference belongs to another refund.";
            let taken = ApiError::conflict("reference_taken", message);
            return Err(taken.with("refund", there.json()).into());
        }
        let left = intent.balance.captured - intent.balance.refunded;
        if amount > left {
            let message = format!("At most {left} can be refunded.");
            let refused = ApiError::invalid(StatusCode::BAD_REQUEST, "amount_too_large", message);
            return Err(refused.with("payment_intent", intent.json()).into());
        }
        if self.refunds(&intent.id)?.len() >= REFUNDS_MAX as usize {
            let message = format!("An intent has at most {REFUNDS_MAX} refunds.");
            return Err(ApiError::conflict("refunds_too_many", message).into());
        }
        let refused = intent.method == Some(Card::CardRefundRefused);
        self.insert_refund(intent, reference, amount, refused)?;
        let refund = self
            .refund_named(&Name::Reference(reference.to_owned()))?
            .ok_or(rusqlite::Error::QueryReturnedNoRows)?;
        let event = if refused { "refund.failed" } else { "refund.succeeded" };
        let mut object = refund.json();
        object["currency"] = json!(intent.currency);
        object["payment_reference"] = json!(intent.reference);
        self.record_event(event, intent, &object)?;
        refund.outcome()
    }

    fn insert_refund(
        &self,
        intent: &Intent,
        reference: &str,
        amount: i64,
        refused: bool,
    ) -> Result<(), Failure> {
        if !refused {
            self.post(&intent.id, Movement::Refund, amount)?;
        }
        let failure = refused.then_some(REFUSED);
        self.tx.prepare_cached("INSERT INTO refunds VALUES (?1,?2,?3,?4,?5,?6,?7,?8)")?.execute(
            params![
                new_id("re"),
                reference,
                intent.id,
                amount,
                if refused { "failed" } else { "succeeded" },
                failure.map(|f| f.0),
                failure.map(|f| f.1),
                self.now,
            ],
        )?;
        Ok(())
    }

    /// The refund of that name.
    pub(crate) fn refund_named(&self, name: &Name) -> Result<Option<Refund>, Failure> {
        let (column, text) = match name {
            Name::Id(id) => ("id", id),
            Name::Reference(reference) => ("reference", reference),
        };
        let query = format!("SELECT * FROM refunds WHERE {column} = ?1");
        Ok(self.tx.prepare_cached(&query)?.query_row([text], refund).optional()?)
    }

    /// The refunds of an intent, in their order.
    pub(crate) fn refunds(&self, intent: &str) -> Result<Vec<Refund>, Failure> {
        let mut query = self
            .tx
            .prepare_cached("SELECT * FROM refunds WHERE intent = ?1 ORDER BY id LIMIT ?2")?;
        let rows = query.query_map(params![intent, REFUNDS_MAX], refund)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

fn refund(row: &Row<'_>) -> rusqlite::Result<Refund> {
    let code: Option<String> = row.get("failure_code")?;
    let message: Option<String> = row.get("failure_message")?;
    Ok(Refund {
        id: row.get("id")?,
        reference: row.get("reference")?,
        intent: row.get("intent")?,
        amount: row.get("amount")?,
        status: row.get("status")?,
        failure: code.zip(message),
        created_at: row.get("created_at")?,
    })
}
