//! The saga that sees to it that a payment gives back what it meant to.
//!
//! A payment undoes by itself what its provider does too late (a success after a time-out or a
//! void). When the provider refuses that, the payment asks for the watch: the booking's own saga
//! may have ended long ago. One saga for each such failure.
//!
//! | # | step | command | compensation |
//! |---|---|---|---|
//! | | **it begins past the point of no return** | | none: tried until done, or stuck |
//! | 1 | `void` | payment: RequestVoid | |
//!
//! Where the booking's saga voids the payment meanwhile, it goes first, and the watch finds nothing
//! left to do.

use serde::{Deserialize, Serialize};

use super::ask;
use super::command::Settings;
use super::event::{Ending, FollowUp};
use super::plan::{Plan, Rules, Step};
use super::progress::{Cancellation, Progress};
use crate::ids::BookingId;
use crate::payment::{self, PaymentWatchRequested, Terms, WatchAttempt};

/// What a payment watch is about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PaymentWatch {
    /// The payment, as it was requested.
    pub terms: Terms,
    /// Which of its failures.
    pub episode: u32,
    /// What the provider said of it.
    pub code: String,
}

impl From<&PaymentWatchRequested> for PaymentWatch {
    fn from(event: &PaymentWatchRequested) -> Self {
        Self { terms: event.into(), episode: event.episode, code: event.code.clone() }
    }
}

impl Rules for PaymentWatch {
    fn booking_id(&self) -> BookingId {
        self.terms.booking_id
    }

    fn deadline_seconds(&self, _: &Settings) -> Option<u32> {
        None
    }

    fn plan<'a>(&'a self, _: &'a Progress) -> Plan<'a> {
        let void = Step::new("void", |attempt| {
            let watch = WatchAttempt { episode: self.episode, number: attempt.number };
            let command = payment::Command::RequestVoid {
                terms: self.terms.clone(),
                attempt: watch.attempt(),
                reason: "the payment's own undoing failed".to_owned(),
            };
            ask::payment(self.terms.payment_id, command)
        });
        Plan { revocable: Vec::new(), pivot: None, onward: vec![vec![void]] }
    }

    /// It never compensates.
    fn ending<'a>(&'a self, _: &'a Progress) -> (Ending, Option<Step<'a>>) {
        (Ending::Cancelled, None)
    }

    fn undone_by(&self, _: &Progress, _: &Cancellation) -> Option<FollowUp> {
        None
    }

    fn cancellable(&self) -> bool {
        false
    }
}
