//! What a provider says of a payment: recorded once, whenever it comes, and undone in the same
//! decision where the payment does not go on with it.

use super::check;
use super::decide::{
    Decision, own_refund, refunded as refunded_event, void_failed as void_failed_event,
    void_requested, voided as voided_event,
};
use super::error::Refusal;
use super::event::{
    Event, PaymentAuthorized, PaymentFailed, PaymentRefundFailed, PaymentSucceeded,
    PaymentWatchRequested,
};
use super::ledger::{Ledger, Named, Refund, RefundStatus};
use super::limits::REFERENCES_MAX;
use super::value::{Phase, Status, Terms};
use crate::ids::RefundId;
use crate::money::Money;

/// What the provider said, as far as it counts.
struct Counted {
    /// Minor units that count, within the room that is left.
    amount: i64,
    /// The provider's own words, when they say something else.
    reported: Option<Money>,
}

impl Counted {
    /// Money of another currency counts for nothing.
    fn of(ledger: &Ledger, said: Money, room: i64) -> Self {
        let same = said.currency == ledger.terms.amount.currency;
        let amount = if same { said.amount.min(room) } else { 0 };
        let reported = (said != ledger.money(amount)).then_some(said);
        Self { amount, reported }
    }
}

pub(super) fn authorized(ledger: &Ledger, reference: &str, said: Money) -> Decision {
    check::reported(said)?;
    let reference = check::reference(reference)?;
    if ledger.knows(Named::Authorization, &reference) {
        return Ok(Vec::new());
    }
    remembers(ledger, 1)?;

    let (event, kept, _) = authorization(ledger, reference, said);
    let mut events = vec![event];
    // A payment in good standing is not undone because the provider speaks of one more.
    let standing = !ledger.closed && ledger.authorization.is_some();
    let releasing = ledger.void.is_some_and(|void| void.release);
    if !(kept || standing || releasing) {
        if ledger.void.is_some() {
            // It waited for refunds alone, and now has something to release beside them.
            let attempt = ledger.void.map_or(0, |void| void.attempt);
            let reason = "authorized while refunds were awaited".to_owned();
            events.push(void_requested(&ledger.terms, attempt, reason, true));
        } else {
            let reason = if ledger.closed { "late authorization" } else { "amount differs" };
            events.push(void_requested(&ledger.terms, 0, reason.to_owned(), true));
        }
    }
    Ok(events)
}

pub(super) fn succeeded(ledger: &Ledger, reference: &str, said: Money) -> Decision {
    check::reported(said)?;
    let reference = check::reference(reference)?;
    if ledger.knows(Named::Capture, &reference) {
        return Ok(Vec::new());
    }
    remembers(ledger, 2)?;

    let mut events = Vec::new();
    let (mut authorized, mut closed) = (ledger.authorized, ledger.closed);
    if ledger.authorization.is_none() {
        // What was taken had been set aside, whether or not anybody said so.
        let (event, kept, amount) = authorization(ledger, reference.clone(), said);
        events.push(event);
        (authorized, closed) = (amount, !kept);
    }
    let Counted { amount, reported } = Counted::of(ledger, said, authorized - ledger.captured);
    let kept = !closed && ledger.capture.is_none() && amount == ledger.terms.amount.amount;
    let Terms { payment_id, booking_id, saga_id, .. } = ledger.terms;
    let money = ledger.money(amount);
    events.push(
        PaymentSucceeded {
            payment_id,
            booking_id,
            saga_id,
            reference: reference.clone(),
            amount: money,
            reported,
            kept,
        }
        .into(),
    );
    if !kept && amount > 0 {
        let mut taken = ledger.clone();
        taken.capture.get_or_insert(reference);
        let reason = if closed { "late success" } else { "amount differs" };
        events.push(own_refund(&taken, amount, reason));
    }
    Ok(events)
}

/// The event, whether the payment goes on with it, and what counts of it.
fn authorization(ledger: &Ledger, reference: String, said: Money) -> (Event, bool, i64) {
    let requested = ledger.terms.amount.amount;
    let Counted { amount, reported } = Counted::of(ledger, said, requested - ledger.authorized);
    let kept = !ledger.closed && ledger.authorization.is_none() && amount == requested;
    let Terms { payment_id, booking_id, saga_id, .. } = ledger.terms;
    let money = ledger.money(amount);
    let event = PaymentAuthorized {
        payment_id,
        booking_id,
        saga_id,
        reference,
        amount: money,
        reported,
        kept,
    };
    (event.into(), kept, amount)
}

pub(super) fn failed(
    ledger: &Ledger,
    phase: Phase,
    attempt: Option<u32>,
    reference: Option<&str>,
    code: &str,
    message: &str,
) -> Decision {
    let reference = reference.map(check::reference).transpose()?;
    let (attempt, known) = match phase {
        Phase::Authorization => (1, ledger.authorization_failed),
        Phase::Capture => {
            let last = ledger.capture_attempt;
            let attempt = attempt.map_or(last, |attempt| attempt.min(last));
            // Nobody asked for a capture: there is none that could have failed.
            (attempt, attempt <= ledger.capture_failed)
        }
    };
    if known {
        return Ok(Vec::new());
    }

    let Terms { payment_id, booking_id, saga_id, .. } = ledger.terms;
    let (code, message) = (check::code(code), check::message(message));
    Ok(vec![
        PaymentFailed { payment_id, booking_id, saga_id, phase, attempt, reference, code, message }
            .into(),
    ])
}

pub(super) fn voided(ledger: &Ledger, attempt: u32, reference: Option<&str>) -> Decision {
    let reference = reference.map(check::reference).transpose()?;
    let held = ledger.captured > ledger.refunded();
    match ledger.void {
        // What was taken is not released: the void is answered when the last refund is.
        Some(open) if held && open.release => {
            let reason = "released, refunds are awaited".to_owned();
            Ok(vec![void_requested(&ledger.terms, open.attempt, reason, false)])
        }
        _ if held => Ok(Vec::new()),
        Some(open) => Ok(vec![voided_event(ledger, open.attempt, reference)]),
        None if matches!(ledger.status, Status::Voided | Status::Refunded) => Ok(Vec::new()),
        None => Ok(vec![voided_event(ledger, attempt, reference)]),
    }
}

pub(super) fn void_failed(ledger: &Ledger, attempt: u32, code: &str, message: &str) -> Vec<Event> {
    match ledger.void {
        Some(open) if open.release && open.attempt == attempt => {
            let (code, message) = (check::code(code), check::message(message));
            let mut events = vec![void_failed_event(ledger, attempt, &code, message.clone())];
            if attempt == 0 {
                events.push(watch_requested(ledger, code, message));
            }
            events
        }
        // Answered before, or no longer asked for.
        _ => Vec::new(),
    }
}

pub(super) fn refunded(
    ledger: &Ledger,
    refund_id: RefundId,
    reference: &str,
    said: Money,
) -> Decision {
    check::reported(said)?;
    let reference = check::reference(reference)?;
    if ledger.knows(Named::Refund, &reference) {
        return Ok(Vec::new());
    }
    remembers(ledger, 1)?;

    let asked = match ledger.refunds.get(&refund_id) {
        Some(Refund { amount, status: RefundStatus::Pending, .. }) => *amount,
        _ => 0,
    };
    let Counted { amount, reported } = Counted::of(ledger, said, asked + ledger.refundable());
    let mut events = vec![refunded_event(ledger, refund_id, Some(reference), amount, reported)];
    if amount < asked {
        events.push(own_refund(ledger, asked - amount, "refunded in part"));
    }
    let nothing_held = ledger.captured == ledger.refunded() + amount;
    if let Some(void) = ledger.void
        && nothing_held
        && !void.release
    {
        events.push(voided_event(ledger, void.attempt, None));
    }
    Ok(events)
}

pub(super) fn refund_failed(
    ledger: &Ledger,
    refund_id: RefundId,
    code: &str,
    message: &str,
) -> Vec<Event> {
    let Some(Refund { status: RefundStatus::Pending, own, .. }) = ledger.refunds.get(&refund_id)
    else {
        return Vec::new();
    };

    let Terms { payment_id, booking_id, saga_id, .. } = ledger.terms;
    let (code, message) = (check::code(code), check::message(message));
    let failed = PaymentRefundFailed {
        payment_id,
        booking_id,
        saga_id,
        refund_id,
        code: code.clone(),
        message: message.clone(),
    };
    let mut events = vec![failed.into()];
    if let Some(void) = ledger.void {
        events.push(void_failed_event(ledger, void.attempt, "refund_failed", message.clone()));
    }
    // Whoever asked for a void, or for this refund, hears of it and tries again; but for the
    // payment, nobody does.
    if ledger.void.map_or(*own, |void| void.attempt == 0) {
        events.push(watch_requested(ledger, code, message));
    }
    events
}

/// The payment's own undoing has failed: the payment watch takes it on.
fn watch_requested(ledger: &Ledger, code: String, message: String) -> Event {
    let terms = ledger.terms.clone();
    PaymentWatchRequested {
        payment_id: terms.payment_id,
        booking_id: terms.booking_id,
        saga_id: terms.saga_id,
        account_id: terms.account_id,
        amount: terms.amount,
        method: terms.method,
        due_at: terms.due_at,
        episode: ledger.episodes + 1,
        code,
        message,
    }
    .into()
}

/// Whether so many references more can be remembered.
fn remembers(ledger: &Ledger, more: usize) -> Result<(), Refusal> {
    if ledger.references.len() + more > REFERENCES_MAX {
        return Err(Refusal::TooManyReferences { references_max: REFERENCES_MAX });
    }
    Ok(())
}
