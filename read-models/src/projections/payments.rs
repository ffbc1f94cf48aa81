//! `payments`: what each payment asked for and what its provider made of it. Table `payments` (key:
//! payment).
//!
//! A repeat is harmless because rows and vector move together: an event at or before the vector is
//! never folded again. Every row belongs to one stream, so streams may interleave in any way.
//!
//! Status and amounts are what the aggregate's own fold says (column `ledger`): there is one set of
//! rules about money. Whoever changes that fold raises this projection's version, too.

use domain::ids::{AccountId, BookingId, PaymentId, SagaId};
use domain::payment::{Event as Payment, Ledger, Payment as State};
use domain::{Aggregate as _, Event, RecordedEvent, Tenant, Timestamp};

use super::itineraries::wire_name;
use crate::projection::{Projection, RowKey, Rows};
use crate::row::{Cell, Document, row};
use crate::table::{Index, IndexKind, Row, Table, Value};

row! {
    /// One payment: amounts in minor units of its currency, and what became of it.
    pub struct PaymentRow in "payments", keys 1, append_only false {
        /// The payment.
        payment_id: PaymentId,
        /// Whose data it is.
        tenant: Tenant,
        /// What is paid for.
        booking_id: BookingId,
        /// The process that asked for the money.
        saga_id: SagaId,
        /// The account that owns the booking.
        account_id: AccountId,
        /// `requested`, `authorized`, `capturing`, `captured`, `refunded`, `failed`, `timed_out`,
        /// `voiding`, `void_failed` or `voided`.
        status: String,
        /// The means of payment.
        method: String,
        /// ISO 4217 code of all amounts.
        currency: String,
        /// What was, or would have been, asked for.
        amount_requested: i64,
        /// What was set aside at any time.
        amount_authorized: i64,
        /// What was taken at any time.
        amount_captured: i64,
        /// What was given back.
        amount_refunded: i64,
        /// What is on its way back.
        amount_refund_pending: i64,
        /// The provider's id of the capture, or of the authorization before there is one.
        provider_reference: Option<String>,
        /// The provider's code of the last failure of any kind.
        failure_code: Option<String>,
        /// The provider's words about it.
        failure_message: Option<String>,
        /// Whether the provider ever named another amount than the one that counts: somebody has to
        /// look.
        disputed: bool,
        /// From when on a missing authorization counts as timed out.
        due_at: Timestamp,
        /// When the provider first set money aside.
        authorized_at: Option<Timestamp>,
        /// When the provider first took money.
        captured_at: Option<Timestamp>,
        /// When the last refund was made.
        refunded_at: Option<Timestamp>,
        /// When nothing was held any more.
        voided_at: Option<Timestamp>,
        /// What the payment's own fold made of its events.
        ledger: Document<State>,
        /// The stream's version that the row is at.
        version: u64,
        /// When its first event was recorded.
        created_at: Timestamp,
        /// When its last event was recorded.
        updated_at: Timestamp,
    }
    indexes &[
        Index { name: "booking", kind: IndexKind::Ordered(&["tenant", "booking_id"]) },
        Index { name: "owner", kind: IndexKind::Ordered(&["tenant", "account_id", "created_at"]) },
        Index { name: "time", kind: IndexKind::Ordered(&["tenant", "created_at"]) },
    ]
}

/// The projection of payments.
pub struct Payments;

impl Projection for Payments {
    fn name(&self) -> &'static str {
        "payments"
    }

    fn version(&self) -> u32 {
        2
    }

    fn tables(&self) -> &'static [&'static Table] {
        &[PaymentRow::TABLE]
    }

    fn keyed_by_stream(&self) -> bool {
        true
    }

    fn keys(&self, event: &RecordedEvent, keys: &mut Vec<RowKey>) {
        match &event.event {
            Event::Payment(_) => keys.push(RowKey { table: PaymentRow::TABLE, key: key(event) }),
            Event::Itinerary(_)
            | Event::Destination(_)
            | Event::Offer(_)
            | Event::Booking(_)
            | Event::InvoiceSeries(_)
            | Event::Notification(_)
            | Event::Saga(_) => {}
        }
    }

    fn fold(&self, rows: &mut Rows, event: &RecordedEvent) {
        let happened = match &event.event {
            Event::Payment(happened) => happened,
            Event::Itinerary(_)
            | Event::Destination(_)
            | Event::Offer(_)
            | Event::Booking(_)
            | Event::InvoiceSeries(_)
            | Event::Notification(_)
            | Event::Saga(_) => return,
        };
        let row = rows.read::<PaymentRow>(&key(event));
        let before = row.as_ref().map_or_else(State::default, |row| row.ledger.0.clone());
        // A stream without its first event has no row, and a fold refuses nothing.
        let State::Known(ledger) = before.evolve(happened) else { return };
        let mut row = row.unwrap_or_else(|| begun(event, &ledger));
        note(&mut row, happened, event.envelope.recorded_at);
        count(&mut row, &ledger);
        row.ledger = Document(State::Known(ledger));
        row.version = event.envelope.version;
        row.updated_at = event.envelope.recorded_at;
        rows.write(row);
    }
}

/// The row of a payment whose first event this is.
fn begun(event: &RecordedEvent, ledger: &Ledger) -> PaymentRow {
    let at = event.envelope.recorded_at;
    let terms = ledger.terms.clone();
    PaymentRow {
        payment_id: PaymentId(event.envelope.stream.id),
        tenant: event.envelope.tenant.clone(),
        booking_id: terms.booking_id,
        saga_id: terms.saga_id,
        account_id: terms.account_id,
        status: String::new(),
        method: terms.method,
        currency: terms.amount.currency.to_string(),
        amount_requested: terms.amount.amount,
        amount_authorized: 0,
        amount_captured: 0,
        amount_refunded: 0,
        amount_refund_pending: 0,
        provider_reference: None,
        failure_code: None,
        failure_message: None,
        disputed: false,
        due_at: terms.due_at,
        authorized_at: None,
        captured_at: None,
        refunded_at: None,
        voided_at: None,
        ledger: Document::default(),
        version: 0,
        created_at: at,
        updated_at: at,
    }
}

/// What the fold has no use for: when it happened, why it failed, and what else was said.
fn note(row: &mut PaymentRow, happened: &Payment, at: Timestamp) {
    let mut fail = |code: &String, message: &String| {
        row.failure_code = Some(code.clone());
        row.failure_message = Some(message.clone());
    };
    match happened {
        Payment::Authorized(event) => {
            row.authorized_at.get_or_insert(at);
            row.disputed |= event.reported.is_some();
        }
        Payment::Succeeded(event) => {
            row.captured_at.get_or_insert(at);
            row.disputed |= event.reported.is_some();
        }
        Payment::Failed(event) => fail(&event.code, &event.message),
        Payment::VoidFailed(event) => fail(&event.code, &event.message),
        Payment::RefundFailed(event) => fail(&event.code, &event.message),
        Payment::Refunded(event) => {
            // A refund of nothing is none.
            if event.reference.is_some() {
                row.refunded_at = Some(at);
            }
            row.disputed |= event.reported.is_some();
        }
        Payment::Voided(_) => row.voided_at = Some(at),
        Payment::Requested(_)
        | Payment::CaptureRequested(_)
        | Payment::TimedOut(_)
        | Payment::VoidRequested(_)
        | Payment::RefundRequested(_)
        | Payment::WatchRequested(_) => {}
    }
}

/// Status and amounts, as the fold has them.
fn count(row: &mut PaymentRow, ledger: &Ledger) {
    row.status = wire_name(&ledger.status);
    row.amount_authorized = ledger.authorized;
    row.amount_captured = ledger.captured;
    row.amount_refunded = ledger.refunded();
    row.amount_refund_pending = ledger.refund_pending();
    row.provider_reference = ledger.capture.clone().or_else(|| ledger.authorization.clone());
}

fn key(event: &RecordedEvent) -> Vec<Value> {
    vec![event.envelope.stream.id.into_value()]
}
