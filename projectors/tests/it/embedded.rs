//! The real thing: the embedded log, its codec, and SQLite.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::{Digest, Position, RecordedEvent, StreamName};
use event_log::hash_chain::HashChain;
use event_log::{
    Batch, EmbeddedLog, EmbeddedOptions, EventLog, NewEvent, OwnershipHandler, ShardId,
};
use projectors::{Placement, Projectors};
use read_models::testing::samples::{SampleLog, any_event};
use read_models::{Projection, ReadStore};

use crate::support::{PATIENCE, World, generation, id, registered, settings, stop, until};

struct Owner;

impl OwnershipHandler for Owner {
    fn assigned(&self, _shards: &[ShardId]) {}

    fn revoked(&self, _shards: &[ShardId], _lost: bool) {}
}

/// What a lane would append for these events, in batches of five.
fn append(log: &EmbeddedLog, samples: &[RecordedEvent], epoch: i64) -> Vec<Batch> {
    let (codec, mut chain) = (log.codec().unwrap(), HashChain::default());
    let mut heads: BTreeMap<StreamName, Digest> = BTreeMap::new();
    let mut sequences: BTreeMap<u32, u64> = BTreeMap::new();
    let mut batches = Vec::new();
    for events in samples.chunks(5) {
        let mut batch = Batch::default();
        for event in events {
            let mut envelope = event.envelope.clone();
            let partition = log.topology().partition(&envelope.stream);
            let sequence = sequences.entry(partition).or_default();
            *sequence += 1;
            let mut value = Vec::new();
            codec.encode(&event.event, &mut value).unwrap();
            (envelope.sequence, envelope.epoch) = (*sequence, epoch);
            let head = heads.entry(envelope.stream).or_default();
            envelope.hash = chain.hash(head, &envelope, &value);
            *head = envelope.hash;
            batch.events.push(NewEvent { partition, envelope, value: value.into() });
        }
        batches.push(batch);
    }
    batches
}

/// Events of six trips, one after another.
fn six_trips() -> SampleLog {
    let mut samples = SampleLog::new();
    for nth in 0..15u8 {
        for trip in 1..=6u8 {
            let event = any_event(if nth == 0 { 0 } else { nth }, trip, id(trip.into()));
            samples.append(0, id(trip.into()), id(0xB0), event);
        }
    }
    samples
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_of_the_embedded_log_become_rows_and_a_rebuild_equals_them() {
    let world = World::new().await;
    let directory = tempfile::tempdir().unwrap();
    let log = Arc::new(EmbeddedLog::open(directory.path(), EmbeddedOptions::default()).unwrap());
    let _membership = log.join(Arc::new(Owner)).unwrap();
    let mut shard = log.open_shard(ShardId(0), "").unwrap();
    let samples = six_trips();
    let all = || -> Vec<Arc<dyn Projection>> {
        read_models::projections().into_iter().map(Arc::from).collect()
    };
    let store: Arc<dyn ReadStore> = Arc::clone(&world.store) as Arc<dyn ReadStore>;
    let placement = |projection| Placement { projection, store: Arc::clone(&store) };
    let running = Projectors::start(
        Arc::clone(&log) as Arc<dyn EventLog>,
        Arc::new(log.codec().unwrap()),
        all().into_iter().map(placement).collect(),
        settings(),
    );

    for batch in append(&log, samples.events(), shard.epoch) {
        shard.writer.append(&batch).unwrap();
    }

    let end = log.end().unwrap();
    for projection in all() {
        assert!(running.wait_until(projection.name(), &end, PATIENCE).await.unwrap());
        let expected = world.expected_rows(&*projection, samples.events());
        for (table, sum) in world.sums(&generation(&*projection, 1)).await {
            let rows = expected.iter().find(|(name, _)| *name == table).unwrap().1;
            assert_eq!(sum.rows, rows, "{table}");
        }
        running.rebuild(projection.name()).await.unwrap();
        until("it equals", || {
            let status = running.rebuild_status(projection.name(), 2).unwrap();
            status.comparison.is_some_and(|comparison| {
                comparison.vector == end && comparison.verdict == projectors::Verdict::Equal
            })
        })
        .await;
    }
    assert!(running.dead_letters().is_empty(), "{:?}", running.dead_letters());
    stop(running).await;
}

/// Alters an event, as a disk that forgets does. Where it stands, and the one before it.
fn damage(directory: &std::path::Path) -> [Position; 2] {
    let connection = rusqlite::Connection::open(directory.join("log.sqlite")).unwrap();
    let altered = [3, 4].map(|back| {
        let nth = "SELECT place FROM events ORDER BY place DESC LIMIT 1 OFFSET ?1";
        connection.query_row(nth, [back], |row| row.get::<_, i64>(0)).unwrap()
    });
    let alter = "UPDATE events SET checksum = checksum + 1 WHERE place = ?1";
    assert_eq!(connection.execute(alter, [altered[0]]).unwrap(), 1);
    altered.map(|place| Position {
        partition: u32::try_from(place >> 48).unwrap(),
        offset: place & 0xffff_ffff_ffff,
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_record_stops_its_partition_alone_and_is_told_wherever_it_is_met() {
    let (world, empty) = (World::new().await, World::new().await);
    let directory = tempfile::tempdir().unwrap();
    let log = Arc::new(EmbeddedLog::open(directory.path(), EmbeddedOptions::default()).unwrap());
    let _membership = log.join(Arc::new(Owner)).unwrap();
    let mut shard = log.open_shard(ShardId(0), "").unwrap();
    let mut batches = append(&log, six_trips().events(), shard.epoch);
    let last = batches.pop().unwrap();
    for batch in &batches {
        shard.writer.append(batch).unwrap();
    }
    let start = |world: &World| {
        let (log, codec) = (Arc::clone(&log), Arc::new(log.codec().unwrap()));
        let placements = vec![world.placement(registered("itineraries"))];
        Projectors::start(log as Arc<dyn EventLog>, codec, placements, settings())
    };
    let running = start(&world);
    let end = log.end().unwrap();
    assert!(running.wait_until("itineraries", &end, PATIENCE).await.unwrap());

    let [damaged, before] = damage(directory.path());
    let named = format!("log_corrupt: the log is corrupt: the record at {damaged} is damaged");
    let told = |trouble: Option<String>| trouble.is_some_and(|told| told.starts_with(&named));
    running.rebuild("itineraries").await.unwrap();
    let rebuild = || running.rebuild_status("itineraries", 2).unwrap();
    until("the rebuild says so and has read what it can", || {
        let all = end.iter().filter(|end| end.partition != damaged.partition);
        let mut readable = all.chain([before]);
        told(rebuild().trouble) && readable.all(|position| rebuild().vector.includes(position))
    })
    .await;
    shard.writer.append(&last).unwrap();
    assert!(running.wait_until("itineraries", &log.end().unwrap(), PATIENCE).await.unwrap());

    assert!(told(rebuild().trouble), "{:?}", rebuild());
    assert!(!rebuild().vector.includes(damaged), "{:?}", rebuild());
    let readiness = running.readiness();
    assert!(readiness.ready(), "{readiness:?}");
    assert!(readiness.warnings.iter().any(|warning| warning.contains(&named)), "{readiness:?}");

    let anew = start(&empty);
    until("a projection that folds everything anew says so too", || {
        told(anew.projection("itineraries").unwrap().trouble) && !anew.readiness().ready()
    })
    .await;
    stop(anew).await;
    stop(running).await;
}
