//! Every read model against a fresh fold of the log at its own position: what `waylog projection
//! verify` does, for all of them, wherever they are kept.

use projectors::ProjectorError;
use read_models::ReadStoreError;

use super::report::Report;
use crate::log::OpenLog;
use crate::projection;
use crate::settings::{Mode, Places};
use crate::stores::{self, READ_FILE};

const CHECK: &str = "read_models";

/// Compares all of them; one that holds nothing yet is said not to be checked.
///
/// # Errors
/// When log or read models cannot be read for another reason than that a store is away.
pub(super) async fn check(
    places: &Places,
    open: &OpenLog,
    report: &mut Report,
) -> anyhow::Result<()> {
    let file = places.data_dir.join(READ_FILE);
    if places.mode()? == Mode::Embedded && !file.exists() {
        report.not_checked(CHECK, format!("there is no {} yet", file.display()));
        return Ok(());
    }
    let placements = stores::look(places)?.placements();
    let names: Vec<&'static str> = placements.iter().map(|one| one.projection.name()).collect();
    for name in names {
        let found = match projection::verification(name, places, open).await {
            Ok(found) => found,
            Err(error) => {
                explain(name, error, report)?;
                continue;
            }
        };
        let rows: i64 =
            found.folded.tables.iter().filter_map(|t| t.expected).map(|sum| sum.rows).sum();
        report.checked(CHECK, "rows", u64::try_from(rows).unwrap_or(0));
        if found.parked > 0 {
            let reason = format!("{} streams are parked there, and left out", found.parked);
            report.not_checked(name, reason);
        }
        if !found.holds() {
            let (number, difference) = (found.generation, &found.first_difference);
            let difference = match difference {
                Some(one) => format!(
                    "the first row that differs: {} {:?} should be {:?} and is {:?}",
                    one.table.name, one.key, one.expected, one.found
                ),
                None => format!("{:?}", found.folded),
            };
            let what = format!(
                "{name} (generation {number}) is not what the log says; {difference}; \
                 `waylog projection rebuild {name}` builds it anew"
            );
            report.violated(CHECK, what);
        }
    }
    Ok(())
}

/// Whatever is missing is said; anything else goes up.
fn explain(name: &'static str, error: anyhow::Error, report: &mut Report) -> anyhow::Result<()> {
    let ready = error.chain().find_map(|cause| cause.downcast_ref::<ProjectorError>());
    let store = error.chain().find_map(|cause| cause.downcast_ref::<ReadStoreError>());
    match (ready, store) {
        (Some(ProjectorError::NotReady(reason)), _) => report.not_checked(name, reason.clone()),
        (_, Some(ReadStoreError::Unavailable(..))) => report.away(name, format!("{error:#}")),
        _ => return Err(error),
    }
    Ok(())
}
