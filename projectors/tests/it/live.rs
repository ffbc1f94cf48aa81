//! Live projections: whatever the batches, restarts and rivals, the rows are those of the log.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use projectors::{ProjectorSettings, RunState};
use proptest::prelude::*;
use read_models::Projection;

use crate::support::{PATIENCE, Poisonable, World, caught_up, registered, settings, stop, until};

fn all() -> Vec<Arc<dyn Projection>> {
    read_models::projections().into_iter().map(Arc::from).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_projections_hold_what_the_log_says() {
    let mut world = World::new().await;
    world.append_trips(5, 12);
    world.log.opened(2, 999, 7);
    let running = world.start(all());

    for projection in all() {
        caught_up(&running, projection.name(), &world).await;
    }

    for projection in all() {
        world.check(&*projection, 1, &world.expected(&*projection)).await;
        let status = running.projection(projection.name()).unwrap();
        assert_eq!((status.state, status.events_total), (RunState::Running, 60));
    }
    until("lag is known", || running.status().iter().all(|s| s.lag_seconds == Some(0.0))).await;
    assert!(running.readiness().ready(), "{:?}", running.readiness());
    stop(running).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_are_decoded_once_for_all_projections() {
    let mut world = World::new().await;
    world.append_trips(4, 10);
    let gather = ProjectorSettings { gather_max: PATIENCE, ..settings() };
    let running = world.start_with(all(), gather);

    for projection in all() {
        caught_up(&running, projection.name(), &world).await;
    }

    assert_eq!(world.decoder.decoded.load(Ordering::SeqCst), 40);
    assert!(running.status().iter().all(|status| status.shared_reader));
    stop(running).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_projection_stands_still_and_then_catches_up() {
    let mut world = World::new().await;
    world.append_trips(2, 3);
    let running = world.start(all());
    caught_up(&running, "itineraries", &world).await;
    let stood = running.projection("itineraries").unwrap().vector;

    running.pause("itineraries").await.unwrap();
    world.append_trips(2, 6);
    caught_up(&running, "audit", &world).await;

    let paused = running.projection("itineraries").unwrap();
    assert_eq!((paused.state, &paused.vector), (RunState::Paused, &stood));
    running.resume("itineraries").await.unwrap();
    caught_up(&running, "itineraries", &world).await;
    let projection = registered("itineraries");
    world.check(&*projection, 1, &world.expected(&*projection)).await;
    stop(running).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_projection_falls_off_and_joins_again_without_stalling_the_others() {
    let mut world = World::new().await;
    let slow = Poisonable::new(registered("itineraries"));
    *slow.slow.lock().unwrap() = Duration::from_millis(15);
    let settings = ProjectorSettings {
        chunks_waiting_max: 2,
        chunk_records_max: 2,
        batch_events_max: 2,
        stall_max: Duration::from_millis(20),
        join_distance_offsets: 40,
        ..settings()
    };
    let slow_projection: Arc<dyn Projection> = Arc::clone(&slow) as Arc<dyn Projection>;
    let running = world.start_with(vec![slow_projection, registered("audit")], settings);
    until("both joined", || running.status().iter().all(|status| status.shared_reader)).await;

    world.append_trips(5, 40);
    caught_up(&running, "audit", &world).await;
    let behind = running.projection("itineraries").unwrap();
    *slow.slow.lock().unwrap() = Duration::ZERO;
    caught_up(&running, "itineraries", &world).await;

    assert!(!behind.vector.covers(&world.end()), "it was not slow enough to show anything");
    until("it has joined again", || running.projection("itineraries").unwrap().shared_reader).await;
    world.append_trips(5, 3);
    caught_up(&running, "itineraries", &world).await;
    world.check(&*slow, 1, &world.expected(&*slow)).await;
    stop(running).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_on_one_projection_have_one_effect() {
    let mut world = World::new().await;
    let (one, other) = (world.start(all()), world.start(all()));

    for _ in 0..10 {
        world.append_trips(3, 4);
        caught_up(&one, "itineraries", &world).await;
    }

    for running in [&one, &other] {
        for projection in all() {
            caught_up(running, projection.name(), &world).await;
        }
    }
    for projection in all() {
        world.check(&*projection, 1, &world.expected(&*projection)).await;
    }
    stop(one).await;
    stop(other).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waiting_for_what_does_not_come_ends_in_time() {
    let world = World::new().await;
    let running = world.start(all());

    let future = "0:77".parse().unwrap();
    let reached = running.wait_until("audit", &future, Duration::from_millis(30)).await.unwrap();

    assert!(!reached);
    let unknown = running.wait_until("nothing", &future, PATIENCE).await.unwrap_err();
    assert_eq!(unknown.code(), "unknown_projection");
    stop(running).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_live_generation_of_another_version_is_left_alone() {
    let mut world = World::new().await;
    world.append_trips(2, 3);
    let before = Poisonable::of_version(registered("itineraries"), 1_000);
    let running = world.start(vec![before]);
    caught_up(&running, "itineraries", &world).await;
    stop(running).await;

    let running = world.start(vec![registered("itineraries")]);
    until("it says so", || running.projection("itineraries").unwrap().state == RunState::Outdated)
        .await;

    assert!(running.readiness().reasons.iter().any(|reason| reason.contains("outdated")));
    stop(running).await;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    /// Processes die between any two answers of the store, also between a commit and its answer.
    #[test]
    fn crashes_at_any_point_change_nothing(
        history in prop::collection::vec((1..5u8, any::<u8>(), any::<u8>()), 1..60),
        deaths in prop::collection::vec(1..25u64, 0..5),
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let mut world = World::new().await;
            for (trip, kind, which) in history {
                world.append(trip, kind, which);
            }
            for calls in deaths {
                world.store.calls_left.store(calls, Ordering::SeqCst);
                let dying = world.start(all());
                let end = world.end();
                let store = Arc::clone(&world.store);
                until("it is dead, or done", || {
                    store.calls_left.load(Ordering::SeqCst) == 0
                        || dying.status().iter().all(|status| status.vector.covers(&end))
                })
                .await;
                stop(dying).await;
            }
            world.store.calls_left.store(u64::MAX, Ordering::SeqCst);

            let running = world.start(all());
            for projection in all() {
                caught_up(&running, projection.name(), &world).await;
                world.check(&*projection, 1, &world.expected(&*projection)).await;
            }
            stop(running).await;
        });
    }
}
