//! Whole trips, bought and undone through the API: the sagas, the connector and the provider's
//! sandbox behind it are the real ones.

use std::time::Duration;

use serde_json::{Value, json};

use crate::world::{Answer, Client, World, eventually};

/// The longest that a booking may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn a_trip_is_bought_whole_or_not_at_all_embedded() {
    let world = World::embedded();

    story(&world.client());
}

#[test]
fn a_trip_is_bought_whole_or_not_at_all_distributed() {
    let Some(world) = World::selling() else { return crate::journey::skipped() };

    story(&world.client());
}

#[test]
fn bookings_end_whole_or_not_at_all_when_the_process_is_killed_again_and_again() {
    let mut world = World::embedded();
    let trip = itinerary(&world.client());
    let flight = offer(&world.client(), "flight", 5, 12_900);
    let lines = [(flight.as_str(), 12_900)];
    let paths: Vec<String> =
        (0..8).map(|_| request(&world.client(), &trip, &lines, "card_approved")).collect();

    // At once, in the middle of the first, and when some are through.
    for enough in [0, 1, 3] {
        let client = world.client();
        let through = || paths.iter().filter(|path| status(&client, path) == "confirmed").count();
        assert!(eventually(PATIENCE, || through() >= enough), "no more than {}", through());
        world.take("origin").kill();
        world.start("origin", &[]);
    }

    let client = world.client();
    let ended: Vec<Answer> = paths.iter().map(|path| settled(&client, path)).collect();
    let (bought, refused): (Vec<&Answer>, Vec<&Answer>) =
        ended.iter().partition(|booking| booking.at("/status") == "confirmed");
    assert_eq!(bought.len(), 5, "five places, five bookings");
    for booking in refused {
        assert_eq!(booking.at("/rejection/code"), "sold_out");
    }
    until(&client, &format!("/v1/offers/{flight}"), |offer| {
        offer["allocated"] == 5 && offer["held"] == 0
    });
    for booking in &ended {
        let captured = i64::from(booking.at("/status") == "confirmed") * 12_900;
        let path = format!("/v1/payments?booking_id={}", text(booking, "/id"));
        let payments = client.get(&path).expect(200);
        let of = |field: &str| -> i64 {
            let all = payments.at("/data").as_array().unwrap().iter();
            all.map(|payment| payment[field]["amount"].as_i64().unwrap()).sum()
        };
        assert_eq!(of("captured") - of("refunded"), captured, "{:#}", payments.body);
    }
}

fn status(client: &Client, path: &str) -> String {
    let booking = client.get(path);
    booking.body["status"].as_str().unwrap_or_default().to_owned()
}

fn story(client: &Client) {
    let trip = itinerary(client);
    let flight = offer(client, "flight", 3, 12_900);
    let room = offer(client, "hotel", 2, 8_000);

    let bought = confirmed(client, &trip, &flight, &room);
    declined(client, &trip, &flight, &room);
    sold_out(client, &trip, &room);
    repriced(client, &trip, &flight);
    cancelled(client, &bought, &flight, &room);
}

fn itinerary(client: &Client) -> String {
    let period = json!({ "start": "2027-05-01", "end": "2027-05-09", "zone": "Europe/Lisbon" });
    let created = client.post("/v1/itineraries", &json!({ "title": "Lisbon", "period": period }));
    text(&created.expect(201), "/id")
}

fn offer(client: &Client, kind: &str, capacity: u32, amount: i64) -> String {
    let listed = client.post(
        "/v1/offers",
        &json!({
            "kind": kind, "supplier": "Voa", "title": format!("A {kind}"), "places": ["Lisbon"],
            "starts_at": "2027-05-01T08:00:00Z", "ends_at": "2027-05-01T11:00:00Z",
            "zone": "Europe/Lisbon", "capacity": capacity, "price": eur(amount),
            "cancellation": [{ "hours_before": 24, "refund_percent": 50 }],
        }),
    );
    text(&listed.expect(201), "/id")
}

/// Asks for one place of each offer at that price and waits for the end.
fn book(client: &Client, trip: &str, lines: &[(&str, i64)], method: &str) -> Answer {
    settled(client, &request(client, trip, lines, method))
}

/// Asks for one place of each offer at that price; gives where the booking is.
fn request(client: &Client, trip: &str, lines: &[(&str, i64)], method: &str) -> String {
    let line = |(offer, amount): &(&str, i64)| {
        let unit_price = eur(*amount);
        json!({ "offer_id": offer, "quantity": 1, "unit_price": unit_price })
    };
    let asked = client.post(
        "/v1/bookings",
        &json!({
            "itinerary_id": trip,
            "lines": lines.iter().map(line).collect::<Vec<_>>(),
            "travellers": [{ "name": "Ada Lovelace", "email": "ada@example.org" }],
            "payment": { "method": method },
        }),
    );
    asked.expect(202).header("location").to_owned()
}

/// The booking, once nothing is under way for it any more.
fn settled(client: &Client, path: &str) -> Answer {
    until(client, path, |booking| {
        let state = booking.pointer("/saga/state").and_then(Value::as_str);
        matches!(state, Some("completed" | "compensated"))
    })
}

/// What is read there, once it is as it should be.
fn until(client: &Client, path: &str, reached: impl Fn(&Value) -> bool) -> Answer {
    let mut last = client.get(path);
    let in_time = eventually(PATIENCE, || {
        last = client.get(path);
        last.status == 200 && reached(&last.body)
    });
    assert!(in_time, "{path} stays {:#}", last.body);
    last
}

fn confirmed(client: &Client, trip: &str, flight: &str, room: &str) -> String {
    let booking = book(client, trip, &[(flight, 12_900), (room, 8_000)], "card_approved");

    assert_eq!(booking.at("/status"), "confirmed");
    assert_eq!(booking.at("/total"), &eur(20_900));
    assert_eq!(booking.at("/travellers/0/details/name"), "Ada Lovelace");
    free(client, &[(flight, 2), (room, 1)]);
    let id = text(&booking, "/id");
    until(client, &format!("/v1/itineraries/{trip}"), |read| {
        read.pointer("/bookings") == Some(&json!([id]))
    });
    until(client, &format!("/v1/payments?booking_id={id}"), |payments| {
        payments.pointer("/data/0/captured") == Some(&eur(20_900))
    });
    id
}

fn declined(client: &Client, trip: &str, flight: &str, room: &str) {
    let booking = book(client, trip, &[(flight, 12_900), (room, 8_000)], "card_declined");

    assert_eq!(booking.at("/status"), "rejected");
    assert_eq!(booking.at("/rejection/code"), "card_declined");
    free(client, &[(flight, 2), (room, 1)]);
}

fn sold_out(client: &Client, trip: &str, room: &str) {
    let booking = book(client, trip, &[(room, 8_000), (room, 8_000)], "card_approved");

    assert_eq!(booking.at("/status"), "rejected");
    assert_eq!(booking.at("/rejection/code"), "sold_out");
    free(client, &[(room, 1)]);
}

fn repriced(client: &Client, trip: &str, flight: &str) {
    client
        .post(&format!("/v1/offers/{flight}/price"), &json!({ "price": eur(13_900) }))
        .expect(200);

    let booking = book(client, trip, &[(flight, 12_900)], "card_approved");

    assert_eq!(booking.at("/rejection/code"), "price_changed");
    assert_eq!(booking.at("/rejection/facts/old_price"), &eur(12_900));
    assert_eq!(booking.at("/rejection/facts/new_price"), &eur(13_900));
}

fn cancelled(client: &Client, id: &str, flight: &str, room: &str) {
    let path = format!("/v1/bookings/{id}");
    client.post(&format!("{path}/cancellation"), &json!({ "reason": "It rains." })).expect(202);

    let booking = until(client, &path, |booking| booking["status"] == "cancelled");

    assert_eq!(booking.at("/cancellation/refund"), &eur(10_450), "half, more than a day before");
    free(client, &[(flight, 3), (room, 2)]);
    until(client, &format!("/v1/payments?booking_id={id}"), |payments| {
        payments.pointer("/data/0/refunded") == Some(&eur(10_450))
    });
    let twice = client.post(&format!("{path}/cancellation"), &json!({ "reason": "Again." }));
    assert_eq!(twice.status, 422, "{:#}", twice.body);
}

/// So many places of each offer can be bought, as soon as the read model knows.
fn free(client: &Client, places: &[(&str, i64)]) {
    for (offer, expected) in places {
        until(client, &format!("/v1/offers/{offer}"), |offer| offer["available"] == *expected);
    }
}

fn eur(amount: i64) -> Value {
    json!({ "amount": amount, "currency": "EUR" })
}

fn text(answer: &Answer, pointer: &str) -> String {
    answer.at(pointer).as_str().unwrap().to_owned()
}
