//! What a booking accepts, and what each refusal is good for.

use serde_json::json;
use uuid::Uuid;

use super::limits::{LINES_MAX, TRAVELLERS_MAX};
use super::*;
use crate::ids::{BookingId, HoldId, ItineraryId, OfferId, PaymentId, PersonId, TravellerId};
use crate::money::Money;
use crate::offer::{CancellationPolicy, CancellationTerm, Claim, OfferKind};
use crate::testing::{account, given, saga};
use crate::{Actor, RefusalKind, Sealed, Timestamp};
use RefusalKind::{AlreadyExists, Forbidden, NotFound, Rule};

const OWNER: u128 = 1;
const OTHER: u128 = 2;

fn now() -> Timestamp {
    "2026-01-01T12:00:00Z".parse().unwrap()
}

fn by(number: u128) -> Actor {
    Actor::Account(account(number))
}

fn booking_id() -> BookingId {
    BookingId(Uuid::from_u128(100))
}

fn itinerary_id() -> ItineraryId {
    ItineraryId(Uuid::from_u128(101))
}

fn payment_id(number: u128) -> PaymentId {
    PaymentId(Uuid::from_u128(200 + number))
}

fn money(amount: i64, currency: &str) -> Money {
    Money { amount, currency: currency.parse().unwrap() }
}

fn eur(amount: i64) -> Money {
    money(amount, "EUR")
}

fn sealed(ciphertext: &str) -> Sealed {
    Sealed { person: PersonId(Uuid::from_u128(OWNER)), ciphertext: ciphertext.to_owned() }
}

fn traveller(number: u128, ciphertext: &str) -> Traveller {
    let traveller_id = TravellerId(Uuid::from_u128(300 + number));
    Traveller { traveller_id, details: sealed(ciphertext) }
}

fn line(number: u32, claim: Claim, unit_price: Money) -> Line {
    let offer_id = OfferId(Uuid::from_u128(400 + u128::from(number)));
    Line { line: number, offer_id, claim, unit_price }
}

/// Two flights at 129 euros and a seat at 33 euros and 33 cents.
fn lines() -> Vec<Line> {
    let seat = Claim::Seats(vec!["1A".to_owned()]);
    vec![line(1, Claim::Quantity(2), eur(12_900)), line(2, seat, eur(3_333))]
}

fn held_line(line: &Line, hours: i64, percent: u8) -> HeldLine {
    HeldLine {
        line: line.line,
        offer_id: line.offer_id,
        claim: line.claim.clone(),
        unit_price: line.unit_price,
        hold_id: HoldId(Uuid::from_u128(500 + u128::from(line.line))),
        cancellation: CancellationPolicy::new(vec![CancellationTerm {
            hours_before: 24,
            refund_percent: percent,
        }]),
        starts_at: now().plus_seconds(hours * 3_600),
        kind: OfferKind::Flight,
        places: vec!["porto".to_owned()],
        title: "LIS-OPO".to_owned(),
    }
}

/// The first line begins in two days, the second in an hour.
fn held_lines() -> Vec<HeldLine> {
    let lines = lines();
    vec![held_line(&lines[0], 48, 33), held_line(&lines[1], 1, 100)]
}

fn request_of(lines: Vec<Line>) -> Command {
    Command::Request {
        booking_id: booking_id(),
        itinerary_id: itinerary_id(),
        lines,
        travellers: vec![traveller(1, "QWRh")],
        payment_method: "card_approved".to_owned(),
    }
}

fn requested() -> Event {
    BookingRequested {
        booking_id: booking_id(),
        account: account(OWNER),
        itinerary_id: itinerary_id(),
        lines: lines(),
        travellers: vec![traveller(1, "QWRh")],
        total: eur(29_133),
        payment_method: "card_approved".to_owned(),
        requested_at: now(),
    }
    .into()
}

fn held() -> Event {
    let hold_expires_at = now().plus_seconds(1_200);
    BookingHeld { booking_id: booking_id(), lines: held_lines(), hold_expires_at }.into()
}

fn mark_held(lines: Vec<HeldLine>) -> Command {
    Command::MarkHeld { lines, hold_expires_at: now().plus_seconds(1_200) }
}

fn confirmed() -> Event {
    let sold = |held: &HeldLine| SoldLine {
        line: held.line,
        offer_id: held.offer_id,
        hold_id: held.hold_id,
        kind: held.kind,
        places: held.places.clone(),
        title: held.title.clone(),
        starts_at: held.starts_at,
        quantity: held.claim.quantity(),
        total: held.price(),
    };
    BookingConfirmed {
        booking_id: booking_id(),
        account: account(OWNER),
        itinerary_id: itinerary_id(),
        payment_id: payment_id(1),
        lines: held_lines().iter().map(sold).collect(),
        total: eur(29_133),
        confirmed_at: now(),
    }
    .into()
}

fn confirm(number: u128) -> Command {
    Command::Confirm { payment_id: payment_id(number) }
}

fn reject() -> Command {
    Command::Reject {
        code: "sold_out".to_owned(),
        message: "1 place is free".to_owned(),
        facts: r#"{"available":1}"#.to_owned(),
    }
}

fn rejected() -> Event {
    BookingRejected {
        booking_id: booking_id(),
        code: "sold_out".to_owned(),
        message: "1 place is free".to_owned(),
        facts: r#"{"available":1}"#.to_owned(),
    }
    .into()
}

fn expired() -> Event {
    BookingExpired { booking_id: booking_id() }.into()
}

fn cancel(by: CancelledBy) -> Command {
    Command::Cancel { by, reason: sealed("cmFpbg") }
}

fn cancelling(previous: Status, by: CancelledBy, refunds: [(u8, i64); 2]) -> Event {
    let refund = |(line, (percent, amount))| LineRefund { line, percent, amount: eur(amount) };
    let refunded: i64 = refunds.iter().map(|(_, amount)| amount).sum();
    BookingCancellationRequested {
        booking_id: booking_id(),
        previous,
        by,
        reason: sealed("cmFpbg"),
        cancelled_at: now(),
        refunds: (1..).zip(refunds).map(refund).collect(),
        refund_total: eur(refunded),
        fee: eur(29_133 - refunded),
    }
    .into()
}

fn in_full(previous: Status) -> Event {
    cancelling(previous, CancelledBy::Traveller, [(100, 25_800), (100, 3_333)])
}

fn cancelled() -> Event {
    BookingCancelled { booking_id: booking_id() }.into()
}

/// A history that ends in each status.
fn histories() -> Vec<(Status, Vec<Event>)> {
    let undone = || vec![requested(), in_full(Status::Requested)];
    vec![
        (Status::Requested, vec![requested()]),
        (Status::Held, vec![requested(), held()]),
        (Status::Confirmed, vec![requested(), held(), confirmed()]),
        (Status::Cancelling, undone()),
        (Status::Cancelled, [undone(), vec![cancelled()]].concat()),
        (Status::Rejected, vec![requested(), rejected()]),
        (Status::Expired, vec![requested(), held(), expired()]),
    ]
}

#[test]
fn a_booking_is_requested_by_who_owns_it_from_then_on() {
    given::<Booking>(&[]).when(&by(OWNER), &request_of(lines())).then(&[requested()]);
    given::<Booking>(&[])
        .when(&saga(), &request_of(lines()))
        .then_refused(Forbidden, "booking_account_required");
    given::<Booking>(&[requested()])
        .when(&by(OWNER), &request_of(lines()))
        .then_refused(AlreadyExists, "booking_already_exists");
}

#[test]
fn the_way_to_a_confirmed_booking_is_held_then_confirmed() {
    given::<Booking>(&[requested()]).when(&saga(), &mark_held(held_lines())).then(&[held()]);
    given::<Booking>(&[requested(), held()]).when(&saga(), &confirm(1)).then(&[confirmed()]);

    given::<Booking>(&[requested(), held()]).when(&saga(), &mark_held(held_lines())).then_nothing();
    given::<Booking>(&[requested(), held(), confirmed()]).when(&saga(), &confirm(1)).then_nothing();
}

#[test]
fn what_is_held_is_what_was_asked_for() {
    let dearer = HeldLine { unit_price: eur(1), ..held_lines()[1].clone() };
    let wrong = [vec![], vec![held_lines()[0].clone()], vec![held_lines()[0].clone(), dearer]];

    for lines in wrong {
        given::<Booking>(&[requested()])
            .when(&saga(), &mark_held(lines))
            .then_refused(Rule, "booking_held_lines_differ");
    }
}

const EVENT: &str = "an event";
const NOTHING: &str = "nothing";

/// Who asks for what, and what each status says to it: a code, or whether it appends.
type Row = (Actor, Command, Vec<(Status, &'static str)>);

/// Where a row names no status, the booking is out of reach.
fn table() -> Vec<Row> {
    use Status::{Cancelled, Cancelling, Confirmed, Expired, Held, Rejected, Requested};
    let other_holds = || {
        let mut lines = held_lines();
        lines[0].hold_id = HoldId(Uuid::from_u128(9));
        mark_held(lines)
    };
    let travellers = Command::ChangeTravellers { travellers: vec![traveller(2, "R3JhY2U")] };
    vec![
        (
            saga(),
            other_holds(),
            vec![
                (Requested, EVENT),
                (Held, "booking_already_held"),
                (Confirmed, "booking_already_confirmed"),
            ],
        ),
        (
            saga(),
            confirm(2),
            vec![
                (Requested, "booking_not_held"),
                (Held, EVENT),
                (Confirmed, "booking_already_confirmed"),
            ],
        ),
        (
            saga(),
            reject(),
            vec![
                (Requested, EVENT),
                (Held, EVENT),
                (Confirmed, "booking_already_confirmed"),
                (Rejected, NOTHING),
            ],
        ),
        (
            saga(),
            Command::Expire,
            vec![
                (Requested, EVENT),
                (Held, EVENT),
                (Confirmed, "booking_already_confirmed"),
                (Expired, NOTHING),
            ],
        ),
        (
            by(OWNER),
            cancel(CancelledBy::Traveller),
            vec![(Requested, EVENT), (Held, EVENT), (Confirmed, EVENT)],
        ),
        (
            saga(),
            Command::FinishCancellation,
            vec![
                (Requested, "booking_not_cancelling"),
                (Held, "booking_not_cancelling"),
                (Confirmed, "booking_not_cancelling"),
                (Cancelling, EVENT),
                (Cancelled, NOTHING),
                (Rejected, "booking_not_cancelling"),
                (Expired, "booking_not_cancelling"),
            ],
        ),
        (by(OWNER), travellers, vec![(Requested, EVENT), (Held, EVENT), (Confirmed, EVENT)]),
    ]
}

#[test]
fn each_status_accepts_what_its_table_says() {
    for (actor, command, named) in table() {
        for (status, history) in histories() {
            let named = named.iter().find(|(of, _)| *of == status).map(|(_, says)| *says);
            let ended =
                if status == Status::Cancelling { "booking_cancelling" } else { "booking_ended" };
            let outcome = given::<Booking>(&history).when(&actor, &command);
            match named.unwrap_or(ended) {
                NOTHING => outcome.then_nothing(),
                EVENT => assert_eq!(outcome.events().len(), 1, "{command:?} when {status:?}"),
                code => drop(outcome.then_refused(Rule, code)),
            }
        }
    }
}

#[test]
fn before_it_is_requested_a_booking_accepts_nothing_else() {
    for command in [mark_held(vec![]), confirm(1), Command::Expire, Command::FinishCancellation] {
        given::<Booking>(&[]).when(&saga(), &command).then_refused(NotFound, "booking_not_found");
    }
    given::<Booking>(&[])
        .when(&by(OWNER), &cancel(CancelledBy::Operator))
        .then_refused(NotFound, "booking_not_found");
}

#[test]
fn the_steps_of_a_purchase_are_the_processes_alone() {
    let steps = [
        mark_held(held_lines()),
        confirm(1),
        reject(),
        Command::Expire,
        Command::FinishCancellation,
    ];

    for command in steps {
        given::<Booking>(&[requested(), held()])
            .when(&by(OWNER), &command)
            .then_refused(Forbidden, "booking_saga_required");
    }
}

#[test]
fn a_confirmed_booking_is_cancelled_under_the_policies_that_its_holds_froze() {
    given::<Booking>(&[requested(), held(), confirmed()])
        .when(&by(OWNER), &cancel(CancelledBy::Traveller))
        .then(&[cancelling(
            Status::Confirmed,
            CancelledBy::Traveller,
            // 33 percent of 258.00, and nothing of what begins in an hour.
            [(33, 8_514), (0, 0)],
        )]);
}

#[test]
fn an_unconfirmed_booking_is_returned_in_full() {
    given::<Booking>(&[requested(), held()])
        .when(&by(OWNER), &cancel(CancelledBy::Traveller))
        .then(&[in_full(Status::Held)]);
}

#[test]
fn others_cancel_as_operators_and_the_owner_never_does() {
    given::<Booking>(&[requested()])
        .when(&by(OTHER), &cancel(CancelledBy::Traveller))
        .then_refused(Forbidden, "booking_owner_required");
    given::<Booking>(&[requested()])
        .when(&by(OWNER), &cancel(CancelledBy::Operator))
        .then(&[in_full(Status::Requested)]);
    given::<Booking>(&[requested()]).when(&by(OTHER), &cancel(CancelledBy::Operator)).then(&[
        cancelling(Status::Requested, CancelledBy::Operator, [(100, 25_800), (100, 3_333)]),
    ]);
}

#[test]
fn the_owner_alone_says_who_travels() {
    let travellers = vec![traveller(2, "R3JhY2U")];
    let change = Command::ChangeTravellers { travellers: travellers.clone() };
    let changed = BookingTravellersChanged { booking_id: booking_id(), travellers };

    let state = given::<Booking>(&[requested(), held()])
        .when(&by(OWNER), &change)
        .then(&[changed.clone().into()]);

    assert_eq!(state.status(), Some(Status::Held));
    assert_eq!(state.purchase().unwrap().travellers, changed.travellers);
    given::<Booking>(&[requested(), changed.into()]).when(&by(OWNER), &change).then_nothing();
    given::<Booking>(&[requested()])
        .when(&by(OTHER), &change)
        .then_refused(Forbidden, "booking_owner_required");
}

#[test]
fn a_request_that_makes_no_sense_is_refused_with_its_own_code() {
    let two = || Claim::Quantity(2);
    let with = |claim, unit_price| request_of(vec![line(1, claim, unit_price)]);
    let people = |travellers: Vec<Traveller>| {
        let Command::Request { booking_id, itinerary_id, lines, payment_method, .. } =
            request_of(lines())
        else {
            panic!("a request")
        };
        Command::Request { booking_id, itinerary_id, lines, travellers, payment_method }
    };
    let paid_by = |method: &str| {
        let Command::Request { booking_id, itinerary_id, lines, travellers, .. } =
            request_of(lines())
        else {
            panic!("a request")
        };
        let payment_method = method.to_owned();
        Command::Request { booking_id, itinerary_id, lines, travellers, payment_method }
    };
    let too_many: Vec<Line> = (1..=u32::try_from(LINES_MAX).unwrap() + 1)
        .map(|number| line(number, two(), eur(1)))
        .collect();
    let crowd = (0..=u128::try_from(TRAVELLERS_MAX).unwrap()).map(|n| traveller(n, "QQ"));
    let cases = [
        (request_of(vec![]), "booking_lines_out_of_range"),
        (request_of(too_many), "booking_lines_out_of_range"),
        (request_of(vec![line(2, two(), eur(1))]), "booking_line_misnumbered"),
        (with(Claim::Quantity(0), eur(1)), "booking_quantity_out_of_range"),
        (with(Claim::Quantity(501), eur(1)), "booking_quantity_out_of_range"),
        (with(Claim::Seats(vec!["1 A".to_owned()]), eur(1)), "booking_seats_invalid"),
        (with(Claim::Seats(vec!["1A".to_owned(); 2]), eur(1)), "booking_seats_invalid"),
        (with(two(), eur(-1)), "booking_price_out_of_range"),
        (
            request_of(vec![line(1, two(), eur(1)), line(2, two(), money(1, "USD"))]),
            "booking_currencies_differ",
        ),
        (people(vec![]), "booking_travellers_out_of_range"),
        (people(crowd.collect()), "booking_travellers_out_of_range"),
        (people(vec![traveller(1, "QQ"), traveller(1, "QQ")]), "booking_traveller_repeated"),
        (people(vec![traveller(1, "Ada Lovelace")]), "booking_not_sealed"),
        (paid_by(""), "booking_payment_method_invalid"),
        (paid_by("4242424242424242"), "booking_payment_method_invalid"),
        (paid_by("card approved"), "booking_payment_method_invalid"),
        (paid_by(&"a".repeat(65)), "booking_payment_method_invalid"),
    ];

    for (command, code) in cases {
        assert_eq!(command.check().unwrap_err().code(), code);
        given::<Booking>(&[]).when(&by(OWNER), &command).then_refused(Rule, code);
    }
}

#[test]
fn a_rejection_and_a_reason_that_make_no_sense_are_refused() {
    let rejection = |code: &str, message: &str, facts: &str| Command::Reject {
        code: code.to_owned(),
        message: message.to_owned(),
        facts: facts.to_owned(),
    };
    let plain = Command::Cancel { by: CancelledBy::Traveller, reason: sealed("it rains") };
    let cases = [
        (rejection("", "no", "{}"), "booking_text_blank"),
        (rejection("no", "\u{7}", "{}"), "booking_text_unprintable"),
        (rejection("no", &"a".repeat(1_001), "{}"), "booking_text_too_long"),
        (rejection("no", "no", "[]"), "booking_facts_invalid"),
        (plain, "booking_not_sealed"),
    ];

    for (command, code) in cases {
        assert_eq!(command.check().unwrap_err().code(), code);
    }
}

#[test]
fn a_state_shows_its_status_beside_what_it_knows() {
    let state = [requested(), rejected()].iter().fold(Booking::default(), Booking::evolve);

    let shown = serde_json::to_value(&state).unwrap();

    assert_eq!((&shown["status"], &shown["code"]), (&json!("rejected"), &json!("sold_out")));
    assert_eq!(shown["purchase"]["total"], json!({ "amount": 29_133, "currency": "EUR" }));
}
