//! Given events of payments and messages, then rows.

use domain::ids::{AccountId, BookingId, NotificationId, RefundId};
use domain::payment::{self, Phase, Terms};
use domain::{Event, RecordedEvent, notification};
use uuid::Uuid;

use super::{NotificationRow, Notifications, PaymentRow, Payments};
use crate::testing::harness::rows_after;
use crate::testing::payment_samples::{
    eur, notification_requested, payment_authorized, payment_requested, payment_succeeded, terms,
};
use crate::testing::samples::{START, SampleLog};

const ID: Uuid = Uuid::from_u128(1);
const BOOKING: Uuid = Uuid::from_u128(0xB1);
const OWNER: Uuid = Uuid::from_u128(0xA1);

fn log(events: impl IntoIterator<Item = Event>) -> Vec<RecordedEvent> {
    let mut log = SampleLog::new();
    events.into_iter().for_each(|event| log.append(0, ID, OWNER, event));
    log.into_events()
}

fn paid() -> Terms {
    terms(ID, BOOKING, OWNER)
}

/// A payment that was requested, and then these events.
fn payment_after(events: impl IntoIterator<Item = Event>) -> PaymentRow {
    let events = std::iter::once(payment_requested(paid()).into()).chain(events);
    let mut rows: Vec<PaymentRow> = rows_after(&Payments, &log(events));
    assert_eq!(rows.len(), 1);
    rows.remove(0)
}

#[test]
fn a_requested_payment_names_its_booking_and_account() {
    let row = payment_after([]);

    assert_eq!((row.booking_id, row.account_id), (BookingId(BOOKING), AccountId(OWNER)));
    assert_eq!((row.status.as_str(), row.method.as_str()), ("requested", "card_approved"));
    assert_eq!((row.amount_requested, row.currency.as_str()), (12_900, "EUR"));
    assert_eq!((row.version, row.created_at), (1, START.plus_seconds(1)));
}

#[test]
fn a_captured_payment_counts_what_was_taken_and_given_back() {
    let (payment_id, booking_id, saga_id) = (paid().payment_id, paid().booking_id, paid().saga_id);
    let refund = |number: u128, amount| payment::PaymentRefundRequested {
        payment_id,
        booking_id,
        saga_id,
        refund_id: RefundId(Uuid::from_u128(number)),
        amount: eur(amount),
        reason: "cancellation".to_owned(),
        attempt: 1,
        reference: Some("cap_1".to_owned()),
    };
    let refunded = payment::PaymentRefunded {
        payment_id,
        booking_id,
        saga_id,
        refund_id: RefundId(Uuid::from_u128(1)),
        reference: Some("ref_1".to_owned()),
        amount: eur(900),
        reported: None,
    };

    let row = payment_after([
        payment_authorized(&paid()).into(),
        payment_succeeded(&paid()).into(),
        refund(1, 900).into(),
        refunded.into(),
        refund(2, 100).into(),
    ]);

    assert_eq!(
        (row.status.as_str(), row.provider_reference.as_deref()),
        ("captured", Some("cap_1"))
    );
    assert_eq!((row.amount_authorized, row.amount_captured), (12_900, 12_900));
    assert_eq!((row.amount_refunded, row.amount_refund_pending), (900, 100));
    assert_eq!(row.authorized_at, Some(START.plus_seconds(2)));
    assert_eq!(row.captured_at, Some(START.plus_seconds(3)));
    assert_eq!(row.refunded_at, Some(START.plus_seconds(5)));
    assert!(!row.disputed);
}

#[test]
fn a_failure_shows_its_code() {
    let (payment_id, booking_id, saga_id) = (paid().payment_id, paid().booking_id, paid().saga_id);
    let failed = payment::PaymentFailed {
        payment_id,
        booking_id,
        saga_id,
        phase: Phase::Authorization,
        attempt: 1,
        reference: None,
        code: "card_declined".to_owned(),
        message: "No.".to_owned(),
    };

    let row = payment_after([failed.into()]);

    assert_eq!(
        (row.status.as_str(), row.failure_code.as_deref()),
        ("failed", Some("card_declined"))
    );
}

#[test]
fn what_the_provider_says_beyond_what_counts_is_disputed() {
    let over =
        payment::PaymentSucceeded { reported: Some(eur(13_000)), ..payment_succeeded(&paid()) };

    let row = payment_after([payment_authorized(&paid()).into(), over.into()]);

    assert_eq!((row.disputed, row.amount_captured), (true, 12_900));
}

#[test]
fn a_stream_without_its_beginning_gives_no_payment() {
    let events = log([payment_authorized(&paid()).into()]);

    assert_eq!(rows_after::<PaymentRow>(&Payments, &events), []);
}

#[test]
fn a_message_is_followed_to_its_recipient() {
    let (notification_id, booking_id) = (NotificationId(ID), BookingId(BOOKING));
    let failed = notification::NotificationFailed {
        notification_id,
        booking_id,
        attempt: 1,
        code: "mailbox_full".to_owned(),
        message: "Later.".to_owned(),
    };
    let reference = Some("msg_1".to_owned());
    let sent = notification::NotificationSent { notification_id, booking_id, reference };
    let delivered = notification::NotificationDelivered { notification_id, booking_id };
    let requested = notification_requested(ID, BOOKING);

    let events = log([requested.into(), failed.into(), sent.into(), delivered.into()]);
    let rows: Vec<NotificationRow> = rows_after(&Notifications, &events);

    assert_eq!(rows.len(), 1);
    let row = &rows[0];
    assert_eq!((row.status.as_str(), row.channel.as_str()), ("delivered", "email"));
    assert_eq!(row.failure_code.as_deref(), Some("mailbox_full"));
    assert_eq!(row.provider_reference.as_deref(), Some("msg_1"));
    assert_eq!(row.sent_at, Some(START.plus_seconds(3)));
    assert_eq!(row.delivered_at, Some(START.plus_seconds(4)));
    assert_eq!(row.recipient.0.as_ref().map(|sealed| sealed.ciphertext.as_str()), Some("c2VhbGVk"));
    assert_eq!(row.facts.0["places"][0], "Lisbon");
}
