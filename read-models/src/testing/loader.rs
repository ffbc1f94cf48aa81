//! Loads events into a store as a runner does, without threads, parking or retries.

use domain::{PositionVector, RecordedEvent};

use crate::projection::{Projection, RowKey, Rows};
use crate::store::{Applied, Changes, Generation, Indexed, ReadStore, ReadStoreError, TableChange};
use crate::table::Table;

/// Fills one generation of one projection, batch by batch.
pub struct Loader<'a> {
    store: &'a dyn ReadStore,
    projection: &'a dyn Projection,
    generation: Generation,
    vector: PositionVector,
}

impl<'a> Loader<'a> {
    /// Creates the generation if it is not there, and stands where it stands.
    ///
    /// # Errors
    /// What the store says.
    pub async fn new(
        store: &'a dyn ReadStore,
        projection: &'a dyn Projection,
        number: u32,
    ) -> Result<Self, ReadStoreError> {
        let generation = Generation { projection: projection.name().to_owned(), number };
        let state = store.create(&generation, projection.version(), projection.tables()).await?;
        Ok(Self { store, projection, generation, vector: state.vector })
    }

    /// Folds a batch and writes it; events at or before the vector are skipped.
    ///
    /// # Errors
    /// What the store says.
    ///
    /// # Panics
    /// When somebody else fills the generation too.
    pub async fn batch(&mut self, events: &[RecordedEvent]) -> Result<(), ReadStoreError> {
        let mut next = self.vector.clone();
        let new: Vec<_> =
            events.iter().filter(|event| !self.vector.includes(event.position)).collect();
        let mut rows = self.load(&new).await?;
        for event in &new {
            self.projection.fold(&mut rows, event);
            next.advance(event.position);
        }
        let tables = rows.changes().map(|(table, rows)| TableChange { table, rows }).collect();
        let changes = Changes {
            generation: &self.generation,
            expected: &self.vector,
            expected_continuity: "",
            next: &next,
            continuity: "",
            last_event_at: new.iter().map(|event| event.envelope.recorded_at).max(),
            tables,
            parked: Vec::new(),
            unparked: Vec::new(),
        };
        assert_eq!(self.store.apply(changes).await?, Applied::Committed);
        self.vector = next;
        Ok(())
    }

    async fn load(&self, events: &[&RecordedEvent]) -> Result<Rows, ReadStoreError> {
        let (mut keys, mut rows) = (Vec::<RowKey>::new(), Rows::default());
        events.iter().for_each(|event| self.projection.keys(event, &mut keys));
        self.load_rows(keys, &mut rows).await?;
        let mut further = Vec::new();
        events.iter().for_each(|event| self.projection.further_keys(&rows, event, &mut further));
        self.load_rows(further, &mut rows).await?;
        Ok(rows)
    }

    async fn load_rows(
        &self,
        mut keys: Vec<RowKey>,
        rows: &mut Rows,
    ) -> Result<(), ReadStoreError> {
        // A key that is named often is loaded once.
        keys.retain(|key| {
            let new = !rows.holds(key);
            rows.load(key, None);
            new
        });
        for table in self.projection.tables() {
            let of_table = |key: &&RowKey| key.table.name == table.name;
            let keys: Vec<RowKey> = keys.iter().filter(of_table).cloned().collect();
            if keys.is_empty() {
                continue;
            }
            for row in self.store.load(&self.generation, table, &keys).await? {
                let key = row[..table.key_columns].to_vec();
                rows.load(&RowKey { table, key }, Some(row));
            }
        }
        Ok(())
    }
}

/// Builds all indexes of a generation.
///
/// # Errors
/// What the store says.
pub async fn index(
    store: &dyn ReadStore,
    generation: &Generation,
    tables: &'static [&'static Table],
) -> Result<(), ReadStoreError> {
    while store.index(generation, tables).await? == Indexed::Partly {}
    Ok(())
}

/// Loads the events into the first generation of every projection.
///
/// # Errors
/// What the store says.
pub async fn load_all(
    store: &dyn ReadStore,
    events: &[RecordedEvent],
    batch: usize,
) -> Result<(), ReadStoreError> {
    load(store, &crate::projections(), events, batch).await
}

/// Loads the events into the first generation of these projections.
///
/// # Errors
/// What the store says.
pub async fn load(
    store: &dyn ReadStore,
    projections: &[Box<dyn Projection>],
    events: &[RecordedEvent],
    batch: usize,
) -> Result<(), ReadStoreError> {
    for projection in projections {
        let mut loader = Loader::new(store, &**projection, 1).await?;
        for events in events.chunks(batch) {
            loader.batch(events).await?;
        }
    }
    Ok(())
}
