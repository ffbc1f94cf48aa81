//! The provider's JSON, and what it means to us. Members that we do not need are not read.

use domain::money::{Currency, Money};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{KnownPayment, KnownRefund, PaymentStatus, Receipt, Refusal};

/// The body of `POST /v1/payment_intents`.
#[derive(Debug, Serialize)]
pub(crate) struct NewIntent<'a> {
    pub(crate) reference: Uuid,
    pub(crate) amount: i64,
    pub(crate) currency: Currency,
    pub(crate) method: &'a str,
    pub(crate) capture_method: &'static str,
    pub(crate) confirm: bool,
}

/// The body of `POST .../capture`.
#[derive(Debug, Serialize)]
pub(crate) struct CaptureBody {
    pub(crate) amount: i64,
}

/// The body of `POST .../cancel`.
#[derive(Debug, Serialize)]
pub(crate) struct CancelBody {
    pub(crate) amount: i64,
    pub(crate) currency: Currency,
}

/// The body of `POST /v1/refunds`.
#[derive(Debug, Serialize)]
pub(crate) struct NewRefund {
    pub(crate) payment_intent: String,
    pub(crate) reference: Uuid,
    pub(crate) amount: i64,
}

/// How the provider finds our payment.
pub(crate) fn name(payment: Uuid) -> String {
    format!("ref_{payment}")
}

/// A list.
#[derive(Debug, Deserialize)]
pub(crate) struct List<T> {
    pub(crate) data: Vec<T>,
}

/// An error's body.
#[derive(Debug, Deserialize)]
pub(crate) struct ErrorBody {
    pub(crate) error: ProviderError,
}

/// An error, with the thing that it is about as it is.
#[derive(Debug, Deserialize)]
pub(crate) struct ProviderError {
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) payment_intent: Option<Intent>,
}

/// Why something failed at the bank.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Failure {
    code: String,
    message: String,
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self::said(failure.code, &failure.message)
    }
}

/// Where an intent stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Status {
    RequiresConfirmation,
    RequiresPaymentMethod,
    RequiresCapture,
    Succeeded,
    Canceled,
}

/// A payment intent.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Intent {
    pub(crate) id: String,
    pub(crate) reference: String,
    amount: i64,
    pub(crate) currency: Currency,
    status: Status,
    amount_authorized: i64,
    amount_captured: i64,
    amount_released: i64,
    amount_refunded: i64,
    pub(crate) last_failure: Option<Failure>,
    #[serde(default)]
    refunds: Vec<Refund>,
}

/// A refund.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Refund {
    pub(crate) id: String,
    pub(crate) reference: String,
    pub(crate) amount: i64,
    pub(crate) status: RefundStatus,
    pub(crate) failure: Option<Failure>,
}

/// Where a refund stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RefundStatus {
    Succeeded,
    Failed,
}

impl Intent {
    fn money(&self, amount: i64) -> Money {
        Money { amount, currency: self.currency }
    }

    /// Our id of the payment; none when the intent is somebody else's.
    pub(crate) fn payment(&self) -> Option<Uuid> {
        self.reference.parse().ok()
    }

    fn fits(&self, payment: Uuid, amount: Option<Money>) -> bool {
        self.payment() == Some(payment)
            && amount.is_none_or(|amount| amount == self.money(self.amount))
    }

    /// What is, or was, reserved for the payment: all of it.
    pub(crate) fn authorized(&self, payment: Uuid, amount: Money) -> Option<Receipt> {
        let reserved = matches!(self.status, Status::RequiresCapture | Status::Succeeded);
        let whole = self.money(self.amount_authorized) == amount;
        (reserved && whole && self.fits(payment, Some(amount))).then(|| self.receipt_of(amount))
    }

    /// What was taken for the payment, if it is what was asked for.
    pub(crate) fn captured(&self, payment: Uuid, amount: Money) -> Option<Receipt> {
        let taken = self.status == Status::Succeeded && self.fits(payment, None);
        (taken && self.money(self.amount_captured) == amount).then(|| self.receipt_of(amount))
    }

    /// What was given back of the payment, if nothing more can happen to it.
    pub(crate) fn voided(&self, payment: Uuid) -> Option<Receipt> {
        let closed = self.status == Status::Canceled && self.fits(payment, None);
        closed.then(|| self.receipt_of(self.money(self.amount_released)))
    }

    pub(crate) fn receipt_of(&self, amount: Money) -> Receipt {
        Receipt { reference: self.id.clone(), amount }
    }

    /// What is reserved, captured and given back, as a webhook tells it.
    pub(crate) fn moved(&self) -> (Money, Money, Money) {
        (
            self.money(self.amount_authorized),
            self.money(self.amount_captured),
            self.money(self.amount_released),
        )
    }

    /// Everything that the provider knows, if it is about the payment.
    pub(crate) fn known(self, payment: Uuid) -> Option<KnownPayment> {
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
    pub(crate) fn refunded(&self, refund: Uuid, amount: Money) -> Option<Receipt> {
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
