//! A log that is not whole stops the partition, loudly, and nobody else.

use std::sync::Arc;

use domain::{Position, RecordedEvent};
use projectors::{BreakKind, Projectors};
use read_models::Projection;

use crate::support::{World, caught_up, folded, registered, settings, stop, until};

/// Trips 1 to 4 in partitions 1, 2, 3 and 0; the log lacks the second event of trip 1.
async fn world_with_a_gap() -> (World, Arc<dyn Projection>, Position) {
    let mut world = World::new().await;
    let mut missing = World::new().await;
    for number in 1..=4 {
        missing.append(number, 0, 0);
    }
    missing.append(1, 5, 1);
    let first_after = missing.append(1, 12, 3).position;
    for number in 2..=4 {
        missing.append(number, 12, 2);
    }
    for (index, event) in missing.samples.events().iter().enumerate() {
        if index != 4 {
            world.log.append(event, &world.decoder);
        }
    }
    world.samples = missing.samples;
    (world, registered("activity_feed"), first_after)
}

fn breaks(running: &Projectors) -> usize {
    running.projection("activity_feed").unwrap().breaks.len()
}

fn without_the_missing(world: &World) -> Vec<RecordedEvent> {
    let events = world.samples.events();
    events.iter().enumerate().filter(|(index, _)| *index != 4).map(|(_, e)| e.clone()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gap_stops_its_partition_alone_and_is_told() {
    let (world, projection, first_after) = world_with_a_gap().await;
    let running = world.start(vec![Arc::clone(&projection)]);

    until("it stopped", || breaks(&running) == 1).await;
    until("the others went on", || {
        let vector = running.projection("activity_feed").unwrap().vector;
        [0, 2, 3].iter().all(|&partition| vector.offset(partition) == world.end().offset(partition))
    })
    .await;

    let status = running.projection("activity_feed").unwrap();
    assert_eq!(status.breaks[0].position, first_after);
    assert_eq!(status.breaks[0].kind, BreakKind::Sequence { expected: 2, found: 3 });
    assert!(!status.vector.includes(first_after));
    assert!(running.readiness().reasons.iter().any(|reason| reason.contains("sequence")));
    stop(running).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_accepted_gap_is_passed_also_after_a_restart_and_by_a_rebuild() {
    let (world, projection, _) = world_with_a_gap().await;
    let running = world.start(vec![Arc::clone(&projection)]);
    until("it stopped", || breaks(&running) == 1).await;
    stop(running).await;
    let running = world.start(vec![Arc::clone(&projection)]);
    until("it is still stopped", || breaks(&running) == 1).await;
    let other = running.accept_gap("activity_feed", 2).await.unwrap_err();
    assert_eq!(other.code(), "not_broken");

    running.accept_gap("activity_feed", 1).await.unwrap();

    caught_up(&running, "activity_feed", &world).await;
    let parked: Vec<String> =
        running.dead_letters().into_iter().map(|letter| letter.parked.reason).collect();
    assert!(parked.is_empty(), "{parked:?}");
    let expected = folded(&*projection, &without_the_missing(&world));
    world.check(&*projection, 1, &expected).await;
    let rebuild = running.rebuild("activity_feed").await.unwrap();
    until("the rebuild passes it too", || {
        let status = running.rebuild_status("activity_feed", rebuild.number).unwrap();
        status.vector == world.end() && status.comparison.is_some()
    })
    .await;
    stop(running).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_epoch_that_goes_back_stops_the_partition() {
    let mut world = World::new().await;
    world.append(1, 0, 0);
    world.log.opened(1, 101, 9);
    world.log.opened(1, 103, 4);
    let running = world.start_with(vec![registered("activity_feed")], settings());

    until("it stopped", || breaks(&running) == 1).await;

    let status = running.projection("activity_feed").unwrap();
    assert_eq!(status.breaks[0].kind, BreakKind::Epoch { last: 9, found: 4 });
    assert_eq!(status.vector.offset(1), Some(101));
    stop(running).await;
}
