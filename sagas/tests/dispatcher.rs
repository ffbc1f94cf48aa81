//! The dispatcher over a read model in a file, with a port one of whose shards is away.

#![cfg(test)]

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use domain::ids::{CommandId, HoldId};
use domain::offer::{self, Claim, OfferHeld};
use domain::{Category, StreamName, Timestamp};
use lanes::{Accepted, CommandError, CommandPort, CommandRequest, TokenText, WallClock};
use read_models::testing::loader::Loader;
use read_models::testing::saga_samples::any_event;
use read_models::testing::sales::{any_sale, listed, requested};
use read_models::testing::samples::{START, SampleLog};
use read_models::{
    ReadQueries, ReadStore as _, SqliteReadStore, SqliteReaders, SqliteSettings, projections,
};
use sagas::{Dispatcher, DispatcherSettings};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Two shards, told apart by the last bit of a stream's id: the odd one never answers, and the even
/// one says that it cannot, so that everything stays open.
#[derive(Default)]
struct HalfAway(Mutex<BTreeSet<(StreamName, CommandId)>>);

#[async_trait::async_trait]
impl CommandPort for HalfAway {
    async fn send(&self, request: CommandRequest) -> Result<Accepted, CommandError> {
        self.0.lock().unwrap().insert((request.stream, request.command_id));
        if self.shard_of(&request.stream) == 1 {
            return std::future::pending().await;
        }
        if request.stream.category == Category::Offer {
            let position = TokenText(String::new());
            return Ok(Accepted { version: 2, position, replayed: false, events: 1 });
        }
        let reason = "as a shard without an owner".to_owned();
        Err(CommandError::Unavailable { reason, retry_after_seconds: 1 })
    }

    fn shards(&self) -> u32 {
        2
    }

    fn shard_of(&self, stream: &StreamName) -> u32 {
        u32::from(stream.id.as_u128() % 2 == 1)
    }
}

impl HalfAway {
    /// The streams of that category and shard that were asked anything.
    fn asked(&self, category: Category, shard: u32) -> usize {
        let asked = self.0.lock().unwrap();
        let of =
            |stream: &&StreamName| stream.category == category && self.shard_of(stream) == shard;
        let streams: BTreeSet<_> = asked.iter().map(|(stream, _)| stream).collect();
        streams.into_iter().filter(of).count()
    }

    /// How many commands that stream was sent, each counted once.
    fn commands_to(&self, stream: StreamName) -> usize {
        self.0.lock().unwrap().iter().filter(|(to, _)| *to == stream).count()
    }
}

/// An hour after the sample log's last event.
struct Later;

impl WallClock for Later {
    fn now(&self) -> Timestamp {
        START.plus_seconds(100_000)
    }
}

async fn queries_over(log: &SampleLog, file: &std::path::Path) -> Arc<ReadQueries> {
    let settings = SqliteSettings::default();
    let store = SqliteReadStore::open(file, settings.clone()).unwrap();
    store.prepare().await.unwrap();
    let asked = ["saga_work", "open_holds", "sagas"];
    for projection in projections().into_iter().filter(|each| asked.contains(&each.name())) {
        let mut loader = Loader::new(&store, &*projection, 1).await.unwrap();
        for batch in log.events().chunks(500) {
            loader.batch(batch).await.unwrap();
        }
    }
    Arc::new(ReadQueries::sqlite(SqliteReaders::open(file, &settings).unwrap()))
}

fn settings() -> DispatcherSettings {
    DispatcherSettings {
        commands_in_flight_max: 4,
        expiries_in_flight_max: 4,
        look_busy: Duration::from_millis(1),
        look_idle: Duration::from_millis(1),
        look_for_expired: Duration::from_millis(10),
        // Whoever had a turn rests until the test is over.
        retry_first: PATIENCE * 2,
        retry_max: PATIENCE * 2,
        ..DispatcherSettings::default()
    }
}

/// Runs a dispatcher over that log until the condition holds of its port.
async fn run_until<F: Future<Output = bool>>(
    log: &SampleLog,
    what: &str,
    condition: impl Fn(Arc<HalfAway>, Box<dyn Fn() -> u64 + Send>) -> F,
) {
    let dir = tempfile::tempdir().unwrap();
    let queries = queries_over(log, &dir.path().join("read.sqlite")).await;
    let port = Arc::new(HalfAway::default());
    let dispatcher = Dispatcher::new(queries, Arc::clone(&port) as _, Arc::new(Later), &settings());
    let holds = Arc::new(dispatcher.watch_holds());
    let task = tokio::spawn(dispatcher.run(CancellationToken::new()));
    let end = Instant::now() + PATIENCE;
    let mut pause = tokio::time::interval(Duration::from_millis(5));
    loop {
        let holds = Arc::clone(&holds);
        if condition(Arc::clone(&port), Box::new(move || holds().overdue_seconds)).await {
            break;
        }
        assert!(Instant::now() < end, "did not happen in time: {what}");
        pause.tick().await;
    }
    // Commands to the shard that is away never end.
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_entry_has_its_turn_though_one_shard_is_away() {
    let mut log = SampleLog::new();
    for n in 0..1_200_u32 {
        let booking = Uuid::from_u128(u128::from(n) << 64);
        log.append(n % 4, booking, booking, requested(booking, booking, booking));
    }
    let sagas = log.events().iter().map(|event| {
        domain::derive::trip_saga(domain::ids::BookingId(event.envelope.stream.id)).0.as_u128() % 2
    });
    let here = sagas.filter(|bit| *bit == 0).count();
    assert!(here > 500, "more than one look: {here}");

    run_until(&log, "all sagas of the even shard are asked", |port, _| async move {
        port.asked(Category::Saga, 0) == here && port.asked(Category::Saga, 1) == 4
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn holds_are_expired_though_older_ones_are_of_a_shard_that_is_away() {
    let mut log = SampleLog::new();
    for n in 0..600_u32 {
        // The oldest are all of the odd shard.
        let offer = Uuid::from_u128((u128::from(n) << 64) + u128::from(n < 550));
        log.append(n % 4, offer, offer, listed(offer, "A flight"));
        let mut held = held(offer);
        held.expires_at = START.plus_seconds(i64::from(n));
        log.append(n % 4, offer, offer, held);
    }

    run_until(&log, "all holds of the even shard are expired", |port, overdue| async move {
        port.asked(Category::Offer, 0) == 50
            && port.asked(Category::Offer, 1) == 4
            && overdue() == 100_000
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn holds_of_one_offer_and_millisecond_are_expired_by_commands_of_their_own() {
    let offer = Uuid::from_u128(2);
    let near = 7_u128 << 80;
    let mut log = SampleLog::new();
    log.append(0, offer, offer, listed(offer, "A flight"));
    for n in [1, 2] {
        // They differ behind the 48 bits of a time alone.
        let hold_id = HoldId(Uuid::from_u128(near + n));
        log.append(0, offer, offer, OfferHeld { hold_id, expires_at: START, ..held(offer) });
    }

    let stream = StreamName::new(Category::Offer, offer);
    run_until(
        &log,
        "both holds are expired",
        |port, _| async move { port.commands_to(stream) == 2 },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stuck_sagas_of_every_tenant_are_counted() {
    let mut log = SampleLog::new();
    for (n, tenant) in ["default", "other", "third"].into_iter().enumerate() {
        let (tenant, id) = (tenant.parse().unwrap(), Uuid::from_u128(n as u128 + 1));
        // Started, then stuck; the last one has only started.
        for kind in [0, 5].into_iter().take(if n == 2 { 1 } else { 2 }) {
            log.append_for(&tenant, 0, id, id, any_event(kind, 0, id));
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let queries = queries_over(&log, &dir.path().join("read.sqlite")).await;
    let port = Arc::new(HalfAway::default());
    let dispatcher = Dispatcher::new(queries, port, Arc::new(Later), &settings());
    let stuck = dispatcher.watch_stuck();

    let task = tokio::spawn(dispatcher.run(CancellationToken::new()));

    let end = Instant::now() + PATIENCE;
    let mut pause = tokio::time::interval(Duration::from_millis(5));
    while stuck() != 2 {
        assert!(Instant::now() < end, "{} sagas are counted", stuck());
        pause.tick().await;
    }
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
}

fn held(offer: Uuid) -> OfferHeld {
    match any_sale(5, 0, offer) {
        domain::Event::Offer(offer::Event::Held(held)) => {
            OfferHeld { hold_id: HoldId(offer), claim: Claim::Quantity(1), ..held }
        }
        other => panic!("{other:?} is no hold"),
    }
}
