//! The small values that payments are made of.

use serde::{Deserialize, Serialize};

use crate::ids::{AccountId, BookingId, PaymentId, SagaId};
use crate::money::Money;
use crate::time::Timestamp;

/// What a payment is for: all that the provider's side has to know, even when the first that is
/// asked of a payment is its undoing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Terms {
    /// Its id, which also names its stream and is the provider's stable key.
    pub payment_id: PaymentId,
    /// What is paid for.
    pub booking_id: BookingId,
    /// The process that asked for the money.
    pub saga_id: SagaId,
    /// The account that owns the booking.
    pub account_id: AccountId,
    /// How much.
    pub amount: Money,
    /// The means of payment, in the provider's words (`card_approved`).
    pub method: String,
    /// From when on a missing authorization counts as timed out.
    pub due_at: Timestamp,
}

/// Which of the provider's two answers an event speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Setting the money aside; the default for readers that know fewer phases than the writer.
    Authorization,
    /// Taking what was set aside.
    Capture,
}

/// Where a payment stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The provider is asked for an authorization.
    Requested,
    /// The money is set aside.
    Authorized,
    /// The provider is asked to take it.
    Capturing,
    /// The money was taken.
    Captured,
    /// The provider refused the authorization.
    Failed,
    /// The provider gave no answer in time.
    TimedOut,
    /// All that is held is being given back.
    Voiding,
    /// The last attempt to give everything back failed.
    VoidFailed,
    /// Nothing is held, for good.
    Voided,
    /// All that was taken was given back, without a void.
    Refunded,
}

/// An attempt of the payment watch to undo what the payment could not: numbered apart from those of
/// the booking process, and from those of its own other episodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WatchAttempt {
    /// Which failure of the payment's own it is about, from 1.
    pub episode: u32,
    /// From 1.
    pub number: u32,
}

impl WatchAttempt {
    /// Attempts of one episode; those below it are the booking process's.
    const EPISODE: u32 = 1 << 16;

    /// The watch's, if it is one of its attempts.
    #[must_use]
    pub const fn of(attempt: u32) -> Option<Self> {
        match attempt / Self::EPISODE {
            0 => None,
            episode => Some(Self { episode, number: attempt % Self::EPISODE }),
        }
    }

    /// The attempt as commands and events name it.
    #[must_use]
    pub const fn attempt(self) -> u32 {
        self.episode * Self::EPISODE + self.number
    }
}
