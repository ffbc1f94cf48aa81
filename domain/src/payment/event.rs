//! What can have happened to a payment. One struct an event: each has an Avro schema of its own.
//!
//! Every struct names payment, booking and process, so that a reader of one record needs nothing
//! else. Where the provider names an amount, `amount` is what counts for the payment and `reported`
//! what the provider said, when that is something else.

use serde::{Deserialize, Serialize};

use super::value::{Phase, Terms};
use crate::ids::{AccountId, BookingId, PaymentId, RefundId, SagaId};
use crate::money::Money;
use crate::payload::event_types;
use crate::time::Timestamp;

event_types! {
    /// An event of a payment.
    pub enum Event in Payment {
        /// The provider is to set the money aside.
        Requested(PaymentRequested) = "payment-requested",
        /// The provider set it aside.
        Authorized(PaymentAuthorized) = "payment-authorized",
        /// The provider is to take it.
        CaptureRequested(PaymentCaptureRequested) = "payment-capture-requested",
        /// The provider took it.
        Succeeded(PaymentSucceeded) = "payment-succeeded",
        /// The provider refused.
        Failed(PaymentFailed) = "payment-failed",
        /// The provider gave no answer in time.
        TimedOut(PaymentTimedOut) = "payment-timed-out",
        /// Everything is to be given back.
        VoidRequested(PaymentVoidRequested) = "payment-void-requested",
        /// Nothing is held any more.
        Voided(PaymentVoided) = "payment-voided",
        /// Something is still held.
        VoidFailed(PaymentVoidFailed) = "payment-void-failed",
        /// Captured money is to be given back.
        RefundRequested(PaymentRefundRequested) = "payment-refund-requested",
        /// It was given back.
        Refunded(PaymentRefunded) = "payment-refunded",
        /// It was not.
        RefundFailed(PaymentRefundFailed) = "payment-refund-failed",
        /// What the payment asked for itself failed: somebody has to see to it.
        WatchRequested(PaymentWatchRequested) = "payment-watch-requested",
    }
}

macro_rules! payloads {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* })+) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        pub struct $name {
            /// The payment.
            pub payment_id: PaymentId,
            /// What is paid for.
            pub booking_id: BookingId,
            /// The process that asked for the money.
            pub saga_id: SagaId,
            $($(#[$field_doc])* pub $field: $type,)*
        }
    )+};
}

payloads! {
    /// `payment-requested`.
    PaymentRequested {
        /// The account that owns the booking.
        account_id: AccountId,
        /// How much.
        amount: Money,
        /// The means of payment.
        method: String,
        /// From when on a missing authorization counts as timed out.
        due_at: Timestamp,
    }
    /// `payment-authorized`.
    PaymentAuthorized {
        /// The provider's id of the authorization.
        reference: String,
        /// What counts: never more than was requested.
        amount: Money,
        /// What the provider said, when it is not what counts.
        reported: Option<Money>,
        /// Whether the payment goes on with it: false when it came too late, is not what was
        /// requested, or is one more than was asked for.
        kept: bool,
    }
    /// `payment-capture-requested`.
    PaymentCaptureRequested {
        /// From 1.
        attempt: u32,
        /// How much: what was authorized.
        amount: Money,
        /// The provider's id of the authorization.
        reference: String,
    }
    /// `payment-succeeded`.
    PaymentSucceeded {
        /// The provider's id of the capture.
        reference: String,
        /// What counts: never more than was authorized.
        amount: Money,
        /// What the provider said, when it is not what counts.
        reported: Option<Money>,
        /// Whether the payment goes on with it, as in [`PaymentAuthorized`].
        kept: bool,
    }
    /// `payment-failed`.
    PaymentFailed {
        /// What the provider refused.
        phase: Phase,
        /// Which attempt of it; 1 for an authorization.
        attempt: u32,
        /// The provider's id of the refused try, if it has one.
        reference: Option<String>,
        /// The provider's code.
        code: String,
        /// The provider's words.
        message: String,
    }
    /// `payment-timed-out`.
    PaymentTimedOut {
        /// When the answer was due.
        due_at: Timestamp,
    }
    /// `payment-void-requested`: from now on the payment is closed. Carries what a connector needs
    /// for a payment that the provider never heard of.
    PaymentVoidRequested {
        /// The account that owns the booking.
        account_id: AccountId,
        /// How much was, or would have been, requested.
        amount: Money,
        /// The means of payment.
        method: String,
        /// When an authorization was due.
        due_at: Timestamp,
        /// From 1; 0 when the payment asked for it itself.
        attempt: u32,
        /// Why.
        reason: String,
        /// Whether the provider has to be called to release an authorization, or to refuse one that
        /// comes late. False when only refunds are waited for, or nothing.
        release: bool,
    }
    /// `payment-voided`: nothing is authorized without being captured, nothing is captured without
    /// being refunded.
    PaymentVoided {
        /// Which attempt this answers; 0 when the provider released on its own.
        attempt: u32,
        /// The provider's id of the release, if it has one.
        reference: Option<String>,
    }
    /// `payment-void-failed`.
    PaymentVoidFailed {
        /// Which attempt this answers.
        attempt: u32,
        /// The provider's code; `superseded` and `refund_failed` are the payment's own.
        code: String,
        /// The provider's words.
        message: String,
    }
    /// `payment-refund-requested`.
    PaymentRefundRequested {
        /// Its id.
        refund_id: RefundId,
        /// How much; with 0, `payment-refunded` stands right behind it and nobody calls.
        amount: Money,
        /// Why.
        reason: String,
        /// From 1; 0 when the payment asked for it itself.
        attempt: u32,
        /// The provider's id of the capture; none when nothing was captured.
        reference: Option<String>,
    }
    /// `payment-refunded`.
    PaymentRefunded {
        /// Which refund.
        refund_id: RefundId,
        /// The provider's id of the refund; none when there was nothing to give back.
        reference: Option<String>,
        /// What counts: never more than was captured.
        amount: Money,
        /// What the provider said, when it is not what counts.
        reported: Option<Money>,
    }
    /// `payment-refund-failed`.
    PaymentRefundFailed {
        /// Which refund.
        refund_id: RefundId,
        /// The provider's code.
        code: String,
        /// The provider's words.
        message: String,
    }
}

payloads! {
    /// `payment-watch-requested`: a void or refund that the payment asked for itself has failed,
    /// and no process is there to try it again. Carries what one needs for that.
    PaymentWatchRequested {
        /// The account that owns the booking.
        account_id: AccountId,
        /// How much was requested.
        amount: Money,
        /// The means of payment.
        method: String,
        /// When an authorization was due.
        due_at: Timestamp,
        /// Which failure of this kind it is, from 1.
        episode: u32,
        /// The provider's code.
        code: String,
        /// The provider's words.
        message: String,
    }
}

impl From<&PaymentWatchRequested> for Terms {
    fn from(event: &PaymentWatchRequested) -> Self {
        Self {
            payment_id: event.payment_id,
            booking_id: event.booking_id,
            saga_id: event.saga_id,
            account_id: event.account_id,
            amount: event.amount,
            method: event.method.clone(),
            due_at: event.due_at,
        }
    }
}

impl From<&PaymentRequested> for Terms {
    fn from(event: &PaymentRequested) -> Self {
        Self {
            payment_id: event.payment_id,
            booking_id: event.booking_id,
            saga_id: event.saga_id,
            account_id: event.account_id,
            amount: event.amount,
            method: event.method.clone(),
            due_at: event.due_at,
        }
    }
}

impl From<&PaymentVoidRequested> for Terms {
    fn from(event: &PaymentVoidRequested) -> Self {
        Self {
            payment_id: event.payment_id,
            booking_id: event.booking_id,
            saga_id: event.saga_id,
            account_id: event.account_id,
            amount: event.amount,
            method: event.method.clone(),
            due_at: event.due_at,
        }
    }
}
