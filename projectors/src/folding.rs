//! Folding one batch of events: keys, one load per table (and one more of the tables whose keys
//! rows name), the folds, and what changed.
//!
//! A panic in a projection, or a row that no store can hold, is the fault of one event: the batch
//! is given back with the culprit's index, and the caller parks that stream and folds the rest
//! again.

use std::any::Any;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use domain::RecordedEvent;
use read_models::{Generation, Projection, ReadStore, ReadStoreError, RowKey, Rows, TableChange};

/// What came of a batch.
pub(crate) enum Folded {
    /// The rows that changed.
    Changes(Vec<TableChange>),
    /// The event at that index cannot be folded.
    Poisoned { index: usize, reason: String },
}

/// Folds the events in order onto the rows as the store has them.
///
/// # Errors
/// [`ReadStoreError`] when rows cannot be loaded.
pub(crate) async fn fold(
    store: &dyn ReadStore,
    projection: &dyn Projection,
    generation: &Generation,
    events: &[&RecordedEvent],
) -> Result<Folded, ReadStoreError> {
    let mut rows = Rows::default();
    // Keys that events name, then those that the rows of the first name.
    for further in [false, true] {
        let wanted = match collect_keys(projection, events, &mut rows, further) {
            Ok(wanted) => wanted,
            Err((index, reason)) => return Ok(Folded::Poisoned { index, reason }),
        };
        for keys in wanted.into_values() {
            let table = keys[0].table;
            for values in store.load(generation, table, &keys).await? {
                let key = RowKey { table, key: values[..table.key_columns].to_vec() };
                rows.load(&key, Some(values));
            }
        }
    }
    for (index, event) in events.iter().enumerate() {
        let folded = catch_unwind(AssertUnwindSafe(|| projection.fold(&mut rows, event)));
        let refused = match folded {
            Err(panic) => Some(reason_of(&*panic)),
            Ok(()) => rows.rejected().map(str::to_owned),
        };
        if let Some(reason) = refused {
            return Ok(Folded::Poisoned { index, reason });
        }
    }
    let changes = rows.changes().map(|(table, rows)| TableChange { table, rows });
    Ok(Folded::Changes(changes.filter(|change| !change.rows.is_empty()).collect()))
}

/// The keys that the events read, each once, by table. All are put at hand as missing rows first.
fn collect_keys(
    projection: &dyn Projection,
    events: &[&RecordedEvent],
    rows: &mut Rows,
    further: bool,
) -> Result<BTreeMap<&'static str, Vec<RowKey>>, (usize, String)> {
    let mut wanted: BTreeMap<&'static str, Vec<RowKey>> = BTreeMap::new();
    let mut keys = Vec::new();
    for (index, event) in events.iter().enumerate() {
        let naming = AssertUnwindSafe(|| {
            if further {
                projection.further_keys(rows, event, &mut keys);
            } else {
                projection.keys(event, &mut keys);
            }
        });
        catch_unwind(naming).map_err(|panic| (index, reason_of(&*panic)))?;
        for key in keys.drain(..) {
            if !rows.holds(&key) {
                rows.load(&key, None);
                wanted.entry(key.table.name).or_default().push(key);
            }
        }
    }
    Ok(wanted)
}

/// What a panic said.
fn reason_of(panic: &(dyn Any + Send)) -> String {
    let said = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned());
    said.map_or_else(|| "the fold panicked".to_owned(), |text| format!("the fold panicked: {text}"))
}
