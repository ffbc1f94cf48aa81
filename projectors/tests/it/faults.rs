//! Dependencies that go away and come back.

use std::sync::atomic::Ordering;

use crate::support::{World, caught_up, registered, stop, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_was_away_is_caught_up_by_itself() {
    let mut world = World::new().await;
    world.append_trips(3, 4);
    let running = world.start(vec![registered("itineraries")]);
    caught_up(&running, "itineraries", &world).await;

    world.store.away.store(true, Ordering::SeqCst);
    world.append_trips(3, 4);
    until("readiness says so", || {
        running.readiness().reasons.iter().any(|reason| reason.contains("read_store_unavailable"))
    })
    .await;
    world.store.away.store(false, Ordering::SeqCst);

    caught_up(&running, "itineraries", &world).await;
    until("it is ready again", || running.readiness().ready()).await;
    let projection = registered("itineraries");
    world.check(&*projection, 1, &world.expected(&*projection)).await;
    stop(running).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_falls_silent_is_replaced() {
    let mut world = World::new().await;
    world.append_trips(3, 4);
    let running = world.start(vec![registered("itineraries")]);
    caught_up(&running, "itineraries", &world).await;

    world.log.silence_readers();
    world.append_trips(3, 4);

    caught_up(&running, "itineraries", &world).await;
    let projection = registered("itineraries");
    world.check(&*projection, 1, &world.expected(&*projection)).await;
    stop(running).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_away_at_the_start_is_waited_for() {
    let mut world = World::new().await;
    world.append_trips(2, 2);
    world.store.away.store(true, Ordering::SeqCst);
    let running = world.start(vec![registered("audit")]);
    until("it says so", || !running.readiness().ready()).await;

    world.store.away.store(false, Ordering::SeqCst);

    caught_up(&running, "audit", &world).await;
    stop(running).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_whose_answer_was_lost_is_not_repeated() {
    let mut world = World::new().await;
    world.store.lost_answers.store(5, Ordering::SeqCst);
    let running = world.start(vec![registered("activity_feed"), registered("itineraries")]);

    world.append_trips(4, 20);

    for name in ["activity_feed", "itineraries"] {
        caught_up(&running, name, &world).await;
        let projection = registered(name);
        world.check(&*projection, 1, &world.expected(&*projection)).await;
    }
    assert_eq!(world.store.lost_answers.load(Ordering::SeqCst), 0);
    stop(running).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_is_away_is_waited_for() {
    let mut world = World::new().await;
    world.log.away(true);
    world.append_trips(3, 4);
    let running = world.start(vec![registered("itineraries")]);
    until("readiness says so", || {
        running.readiness().reasons.iter().any(|reason| reason.contains("log_unavailable"))
    })
    .await;

    world.log.away(false);

    caught_up(&running, "itineraries", &world).await;
    until("it is ready again", || running.readiness().ready()).await;
    stop(running).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schema_registry_that_is_away_parks_nothing() {
    let mut world = World::new().await;
    world.decoder.away.store(true, Ordering::SeqCst);
    world.append_trips(3, 4);
    let running = world.start(vec![registered("itineraries")]);
    until("readiness says so", || {
        running.readiness().reasons.iter().any(|reason| reason.contains("schema registry"))
    })
    .await;

    world.decoder.away.store(false, Ordering::SeqCst);

    caught_up(&running, "itineraries", &world).await;
    assert!(running.dead_letters().is_empty());
    let projection = registered("itineraries");
    world.check(&*projection, 1, &world.expected(&*projection)).await;
    stop(running).await;
}
