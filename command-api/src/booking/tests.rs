//! What the routes of bookings make of requests.

use domain::Command;
use domain::booking::{CancelledBy, Command as Booking};
use domain::ids::{AccountId, PersonId};
use http::StatusCode;
use keys::{Opened, Purpose};
use serde_json::{Value, json};
use service_kit::auth::DEV_ACCOUNT;

use crate::itinerary::tests::{World, body};

const OFFER: &str = "0190b3a0-0000-7000-8000-000000000002";
const TRIP: &str = "0190b3a0-0000-7000-8000-000000000001";
const BOOKING: &str = "0190b3a0-0000-7000-8000-000000000004";

fn line() -> Value {
    json!({
        "offer_id": OFFER, "quantity": 2, "unit_price": { "amount": 12_900, "currency": "EUR" },
    })
}

fn wish() -> Value {
    json!({
        "itinerary_id": TRIP,
        "lines": [line(), line()],
        "travellers": [{ "name": "Ada Lovelace", "born_on": "1815-12-10" }],
        "payment": { "method": "card_approved" },
    })
}

#[tokio::test]
async fn a_wish_to_buy_is_accepted_and_shows_where_it_goes_on() {
    let world = World::accepting();

    let answer = world.send_as("traveller", "POST", "/v1/bookings", &wish().to_string()).await;

    let sent = world.only_command();
    assert_eq!(answer.status(), StatusCode::ACCEPTED);
    let location = format!("/v1/bookings/{}", sent.stream.id);
    assert_eq!(answer.headers()["location"], location.as_str());
    assert_eq!(sent.stream.to_string(), format!("booking-{}", sent.stream.id));
    let Command::Booking(Booking::Request { booking_id, lines, payment_method, .. }) = sent.command
    else {
        panic!("a request")
    };
    assert_eq!(booking_id.0, sent.stream.id);
    assert_eq!(lines.iter().map(|line| line.line).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(payment_method, "card_approved");
}

#[tokio::test]
async fn who_travels_leaves_sealed_under_the_callers_key() {
    let world = World::accepting();
    let sent = json!({ "travellers": wish()["travellers"] }).to_string();

    let path = format!("/v1/bookings/{BOOKING}/travellers");
    let answer = world.send_as("traveller", "PATCH", &path, &sent).await;

    assert_eq!(answer.status(), StatusCode::OK);
    let Command::Booking(Booking::ChangeTravellers { travellers }) = world.only_command().command
    else {
        panic!("a change")
    };
    let document = r#"{"name":"Ada Lovelace","born_on":"1815-12-10"}"#;
    let opened = world.open(&travellers[0].details, Purpose::Traveller).await;
    assert_eq!(opened, Opened::Plain(document.to_owned()));
    assert_eq!(travellers[0].details.person, PersonId::from(AccountId(DEV_ACCOUNT)));
}

#[tokio::test]
async fn an_operator_cancels_as_one_and_everybody_else_as_a_traveller() {
    let path = format!("/v1/bookings/{BOOKING}/cancellation");
    let cases = [("traveller", CancelledBy::Traveller), ("operator", CancelledBy::Operator)];

    for (roles, expected) in cases {
        let world = World::accepting();
        let answer = world.send_as(roles, "POST", &path, r#"{"reason":" It rains. "}"#).await;
        assert_eq!(answer.status(), StatusCode::ACCEPTED, "{roles}");
        assert_eq!(answer.headers()["location"], format!("/v1/bookings/{BOOKING}").as_str());
        let Command::Booking(Booking::Cancel { by, reason }) = world.only_command().command else {
            panic!("a cancellation")
        };
        let opened = world.open(&reason, Purpose::CancellationReason).await;
        assert_eq!((by, opened), (expected, Opened::Plain("It rains.".to_owned())));
    }
}

#[tokio::test]
async fn who_has_no_traveller_role_does_not_buy() {
    let world = World::accepting();

    let answer = world.send_as("support", "POST", "/v1/bookings", &wish().to_string()).await;

    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    assert!(world.nothing_sent());
}

#[tokio::test]
async fn what_no_booking_accepts_never_reaches_a_lane() {
    let with = |field: &str, value: Value| {
        let mut sent = wish();
        sent[field] = value;
        sent.to_string()
    };
    let dollars = json!({
        "offer_id": OFFER, "quantity": 2, "unit_price": { "amount": 1, "currency": "USD" },
    });
    let neither = json!({ "offer_id": OFFER, "unit_price": { "amount": 1, "currency": "EUR" } });
    let cases = [
        (with("lines", json!([])), 422, "booking_lines_out_of_range"),
        (with("lines", json!(vec![line(); 21])), 422, "booking_lines_out_of_range"),
        (with("lines", json!([line(), dollars])), 422, "booking_currencies_differ"),
        (with("lines", json!([line(), neither])), 400, "invalid_field"),
        (with("travellers", json!([])), 422, "booking_travellers_out_of_range"),
        (with("travellers", json!([{ "name": " " }])), 422, "personal_data_invalid"),
        (with("travellers", json!([{ "name": "a".repeat(201) }])), 422, "personal_data_invalid"),
        (with("travellers", json!([{ "name": "a\u{0}" }])), 422, "personal_data_invalid"),
        (with("travellers", json!([{ "name": "A", "email": "no" }])), 422, "personal_data_invalid"),
        (with("travellers", json!([{ "name": "A", "email": "@b" }])), 422, "personal_data_invalid"),
        (with("travellers", json!([{ "name": "a", "born_on": "1815" }])), 400, "invalid_field"),
        (
            with("payment", json!({ "method": "4242424242424242" })),
            422,
            "booking_payment_method_invalid",
        ),
    ];

    for (sent, status, code) in cases {
        let world = World::accepting();
        let answer = world.send("POST", "/v1/bookings", &sent).await;
        assert_eq!(answer.status().as_u16(), status, "{code}");
        assert_eq!(body(answer).await["code"], code);
        assert!(world.nothing_sent(), "{code}");
    }
}
