//! What a payment knows once anything was asked of it, and how each event changes that. No rules
//! here: what happened, happened.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::event::{
    Event, PaymentAuthorized, PaymentFailed, PaymentRefundRequested, PaymentRefunded,
    PaymentSucceeded, PaymentVoidRequested,
};
use super::value::{Phase, Status, Terms, WatchAttempt};
use crate::ids::RefundId;

/// A payment as its events left it. Amounts are minor units of the terms' currency.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ledger {
    /// What it is for.
    pub terms: Terms,
    /// Where it stands.
    pub status: Status,
    /// Whether nothing more is taken: what the provider still says is undone.
    pub closed: bool,
    /// What was set aside at any time.
    pub authorized: i64,
    /// What was taken at any time.
    pub captured: i64,
    /// The provider's id of the first authorization.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorization: Option<String>,
    /// The provider's id of the first capture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capture: Option<String>,
    /// The last attempt to capture; 0 before the first.
    pub capture_attempt: u32,
    /// The last attempt to capture that is known to have failed; 0 when none is.
    pub capture_failed: u32,
    /// Whether the provider ever refused the authorization.
    pub authorization_failed: bool,
    /// The void that has no answer yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub void: Option<OpenVoid>,
    /// The last void that the booking process asked for; 0 before the first.
    pub void_attempt: u32,
    /// The last void that the payment watch asked for; 0 before the first.
    #[serde(default)]
    pub watch_attempt: u32,
    /// How often the payment's own undoing failed and the watch was asked for.
    #[serde(default)]
    pub episodes: u32,
    /// Everything that was to be given back, and what became of it.
    pub refunds: BTreeMap<RefundId, Refund>,
    /// What the provider has named so far, by what it named (`capture:<id>`).
    pub references: BTreeSet<String>,
}

/// A void without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenVoid {
    /// Which attempt; 0 is the payment's own.
    pub attempt: u32,
    /// Whether the provider is asked to release; else refunds alone are waited for.
    pub release: bool,
}

/// Money on its way back, or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refund {
    /// Minor units: what was asked for, then what was given back.
    pub amount: i64,
    /// What became of it.
    pub status: RefundStatus,
    /// Whether the payment asked for it itself.
    #[serde(default)]
    pub own: bool,
}

/// What became of a refund.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefundStatus {
    /// The provider is asked.
    Pending,
    /// The money was given back.
    Refunded,
    /// It was not.
    Failed,
}

/// What a provider's reference names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Named {
    Authorization,
    Capture,
    Refund,
}

impl Ledger {
    pub(super) fn new(terms: Terms, status: Status) -> Self {
        Self {
            terms,
            status,
            closed: false,
            authorized: 0,
            captured: 0,
            authorization: None,
            capture: None,
            capture_attempt: 0,
            capture_failed: 0,
            authorization_failed: false,
            void: None,
            void_attempt: 0,
            watch_attempt: 0,
            episodes: 0,
            refunds: BTreeMap::new(),
            references: BTreeSet::new(),
        }
    }

    /// Minor units that were given back.
    #[must_use]
    pub fn refunded(&self) -> i64 {
        self.sum(RefundStatus::Refunded)
    }

    /// Minor units that are on their way back.
    #[must_use]
    pub fn refund_pending(&self) -> i64 {
        self.sum(RefundStatus::Pending)
    }

    /// Minor units that were captured and neither given back nor asked to be.
    #[must_use]
    pub fn refundable(&self) -> i64 {
        self.captured - self.refunded() - self.refund_pending()
    }

    /// Whether the provider named it before.
    pub(super) fn knows(&self, named: Named, reference: &str) -> bool {
        self.references.contains(&key(named, reference))
    }

    /// The refund that has no answer yet.
    pub(super) fn pending(&self) -> Option<RefundId> {
        let open = |refund: &Refund| refund.status == RefundStatus::Pending;
        self.refunds.iter().find(|(_, refund)| open(refund)).map(|(id, _)| *id)
    }

    fn sum(&self, status: RefundStatus) -> i64 {
        self.refunds.values().filter(|refund| refund.status == status).map(|r| r.amount).sum()
    }

    pub(super) fn apply(&mut self, event: &Event) {
        match event {
            // Nothing is requested twice; the first one holds.
            Event::Requested(_) => {}
            Event::Authorized(event) => self.authorize(event),
            Event::CaptureRequested(event) => {
                self.status = Status::Capturing;
                self.capture_attempt = event.attempt;
            }
            Event::Succeeded(event) => self.succeed(event),
            Event::Failed(event) => self.fail(event),
            Event::TimedOut(_) => {
                self.status = Status::TimedOut;
                self.closed = true;
            }
            Event::VoidRequested(event) => self.request_void(event),
            Event::Voided(_) => {
                self.status = Status::Voided;
                self.closed = true;
                self.void = None;
            }
            Event::VoidFailed(_) => {
                self.status = Status::VoidFailed;
                self.void = None;
            }
            Event::RefundRequested(event) => self.request_refund(event),
            Event::Refunded(event) => self.refund(event),
            Event::RefundFailed(event) => {
                if let Some(refund) = self.refunds.get_mut(&event.refund_id) {
                    refund.status = RefundStatus::Failed;
                }
            }
            Event::WatchRequested(event) => self.episodes = event.episode,
        }
    }

    fn authorize(&mut self, event: &PaymentAuthorized) {
        let first = self.authorization.is_none();
        self.authorized += event.amount.amount;
        self.authorization.get_or_insert_with(|| event.reference.clone());
        self.references.insert(key(Named::Authorization, &event.reference));
        if event.kept {
            self.status = Status::Authorized;
        } else if first {
            self.closed = true;
        }
    }

    fn succeed(&mut self, event: &PaymentSucceeded) {
        let first = self.capture.is_none();
        self.captured += event.amount.amount;
        self.capture.get_or_insert_with(|| event.reference.clone());
        self.references.insert(key(Named::Capture, &event.reference));
        if event.amount.amount == 0 && !first {
            return;
        }
        self.closed |= !event.kept;
        match &mut self.void {
            // What was taken is not released: the void waits for its refund.
            Some(void) => void.release = false,
            None => self.status = Status::Captured,
        }
    }

    fn fail(&mut self, event: &PaymentFailed) {
        match event.phase {
            Phase::Authorization => {
                self.authorization_failed = true;
                if matches!(self.status, Status::Requested | Status::TimedOut) {
                    self.status = Status::Failed;
                    self.closed = true;
                }
            }
            Phase::Capture => {
                self.capture_failed = event.attempt;
                if self.status == Status::Capturing && event.attempt == self.capture_attempt {
                    self.status = Status::Authorized;
                }
            }
        }
    }

    fn request_void(&mut self, event: &PaymentVoidRequested) {
        self.status = Status::Voiding;
        self.closed = true;
        self.void = Some(OpenVoid { attempt: event.attempt, release: event.release });
        let last = match WatchAttempt::of(event.attempt) {
            Some(_) => &mut self.watch_attempt,
            None => &mut self.void_attempt,
        };
        *last = (*last).max(event.attempt);
    }

    fn request_refund(&mut self, event: &PaymentRefundRequested) {
        let own = event.attempt == 0;
        let refund = Refund { amount: event.amount.amount, status: RefundStatus::Pending, own };
        self.refunds.insert(event.refund_id, refund);
        self.closed = true;
    }

    fn refund(&mut self, event: &PaymentRefunded) {
        let before = self.refunds.get(&event.refund_id).copied();
        let own = before.is_some_and(|before| before.own);
        let mut refund =
            Refund { amount: event.amount.amount, status: RefundStatus::Refunded, own };
        // A refund that comes twice adds up.
        if let Some(Refund { amount, status: RefundStatus::Refunded, .. }) = before {
            refund.amount += amount;
        }
        self.refunds.insert(event.refund_id, refund);
        if let Some(reference) = &event.reference {
            self.references.insert(key(Named::Refund, reference));
        }
        let all = self.captured > 0 && self.refunded() == self.captured;
        if all && matches!(self.status, Status::Captured | Status::VoidFailed) {
            self.status = Status::Refunded;
        }
    }
}

fn key(named: Named, reference: &str) -> String {
    let named = match named {
        Named::Authorization => "authorization",
        Named::Capture => "capture",
        Named::Refund => "refund",
    };
    format!("{named}:{reference}")
}
