//! Bookings, offers and sagas: who sees what of them, and what they show.

use domain::booking::{self, Traveller};
use domain::ids::{AccountId, BookingId, OfferId, PersonId};
use domain::{Event, RecordedEvent, derive, offer};
use keys::{Keyring, Purpose};
use read_models::testing::saga_samples::saga_of;
use read_models::testing::sales::{any_sale, eur, listed, requested};
use read_models::testing::samples::SampleLog;
use serde_json::{Value, json};
use uuid::Uuid;

use super::world::{OWNER, STRANGER, Who, World, token};

const BOOKING: Uuid = Uuid::from_u128(0xB001);
const REJECTED: Uuid = Uuid::from_u128(0xB002);
const OFFER: Uuid = Uuid::from_u128(0xF001);
const STAFF: Who = Who::staff("support");

fn saga() -> Uuid {
    derive::trip_saga(BookingId(BOOKING)).0
}

/// An offer with seats; a booking that was confirmed and is cancelled, whose saga is stuck; and a
/// rejected one.
fn history() -> SampleLog {
    let mut log = SampleLog::new();
    let mut with_seats = listed(OFFER, "Night train");
    let seats = ["1A", "1B"].map(str::to_owned).to_vec();
    (with_seats.seats, with_seats.capacity) = (Some(seats), 2);
    log.append(0, OFFER, OWNER, with_seats);
    let Event::Offer(offer::Event::Held(held)) = any_sale(5, 0, OFFER) else { panic!("a hold") };
    let claim = offer::Claim::Seats(vec!["1B".to_owned()]);
    log.append(0, OFFER, OWNER, offer::OfferHeld { claim, ..held });
    log.append(1, BOOKING, OWNER, requested(BOOKING, OWNER, OFFER));
    for kind in [12, 13, 16] {
        log.append(1, BOOKING, OWNER, any_sale(kind, 0, BOOKING));
    }
    log.append(1, REJECTED, OWNER, requested(REJECTED, OWNER, OFFER));
    let (old_price, new_price) = (eur(5_000), eur(5_500));
    let facts = json!({ "old_price": old_price, "new_price": new_price }).to_string();
    let rejected = booking::BookingRejected {
        booking_id: BookingId(REJECTED),
        code: "price_changed".to_owned(),
        message: "It costs more now.".to_owned(),
        facts,
    };
    log.append(1, REJECTED, OWNER, rejected);
    for kind in [0, 7, 12, 5] {
        log.append(0, saga(), OWNER, saga_of(kind, saga(), BookingId(BOOKING)));
    }
    log
}

/// The events, with what is personal in bookings sealed as the edge seals it.
async fn sealed(keyring: &Keyring, events: &[RecordedEvent]) -> Vec<RecordedEvent> {
    let person = PersonId::from(AccountId(OWNER));
    let mut events = events.to_vec();
    for recorded in &mut events {
        match &mut recorded.event {
            Event::Booking(booking::Event::Requested(wish)) => {
                for Traveller { details, .. } in &mut wish.travellers {
                    let document = r#"{"name":"Ada Lovelace","born_on":"1815-12-10"}"#;
                    *details = keyring.seal(person, Purpose::Traveller, document).await.unwrap();
                }
            }
            Event::Booking(booking::Event::CancellationRequested(wish)) => {
                let sealing = keyring.seal(person, Purpose::CancellationReason, "It rains.");
                wish.reason = sealing.await.unwrap();
            }
            _ => {}
        }
    }
    events
}

async fn world() -> World {
    let world = World::with(&[]).await;
    world.load_as_it_is(&sealed(&world.keyring, history().events()).await).await;
    world
}

#[tokio::test]
async fn a_booking_shows_its_lines_who_travels_and_what_works_on_it() {
    let world = world().await;

    let path = format!("/v1/bookings/{BOOKING}");
    let read = world.get(Who::traveller(OWNER), &path).await.expect(200);

    assert_eq!((read.header("etag"), read.header("cache-control")), ("\"4\"", "private, no-store"));
    let body = &read.body;
    assert_eq!((&body["id"], &body["status"]), (&json!(BOOKING), &json!("cancelling")));
    assert_eq!(body["total"], json!({ "amount": 10_000, "currency": "EUR" }));
    let line = &body["lines"][0];
    assert_eq!((&line["offer_id"], &line["quantity"]), (&json!(OFFER), &json!(2)));
    assert_eq!(line["unit_price"], json!({ "amount": 5_000, "currency": "EUR" }));
    assert_eq!(line["held"]["cancellation"][0]["refund_percent"], 50);
    assert_eq!(line["refund"]["amount"]["amount"], 5_000);
    assert_eq!(body["cancellation"]["fee"], json!({ "amount": 5_000, "currency": "EUR" }));
    assert_eq!(body["cancellation"]["reason"], json!({ "text": "It rains." }));
    assert_eq!(body["travellers"][0]["details"]["name"], "Ada Lovelace");
    let saga_of_it = &body["saga"];
    assert_eq!((&saga_of_it["id"], &saga_of_it["state"]), (&json!(saga()), &json!("stuck")));
    assert_eq!(saga_of_it["waits_for"][0]["step"], "confirm");
    assert!(saga_of_it["deadline_at"].is_string() && body.get("rejection").is_none());
    assert_eq!(saga_of_it.get("failure"), None, "how it failed is for staff");
    let staff = world.get(STAFF, &path).await.expect(200);
    assert_eq!(staff.body["saga"]["failure"]["code"], "booking_cancelling");
}

#[tokio::test]
async fn a_rejected_booking_shows_the_reason_with_both_prices() {
    let world = world().await;

    let path = format!("/v1/bookings/{REJECTED}");
    let read = world.get(Who::traveller(OWNER), &path).await.expect(200);

    let rejection = &read.body["rejection"];
    assert_eq!(rejection["code"], "price_changed");
    assert_eq!(rejection["facts"]["old_price"]["amount"], 5_000);
    assert_eq!(rejection["facts"]["new_price"]["amount"], 5_500);
    assert_eq!(read.body["saga"], Value::Null);
}

#[tokio::test]
async fn who_travels_reads_as_forgotten_once_the_booker_is() {
    let world = world().await;
    world.keyring.forget(PersonId::from(AccountId(OWNER))).await.unwrap();

    let read = world.get(STAFF, &format!("/v1/bookings/{BOOKING}")).await.expect(200);

    let traveller = &read.body["travellers"][0];
    assert_eq!((&traveller["details"], &traveller["forgotten"]), (&Value::Null, &json!(true)));
    let reason = &read.body["cancellation"]["reason"];
    assert_eq!(reason, &json!({ "text": null, "forgotten": true }));
}

#[tokio::test]
async fn a_booking_does_not_exist_for_others() {
    let world = world().await;
    let others = [Who::traveller(STRANGER), Who::staff("operator").of("other")];

    for who in others {
        let one = world.get(who, &format!("/v1/bookings/{BOOKING}")).await;
        let listed = world.get(who, "/v1/bookings").await.expect(200);

        assert_eq!((one.status, one.code()), (404, "booking_not_found"), "{who:?}");
        assert!(listed.data().is_empty(), "{who:?}");
    }
}

#[tokio::test]
async fn bookings_are_listed_without_who_travels() {
    let world = world().await;
    let who = Who::traveller(OWNER);

    let all = world.get(who, "/v1/bookings?limit=1").await.expect(200);
    let next = all.body["next_cursor"].as_str().expect("another page").to_owned();
    let rest = world.get(who, &format!("/v1/bookings?cursor={next}")).await.expect(200);
    let cancelling = world.get(who, "/v1/bookings?status=cancelling").await.expect(200);
    let trip = format!("/v1/bookings?itinerary_id={}", Uuid::from_u128(0xA0));
    let of_trip = world.get(who, &trip).await.expect(200);

    assert_eq!(all.data()[0]["id"], json!(REJECTED));
    assert_eq!(rest.data()[0]["id"], json!(BOOKING));
    assert!(rest.data()[0].get("travellers").is_none());
    assert_eq!((cancelling.data().len(), of_trip.data().len()), (1, 2));
    assert_eq!(cancelling.data()[0]["saga"]["state"], "stuck");
    for wrong in ["status=lost", "itinerary=1", "cursor=seven"] {
        assert_eq!(world.get(who, &format!("/v1/bookings?{wrong}")).await.status, 400, "{wrong}");
    }
}

#[tokio::test]
async fn a_booking_waits_for_what_the_caller_wrote() {
    let mut log = history();
    let world = world().await;
    *world.log.0.lock().unwrap() = None;
    log.append(1, BOOKING, OWNER, any_sale(17, 0, BOOKING));
    let written = token(log.events());
    let path = format!("/v1/bookings/{BOOKING}");
    let wait = [("waylog-wait-for", written.as_str())];

    let behind = world.get_with(Who::traveller(OWNER), &path, &wait).await;
    world.load_as_it_is(&log.events()[log.events().len() - 1..]).await;
    let there = world.get_with(Who::traveller(OWNER), &path, &wait).await.expect(200);

    assert_eq!((behind.status, behind.code()), (503, "read_model_behind"));
    assert_eq!(there.body["status"], "cancelled");
    assert_eq!(there.header("waylog-position"), written);
}

#[tokio::test]
async fn an_offer_shows_everybody_what_is_left_and_which_seats() {
    let world = world().await;

    let path = format!("/v1/offers/{OFFER}");
    let read = world.get(Who::traveller(STRANGER), &path).await.expect(200);
    let other = world.get(Who::traveller(OWNER).of("other"), &path).await;

    let body = &read.body;
    assert_eq!((read.header("etag"), &body["title"]), ("\"2\"", &json!("Night train")));
    let numbers = ["capacity", "held", "allocated", "available"].map(|name| body[name].clone());
    assert_eq!(numbers, [2, 1, 0, 1].map(|number| json!(number)));
    assert_eq!(body["seats"], json!({ "free": ["1A"], "taken": ["1B"] }));
    assert_eq!(body["price"], json!({ "amount": 5_000, "currency": "EUR" }));
    assert_eq!((other.status, other.code()), (404, "offer_not_found"));
}

#[tokio::test]
async fn offers_are_found_by_kind_place_days_room_and_words() {
    let world = world().await;
    let found = async |query: &str| {
        let path = format!("/v1/offers?{query}");
        world.get(Who::traveller(STRANGER), &path).await.expect(200).data().len()
    };

    for query in
        ["", "kind=flight", "place=Lisbon", "from=2026-05-31&to=2026-05-31", "available=1", "q=nig"]
    {
        assert_eq!(found(query).await, 1, "{query}");
    }
    for query in ["kind=hotel", "place=Faro", "from=2026-06-01", "to=2026-05-30", "available=2"] {
        assert_eq!(found(query).await, 0, "{query}");
    }
    let too_long = format!("q={}", "x".repeat(201));
    for wrong in ["kind=boat", "available=0", "from=tomorrow", "limit=0", too_long.as_str()] {
        let refused = world.get(STAFF, &format!("/v1/offers?{wrong}")).await;
        assert_eq!((refused.status, refused.code()), (400, "invalid_parameter"), "{wrong}");
    }
    let listed = world.get(STAFF, "/v1/offers").await.expect(200);
    assert!(listed.data()[0].get("seats").is_none(), "seat maps are for one offer at a time");
    let closed = offer::OfferClosed { offer_id: OfferId(OFFER) };
    let mut log = history();
    log.append(0, OFFER, OWNER, closed);
    world.load_as_it_is(&log.events()[log.events().len() - 1..]).await;
    assert_eq!(found("available=1").await, 0, "a closed offer sells nothing new");
}

#[tokio::test]
async fn staff_sees_what_a_saga_did_and_waits_for() {
    let world = world().await;

    let path = format!("/v1/sagas/{}", saga());
    let read = world.get(STAFF, &path).await.expect(200);
    let stuck = world.get(STAFF, "/v1/sagas?state=stuck&kind=trip-booking").await.expect(200);
    let running = world.get(STAFF, "/v1/sagas?state=running").await.expect(200);

    assert_eq!((read.header("etag"), &read.body["state"]), ("\"4\"", &json!("stuck")));
    assert_eq!(read.body["booking_id"], json!(BOOKING));
    let told: Vec<_> = read.body["timeline"].as_array().expect("a timeline").iter().collect();
    let types: Vec<_> = told.iter().filter_map(|line| line["type"].as_str()).collect();
    let expected =
        ["saga-started", "saga-step-requested", "saga-compensation-failed", "saga-stuck"];
    assert_eq!(types, expected);
    assert_eq!((&told[3]["code"], &told[3]["attempt"]), (&json!("declined"), &json!(12)));
    assert_eq!(read.body["steps"][0]["status"], "failed");
    assert_eq!((stuck.data().len(), running.data().len()), (1, 0));
    assert_eq!(stuck.data()[0]["id"], json!(saga()));
    assert_eq!(world.get(STAFF, "/v1/sagas?kind=lunch").await.status, 400);
}

#[tokio::test]
async fn sagas_are_for_staff() {
    let world = world().await;
    let path = format!("/v1/sagas/{}", saga());

    for path in [path.as_str(), "/v1/sagas"] {
        let refused = world.get(Who::traveller(OWNER), path).await;
        assert_eq!((refused.status, refused.code()), (403, "forbidden"));
    }
    let other = world.get(STAFF.of("other"), &path).await;
    assert_eq!((other.status, other.code()), (404, "saga_not_found"));
}
