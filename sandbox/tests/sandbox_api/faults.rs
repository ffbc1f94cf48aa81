//! Going wrong on purpose: before the work nothing happened, after it everything did.

use http::Method;
use serde_json::json;
use tokio::time::{Duration, Instant};

use crate::world::{World, intent};

async fn plan(world: &World, operation: &str, kind: &str) {
    let plan = json!({"operation": operation, "kind": kind, "delay_ms": 200, "calls": 1});
    assert_eq!(world.admin(Method::POST, "/admin/faults", plan).await.status, 204);
}

#[tokio::test]
async fn each_planned_fault_happens_once_and_a_repeat_is_told_the_truth() {
    for (kind, done) in [
        ("drop_before", false),
        ("error_before", false),
        ("drop_after", true),
        ("error_after", true),
        ("garbage", true),
        ("delay", true),
    ] {
        let world = World::new().await;
        plan(&world, "confirm", kind).await;
        let body = intent("trip", "card_approved");

        let first = world.send("/v1/payment_intents", "key", body.clone()).await;
        let authorized = world.totals("trip").await["authorized"].as_i64().unwrap_or(0);
        let second = world.post("/v1/payment_intents", "key", body).await;

        match kind {
            "drop_before" | "drop_after" => assert!(first.is_err(), "{kind}"),
            "error_before" | "error_after" => assert_eq!(first.unwrap().status, 500, "{kind}"),
            "garbage" => assert!(first.unwrap().body["garbage"].is_string()),
            _ => assert_eq!(first.unwrap().body["status"], "requires_capture"),
        }
        assert_eq!(authorized > 0, done, "{kind}");
        assert_eq!((second.status.as_u16(), second.replayed), (200, done), "{kind}");
        assert_eq!(world.totals("trip").await["authorized"], 10_000, "{kind}");
    }
}

#[tokio::test]
async fn each_operation_has_faults_of_its_own() {
    let world = World::new().await;
    plan(&world, "capture", "error_before").await;
    plan(&world, "refund", "error_before").await;
    plan(&world, "cancel", "error_before").await;

    let authorized = world.authorize("trip", "card_approved").await;
    let capture = json!({"amount": 10_000});
    let path = "/v1/payment_intents/ref_trip/capture";
    let failed = world.post(path, "c", capture.clone()).await;
    let captured = world.post(path, "c", capture).await;
    plan(&world, "look_up", "error_before").await;
    let unread = world.get("/v1/payment_intents/ref_trip").await;
    let left = world.admin(Method::GET, "/admin/faults", json!({})).await.body["calls"].clone();
    world.admin(Method::DELETE, "/admin/faults", json!({})).await;
    let cleared = world.admin(Method::GET, "/admin/faults", json!({})).await.body;

    assert_eq!(authorized.status, 200);
    assert_eq!((failed.status.as_u16(), failed.code()), (500, "provider_broken"));
    assert_eq!(captured.status, 200);
    assert_eq!(unread.status, 500);
    let left = left.as_array().unwrap().iter().filter(|plan| plan["calls"] == 1).count();
    assert_eq!(left, 2, "refund and cancel");
    assert_eq!(cleared, json!({"calls": [], "webhooks": []}));
}

#[tokio::test]
async fn cards_that_misbehave_do_the_work_and_tell_the_truth_when_asked_again() {
    for card in ["card_slow", "card_silent", "card_lost_answer", "card_error_after_work"] {
        let world = World::new().await;
        let body = intent("trip", card);
        let began = Instant::now();

        let first = world.send("/v1/payment_intents", "key", body.clone()).await;
        let took = began.elapsed();
        let second = world.post("/v1/payment_intents", "key", body).await;

        match card {
            "card_slow" | "card_silent" => {
                assert!(first.is_ok() && took >= Duration::from_millis(300))
            }
            "card_lost_answer" => assert!(first.is_err()),
            _ => assert_eq!(first.unwrap().status, 500),
        }
        assert_eq!((second.status.as_u16(), second.replayed), (200, true), "{card}");
        assert_eq!(world.totals("trip").await["authorized"], 10_000, "{card}");
    }
}

#[tokio::test]
async fn plans_that_cannot_be_are_refused() {
    let world = World::new().await;

    let unknown = json!({"operation": "confirm", "kind": "explode", "calls": 1});
    let unknown = world.admin(Method::POST, "/admin/faults", unknown).await;
    let late = json!({"operation": "confirm", "kind": "delay", "delay_ms": 600_001, "calls": 1});
    let late = world.admin(Method::POST, "/admin/faults", late).await;

    assert_eq!((unknown.status.as_u16(), unknown.code()), (400, "request_malformed"));
    assert_eq!((late.status.as_u16(), late.code()), (400, "parameter_invalid"));
}
