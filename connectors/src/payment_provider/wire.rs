//! The provider's JSON, and what it means to us. Members that we do not need are not read.

use domain::money::{Currency, Money};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{KnownPayment, KnownRefund, PaymentStatus, Receipt, Refusal};

/// The body of `POST /v1/payment_intents`.
#[derive(Debug, Serialize)]
pub(super) struct NewIntent<'a> {
    pub(super) reference: Uuid,
    pub(super) amount: i64,
    pub(super) currency: Currency,
    pub(super) method: &'a str,
    pub(super) capture_method: &'static str,
    pub(super) confirm: bool,
}

/// The body of `POST .../capture`.
#[derive(Debug, Serialize)]
pub(super) struct CaptureBody {
    pub(super) amount: i64,
}

/// The body of `POST .../cancel`.
#[derive(Debug, Serialize)]
pub(super) struct CancelBody {
    pub(super) amount: i64,
    pub(super) currency: Currency,
}

/// The body of `POST /v1/refunds`.
#[derive(Debug, Serialize)]
pub(super) struct NewRefund {
    pub(super) payment_intent: String,
    pub(super) reference: Uuid,
    pub(super) amount: i64,
}

/// How the provider finds our payment.
pub(super) fn name(payment: Uuid) -> String {
    format!("ref_{payment}")
}

/// A list.
#[derive(Debug, Deserialize)]
pub(super) struct List<T> {
    pub(super) data: Vec<T>,
}

/// An error's body.
#[derive(Debug, Deserialize)]
pub(super) struct ErrorBody {
    pub(super) error: ProviderError,
}

/// An error, with the thing that it is about as it is.
#[derive(Debug, Deserialize)]
pub(super) struct ProviderError {
    pub(super) code: String,
    pub(super) message: String,
    pub(super) payment_intent: Option<Intent>,
}

/// Why something failed at the bank.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Failure {
    code: String,
    message: String,
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self { code: failure.code, message: failure.message }
    }
}

/// Where an intent stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Status {
    RequiresConfirmation,
    RequiresPaymentMethod,
    RequiresCapture,
    Succeeded,
    Canceled,
}

/// A payment intent.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Intent {
    pub(super) id: String,
    pub(super) reference: String,
    amount: i64,
    pub(super) currency: Currency,
    status: Status,
    amount_authorized: i64,
    amount_captured: i64,
    amount_released: i64,
    amount_refunded: i64,
    pub(super) last_failure: Option<Failure>,
    #[serde(default)]
    refunds: Vec<Refund>,
}

/// A refund.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Refund {
    pub(super) id: String,
    pub(super) reference: String,
    pub(super) amount: i64,
    pub(super) status: RefundStatus,
    pub(super) failure: Option<Failure>,
}

/// Where a refund stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RefundStatus {
    Succeeded,
    Failed,
}

impl Intent {
    fn money(&self, amount: i64) -> Money {
        Money { amount, currency: self.currency }
    }

    /// Our id of the payment; none when the intent is somebody else's.
    pub(super) fn payment(&self) -> Option<Uuid> {
        self.reference.parse().ok()
    }

    fn fits(&self, payment: Uuid, amount: Option<Money>) -> bool {
        self.payment() == Some(payment)
            && amount.is_none_or(|amount| amount == self.money(self.amount))
    }

    /// What is, or was, reserved for the payment: all of it.
    pub(super) fn authorized(&self, payment: Uuid, amount: Money) -> Option<Receipt> {
        let reserved = matches!(self.status, Status::RequiresCapture | Status::Succeeded);
        let whole = self.money(self.amount_authorized) == amount;
        (reserved && whole && self.fits(payment, Some(amount))).then(|| self.receipt_of(amount))
    }

    /// What was taken for the payment, if it is what was asked for.
    pub(super) fn captured(&self, payment: Uuid, amount: Money) -> Option<Receipt> {
        let taken = self.status == Status::Succeeded && self.fits(payment, None);
        (taken && self.money(self.amount_captured) == amount).then(|| self.receipt_of(amount))
    }

    /// What was given back of the payment, if nothing more can happen to it.
    pub(super) fn voided(&self, payment: Uuid) -> Option<Receipt> {
        let closed = self.status == Status::Canceled && self.fits(payment, None);
        closed.then(|| self.receipt_of(self.money(self.amount_released)))
    }

    pub(super) fn receipt_of(&self, amount: Money) -> Receipt {
        Receipt { reference: self.id.clone(), amount }
    }

    /// What is reserved, captured and given back, as a webhook tells it.
    pub(super) fn moved(&self) -> (Money, Money, Money) {
        (
            self.money(self.amount_authorized),
            self.money(self.amount_captured),
            self.money(self.amount_released),
        )
    }

    /// Everything that the provider knows, if it is about the payment.
    pub(super) fn known(self, payment: Uuid) -> Option<KnownPayment> {
        if self.payment() != Some(payment) {
            return None;
        }
        let status = match (self.status, &self.last_failure) {
            (Status::RequiresConfirmation, _) | (Status::RequiresPaymentMethod, None) => {
                PaymentStatus::Unconfirmed
            }
            (Status::RequiresPaymentMethod, Some(failure)) => {
                PaymentStatus::Declined(failure.clone().into())
            }
            (Status::RequiresCapture, _) => PaymentStatus::Authorized,
            (Status::Succeeded, _) => PaymentStatus::Captured,
            (Status::Canceled, _) => PaymentStatus::Voided,
        };
        let currency = self.currency;
        let refunds = self.refunds.iter().map(|refund| refund.known(currency)).collect();
        Some(KnownPayment {
            status,
            amount: self.money(self.amount),
            authorized: self.money(self.amount_authorized),
            captured: self.money(self.amount_captured),
            refunded: self.money(self.amount_refunded),
            refunds,
            reference: self.id,
        })
    }
}

impl Refund {
    /// What was given back, if it is what was asked for.
    pub(super) fn refunded(&self, refund: Uuid, amount: Money) -> Option<Receipt> {
        let ours = self.reference.parse() == Ok(refund) && self.amount == amount.amount;
        let done = ours && self.status == RefundStatus::Succeeded;
        done.then(|| Receipt { reference: self.id.clone(), amount })
    }

    fn known(&self, currency: Currency) -> KnownRefund {
        KnownRefund {
            refund: self.reference.parse().ok(),
            reference: self.id.clone(),
            amount: Money { amount: self.amount, currency },
            failure: self.failure.clone().map(Refusal::from),
        }
    }
}
