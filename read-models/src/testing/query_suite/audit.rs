//! What is answered about events and positions.

use std::time::{Duration, Instant};

use domain::ids::AccountId;
use domain::{Actor, Position, PositionVector};

use super::{FRIEND, Scene, history, itinerary, other_tenant, page, trip_id, viewer};
use crate::projection::Projection as _;
use crate::projections::{AuditRow, Itineraries};
use crate::queries::QueryError;
use crate::store::{Changes, Generation, ParkedStream, ReadStoreError};
use crate::testing::loader::{Loader, index};
use crate::testing::worlds::StoreWorld;

/// The same events from three sides, page by page.
pub async fn audit_lists_streams_requests_and_actors(world: &impl StoreWorld) {
    let scene = Scene::of(world).await;
    let (queries, tenant) = (&scene.queries, &scene.tenant);
    let first = &scene.events[0].envelope;

    let one = queries.stream_events(tenant, first.stream, &page(5, None)).await.unwrap().value;
    let two = queries.stream_events(tenant, first.stream, &page(5, one.next_cursor)).await.unwrap();
    let versions: Vec<_> =
        one.items.iter().chain(&two.value.items).map(|event| event.version).collect();
    assert_eq!(versions, (1..=9).collect::<Vec<_>>());
    assert_eq!(two.value.next_cursor, None);

    let request = scene.events[2].envelope.correlation_id;
    let caused = queries.correlated_events(tenant, request, &page(1, None)).await.unwrap().value;
    let rest =
        queries.correlated_events(tenant, request, &page(5, caused.next_cursor)).await.unwrap();
    let caused: Vec<_> =
        caused.items.iter().chain(&rest.value.items).map(AuditRow::position).collect();
    assert_eq!(caused, [scene.events[1].position, scene.events[2].position]);

    let friend = Actor::Account(AccountId(FRIEND));
    let did = queries.actor_events(tenant, &friend, &page(2, None)).await.unwrap().value;
    let before = queries.actor_events(tenant, &friend, &page(2, did.next_cursor)).await.unwrap();
    let did: Vec<_> =
        did.items.iter().chain(&before.value.items).map(|e| e.event_type.as_str()).collect();
    let expected =
        ["itinerary-collaborator-joined", "itinerary-commented", "itinerary-collaborator-joined"];
    assert_eq!(did, expected);

    let stored = queries.event_at(tenant, scene.events[0].position).await.unwrap().value.unwrap();
    assert_eq!(stored.stream_name().unwrap(), first.stream);
    assert_eq!((stored.hash, stored.sequence), (first.hash, first.sequence));
    assert_eq!(stored.payload.0["owner"], super::OWNER.to_string());
    let elsewhere = queries.event_at(&other_tenant(), scene.events[0].position).await.unwrap();
    assert_eq!(elsewhere.value, None);
    let elsewhere = queries.stream_events(&other_tenant(), first.stream, &page(5, None)).await;
    assert!(elsewhere.unwrap().value.items.is_empty());
}

/// A reader that goes on from where it was told misses nothing and sees nothing twice.
pub async fn events_after_a_position_come_once_and_in_order(world: &impl StoreWorld) {
    let scene = Scene::of(world).await;
    for tenant in [scene.tenant.clone(), other_tenant()] {
        let (mut after, mut given) = (PositionVector::empty(), Vec::new());

        loop {
            let answer = scene.queries.events_after(&tenant, &after, 3).await.unwrap();
            assert!(answer.value.events.len() <= 3);
            given.extend(answer.value.events.iter().map(AuditRow::position));
            after = answer.value.next;
            if !answer.value.more {
                break;
            }
        }

        let of_tenant = scene.events.iter().filter(|event| event.envelope.tenant == tenant);
        let expected: Vec<Position> = of_tenant.map(|event| event.position).collect();
        assert_eq!(given, expected, "in order of time, which keeps that of each partition");
        assert_eq!(after, scene.end);
        let nothing = scene.queries.events_after(&tenant, &after, 3).await.unwrap().value;
        assert_eq!((nothing.events, nothing.next), (Vec::new(), after));
    }
}

/// Reached: at once. Not reached: what is there, when the time is over. No read model: unavailable.
pub async fn a_position_is_waited_for_no_longer_than_asked(world: &impl StoreWorld) {
    let scene = Scene::of(world).await;
    let mut beyond = scene.end.clone();
    beyond.advance(Position { partition: 0, offset: 10_000 });
    let wait = Duration::from_millis(60);

    let reached =
        scene.queries.wait_until("itineraries", &scene.end, Duration::from_secs(60)).await;
    let start = Instant::now();
    let behind = scene.queries.wait_until("itineraries", &beyond, wait).await.unwrap();
    let nobody = scene.queries.position("nobody").await;

    assert_eq!(reached.unwrap().vector, scene.end);
    assert!(start.elapsed() >= wait);
    assert!(!behind.vector.covers(&beyond) && behind.vector == scene.end);
    let unavailable = matches!(nobody, Err(QueryError::Store(ReadStoreError::Unavailable(..))));
    assert!(unavailable, "{nobody:?}");
}

/// The reason that the runner gave is what a client can be told.
pub async fn a_parked_stream_says_why(world: &impl StoreWorld) {
    let scene = Scene::of(world).await;
    let generation = Generation { projection: "itineraries".to_owned(), number: 1 };
    let parked = ParkedStream {
        stream: scene.events[0].envelope.stream.to_string(),
        position: Position { partition: 1, offset: 77 },
        reason: "an event of the future".to_owned(),
    };
    let changes = Changes {
        generation: &generation,
        expected: &scene.end,
        expected_continuity: "",
        next: &scene.end,
        continuity: "",
        last_event_at: None,
        tables: Vec::new(),
        parked: vec![parked.clone()],
        unparked: Vec::new(),
    };
    scene.store.apply(changes).await.unwrap();

    let why = scene.queries.parked_stream("itineraries", &parked.stream).await.unwrap();
    let other = scene.queries.parked_stream("itineraries", "itinerary-2").await.unwrap();

    assert_eq!(why.value, Some(parked));
    assert_eq!(other.value, None);
}

/// After a switch the same question is answered from the new tables, and says so.
pub async fn answers_follow_the_live_pointer(world: &impl StoreWorld) {
    let scene = Scene::of(world).await;
    let mut rebuilt = Loader::new(&*scene.store, &Itineraries, 2).await.unwrap();
    let mut events = history();
    // The rebuild gives something else, so that it can be told apart.
    events.retain(|event| event.envelope.stream.id != trip_id(1) || event.envelope.version == 1);
    rebuilt.batch(&events).await.unwrap();
    let end = events.iter().map(|event| event.position).collect::<PositionVector>();
    let generation = |number| Generation { projection: "itineraries".to_owned(), number };
    let ask = async || {
        let asked = scene.queries.itinerary(&scene.tenant, viewer(super::OWNER), itinerary(1));
        let answer = asked.await.unwrap();
        (answer.at.generation, answer.value.unwrap().itinerary.version)
    };
    let before = ask().await;

    let mut caught_up = end.clone();
    caught_up.merge(&scene.end);
    let moved = Changes {
        generation: &generation(2),
        expected: &end,
        expected_continuity: "",
        next: &caught_up,
        continuity: "",
        last_event_at: None,
        tables: Vec::new(),
        parked: Vec::new(),
        unparked: Vec::new(),
    };
    scene.store.apply(moved).await.unwrap();
    index(&*scene.store, &generation(2), Itineraries.tables()).await.unwrap();
    scene.store.promote(&generation(2)).await.unwrap();

    assert_eq!(before, (1, 9));
    assert_eq!(ask().await, (2, 1));
}
