//! Webhooks: proving that one comes from the provider, and reading what it says.
//!
//! The header `Sandbox-Signature: t=<seconds>,v1=<hex>[,v1=<hex>]` carries an HMAC-SHA256 of
//! `<seconds>.<body>` under each secret that the provider knows. One that fits one of ours is
//! enough; we know two while they are changed. Compared in constant time; more than five minutes
//! away from our clock, the webhook may be an old one sent again.
//!
//! A webhook says what has happened, never what is asked for: it may come late, twice, in any order
//! or never. Whoever records it has to cope with each, by the event's id and the payment's state.

use domain::Timestamp;
use domain::money::Money;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::Deserialize;
use serde_json::Value;
use service_kit::Secret;
use sha2::Sha256;
use uuid::Uuid;

use super::wire::{Intent, Refund};
use super::{Receipt, Refusal};

/// The header that carries the signature.
pub const SIGNATURE_HEADER: &str = "sandbox-signature";
/// How far the signature's time may be from ours, in seconds.
pub const TOLERANCE_SECONDS: i64 = 300;
/// The most secrets that are known at the same time.
const SECRETS_MAX: usize = 2;
const HEADER_BYTES_MAX: usize = 1024;
const ID_BYTES_MAX: usize = 255;
/// Characters that are told of why an event cannot be read: the reason may quote the event.
const REASON_CHARACTERS_MAX: usize = 200;
const SIGNATURES_MAX: usize = 5;
const MICROS_PER_MILLI: i64 = 1000;
const MICROS_PER_SECOND: i64 = 1_000_000;

/// Why a webhook is not believed, or cannot be read. Nothing of it may be recorded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WebhookError {
    /// The signature's header is missing or malformed.
    #[error("the signature is missing or malformed")]
    SignatureMalformed,
    /// No signature is one of ours.
    #[error("no signature was made with one of our secrets")]
    SignatureForged,
    /// The signature is right, and too old or from the future.
    #[error("the signature is {seconds} s away from our clock")]
    SignatureStale {
        /// How far, either way.
        seconds: u64,
    },
    /// The signature is right, and the body is not what the provider sends.
    #[error("the event cannot be read: {0}")]
    Unreadable(String),
}

impl WebhookError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::SignatureMalformed => "webhook_signature_malformed",
            Self::SignatureForged => "webhook_signature_forged",
            Self::SignatureStale { .. } => "webhook_signature_stale",
            Self::Unreadable(_) => "webhook_unreadable",
        }
    }
}

/// There have to be one or two secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("webhooks are proven with 1 to {SECRETS_MAX} secrets")]
pub struct SecretsRefused;

/// Something that happened at the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderEvent {
    /// The provider's id; the same for every repeat.
    pub id: String,
    /// When it happened, by the provider's clock.
    pub happened_at: Timestamp,
    /// What happened.
    pub fact: ProviderFact,
}

/// What happened to one of our payments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProviderFact {
    /// Money was reserved.
    Authorized {
        /// Our id of the payment.
        payment: Uuid,
        /// The provider's id, and how much.
        receipt: Receipt,
    },
    /// The authorization was declined.
    Failed {
        /// Our id of the payment.
        payment: Uuid,
        /// The provider's id.
        reference: String,
        /// Why.
        refusal: Refusal,
    },
    /// Reserved money was taken.
    Captured {
        /// Our id of the payment.
        payment: Uuid,
        /// The provider's id, and how much.
        receipt: Receipt,
    },
    /// Nothing is reserved and nothing more happens.
    Voided {
        /// Our id of the payment.
        payment: Uuid,
        /// The provider's id, and how much was given back.
        receipt: Receipt,
    },
    /// Captured money was given back.
    Refunded {
        /// Our id of the payment.
        payment: Uuid,
        /// Our id of the refund.
        refund: Uuid,
        /// The provider's id of the refund, and how much.
        receipt: Receipt,
    },
    /// Captured money could not be given back.
    RefundFailed {
        /// Our id of the payment.
        payment: Uuid,
        /// Our id of the refund.
        refund: Uuid,
        /// The provider's id of the refund.
        reference: String,
        /// Why.
        refusal: Refusal,
    },
    /// Nothing that concerns us: another kind of event, or a payment that is not ours.
    Other {
        /// The provider's name for the kind.
        kind: String,
    },
}

/// Proves webhooks.
#[derive(Debug, Clone)]
pub struct WebhookVerifier {
    secrets: Vec<Secret>,
}

impl WebhookVerifier {
    /// Takes the secret, or the old and the new one while they are changed.
    ///
    /// # Errors
    /// [`SecretsRefused`].
    pub fn new(secrets: Vec<Secret>) -> Result<Self, SecretsRefused> {
        if secrets.is_empty() || secrets.len() > SECRETS_MAX {
            return Err(SecretsRefused);
        }
        Ok(Self { secrets })
    }

    /// Proves a webhook by its signature header and its body as it came, and reads it.
    ///
    /// # Errors
    /// [`WebhookError`].
    pub fn verify(
        &self,
        signature: Option<&str>,
        body: &[u8],
        now: Timestamp,
    ) -> Result<ProviderEvent, WebhookError> {
        let signature = signature.and_then(Signature::parse);
        let signature = signature.ok_or(WebhookError::SignatureMalformed)?;
        if !self.secrets.iter().any(|secret| signature.made_with(secret, body)) {
            return Err(WebhookError::SignatureForged);
        }
        // Only now is the time known to be the provider's.
        let away = (now.micros() / MICROS_PER_SECOND).abs_diff(signature.seconds);
        if away > TOLERANCE_SECONDS.unsigned_abs() {
            return Err(WebhookError::SignatureStale { seconds: away });
        }
        let body: Value = serde_json::from_slice(body).map_err(|error| unreadable(&error))?;
        event(&body)
    }
}

struct Signature<'a> {
    /// As it was written, because that is what was signed.
    written: &'a str,
    seconds: i64,
    digests: Vec<[u8; 32]>,
}

impl<'a> Signature<'a> {
    fn parse(header: &'a str) -> Option<Self> {
        if header.len() > HEADER_BYTES_MAX {
            return None;
        }
        let mut written = None;
        let mut digests = Vec::new();
        for part in header.split(',') {
            match part.trim().split_once('=')? {
                ("t", seconds) if written.is_none() => written = Some(seconds),
                ("t", _) => return None,
                ("v1", digest) if digests.len() < SIGNATURES_MAX => digests.push(bytes(digest)?),
                ("v1", _) => return None,
                // Versions that come later.
                _ => {}
            }
        }
        let written = written?;
        let signature = Self { written, seconds: written.parse().ok()?, digests };
        (!signature.digests.is_empty()).then_some(signature)
    }

    fn made_with(&self, secret: &Secret, body: &[u8]) -> bool {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes())
            .expect("an HMAC takes keys of any length");
        mac.update(self.written.as_bytes());
        mac.update(b".");
        mac.update(body);
        // Every digest is compared whatever the others said; each in constant time.
        self.digests
            .iter()
            .fold(false, |fits, digest| fits | mac.clone().verify_slice(digest).is_ok())
    }
}

/// The 32 bytes that 64 hexadecimal digits stand for.
fn bytes(digits: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if digits.len() != 64 {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.as_bytes().chunks(2)) {
        let value = |digit: u8| char::from(digit).to_digit(16).and_then(|v| u8::try_from(v).ok());
        *byte = value(pair[0])? << 4 | value(pair[1])?;
    }
    Some(bytes)
}

#[derive(Deserialize)]
struct Body {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    created_at_ms: i64,
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    object: Value,
}

/// A refund as an event tells it.
#[derive(Deserialize)]
struct ToldRefund {
    #[serde(flatten)]
    refund: Refund,
    currency: domain::money::Currency,
    payment_reference: String,
}

fn unreadable(error: &serde_json::Error) -> WebhookError {
    WebhookError::Unreadable(error.to_string().chars().take(REASON_CHARACTERS_MAX).collect())
}

/// Reads an event that is known to come from the provider.
///
/// # Errors
/// [`WebhookError::Unreadable`].
pub(super) fn event(body: &Value) -> Result<ProviderEvent, WebhookError> {
    let body = Body::deserialize(body).map_err(|error| unreadable(&error))?;
    if body.id.len() > ID_BYTES_MAX {
        return Err(WebhookError::Unreadable("its id is too long".to_owned()));
    }
    let object = &body.data.object;
    let fact = match body.kind.as_str() {
        "payment_intent.authorized"
        | "payment_intent.payment_failed"
        | "payment_intent.succeeded"
        | "payment_intent.canceled" => {
            of_intent(&body.kind, &Intent::deserialize(object).map_err(|error| unreadable(&error))?)
        }
        "refund.succeeded" | "refund.failed" => {
            of_refund(ToldRefund::deserialize(object).map_err(|error| unreadable(&error))?)
        }
        _ => None,
    };
    let happened_at = Timestamp::from_micros(body.created_at_ms.saturating_mul(MICROS_PER_MILLI));
    let fact = fact.unwrap_or(ProviderFact::Other { kind: body.kind });
    Ok(ProviderEvent { id: body.id, happened_at, fact })
}

fn of_intent(kind: &str, intent: &Intent) -> Option<ProviderFact> {
    let payment = intent.payment()?;
    let (authorized, captured, released) = intent.moved();
    Some(match kind {
        "payment_intent.authorized" => {
            ProviderFact::Authorized { payment, receipt: intent.receipt_of(authorized) }
        }
        "payment_intent.succeeded" => {
            ProviderFact::Captured { payment, receipt: intent.receipt_of(captured) }
        }
        "payment_intent.canceled" => {
            ProviderFact::Voided { payment, receipt: intent.receipt_of(released) }
        }
        _ => ProviderFact::Failed {
            payment,
            reference: intent.id.clone(),
            refusal: intent.last_failure.clone()?.into(),
        },
    })
}

fn of_refund(told: ToldRefund) -> Option<ProviderFact> {
    let payment = told.payment_reference.parse().ok()?;
    let refund = told.refund.reference.parse().ok()?;
    let reference = told.refund.id;
    Some(match told.refund.failure {
        Some(failure) => {
            ProviderFact::RefundFailed { payment, refund, reference, refusal: failure.into() }
        }
        None => {
            let amount = Money { amount: told.refund.amount, currency: told.currency };
            ProviderFact::Refunded { payment, refund, receipt: Receipt { reference, amount } }
        }
    })
}

#[cfg(test)]
mod tests;
