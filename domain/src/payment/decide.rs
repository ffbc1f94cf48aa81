//! What is asked of a payment: one function a command, guards first, events last. What the provider
//! says is in `facts.rs`.

use super::error::Refusal;
use super::event::{
    Event, PaymentCaptureRequested, PaymentRefundRequested, PaymentRefunded, PaymentRequested,
    PaymentTimedOut, PaymentVoidFailed, PaymentVoidRequested, PaymentVoided,
};
use super::ledger::{Ledger, OpenVoid};
use super::limits::REFUNDS_MAX;
use super::value::{Status, Terms, WatchAttempt};
use super::{Command, Payment, check, facts};
use crate::ids::RefundId;
use crate::money::Money;
use crate::{Actor, Context, Timestamp, derive};

pub(super) type Decision = Result<Vec<Event>, Refusal>;

/// Who may ask at all comes first, then whether the payment exists.
pub(super) fn decide(payment: &Payment, command: &Command, context: &Context) -> Decision {
    if let Actor::Account(_) = context.actor {
        return Err(Refusal::SystemRequired);
    }
    let known = || match payment {
        Payment::NotRequested => Err(Refusal::PaymentNotFound),
        Payment::Known(ledger) => Ok(ledger.as_ref()),
    };
    match command {
        Command::Request { terms } => request(payment, terms),
        Command::RequestCapture { attempt } => request_capture(known()?, *attempt),
        Command::RequestVoid { terms, attempt, reason } => {
            request_void(payment, terms, *attempt, reason)
        }
        Command::RequestRefund { refund_id, amount, reason, attempt } => {
            request_refund(known()?, *refund_id, *amount, reason, *attempt)
        }
        Command::TimeOut {} => time_out(known()?, context.now),
        Command::RecordAuthorized { reference, amount } => {
            facts::authorized(known()?, reference, *amount)
        }
        Command::RecordSucceeded { reference, amount } => {
            facts::succeeded(known()?, reference, *amount)
        }
        Command::RecordFailed { phase, attempt, reference, code, message } => {
            facts::failed(known()?, *phase, *attempt, reference.as_deref(), code, message)
        }
        Command::RecordVoided { attempt, reference } => {
            facts::voided(known()?, *attempt, reference.as_deref())
        }
        Command::RecordVoidFailed { attempt, code, message } => {
            Ok(facts::void_failed(known()?, *attempt, code, message))
        }
        Command::RecordRefunded { refund_id, reference, amount } => {
            facts::refunded(known()?, *refund_id, reference, *amount)
        }
        Command::RecordRefundFailed { refund_id, code, message } => {
            Ok(facts::refund_failed(known()?, *refund_id, code, message))
        }
        Command::TakeUnproven { provider, why, body_sha256, left_out } => {
            Err(check::unproven(provider, why, *body_sha256, *left_out))
        }
        Command::NoteUnanswered { request, operation, may_be_done, code, left_out } => {
            Err(check::unanswered(*request, operation, *may_be_done, code, *left_out))
        }
    }
}

fn request(payment: &Payment, terms: &Terms) -> Decision {
    if let Payment::Known(ledger) = payment {
        // A void came first: this one is late, and finds the door closed.
        return Err(if ledger.closed {
            Refusal::Closed { payment_status: ledger.status }
        } else {
            Refusal::PaymentAlreadyExists { payment_id: ledger.terms.payment_id }
        });
    }
    let terms = check::terms(terms)?;

    let Terms { payment_id, booking_id, saga_id, account_id, amount, method, due_at } = terms;
    let requested =
        PaymentRequested { payment_id, booking_id, saga_id, account_id, amount, method, due_at };
    Ok(vec![requested.into()])
}

fn request_capture(ledger: &Ledger, attempt: u32) -> Decision {
    check::attempt(attempt)?;
    let status = ledger.status;
    if ledger.closed {
        return Err(Refusal::Closed { payment_status: status });
    }
    let attempt_last = ledger.capture_attempt;
    let reference = match (status, &ledger.authorization) {
        (Status::Captured, _) => return Ok(Vec::new()),
        (Status::Capturing, _) => return Err(Refusal::AttemptOpen { attempt: attempt_last }),
        (Status::Authorized, Some(reference)) => reference.clone(),
        _ => return Err(Refusal::NotAuthorized { payment_status: status }),
    };
    if attempt <= attempt_last {
        return Err(Refusal::AttemptPassed { attempt, attempt_last });
    }

    let Terms { payment_id, booking_id, saga_id, .. } = ledger.terms;
    let amount = ledger.money(ledger.authorized);
    let captures =
        PaymentCaptureRequested { payment_id, booking_id, saga_id, attempt, amount, reference };
    Ok(vec![captures.into()])
}

/// An undoing must always come through: it is refused by nothing but an attempt that is open or
/// passed, and by more refunds than a payment may have.
fn request_void(payment: &Payment, terms: &Terms, attempt: u32, reason: &str) -> Decision {
    let terms = check::terms(terms)?;
    check::attempt(attempt)?;
    let reason = check::reason(reason)?;
    let Payment::Known(ledger) = payment else {
        return Ok(vec![void_requested(&terms, attempt, reason, true)]);
    };
    let watch = WatchAttempt::of(attempt).is_some();
    let attempt_last = if watch { ledger.watch_attempt } else { ledger.void_attempt };
    if attempt <= attempt_last {
        return Err(Refusal::AttemptPassed { attempt, attempt_last });
    }
    let mut events = Vec::new();
    if let Some(OpenVoid { attempt: open, .. }) = ledger.void {
        // The payment's own has no process behind it, and the watch is there for what the booking
        // process does not do: this one takes its place.
        let yields = open == 0 || (!watch && WatchAttempt::of(open).is_some());
        if !yields {
            return Err(Refusal::AttemptOpen { attempt: open });
        }
        let by = if watch { "payment watch" } else { "booking process" };
        events.push(void_failed(ledger, open, "superseded", format!("asked for by the {by}")));
    }

    let releasing = ledger.void.is_some_and(|void| void.release);
    let nothing_held = ledger.status == Status::Voided && ledger.captured == ledger.refunded();
    let taken = ledger.captured > 0;
    let release = releasing || !(taken || nothing_held);
    events.push(void_requested(&ledger.terms, attempt, reason, release));
    if ledger.refundable() > 0 {
        if ledger.refunds.len() >= REFUNDS_MAX {
            return Err(Refusal::TooManyRefunds { refunds_max: REFUNDS_MAX });
        }
        events.push(own_refund(ledger, ledger.refundable(), "voided"));
    } else if !release && ledger.captured == ledger.refunded() {
        events.push(voided(ledger, attempt, None));
    }
    Ok(events)
}

fn request_refund(
    ledger: &Ledger,
    refund_id: RefundId,
    amount: Money,
    reason: &str,
    attempt: u32,
) -> Decision {
    check::amount(amount, 0)?;
    check::attempt(attempt)?;
    let reason = check::reason(reason)?;
    let (currency, expected) = (amount.currency, ledger.terms.amount.currency);
    if currency != expected {
        return Err(Refusal::CurrencyMismatch { currency, expected });
    }
    if ledger.refunds.contains_key(&refund_id) {
        return Err(Refusal::RefundAlreadyExists { refund_id });
    }
    if ledger.refunds.len() >= REFUNDS_MAX {
        return Err(Refusal::TooManyRefunds { refunds_max: REFUNDS_MAX });
    }
    let (amount, refundable) = (amount.amount, ledger.refundable());
    // Nothing was captured, or all of it is on its way back: nobody is asked, the door is closed.
    if amount == 0 || refundable == 0 {
        let nothing = refund_requested(ledger, refund_id, 0, reason, attempt);
        return Ok(vec![nothing, refunded(ledger, refund_id, None, 0, None)]);
    }
    if let Some(refund_id) = ledger.pending() {
        return Err(Refusal::RefundPending { refund_id });
    }
    if amount > refundable {
        return Err(Refusal::RefundTooLarge { amount, refundable });
    }

    Ok(vec![refund_requested(ledger, refund_id, amount, reason, attempt)])
}

fn time_out(ledger: &Ledger, now: Timestamp) -> Decision {
    let status = ledger.status;
    let Terms { payment_id, booking_id, saga_id, due_at, .. } = ledger.terms;
    match status {
        Status::TimedOut => return Ok(Vec::new()),
        Status::Requested => {}
        _ => return Err(Refusal::NotAwaited { payment_status: status }),
    }
    if now < due_at {
        return Err(Refusal::NotDue { due_at });
    }

    Ok(vec![PaymentTimedOut { payment_id, booking_id, saga_id, due_at }.into()])
}

impl Ledger {
    /// Minor units as money of the payment.
    pub(super) const fn money(&self, amount: i64) -> Money {
        Money { amount, currency: self.terms.amount.currency }
    }
}

/// A refund that the payment asks for itself; at most one a decision.
pub(super) fn own_refund(ledger: &Ledger, amount: i64, reason: &str) -> Event {
    let payment = ledger.terms.payment_id.0;
    // No refund is ever forgotten, so their number names the next one.
    let nth = u64::try_from(ledger.refunds.len()).expect("refunds are few").to_be_bytes();
    let parts = [payment.as_bytes().as_slice(), nth.as_slice()];
    let refund_id = RefundId(derive::id("payment-refund", Some(payment), &parts));
    refund_requested(ledger, refund_id, amount, reason.to_owned(), 0)
}

fn refund_requested(
    ledger: &Ledger,
    refund_id: RefundId,
    amount: i64,
    reason: String,
    attempt: u32,
) -> Event {
    let Terms { payment_id, booking_id, saga_id, .. } = ledger.terms;
    let (amount, reference) = (ledger.money(amount), ledger.capture.clone());
    PaymentRefundRequested {
        payment_id,
        booking_id,
        saga_id,
        refund_id,
        amount,
        reason,
        attempt,
        reference,
    }
    .into()
}

pub(super) fn refunded(
    ledger: &Ledger,
    refund_id: RefundId,
    reference: Option<String>,
    amount: i64,
    reported: Option<Money>,
) -> Event {
    let Terms { payment_id, booking_id, saga_id, .. } = ledger.terms;
    let amount = ledger.money(amount);
    PaymentRefunded { payment_id, booking_id, saga_id, refund_id, reference, amount, reported }
        .into()
}

pub(super) fn void_requested(terms: &Terms, attempt: u32, reason: String, release: bool) -> Event {
    PaymentVoidRequested {
        payment_id: terms.payment_id,
        booking_id: terms.booking_id,
        saga_id: terms.saga_id,
        account_id: terms.account_id,
        amount: terms.amount,
        method: terms.method.clone(),
        due_at: terms.due_at,
        attempt,
        reason,
        release,
    }
    .into()
}

pub(super) fn voided(ledger: &Ledger, attempt: u32, reference: Option<String>) -> Event {
    let Terms { payment_id, booking_id, saga_id, .. } = ledger.terms;
    PaymentVoided { payment_id, booking_id, saga_id, attempt, reference }.into()
}

pub(super) fn void_failed(ledger: &Ledger, attempt: u32, code: &str, message: String) -> Event {
    let Terms { payment_id, booking_id, saga_id, .. } = ledger.terms;
    let code = code.to_owned();
    PaymentVoidFailed { payment_id, booking_id, saga_id, attempt, code, message }.into()
}
