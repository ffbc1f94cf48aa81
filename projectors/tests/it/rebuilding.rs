//! Blue/green: a new generation beside the live one, proved equal, promoted, rolled back.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use projectors::{Projectors, Proof, RebuildState, RebuildStatus, Verdict};
use read_models::{Projection, ReadStore};

use crate::support::{
    PATIENCE, Poisonable, World, caught_up, generation, registered, stop, stream, until,
};

const NAME: &str = "itineraries";

fn rebuild_status(running: &Projectors, number: u32) -> RebuildStatus {
    running.rebuild_status(NAME, number).unwrap()
}

async fn ready(running: &Projectors, number: u32) {
    until("the rebuild has caught up and was compared", || {
        let status = rebuild_status(running, number);
        status.state == RebuildState::Ready && status.comparison.is_some()
    })
    .await;
}

async fn generations(world: &World) -> Vec<(u32, bool)> {
    let mut states = world.store.generations().await.unwrap();
    states.sort_by_key(|state| state.generation.number);
    states.iter().map(|state| (state.generation.number, state.live)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rebuild_equals_the_live_rows_while_events_are_appended() {
    let mut world = World::new().await;
    world.append_trips(6, 20);
    let running = world.start(vec![registered(NAME)]);
    caught_up(&running, NAME, &world).await;

    let rebuild = running.rebuild(NAME).await.unwrap();
    let mut verdicts = Vec::new();
    for _ in 0..20 {
        world.append_trips(6, 2);
        tokio::task::yield_now().await;
        let status = rebuild_status(&running, rebuild.number);
        verdicts.extend(status.comparison.map(|comparison| comparison.verdict));
    }
    let end = world.end();
    until("it is compared at the end", || {
        let comparison = rebuild_status(&running, rebuild.number).comparison;
        comparison.is_some_and(|comparison| comparison.vector == end)
    })
    .await;

    let status = rebuild_status(&running, rebuild.number);
    verdicts.extend(status.comparison.map(|comparison| comparison.verdict));
    assert!(verdicts.iter().all(|verdict| *verdict == Verdict::Equal), "{verdicts:?}");
    assert!(status.records_done > 0 && status.records_done <= status.records_total);
    let projection = registered(NAME);
    world.check(&*projection, rebuild.number, &world.expected(&*projection)).await;
    assert_eq!(generations(&world).await, [(1, true), (2, false)]);
    stop(running).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_promotion_moves_the_live_projection_and_a_rollback_moves_it_back() {
    let mut world = World::new().await;
    world.append_trips(4, 10);
    let running = world.start(vec![registered(NAME)]);
    caught_up(&running, NAME, &world).await;
    let rebuild = running.rebuild(NAME).await.unwrap();
    ready(&running, rebuild.number).await;

    running.promote(NAME, rebuild.number, Proof::Equal).await.unwrap();
    world.append_trips(4, 5);
    caught_up(&running, NAME, &world).await;

    assert_eq!(generations(&world).await, [(1, false), (2, true)]);
    assert_eq!(running.projection(NAME).unwrap().generation, 2);
    let projection = registered(NAME);
    world.check(&*projection, 2, &world.expected(&*projection)).await;

    assert_eq!(running.rollback(NAME).await.unwrap(), 1);
    world.append_trips(4, 3);
    caught_up(&running, NAME, &world).await;

    assert_eq!(generations(&world).await, [(1, true), (2, false)]);
    world.check(&*projection, 1, &world.expected(&*projection)).await;
    stop(running).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_promotion_succeeds_while_another_process_moves_the_live_rows() {
    let mut world = World::new().await;
    world.append_trips(4, 10);
    let (one, other) = (world.start(vec![registered(NAME)]), world.start(vec![registered(NAME)]));
    caught_up(&one, NAME, &world).await;
    let rebuild = one.rebuild(NAME).await.unwrap();
    ready(&one, rebuild.number).await;

    let promotion = one.promote(NAME, rebuild.number, Proof::Equal);
    let appending = async {
        let mut pace = tokio::time::interval(Duration::from_millis(1));
        for _ in 0..30 {
            world.append_trips(4, 1);
            pace.tick().await;
        }
    };
    let (promoted, ()) = tokio::join!(promotion, appending);

    promoted.unwrap();
    for running in [&one, &other] {
        until("it runs on the new generation", || {
            running.projection(NAME).unwrap().generation == 2
        })
        .await;
        caught_up(running, NAME, &world).await;
    }
    let projection = registered(NAME);
    world.check(&*projection, 2, &world.expected(&*projection)).await;
    stop(one).await;
    stop(other).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_rebuild_leaves_nothing() {
    let mut world = World::new().await;
    world.append_trips(4, 10);
    let running = world.start(vec![registered(NAME)]);
    caught_up(&running, NAME, &world).await;
    let rebuild = running.rebuild(NAME).await.unwrap();
    let second = running.rebuild(NAME).await.unwrap_err();
    assert_eq!(second.code(), "projection_not_ready");

    running.cancel_rebuild(NAME, rebuild.number).await.unwrap();

    assert_eq!(generations(&world).await, [(1, true)]);
    assert_eq!(rebuild_status(&running, rebuild.number).state, RebuildState::Dropped);
    let live = running.cancel_rebuild(NAME, 1).await.unwrap_err();
    assert_eq!(live.code(), "projection_not_ready");
    let next = running.rebuild(NAME).await.unwrap();
    assert!(next.number > rebuild.number, "numbers are never used again");
    stop(running).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rebuild_that_builds_indexes_hears_that_it_is_cancelled() {
    let mut world = World::new().await;
    world.append_trips(4, 10);
    let running = world.start(vec![registered(NAME)]);
    caught_up(&running, NAME, &world).await;
    world.store.indexes_left.store(u64::MAX, Ordering::SeqCst);
    let rebuild = running.rebuild(NAME).await.unwrap();
    let built = || u64::MAX - world.store.indexes_left.load(Ordering::SeqCst);
    until("it builds indexes", || built() > 3).await;

    running.cancel_rebuild(NAME, rebuild.number).await.unwrap();

    assert_eq!(generations(&world).await, [(1, true)]);
    stop(running).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_promotion_that_the_store_refuses_says_so_at_once() {
    let mut world = World::new().await;
    world.append_trips(4, 10);
    let running = world.start(vec![registered(NAME)]);
    caught_up(&running, NAME, &world).await;
    let rebuild = running.rebuild(NAME).await.unwrap();
    ready(&running, rebuild.number).await;
    world.store.refuses_promotion.store(true, Ordering::SeqCst);

    let refused = running.promote(NAME, rebuild.number, Proof::Equal).await.unwrap_err();

    assert_eq!(refused.code(), "read_store_refused");
    assert!(generations(&world).await.contains(&(1, true)), "the live one is the one that it was");
    world.store.refuses_promotion.store(false, Ordering::SeqCst);
    running.promote(NAME, rebuild.number, Proof::Equal).await.unwrap();
    stop(running).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rebuild_is_paused_resumed_and_goes_on_after_a_restart() {
    let mut world = World::new().await;
    world.append_trips(4, 30);
    let running = world.start(vec![registered(NAME)]);
    caught_up(&running, NAME, &world).await;
    let rebuild = running.rebuild(NAME).await.unwrap();
    running.pause_rebuild(NAME, rebuild.number).await.unwrap();
    let paused = rebuild_status(&running, rebuild.number);
    assert_eq!(paused.state, RebuildState::Paused);
    stop(running).await;

    let running = world.start(vec![registered(NAME)]);
    until("it is known again", || !running.rebuilds(NAME).unwrap().is_empty()).await;
    ready(&running, rebuild.number).await;
    running.pause_rebuild(NAME, rebuild.number).await.unwrap();
    world.append_trips(4, 2);
    caught_up(&running, NAME, &world).await;
    running.resume_rebuild(NAME, rebuild.number).await.unwrap();

    until("it follows again", || rebuild_status(&running, rebuild.number).vector == world.end())
        .await;
    let projection = registered(NAME);
    world.check(&*projection, rebuild.number, &world.expected(&*projection)).await;
    stop(running).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn generations_that_parked_apart_need_the_operators_yes() {
    let mut world = World::new().await;
    world.append_trips(3, 5);
    let projection = Poisonable::new(registered(NAME));
    projection.poison(&stream(2), 2);
    let running = world.start(vec![Arc::clone(&projection) as Arc<dyn Projection>]);
    caught_up(&running, NAME, &world).await;
    projection.cure();

    let rebuild = running.rebuild(NAME).await.unwrap();
    ready(&running, rebuild.number).await;
    let refused = running.promote(NAME, rebuild.number, Proof::Equal).await.unwrap_err();

    assert_eq!(refused.code(), "projection_not_equal");
    let comparison = rebuild_status(&running, rebuild.number).comparison.unwrap();
    assert_eq!(
        (comparison.verdict, comparison.parked_apart),
        (Verdict::Incomparable, vec![stream(2)],)
    );
    running.promote(NAME, rebuild.number, Proof::Accepted).await.unwrap();
    caught_up(&running, NAME, &world).await;
    assert!(running.dead_letters().is_empty());
    world.check(&*projection, rebuild.number, &world.expected(&*projection)).await;
    stop(running).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_version_is_filled_and_needs_the_operators_yes() {
    let mut world = World::new().await;
    world.append_trips(3, 5);
    let before = Poisonable::of_version(registered(NAME), 1_000);
    let running = world.start(vec![before]);
    caught_up(&running, NAME, &world).await;
    stop(running).await;
    let running = world.start(vec![registered(NAME)]);
    until("it knows its generations", || !running.status()[0].generations.is_empty()).await;

    let rebuild = running.rebuild(NAME).await.unwrap();
    ready(&running, rebuild.number).await;
    let comparison = rebuild_status(&running, rebuild.number).comparison.unwrap();
    let refused = running.promote(NAME, rebuild.number, Proof::Equal).await.unwrap_err();
    running.promote(NAME, rebuild.number, Proof::Accepted).await.unwrap();

    assert_eq!(comparison.verdict, Verdict::OtherVersion);
    assert!(matches!(refused.code(), "projection_not_ready" | "projection_not_equal"));
    world.append_trips(3, 2);
    caught_up(&running, NAME, &world).await;
    let projection = registered(NAME);
    world.check(&*projection, rebuild.number, &world.expected(&*projection)).await;
    let back = running.rollback(NAME).await.unwrap_err();
    assert_eq!(back.code(), "projection_not_ready");
    stop(running).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rebuild_survives_a_store_that_goes_away() {
    let mut world = World::new().await;
    world.append_trips(5, 40);
    let running = world.start(vec![registered(NAME)]);
    caught_up(&running, NAME, &world).await;
    world.store.lost_answers.store(3, Ordering::SeqCst);

    let rebuild = running.rebuild(NAME).await.unwrap();
    world.store.away.store(true, Ordering::SeqCst);
    until("it says so", || rebuild_status(&running, rebuild.number).trouble.is_some()).await;
    world.store.away.store(false, Ordering::SeqCst);
    ready(&running, rebuild.number).await;

    let projection = registered(NAME);
    let rows = world.store.sums(&generation(&*projection, rebuild.number)).await.unwrap();
    assert_eq!(rows.0, world.end());
    world.check(&*projection, rebuild.number, &world.expected(&*projection)).await;
    assert!(running.shutdown(PATIENCE).await);
}
