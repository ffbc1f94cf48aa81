//! A booking that fails at any of its steps leaves nothing behind: no place, no charge, no entry in
//! the trip. The same journeys embedded and distributed.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::journey::skipped;
use crate::world::sales::{
    archive, book, cancel, cancelled, eur, free, itinerary, listing, offer, order, place,
    post_once, request, settled, sold, text, until,
};
use crate::world::shop::{IMPATIENT, PRICE, Shop};
use crate::world::{Answer, Client, World};

#[test]
fn a_booking_that_fails_at_any_step_leaves_nothing_behind_embedded() {
    let world = World::selling_alone(&IMPATIENT);

    journeys(&world, "origin");
}

#[test]
fn a_booking_that_fails_at_any_step_leaves_nothing_behind_distributed() {
    let Some(world) = World::selling_with(&IMPATIENT) else { return skipped() };

    journeys(&world, "connectors");
    cancelled_at_any_step(&world);
}

/// The provider tells `hooked` of what it does.
fn journeys(world: &World, hooked: &str) {
    let shop = Shop::of(world);
    shop.provider.deliver_to(world.url(hooked));

    refused_when_it_is_asked_for(&shop);
    one_key_is_one_booking(&shop);
    what_is_closed_or_gone_is_not_sold(&shop);
    seats_are_sold_once(&shop.client, &shop.trip);
    no_more_is_sold_than_there_is(&shop.client, &shop.trip);
    a_price_that_changed_is_told(&shop.client);
    a_trip_that_was_laid_aside(&shop);
    a_trip_of_somebody_else(&shop);
    money_that_cannot_be_taken(&shop);
    while_it_is_paid(&shop);

    shop.balanced(2);
    world.verify();
}

fn rejected(shop: &Client, trip: &str, lines: &[Value], code: &str) -> Answer {
    let order = order(trip, lines, "card_approved");
    let asked = post_once(shop, "/v1/bookings", &order, Uuid::now_v7()).unwrap().expect(202);
    let booking = settled(shop, asked.header("location"));
    assert_eq!(booking.at("/status"), "rejected", "{:#}", booking.body);
    assert_eq!(booking.at("/rejection/code"), code);
    booking
}

/// What no state could accept is a problem of the request: nothing is begun for it.
fn refused_when_it_is_asked_for(shop: &Shop) {
    let mut dollars = place(&shop.flight, PRICE);
    dollars["unit_price"]["currency"] = json!("USD");
    let mixed = order(&shop.trip, &[place(&shop.flight, PRICE), dollars], "card_approved");

    let refused = shop.client.post("/v1/bookings", &mixed);

    assert_eq!((refused.status, refused.code()), (422, "booking_currencies_differ"));
}

/// The same request twice at once, and once more: one booking. Another one under its key is not.
fn one_key_is_one_booking(shop: &Shop) {
    let key = Uuid::now_v7();
    let wanted = order(&shop.trip, &[place(&shop.flight, PRICE)], "card_approved");
    let send = || post_once(&shop.client, "/v1/bookings", &wanted, key).unwrap().expect(202);

    let mut places = std::thread::scope(|scope| {
        let twice = [(); 2].map(|()| scope.spawn(send));
        twice.map(|sent| sent.join().unwrap().header("location").to_owned()).to_vec()
    });
    places.push(send().header("location").to_owned());
    let other = order(&shop.trip, &[place(&shop.flight, PRICE)], "card_slow");
    let other = post_once(&shop.client, "/v1/bookings", &other, key).unwrap();

    places.dedup();
    assert_eq!(places.len(), 1, "{places:?}");
    assert_eq!((other.status, other.code()), (422, "idempotency_mismatch"));
    shop.ended(&settled(&shop.client, &places[0]), "confirmed", PRICE);
    sold(&shop.client, &shop.flight, 1);
}

fn what_is_closed_or_gone_is_not_sold(shop: &Shop) {
    let closed = offer(&shop.client, "tour", 5, 4_000);
    let open = place(&shop.flight, PRICE);
    shop.client.post(&format!("/v1/offers/{closed}/closure"), &json!({})).expect(200);

    let lines = [open.clone(), place(&closed, 4_000)];
    rejected(&shop.client, &shop.trip, &lines, "offer_closed");
    let nowhere = place(&Uuid::now_v7().to_string(), 1);
    rejected(&shop.client, &shop.trip, &[open, nowhere], "offer_not_found");
}

fn seats_are_sold_once(client: &Client, trip: &str) {
    let mut listed = listing("flight", 2, &eur(9_000));
    listed["seats"] = json!(["1A", "1B"]);
    let listed = text(&client.post("/v1/offers", &listed).expect(201), "/id");
    let seat =
        |name: &str| json!({ "offer_id": listed, "seats": [name], "unit_price": eur(9_000) });
    let wanted = order(trip, &[seat("1A")], "card_approved");

    rejected(client, trip, &[seat("1B"), seat("7C")], "seats_unknown");
    rejected(client, trip, &[place(&listed, 9_000)], "seats_required");
    let asked = [(); 3].map(|()| client.post("/v1/bookings", &wanted).expect(202));

    let ended = asked.map(|asked| settled(client, asked.header("location")));
    let (bought, refused): (Vec<_>, Vec<_>) =
        ended.iter().partition(|booking| booking.at("/status") == "confirmed");
    assert_eq!(bought.len(), 1, "a seat is sold once");
    refused.iter().for_each(|one| assert_eq!(one.at("/rejection/code"), "seats_taken"));
    sold(client, &listed, 1);
}

fn no_more_is_sold_than_there_is(client: &Client, trip: &str) {
    let scarce = offer(client, "hotel", 3, 8_000);

    let asked: Vec<String> = std::thread::scope(|scope| {
        let ask = || request(client, trip, &[(&scarce, 8_000), (&scarce, 8_000)], "card_approved");
        let all: Vec<_> = (0..4).map(|_| scope.spawn(ask)).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });

    let ended = asked.iter().map(|path| settled(client, path));
    let refused = ended.filter(|booking| booking.at("/status") == "rejected");
    let refused: Vec<Answer> = refused.collect();
    // Two that meet in the middle may both be undone; never are four places sold.
    assert!(matches!(refused.len(), 3 | 4), "{refused:#?}");
    refused.iter().for_each(|one| assert_eq!(one.at("/rejection/code"), "sold_out"));
    sold(client, &scarce, 2 * (4 - refused.len() as i64));
}

/// Whoever holds at an old price is told both; a booking is told so in `bookings.rs`.
fn a_price_that_changed_is_told(client: &Client) {
    let repriced = offer(client, "tour", 5, 4_000);
    let at = |amount: i64| json!({ "quantity": 1, "unit_price": eur(amount), "ttl_seconds": 60 });
    let holds = format!("/v1/offers/{repriced}/holds");
    client
        .post(&format!("/v1/offers/{repriced}/price"), &json!({ "price": eur(5_000) }))
        .expect(200);

    let refused = client.post(&holds, &at(4_000));

    assert_eq!((refused.status, refused.code()), (422, "price_changed"));
    assert_eq!(refused.at("/old_price"), &eur(4_000));
    assert_eq!(refused.at("/new_price"), &eur(5_000));
    free(client, &[(&repriced, 5)]);
}

/// Held, authorized and allocated; then it cannot be attached, and all of it is undone.
fn a_trip_that_was_laid_aside(shop: &Shop) {
    let aside = itinerary(&shop.client);
    archive(&shop.client, &aside);

    let lines = [(shop.flight.as_str(), PRICE)];
    let booking = book(&shop.client, &aside, &lines, "card_approved");

    shop.ended(&booking, "rejected", 0);
    assert_eq!(booking.at("/rejection/code"), "itinerary_archived");
    let attached = shop.client.get(&format!("/v1/itineraries/{aside}"));
    assert_eq!(attached.at("/bookings"), &json!([]));
}

/// Held, authorized and allocated; then its owner's trip does not take it, and all of it is undone.
fn a_trip_of_somebody_else(shop: &Shop) {
    let stranger = shop.client.as_account(Uuid::now_v7());
    let trip = format!("/v1/itineraries/{}", shop.trip);
    let before = shop.client.get(&trip);

    let lines = [place(&shop.flight, PRICE)];
    let booking = rejected(&stranger, &shop.trip, &lines, "itinerary_editor_required");

    shop.ended(&booking, "rejected", 0);
    let after = shop.client.get(&trip);
    assert_eq!(before.at("/bookings"), after.at("/bookings"));
    assert!(!after.body.to_string().contains(&text(&booking, "/id")), "{:#}", after.body);
    stranger.get(&trip).expect(404);
}

/// Held, authorized, allocated and attached; then the bank does not give the money, however often
/// it is asked, and all of it is undone.
fn money_that_cannot_be_taken(shop: &Shop) {
    let lines = [(shop.flight.as_str(), PRICE)];
    let booking = book(&shop.client, &shop.trip, &lines, "card_capture_refused");

    shop.ended(&booking, "rejected", 0);
    assert_eq!(booking.at("/rejection/code"), "capture_refused");
    let trip = shop.client.get(&format!("/v1/itineraries/{}", shop.trip));
    let attached = trip.at("/bookings").as_array().unwrap();
    assert!(attached.iter().all(|one| &one["booking_id"] != booking.at("/id")), "{attached:#?}");
}

/// While the provider cannot be had, an offer is closed and a booking cancelled: what was held by
/// then is sold all the same, and what is cancelled costs nothing.
fn while_it_is_paid(shop: &Shop) {
    let closing = offer(&shop.client, "tour", 5, 4_000);
    shop.provider.misbehave("confirm", "error_before", 1_000, 0);
    let bought = request(&shop.client, &shop.trip, &[(&closing, 4_000)], "card_approved");
    let asked_back = shop.ask("card_approved");
    let kept = shop.ask("card_approved");
    for booking in [&bought, &asked_back, &kept] {
        until(&shop.client, booking, |read| read["status"] == "held");
    }

    shop.client.post(&format!("/v1/offers/{closing}/closure"), &json!({})).expect(200);
    cancel(&shop.client, &asked_back).expect(202);
    let twice = cancel(&shop.client, &asked_back);
    shop.provider.behave();

    shop.ended(&cancelled(&shop.client, &asked_back), "cancelled", 0);
    assert_eq!(twice.status, 422, "{:#}", twice.body);
    shop.ended(&settled(&shop.client, &bought), "confirmed", 4_000);
    shop.ended(&settled(&shop.client, &kept), "confirmed", PRICE);
    sold(&shop.client, &closing, 1);
}

/// Whoever is about to do the next thing for a booking stands still, the booking is cancelled, and
/// it goes on: what was not sold by then costs nothing, and everything is undone once.
fn cancelled_at_any_step(world: &World) {
    let shop = Shop::of(world);

    for place in [
        "dispatcher.before_send hold:1",
        "dispatcher.before_send mark-held",
        "dispatcher.before_send authorize",
        "connector.before_call authorize",
        "dispatcher.before_send allocate:1",
        "dispatcher.before_send attach",
        "dispatcher.before_send capture",
        "connector.before_call capture",
        "dispatcher.before_send confirm",
        "dispatcher.after_answer confirm",
        "dispatcher.before_send invoice",
    ] {
        world.crash_points().arm(&format!("stop {place}"));
        let booking = shop.ask("card_approved");
        let paused = world.standing_still();
        cancel(&shop.client, &booking).expect(202);
        world.process(paused).signal("CONT");

        let confirmed =
            matches!(place, "dispatcher.after_answer confirm" | "dispatcher.before_send invoice");
        let fee = if confirmed { PRICE / 2 } else { 0 };
        shop.ended(&cancelled(&shop.client, &booking), "cancelled", fee);
        shop.balanced(0);
    }
    world.verify();
}
