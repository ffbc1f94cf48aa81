//! Payment intents and what may be done with them.
//!
//! | status | confirm | capture | cancel |
//! |---|---|---|---|
//! | `requires_confirmation` | `requires_capture`, or declined | refused | `canceled` |
//! | `requires_payment_method` (declined) | the same | refused | `canceled` |
//! | `requires_capture` | refused | `succeeded` | `canceled` |
//! | `succeeded` | refused | refused | refused |
//! | `canceled` | refused | refused | `canceled` |
//!
//! A refusal because of the status carries the intent as it is. Creating an intent under a
//! reference that has one answers with that one, if it is the same payment. Canceling an unknown
//! reference makes a canceled intent, so that whatever comes late for it is refused.

use http::StatusCode;
use rusqlite::{OptionalExtension as _, Row, params};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::entries::{Balance, Movement};
use super::{Work, new_id, parsed};
use crate::card::Card;
use crate::error::{ApiError, Failure};

/// Where an intent stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Status {
    RequiresConfirmation,
    RequiresPaymentMethod,
    RequiresCapture,
    Succeeded,
    Canceled,
}

impl Status {
    const ALL: [Self; 5] = [
        Self::RequiresConfirmation,
        Self::RequiresPaymentMethod,
        Self::RequiresCapture,
        Self::Succeeded,
        Self::Canceled,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::RequiresConfirmation => "requires_confirmation",
            Self::RequiresPaymentMethod => "requires_payment_method",
            Self::RequiresCapture => "requires_capture",
            Self::Succeeded => "succeeded",
            Self::Canceled => "canceled",
        }
    }
}

/// How a request names an intent: by its id, or as `ref_` and the merchant's reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Name {
    Id(String),
    Reference(String),
}

impl Name {
    pub(crate) fn parse(text: String) -> Self {
        match text.strip_prefix("ref_") {
            Some(reference) => Self::Reference(reference.to_owned()),
            None => Self::Id(text),
        }
    }
}

/// What is to be paid.
#[derive(Debug, Clone)]
pub(crate) struct NewIntent {
    pub(crate) reference: String,
    pub(crate) amount: i64,
    pub(crate) currency: String,
    /// None for one that exists only to be canceled.
    pub(crate) method: Option<Card>,
    pub(crate) metadata: Map<String, Value>,
}

/// An intent with what its entries add up to.
#[derive(Debug, Clone)]
pub(crate) struct Intent {
    pub(crate) id: String,
    pub(crate) reference: String,
    pub(crate) amount: i64,
    pub(crate) currency: String,
    pub(crate) method: Option<Card>,
    pub(crate) status: Status,
    failure: Option<(String, String)>,
    metadata: Value,
    created_at: i64,
    pub(crate) balance: Balance,
}

impl Intent {
    /// As it is sent.
    pub(crate) fn json(&self) -> Value {
        let failure =
            self.failure.as_ref().map(|(code, message)| json!({"code": code, "message": message}));
        json!({
            "object": "payment_intent",
            "id": self.id,
            "reference": self.reference,
            "amount": self.amount,
            "currency": self.currency,
            "method": self.method,
            "capture_method": "manual",
            "status": self.status,
            "amount_authorized": self.balance.authorized,
            "amount_captured": self.balance.captured,
            "amount_released": self.balance.released,
            "amount_refunded": self.balance.refunded,
            "last_failure": failure,
            "metadata": self.metadata,
            "created_at_ms": self.created_at,
        })
    }

    fn refuses(&self, what: &str) -> Failure {
        let code = match self.status {
            Status::RequiresConfirmation => "intent_unconfirmed",
            Status::RequiresPaymentMethod => "intent_declined",
            Status::RequiresCapture => "intent_authorized",
            Status::Succeeded => "intent_captured",
            Status::Canceled => "intent_canceled",
        };
        let message = format!("An intent that is {} cannot be {what}.", self.status.name());
        ApiError::conflict(code, message).with("payment_intent", self.json()).into()
    }
}

impl Work<'_> {
    /// The intent of that name.
    pub(crate) fn intent(&self, name: &Name) -> Result<Option<Intent>, Failure> {
        let (column, text) = match name {
            Name::Id(id) => ("id", id),
            Name::Reference(reference) => ("reference", reference),
        };
        let query = format!("SELECT * FROM intents WHERE {column} = ?1");
        let found = self.tx.prepare_cached(&query)?.query_row([text], intent).optional()?;
        let Some(mut found) = found else { return Ok(None) };
        found.balance = self.balance(&found.id)?;
        Ok(Some(found))
    }

    /// The intent of that name, or a refusal.
    pub(crate) fn known_intent(&self, name: &Name) -> Result<Intent, Failure> {
        let unknown = || ApiError::unknown("intent_unknown", "There is no such payment intent.");
        self.intent(name)?.ok_or_else(|| unknown().into())
    }

    /// Creates an intent, or finds the one that was created before for the same payment.
    pub(crate) fn create(&self, new: NewIntent) -> Result<Intent, Failure> {
        let name = Name::Reference(new.reference.clone());
        if let Some(there) = self.intent(&name)? {
            let same_method = there.method.is_none() || there.method == new.method;
            if (there.amount, &there.currency) == (new.amount, &new.currency) && same_method {
                return Ok(there);
            }
            let message = "This reference belongs to another payment.";
            let taken = ApiError::conflict("reference_taken", message);
            return Err(taken.with("payment_intent", there.json()).into());
        }
        self.insert(new, Status::RequiresConfirmation)?;
        self.known_intent(&name)
    }

    fn insert(&self, new: NewIntent, status: Status) -> Result<(), Failure> {
        self.tx
            .prepare_cached("INSERT INTO intents VALUES (?1,?2,?3,?4,?5,?6,NULL,NULL,?7,?8)")?
            .execute(params![
            new_id("pi"),
            new.reference,
            new.amount,
            new.currency,
            new.method.map(Card::name),
            status.name(),
            Value::Object(new.metadata).to_string(),
            self.now,
        ])?;
        Ok(())
    }

    /// Asks the bank: the amount is reserved, or the card declined.
    pub(crate) fn confirm(&self, intent: Intent) -> Result<Intent, Failure> {
        let (Status::RequiresConfirmation | Status::RequiresPaymentMethod, Some(card)) =
            (intent.status, intent.method)
        else {
            return Err(intent.refuses("confirmed"));
        };
        let id = Name::Id(intent.id);
        let Name::Id(text) = &id else { unreachable!("it was named so one line above") };
        if let Some((code, message)) = card.decline() {
            self.set_status(text, Status::RequiresPaymentMethod, Some((code, message)))?;
            let declined = self.known_intent(&id)?;
            self.record_event("payment_intent.payment_failed", &declined, &declined.json())?;
            let refused = ApiError::card(code, message).with("payment_intent", declined.json());
            return Err(refused.into());
        }
        self.post(text, Movement::Authorization, intent.amount)?;
        self.set_status(text, Status::RequiresCapture, None)?;
        self.changed(&id, "payment_intent.authorized")
    }

    /// Takes `amount` of what is reserved and gives the rest back.
    pub(crate) fn capture(&self, intent: Intent, amount: i64) -> Result<Intent, Failure> {
        if intent.status != Status::RequiresCapture {
            return Err(intent.refuses("captured"));
        }
        let reserved = intent.balance.reserved();
        if amount > reserved {
            let message = format!("At most {reserved} can be captured.");
            let status = StatusCode::BAD_REQUEST;
            return Err(ApiError::invalid(status, "amount_too_large", message).into());
        }
        if intent.method == Some(Card::CardCaptureRefused) {
            let refused = ApiError::card("capture_refused", "The bank does not give the money.");
            return Err(refused.with("payment_intent", intent.json()).into());
        }
        self.post(&intent.id, Movement::Capture, amount)?;
        self.post(&intent.id, Movement::Release, reserved - amount)?;
        self.set_status(&intent.id, Status::Succeeded, None)?;
        self.changed(&Name::Id(intent.id), "payment_intent.succeeded")
    }

    /// Gives back what is reserved and lets nothing happen any more.
    pub(crate) fn cancel(&self, intent: Intent) -> Result<Intent, Failure> {
        match intent.status {
            Status::Canceled => return Ok(intent),
            Status::Succeeded => return Err(intent.refuses("canceled")),
            Status::RequiresConfirmation
            | Status::RequiresPaymentMethod
            | Status::RequiresCapture => {}
        }
        self.post(&intent.id, Movement::Release, intent.balance.reserved())?;
        self.set_status(&intent.id, Status::Canceled, None)?;
        self.changed(&Name::Id(intent.id), "payment_intent.canceled")
    }

    /// Makes an intent that is canceled from the start.
    pub(crate) fn create_canceled(&self, new: NewIntent) -> Result<Intent, Failure> {
        let name = Name::Reference(new.reference.clone());
        self.insert(new, Status::Canceled)?;
        self.changed(&name, "payment_intent.canceled")
    }

    fn changed(&self, name: &Name, event: &'static str) -> Result<Intent, Failure> {
        let intent = self.known_intent(name)?;
        self.record_event(event, &intent, &intent.json())?;
        Ok(intent)
    }

    fn set_status(
        &self,
        id: &str,
        status: Status,
        failure: Option<(&str, &str)>,
    ) -> Result<(), Failure> {
        self.tx
            .prepare_cached(
                "UPDATE intents SET status = ?2, failure_code = ?3, failure_message = ?4 \
                 WHERE id = ?1",
            )?
            .execute(params![id, status.name(), failure.map(|f| f.0), failure.map(|f| f.1)])?;
        Ok(())
    }
}

/// A row of `intents`; the balance is filled in by whoever asked.
fn intent(row: &Row<'_>) -> rusqlite::Result<Intent> {
    let status: String = row.get("status")?;
    let code: Option<String> = row.get("failure_code")?;
    let message: Option<String> = row.get("failure_message")?;
    let method: Option<String> = row.get("method")?;
    Ok(Intent {
        id: row.get("id")?,
        reference: row.get("reference")?,
        amount: row.get("amount")?,
        currency: row.get("currency")?,
        method: method.as_deref().and_then(Card::named),
        status: Status::ALL
            .into_iter()
            .find(|known| known.name() == status)
            .ok_or(rusqlite::Error::InvalidQuery)?,
        failure: code.zip(message),
        metadata: parsed(&row.get::<_, String>("metadata")?)?,
        created_at: row.get("created_at")?,
        balance: Balance::default(),
    })
}
