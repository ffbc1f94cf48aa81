//! Waiting for what one wrote, and what answers say of their position.

use std::sync::Arc;
use std::time::{Duration, Instant};

use query_api::{LogEnd, QuerySettings, WaitLimits};

use super::world::{
    LOG, OWNER, PATIENCE, STRANGER, TRIP, Who, World, renamed, sample, settings, token,
};

const WAIT_FOR: &str = "waylog-wait-for";

fn patient() -> QuerySettings {
    let wait = WaitLimits { wait_max: PATIENCE, ..settings().wait };
    QuerySettings { wait, ..settings() }
}

#[tokio::test]
async fn a_query_that_waits_sees_what_it_waits_for() {
    let mut log = sample();
    let known = log.events().len();
    log.append(0, TRIP, OWNER, renamed(TRIP, "Eleven days"));
    let world = World::of(&log.events()[..known], patient()).await;
    let wanted = token(log.events());

    let waiting = async {
        let path = format!("/v1/itineraries/{TRIP}");
        world.get_with(Who::traveller(OWNER), &path, &[(WAIT_FOR, &wanted)]).await
    };
    let folding = async {
        tokio::task::yield_now().await;
        world.load(&log.events()[known..]).await;
    };
    let (read, ()) = tokio::join!(waiting, folding);

    let read = read.expect(200);
    assert_eq!(read.body["title"], "Eleven days");
    assert_eq!(read.header("waylog-position"), wanted);
}

#[tokio::test]
async fn a_read_model_that_is_behind_says_how_far() {
    let log = sample();
    let world = World::with(log.events()).await;
    let path = format!("/v1/itineraries/{TRIP}");
    let last = format!("{LOG}@0:21");

    let began = Instant::now();
    let late = world.get_with(Who::traveller(OWNER), &path, &[(WAIT_FOR, &last)]).await.expect(503);

    assert_eq!(late.code(), "read_model_behind");
    assert_eq!(late.body["behind_by"], 21 - 16);
    assert_eq!(late.body["position"], token(log.events()));
    assert!(late.body["waited_ms"].as_u64().unwrap() >= 200, "{:#}", late.body);
    assert!(began.elapsed() < PATIENCE);
    assert_eq!(late.header("retry-after"), "1");
}

#[tokio::test]
async fn waiters_are_all_served_and_one_too_many_is_turned_away() {
    let mut log = sample();
    let known = log.events().len();
    log.append(0, TRIP, OWNER, renamed(TRIP, "Eleven days"));
    let wait = WaitLimits { waiters_max: 8, ..patient().wait };
    let world = World::of(&log.events()[..known], QuerySettings { wait, ..patient() }).await;
    let wanted = token(log.events());
    let path = format!("/v1/itineraries/{TRIP}");
    let headers = [(WAIT_FOR, wanted.as_str())];
    let ask = || world.get_with(Who::traveller(OWNER), &path, &headers);

    // Polled in order: the ninth finds no place, and only then is the event folded.
    let asked = futures::future::join_all((0..9).map(|_| ask()));
    let folding = world.load(&log.events()[known..]);
    let (answers, ()) = tokio::join!(biased_first(asked), folding);

    let count = |status| answers.iter().filter(|answer| answer.status == status).count();
    assert_eq!((count(200), count(503)), (8, 1));
    assert_eq!(answers[8].code(), "unavailable");
}

/// Polls the future before anything beside it: its order of polling is what the test is about.
async fn biased_first<F: Future>(future: F) -> F::Output {
    future.await
}

#[tokio::test]
async fn tokens_of_elsewhere_or_nowhere_are_refused() {
    let world = World::with(sample().events()).await;
    let path = format!("/v1/itineraries/{TRIP}");

    for (sent, code) in [
        ("seven", "invalid_wait_for"),
        ("00000000-0000-0000-0000-000000000001@0:1", "foreign_position"),
    ] {
        let refused = world.get_with(Who::traveller(OWNER), &path, &[(WAIT_FOR, sent)]).await;
        assert_eq!(refused.expect(400).code(), code);
    }
}

#[tokio::test]
async fn a_parked_stream_is_told_to_who_waits_for_what_it_hides() {
    let mut log = sample();
    let known = log.events().len();
    let before = token(log.events());
    log.append(0, TRIP, OWNER, renamed(TRIP, "Eleven days"));
    let world = World::with(&log.events()[..known]).await;
    world.park("itineraries", &log.events()[known]).await;
    let path = format!("/v1/itineraries/{TRIP}");
    let after = token(log.events());
    let ask = |token: &'static str| (WAIT_FOR, token);
    let (before, after) = (ask(before.leak()), ask(after.leak()));

    let hidden = world.get_with(Who::traveller(OWNER), &path, &[after]).await.expect(503);
    let earlier = world.get_with(Who::traveller(OWNER), &path, &[before]).await;
    let careless = world.get(Who::traveller(OWNER), &path).await;

    assert_eq!(hidden.code(), "stream_parked");
    assert_eq!((earlier.status, careless.status), (200, 200));
    assert_eq!(careless.body["title"], "Ten days in Lisbon");
}

#[tokio::test]
async fn an_answer_says_how_far_behind_the_log_it_is_once_that_is_known() {
    let log = sample();
    let world = World::with(log.events()).await;
    let ask = || world.get(Who::traveller(STRANGER), "/v1/itineraries");
    let tell = |vector: &str, seconds: i64| {
        let last = log.events().last().unwrap().envelope.recorded_at.plus_seconds(seconds);
        let end =
            LogEnd { vector: vector.parse().unwrap(), last_event_at: Some(last), before: None };
        *world.log.0.lock().unwrap() = Some(Arc::new(end));
    };

    let unknown = ask().await;
    tell("0:16,1:6", 0);
    let level = ask().await;
    tell("0:18,1:6", 3);
    let behind = ask().await;

    assert!(unknown.headers.get("waylog-lag").is_none());
    assert_eq!(unknown.header("waylog-position"), token(log.events()));
    assert_eq!((level.header("waylog-lag"), behind.header("waylog-lag")), ("0.000", "3.000"));
}

#[tokio::test]
async fn read_models_that_are_not_there_are_unavailable() {
    use read_models::testing::worlds::{SqliteWorld, StoreWorld as _};
    let files = SqliteWorld::new();
    files.open().prepare().await.unwrap();
    let log = Arc::new(query_api::NamedLog(LOG));
    let queries = Arc::new(files.queries());
    let keyring = super::world::keys_that_are_away();
    let api = query_api::QueryApi::new(
        queries,
        keyring,
        (log, Arc::new(crate::world::ToldLog::default())),
        settings(),
        Default::default(),
    );
    let (routes, _) = query_api::router(api).split_for_parts();
    let development = service_kit::auth::Authentication::development();
    let router = service_kit::auth::protect(routes, development);

    for header in [None, Some(format!("{LOG}@0:1"))] {
        let mut request = http::Request::get("/v1/itineraries");
        if let Some(token) = &header {
            request = request.header(WAIT_FOR, token);
        }
        let request = request.body(axum::body::Body::empty()).unwrap();
        let away = super::world::answer(&router, request).await.expect(503);

        assert_eq!(away.code(), "read_store_unavailable");
        let wait = Duration::from_secs(away.header("retry-after").parse().unwrap());
        assert!(wait >= Duration::from_secs(1));
    }
}
