//! Guards over values alone: what no saga accepts, whatever its state.

use super::command::{Command, Settings};
use super::error::Refusal;
use crate::text;

/// Characters of an operator's reason.
pub(super) const REASON_CHARACTERS_MAX: usize = 1_000;
/// Half a day: deadline and margin together are no longer than an offer lets a hold last.
const SECONDS_MAX: u32 = 43_200;

pub(super) fn command(command: &Command) -> Result<(), Refusal> {
    match command {
        Command::Start { settings: asked, .. } => settings(asked),
        Command::Retry { reason } | Command::Force { reason, .. } => remark(reason).map(drop),
        Command::Resolve { reason: why, .. } => reason(why).map(drop),
        Command::RecordStep { .. } | Command::PassDeadline | Command::NoteCancellation { .. } => {
            Ok(())
        }
    }
}

pub(super) fn settings(settings: &Settings) -> Result<(), Refusal> {
    let fields = [
        ("payment_deadline_seconds", settings.payment_deadline_seconds),
        ("hold_margin_seconds", settings.hold_margin_seconds),
    ];
    for (field, seconds) in fields {
        if !(1..=SECONDS_MAX).contains(&seconds) {
            let (seconds_min, seconds_max) = (1, SECONDS_MAX);
            return Err(Refusal::SettingOutOfRange { field, seconds_min, seconds_max });
        }
    }
    Ok(())
}

/// Settling by hand needs a reason.
pub(super) fn reason(text: &str) -> Result<String, Refusal> {
    Ok(text::said("reason", remark(text)?)?)
}

/// The other actions may be explained.
pub(super) fn remark(text: &str) -> Result<String, Refusal> {
    Ok(text::lines("reason", text, REASON_CHARACTERS_MAX)?)
}
