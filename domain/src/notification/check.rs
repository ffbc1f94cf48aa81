//! Guards over values alone: what no notification accepts, whatever its state.

use serde_json::{Map, Value};

use super::command::Command;
use super::error::Refusal;
use super::limits::{
    CODE_CHARACTERS_MAX, FACTS_BYTES_MAX, LOCALE_CHARACTERS_MAX, REASON_CHARACTERS_MAX,
    TEMPLATE_CHARACTERS_MAX,
};
use crate::ids::EventId;
use crate::{Sealed, text};

/// What no notification accepts, whatever its state.
pub(super) fn command(command: &Command) -> Result<(), Refusal> {
    match command {
        Command::Request { template, locale, recipient, facts, .. } => {
            request(template, locale, recipient.as_ref(), facts)
        }
        Command::Abandon { reason: why } => reason(why).map(drop),
        Command::NoteUnanswered { request, operation, code, left_out } => {
            Err(unanswered(*request, operation, code, *left_out))
        }
        Command::RecordSent { .. } | Command::RecordFailed { .. } | Command::RecordDelivered {} => {
            Ok(())
        }
    }
}

/// That nobody could be asked, as its evidence says it.
pub(super) fn unanswered(request: EventId, operation: &str, code: &str, left_out: u64) -> Refusal {
    let [operation, provider_code] =
        [operation, code].map(|text| text::readable(text, CODE_CHARACTERS_MAX));
    Refusal::Unanswered { request, operation, provider_code, left_out }
}

/// A message that could be written and sent.
pub(super) fn request(
    template: &str,
    language: &str,
    recipient: Option<&Sealed>,
    facts: &str,
) -> Result<(), Refusal> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if !(1..=TEMPLATE_CHARACTERS_MAX).contains(&template.len()) || !template.bytes().all(plain) {
        return Err(Refusal::TemplateMalformed { template: template.to_owned() });
    }
    locale(language)?;
    if recipient.is_some_and(|recipient| !recipient.well_formed()) {
        return Err(Refusal::RecipientMalformed);
    }
    if facts.len() > FACTS_BYTES_MAX {
        return Err(Refusal::FactsTooLong { bytes: facts.len(), bytes_max: FACTS_BYTES_MAX });
    }
    serde_json::from_str::<Map<String, Value>>(facts).map(drop).map_err(|_| Refusal::FactsMalformed)
}

/// A language, as BCP 47 names it.
pub(crate) fn locale(locale: &str) -> Result<(), Refusal> {
    let tag = |part: &str| (1..=8).contains(&part.len()) && part.bytes().all(alphanumeric);
    if !(2..=LOCALE_CHARACTERS_MAX).contains(&locale.len()) || !locale.split('-').all(tag) {
        return Err(Refusal::LocaleMalformed { locale: locale.to_owned() });
    }
    Ok(())
}

const fn alphanumeric(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
}

/// Why somebody gives up.
pub(super) fn reason(reason: &str) -> Result<String, Refusal> {
    Ok(text::said_line("reason", reason, REASON_CHARACTERS_MAX)?)
}
