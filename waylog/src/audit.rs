//! `waylog audit verify`: proves that the audit trail is the log, whole and unaltered.
//!
//! Three proofs. The log itself: every stream's versions and hash chain, from the first event on
//! (`waylog verify`). Its end: the audit store has read nothing that the log does not hold, so that
//! events cut off the log's end are missed. The audit store: every row, with its hash, equals a
//! fresh fold of the log (`waylog projection verify audit`), so that each stream's head is the same
//! in both.

use clap::{Args, Subcommand};
use domain::PositionVector;
use serde_json::json;

use crate::log::{self, Use};
use crate::output::{Ended, Format};
use crate::projection;
use crate::settings::Places;
use crate::stores;
use crate::verify::{self, Report};

/// The projection that keeps the audit trail.
const AUDIT: &str = "audit";

/// What to prove of the audit trail.
#[derive(Debug, Subcommand)]
pub(crate) enum Audit {
    /// Proves that the audit store equals the log, and that the log's hash chains hold
    Verify(Question),
}

/// Where both are.
#[derive(Debug, Args)]
pub(crate) struct Question {
    /// How to print the result
    #[arg(long, value_enum, default_value_t)]
    output: Format,
    #[command(flatten)]
    places: Places,
}

/// Verifies and prints the evidence; the answer is no when anything does not hold.
///
/// # Errors
/// When log or audit store cannot be read.
pub(crate) fn run(audit: &Audit) -> anyhow::Result<Ended> {
    let Audit::Verify(question) = audit;
    let open = log::open(&question.places, Use::Read)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    // Before the log is read: what the store has read by now is in the log by then.
    let stores = runtime.block_on(async { stores::look(&question.places) })?;
    let trail = runtime.block_on(stores.main.generations())?;
    let trail = trail.into_iter().find(|one| one.live && one.generation.projection == AUDIT);
    let Some(trail) = trail else {
        anyhow::bail!("there is no audit store yet: run the projectors");
    };
    let (mut report, read) = verify::check_log(&open)?;
    let whole = ends_agree(&trail.vector, &read, &mut report);
    report.print(question.output, &open, &read);
    if !whole {
        // A fold up to where the store has read would wait for events that are gone.
        return Ok(Ended::No);
    }
    let verified = runtime.block_on(projection::verification(AUDIT, &question.places, &open))?;
    projection::print_verification(question.output, &verified);
    let holds = report.holds() && verified.holds();
    if question.output == Format::Json {
        crate::output::say(format_args!("{}", json!({ "holds": holds })));
    }
    Ok(if holds { Ended::Done } else { Ended::No })
}

/// Whether the log holds everything that the store has read.
fn ends_agree(trail: &PositionVector, log: &PositionVector, report: &mut Report) -> bool {
    for position in trail.iter().filter(|position| !log.includes(*position)) {
        let end = log.offset(position.partition).map_or("nothing".to_owned(), |o| o.to_string());
        let what = format!(
            "{position}: the audit store has read this far, and the partition ends at {end}: \
             events are gone from its end"
        );
        report.violated("end", what);
    }
    log.covers(trail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_that_was_cut_off_is_found() {
        let vector = |text: &str| text.parse::<PositionVector>().unwrap();
        let (mut whole_report, mut report) = (Report::default(), Report::default());

        let whole = ends_agree(&vector("0:5,1:7"), &vector("0:9,1:7"), &mut whole_report);
        let cut = ends_agree(&vector("0:5,1:7"), &vector("0:9,1:6"), &mut report);

        assert!(whole && !cut);
        assert!(whole_report.holds() && !report.holds());
        let told = serde_json::to_string(&report).unwrap();
        assert!(told.contains("the partition ends at 6"), "{told}");
    }
}
