//! Whole trips, bought and undone through the API: the sagas, the connector and the provider's
//! sandbox behind it are the real ones.

use serde_json::json;

use crate::world::sales::{
    PATIENCE, book, cancel, eur, free, itinerary, offer, request, settled, sold, text, until,
};
use crate::world::{Answer, Client, World, eventually, kept};

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
    sold(&client, &flight, 5);
    for booking in &ended {
        let captured = i64::from(booking.at("/status") == "confirmed") * 12_900;
        kept(&client, &text(booking, "/id"), captured);
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
    cancel(client, &path).expect(202);

    let booking = until(client, &path, |booking| booking["status"] == "cancelled");

    assert_eq!(booking.at("/cancellation/refund"), &eur(10_450), "half, more than a day before");
    free(client, &[(flight, 3), (room, 2)]);
    until(client, &format!("/v1/payments?booking_id={id}"), |payments| {
        payments.pointer("/data/0/refunded") == Some(&eur(10_450))
    });
    let twice = cancel(client, &path);
    assert_eq!(twice.status, 422, "{:#}", twice.body);
}
