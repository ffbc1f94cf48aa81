//! Guards over values alone: what no series accepts, whatever its state.

use super::command::{Command, Document};
use super::error::Refusal;
use super::limits::{AMOUNT_MAX, REASON_CHARACTERS_MAX, SELLER_CHARACTERS_MAX, YEAR_MAX, YEAR_MIN};
use crate::text;

/// What no series accepts, whatever its state.
pub(super) fn command(command: &Command) -> Result<(), Refusal> {
    match command {
        Command::Issue { document: asked } | Command::Credit { document: asked } => {
            document(asked).map(drop)
        }
    }
}

/// A document as it is kept.
pub(super) fn document(document: &Document) -> Result<Document, Refusal> {
    let (amount, year) = (document.amount.amount, document.year);
    if !(0..=AMOUNT_MAX).contains(&amount) {
        return Err(Refusal::AmountOutOfRange { amount, amount_max: AMOUNT_MAX });
    }
    if !(YEAR_MIN..=YEAR_MAX).contains(&year) {
        return Err(Refusal::YearOutOfRange { year, year_min: YEAR_MIN, year_max: YEAR_MAX });
    }
    Ok(Document {
        seller: seller(&document.seller)?,
        reason: text::said_line("reason", &document.reason, REASON_CHARACTERS_MAX)?,
        ..document.clone()
    })
}

/// Who sells.
pub(crate) fn seller(seller: &str) -> Result<String, Refusal> {
    Ok(text::said_line("seller", seller, SELLER_CHARACTERS_MAX)?)
}
