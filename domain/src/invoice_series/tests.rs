//! What a series of invoices accepts, and what each refusal is good for.

use uuid::Uuid;

use super::limits::{AMOUNT_MAX, DOCUMENTS_MAX, REASONS_MAX};
use super::*;
use crate::ids::{BookingId, InvoiceSeriesId, PaymentId};
use crate::money::Money;
use crate::testing::{account, given, saga};
use crate::{Actor, RefusalKind};
use RefusalKind::{Forbidden, Rule};

fn document(payment: u128, amount: i64) -> Document {
    Document {
        series_id: InvoiceSeriesId(Uuid::from_u128(1)),
        seller: "Waylog Travel".to_owned(),
        year: 2026,
        payment_id: PaymentId(Uuid::from_u128(payment)),
        booking_id: BookingId(Uuid::from_u128(payment)),
        amount: Money { amount, currency: "EUR".parse().unwrap() },
        reason: "sale".to_owned(),
    }
}

fn issue(payment: u128, amount: i64) -> Command {
    Command::Issue { document: document(payment, amount) }
}

fn credit(payment: u128, amount: i64, reason: &str) -> Command {
    Command::Credit { document: Document { reason: reason.into(), ..document(payment, amount) } }
}

fn issued(number: u32, payment: u128, amount: i64) -> Event {
    let Document { series_id, seller, year, payment_id, booking_id, amount, reason } =
        document(payment, amount);
    InvoiceIssued { series_id, seller, year, number, payment_id, booking_id, amount, reason }.into()
}

fn credited(number: u32, invoice_number: Option<u32>, payment: u128, amount: i64) -> Event {
    let Document { series_id, seller, year, payment_id, booking_id, amount, .. } =
        document(payment, amount);
    let reason = "cancellation".to_owned();
    InvoiceCredited {
        series_id,
        seller,
        year,
        number,
        invoice_number,
        payment_id,
        booking_id,
        amount,
        reason,
    }
    .into()
}

#[test]
fn numbers_follow_one_another_over_invoices_and_credit_notes() {
    given::<InvoiceSeries>(&[]).when(&saga(), &issue(1, 900)).then(&[issued(1, 1, 900)]);
    let history = [issued(1, 1, 900)];
    given::<InvoiceSeries>(&history).when(&saga(), &issue(2, 0)).then(&[issued(2, 2, 0)]);

    let history = [issued(1, 1, 900), issued(2, 2, 0)];
    let outcome = given::<InvoiceSeries>(&history).when(&saga(), &credit(1, 900, "cancellation"));

    outcome.then(&[credited(3, Some(1), 1, 900)]);
}

#[test]
fn a_document_is_drawn_once() {
    let history = [issued(1, 1, 900), credited(2, Some(1), 1, 400)];

    for command in [issue(1, 900), credit(1, 400, "cancellation")] {
        given::<InvoiceSeries>(&history).when(&saga(), &command).then_nothing();
    }
    for command in [issue(1, 901), credit(1, 401, "cancellation")] {
        given::<InvoiceSeries>(&history)
            .when(&saga(), &command)
            .then_refused(Rule, "invoice_document_differs");
    }
}

#[test]
fn a_credit_of_nothing_draws_no_number() {
    given::<InvoiceSeries>(&[issued(1, 1, 900)])
        .when(&saga(), &credit(1, 0, "cancellation"))
        .then_nothing();
}

#[test]
fn no_more_is_credited_than_was_invoiced() {
    let history = [issued(1, 1, 900), credited(2, Some(1), 1, 400)];

    given::<InvoiceSeries>(&history)
        .when(&saga(), &credit(1, 501, "goodwill"))
        .then_refused(Rule, "invoice_credit_too_large");
}

#[test]
fn what_was_sold_last_year_is_credited_this_year() {
    given::<InvoiceSeries>(&[])
        .when(&saga(), &credit(1, 900, "cancellation"))
        .then(&[credited(1, None, 1, 900)]);
}

#[test]
fn a_series_has_one_seller_and_one_year() {
    let other = Document { year: 2027, ..document(2, 900) };

    given::<InvoiceSeries>(&[issued(1, 1, 900)])
        .when(&saga(), &Command::Issue { document: other })
        .then_refused(Rule, "invoice_series_mismatch");
}

#[test]
fn only_systems_draw_numbers() {
    given::<InvoiceSeries>(&[])
        .when(&Actor::Account(account(1)), &issue(1, 900))
        .then_refused(Forbidden, "invoice_system_required");
}

#[test]
fn what_makes_no_sense_is_refused() {
    let cases = [
        (document(1, -1), "invoice_amount_out_of_range"),
        (document(1, AMOUNT_MAX + 1), "invoice_amount_out_of_range"),
        (Document { year: 1999, ..document(1, 1) }, "invoice_year_out_of_range"),
        (Document { seller: " ".into(), ..document(1, 1) }, "invoice_text_blank"),
        (Document { seller: "s".repeat(101), ..document(1, 1) }, "invoice_text_too_long"),
        (Document { reason: "a\nb".into(), ..document(1, 1) }, "invoice_text_unprintable"),
    ];
    for (document, code) in cases {
        let command = Command::Issue { document };

        assert_eq!(command.check().map_err(|refusal| refusal.code()), Err(code));
        given::<InvoiceSeries>(&[]).when(&saga(), &command).then_refused(Rule, code);
    }
}

#[test]
fn nothing_grows_without_a_limit() {
    let full = issued(DOCUMENTS_MAX, 1, 900);
    given::<InvoiceSeries>(&[full])
        .when(&saga(), &issue(2, 900))
        .then_refused(Rule, "too_many_invoices");

    let many: Vec<Event> = (1..=u32::try_from(REASONS_MAX).unwrap())
        .map(|number| {
            let Event::Issued(event) = issued(number, 1, 1) else { unreachable!() };
            InvoiceIssued { reason: format!("sale {number}"), ..event }.into()
        })
        .collect();
    given::<InvoiceSeries>(&many)
        .when(&saga(), &issue(1, 900))
        .then_refused(Rule, "too_many_invoices_of_payment");
}
