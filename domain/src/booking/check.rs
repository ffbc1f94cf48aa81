//! Guards over values alone: what no booking accepts, whatever its state. Values come back as they
//! are kept.

use std::collections::BTreeSet;

use super::command::Command;
use super::error::Refusal;
use super::limits::{
    CODE_CHARACTERS_MAX, FACTS_CHARACTERS_MAX, LINES_MAX, MESSAGE_CHARACTERS_MAX,
    PAYMENT_METHOD_CHARACTERS_MAX, TRAVELLERS_MAX,
};
use super::value::{Line, Traveller};
use crate::Sealed;
use crate::money::Money;
use crate::offer::{self, limits::PRICE_MAX, limits::QUANTITY_MAX};
use crate::text::{lines as text_lines, said, said_line};

/// What no booking accepts, whatever its state: the edge asks before it troubles a lane.
pub(super) fn command(command: &Command) -> Result<(), Refusal> {
    match command {
        Command::Request { lines: asked, travellers: people, payment_method: method, .. } => {
            lines(asked)?;
            travellers(people)?;
            payment_method(method)
        }
        Command::Reject { code, message, facts } => rejection(code, message, facts).map(drop),
        Command::Cancel { reason, .. } => sealed("reason", reason),
        Command::ChangeTravellers { travellers: people } => travellers(people),
        Command::MarkHeld { .. }
        | Command::Confirm { .. }
        | Command::Expire
        | Command::FinishCancellation => Ok(()),
    }
}

/// Lines numbered from 1, each with a price and a claim that an offer could grant, in one currency.
/// What they cost together comes back.
pub(super) fn lines(lines: &[Line]) -> Result<Money, Refusal> {
    let in_range = (1..=LINES_MAX).contains(&lines.len());
    let Some((first, _)) = lines.split_first().filter(|_| in_range) else {
        return Err(Refusal::LinesOutOfRange { lines: lines.len(), lines_max: LINES_MAX });
    };
    let mut total = Money { amount: 0, ..first.unit_price };
    for (asked, number) in lines.iter().zip(1..) {
        let line = asked.line;
        if line != number {
            return Err(Refusal::LineMisnumbered { line });
        }
        granted(asked)?;
        if asked.unit_price.currency != total.currency {
            let (first, other) = (total.currency, asked.unit_price.currency);
            return Err(Refusal::CurrenciesDiffer { first, other });
        }
        total.amount += asked.price().amount;
    }
    Ok(total)
}

/// A line that an offer could grant.
fn granted(asked: &Line) -> Result<(), Refusal> {
    let line = asked.line;
    offer::check_claim(&asked.claim).map_err(|refusal| match refusal {
        offer::Refusal::QuantityOutOfRange { quantity, .. } => {
            Refusal::QuantityOutOfRange { line, quantity, quantity_max: QUANTITY_MAX }
        }
        _ => Refusal::SeatsInvalid { line },
    })?;
    let amount = asked.unit_price.amount;
    let refused = |_| Refusal::PriceOutOfRange { line, amount, amount_max: PRICE_MAX };
    offer::check_price(asked.unit_price).map_err(refused).map(drop)
}

/// Somebody, not too many, nobody twice, and sealed.
pub(super) fn travellers(travellers: &[Traveller]) -> Result<(), Refusal> {
    if !(1..=TRAVELLERS_MAX).contains(&travellers.len()) {
        let (travellers, travellers_max) = (travellers.len(), TRAVELLERS_MAX);
        return Err(Refusal::TravellersOutOfRange { travellers, travellers_max });
    }
    let mut seen = BTreeSet::new();
    for Traveller { traveller_id, details } in travellers {
        if !seen.insert(*traveller_id) {
            return Err(Refusal::TravellerRepeated { traveller_id: *traveller_id });
        }
        sealed("travellers", details)?;
    }
    Ok(())
}

/// A name or a token: a card's number is neither, and must not reach the log.
pub(super) fn payment_method(method: &str) -> Result<(), Refusal> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let named = method.starts_with(|first: char| first.is_ascii_alphabetic());
    if named && method.len() <= PAYMENT_METHOD_CHARACTERS_MAX && method.bytes().all(plain) {
        return Ok(());
    }
    Err(Refusal::PaymentMethodInvalid { characters_max: PAYMENT_METHOD_CHARACTERS_MAX })
}

/// Code, message and facts of a rejection, as they are kept.
pub(super) fn rejection(
    code: &str,
    message: &str,
    facts: &str,
) -> Result<(String, String, String), Refusal> {
    let code = said_line("code", code, CODE_CHARACTERS_MAX)?;
    let message = said("message", text_lines("message", message, MESSAGE_CHARACTERS_MAX)?)?;
    let facts = text_lines("facts", facts, FACTS_CHARACTERS_MAX)?;
    match serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&facts) {
        Ok(_) => Ok((code, message, facts)),
        Err(_) => Err(Refusal::FactsInvalid),
    }
}

/// A ciphertext at least by its looks: plain text must not reach the log.
pub(super) fn sealed(field: &'static str, sealed: &Sealed) -> Result<(), Refusal> {
    if sealed.well_formed() { Ok(()) } else { Err(Refusal::NotSealed { field }) }
}
