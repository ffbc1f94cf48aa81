//! What the routes of offers make of requests.

use domain::Command;
use domain::offer::{Claim, Command as Offer};
use http::StatusCode;
use serde_json::{Value, json};

use crate::itinerary::tests::{World, body};

const OFFER: &str = "0190b3a0-0000-7000-8000-000000000002";
const HOLD: &str = "0190b3a0-0000-7000-8000-000000000003";

fn flight() -> Value {
    json!({
        "kind": "flight", "supplier": "Voa", "title": "Lisbon to Porto",
        "places": ["lisbon", "porto"], "zone": "Europe/Lisbon",
        "starts_at": "2027-05-02T09:00:00Z", "ends_at": "2027-05-02T10:00:00Z",
        "capacity": 2, "seats": ["1A", "1B"],
        "price": { "amount": 12_900, "currency": "EUR" },
        "cancellation": [
            { "hours_before": 24, "refund_percent": 50 },
            { "hours_before": 168, "refund_percent": 100 },
        ],
    })
}

fn places(claim: &str) -> Value {
    let mut hold = json!({
        "unit_price": { "amount": 12_900, "currency": "EUR" }, "ttl_seconds": 1_200,
    });
    match claim {
        "quantity" => hold["quantity"] = json!(2),
        "seats" => hold["seats"] = json!(["1A"]),
        "both" => (hold["quantity"], hold["seats"]) = (json!(1), json!(["1A"])),
        _ => {}
    }
    hold
}

/// Every route, with a body that it takes.
fn routes() -> Vec<(&'static str, String, Value, &'static str, u16)> {
    let of = |path: &str| format!("/v1/offers/{OFFER}{path}");
    let price = json!({ "price": { "amount": 9_900, "currency": "EUR" } });
    vec![
        ("POST", "/v1/offers".to_owned(), flight(), "list", 201),
        ("POST", of("/price"), price, "reprice", 200),
        ("POST", of("/capacity"), json!({ "capacity": 12 }), "change-capacity", 200),
        ("POST", of("/closure"), json!(null), "close", 200),
        ("POST", of("/holds"), places("quantity"), "hold", 201),
        ("DELETE", of(&format!("/holds/{HOLD}")), json!(null), "release", 204),
    ]
}

fn text(body: &Value) -> String {
    if body.is_null() { String::new() } else { body.to_string() }
}

#[tokio::test]
async fn each_route_sends_its_command() {
    for (method, path, sent, command, status) in routes() {
        let world = World::accepting();
        let answer = world.send_as("operator", method, &path, &text(&sent)).await;
        assert_eq!(answer.status().as_u16(), status, "{method} {path}");
        assert_eq!(answer.headers()["etag"], "\"3\"");
        assert!(answer.headers().contains_key("waylog-position"));
        assert_eq!(world.only_command().command.name(), command);
    }
}

#[tokio::test]
async fn travellers_run_no_offers() {
    for (method, path, sent, ..) in routes() {
        let world = World::accepting();
        let answer = world.send_as("traveller,support", method, &path, &text(&sent)).await;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{method} {path}");
        let problem = body(answer).await;
        assert_eq!(
            (&problem["code"], &problem["required_role"]),
            (&json!("forbidden"), &json!("operator"))
        );
        assert!(world.nothing_sent());
    }
}

#[tokio::test]
async fn terms_of_a_policy_come_in_any_order() {
    let world = World::accepting();

    world.send("POST", "/v1/offers", &flight().to_string()).await;

    let Command::Offer(Offer::List { offer_id, terms }) = world.only_command().command else {
        panic!("a listing")
    };
    assert_eq!(offer_id.0, world.only_command().stream.id);
    let hours: Vec<u32> = terms.cancellation.terms().iter().map(|term| term.hours_before).collect();
    assert_eq!(hours, [168, 24]);
}

#[tokio::test]
async fn a_hold_is_of_a_quantity_or_of_seats_under_a_derived_or_own_id() {
    let path = format!("/v1/offers/{OFFER}/holds");
    let mut own = places("seats");
    own["hold_id"] = json!(HOLD);

    for (sent, expected) in
        [(places("quantity"), Claim::Quantity(2)), (own, Claim::Seats(vec!["1A".to_owned()]))]
    {
        let world = World::accepting();
        let answer = world.send("POST", &path, &sent.to_string()).await;
        let Command::Offer(Offer::Hold { hold_id, line, claim, .. }) = world.only_command().command
        else {
            panic!("a hold")
        };
        assert_eq!((claim, line), (expected, None));
        assert_eq!(answer.headers()["location"], format!("{path}/{hold_id}").as_str());
        assert_eq!(sent.get("hold_id").is_some(), hold_id.to_string() == HOLD);
    }
    for sent in [places("both"), places("neither")] {
        let world = World::accepting();
        let answer = world.send("POST", &path, &sent.to_string()).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
        assert_eq!(body(answer).await["code"], "invalid_field");
        assert!(world.nothing_sent());
    }
}

#[tokio::test]
async fn what_no_offer_accepts_never_reaches_a_lane() {
    let with = |field: &str, value: Value| {
        let mut sent = flight();
        sent[field] = value;
        sent.to_string()
    };
    let cases = [
        (with("capacity", json!(0)), 422, "offer_capacity_out_of_range"),
        (with("capacity", json!(3)), 422, "offer_seats_differ"),
        (with("capacity", json!(-1)), 400, "invalid_field"),
        (with("kind", json!("rocket")), 400, "invalid_field"),
        (with("surprise", json!(1)), 400, "invalid_field"),
    ];

    for (sent, status, code) in cases {
        let world = World::accepting();
        let answer = world.send("POST", "/v1/offers", &sent).await;
        assert_eq!(answer.status().as_u16(), status, "{code}");
        assert_eq!(body(answer).await["code"], code);
        assert!(world.nothing_sent(), "{code}");
    }
}
