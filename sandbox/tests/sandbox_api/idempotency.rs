//! The same key, the same answer, the work once.

use std::time::Duration;

use serde_json::json;

use crate::world::{World, intent};

#[tokio::test]
async fn a_repeat_is_told_the_same_and_charges_nothing_more() {
    let world = World::new().await;
    let body = intent("trip", "card_approved");

    let first = world.post("/v1/payment_intents", "key", body.clone()).await;
    let second = world.post("/v1/payment_intents", "key", body).await;

    assert_eq!((first.status, &first.body), (second.status, &second.body));
    assert_eq!((first.replayed, second.replayed), (false, true));
    assert_eq!(world.totals("trip").await["authorized"], 10_000);
}

#[tokio::test]
async fn members_in_another_order_are_the_same_request() {
    let world = World::new().await;
    let call = |body: &'static str| {
        world
            .client
            .post(format!("{}/v1/payment_intents", world.url))
            .bearer_auth(crate::world::SECRET)
            .header("idempotency-key", "key")
            .body(body)
            .send()
    };

    let first = call(
        r#"{"reference":"t","amount":5,"currency":"EUR","method":"card_approved","confirm":true}"#,
    );
    let first = first.await.unwrap().status();
    let second = call(
        r#"{"confirm":true,"method":"card_approved","currency":"EUR","amount":5,"reference":"t"}"#,
    );
    let second = second.await.unwrap();

    assert_eq!(first, 200);
    assert!(second.headers().contains_key("idempotent-replayed"));
}

#[tokio::test]
async fn a_key_belongs_to_one_request() {
    let world = World::new().await;
    world.post("/v1/payment_intents", "key", intent("trip", "card_approved")).await;

    let body = world.post("/v1/payment_intents", "key", intent("other", "card_approved")).await;
    let path = world.post("/v1/payment_intents/ref_trip/cancel", "key", json!({})).await;

    for told in [body, path] {
        assert_eq!((told.status.as_u16(), told.code()), (422, "idempotency_mismatch"));
        assert_eq!(told.body["error"]["type"], "idempotency_error");
    }
    assert_eq!(world.totals("trip").await["reserved"], 10_000);
}

#[tokio::test]
async fn a_decline_is_an_answer_that_is_kept_too() {
    let world = World::new().await;

    let first = world.authorize("trip", "card_declined").await;
    let second = world.authorize("trip", "card_declined").await;

    assert_eq!(first.body, second.body);
    assert!(second.replayed);
}

#[tokio::test]
async fn a_reference_is_one_payment_even_under_other_keys() {
    let world = World::new().await;
    let mut other = intent("trip", "card_approved");
    other["amount"] = json!(10_001);
    world.authorize("trip", "card_approved").await;

    let same = world.post("/v1/payment_intents", "k2", intent("trip", "card_approved")).await;
    let other = world.post("/v1/payment_intents", "k3", other).await;

    assert_eq!(same.code(), "intent_authorized");
    assert_eq!(other.code(), "reference_taken");
    assert_eq!(world.totals("trip").await["authorized"], 10_000);
}

#[tokio::test]
async fn a_reference_is_one_refund_even_when_its_key_was_forgotten() {
    let world = World::with(|settings| settings.idempotency_ttl = Duration::ZERO).await;
    world.authorize("trip", "card_approved").await;
    world.post("/v1/payment_intents/ref_trip/capture", "c", json!({"amount": 10_000})).await;
    let body = json!({"payment_intent": "ref_trip", "reference": "back", "amount": 4000});
    let first = world.post("/v1/refunds", "key", body.clone()).await;
    // The clock of the ledger counts milliseconds: the key is forgotten when one has passed.
    let mut second = world.post("/v1/refunds", "key", body.clone()).await;
    while second.replayed {
        second = world.post("/v1/refunds", "key", body.clone()).await;
    }

    assert_eq!(first.body, second.body);
    assert_eq!(world.totals("trip").await["refunded"], 4000);
}

#[tokio::test]
async fn callers_at_the_same_time_charge_once() {
    let world = World::new().await;

    let calls = (0..16).map(|number| {
        let key = if number % 2 == 0 { "even".to_owned() } else { format!("odd-{number}") };
        let world = &world;
        async move {
            world.post("/v1/payment_intents", &key, intent("trip", "card_approved")).await
        }
    });
    let told = futures::future::join_all(calls).await;

    let fresh = told.iter().filter(|told| told.status == 200 && !told.replayed).count();
    assert_eq!(fresh, 1);
    assert_eq!(world.totals("trip").await["authorized"], 10_000);
}
