//! The payment provider: what is asked of it, and how its answers are told apart.
//!
//! Every call carries the `key` of the event that asks for it. Repeating a call with its key never
//! moves money twice: it tells what became of the first. A payment is known to the provider by our
//! id, so that a call needs nothing that an earlier answer said.

pub(crate) mod classification;
mod http;
pub(crate) mod retries;
mod settings;
pub(crate) mod telemetry;
pub mod webhook;
pub(crate) mod wire;

use std::time::Duration;

use domain::money::Money;
use domain::payment::limits::{CODE_CHARACTERS_MAX, MESSAGE_CHARACTERS_MAX};
use uuid::Uuid;

pub use crate::circuit::{Circuit, CircuitSettings, CircuitStanding, CircuitState};
pub use http::{HttpPaymentProvider, ProviderTotals};
pub use settings::{ProviderSettings, RetrySettings, SettingsError};
pub use telemetry::describe_metrics;

/// The most digits of a provider's code: fewer than those of a phone number.
const CODE_DIGITS_MAX: usize = 5;

/// What a call brought.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "an outcome that nobody looks at is an outcome that is hidden"]
pub enum Outcome<T> {
    /// It is done, now or by an earlier call with the same key.
    Done(T),
    /// The provider said no, for good: another attempt needs another key.
    Refused(Refusal),
    /// It may have happened. The same call with the same key tells.
    Unknown(Doubt),
    /// Nothing was done by this call. The same call with the same key may be made later.
    NotTried(Obstacle),
}

impl<T> Outcome<T> {
    /// The label of metrics and logs.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Done(_) => "done",
            Self::Refused(_) => "refused",
            Self::Unknown(_) => "unknown",
            Self::NotTried(_) => "not_tried",
        }
    }
}

/// Why the provider said no, as far as it may be recorded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the provider refused: {message} ({code})")]
pub struct Refusal {
    /// The provider's stable code, such as `card_declined`.
    pub code: String,
    /// A sentence: a payment provider's, or our own.
    pub message: String,
}

impl Refusal {
    /// What a provider said. A code that may be anything but a code (an address, a number to call)
    /// is replaced, a sentence that is too long is cut.
    pub(crate) fn said(code: String, message: &str) -> Self {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"_-.".contains(&b);
        let digits = code.bytes().filter(u8::is_ascii_digit).count();
        let fits = (1..=CODE_CHARACTERS_MAX).contains(&code.len())
            && code.bytes().all(plain)
            && digits <= CODE_DIGITS_MAX;
        let code = if fits { code } else { "provider_refused".to_owned() };
        Self { code, message: message.chars().take(MESSAGE_CHARACTERS_MAX).collect() }
    }

    /// What we say ourselves, or instead of a provider.
    pub(crate) fn own(code: &str, sentence: &str) -> Self {
        Self { code: code.to_owned(), message: sentence.to_owned() }
    }
}

/// Why an outcome is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Doubt {
    /// No answer within the deadline.
    #[error("no answer came in time")]
    Late,
    /// The connection broke off after the request was sent.
    #[error("the connection broke off")]
    BrokenOff,
    /// A status that says nothing about the work: 5xx, a redirect, or another that is not expected.
    #[error("the answer's status was {0}")]
    Status(u16),
    /// The answer cannot be read, or is too long.
    #[error("the answer cannot be read")]
    Unreadable,
    /// The answer speaks of something else than was asked.
    #[error("the answer does not fit what was asked")]
    Mismatch,
}

impl Doubt {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Late => "provider_late",
            Self::BrokenOff => "provider_broke_off",
            Self::Status(_) => "provider_failed",
            Self::Unreadable => "provider_unreadable",
            Self::Mismatch => "provider_mismatch",
        }
    }
}

/// Why nothing was tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Obstacle {
    /// The circuit is open.
    #[error("the provider has failed too often; the next call is let through in {0:?}")]
    CircuitOpen(Duration),
    /// No connection came about.
    #[error("no connection to the provider came about")]
    NoConnection,
    /// The provider takes no more for now.
    #[error("the provider takes no more requests for now")]
    RateLimited,
    /// The secret or the address is wrong; somebody has to correct the settings.
    #[error("the provider does not take our secret or does not know the route")]
    Misconfigured,
}

impl Obstacle {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::CircuitOpen(_) => "provider_circuit_open",
            Self::NoConnection => "provider_away",
            Self::RateLimited => "provider_rate_limited",
            Self::Misconfigured => "provider_misconfigured",
        }
    }
}

/// Reserve money.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authorize {
    /// The id of the event that asks.
    pub key: Uuid,
    /// Our id of the payment.
    pub payment: Uuid,
    /// How much.
    pub amount: Money,
    /// The payment method, as the provider names it.
    pub method: String,
}

/// Take reserved money, and give back what is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capture {
    /// The id of the event that asks.
    pub key: Uuid,
    /// Our id of the payment.
    pub payment: Uuid,
    /// How much, at most what is reserved.
    pub amount: Money,
}

/// Give back what is reserved. A payment that the provider does not know yet is refused there from
/// then on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Void {
    /// The id of the event that asks.
    pub key: Uuid,
    /// Our id of the payment.
    pub payment: Uuid,
    /// What the payment was about.
    pub amount: Money,
}

/// Give captured money back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefundPayment {
    /// The id of the event that asks.
    pub key: Uuid,
    /// Our id of the payment.
    pub payment: Uuid,
    /// Our id of the refund.
    pub refund: Uuid,
    /// How much, at most what is captured and not yet refunded.
    pub amount: Money,
}

/// What became of a call, or of a payment: the provider's name for it, and how much.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The provider's id: of the payment, or of the refund.
    pub reference: String,
    /// How much was authorized, captured or refunded; of a void, how much is given back.
    pub amount: Money,
}

/// What the provider knows about a payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownPayment {
    /// The provider's id.
    pub reference: String,
    /// Where it stands.
    pub status: PaymentStatus,
    /// What was asked for.
    pub amount: Money,
    /// Ever authorized.
    pub authorized: Money,
    /// Ever captured.
    pub captured: Money,
    /// Ever refunded.
    pub refunded: Money,
    /// Its refunds, failed ones too.
    pub refunds: Vec<KnownRefund>,
}

/// Where a payment stands at the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PaymentStatus {
    /// Known, and not authorized.
    Unconfirmed,
    /// The last authorization was declined; another may follow.
    Declined(Refusal),
    /// Money is reserved.
    Authorized,
    /// Money was taken.
    Captured,
    /// Nothing is reserved and nothing more happens.
    Voided,
}

/// What the provider knows about a refund.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownRefund {
    /// Our id; none when somebody else asked for it.
    pub refund: Option<Uuid>,
    /// The provider's id.
    pub reference: String,
    /// How much.
    pub amount: Money,
    /// Why it failed, if it did.
    pub failure: Option<Refusal>,
}

/// A payment provider.
#[async_trait::async_trait]
pub trait PaymentProvider: Send + Sync {
    /// Reserves money.
    async fn authorize(&self, call: &Authorize) -> Outcome<Receipt>;

    /// Takes reserved money.
    async fn capture(&self, call: &Capture) -> Outcome<Receipt>;

    /// Gives reserved money back and closes the door on the payment.
    async fn void(&self, call: &Void) -> Outcome<Receipt>;

    /// Gives captured money back.
    async fn refund(&self, call: &RefundPayment) -> Outcome<Receipt>;

    /// What the provider knows about our payment; `None` when it does not know it.
    async fn look_up(&self, payment: Uuid) -> Outcome<Option<KnownPayment>>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_refusal_only_a_code_and_so_many_words_are_kept() {
        let said = |code: &str, message: &str| Refusal::said(code.to_owned(), message);

        for code in ["card_declined", "51", "R-01", "payment.declined", "InvalidNumber"] {
            assert_eq!(said(code, "No."), Refusal::own(code, "No."));
        }
        for code in ["", "ada@example.org", "+351215550100", "351215550100", "no, thanks"] {
            assert_eq!(said(code, "No.").code, "provider_refused", "{code}");
        }
        let long = said(&"c".repeat(CODE_CHARACTERS_MAX + 1), &"ä".repeat(10_000));
        assert_eq!(long.code, "provider_refused");
        assert_eq!(long.message.chars().count(), MESSAGE_CHARACTERS_MAX);
    }
}
