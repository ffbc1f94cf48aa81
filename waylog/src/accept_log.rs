//! `waylog accept-log`: the operator's word that what an embedded log lacks, or the keys of what is
//! sealed in it, is gone for good.

use clap::Args;
use event_log::EmbeddedLog;

use crate::output::{Ended, agreed};
use crate::settings::{Mode, Places, WrongUse};
use crate::stores::{self, KEYS_FILE};

/// Which log.
#[derive(Debug, Args)]
pub(crate) struct Question {
    /// Do it; without it, only what would be done is said
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    places: Places,
}

/// Takes the log as it is, although it is behind its witness or has none, or its keys are gone, and
/// says what is missing.
///
/// # Errors
/// When the log is distributed, is being served, or is corrupt in itself.
pub(crate) fn run(question: &Question) -> anyhow::Result<Ended> {
    if question.places.mode()? != Mode::Embedded {
        return Err(WrongUse::because("only an embedded log has a witness"));
    }
    let dir = &question.places.data_dir;
    let plan = format_args!(
        "Would take the log in {} as it is, although its witness knows of more: events that were \
         acknowledged and are missing stay missing; and without {}, if that is not there: what \
         was sealed stays unreadable. Restore a newer backup instead if there is one.",
        dir.display(),
        KEYS_FILE
    );
    if !agreed(question.yes, plan) {
        return Ok(Ended::No);
    }
    let missing = EmbeddedLog::accept_as_it_is(dir)?;
    if missing.is_empty() {
        crate::output::say(format_args!("Nothing was missing; the log has its witness again."));
    }
    missing.iter().for_each(|line| crate::output::say(format_args!("{line}")));
    if !dir.join(KEYS_FILE).exists() {
        stores::keyring(&question.places)?;
        crate::output::say(format_args!("{KEYS_FILE} was missing; there is a new one."));
    }
    Ok(Ended::Done)
}
