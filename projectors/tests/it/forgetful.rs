//! A store that loses everything: the projection starts again from the log, by itself.

use std::sync::Arc;

use projectors::{Placement, Projectors};
use read_models::Generation;
use read_models::testing::redis_world::RedisWorld;
use read_models::testing::worlds::StoreWorld as _;

use crate::support::{PATIENCE, World, registered, settings, stop, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_redis_lost_are_folded_again_from_the_log() {
    let Some(redis) = RedisWorld::new() else { return };
    let store = redis.open();
    store.prepare().await.unwrap();
    let mut world = World::new().await;
    world.append_trips(5, 8);
    let feed = registered("activity_feed");
    let generation = Generation { projection: "activity_feed".to_owned(), number: 1 };
    let running = Projectors::start(
        Arc::clone(&world.log) as _,
        Arc::clone(&world.decoder) as _,
        vec![Placement { projection: Arc::clone(&feed), store: Arc::clone(&store) }],
        settings(),
    );
    assert!(running.wait_until("activity_feed", &world.end(), PATIENCE).await.unwrap());

    assert!(redis.forget() > 0);
    world.append_trips(1, 2);

    let (end, asked) = (world.end(), &store);
    let mut whole = false;
    let deadline = std::time::Instant::now() + PATIENCE;
    while !whole {
        assert!(std::time::Instant::now() < deadline, "{:?}", running.status());
        let state = asked.state(&generation).await.unwrap();
        whole = state.is_some_and(|state| state.live && state.vector == end);
        tokio::task::yield_now().await;
    }
    until("the runner knows", || running.readiness().reasons.is_empty()).await;
    let (_, sums) = store.recompute_sums(&generation, feed.tables()).await.unwrap();
    let expected = world.expected(&*feed);
    assert!(sums.iter().all(|(table, sum)| *sum == expected.sum(table) && sum.rows > 0));
    assert!(running.dead_letters().is_empty(), "{:?}", running.dead_letters());
    stop(running).await;
}
