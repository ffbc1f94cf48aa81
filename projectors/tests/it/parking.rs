//! Poison parks its stream, in order, and a replay heals it.

use std::sync::Arc;

use domain::RecordedEvent;
use read_models::Projection;

use crate::support::{Poisonable, World, caught_up, folded, id, registered, stop, stream, until};

/// The events without those of one trip from a version on.
fn without(events: &[RecordedEvent], trip: u128, from_version: u64) -> Vec<RecordedEvent> {
    let parked = |event: &&RecordedEvent| {
        event.envelope.stream.id == id(trip) && event.envelope.version >= from_version
    };
    events.iter().filter(|event| !parked(event)).cloned().collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_poisoned_stream_is_parked_alone_and_in_order() {
    let mut world = World::new().await;
    let projection = Poisonable::new(registered("itineraries"));
    projection.poison(&stream(2), 3);
    world.append_trips(5, 8);

    let running = world.start(vec![Arc::clone(&projection) as Arc<dyn Projection>]);
    caught_up(&running, "itineraries", &world).await;

    let letters = running.dead_letters();
    assert_eq!(letters.len(), 1);
    assert_eq!((letters[0].parked.stream.as_str(), letters[0].waiting), (&*stream(2), 5));
    assert!(letters[0].parked.reason.contains("poisoned"), "{}", letters[0].parked.reason);
    let expected = folded(&*projection.inner(), &without(world.samples.events(), 2, 3));
    world.check(&*projection, 1, &expected).await;
    assert!(running.readiness().ready());
    stop(running).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_parked_stream_stays_parked_over_a_restart_and_a_replay_heals_it() {
    let mut world = World::new().await;
    let projection = Poisonable::new(registered("itineraries"));
    projection.poison(&stream(2), 3);
    world.append_trips(5, 8);
    let running = world.start(vec![Arc::clone(&projection) as Arc<dyn Projection>]);
    caught_up(&running, "itineraries", &world).await;
    stop(running).await;
    let running = world.start(vec![Arc::clone(&projection) as Arc<dyn Projection>]);
    world.append_trips(5, 4);
    caught_up(&running, "itineraries", &world).await;
    assert_eq!(running.dead_letters().len(), 1);

    projection.cure();
    let replayed = running.replay("itineraries", &stream(2)).await.unwrap();

    assert_eq!((replayed.events, replayed.parked), (10, None));
    assert!(running.dead_letters().is_empty());
    let expected = world.expected(&*projection);
    world.check(&*projection, 1, &expected).await;
    let again = running.replay("itineraries", &stream(2)).await.unwrap_err();
    assert_eq!(again.code(), "not_parked");
    stop(running).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_that_meets_more_poison_parks_the_stream_there() {
    let mut world = World::new().await;
    let projection = Poisonable::new(registered("itineraries"));
    projection.poison(&stream(2), 3);
    world.append_trips(3, 9);
    let running = world.start(vec![Arc::clone(&projection) as Arc<dyn Projection>]);
    caught_up(&running, "itineraries", &world).await;

    projection.cure();
    projection.poison(&stream(2), 7);
    let replayed = running.replay("itineraries", &stream(2)).await.unwrap();

    let parked = replayed.parked.unwrap();
    let culprit = world
        .samples
        .events()
        .iter()
        .find(|event| event.envelope.stream.id == id(2) && event.envelope.version == 7);
    assert_eq!((replayed.events, parked.position), (4, culprit.unwrap().position));
    projection.cure();
    running.replay("itineraries", &stream(2)).await.unwrap();
    world.check(&*projection, 1, &world.expected(&*projection)).await;
    stop(running).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_event_parks_its_streams_until_an_upgrade() {
    let mut world = World::new().await;
    world.decoder.unknown.lock().unwrap().insert("itinerary-renamed");
    let projection = registered("activity_feed");
    world.append(1, 0, 0);
    world.append(2, 0, 0);
    world.append(1, 1, 1);
    world.append(1, 12, 2);
    world.append(2, 12, 3);

    let running = world.start(vec![Arc::clone(&projection)]);
    caught_up(&running, "activity_feed", &world).await;
    let letters = running.dead_letters();
    assert_eq!((letters.len(), letters[0].parked.stream.clone()), (1, stream(1)));
    world.decoder.unknown.lock().unwrap().clear();
    let replayed = running.replay("activity_feed", &stream(1)).await.unwrap();

    assert_eq!((replayed.events, replayed.parked), (2, None));
    world.check(&*projection, 1, &world.expected(&*projection)).await;
    stop(running).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_the_store_refuses_parks_its_stream() {
    let mut world = World::new().await;
    // Kind 1 renames: the third trip gets a title that nobody else has.
    *world.store.refused_text.lock().unwrap() = Some("Título 77".to_owned());
    world.append_trips(4, 1);
    world.append(3, 1, 77);
    world.append(1, 1, 5);
    let projection = registered("itineraries");

    let running = world.start(vec![Arc::clone(&projection)]);
    caught_up(&running, "itineraries", &world).await;
    world.append_trips(4, 3);
    caught_up(&running, "itineraries", &world).await;

    let letters = running.dead_letters();
    assert_eq!((letters.len(), letters[0].parked.stream.clone()), (1, stream(3)));
    let expected = folded(&*projection, &without(world.samples.events(), 3, 2));
    world.check(&*projection, 1, &expected).await;
    *world.store.refused_text.lock().unwrap() = None;
    running.replay("itineraries", &stream(3)).await.unwrap();
    world.check(&*projection, 1, &world.expected(&*projection)).await;
    stop(running).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_of_somebody_else_parks_its_key_and_stops_nobody() {
    let mut world = World::new().await;
    world.append_trips(4, 2);
    world.log.unreadable(1, 901, "who-knows");
    world.log.opened(1, 903, 9);
    let projection = registered("itineraries");

    let running = world.start(vec![Arc::clone(&projection)]);
    caught_up(&running, "itineraries", &world).await;

    assert_eq!(running.dead_letters()[0].parked.stream, "who-knows");
    world.check(&*projection, 1, &world.expected(&*projection)).await;
    stop(running).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_that_replay_one_stream_fold_it_once() {
    let mut world = World::new().await;
    let projection = Poisonable::new(registered("itineraries"));
    projection.poison(&stream(2), 2);
    world.append_trips(4, 25);
    let start = || world.start(vec![Arc::clone(&projection) as Arc<dyn Projection>]);
    let (one, other) = (start(), start());
    caught_up(&one, "itineraries", &world).await;
    caught_up(&other, "itineraries", &world).await;
    until("both know", || one.dead_letters().len() + other.dead_letters().len() == 2).await;
    projection.cure();

    let name = stream(2);
    let (first, second) =
        tokio::join!(one.replay("itineraries", &name), other.replay("itineraries", &name));

    // Later kinds of sample events are of streams of other categories, which nothing parked.
    let parked = |event: &&RecordedEvent| {
        event.envelope.stream.to_string() == name && event.envelope.version >= 2
    };
    let parked = world.samples.events().iter().filter(parked).count() as u64;
    assert!(parked > 7, "more than one chunk, so that the two take turns");
    assert_eq!(first.unwrap().events + second.unwrap().events, parked);
    world.check(&*projection, 1, &world.expected(&*projection)).await;
    stop(one).await;
    stop(other).await;
}
