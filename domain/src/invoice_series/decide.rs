//! The series' decisions: one function a command, guards first, events last.

use super::error::Refusal;
use super::event::{Event, InvoiceCredited, InvoiceIssued};
use super::limits::{DOCUMENTS_MAX, REASONS_MAX};
use super::{Command, Document, Drawn, InvoiceSeries, check};
use crate::Actor;

type Decision = Result<Vec<Event>, Refusal>;

/// Who may ask at all comes first, then whether it is the right series.
pub(super) fn decide(series: &InvoiceSeries, command: &Command, actor: &Actor) -> Decision {
    if let Actor::Account(_) = actor {
        return Err(Refusal::SystemRequired);
    }
    match command {
        Command::Issue { document } => issue(series, document),
        Command::Credit { document } => credit(series, document),
    }
}

fn issue(series: &InvoiceSeries, asked: &Document) -> Decision {
    let document = check::document(asked)?;
    let drawn = of_payment(series, &document)?;
    if already(drawn, &document, false)? {
        return Ok(Vec::new());
    }
    let number = next(series, drawn)?;

    let Document { series_id, seller, year, payment_id, booking_id, amount, reason } = document;
    let issued =
        InvoiceIssued { series_id, seller, year, number, payment_id, booking_id, amount, reason };
    Ok(vec![issued.into()])
}

fn credit(series: &InvoiceSeries, asked: &Document) -> Decision {
    let document = check::document(asked)?;
    let drawn = of_payment(series, &document)?;
    if already(drawn, &document, true)? || document.amount.amount == 0 {
        return Ok(Vec::new());
    }
    let invoice = drawn.iter().find(|drawn| !drawn.credit);
    if invoice.is_some() {
        creditable(drawn, &document)?;
    }
    let number = next(series, drawn)?;

    let invoice_number = invoice.map(|invoice| invoice.number);
    let Document { series_id, seller, year, payment_id, booking_id, amount, reason } = document;
    Ok(vec![
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
        .into(),
    ])
}

/// The payment's documents, in a series of that seller and year.
fn of_payment<'a>(series: &'a InvoiceSeries, document: &Document) -> Result<&'a [Drawn], Refusal> {
    let InvoiceSeries::Begun(register) = series else { return Ok(&[]) };
    if (&register.seller, register.year) != (&document.seller, document.year) {
        return Err(Refusal::SeriesMismatch {
            series_id: register.series_id,
            seller: register.seller.clone(),
            year: register.year,
        });
    }
    Ok(register.documents(document.payment_id))
}

/// Whether there is such a document already; it is refused when it says otherwise.
fn already(drawn: &[Drawn], document: &Document, credit: bool) -> Result<bool, Refusal> {
    let same = |drawn: &&Drawn| drawn.credit == credit && drawn.reason == document.reason;
    match drawn.iter().find(same) {
        None => Ok(false),
        Some(drawn) if drawn.amount == document.amount => Ok(true),
        Some(Drawn { number, .. }) => {
            let (payment_id, number) = (document.payment_id, *number);
            Err(Refusal::DocumentDiffers { payment_id, number })
        }
    }
}

/// What is left of the payment's invoices covers the credit; another currency leaves nothing.
fn creditable(drawn: &[Drawn], document: &Document) -> Result<(), Refusal> {
    let same = drawn.iter().filter(|drawn| drawn.amount.currency == document.amount.currency);
    let signed =
        |drawn: &Drawn| if drawn.credit { -drawn.amount.amount } else { drawn.amount.amount };
    let (amount, creditable) = (document.amount.amount, same.map(signed).sum::<i64>().max(0));
    if amount > creditable {
        return Err(Refusal::CreditTooLarge { amount, creditable });
    }
    Ok(())
}

fn next(series: &InvoiceSeries, drawn: &[Drawn]) -> Result<u32, Refusal> {
    if drawn.len() >= REASONS_MAX {
        return Err(Refusal::TooManyReasons { reasons_max: REASONS_MAX });
    }
    let last = match series {
        InvoiceSeries::Empty => 0,
        InvoiceSeries::Begun(register) => register.number_last,
    };
    if last >= DOCUMENTS_MAX {
        return Err(Refusal::TooManyDocuments { documents_max: DOCUMENTS_MAX });
    }
    Ok(last + 1)
}
