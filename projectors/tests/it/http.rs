//! The operations over HTTP: names, statuses, problems.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;

use crate::support::{Poisonable, World, caught_up, registered, stop, stream, until};

struct Client(axum::Router);

impl Client {
    fn of(running: &projectors::Projectors) -> Self {
        let (router, _) = projectors::http::router(running.clone()).split_for_parts();
        Self(service_kit::request_layer::wrap(router, Duration::from_secs(60)))
    }

    async fn send(&self, method: Method, path: &str, body: &str) -> (StatusCode, String, Value) {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", "application/json")
            .body(Body::from(body.to_owned()))
            .unwrap();
        let response = self.0.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let location = parts.headers.get("location").map(|value| value.to_str().unwrap());
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        (parts.status, location.unwrap_or_default().to_owned(), body)
    }

    async fn get(&self, path: &str) -> (StatusCode, Value) {
        let (status, _, body) = self.send(Method::GET, path, "").await;
        (status, body)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rebuild_is_started_watched_promoted_and_rolled_back() {
    let mut world = World::new().await;
    world.append_trips(3, 6);
    let running = world.start(vec![registered("itineraries")]);
    caught_up(&running, "itineraries", &world).await;
    let client = Client::of(&running);

    let (status, location, body) =
        client.send(Method::POST, "/v1/projections/itineraries/rebuilds", "").await;
    assert_eq!(
        (status, &*location),
        (StatusCode::ACCEPTED, "/v1/projections/itineraries/rebuilds/2")
    );
    assert_eq!(body["id"], 2);
    until("it is ready", || {
        running.rebuild_status("itineraries", 2).unwrap().state == projectors::RebuildState::Ready
    })
    .await;
    let (_, watched) = client.get(&location).await;
    let (promoted, _, now) =
        client.send(Method::POST, "/v1/projections/itineraries/promotion", "{}").await;
    let (back, _, rolled) =
        client.send(Method::POST, "/v1/projections/itineraries/rollback", "").await;
    let (gone, _, _) = client.send(Method::DELETE, &location, "").await;

    assert_eq!((&watched["state"], watched["parked"].as_u64()), (&"ready".into(), Some(0)));
    assert_eq!((promoted, now["generation"].as_u64()), (StatusCode::OK, Some(2)));
    assert_eq!((back, rolled["generation"].as_u64()), (StatusCode::OK, Some(1)));
    assert_eq!(gone, StatusCode::NO_CONTENT);
    stop(running).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_letter_is_listed_and_replayed() {
    let mut world = World::new().await;
    let projection = Poisonable::new(registered("itineraries"));
    projection.poison(&stream(1), 2);
    world.append_trips(2, 4);
    let running = world.start(vec![projection.clone()]);
    caught_up(&running, "itineraries", &world).await;
    let client = Client::of(&running);

    let (_, letters) = client.get("/v1/dead-letters").await;
    let id = letters["data"][0]["id"].as_str().unwrap().to_owned();
    projection.cure();
    let path = format!("/v1/dead-letters/{id}/replay");
    let (status, _, replayed) = client.send(Method::POST, &path, "").await;
    let (again, _, problem) = client.send(Method::POST, &path, "").await;

    assert_eq!(id, format!("itineraries:{}", stream(1)));
    assert_eq!(letters["data"][0]["waiting"], 2);
    assert_eq!((status, replayed["freed"].as_bool()), (StatusCode::OK, Some(true)));
    assert_eq!((again, problem["code"].as_str()), (StatusCode::NOT_FOUND, Some("not_parked")));
    stop(running).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_there_or_not_possible_is_a_problem() {
    let world = World::new().await;
    let running = world.start(vec![registered("itineraries")]);
    caught_up(&running, "itineraries", &world).await;
    until("it runs", || running.readiness().ready()).await;
    let client = Client::of(&running);

    let (unknown, problem) = client.get("/v1/projections/nothing").await;
    let (whole, _, not_broken) = client
        .send(
            Method::POST,
            "/v1/projections/itineraries/continuity-acceptance",
            r#"{"partition": 1}"#,
        )
        .await;
    let (paused, _, state) =
        client.send(Method::POST, "/v1/projections/itineraries/pause", "").await;

    assert_eq!((unknown, &problem["code"]), (StatusCode::NOT_FOUND, &"unknown_projection".into()));
    assert_eq!((whole, &not_broken["code"]), (StatusCode::CONFLICT, &"not_broken".into()));
    assert_eq!((paused, &state["state"]), (StatusCode::OK, &"paused".into()));
    stop(running).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_route_is_in_the_document() {
    let world = World::new().await;
    let running = world.start(vec![registered("audit")]);

    let (_, document) = projectors::http::router(running.clone()).split_for_parts();
    let document = serde_json::to_value(document).unwrap();

    let paths: Vec<&String> = document["paths"].as_object().unwrap().keys().collect();
    assert_eq!(paths.len(), 13, "{paths:?}");
    assert!(document["components"]["schemas"]["Rebuild"].is_object());
    stop(running).await;
}
