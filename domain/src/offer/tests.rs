//! What an offer accepts, and what each refusal is good for.

use serde_json::json;
use uuid::Uuid;

use super::limits::{
    CANCELLATION_TERMS_MAX, CAPACITY_MAX, HOLD_TTL_SECONDS_MAX, HOLD_VALIDITY_SECONDS_MAX,
    PLACES_MAX, PRICE_MAX, QUANTITY_MAX, SEATS_MAX,
};
use super::*;
use crate::ids::{BookingId, HoldId, OfferId};
use crate::money::Money;
use crate::testing::{account, decide, fold, given, saga};
use crate::{Actor, RefusalKind, Timestamp};
use RefusalKind::{AlreadyExists, Forbidden, NotFound, Rule};

/// The instant at which everything is decided.
fn now() -> Timestamp {
    "2026-01-01T12:00:00Z".parse().unwrap()
}

fn operator() -> Actor {
    Actor::Account(account(1))
}

fn offer_id() -> OfferId {
    OfferId(Uuid::from_u128(100))
}

fn hold_id(number: u128) -> HoldId {
    HoldId(Uuid::from_u128(200_000 + number))
}

fn eur(amount: i64) -> Money {
    Money { amount, currency: "EUR".parse().unwrap() }
}

fn terms() -> CancellationPolicy {
    CancellationPolicy::new(vec![
        CancellationTerm { hours_before: 24, refund_percent: 50 },
        CancellationTerm { hours_before: 168, refund_percent: 100 },
    ])
}

/// A flight on 1 February with ten places at 129 euros.
fn flight() -> Listing {
    Listing {
        kind: OfferKind::Flight,
        supplier: "Voa".to_owned(),
        title: "LIS-OPO".to_owned(),
        places: vec!["lisbon".to_owned(), "porto".to_owned()],
        starts_at: "2026-02-01T08:00:00Z".parse().unwrap(),
        ends_at: "2026-02-01T09:00:00Z".parse().unwrap(),
        zone: "Europe/Lisbon".parse().unwrap(),
        capacity: 10,
        seats: None,
        price: eur(12_900),
        cancellation: terms(),
    }
}

fn seats(names: &[&str]) -> Vec<SeatId> {
    names.iter().map(|&name| name.to_owned()).collect()
}

fn seated() -> Listing {
    Listing { capacity: 3, seats: Some(seats(&["1A", "1B", "1C"])), ..flight() }
}

fn list(listing: Listing) -> Command {
    Command::List { offer_id: offer_id(), terms: Box::new(listing) }
}

fn listed_as(listing: Listing) -> Event {
    let Listing { kind, supplier, title, places, starts_at, ends_at, zone, capacity, .. } = listing;
    OfferListed {
        offer_id: offer_id(),
        kind,
        supplier,
        title,
        places,
        starts_at,
        ends_at,
        zone,
        capacity,
        seats: listing.seats,
        price: listing.price,
        cancellation: listing.cancellation,
    }
    .into()
}

fn line(number: u32) -> Option<LineRef> {
    Some(LineRef { booking_id: BookingId(Uuid::from_u128(300)), line: number })
}

fn valid_until() -> Timestamp {
    now().plus_seconds(900)
}

/// Nobody can ask for a hold that is valid for longer.
fn longest() -> Timestamp {
    now().plus_seconds(i64::from(HOLD_VALIDITY_SECONDS_MAX))
}

fn hold(number: u128, claim: Claim) -> Command {
    Command::Hold {
        hold_id: hold_id(number),
        line: line(1),
        claim,
        unit_price: eur(12_900),
        ttl_seconds: 1_200,
        valid_until: valid_until(),
    }
}

/// A hold that was decided that many seconds before now.
fn held_ago(seconds: i64, number: u128, claim: Claim) -> Event {
    let held_at = now().plus_seconds(-seconds);
    OfferHeld {
        offer_id: offer_id(),
        hold_id: hold_id(number),
        line: line(1),
        claim,
        unit_price: eur(12_900),
        cancellation: terms(),
        starts_at: flight().starts_at,
        kind: OfferKind::Flight,
        places: flight().places,
        title: flight().title,
        held_at,
        expires_at: held_at.plus_seconds(1_200),
        valid_until: held_at.plus_seconds(900),
    }
    .into()
}

fn held(number: u128, claim: Claim) -> Event {
    held_ago(0, number, claim)
}

fn expired(number: u128, claim: Claim) -> Event {
    let (offer_id, hold_id, expired_at) = (offer_id(), hold_id(number), now());
    OfferHoldExpired { offer_id, hold_id, claim, expired_at }.into()
}

fn released(number: u128, claim: Option<Claim>) -> Event {
    OfferHoldReleased {
        offer_id: offer_id(),
        hold_id: hold_id(number),
        claim,
        released_at: now(),
        valid_until: valid_until(),
    }
    .into()
}

fn allocated(number: u128, claim: Claim) -> Event {
    let (offer_id, hold_id) = (offer_id(), hold_id(number));
    OfferAllocated { offer_id, hold_id, line: line(1), claim }.into()
}

fn returned(number: u128, claim: Option<Claim>, valid_until: Timestamp) -> Event {
    let (offer_id, hold_id, returned_at) = (offer_id(), hold_id(number), now());
    OfferReturned { offer_id, hold_id, claim, returned_at, valid_until }.into()
}

fn closed() -> Event {
    OfferClosed { offer_id: offer_id() }.into()
}

fn release(number: u128) -> Command {
    Command::Release { hold_id: hold_id(number), valid_until: valid_until() }
}

fn allocate(number: u128) -> Command {
    Command::Allocate { hold_id: hold_id(number) }
}

fn take_back(number: u128) -> Command {
    Command::Return { hold_id: hold_id(number) }
}

fn two() -> Claim {
    Claim::Quantity(2)
}

fn after(events: impl IntoIterator<Item = Event>) -> Vec<Event> {
    std::iter::once(listed_as(flight())).chain(events).collect()
}

#[test]
fn an_offer_is_listed_as_it_is_kept() {
    let spaced = Listing {
        title: " LIS-OPO ".to_owned(),
        cancellation: serde_json::from_value(json!([
            { "hours_before": 24, "refund_percent": 50 },
            { "hours_before": 168, "refund_percent": 100 },
        ]))
        .unwrap(),
        ..flight()
    };

    given::<Offer>(&[]).when(&operator(), &list(spaced)).then(&[listed_as(flight())]);
}

#[test]
fn an_offer_is_listed_once() {
    given::<Offer>(&after([]))
        .when(&operator(), &list(flight()))
        .then_refused(AlreadyExists, "offer_already_exists");
}

#[test]
fn before_it_is_listed_an_offer_accepts_nothing_but_a_process_undoes_nothing() {
    let commands = [Command::Close, hold(1, two()), release(1)];
    for command in commands {
        given::<Offer>(&[]).when(&operator(), &command).then_refused(NotFound, "offer_not_found");
    }
    given::<Offer>(&[]).when(&saga(), &allocate(1)).then_refused(NotFound, "offer_not_found");

    for command in [release(1), take_back(1), Command::ExpireHold { hold_id: hold_id(1) }] {
        given::<Offer>(&[]).when(&saga(), &command).then_nothing();
    }
}

#[test]
fn places_are_sold_taken_back_and_expired_by_processes_alone() {
    for command in [allocate(1), take_back(1), Command::ExpireHold { hold_id: hold_id(1) }] {
        given::<Offer>(&after([held(1, two())]))
            .when(&operator(), &command)
            .then_refused(Forbidden, "offer_saga_required");
    }
}

#[test]
fn a_hold_freezes_price_policy_and_start() {
    let state = given::<Offer>(&after([])).when(&saga(), &hold(1, two())).then(&[held(1, two())]);

    let Offer::Open(stock) = state else { panic!("it is open") };
    assert_eq!((stock.held, stock.free()), (2, 8));
}

#[test]
fn the_same_hold_twice_is_one_hold() {
    given::<Offer>(&after([held(1, two())])).when(&saga(), &hold(1, two())).then_nothing();
    given::<Offer>(&after([held(1, two()), allocated(1, two())]))
        .when(&saga(), &hold(1, two()))
        .then_nothing();
    given::<Offer>(&after([held(1, two())]))
        .when(&saga(), &hold(1, Claim::Quantity(3)))
        .then_refused(AlreadyExists, "hold_already_exists");
}

#[test]
fn another_price_is_refused_with_both() {
    let repriced =
        OfferRepriced { offer_id: offer_id(), old_price: eur(12_900), price: eur(13_900) };

    let refusal = given::<Offer>(&after([repriced.into()]))
        .when(&saga(), &hold(1, two()))
        .then_refused(Rule, "price_changed");

    assert_eq!(refusal.facts["old_price"], json!({ "amount": 12_900, "currency": "EUR" }));
    assert_eq!(refusal.facts["new_price"], json!({ "amount": 13_900, "currency": "EUR" }));
}

#[test]
fn what_is_sold_out_says_how_much_is_left() {
    let refusal = given::<Offer>(&after([held(1, Claim::Quantity(9))]))
        .when(&saga(), &hold(2, two()))
        .then_refused(Rule, "sold_out");

    assert_eq!((&refusal.facts["requested"], &refusal.facts["available"]), (&json!(2), &json!(1)));
}

#[test]
fn an_expired_hold_gives_way_by_an_event_and_only_as_far_as_needed() {
    let history = after([
        held_ago(1_300, 1, Claim::Quantity(4)),
        held_ago(1_200, 2, Claim::Quantity(4)),
        held_ago(1_199, 3, Claim::Quantity(2)),
    ]);

    given::<Offer>(&history)
        .when(&saga(), &hold(4, two()))
        .then(&[expired(1, Claim::Quantity(4)), held(4, two())]);

    let refusal = given::<Offer>(&history)
        .when(&saga(), &hold(4, Claim::Quantity(9)))
        .then_refused(Rule, "sold_out");
    assert_eq!(refusal.facts["available"], 8);
}

#[test]
fn a_held_seat_cannot_be_held_twice() {
    let claim = |names: &[&str]| Claim::Seats(seats(names));
    let history = [listed_as(seated()), held(1, claim(&["1A"]))];

    let refusal = given::<Offer>(&history)
        .when(&saga(), &hold(2, claim(&["1A", "1B"])))
        .then_refused(Rule, "seats_taken");
    assert_eq!(refusal.facts["seats"], json!(["1A"]));
    let unknown = given::<Offer>(&history)
        .when(&saga(), &hold(2, claim(&["9Z"])))
        .then_refused(Rule, "seats_unknown");
    assert_eq!(unknown.facts["seats"], json!(["9Z"]));

    let history = [listed_as(seated()), held_ago(1_200, 1, claim(&["1A"]))];
    given::<Offer>(&history)
        .when(&saga(), &hold(2, claim(&["1A", "1B"])))
        .then(&[expired(1, claim(&["1A"])), held(2, claim(&["1A", "1B"]))]);
}

#[test]
fn seats_are_named_where_there_is_a_seat_map_and_nowhere_else() {
    given::<Offer>(&[listed_as(seated())])
        .when(&saga(), &hold(1, two()))
        .then_refused(Rule, "seats_required");
    given::<Offer>(&after([]))
        .when(&saga(), &hold(1, Claim::Seats(seats(&["1A"]))))
        .then_refused(Rule, "seats_not_offered");
}

#[test]
fn an_expired_hold_cannot_be_sold_nor_held_again() {
    let history = after([held_ago(1_200, 1, two())]);

    given::<Offer>(&history).when(&saga(), &allocate(1)).then_refused(Rule, "hold_expired");
    given::<Offer>(&history).when(&saga(), &hold(1, two())).then_refused(Rule, "hold_expired");
}

#[test]
fn a_hold_is_expired_once_its_time_has_passed() {
    let expire = Command::ExpireHold { hold_id: hold_id(1) };

    given::<Offer>(&after([held_ago(1_200, 1, two())]))
        .when(&saga(), &expire)
        .then(&[expired(1, two())]);
    given::<Offer>(&after([held_ago(1_199, 1, two())]))
        .when(&saga(), &expire)
        .then_refused(Rule, "hold_not_expired");
    given::<Offer>(&after([])).when(&saga(), &expire).then_nothing();
    given::<Offer>(&after([held(1, two()), allocated(1, two())]))
        .when(&saga(), &expire)
        .then_nothing();
}

#[test]
fn a_released_hold_frees_its_places_and_never_comes_back() {
    let state = given::<Offer>(&after([held(1, two())]))
        .when(&saga(), &release(1))
        .then(&[released(1, Some(two()))]);

    let Offer::Open(stock) = &state else { panic!("it is open") };
    assert_eq!((stock.held, stock.free()), (0, 10));
    for command in [hold(1, two()), allocate(1)] {
        let refusal = decide(&state, &saga(), &command, valid_until()).unwrap_err();
        assert_eq!(refusal.code(), "hold_released");
    }
    assert_eq!(decide(&state, &saga(), &release(1), now()), Ok(vec![]));
}

#[test]
fn a_release_without_a_hold_closes_the_door_until_time_does() {
    let state = given::<Offer>(&after([])).when(&saga(), &release(1)).then(&[released(1, None)]);

    let at_the_last = decide(&state, &saga(), &hold(1, two()), valid_until()).unwrap_err();
    assert_eq!(at_the_last.code(), "hold_released");
    let later = valid_until().plus_seconds(1);
    let too_late = decide(&state, &saga(), &hold(1, two()), later).unwrap_err();
    assert_eq!(too_late.code(), "hold_too_late");
    assert_eq!(decide(&state, &saga(), &release(1), later), Ok(vec![]));
}

#[test]
fn what_is_sold_is_not_released() {
    given::<Offer>(&after([held(1, two()), allocated(1, two())]))
        .when(&saga(), &release(1))
        .then_refused(Rule, "hold_allocated");
}

#[test]
fn a_hold_is_sold_once() {
    let state = given::<Offer>(&after([held(1, two())]))
        .when(&saga(), &allocate(1))
        .then(&[allocated(1, two())]);

    let Offer::Open(stock) = &state else { panic!("it is open") };
    assert_eq!((stock.held, stock.allocated), (0, 2));
    assert_eq!(decide(&state, &saga(), &allocate(1), now()), Ok(vec![]));
    given::<Offer>(&after([])).when(&saga(), &allocate(1)).then_refused(NotFound, "hold_not_found");
}

#[test]
fn what_comes_back_is_free_again_and_never_sold_under_that_hold() {
    let state = given::<Offer>(&after([held(1, two()), allocated(1, two())]))
        .when(&saga(), &take_back(1))
        .then(&[returned(1, Some(two()), longest())]);

    let Offer::Open(stock) = &state else { panic!("it is open") };
    assert_eq!(stock.free(), 10);
    for command in [allocate(1), hold(1, two())] {
        let refusal = decide(&state, &saga(), &command, now()).unwrap_err();
        assert_eq!(refusal.code(), "hold_returned");
    }
    assert_eq!(decide(&state, &saga(), &take_back(1), now()), Ok(vec![]));
}

#[test]
fn a_return_before_the_sale_keeps_the_hold_and_refuses_the_sale() {
    let state = given::<Offer>(&after([held(1, two())]))
        .when(&saga(), &take_back(1))
        .then(&[returned(1, None, valid_until())]);

    let Offer::Open(stock) = &state else { panic!("it is open") };
    assert_eq!(stock.held, 2);
    let refusal = decide(&state, &saga(), &allocate(1), now()).unwrap_err();
    assert_eq!(refusal.code(), "hold_returned");
    assert_eq!(decide(&state, &saga(), &take_back(1), now()), Ok(vec![]));
    let freed = decide(&state, &saga(), &release(1), now());
    assert_eq!(freed, Ok(vec![released(1, Some(two()))]));
}

#[test]
fn a_return_without_a_hold_closes_the_door_for_as_long_as_one_could_come() {
    let state = given::<Offer>(&after([])).when(&saga(), &take_back(1)).then(&[returned(
        1,
        None,
        longest(),
    )]);

    let refusal = decide(&state, &saga(), &hold(1, two()), now()).unwrap_err();
    assert_eq!(refusal.code(), "hold_returned");
}

#[test]
fn a_closed_offer_sells_nothing_new_and_lets_live_holds_be_sold_and_given_up() {
    let history = after([held(1, two()), closed()]);

    given::<Offer>(&history).when(&saga(), &hold(2, two())).then_refused(Rule, "offer_closed");
    given::<Offer>(&history)
        .when(&operator(), &Command::Reprice { price: eur(1) })
        .then_refused(Rule, "offer_closed");
    given::<Offer>(&history).when(&saga(), &hold(1, two())).then_nothing();
    given::<Offer>(&history).when(&saga(), &allocate(1)).then(&[allocated(1, two())]);
    given::<Offer>(&history).when(&saga(), &release(1)).then(&[released(1, Some(two()))]);
    given::<Offer>(&history).when(&operator(), &Command::Close).then_nothing();
    given::<Offer>(&after([])).when(&operator(), &Command::Close).then(&[closed()]);
}

#[test]
fn what_has_begun_is_not_held_any_more() {
    let begun = Listing { starts_at: now(), ends_at: now(), ..flight() };

    given::<Offer>(&[listed_as(begun)])
        .when(&saga(), &hold(1, two()))
        .then_refused(Rule, "offer_started");
}

#[test]
fn a_price_changes_once() {
    let event = OfferRepriced { offer_id: offer_id(), old_price: eur(12_900), price: eur(9_900) };

    given::<Offer>(&after([]))
        .when(&operator(), &Command::Reprice { price: eur(9_900) })
        .then(&[event.into()]);
    given::<Offer>(&after([]))
        .when(&operator(), &Command::Reprice { price: eur(12_900) })
        .then_nothing();
}

fn capacity(capacity: u32, names: Option<&[&str]>) -> Command {
    Command::ChangeCapacity { capacity, seats: names.map(seats) }
}

fn has_capacity(capacity: u32, names: Option<&[&str]>) -> Event {
    let (offer_id, seats) = (offer_id(), names.map(seats));
    OfferCapacityChanged { offer_id, capacity, seats }.into()
}

#[test]
fn capacity_never_drops_below_what_is_held_and_sold() {
    let history =
        after([held_ago(1_200, 1, two()), held(2, two()), held(3, two()), allocated(3, two())]);

    given::<Offer>(&history).when(&operator(), &capacity(6, None)).then(&[has_capacity(6, None)]);
    given::<Offer>(&history)
        .when(&operator(), &capacity(4, None))
        .then(&[expired(1, two()), has_capacity(4, None)]);
    let refusal = given::<Offer>(&history)
        .when(&operator(), &capacity(3, None))
        .then_refused(Rule, "offer_capacity_in_use");
    assert_eq!(refusal.facts["used"], 4);
    given::<Offer>(&history).when(&operator(), &capacity(10, None)).then_nothing();
}

#[test]
fn a_seat_map_keeps_the_seats_that_are_taken() {
    let history = [listed_as(seated()), held(1, Claim::Seats(seats(&["1A"])))];

    given::<Offer>(&history)
        .when(&operator(), &capacity(2, Some(&["1A", "2A"])))
        .then(&[has_capacity(2, Some(&["1A", "2A"]))]);
    let refusal = given::<Offer>(&history)
        .when(&operator(), &capacity(2, Some(&["1B", "1C"])))
        .then_refused(Rule, "offer_seats_in_use");
    assert_eq!(refusal.facts["seats"], json!(["1A"]));
    given::<Offer>(&history)
        .when(&operator(), &capacity(2, None))
        .then_refused(Rule, "seats_required");
    given::<Offer>(&after([]))
        .when(&operator(), &capacity(1, Some(&["1A"])))
        .then_refused(Rule, "seats_not_offered");
}

#[test]
fn a_hold_or_release_that_could_come_for_too_long_is_refused() {
    let valid_until = now().plus_seconds(i64::from(HOLD_VALIDITY_SECONDS_MAX) + 1);
    let Command::Hold { hold_id, line, claim, unit_price, ttl_seconds, .. } = hold(1, two()) else {
        panic!("a hold")
    };
    let hold = Command::Hold { hold_id, line, claim, unit_price, ttl_seconds, valid_until };

    for command in [hold, Command::Release { hold_id, valid_until }] {
        given::<Offer>(&after([]))
            .when(&saga(), &command)
            .then_refused(Rule, "hold_validity_too_long");
    }
}

#[test]
fn more_ended_holds_than_are_remembered_close_every_door_for_a_while() {
    let ended =
        (0..=u128::try_from(limits::ENDED_HOLDS_MAX).unwrap()).map(|number| released(number, None));
    let state: Offer = fold(&after(ended));

    let refusal = decide(&state, &saga(), &hold(1_000_000, two()), now()).unwrap_err();

    assert_eq!(refusal, Refusal::TooManyEndedHolds { until: valid_until() });
}

#[test]
fn a_listing_that_makes_no_sense_is_refused_with_its_own_code() {
    let text = |text: &str| text.to_owned();
    let at = |instant: &str| instant.parse::<Timestamp>().unwrap();
    let nowhere = serde_json::from_value(json!("Mars/Phobos")).unwrap();
    let policy = |terms: &[(u32, u8)]| {
        let term =
            |&(hours_before, refund_percent)| CancellationTerm { hours_before, refund_percent };
        CancellationPolicy::new(terms.iter().map(term).collect())
    };
    let many: Vec<(u32, u8)> =
        (0..=u32::try_from(CANCELLATION_TERMS_MAX).unwrap()).map(|hours| (hours, 1)).collect();
    let map = |names: Vec<SeatId>| Listing {
        capacity: u32::try_from(names.len()).unwrap(),
        seats: Some(names),
        ..flight()
    };
    let cases = [
        (Listing { title: text(" "), ..flight() }, "offer_text_blank"),
        (Listing { title: "a".repeat(201), ..flight() }, "offer_text_too_long"),
        (Listing { supplier: text("a\u{0}"), ..flight() }, "offer_text_unprintable"),
        (Listing { places: vec![], ..flight() }, "offer_places_out_of_range"),
        (
            Listing { places: vec![text("a"); PLACES_MAX + 1], ..flight() },
            "offer_places_out_of_range",
        ),
        (Listing { zone: nowhere, ..flight() }, "offer_zone_unknown"),
        (Listing { ends_at: at("2026-01-31T08:00:00Z"), ..flight() }, "offer_reversed"),
        (Listing { ends_at: at("2201-01-01T00:00:00Z"), ..flight() }, "offer_outside_calendar"),
        (Listing { capacity: 0, ..flight() }, "offer_capacity_out_of_range"),
        (Listing { capacity: CAPACITY_MAX + 1, ..flight() }, "offer_capacity_out_of_range"),
        (Listing { capacity: 2, ..seated() }, "offer_seats_differ"),
        (map(vec![text("1A"); SEATS_MAX + 1]), "too_many_offer_seats"),
        (map(seats(&["1A", "1A"])), "seat_repeated"),
        (map(seats(&["1 A"])), "seat_invalid"),
        (map(seats(&[""])), "seat_invalid"),
        (Listing { price: eur(-1), ..flight() }, "offer_price_out_of_range"),
        (Listing { price: eur(PRICE_MAX + 1), ..flight() }, "offer_price_out_of_range"),
        (Listing { cancellation: policy(&many), ..flight() }, "too_many_cancellation_terms"),
        (
            Listing { cancellation: policy(&[(1, 101)]), ..flight() },
            "cancellation_term_out_of_range",
        ),
        (
            Listing { cancellation: policy(&[(8_785, 1)]), ..flight() },
            "cancellation_term_out_of_range",
        ),
        (
            Listing { cancellation: policy(&[(1, 1), (1, 2)]), ..flight() },
            "cancellation_term_repeated",
        ),
    ];

    for (listing, code) in cases {
        let command = list(listing);
        assert_eq!(command.check().unwrap_err().code(), code);
        given::<Offer>(&[]).when(&operator(), &command).then_refused(Rule, code);
    }
}

#[test]
fn a_hold_that_makes_no_sense_is_refused_before_it_reaches_an_offer() {
    let with = |claim, amount, ttl_seconds| Command::Hold {
        hold_id: hold_id(1),
        line: None,
        claim,
        unit_price: eur(amount),
        ttl_seconds,
        valid_until: valid_until(),
    };
    let cases = [
        (with(Claim::Quantity(0), 1, 1), "offer_quantity_out_of_range"),
        (with(Claim::Quantity(QUANTITY_MAX + 1), 1, 1), "offer_quantity_out_of_range"),
        (with(Claim::Seats(vec![]), 1, 1), "offer_quantity_out_of_range"),
        (with(Claim::Seats(seats(&["1A", "1A"])), 1, 1), "seat_repeated"),
        (with(two(), -1, 1), "offer_price_out_of_range"),
        (with(two(), 1, 0), "hold_ttl_out_of_range"),
        (with(two(), 1, HOLD_TTL_SECONDS_MAX + 1), "hold_ttl_out_of_range"),
    ];

    for (command, code) in cases {
        assert_eq!(command.check().unwrap_err().code(), code);
    }
}

#[test]
fn a_claim_is_a_quantity_or_seats() {
    let read = |claim| serde_json::from_value::<Claim>(claim).ok();

    assert_eq!(read(json!({ "quantity": 2 })), Some(two()));
    assert_eq!(read(json!({ "seats": ["1A"] })), Some(Claim::Seats(seats(&["1A"]))));
    for neither in [json!({}), json!({ "quantity": 1, "seats": ["1A"] }), json!({ "places": 1 })] {
        assert_eq!(read(neither), None);
    }
    assert_eq!(serde_json::to_value(two()).unwrap(), json!({ "quantity": 2 }));
}

#[test]
fn the_term_with_the_most_hours_that_are_left_decides_the_refund() {
    let start = flight().starts_at;
    let percent = |hours: i64, seconds: i64| {
        terms().refund_percent_at(start.plus_seconds(seconds - hours * 3_600), start)
    };

    assert_eq!((percent(1_000, 0), percent(168, 0), percent(168, 1)), (100, 100, 50));
    assert_eq!((percent(24, 0), percent(24, 1), percent(0, 0), percent(-1, 0)), (50, 0, 0, 0));
    assert_eq!(CancellationPolicy::default().refund_percent_at(now(), start), 0);
}

#[test]
fn a_refund_is_rounded_down_to_the_minor_unit() {
    let third =
        CancellationPolicy::new(vec![CancellationTerm { hours_before: 0, refund_percent: 33 }]);

    assert_eq!(third.refund_at(eur(101), now(), now()), eur(33));
    assert_eq!(third.refund_at(eur(i64::MAX), now(), now()), eur(i64::MAX / 100 * 33 + 2));
}
