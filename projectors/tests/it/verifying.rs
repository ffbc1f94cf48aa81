//! A read model is what the log says, or the evidence names the row that is not.

use std::sync::Arc;

use projectors::{Projectors, Verdict, Verification};
use read_models::testing::worlds::{SqliteWorld, StoreWorld};
use read_models::{Projection, ReadStore};

use crate::support::{Poisonable, World, caught_up, registered, stop, stream};

const NAME: &str = "itineraries";

async fn verify(running: &Projectors) -> Verification {
    let scratch_world = SqliteWorld::new();
    let scratch: Arc<dyn ReadStore> = scratch_world.open();
    scratch.prepare().await.unwrap();
    let verification = running.verify(NAME, Arc::clone(&scratch)).await.unwrap();
    assert!(scratch.generations().await.unwrap().iter().all(|state| state.live));
    verification
}

async fn altered(world: &World, sql: &str) {
    let connection = rusqlite::Connection::open(world.path()).unwrap();
    connection.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
    assert_eq!(connection.execute(sql, []).unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_untouched_read_model_holds() {
    let mut world = World::new().await;
    world.append_trips(4, 12);
    let running = world.start(vec![registered(NAME)]);
    caught_up(&running, NAME, &world).await;

    let verification = verify(&running).await;

    assert!(verification.holds(), "{verification:?}");
    assert_eq!(verification.folded.vector, world.end());
    assert!(verification.folded.tables.iter().any(|table| table.expected.unwrap().rows > 0));
    stop(running).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_altered_by_hand_is_found_and_named() {
    let mut world = World::new().await;
    world.append_trips(4, 12);
    let running = world.start(vec![registered(NAME)]);
    caught_up(&running, NAME, &world).await;
    altered(&world, "UPDATE itineraries_g1 SET title = 'Mine' WHERE rowid = 2").await;

    let verification = verify(&running).await;

    assert!(!verification.holds());
    assert_eq!(verification.folded.verdict, Verdict::Equal, "the kept sums are untouched");
    let difference = verification.first_difference.unwrap();
    let shown = difference.to_string();
    assert!(shown.starts_with("itineraries ("), "{shown}");
    assert!(shown.ends_with(", the store holds \"Mine\""), "{shown}");
    stop(running).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_parked_stream_is_left_out_from_where_it_is_parked() {
    let mut world = World::new().await;
    world.append_trips(4, 6);
    let projection = Poisonable::new(registered(NAME));
    projection.poison(&stream(3), 4);
    let running = world.start(vec![Arc::clone(&projection) as Arc<dyn Projection>]);
    caught_up(&running, NAME, &world).await;
    projection.cure();

    let verification = verify(&running).await;

    assert_eq!(verification.parked, 1);
    assert!(verification.holds(), "{verification:?}");
    stop(running).await;
}
