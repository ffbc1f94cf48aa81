//! Webhooks: signed, repeated until taken, and wrong in each way that they can be.

use std::collections::HashSet;
use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use http::Method;
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::time::Instant;

use crate::world::{Hook, PATIENCE, Receiver, World};

const SECRET: &str = "whsec_of_these_tests";
const NEXT_SECRET: &str = "whsec_of_the_next_tests";

async fn world(receiver: &Receiver) -> World {
    let target = receiver.target(&[SECRET]);
    World::with(|settings| settings.webhook = Some(target)).await
}

/// Whether one of the signatures was made with the secret.
fn signed(hook: &Hook, secret: &str) -> bool {
    let mut parts = hook.signature.split(',');
    let seconds = parts.next().unwrap().strip_prefix("t=").unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(format!("{seconds}.").as_bytes());
    mac.update(&hook.body);
    let bytes = mac.finalize().into_bytes();
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    parts.any(|part| part == format!("v1={digits}"))
}

fn kind(hook: &Hook) -> String {
    hook.event()["type"].as_str().unwrap().to_owned()
}

async fn plan(world: &World, kind: &str, delay_ms: u64) {
    let plan = json!({"kind": kind, "delay_ms": delay_ms, "webhooks": 1});
    assert_eq!(world.admin(Method::POST, "/admin/webhook_faults", plan).await.status, 204);
}

/// The deliveries, once none is pending.
async fn settled(world: &World) -> Vec<Value> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let told = world.get("/admin/deliveries").await.body["data"].clone();
        let deliveries = told.as_array().unwrap();
        if deliveries.iter().all(|delivery| delivery["state"] != "pending") {
            return deliveries.clone();
        }
        assert!(Instant::now() < deadline, "{told}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn everything_that_happens_is_told_signed_and_can_be_looked_up() {
    let mut receiver = Receiver::answering(&[]).await;
    let world = world(&receiver).await;

    world.authorize("trip", "card_approved").await;
    let authorized = receiver.next().await;
    world.post("/v1/payment_intents/ref_trip/capture", "c", json!({"amount": 10_000})).await;
    let captured = receiver.next().await;
    let body = json!({"payment_intent": "ref_trip", "reference": "back", "amount": 10_000});
    world.post("/v1/refunds", "r", body).await;
    let refunded = receiver.next().await;
    world.authorize("broke", "card_declined").await;
    let declined = receiver.next().await;

    let hooks = [&authorized, &captured, &refunded, &declined];
    assert!(hooks.iter().all(|hook| signed(hook, SECRET)));
    assert_eq!(
        hooks.map(kind),
        [
            "payment_intent.authorized",
            "payment_intent.succeeded",
            "refund.succeeded",
            "payment_intent.payment_failed"
        ]
    );
    let event = captured.event();
    let id = event["id"].as_str().unwrap();
    assert_eq!(world.get(&format!("/v1/events/{id}")).await.body, event);
    let listed = world.get("/v1/events?payment_intent=ref_trip").await.body["data"].clone();
    assert_eq!(listed.as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn while_secrets_change_both_sign() {
    let mut receiver = Receiver::answering(&[]).await;
    let world = world(&receiver).await;
    let target = json!({"url": receiver.url, "secrets": [SECRET, NEXT_SECRET]});

    assert_eq!(world.admin(Method::PUT, "/admin/webhook", target).await.status, 204);
    world.authorize("trip", "card_approved").await;
    let hook = receiver.next().await;

    assert!(signed(&hook, SECRET) && signed(&hook, NEXT_SECRET));
    assert!(!signed(&hook, "whsec_of_somebody_else"));
}

#[tokio::test]
async fn a_webhook_that_is_not_taken_is_sent_again() {
    let mut receiver = Receiver::answering(&[500, 302, 429]).await;
    let world = world(&receiver).await;

    world.authorize("trip", "card_approved").await;
    let mut ids = HashSet::new();
    for _ in 0..4 {
        ids.insert(receiver.next().await.event()["id"].clone());
    }
    let deliveries = settled(&world).await;

    assert_eq!(ids.len(), 1, "the same event each time");
    assert_eq!(deliveries[0]["state"], "delivered");
    assert_eq!(deliveries[0]["attempts"], 4);
}

#[tokio::test]
async fn a_webhook_that_nobody_takes_is_listed_as_abandoned() {
    let receiver = Receiver::answering(&[500; 10]).await;
    let target = receiver.target(&[SECRET]);
    let world = World::with(|settings| {
        settings.webhook = Some(target);
        settings.webhook_attempts_max = 3;
    })
    .await;

    world.authorize("trip", "card_approved").await;
    let deliveries = settled(&world).await;

    assert_eq!(deliveries[0]["state"], "abandoned");
    assert_eq!(deliveries[0]["attempts"], 3);
    assert_eq!(deliveries[0]["last_outcome"], "500");
}

#[tokio::test]
async fn beyond_the_bound_webhooks_are_abandoned_and_payments_go_on() {
    let receiver = Receiver::answering(&[]).await;
    let target = receiver.target(&[SECRET]);
    let world = World::with(|settings| {
        settings.webhook = Some(target);
        settings.webhooks_pending_max = 1;
        settings.webhook_late = PATIENCE;
    })
    .await;

    let first = world.authorize("first", "card_webhook_late").await;
    let second = world.authorize("second", "card_webhook_late").await;

    assert_eq!((first.status.as_u16(), second.status.as_u16()), (200, 200));
    let deliveries = world.get("/admin/deliveries").await.body["data"].clone();
    assert_eq!(deliveries[0]["state"], "pending");
    assert_eq!(deliveries[1]["state"], "abandoned");
}

#[tokio::test]
async fn late_means_late() {
    let mut receiver = Receiver::answering(&[]).await;
    let world = world(&receiver).await;
    plan(&world, "late", 250).await;

    let began = Instant::now();
    world.authorize("planned", "card_approved").await;
    receiver.next().await;
    let planned = began.elapsed();
    let began = Instant::now();
    world.authorize("card", "card_webhook_late").await;
    receiver.next().await;
    let by_card = began.elapsed();

    assert!(planned >= Duration::from_millis(250), "{planned:?}");
    assert!(by_card >= Duration::from_millis(300), "{by_card:?}");
}

#[tokio::test]
async fn a_silent_card_is_heard_of_late_and_given_back_at_once() {
    let mut receiver = Receiver::answering(&[]).await;
    let (target, late) = (receiver.target(&[SECRET]), Duration::from_secs(1));
    let world = World::with(|settings| {
        settings.webhook = Some(target);
        (settings.slow_answer, settings.webhook_late) = (late, late);
    })
    .await;

    let began = Instant::now();
    world.authorize("trip", "card_silent").await;
    let answered = began.elapsed();
    receiver.next().await;
    let told = began.elapsed();
    let began = Instant::now();
    world.post("/v1/payment_intents/ref_trip/cancel", "back", json!({})).await;
    let given_back = began.elapsed();

    assert!(answered >= late && told >= late, "{answered:?} {told:?}");
    assert!(given_back < late, "{given_back:?}");
    assert_eq!(world.totals("trip").await["released"], 10_000);
}

#[tokio::test]
async fn twice_means_the_same_event_twice() {
    let mut receiver = Receiver::answering(&[]).await;
    let world = world(&receiver).await;
    plan(&world, "twice", 0).await;

    world.authorize("trip", "card_approved").await;

    let (first, second) = (receiver.next().await, receiver.next().await);
    assert_eq!(first.event(), second.event());
    assert!(signed(&first, SECRET) && signed(&second, SECRET));
}

#[tokio::test]
async fn out_of_order_means_after_the_next() {
    let mut receiver = Receiver::answering(&[]).await;
    let world = world(&receiver).await;
    plan(&world, "out_of_order", 0).await;

    world.authorize("trip", "card_approved").await;
    world.post("/v1/payment_intents/ref_trip/capture", "c", json!({"amount": 10_000})).await;

    let kinds = [kind(&receiver.next().await), kind(&receiver.next().await)];
    assert_eq!(kinds, ["payment_intent.succeeded", "payment_intent.authorized"]);
}

#[tokio::test]
async fn forged_means_another_story_under_an_unknown_secret() {
    let mut receiver = Receiver::answering(&[]).await;
    let world = world(&receiver).await;
    plan(&world, "forged", 0).await;

    world.authorize("trip", "card_approved").await;
    let hooks = [receiver.next().await, receiver.next().await];

    let (genuine, forged): (Vec<_>, Vec<_>) = hooks.iter().partition(|hook| signed(hook, SECRET));
    assert_eq!((genuine.len(), forged.len()), (1, 1));
    let amount = |hook: &Hook| hook.event()["data"]["object"]["amount"].clone();
    assert_eq!((amount(genuine[0]), amount(forged[0])), (json!(10_000), json!(1_000_000)));
    let id = forged[0].event()["id"].as_str().unwrap().to_owned();
    assert_eq!(world.get(&format!("/v1/events/{id}")).await.status, 404);
}
