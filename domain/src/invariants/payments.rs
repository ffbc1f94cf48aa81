//! Money, added up by the payments' own events: at every version no more is given back than was
//! taken, nor taken than was set aside, nor set aside than was asked for.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use crate::ids::{BookingId, PaymentId, RefundId};
use crate::money::{Currency, Money};
use crate::payment::{Event, Phase};

/// Every payment with its sums.
#[derive(Debug, Default)]
pub(super) struct Payments {
    payments: BTreeMap<PaymentId, Sums>,
    of_booking: BTreeMap<BookingId, BTreeSet<PaymentId>>,
    versions: u64,
}

/// One payment; amounts in minor units.
#[derive(Debug)]
pub(super) struct Sums {
    pub(super) version: u64,
    pub(super) currency: Currency,
    requested: i64,
    authorized: i64,
    pub(super) captured: i64,
    pub(super) refunded: i64,
    pending: BTreeMap<RefundId, i64>,
    /// What the provider said, where that is not what counts.
    said: Said,
    /// Money that is set aside, and neither taken nor given back.
    pub(super) reserved: i64,
    authorization: Authorization,
    capture_open: bool,
    void_open: bool,
    /// Whether it was told already that the sums do not fit.
    broken: bool,
}

/// What the provider says of movements, as far as it is money of the payment.
#[derive(Debug, Default)]
struct Said {
    captured: i64,
    refunded: i64,
    reserved: i64,
}

/// What became of the question for an authorization.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Authorization {
    /// Nobody asked, or nothing can come of it any more.
    Settled,
    /// It has no answer.
    Asked,
    /// It had none in time; one may come.
    TimedOut,
}

/// What the log says that the provider moved, in minor units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoggedMoney {
    /// The payment's version.
    pub version: u64,
    /// Of which currency.
    pub currency: Currency,
    /// Ever captured.
    pub captured: i64,
    /// Captured and given back.
    pub refunded: i64,
    /// Authorized, and neither captured nor given back.
    pub reserved: i64,
    /// Whether nothing is asked of the provider: then it must say the same.
    pub settled: bool,
}

impl Payments {
    /// How many versions were looked at.
    pub(super) const fn count(&self) -> u64 {
        self.versions
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (PaymentId, LoggedMoney)> + '_ {
        self.payments.iter().map(|(id, sums)| (*id, sums.logged()))
    }

    pub(super) fn of(&self, payment_id: PaymentId) -> Option<LoggedMoney> {
        self.payments.get(&payment_id).map(Sums::logged)
    }

    pub(super) fn of_booking(
        &self,
        booking_id: BookingId,
    ) -> impl Iterator<Item = (PaymentId, &Sums)> + '_ {
        let ids = self.of_booking.get(&booking_id).into_iter().flatten();
        ids.filter_map(|id| Some((*id, self.payments.get(id)?)))
    }

    /// What is wrong with a payment from this event on.
    pub(super) fn read(
        &mut self,
        payment_id: PaymentId,
        version: u64,
        event: &Event,
    ) -> Option<String> {
        self.versions += 1;
        let (booking_id, money) = about(event);
        let sums = match self.payments.entry(payment_id) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(first) => {
                let Some(Money { amount, currency }) = money else {
                    return Some(format!("{} stands before any request", event.name()));
                };
                self.of_booking.entry(booking_id).or_default().insert(payment_id);
                first.insert(Sums::new(amount, currency))
            }
        };
        sums.version = version;
        sums.apply(event);
        sums.judge()
    }
}

/// What an event is about, and how much was asked for if it can be a payment's first.
fn about(event: &Event) -> (BookingId, Option<Money>) {
    match event {
        Event::Requested(e) => (e.booking_id, Some(e.amount)),
        Event::VoidRequested(e) => (e.booking_id, Some(e.amount)),
        Event::Authorized(e) => (e.booking_id, None),
        Event::CaptureRequested(e) => (e.booking_id, None),
        Event::Succeeded(e) => (e.booking_id, None),
        Event::Failed(e) => (e.booking_id, None),
        Event::TimedOut(e) => (e.booking_id, None),
        Event::Voided(e) => (e.booking_id, None),
        Event::VoidFailed(e) => (e.booking_id, None),
        Event::RefundRequested(e) => (e.booking_id, None),
        Event::Refunded(e) => (e.booking_id, None),
        Event::RefundFailed(e) => (e.booking_id, None),
        Event::WatchRequested(e) => (e.booking_id, None),
    }
}

impl Sums {
    const fn new(requested: i64, currency: Currency) -> Self {
        Self {
            version: 0,
            currency,
            requested,
            authorized: 0,
            captured: 0,
            refunded: 0,
            pending: BTreeMap::new(),
            said: Said { captured: 0, refunded: 0, reserved: 0 },
            reserved: 0,
            authorization: Authorization::Settled,
            capture_open: false,
            void_open: false,
            broken: false,
        }
    }

    fn apply(&mut self, event: &Event) {
        match event {
            Event::Requested(_) => self.authorization = Authorization::Asked,
            Event::Authorized(e) => {
                self.authorization = Authorization::Settled;
                self.authorized += e.amount.amount;
                if self.captured == 0 {
                    self.reserved += e.amount.amount;
                    self.said.reserved += self.said(e.amount, e.reported);
                }
            }
            Event::CaptureRequested(_) => self.capture_open = true,
            Event::Succeeded(e) => {
                self.capture_open = false;
                self.captured += e.amount.amount;
                self.said.captured += self.said(e.amount, e.reported);
                // What is not taken of an authorization is given back with it.
                (self.reserved, self.said.reserved) = (0, 0);
            }
            Event::Failed(e) => match e.phase {
                Phase::Authorization => self.authorization = Authorization::Settled,
                Phase::Capture => self.capture_open = false,
            },
            Event::TimedOut(_) => self.authorization = Authorization::TimedOut,
            Event::VoidRequested(_) => self.void_open = true,
            Event::Voided(_) => {
                self.authorization = Authorization::Settled;
                (self.capture_open, self.void_open) = (false, false);
                (self.reserved, self.said.reserved) = (0, 0);
            }
            Event::VoidFailed(_) => self.void_open = false,
            Event::RefundRequested(e) => {
                self.pending.insert(e.refund_id, e.amount.amount);
            }
            Event::Refunded(e) => {
                self.pending.remove(&e.refund_id);
                self.refunded += e.amount.amount;
                self.said.refunded += self.said(e.amount, e.reported);
            }
            Event::RefundFailed(e) => {
                self.pending.remove(&e.refund_id);
            }
            // It says that something is still to be undone, and moves nothing.
            Event::WatchRequested(_) => {}
        }
    }

    /// Money of another currency than the payment's adds up with nothing here.
    fn said(&self, counts: Money, reported: Option<Money>) -> i64 {
        let said = reported.unwrap_or(counts);
        if said.currency == self.currency { said.amount } else { counts.amount }
    }

    fn pending(&self) -> i64 {
        self.pending.values().sum()
    }

    /// What the provider still has to answer.
    pub(super) fn waits_for(&self) -> Option<&'static str> {
        if self.void_open {
            return Some("void");
        }
        if self.capture_open {
            return Some("capture");
        }
        if !self.pending.is_empty() {
            return Some("refund");
        }
        match self.authorization {
            Authorization::Asked => Some("authorization"),
            Authorization::Settled | Authorization::TimedOut => None,
        }
    }

    fn logged(&self) -> LoggedMoney {
        LoggedMoney {
            version: self.version,
            currency: self.currency,
            captured: self.said.captured,
            refunded: self.said.refunded,
            reserved: self.said.reserved,
            settled: self.waits_for().is_none() && self.authorization != Authorization::TimedOut,
        }
    }

    /// Told once, until it fits again.
    fn judge(&mut self) -> Option<String> {
        let Self { requested, authorized, captured, refunded, .. } = *self;
        let (pending, currency) = (self.pending(), self.currency);
        let sound = refunded + pending <= captured
            && captured <= authorized
            && authorized <= requested
            && refunded >= 0;
        let news = !sound && !self.broken;
        self.broken = !sound;
        news.then(|| {
            format!(
                "{currency} {refunded} refunded and {pending} asked to be, {captured} captured, \
                 {authorized} authorized, {requested} requested (minor units)"
            )
        })
    }
}
