//! What outlives the process.

use std::sync::Arc;

use sandbox::{Sandbox, SandboxError};
use serde_json::json;

use crate::world::{Receiver, World, intent, settings};

#[tokio::test]
async fn a_sandbox_that_is_cut_comes_back_with_all_that_it_has_answered() {
    let world = World::new().await;
    let authorized = world.authorize("trip", "card_approved").await;
    world.post("/v1/payment_intents/ref_trip/capture", "c", json!({"amount": 10_000})).await;

    let dir = world.cut().await;
    let world = World::on(dir, |_| {}).await;

    let again = world.authorize("trip", "card_approved").await;
    assert_eq!((again.replayed, again.body), (true, authorized.body));
    assert_eq!(world.totals("trip").await["captured"], 10_000);
}

#[tokio::test]
async fn work_whose_answer_was_cut_is_found_when_asked_again() {
    let world = World::with(|settings| settings.slow_answer = crate::world::PATIENCE).await;
    let asking = {
        let (client, url) = (world.client.clone(), world.url.clone());
        tokio::spawn(async move {
            let call = client.post(format!("{url}/v1/payment_intents"));
            let call = call.bearer_auth(crate::world::SECRET).header("idempotency-key", "key");
            call.json(&intent("trip", "card_slow")).send().await.map(|_| ())
        })
    };
    while world.totals("trip").await["authorized"] != 10_000 {
        tokio::task::yield_now().await;
    }

    let dir = world.cut().await;
    let asked = asking.await.unwrap();
    let world = World::on(dir, |_| {}).await;
    let again = world.post("/v1/payment_intents", "key", intent("trip", "card_slow")).await;

    assert!(asked.is_err());
    assert_eq!((again.status.as_u16(), again.replayed), (200, true));
    assert_eq!(world.totals("trip").await["authorized"], 10_000);
}

#[tokio::test]
async fn webhooks_that_wait_are_delivered_after_a_restart() {
    let mut receiver = Receiver::answering(&[500]).await;
    let target = receiver.target(&["whsec_of_these_tests"]);
    let late = target.clone();
    let world = World::with(|settings| {
        settings.webhook = Some(target);
        settings.webhook_backoff = crate::world::PATIENCE;
    });
    let world = world.await;
    world.authorize("trip", "card_approved").await;
    let first = receiver.next().await.event();
    while world.get("/admin/deliveries").await.body["data"][0]["attempts"] != 1 {
        tokio::task::yield_now().await;
    }
    // The second waits for its time behind the first.
    world.authorize("other", "card_webhook_late").await;

    let dir = world.stop().await;
    let _world = World::on(Arc::clone(&dir), |settings| settings.webhook = Some(late)).await;

    let second = receiver.next().await.event();
    assert_eq!(first["data"]["object"]["reference"], "trip");
    assert_eq!(second["data"]["object"]["reference"], "other");
}

#[tokio::test]
async fn a_ledger_belongs_to_one_process() {
    let world = World::new().await;

    let second = Sandbox::open(&settings(world.dir.path())).unwrap_err();

    assert!(matches!(second, SandboxError::InUse(_)), "{second}");
    assert_eq!(second.code(), "ledger_in_use");
}

#[tokio::test]
async fn entries_cannot_be_changed_even_by_hand() {
    let world = World::new().await;
    world.authorize("trip", "card_approved").await;
    let dir = world.stop().await;

    let ledger = rusqlite::Connection::open(dir.path().join("sandbox.sqlite")).unwrap();
    let changed = ledger.execute("UPDATE entries SET amount = 0", []);
    let removed = ledger.execute("DELETE FROM entries", []);

    assert!(changed.unwrap_err().to_string().contains("only added"));
    assert!(removed.unwrap_err().to_string().contains("only added"));
}
