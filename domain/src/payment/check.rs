//! Guards over values alone. What others ask for has to make sense; what a provider says has to be
//! readable, and is cut rather than refused where it is only words.

use super::command::Command;
use super::error::Refusal;
use super::limits::{
    AMOUNT_MAX, CODE_CHARACTERS_MAX, MESSAGE_CHARACTERS_MAX, METHOD_CHARACTERS_MAX,
    REASON_CHARACTERS_MAX, REFERENCE_CHARACTERS_MAX,
};
use super::value::Terms;
use crate::ids::EventId;
use crate::money::Money;
use crate::{Digest, text};

/// What no payment accepts, whatever its state.
pub(super) fn command(command: &Command) -> Result<(), Refusal> {
    match command {
        Command::Request { terms: asked } => terms(asked).map(drop),
        Command::RequestCapture { attempt: number } => attempt(*number),
        Command::RequestVoid { terms: asked, attempt: number, reason: why } => {
            terms(asked)?;
            attempt(*number)?;
            reason(why).map(drop)
        }
        Command::RequestRefund { amount: asked, reason: why, attempt: number, .. } => {
            amount(*asked, 0)?;
            attempt(*number)?;
            reason(why).map(drop)
        }
        Command::RecordAuthorized { reference: id, amount: said }
        | Command::RecordSucceeded { reference: id, amount: said }
        | Command::RecordRefunded { reference: id, amount: said, .. } => {
            reported(*said)?;
            reference(id).map(drop)
        }
        Command::RecordFailed { reference: id, .. }
        | Command::RecordVoided { reference: id, .. } => {
            id.as_deref().map_or(Ok(()), |id| reference(id).map(drop))
        }
        Command::TakeUnproven { provider, why, body_sha256, left_out } => {
            Err(unproven(provider, why, *body_sha256, *left_out))
        }
        Command::NoteUnanswered { request, operation, may_be_done, code, left_out } => {
            Err(unanswered(*request, operation, *may_be_done, code, *left_out))
        }
        Command::TimeOut {}
        | Command::RecordVoidFailed { .. }
        | Command::RecordRefundFailed { .. } => Ok(()),
    }
}

/// What nobody proves, as its evidence says it.
pub(super) fn unproven(provider: &str, why: &str, body_sha256: Digest, left_out: u64) -> Refusal {
    let [provider, why] = [provider, why].map(|text| text::readable(text, CODE_CHARACTERS_MAX));
    Refusal::Unproven { provider, why, body_sha256, left_out }
}

/// A call without a certain answer, as its evidence says it.
pub(super) fn unanswered(
    request: EventId,
    operation: &str,
    may_be_done: bool,
    code: &str,
    left_out: u64,
) -> Refusal {
    let [operation, provider_code] =
        [operation, code].map(|text| text::readable(text, CODE_CHARACTERS_MAX));
    Refusal::Unanswered { request, operation, may_be_done, provider_code, left_out }
}

/// Something to pay, by some means.
pub(super) fn terms(terms: &Terms) -> Result<Terms, Refusal> {
    amount(terms.amount, 1)?;
    let method = text::said_line("method", &terms.method, METHOD_CHARACTERS_MAX)?;
    Ok(Terms { method, ..terms.clone() })
}

/// Attempts count from 1: 0 is the payment's own.
pub(super) fn attempt(attempt: u32) -> Result<(), Refusal> {
    if attempt == 0 { Err(Refusal::AttemptZero) } else { Ok(()) }
}

/// Why something is undone.
pub(super) fn reason(reason: &str) -> Result<String, Refusal> {
    Ok(text::said_line("reason", reason, REASON_CHARACTERS_MAX)?)
}

/// A provider's id of something.
pub(super) fn reference(reference: &str) -> Result<String, Refusal> {
    Ok(text::said_line("reference", reference, REFERENCE_CHARACTERS_MAX)?)
}

/// An amount that a provider speaks of: any that is not negative, however absurd.
pub(super) fn reported(money: Money) -> Result<(), Refusal> {
    let Money { amount, .. } = money;
    if amount < 0 {
        return Err(Refusal::AmountOutOfRange { amount, amount_min: 0, amount_max: i64::MAX });
    }
    Ok(())
}

/// An amount that is asked for.
pub(super) fn amount(money: Money, amount_min: i64) -> Result<(), Refusal> {
    let Money { amount, .. } = money;
    if !(amount_min..=AMOUNT_MAX).contains(&amount) {
        return Err(Refusal::AmountOutOfRange { amount, amount_min, amount_max: AMOUNT_MAX });
    }
    Ok(())
}

/// A provider's code, as far as it can be kept.
pub(super) fn code(code: &str) -> String {
    text::readable(code, CODE_CHARACTERS_MAX)
}

/// A provider's words, as far as they can be kept.
pub(super) fn message(message: &str) -> String {
    text::readable(message, MESSAGE_CHARACTERS_MAX)
}
