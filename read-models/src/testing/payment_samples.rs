//! Events of payments, invoice series and notifications, as a log would deliver them.

use domain::ids::{
    AccountId, BookingId, InvoiceSeriesId, NotificationId, PaymentId, PersonId, RefundId, SagaId,
};
use domain::money::Money;
use domain::payment::{self, Phase, Terms};
use domain::{Event, Sealed, invoice_series, notification};
use uuid::Uuid;

use super::samples::START;

/// Kinds of [`any_event`].
pub const KINDS: u8 = 20;

/// Euros, in cents.
#[must_use]
pub fn eur(amount: i64) -> Money {
    Money { amount, currency: "EUR".parse().expect("the euro is a currency") }
}

/// What a payment of EUR 129.00 for booking `booking` is for.
#[must_use]
pub fn terms(payment: Uuid, booking: Uuid, account: Uuid) -> Terms {
    Terms {
        payment_id: PaymentId(payment),
        booking_id: BookingId(booking),
        saga_id: SagaId(Uuid::from_u128(0x5A6A)),
        account_id: AccountId(account),
        amount: eur(12_900),
        method: "card_approved".to_owned(),
        due_at: START.plus_seconds(900),
    }
}

/// A payment that begins.
#[must_use]
pub fn payment_requested(terms: Terms) -> payment::PaymentRequested {
    let Terms { payment_id, booking_id, saga_id, account_id, amount, method, due_at } = terms;
    payment::PaymentRequested {
        payment_id,
        booking_id,
        saga_id,
        account_id,
        amount,
        method,
        due_at,
    }
}

/// The provider set it aside.
#[must_use]
pub fn payment_authorized(terms: &Terms) -> payment::PaymentAuthorized {
    payment::PaymentAuthorized {
        payment_id: terms.payment_id,
        booking_id: terms.booking_id,
        saga_id: terms.saga_id,
        reference: "auth_1".to_owned(),
        amount: terms.amount,
        reported: None,
        kept: true,
    }
}

/// The provider took it.
#[must_use]
pub fn payment_succeeded(terms: &Terms) -> payment::PaymentSucceeded {
    payment::PaymentSucceeded {
        payment_id: terms.payment_id,
        booking_id: terms.booking_id,
        saga_id: terms.saga_id,
        reference: "cap_1".to_owned(),
        amount: terms.amount,
        reported: None,
        kept: true,
    }
}

/// A message that begins.
#[must_use]
pub fn notification_requested(id: Uuid, booking: Uuid) -> notification::NotificationRequested {
    notification::NotificationRequested {
        notification_id: NotificationId(id),
        booking_id: BookingId(booking),
        template: "booking-confirmed".to_owned(),
        channel: notification::Channel::Email,
        locale: "pt-PT".to_owned(),
        recipient: Some(Sealed {
            person: PersonId(Uuid::from_u128(0xB0)),
            ciphertext: "c2VhbGVk".to_owned(),
        }),
        facts: r#"{"places":["Lisbon"]}"#.to_owned(),
    }
}

/// One of every kind of these events, by number below [`KINDS`].
///
/// # Panics
/// For another number.
#[must_use]
pub fn any_event(kind: u8, which: u8, id: Uuid) -> Event {
    match kind {
        0..12 => any_payment_event(kind, which, id),
        12 => watch_requested(which, id),
        13..15 => any_invoice_event(kind == 14, which, id),
        15..20 => any_notification_event(kind - 15, which, id),
        _ => panic!("there is no kind {kind}"),
    }
}

fn any_payment_event(kind: u8, which: u8, id: Uuid) -> Event {
    let terms = terms(id, Uuid::from_u128(0xB00), Uuid::from_u128(0xB0));
    let Terms { payment_id, booking_id, saga_id, due_at, .. } = terms;
    let (attempt, amount) = (u32::from(which), eur(i64::from(which)));
    let (code, message) = ("card_declined".to_owned(), format!("Não {which}"));
    let reported = (which.is_multiple_of(2)).then(|| eur(7));
    match kind {
        0 => payment_requested(terms).into(),
        1 => payment_authorized(&terms).into(),
        2 => payment::PaymentCaptureRequested {
            payment_id,
            booking_id,
            saga_id,
            attempt,
            amount,
            reference: "auth_1".to_owned(),
        }
        .into(),
        3 => payment::PaymentSucceeded { reported, ..payment_succeeded(&terms) }.into(),
        4 => payment::PaymentFailed {
            payment_id,
            booking_id,
            saga_id,
            phase: if which.is_multiple_of(2) { Phase::Authorization } else { Phase::Capture },
            attempt,
            reference: None,
            code,
            message,
        }
        .into(),
        5 => payment::PaymentTimedOut { payment_id, booking_id, saga_id, due_at }.into(),
        _ => any_undoing_event(kind, which, terms),
    }
}

fn any_undoing_event(kind: u8, which: u8, terms: Terms) -> Event {
    let Terms { payment_id, booking_id, saga_id, account_id, due_at, .. } = terms;
    let (attempt, amount) = (u32::from(which), eur(i64::from(which)));
    let refund_id = RefundId(Uuid::from_u128(0xF0 + u128::from(which % 3)));
    let (code, message) = ("refused".to_owned(), format!("Não {which}"));
    let reported = (which.is_multiple_of(2)).then(|| eur(7));
    match kind {
        6 => payment::PaymentVoidRequested {
            payment_id,
            booking_id,
            saga_id,
            account_id,
            amount: terms.amount,
            method: terms.method,
            due_at,
            attempt,
            reason: "deadline".to_owned(),
            release: true,
        }
        .into(),
        7 => payment::PaymentVoided {
            payment_id,
            booking_id,
            saga_id,
            attempt,
            reference: Some("rel_1".to_owned()),
        }
        .into(),
        8 => payment::PaymentVoidFailed { payment_id, booking_id, saga_id, attempt, code, message }
            .into(),
        9 => payment::PaymentRefundRequested {
            payment_id,
            booking_id,
            saga_id,
            refund_id,
            amount,
            reason: "cancellation".to_owned(),
            attempt,
            reference: Some("cap_1".to_owned()),
        }
        .into(),
        10 => payment::PaymentRefunded {
            payment_id,
            booking_id,
            saga_id,
            refund_id,
            reference: Some(format!("ref_{which}")),
            amount,
            reported,
        }
        .into(),
        _ => payment::PaymentRefundFailed {
            payment_id,
            booking_id,
            saga_id,
            refund_id,
            code,
            message,
        }
        .into(),
    }
}

fn watch_requested(which: u8, id: Uuid) -> Event {
    let terms = terms(id, Uuid::from_u128(0xB00), Uuid::from_u128(0xB0));
    payment::PaymentWatchRequested {
        payment_id: terms.payment_id,
        booking_id: terms.booking_id,
        saga_id: terms.saga_id,
        account_id: terms.account_id,
        amount: terms.amount,
        method: terms.method,
        due_at: terms.due_at,
        episode: u32::from(which),
        code: "refused".to_owned(),
        message: format!("Não {which}"),
    }
    .into()
}

fn any_invoice_event(credit: bool, which: u8, id: Uuid) -> Event {
    let (series_id, seller, year) = (InvoiceSeriesId(id), "Waylog Travel".to_owned(), 2026);
    let (number, amount) = (u32::from(which), eur(i64::from(which)));
    let payment_id = PaymentId(Uuid::from_u128(0xA0 + u128::from(which % 3)));
    let booking_id = BookingId(payment_id.0);
    if credit {
        invoice_series::InvoiceCredited {
            series_id,
            seller,
            year,
            number,
            invoice_number: Some(1),
            payment_id,
            booking_id,
            amount,
            reason: "cancellation".to_owned(),
        }
        .into()
    } else {
        invoice_series::InvoiceIssued {
            series_id,
            seller,
            year,
            number,
            payment_id,
            booking_id,
            amount,
            reason: "sale".to_owned(),
        }
        .into()
    }
}

fn any_notification_event(kind: u8, which: u8, id: Uuid) -> Event {
    let (notification_id, booking_id) = (NotificationId(id), BookingId(Uuid::from_u128(0xB00)));
    match kind {
        0 => notification_requested(id, booking_id.0).into(),
        1 => {
            let reference = Some(format!("msg_{which}"));
            notification::NotificationSent { notification_id, booking_id, reference }.into()
        }
        2 => notification::NotificationFailed {
            notification_id,
            booking_id,
            attempt: u32::from(which),
            code: "mailbox_full".to_owned(),
            message: format!("Não {which}"),
        }
        .into(),
        3 => notification::NotificationDelivered { notification_id, booking_id }.into(),
        _ => {
            let reason = "too many tries".to_owned();
            notification::NotificationAbandoned { notification_id, booking_id, reason }.into()
        }
    }
}
