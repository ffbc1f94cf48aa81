//! The real thing: the embedded log, its codec, and SQLite.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::{Digest, RecordedEvent, StreamName};
use event_log::hash_chain::HashChain;
use event_log::{
    Batch, EmbeddedLog, EmbeddedOptions, EventLog, NewEvent, OwnershipHandler, ShardId,
};
use projectors::{Placement, Projectors};
use read_models::testing::samples::{SampleLog, any_event};
use read_models::{Projection, ReadStore};

use crate::support::{PATIENCE, World, generation, id, settings, stop};

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_of_the_embedded_log_become_rows_and_a_rebuild_equals_them() {
    let world = World::new().await;
    let directory = tempfile::tempdir().unwrap();
    let log = Arc::new(EmbeddedLog::open(directory.path(), EmbeddedOptions::default()).unwrap());
    let _membership = log.join(Arc::new(Owner)).unwrap();
    let mut shard = log.open_shard(ShardId(0), "").unwrap();
    let mut samples = SampleLog::new();
    for nth in 0..15u8 {
        for trip in 1..=6u8 {
            let event = any_event(if nth == 0 { 0 } else { nth }, trip, id(trip.into()));
            samples.append(0, id(trip.into()), id(0xB0), event);
        }
    }
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
        crate::support::until("it equals", || {
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
