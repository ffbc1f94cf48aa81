//! `waylog projection verify`: opens log and read models itself, and proves rows equal to a fold.

use std::sync::Arc;

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
    let placements = stores::open(&question.places).await?.placements();
    let mut ended = Ended::Done;
    let mut verified = 0;
    for placement in placements {
        if question.name.as_ref().is_some_and(|name| name != placement.projection.name()) {
            continue;
        }
        let scratch_dir = tempfile::tempdir()?;
        let path = scratch_dir.path().join("scratch.sqlite");
        let scratch = SqliteReadStore::open(&path, SqliteSettings::default())?;
        scratch.prepare().await?;
        let (log, codec) = (Arc::clone(&open.log), Arc::clone(&open.codec));
        let settings = ProjectorSettings::default();
        let found = verify(log, codec, &placement, Arc::new(scratch), settings).await?;
        print(question.output, &found);
        verified += 1;
        if !found.holds() {
            ended = Ended::No;
        }
    }
    anyhow::ensure!(
        verified > 0,
        "there is no projection `{}`",
        question.name.as_deref().unwrap_or("")
    );
    Ok(ended)
}

fn print(output: Format, found: &Verification) {
    let rows: i64 = found.folded.tables.iter().filter_map(|t| t.expected).map(|sum| sum.rows).sum();
    match output {
        Format::Json => crate::output::say(format_args!(
            "{}",
            json!({
                "projection": found.projection, "generation": found.generation,
                "holds": found.holds(), "rows": rows, "parked": found.parked,
                "evidence": format!("{:?}", found.first_difference),
            })
        )),
        Format::Table => {
            let verdict = if found.holds() { "equal to the log" } else { "NOT what the log says" };
            crate::output::say(format_args!(
                "{} (generation {}): {rows} rows, {verdict}",
                found.projection, found.generation
            ));
            if let Some(difference) = &found.first_difference {
                crate::output::say(format_args!("  first difference: {difference:?}"));
            }
        }
    }
}
