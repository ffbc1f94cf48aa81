//! Proving that a read model is what the log says: a fresh fold of the log, compared by sums.
//!
//! Two proofs in one: the sums kept beside the live rows are compared with a fold of the log, up to
//! the live vector, into a scratch store of the caller's; and the live rows themselves are summed
//! up anew, which finds rows that were altered by hand. A stream that the live generation parked is
//! left out of the fold from the place where it is parked. The live store is only read.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use domain::Digest;
use event_log::EventLog;
use read_models::{
    Generation, ParkedStream, Projection, ProjectionState, ReadStore, RowKey, Table, TableSum,
    Value,
};
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use crate::comparison::{Comparison, Snapshot, TableComparison, Verdict};
use crate::continuity::Continuity;
use crate::decoded::{EventDecoder, Item};
use crate::error::ProjectorError;
use crate::folder::{Folder, Taken};
use crate::generations::{create_next, live_of, of_projection};
use crate::placement::Placement;
use crate::reader::{Reading, Stop};
use crate::settings::ProjectorSettings;
use crate::source::Source;

/// How often the live rows are summed up again because they moved meanwhile.
const RECOMPUTED_MAX: usize = 5;
/// How long the log may give nothing although there is more.
const STALLED_MAX: Duration = Duration::from_secs(60);

/// The evidence of a verification.
#[derive(Clone, Debug, PartialEq)]
pub struct Verification {
    /// Of which projection.
    pub projection: &'static str,
    /// Its live generation.
    pub generation: u32,
    /// Kept sums against a fresh fold of the log.
    pub folded: Comparison,
    /// Kept sums against the rows as they are now; `expected` is what is kept. Nothing when the
    /// rows did not stand still for long enough.
    pub rows: Option<Vec<TableComparison>>,
    /// How many streams were left out from where they are parked.
    pub parked: usize,
    /// The first row that differs, when the rows stood still meanwhile: table, key, and what the
    /// log says and what the store holds (nothing: no row).
    pub first_difference: Option<Difference>,
}

/// A row that is not what the log says.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// In which table.
    pub table: &'static Table,
    /// Its key.
    pub key: Vec<Value>,
    /// As folded from the log.
    pub expected: Option<Vec<Value>>,
    /// As the store holds it.
    pub found: Option<Vec<Value>>,
}

/// Longer values are cut when they are shown.
const SHOWN_CHARS_MAX: usize = 120;

impl fmt::Display for Difference {
    /// `table (key = value): column: the log says a, the store holds b; ...`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (", self.table.name)?;
        for (n, (column, value)) in self.table.key().iter().zip(&self.key).enumerate() {
            write!(f, "{}{} = {}", if n == 0 { "" } else { ", " }, column.name, shown(value))?;
        }
        f.write_str("): ")?;
        let (expected, found) = match (&self.expected, &self.found) {
            (Some(expected), Some(found)) => (expected, found),
            (Some(_), None) => return f.write_str("the log says that there is such a row"),
            (None, Some(_)) => return f.write_str("the log says that there is no such row"),
            (None, None) => return f.write_str("no such row, as the log says"),
        };
        let mut first = true;
        for (column, (expected, found)) in self.table.columns.iter().zip(expected.iter().zip(found))
        {
            if expected != found {
                let between = if std::mem::take(&mut first) { "" } else { "; " };
                let (expected, found) = (shown(expected), shown(found));
                let name = column.name;
                write!(f, "{between}{name}: the log says {expected}, the store holds {found}")?;
            }
        }
        Ok(())
    }
}

fn shown(value: &Value) -> String {
    let text = match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Integer(value) => value.to_string(),
        Value::Text(text) => format!("\"{text}\""),
        Value::Uuid(id) => id.to_string(),
        Value::Timestamp(instant) => instant.to_string(),
        Value::Date(days) => format!("day {days} since 1970"),
        Value::Json(text) => text.clone(),
        Value::Digest(digest) => Digest(*digest).to_string(),
    };
    match text.char_indices().nth(SHOWN_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

impl Verification {
    /// Whether nothing contradicts that the read model is what the log says. Rows that did not
    /// stand still (`rows` is nothing) contradict nothing; the sums kept beside them were compared.
    #[must_use]
    pub fn holds(&self) -> bool {
        let rows = self.rows.as_ref();
        self.folded.verdict == Verdict::Equal
            && rows.is_none_or(|tables| tables.iter().all(TableComparison::equal))
    }
}

/// Verifies one projection. The scratch store is prepared and holds nothing of the projection; it
/// is to be thrown away afterwards.
///
/// # Errors
/// [`ProjectorError`]: nothing is proved.
pub async fn verify(
    log: Arc<dyn EventLog>,
    decoder: Arc<dyn EventDecoder>,
    placement: &Placement,
    scratch: Arc<dyn ReadStore>,
    settings: ProjectorSettings,
) -> Result<Verification, ProjectorError> {
    let (projection, store) = (&placement.projection, &placement.store);
    let states = of_projection(&**store, projection.name()).await?;
    let live = live_of(&states).ok_or_else(|| {
        ProjectorError::NotReady(format!("projection `{}` holds nothing yet", projection.name()))
    })?;
    if live.version != projection.version() {
        return Err(ProjectorError::NotReady(format!(
            "projection `{}` is live in version {}, this process folds version {}",
            projection.name(),
            live.version,
            projection.version()
        )));
    }
    let expected = Snapshot::of(&**store, &live.generation).await?;
    let reading = Reading {
        log,
        decoder,
        settings: Arc::new(settings),
        tracker: TaskTracker::new(),
        stop: Arc::new(Stop::default()),
    };
    let pass = Pass {
        projection,
        scratch: &scratch,
        reading: &reading,
        expected: &expected,
        accepted: Continuity::parse(&live.continuity).unwrap_or_default(),
    };
    let result = prove(&pass, &**store, live).await;
    reading.stop.raise();
    result
}

async fn prove(
    pass: &Pass<'_>,
    store: &dyn ReadStore,
    live: &ProjectionState,
) -> Result<Verification, ProjectorError> {
    let mut folder = pass.open().await?;
    let proved = async {
        pass.fold(&mut folder, None).await?;
        let fresh = Snapshot::of(&*folder.store, &folder.generation).await?;
        let fresh = Snapshot { parked: left_out(&fresh, pass.expected), ..fresh };
        let folded = Comparison::of(&fresh, pass.expected, true);
        let rows = compare_rows(store, &**pass.projection, &live.generation).await?;
        let altered = rows.iter().flatten().any(|table| !table.equal());
        let first_difference = if altered || folded.verdict == Verdict::Different {
            first_difference(pass, store, live, &folder).await?
        } else {
            None
        };
        Ok(Verification {
            projection: pass.projection.name(),
            generation: live.generation.number,
            parked: pass.expected.parked.len(),
            folded,
            rows,
            first_difference,
        })
    };
    let proved = proved.await;
    drop_scratch(&folder).await?;
    proved
}

/// Drops what was folded, but for the first generation, which a store takes for the live one.
async fn drop_scratch(folder: &Folder) -> Result<(), ProjectorError> {
    let state = folder.store.state(&folder.generation).await?;
    if state.is_some_and(|state| !state.live) {
        folder.store.drop_generation(&folder.generation).await?;
    }
    Ok(())
}

/// What a fresh fold parks: the streams that it left out, and those that it choked on itself.
fn left_out(fresh: &Snapshot, live: &Snapshot) -> Vec<ParkedStream> {
    let mut parked: Vec<ParkedStream> = live.parked.iter().chain(&fresh.parked).cloned().collect();
    parked.sort_by(|a, b| a.stream.cmp(&b.stream));
    parked
}

/// One fold of the log into the scratch store.
struct Pass<'a> {
    projection: &'a Arc<dyn Projection>,
    scratch: &'a Arc<dyn ReadStore>,
    reading: &'a Reading,
    expected: &'a Snapshot,
    accepted: Continuity,
}

/// What is compared row by row while a pass goes on.
struct RowByRow<'a> {
    store: &'a dyn ReadStore,
    live: &'a Generation,
    fresh: &'a Folder,
    found: Option<Difference>,
}

impl Pass<'_> {
    /// A new generation in the scratch store, which leaves out what the live one parked.
    async fn open(&self) -> Result<Folder, ProjectorError> {
        let (scratch, projection) = (Arc::clone(self.scratch), Arc::clone(self.projection));
        let state = create_next(&*scratch, &*projection).await?;
        let versions = self.reading.settings.versions_remembered_max;
        let folder = Folder::open(scratch, projection, state.generation, versions).await?;
        let mut folder = folder.ok_or_else(|| {
            ProjectorError::NotReady("the scratch store keeps nothing".to_owned())
        })?;
        let parked = self.expected.parked.iter();
        folder.parked = parked.map(|parked| (parked.stream.clone(), parked.clone())).collect();
        folder.continuity.accept_as(&self.accepted);
        Ok(folder)
    }

    /// Folds the log up to the expected vector.
    async fn fold(
        &self,
        folder: &mut Folder,
        mut rows: Option<&mut RowByRow<'_>>,
    ) -> Result<(), ProjectorError> {
        let name = self.projection.name();
        let mut source = Source::new(name, self.reading.clone(), None, folder.vector.clone());
        while !folder.vector.covers(&self.expected.vector) {
            let next = timeout(STALLED_MAX, source.next()).await;
            let stalled = |_| match source.hearing().reason() {
                Some(reason) => ProjectorError::NotReady(format!("nothing is proved: {reason}")),
                None => ProjectorError::TimedOut("reading the log"),
            };
            let chunk = next.map_err(stalled)?;
            let items = chunk.items.iter();
            let due: Vec<&Item> =
                items.filter(|item| self.expected.vector.includes(item.position())).collect();
            match folder.take(&due).await? {
                Taken::Folded(_) => {}
                Taken::Suspicious => source.restart(folder.vector.clone()),
                Taken::Superseded => {
                    return Err(ProjectorError::NotReady("the scratch store is in use".to_owned()));
                }
            }
            if let Some(stopped) = folder.continuity.breaks().next() {
                return Err(ProjectorError::NotReady(format!("the log is not whole: {stopped}")));
            }
            if let Some(rows) = &mut rows {
                rows.compare(folder.touched.replace(Vec::new()).unwrap_or_default()).await?;
                if rows.found.is_some() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

impl RowByRow<'_> {
    async fn compare(&mut self, keys: Vec<RowKey>) -> Result<(), ProjectorError> {
        let mut tables: BTreeMap<&'static str, Vec<RowKey>> = BTreeMap::new();
        for key in keys {
            tables.entry(key.table.name).or_default().push(key);
        }
        for keys in tables.into_values() {
            let table = keys[0].table;
            let (folder, live) = (self.fresh, self.live);
            let expected = folder.store.load(&folder.generation, table, &keys).await?;
            let found = self.store.load(live, table, &keys).await?;
            for RowKey { key, .. } in keys {
                let row =
                    |rows: &[Vec<Value>]| rows.iter().find(|row| row.starts_with(&key)).cloned();
                let (expected, found) = (row(&expected), row(&found));
                if expected != found {
                    self.found = Some(Difference { table, key, expected, found });
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

/// Folds once more, and compares the rows that each batch touches. Only true when the live rows
/// stand still meanwhile.
async fn first_difference(
    pass: &Pass<'_>,
    store: &dyn ReadStore,
    live: &ProjectionState,
    fresh: &Folder,
) -> Result<Option<Difference>, ProjectorError> {
    let mut again = pass.open().await?;
    again.touched = Some(Vec::new());
    let mut rows = RowByRow { store, live: &live.generation, fresh, found: None };
    let folded = pass.fold(&mut again, Some(&mut rows)).await;
    drop_scratch(&again).await?;
    folded?;
    let (vector, _) = store.sums(&live.generation).await?;
    Ok(rows.found.filter(|_| vector == pass.expected.vector))
}

/// The kept sums beside the sums of the rows, both at one vector.
async fn compare_rows(
    store: &dyn ReadStore,
    projection: &dyn Projection,
    live: &Generation,
) -> Result<Option<Vec<TableComparison>>, ProjectorError> {
    for _ in 0..RECOMPUTED_MAX {
        let (recomputed_at, recomputed) = store.recompute_sums(live, projection.tables()).await?;
        let (kept_at, kept) = store.sums(live).await?;
        if recomputed_at == kept_at {
            let mut found: BTreeMap<String, TableSum> = recomputed.into_iter().collect();
            let tables = kept.into_iter().map(|(table, sum)| TableComparison {
                found: found.remove(&table),
                expected: Some(sum),
                table,
            });
            return Ok(Some(tables.collect()));
        }
    }
    Ok(None)
}
