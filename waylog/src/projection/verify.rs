//! `waylog projection verify`: opens log and read models itself, and proves rows equal to a fold.

use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;
use projectors::{ProjectorSettings, Verification, verify};
use read_models::{ReadStore as _, SqliteReadStore, SqliteSettings};
use serde_json::json;

use crate::log::{self, OpenLog, Use};
use crate::output::{Ended, Format};
use crate::settings::Places;
use crate::stores;

/// What to verify.
#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// The projection; all when missing
    name: Option<String>,
    /// How to print the result
    #[arg(long, value_enum, default_value_t)]
    output: Format,
    #[command(flatten)]
    places: Places,
}

/// Verifies and prints the evidence; the answer is no when a read model is not what the log says.
///
/// # Errors
/// When log or read models cannot be read.
pub(crate) fn run(question: &Verify) -> anyhow::Result<Ended> {
    let open = log::open(&question.places, Use::Read)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(verify_all(question, &open))
}

async fn verify_all(question: &Verify, open: &OpenLog) -> anyhow::Result<Ended> {
    // Copies in Redis are verified like the others.
    let placements = stores::look(&question.places)?.placements();
    let names: Vec<&str> = placements.iter().map(|one| one.projection.name()).collect();
    let asked = |name: &&str| question.name.as_ref().is_none_or(|asked| asked == name);
    let names: Vec<&str> = names.into_iter().filter(asked).collect();
    anyhow::ensure!(
        !names.is_empty(),
        "there is no projection `{}`",
        question.name.as_deref().unwrap_or("")
    );
    let mut ended = Ended::Done;
    for name in names {
        let found = verification(name, &question.places, open).await?;
        print(question.output, &found);
        if !found.holds() {
            ended = Ended::No;
        }
    }
    Ok(ended)
}

/// Compares a projection's live rows with a fresh fold of the log.
///
/// # Errors
/// When there is no such projection, or log or read models cannot be read.
pub(crate) async fn verification(
    name: &str,
    places: &Places,
    open: &OpenLog,
) -> anyhow::Result<Verification> {
    let mut placements = stores::look(places)?.placements().into_iter();
    let placement = placements.find(|placement| placement.projection.name() == name);
    let placement = placement.with_context(|| format!("there is no projection `{name}`"))?;
    let scratch_dir = tempfile::tempdir()?;
    let path = scratch_dir.path().join("scratch.sqlite");
    let scratch = SqliteReadStore::open(&path, SqliteSettings::default())?;
    scratch.prepare().await?;
    let (log, codec) = (Arc::clone(&open.log), Arc::clone(&open.codec));
    let settings = ProjectorSettings::default();
    Ok(verify(log, codec, &placement, Arc::new(scratch), settings).await?)
}

/// Prints the evidence.
pub(crate) fn print(output: Format, found: &Verification) {
    let rows: i64 = found.folded.tables.iter().filter_map(|t| t.expected).map(|sum| sum.rows).sum();
    match output {
        Format::Json => crate::output::say(format_args!(
            "{}",
            json!({
                "projection": found.projection, "generation": found.generation,
                "holds": found.holds(), "rows": rows, "parked": found.parked,
                "evidence": found.first_difference.as_ref().map(ToString::to_string),
            })
        )),
        Format::Table => {
            let verdict = if found.holds() { "equal to the log" } else { "NOT what the log says" };
            crate::output::say(format_args!(
                "{} (generation {}): {rows} rows, {verdict}",
                found.projection, found.generation
            ));
            if let Some(difference) = &found.first_difference {
                crate::output::say(format_args!("  first difference: {difference}"));
            }
        }
    }
}
