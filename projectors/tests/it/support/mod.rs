//! A world for one test: a log in memory, a SQLite file, and the projections between them.

mod log;
mod poison;
mod store;

use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::{PositionVector, RecordedEvent};
use projectors::{Placement, ProjectorSettings, Projectors};
use read_models::testing::harness::MemoryTables;
use read_models::testing::samples::{SampleLog, any_event};
use read_models::testing::worlds::{SqliteWorld, StoreWorld};
use read_models::{Generation, Projection, ReadStore, TableSum};
use uuid::Uuid;

pub(crate) use self::log::{Decoder, MemoryLog};
pub(crate) use self::poison::Poisonable;
pub(crate) use self::store::FaultyStore;

/// How long anything may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Everything that a test of running projections needs.
pub(crate) struct World {
    pub(crate) log: Arc<MemoryLog>,
    pub(crate) decoder: Arc<Decoder>,
    pub(crate) store: Arc<FaultyStore>,
    pub(crate) samples: SampleLog,
    sqlite: SqliteWorld,
}

/// Short pauses, small batches.
pub(crate) fn settings() -> ProjectorSettings {
    ProjectorSettings {
        chunk_records_max: 7,
        batch_events_max: 20,
        rebuild_batch_events_max: 50,
        poll_wait: Duration::from_millis(5),
        silence_max: Duration::from_millis(50),
        backoff_min: Duration::from_millis(2),
        backoff_max: Duration::from_millis(40),
        end_interval: Duration::from_millis(5),
        live_check_interval: Duration::from_millis(100),
        compare_interval: Duration::from_millis(10),
        gather_max: Duration::from_millis(50),
        ..ProjectorSettings::default()
    }
}

pub(crate) fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

/// The record key of the trip of that number.
pub(crate) fn stream(number: u128) -> String {
    format!("itinerary-{}", id(number))
}

/// The registered projection of that name.
pub(crate) fn registered(name: &str) -> Arc<dyn Projection> {
    let mut all = read_models::projections().into_iter();
    all.find(|projection| projection.name() == name).unwrap().into()
}

impl World {
    pub(crate) async fn new() -> Self {
        let sqlite = SqliteWorld::new();
        let store = sqlite.open();
        Self {
            log: Arc::new(MemoryLog::new(4)),
            decoder: Arc::new(Decoder::default()),
            store: Arc::new(FaultyStore::new(store)),
            samples: SampleLog::new(),
            sqlite,
        }
    }

    /// The database file, for a hand that alters it.
    pub(crate) fn path(&self) -> std::path::PathBuf {
        self.sqlite.path()
    }

    /// Appends an event of trip `number`; a trip's first event creates it.
    pub(crate) fn append(&mut self, number: u8, kind: u8, which: u8) -> RecordedEvent {
        let event = any_event(kind, which, id(number.into()));
        self.samples.append(u32::from(number) % 4, id(number.into()), id(0xB0), event);
        let recorded = self.samples.events().last().unwrap().clone();
        self.log.append(&recorded, &self.decoder);
        recorded
    }

    /// A few events of each of so many trips.
    pub(crate) fn append_trips(&mut self, trips: u8, events_each: u8) {
        for nth in 0..events_each {
            for trip in 1..=trips {
                self.append(trip, if nth == 0 { 0 } else { nth }, nth.wrapping_add(trip));
            }
        }
    }

    pub(crate) fn placement(&self, projection: Arc<dyn Projection>) -> Placement {
        Placement { projection, store: Arc::clone(&self.store) as Arc<dyn ReadStore> }
    }

    pub(crate) fn start(&self, projections: Vec<Arc<dyn Projection>>) -> Projectors {
        self.start_with(projections, settings())
    }

    pub(crate) fn start_with(
        &self,
        projections: Vec<Arc<dyn Projection>>,
        settings: ProjectorSettings,
    ) -> Projectors {
        let placements = projections.into_iter().map(|p| self.placement(p)).collect();
        let (log, decoder) = (Arc::clone(&self.log), Arc::clone(&self.decoder));
        Projectors::start(log, decoder, placements, settings)
    }

    /// What the projection's tables should hold after all events.
    pub(crate) fn expected(&self, projection: &dyn Projection) -> MemoryTables {
        folded(projection, self.samples.events())
    }

    /// How many rows each table should hold after these events, whatever their positions.
    pub(crate) fn expected_rows(
        &self,
        projection: &dyn Projection,
        events: &[RecordedEvent],
    ) -> Vec<(String, i64)> {
        let tables = folded(projection, events);
        let names = projection.tables().iter().map(|table| table.name.to_owned());
        names.map(|name| (name.clone(), tables.sum(&name).rows)).collect()
    }

    pub(crate) async fn sums(&self, generation: &Generation) -> Vec<(String, TableSum)> {
        let mut sums = self.store.sums(generation).await.unwrap().1;
        sums.sort_by(|a, b| a.0.cmp(&b.0));
        sums
    }

    /// Fails unless the generation's tables are those of a fold in memory, kept sums and rows
    /// alike.
    pub(crate) async fn check(
        &self,
        projection: &dyn Projection,
        number: u32,
        expected: &MemoryTables,
    ) {
        let generation = generation(projection, number);
        for (table, sum) in self.sums(&generation).await {
            assert_eq!(sum, expected.sum(&table), "kept sum of {table}");
        }
        let rows = self.store.recompute_sums(&generation, projection.tables()).await.unwrap().1;
        assert!(!rows.is_empty());
        for (table, sum) in rows {
            assert_eq!(sum, expected.sum(&table), "rows of {table}");
        }
    }

    pub(crate) fn end(&self) -> PositionVector {
        self.log.vector()
    }
}

pub(crate) fn generation(projection: &dyn Projection, number: u32) -> Generation {
    Generation { projection: projection.name().to_owned(), number }
}

/// A fold in memory, event by event.
pub(crate) fn folded(projection: &dyn Projection, events: &[RecordedEvent]) -> MemoryTables {
    let mut tables = MemoryTables::default();
    for event in events {
        tables.fold(projection, std::slice::from_ref(event));
    }
    tables
}

/// Waits until the condition holds.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "never happened: {what}");
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
}

/// Waits until the projection has read everything there is.
pub(crate) async fn caught_up(projectors: &Projectors, name: &str, world: &World) {
    let end = world.end();
    let reached = projectors.wait_until(name, &end, PATIENCE).await.unwrap();
    assert!(reached, "{name} did not reach [{end}]: {:?}", projectors.projection(name));
}

/// Ends everything, and fails when something goes on.
pub(crate) async fn stop(projectors: Projectors) {
    assert!(projectors.shutdown(PATIENCE).await, "something still runs");
}
