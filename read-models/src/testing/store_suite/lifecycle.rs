//! The contract about generations: created, promoted, dropped, and still there after a restart.

use domain::PositionVector;

use super::{SAMPLES, TABLES, Writer, generation, sample, sample_key, tables};
use crate::store::{ParkedStream, ReadStore, ReadStoreError};
use crate::sum::TableSum;
use crate::testing::loader::index;
use crate::testing::worlds::StoreWorld;

async fn live(store: &dyn ReadStore) -> Vec<u32> {
    let states = store.generations().await.unwrap();
    states.iter().filter(|state| state.live).map(|state| state.generation.number).collect()
}

fn refusal(outcome: Result<(), ReadStoreError>) -> String {
    match outcome {
        Err(ReadStoreError::Refused(reason)) => reason,
        other => panic!("not refused: {other:?}"),
    }
}

/// A projection starts from nothing, and is queried from its first generation at once.
pub async fn a_new_generation_is_empty_and_the_first_is_live(world: &impl StoreWorld) {
    let store = world.open();
    store.prepare().await.unwrap();

    let first = store.create(&generation(1), 1, tables(&*store)).await.unwrap();
    let second = store.create(&generation(2), 2, tables(&*store)).await.unwrap();

    assert_eq!((first.vector, first.version), (PositionVector::empty(), 1));
    assert_eq!((first.last_event_at, first.continuity.as_str()), (None, ""));
    assert!(first.live && !second.live);
    assert_eq!(store.generations().await.unwrap().len(), 2);
    let (_, sums) = store.sums(&generation(1)).await.unwrap();
    let empty = TableSum::default();
    assert_eq!(sums, [("entries".to_owned(), empty), ("samples".to_owned(), empty)]);
}

/// Processes that start together agree.
pub async fn creating_twice_at_once_creates_once(world: &impl StoreWorld) {
    let stores = [world.open(), world.open(), world.open()];
    stores[0].prepare().await.unwrap();

    let generation = generation(1);
    let created =
        futures::future::join_all(stores.iter().map(|s| s.create(&generation, 1, tables(&**s))))
            .await;

    for state in created {
        assert!(state.unwrap().live);
    }
    assert_eq!(stores[0].generations().await.unwrap().len(), 1);
    let other_version = stores[1].create(&generation, 2, tables(&*stores[1])).await;
    assert!(refusal(other_version.map(|_| ())).contains("version 1"));
}

/// So do their migrations.
pub async fn preparing_twice_at_once_is_safe(world: &impl StoreWorld) {
    let stores = [world.open(), world.open(), world.open()];

    for outcome in futures::future::join_all(stores.iter().map(|store| store.prepare())).await {
        outcome.unwrap();
    }

    assert!(stores[0].generations().await.unwrap().is_empty());
}

/// Queries never go back in time by a switch.
pub async fn a_generation_that_is_behind_is_not_promoted(world: &impl StoreWorld) {
    let store = world.open();
    store.prepare().await.unwrap();
    let mut old = Writer::create(&*store, 1).await;
    let mut new = Writer::create(&*store, 2).await;
    old.write(vec![sample(1, "one")], &[]).await;
    old.write(vec![sample(2, "two")], &[]).await;
    new.write(vec![sample(1, "one")], &[]).await;

    let behind = store.promote(&generation(2)).await;

    let Err(ReadStoreError::Behind(reason)) = behind else { panic!("{behind:?}") };
    assert!(reason.contains("at 0:1, not yet at 0:2"), "{reason}");
    assert_eq!(live(&*store).await, [1]);
}

/// A switch is one pointer, and so is the way back.
pub async fn the_live_pointer_moves_forth_and_back(world: &impl StoreWorld) {
    let store = world.open();
    store.prepare().await.unwrap();
    let mut old = Writer::create(&*store, 1).await;
    let mut new = Writer::create(&*store, 2).await;
    old.write(vec![sample(1, "one")], &[]).await;
    new.write(vec![sample(1, "one")], &[]).await;
    index(&*store, &generation(2), TABLES).await.unwrap();

    store.promote(&generation(2)).await.unwrap();
    let forth = live(&*store).await;
    store.promote(&generation(1)).await.unwrap();
    let back = live(&*store).await;

    assert_eq!((forth, back), (vec![2], vec![1]));
}

/// Indexing changes no row, may be repeated, and what was written before or after it counts.
pub async fn a_generation_is_indexed_after_it_was_filled(world: &impl StoreWorld) {
    let store = world.open();
    store.prepare().await.unwrap();
    let mut live = Writer::create(&*store, 1).await;
    let mut filled = Writer::create(&*store, 2).await;
    filled.write(vec![sample(1, "one"), sample(2, "two")], &[]).await;
    live.write(vec![sample(1, "one"), sample(2, "two")], &[]).await;

    index(&*store, &generation(2), TABLES).await.unwrap();
    index(&*store, &generation(2), TABLES).await.unwrap();

    filled.write(vec![sample(2, "zwei"), sample(3, "three")], &[1]).await;
    filled.check_sums().await;
    store.promote(&generation(2)).await.unwrap();
    assert_eq!(filled.load([1, 2, 3]).await, [sample(2, "zwei"), sample(3, "three")]);
    let unknown = index(&*store, &generation(9), TABLES).await;
    assert!(!matches!(unknown, Err(ReadStoreError::Unavailable(..))), "{unknown:?}");
}

/// What queries read cannot be taken away.
pub async fn a_live_generation_is_not_dropped(world: &impl StoreWorld) {
    let store = world.open();
    store.prepare().await.unwrap();
    let mut writer = Writer::create(&*store, 1).await;
    writer.write(vec![sample(1, "one")], &[]).await;

    let reason = refusal(store.drop_generation(&generation(1)).await);

    assert!(reason.contains("live"), "{reason}");
    assert_eq!(writer.load([1]).await.len(), 1);
}

/// Dropping takes tables, sums and parked streams, and leaves the number used.
pub async fn a_dropped_generation_is_gone_for_good(world: &impl StoreWorld) {
    let store = world.open();
    store.prepare().await.unwrap();
    let mut live = Writer::create(&*store, 1).await;
    live.write(vec![sample(1, "one")], &[]).await;
    let mut dropped = Writer::create(&*store, 2).await;
    dropped.write(vec![sample(1, "one")], &[]).await;

    store.drop_generation(&generation(2)).await.unwrap();
    store.drop_generation(&generation(2)).await.unwrap();

    assert_eq!(store.state(&generation(2)).await.unwrap(), None);
    assert_eq!(store.next_number("suite").await.unwrap(), 3);
    assert_eq!(store.next_number("another").await.unwrap(), 1);
    assert_eq!(store.generations().await.unwrap().len(), 1);
    assert!(store.load(&generation(2), SAMPLES, &[sample_key(1)]).await.is_err());
    assert!(dropped.apply(Vec::new()).await.is_err());
    let again = store.create(&generation(2), 1, tables(&*store)).await;
    assert!(refusal(again.map(|_| ())).contains("dropped"));
    assert_eq!(live.load([1]).await.len(), 1);
    assert_eq!(store.parked(&generation(2)).await.unwrap(), Vec::<ParkedStream>::new());
}

/// Nothing lives in the process alone.
pub async fn reopening_keeps_everything(world: &impl StoreWorld) {
    let first = world.open();
    first.prepare().await.unwrap();
    let mut before = Writer::create(&*first, 1).await;
    before.write(vec![sample(1, "one")], &[]).await;
    let states = first.generations().await.unwrap();
    let (rows, vector) = (before.rows, before.vector);
    drop(first);

    let second = world.open();
    second.prepare().await.unwrap();

    assert_eq!(second.generations().await.unwrap(), states);
    let mut after = Writer { store: &*second, generation: generation(1), vector, rows };
    after.write(vec![sample(1, "uno"), sample(2, "dos")], &[]).await;
    assert_eq!(after.load([1, 2]).await, [sample(1, "uno"), sample(2, "dos")]);
    after.check_sums().await;
}

/// What a store cannot serve it does not create: nothing is left out in silence.
pub async fn tables_that_the_store_cannot_serve_are_refused(world: &impl StoreWorld) {
    let store = world.open();
    store.prepare().await.unwrap();

    let created = store.create(&generation(1), 1, TABLES).await;

    let served = store.capabilities().full_text;
    assert_eq!(store.generations().await.unwrap().len(), usize::from(served));
    if !served {
        assert!(refusal(created.map(|_| ())).contains("samples"));
    }
}
