//! `provider_requests`: what the payment provider is to be asked, and whether it still is. Tables
//! `provider_requests` (key: payment, kind, subject) and `provider_payments` (key: payment).
//!
//! A repeat is harmless because rows and vector move together. Every row belongs to one stream.
//!
//! Whether a request is open is what the aggregate's own fold says (`provider_payments.ledger`), so
//! that there is one set of rules about what closes what. Whoever changes that fold raises this
//! projection's version, too. What nobody has to be called for (a void that releases nothing, a
//! refund of nothing) never becomes a row. Rows stay: they are what was asked.

use domain::ids::{CorrelationId, EventId, PaymentId};
use domain::money::Money;
use domain::payment::{Event as Payment, Ledger, Payment as State, RefundStatus, Status};
use domain::{Aggregate as _, Event, RecordedEvent, Tenant, Timestamp};
use uuid::Uuid;

use crate::projection::{Projection, RowKey, Rows};
use crate::row::{Cell as _, Document, row};
use crate::table::{Index, IndexKind, Row as _, Table, Value};

/// `kind` of a request to set money aside.
pub const AUTHORIZE: &str = "authorize";
/// `kind` of a request to take it.
pub const CAPTURE: &str = "capture";
/// `kind` of a request to release it.
pub const VOID: &str = "void";
/// `kind` of a request to give it back.
pub const REFUND: &str = "refund";

/// `state` of a request that has no answer.
pub const OPEN: &str = "open";
/// `state` of a request that was answered, or is no longer asked.
pub const CLOSED: &str = "closed";

row! {
    /// One thing that the payment provider is, or was, to do.
    pub struct ProviderRequestRow in "provider_requests", keys 3, append_only false {
        /// Of which payment.
        payment_id: PaymentId,
        /// `authorize`, `capture`, `void` or `refund`.
        kind: String,
        /// The refund; of the other kinds the payment itself, which has one open request of each.
        subject_id: Uuid,
        /// Whose data it is.
        tenant: Tenant,
        /// `open` or `closed`.
        state: String,
        /// Which attempt; 0 when the payment asked for it itself.
        attempt: u32,
        /// How much, in minor units; of a void, what the payment is about.
        amount: i64,
        /// ISO 4217 code.
        currency: String,
        /// The means of payment, in the provider's words.
        method: String,
        /// From when on a missing authorization counts as timed out.
        due_at: Timestamp,
        /// When it was asked for.
        asked_at: Timestamp,
        /// The event that asks: the provider's idempotency key.
        asked_by: EventId,
        /// What the request and everything it caused have in common.
        correlation_id: CorrelationId,
        /// W3C trace context of the request.
        traceparent: Option<String>,
    }
    indexes &[Index {
        name: "open",
        kind: IndexKind::Ordered(&["state", "asked_at", "payment_id", "kind", "subject_id"]),
    }]
}

row! {
    /// One payment that a provider may speak of.
    pub struct ProviderPaymentRow in "provider_payments", keys 1, append_only false {
        /// Which one.
        payment_id: PaymentId,
        /// Whose data it is.
        tenant: Tenant,
        /// What its first request and everything it caused have in common.
        correlation_id: CorrelationId,
        /// What the payment's own fold made of its events.
        ledger: Document<State>,
    }
    indexes &[]
}

/// The projection of what the payment provider is to do.
pub struct ProviderRequests;

impl Projection for ProviderRequests {
    fn name(&self) -> &'static str {
        "provider_requests"
    }

    fn version(&self) -> u32 {
        2
    }

    fn tables(&self) -> &'static [&'static Table] {
        &[ProviderRequestRow::TABLE, ProviderPaymentRow::TABLE]
    }

    fn keyed_by_stream(&self) -> bool {
        true
    }

    fn keys(&self, event: &RecordedEvent, keys: &mut Vec<RowKey>) {
        let Event::Payment(happened) = &event.event else { return };
        keys.push(RowKey { table: ProviderPaymentRow::TABLE, key: payment_key(event) });
        let touched = touched(event, happened).map(|(kind, subject)| RowKey {
            table: ProviderRequestRow::TABLE,
            key: request_key(event, kind, subject),
        });
        keys.extend(touched);
    }

    fn fold(&self, rows: &mut Rows, event: &RecordedEvent) {
        let Event::Payment(happened) = &event.event else { return };
        let known = rows.read::<ProviderPaymentRow>(&payment_key(event));
        let before = known.as_ref().map_or_else(State::default, |row| row.ledger.0.clone());
        // A stream without its first event has no row, and a fold refuses nothing.
        let State::Known(ledger) = before.evolve(happened) else { return };
        for (kind, subject) in touched(event, happened) {
            let there = rows.read::<ProviderRequestRow>(&request_key(event, kind, subject));
            let row = asked(happened, &ledger)
                .filter(|asked| asked.kind == kind)
                .map(|asked| asked.row(event, subject, &ledger))
                .or(there);
            if let Some(mut row) = row {
                let state = if open(&ledger, kind, subject) { OPEN } else { CLOSED };
                state.clone_into(&mut row.state);
                rows.write(row);
            }
        }
        let known = known.unwrap_or_else(|| ProviderPaymentRow {
            payment_id: PaymentId(event.envelope.stream.id),
            tenant: event.envelope.tenant.clone(),
            correlation_id: event.envelope.correlation_id,
            ledger: Document::default(),
        });
        rows.write(ProviderPaymentRow { ledger: Document(State::Known(ledger)), ..known });
    }
}

fn payment_key(event: &RecordedEvent) -> Vec<Value> {
    vec![event.envelope.stream.id.into_value()]
}

fn request_key(event: &RecordedEvent, kind: &str, subject: Uuid) -> Vec<Value> {
    vec![event.envelope.stream.id.into_value(), kind.to_owned().into_value(), subject.into_value()]
}

/// The requests that the event may open or close, by kind and subject.
fn touched(
    event: &RecordedEvent,
    happened: &Payment,
) -> impl Iterator<Item = (&'static str, Uuid)> + use<> {
    let payment = event.envelope.stream.id;
    let refund = match happened {
        Payment::RefundRequested(event) => Some(event.refund_id.0),
        Payment::Refunded(event) => Some(event.refund_id.0),
        Payment::RefundFailed(event) => Some(event.refund_id.0),
        Payment::Requested(_)
        | Payment::Authorized(_)
        | Payment::CaptureRequested(_)
        | Payment::Succeeded(_)
        | Payment::Failed(_)
        | Payment::TimedOut(_)
        | Payment::VoidRequested(_)
        | Payment::Voided(_)
        | Payment::VoidFailed(_)
        | Payment::WatchRequested(_) => None,
    };
    let of_payment = [AUTHORIZE, CAPTURE, VOID].map(|kind| (kind, payment));
    of_payment.into_iter().chain(refund.map(|refund| (REFUND, refund)))
}

/// What an event asks of the provider.
struct Asked {
    kind: &'static str,
    attempt: u32,
    amount: Money,
}

impl Asked {
    fn row(self, event: &RecordedEvent, subject_id: Uuid, ledger: &Ledger) -> ProviderRequestRow {
        let envelope = &event.envelope;
        ProviderRequestRow {
            payment_id: PaymentId(envelope.stream.id),
            kind: self.kind.to_owned(),
            subject_id,
            tenant: envelope.tenant.clone(),
            state: OPEN.to_owned(),
            attempt: self.attempt,
            amount: self.amount.amount,
            currency: self.amount.currency.to_string(),
            method: ledger.terms.method.clone(),
            due_at: ledger.terms.due_at,
            asked_at: envelope.recorded_at,
            asked_by: envelope.event_id,
            correlation_id: envelope.correlation_id,
            traceparent: envelope.traceparent.clone(),
        }
    }
}

fn asked(happened: &Payment, ledger: &Ledger) -> Option<Asked> {
    let (kind, attempt, amount) = match happened {
        Payment::Requested(event) => (AUTHORIZE, 1, event.amount),
        Payment::CaptureRequested(event) => (CAPTURE, event.attempt, event.amount),
        Payment::VoidRequested(event) if event.release => {
            (VOID, event.attempt, ledger.terms.amount)
        }
        Payment::RefundRequested(event) if event.amount.amount > 0 => {
            (REFUND, event.attempt, event.amount)
        }
        Payment::VoidRequested(_)
        | Payment::RefundRequested(_)
        | Payment::Authorized(_)
        | Payment::Succeeded(_)
        | Payment::Failed(_)
        | Payment::TimedOut(_)
        | Payment::Voided(_)
        | Payment::VoidFailed(_)
        | Payment::Refunded(_)
        | Payment::RefundFailed(_)
        | Payment::WatchRequested(_) => return None,
    };
    Some(Asked { kind, attempt, amount })
}

fn open(ledger: &Ledger, kind: &str, subject: Uuid) -> bool {
    match kind {
        AUTHORIZE => ledger.status == Status::Requested,
        CAPTURE => ledger.status == Status::Capturing,
        VOID => ledger.void.is_some_and(|void| void.release),
        _ => ledger
            .refunds
            .get(&domain::ids::RefundId(subject))
            .is_some_and(|refund| refund.status == RefundStatus::Pending),
    }
}

#[cfg(test)]
mod tests {
    use domain::ids::{RefundId, SagaId};
    use domain::payment::{Command, Phase, Terms};
    use domain::{Actor, Context};

    use super::*;
    use crate::testing::harness::rows_after;
    use crate::testing::payment_samples::{eur, terms};
    use crate::testing::samples::{START, SampleLog};

    const ID: Uuid = Uuid::from_u128(1);
    const REFUNDED: RefundId = RefundId(Uuid::from_u128(0xF1));

    fn paid() -> Terms {
        Terms { saga_id: SagaId(Uuid::from_u128(9)), ..terms(ID, ID, ID) }
    }

    /// The open requests after commands that are all accepted, as kind, attempt, amount and event.
    fn open_after(commands: &[Command]) -> Vec<(String, u32, i64, EventId)> {
        let rows = rows_of(commands).into_iter().filter(|row| row.state == OPEN);
        rows.map(|row| (row.kind, row.attempt, row.amount, row.asked_by)).collect()
    }

    fn rows_of(commands: &[Command]) -> Vec<ProviderRequestRow> {
        let (mut log, mut state) = (SampleLog::new(), State::default());
        for command in commands {
            let context = Context {
                now: START.plus_seconds(10_000),
                actor: Actor::System("payments".to_owned()),
                tenant: Tenant::default(),
            };
            for event in state.decide(command, &context).unwrap() {
                state = state.evolve(&event);
                log.append(0, ID, ID, Event::Payment(event));
            }
        }
        rows_after(&ProviderRequests, log.events())
    }

    fn event(nth: u128) -> EventId {
        EventId(Uuid::from_u128(0xE0_0000 + nth))
    }

    fn request() -> Command {
        Command::Request { terms: paid() }
    }

    fn authorized(reference: &str) -> Command {
        Command::RecordAuthorized { reference: reference.to_owned(), amount: eur(12_900) }
    }

    fn succeeded() -> Command {
        Command::RecordSucceeded { reference: "pi_1".to_owned(), amount: eur(12_900) }
    }

    fn void(attempt: u32) -> Command {
        Command::RequestVoid { terms: paid(), attempt, reason: "deadline".to_owned() }
    }

    fn refund(amount: i64) -> Command {
        let reason = "cancellation".to_owned();
        Command::RequestRefund { refund_id: REFUNDED, amount: eur(amount), reason, attempt: 1 }
    }

    fn declined(phase: Phase) -> Command {
        let (code, message) = ("card_declined".to_owned(), "No.".to_owned());
        Command::RecordFailed { phase, attempt: None, reference: None, code, message }
    }

    #[test]
    fn an_authorization_is_asked_for_until_it_is_answered() {
        let asked = ("authorize".to_owned(), 1, 12_900, event(1));

        assert_eq!(open_after(&[request()]), [asked]);
        assert_eq!(open_after(&[request(), authorized("pi_1")]), []);
        assert_eq!(open_after(&[request(), declined(Phase::Authorization)]), []);
        assert_eq!(open_after(&[request(), Command::TimeOut {}]), []);
        let row = &rows_of(&[request()])[0];
        assert_eq!((row.method.as_str(), row.currency.as_str()), ("card_approved", "EUR"));
        assert_eq!((row.due_at, row.asked_at), (paid().due_at, START.plus_seconds(1)));
    }

    #[test]
    fn each_attempt_to_capture_is_a_request_of_its_own() {
        let capture = |attempt| Command::RequestCapture { attempt };
        let once = [request(), authorized("pi_1"), capture(1)];
        let again = [&once[..], &[declined(Phase::Capture), capture(2)]].concat();

        assert_eq!(open_after(&once), [("capture".to_owned(), 1, 12_900, event(3))]);
        assert_eq!(open_after(&again), [("capture".to_owned(), 2, 12_900, event(5))]);
        assert_eq!(open_after(&[&again[..], &[succeeded()]].concat()), []);
    }

    #[test]
    fn a_void_takes_the_place_of_what_is_open() {
        let capture = Command::RequestCapture { attempt: 1 };
        let voided = Command::RecordVoided { attempt: 1, reference: None };

        let asked = open_after(&[request(), void(1)]);
        let capturing = open_after(&[request(), authorized("pi_1"), capture, void(1)]);
        let unheard_of = open_after(&[void(1)]);

        assert_eq!(asked, [("void".to_owned(), 1, 12_900, event(2))]);
        assert_eq!(capturing, [("void".to_owned(), 1, 12_900, event(4))]);
        assert_eq!(unheard_of, [("void".to_owned(), 1, 12_900, event(1))]);
        assert_eq!(open_after(&[request(), void(1), voided]), []);
    }

    #[test]
    fn what_was_taken_is_refunded_rather_than_released() {
        let before = [request(), authorized("pi_1"), succeeded(), void(1)];

        let late = open_after(&[request(), void(1), succeeded()]);

        assert_eq!(late.len(), 1, "{late:?}");
        assert_eq!((late[0].0.as_str(), late[0].1, late[0].2), ("refund", 0, 12_900));
        assert!(rows_of(&before).iter().all(|row| row.kind != VOID), "nobody has to be called");
    }

    #[test]
    fn a_void_that_is_asked_for_anew_under_its_attempt_is_another_request() {
        let commands = [request(), void(1), succeeded(), authorized("pi_2")];

        let open = open_after(&commands);

        let voids: Vec<_> = open.iter().filter(|(kind, ..)| kind == VOID).collect();
        assert_eq!(voids.len(), 1, "{open:?}");
        assert_eq!(voids[0].1, 1);
        assert_ne!(voids[0].3, event(2), "the provider is asked under a new key");
    }

    #[test]
    fn a_late_success_asks_for_its_undoing() {
        let timed_out = [request(), Command::TimeOut {}, authorized("pi_1")];

        assert_eq!(open_after(&timed_out), [("void".to_owned(), 0, 12_900, event(4))]);
    }

    #[test]
    fn a_refund_of_nothing_is_nobodys_to_make() {
        let taken = [request(), authorized("pi_1"), succeeded()];
        let failed = Command::RecordRefundFailed {
            refund_id: REFUNDED,
            code: "refund_refused".to_owned(),
            message: "No.".to_owned(),
        };
        let some = [&taken[..], &[refund(900)]].concat();

        assert_eq!(open_after(&some), [("refund".to_owned(), 1, 900, event(4))]);
        assert_eq!(open_after(&[&some[..], &[failed]].concat()), []);
        assert!(rows_of(&[&taken[..], &[refund(0)]].concat()).iter().all(|row| row.kind != REFUND));
    }
}
