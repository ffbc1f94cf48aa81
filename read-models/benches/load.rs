//! How fast a rebuild fills `PostgreSQL`, against COPY of the same rows into the same indexed
//! tables.
//!
//! `cargo bench -p waylog-read-models --features testing --bench load -- 200000`, with
//! `WAYLOG_POSTGRES_URL` set
//! (the number of events; 200,000 when left out). Prints a line per projection and SQLite beside
//! it.

#![expect(clippy::print_stdout, reason = "a benchmark's answer goes to standard output")]
#![expect(clippy::unwrap_used, reason = "a benchmark stops at the first surprise")]

use std::time::{Duration, Instant};

use domain::RecordedEvent;
use read_models::postgres::{Copied, copy_again};
use read_models::testing::loader::{Loader, index};
use read_models::testing::samples::{
    SampleLog, activity_added, any_event, commented, created, invited, joined,
};
use read_models::testing::worlds::{PostgresWorld, SqliteWorld, StoreWorld};
use read_models::{Generation, Projection, ReadStore, projections};
use uuid::Uuid;

/// Events of a rebuild's batch, and where a long one keeps nobody waiting.
const BATCH: usize = 4_096;
const LONG_BATCH: usize = 8 * BATCH;
/// Trips that are planned at one time, each with ten events.
const ACTIVE: u32 = 1_000;

fn main() {
    let count = std::env::args().skip(1).find_map(|argument| argument.parse().ok());
    let events = events(count.unwrap_or(200_000));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        sqlite(&events).await;
        if let Some(world) = PostgresWorld::new().await {
            postgres(&world, &events).await;
        }
    });
}

/// Trips in waves: each wave's events take turns, as those of people who plan at the same time.
fn events(count: u32) -> Vec<RecordedEvent> {
    let mut log = SampleLog::new();
    for wave in 0..(count / (10 * ACTIVE)).max(1) {
        for step in 0..10 {
            for n in 0..ACTIVE {
                let number = u128::from(wave * ACTIVE + n);
                // Spread over the whole range, as ids of different clients are.
                let id =
                    Uuid::from_u128((number + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060));
                let (owner, friend) =
                    (Uuid::from_u128(number % 50_000), Uuid::from_u128(7 + number));
                let thing = Uuid::from_u128(number * 16 + step);
                let event: domain::Event = match step {
                    0 => created(id, owner, "Two weeks in the north of Portugal").into(),
                    1..=4 => activity_added(id, thing, owner, "Walk through the old town", "Porto")
                        .into(),
                    5 => invited(id, friend, owner).into(),
                    6 => joined(id, friend).into(),
                    7 => commented(id, thing, friend, "Shall we take the train instead?").into(),
                    8 => any_event(1, 7, id),
                    _ => any_event(13, 7, id),
                };
                log.append(n % 8, id, owner, event);
            }
        }
    }
    log.into_events()
}

/// Fills the second generation, as a rebuild does: beside a live one, and indexed at the end.
async fn load(
    store: &dyn ReadStore,
    projection: &dyn Projection,
    events: &[RecordedEvent],
) -> Duration {
    store
        .create(&generation(projection, 1), projection.version(), projection.tables())
        .await
        .unwrap();
    let mut loader = Loader::new(store, projection, 2).await.unwrap();
    let start = Instant::now();
    let batch = if store.capabilities().long_batches { LONG_BATCH } else { BATCH };
    for batch in events.chunks(batch) {
        loader.batch(batch).await.unwrap();
    }
    index(store, &generation(projection, 2), projection.tables()).await.unwrap();
    start.elapsed()
}

fn generation(projection: &dyn Projection, number: u32) -> Generation {
    Generation { projection: projection.name().to_owned(), number }
}

async fn sqlite(events: &[RecordedEvent]) {
    let world = SqliteWorld::new();
    let store = world.open();
    store.prepare().await.unwrap();
    for projection in projections() {
        let time = load(&*store, &*projection, events).await;
        println!("sqlite   {:<14} {}", projection.name(), rate(events.len() as u64, time));
    }
}

async fn postgres(world: &PostgresWorld, events: &[RecordedEvent]) {
    let store = world.open();
    store.prepare().await.unwrap();
    for projection in projections() {
        let time = load(&*store, &*projection, events).await;
        let name = projection.name();
        println!("postgres {name:<14} {}", rate(events.len() as u64, time));
        let rebuilt = generation(&*projection, 2);
        let Copied { rows, time: copying } =
            copy_again(world.settings(), &rebuilt, projection.tables()).await.unwrap();
        let share = 100.0 * copying.as_secs_f64() / time.as_secs_f64();
        println!("         COPY of the {rows} rows: {}", rate(rows, copying));
        println!("         the rebuild runs at {share:.0} % of COPY's rate over the same rows");
    }
}

fn rate(count: u64, time: Duration) -> String {
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    let per_second = count as f64 / time.as_secs_f64();
    format!("{count} in {:.2} s = {per_second:.0}/s", time.as_secs_f64())
}
