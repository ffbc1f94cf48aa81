//! What moves money, what does not, and what the ledger says of it.

use http::StatusCode;
use serde_json::{Value, json};

use crate::world::{World, intent};

#[tokio::test]
async fn a_payment_is_authorized_captured_and_refunded_in_parts() {
    let world = World::new().await;

    let authorized = world.authorize("trip", "card_approved").await;
    let path = format!("/v1/payment_intents/{}", authorized.body["id"].as_str().unwrap());
    let captured = world.post(&format!("{path}/capture"), "c", json!({"amount": 9000})).await;
    let refund = |reference: &str, amount: i64| {
        let intent = "ref_trip";
        json!({"payment_intent": intent, "reference": reference, "amount": amount})
    };
    let first = world.post("/v1/refunds", "r1", refund("first", 4000)).await;
    let too_much = world.post("/v1/refunds", "r2", refund("second", 5001)).await;
    let rest = world.post("/v1/refunds", "r3", refund("third", 5000)).await;

    assert_eq!((authorized.status, &authorized.body["status"]), status(200, "requires_capture"));
    assert_eq!((captured.status, &captured.body["status"]), status(200, "succeeded"));
    assert_eq!((first.status, &first.body["status"]), status(200, "succeeded"));
    assert_eq!((too_much.status.as_u16(), too_much.code()), (400, "amount_too_large"));
    assert_eq!(rest.status, 200);
    let totals = world.totals("trip").await;
    assert_eq!(totals["authorized"], 10_000);
    assert_eq!(totals["captured"], 9000);
    assert_eq!(totals["released"], 1000);
    assert_eq!(totals["refunded"], 9000);
    assert_eq!(totals["reserved"], 0);
    let known = world.get(&format!("{path}?expand=refunds")).await.body;
    assert_eq!(known["amount_refunded"], 9000);
    assert_eq!(known["refunds"].as_array().unwrap().len(), 2);
    assert_eq!(world.get("/v1/refunds/ref_third").await.body, rest.body);
}

fn status<'a>(status: u16, text: &str) -> (StatusCode, &'a Value) {
    let known = Box::leak(Box::new(json!(text)));
    (StatusCode::from_u16(status).unwrap(), known)
}

#[tokio::test]
async fn every_movement_has_two_sides() {
    let world = World::new().await;
    world.authorize("trip", "card_approved").await;
    world.post("/v1/payment_intents/ref_trip/capture", "c", json!({"amount": 7000})).await;

    let entries = world.get("/v1/payment_intents/ref_trip/entries").await.body["data"].clone();

    let entries = entries.as_array().unwrap();
    assert_eq!(entries.len(), 6, "authorization, capture, release");
    for pair in entries.chunks(2) {
        assert_eq!(pair[0]["movement"], pair[1]["movement"]);
        let sum = pair[0]["amount"].as_i64().unwrap() + pair[1]["amount"].as_i64().unwrap();
        assert_eq!(sum, 0);
    }
}

#[tokio::test]
async fn a_declined_card_reserves_nothing_and_another_try_is_decided_anew() {
    for (card, code) in
        [("card_declined", "card_declined"), ("card_insufficient_funds", "insufficient_funds")]
    {
        let world = World::new().await;

        let declined = world.authorize("trip", card).await;
        let again = world.post("/v1/payment_intents/ref_trip/confirm", "again", json!({})).await;

        assert_eq!((declined.status.as_u16(), declined.code()), (402, code));
        assert_eq!(declined.body["error"]["type"], "card_error");
        assert_eq!(declined.body["error"]["payment_intent"]["status"], "requires_payment_method");
        assert_eq!((again.status.as_u16(), again.code(), again.replayed), (402, code, false));
        assert_eq!(world.totals("trip").await["authorized"], 0);
    }
}

#[tokio::test]
async fn a_canceled_payment_gives_back_and_takes_no_more() {
    let world = World::new().await;
    world.authorize("trip", "card_approved").await;

    let canceled = world.post("/v1/payment_intents/ref_trip/cancel", "v", json!({})).await;
    let again = world.post("/v1/payment_intents/ref_trip/cancel", "v2", json!({})).await;
    let capture =
        world.post("/v1/payment_intents/ref_trip/capture", "c", json!({"amount": 1})).await;
    let late = world.authorize("trip", "card_approved").await;
    let other_key =
        world.post("/v1/payment_intents", "other", intent("trip", "card_approved")).await;

    assert_eq!((canceled.status, &canceled.body["status"]), status(200, "canceled"));
    assert_eq!((again.status, &again.body["status"]), status(200, "canceled"));
    assert_eq!((capture.status.as_u16(), capture.code()), (409, "intent_canceled"));
    assert!(late.replayed, "the same key is told the same again");
    assert_eq!((other_key.status.as_u16(), other_key.code()), (409, "intent_canceled"));
    let totals = world.totals("trip").await;
    assert_eq!((&totals["released"], &totals["reserved"]), (&json!(10_000), &json!(0)));
}

#[tokio::test]
async fn canceling_an_unknown_reference_closes_the_door_on_it() {
    let world = World::new().await;
    let path = "/v1/payment_intents/ref_trip/cancel";

    let vague = world.post(path, "v1", json!({})).await;
    let canceled = world.post(path, "v2", json!({"amount": 10_000, "currency": "EUR"})).await;
    let late = world.authorize("trip", "card_approved").await;

    assert_eq!((vague.status.as_u16(), vague.code()), (404, "intent_unknown"));
    assert_eq!((canceled.status, &canceled.body["status"]), status(200, "canceled"));
    assert_eq!((late.status.as_u16(), late.code()), (409, "intent_canceled"));
    assert_eq!(world.totals("trip").await["authorized"], 0);
}

#[tokio::test]
async fn what_does_not_fit_the_state_is_refused_with_the_state() {
    let world = World::new().await;
    let confirmed = json!({
        "reference": "trip", "amount": 10_000, "currency": "EUR", "method": "card_approved",
    });
    world.post("/v1/payment_intents", "create", confirmed).await;
    let path = "/v1/payment_intents/ref_trip";

    let early = world.post(&format!("{path}/capture"), "c1", json!({"amount": 1})).await;
    world.post(&format!("{path}/confirm"), "confirm", json!({})).await;
    let twice = world.post(&format!("{path}/confirm"), "confirm2", json!({})).await;
    let more = world.post(&format!("{path}/capture"), "c2", json!({"amount": 10_001})).await;
    world.post(&format!("{path}/capture"), "c3", json!({"amount": 10_000})).await;
    let void = world.post(&format!("{path}/cancel"), "v", json!({})).await;

    assert_eq!(early.code(), "intent_unconfirmed");
    assert_eq!(twice.code(), "intent_authorized");
    assert_eq!(twice.body["error"]["payment_intent"]["amount_authorized"], 10_000);
    assert_eq!(more.code(), "amount_too_large");
    assert_eq!(void.code(), "intent_captured");
    assert_eq!(world.totals("trip").await["captured"], 10_000);
}

#[tokio::test]
async fn a_refused_capture_leaves_the_money_reserved() {
    let world = World::new().await;
    world.authorize("trip", "card_capture_refused").await;
    let path = "/v1/payment_intents/ref_trip/capture";

    let refused = world.post(path, "c", json!({"amount": 10_000})).await;
    let again = world.post(path, "c2", json!({"amount": 10_000})).await;
    let before = world.totals("trip").await;
    let given_back = world.post("/v1/payment_intents/ref_trip/cancel", "v", json!({})).await;

    assert_eq!((refused.status.as_u16(), refused.code()), (402, "capture_refused"));
    assert_eq!(again.code(), "capture_refused");
    assert_eq!((&before["captured"], &before["reserved"]), (&json!(0), &json!(10_000)));
    assert_eq!(given_back.status, 200);
    assert_eq!(world.totals("trip").await["released"], 10_000);
}

#[tokio::test]
async fn a_refused_refund_moves_nothing_and_stays_on_record() {
    let world = World::new().await;
    world.authorize("trip", "card_refund_refused").await;
    world.post("/v1/payment_intents/ref_trip/capture", "c", json!({"amount": 10_000})).await;
    let body = json!({"payment_intent": "ref_trip", "reference": "back", "amount": 10_000});

    let refused = world.post("/v1/refunds", "r", body.clone()).await;
    let other_key = world.post("/v1/refunds", "r2", body).await;

    assert_eq!((refused.status.as_u16(), refused.code()), (402, "refund_refused"));
    assert_eq!(other_key.code(), "refund_refused");
    assert_eq!(world.totals("trip").await["refunded"], 0);
    let recorded = world.get("/v1/refunds?payment_intent=ref_trip").await.body["data"].clone();
    assert_eq!(recorded.as_array().unwrap().len(), 1);
    assert_eq!(recorded[0]["status"], "failed");
}

#[tokio::test]
async fn totals_are_told_page_by_page() {
    let world = World::new().await;
    for reference in ["a", "b", "c"] {
        world.authorize(reference, "card_approved").await;
    }

    let first = world.get("/v1/totals?limit=2").await.body["data"].clone();
    let second = world.get("/v1/totals?limit=2&after=b").await.body["data"].clone();
    let end = world.get("/v1/totals?after=c").await.body["data"].clone();
    let mut in_file = Vec::new();
    let file = world.dir.path().join("sandbox.sqlite");
    sandbox::totals_of_file(&file, |page| in_file.extend(page)).unwrap();

    assert_eq!(
        (first[0]["reference"].as_str(), first[1]["reference"].as_str()),
        (Some("a"), Some("b"))
    );
    assert_eq!(second[0]["reference"], "c");
    assert_eq!(end, json!([]));
    assert_eq!(in_file.len(), 3);
    assert!(in_file.iter().all(|totals| totals.reserved == 10_000));
}

#[tokio::test]
async fn malformed_requests_are_refused_by_name_and_do_nothing() {
    let world = World::new().await;
    let wrong = [
        ("amount", json!(0), "parameter_invalid"),
        ("amount", json!(-5), "parameter_invalid"),
        ("amount", json!(1.5), "request_malformed"),
        ("currency", json!("eur"), "parameter_invalid"),
        ("method", json!("card_of_gold"), "parameter_invalid"),
        ("reference", json!(""), "parameter_invalid"),
        ("reference", json!("a b"), "parameter_invalid"),
        ("capture_method", json!("automatic"), "request_malformed"),
        ("metadata", json!({"a": 1}), "parameter_invalid"),
        ("surprise", json!(true), "request_malformed"),
    ];

    for (field, value, code) in wrong {
        let mut body = intent("trip", "card_approved");
        body[field] = value;
        let told = world.post("/v1/payment_intents", "key", body).await;
        assert_eq!((told.status.as_u16(), told.code()), (400, code), "{field}");
    }
    let keyless = world.client.post(format!("{}/v1/payment_intents", world.url));
    let keyless = keyless.bearer_auth(crate::world::SECRET).body("{}").send().await.unwrap();
    let stranger = world.client.get(format!("{}/v1/totals", world.url)).bearer_auth("wrong");

    assert_eq!(keyless.status(), 400);
    assert_eq!(stranger.send().await.unwrap().status(), 401);
    assert_eq!(world.get("/v1/nothing").await.code(), "route_unknown");
    assert_eq!(world.get("/v1/totals").await.body["data"], json!([]));
}
