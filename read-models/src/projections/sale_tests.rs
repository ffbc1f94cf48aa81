//! Given events of offers, bookings and sagas, then rows.

use domain::booking::{BookingRejected, LineRefund};
use domain::ids::{AccountId, BookingId, HoldId, OfferId};
use domain::offer::{self, Claim};
use domain::saga::{Saga, StepStatus};
use domain::{Aggregate as _, Event, RecordedEvent};
use proptest::prelude::*;
use uuid::Uuid;

use super::{BookingRow, Bookings, OfferPlaceRow, OfferRow, Offers, SagaEventRow, SagaRow, Sagas};
use crate::testing::harness::rows_after;
use crate::testing::saga_samples;
use crate::testing::sales::{any_sale, eur, listed, requested};
use crate::testing::samples::{START, SampleLog};

const ID: Uuid = Uuid::from_u128(1);
const OWNER: Uuid = Uuid::from_u128(0xA1);
const OFFER: Uuid = Uuid::from_u128(0xF1);

fn log(events: impl IntoIterator<Item = Event>) -> Vec<RecordedEvent> {
    let mut log = SampleLog::new();
    events.into_iter().for_each(|event| log.append(0, ID, OWNER, event));
    log.into_events()
}

/// A booking that was requested, and then these kinds of events of `sales`.
fn booking_after(kinds: &[u8]) -> BookingRow {
    let later = kinds.iter().map(|kind| any_sale(*kind, 0, ID));
    let events = std::iter::once(requested(ID, OWNER, OFFER).into()).chain(later);
    let mut rows: Vec<BookingRow> = rows_after(&Bookings, &log(events));
    assert_eq!(rows.len(), 1);
    rows.remove(0)
}

#[test]
fn a_requested_booking_shows_what_is_bought() {
    let row = booking_after(&[]);

    assert_eq!((row.booking_id, row.account_id), (BookingId(ID), AccountId(OWNER)));
    assert_eq!(
        (row.status.as_str(), row.amount_total, row.currency.as_str()),
        ("requested", 10_000, "EUR")
    );
    let line = &row.lines.0[0];
    assert_eq!((line.line, line.offer_id, line.price), (1, OfferId(OFFER), eur(10_000)));
    assert_eq!((&line.held, &line.refund), (&None, &None));
    assert_eq!(row.sealed.0.travellers.len(), 1);
    assert_eq!((row.version, row.created_at), (1, START.plus_seconds(1)));
}

#[test]
fn a_held_booking_shows_what_its_holds_froze_and_until_when() {
    let row = booking_after(&[12]);

    assert_eq!(row.status, "held");
    assert_eq!(row.hold_expires_at, Some(START.plus_seconds(1_200)));
    assert_eq!(row.lines.0[0].held.as_ref().map(|held| held.title.as_str()), Some("Voo"));
}

#[test]
fn a_confirmed_booking_that_is_cancelled_shows_what_goes_back() {
    let row = booking_after(&[12, 13, 16, 17]);

    assert_eq!(
        (row.status.as_str(), row.cancelled_by.as_deref()),
        ("cancelled", Some("traveller"))
    );
    assert_eq!((row.amount_refund, row.amount_fee), (Some(5_000), Some(5_000)));
    let refund = LineRefund { line: 1, percent: 50, amount: eur(5_000) };
    assert_eq!(row.lines.0[0].refund, Some(refund));
    assert_eq!(row.confirmed_at, Some(START.plus_seconds(60)));
    assert_eq!(row.cancelled_at, Some(START.plus_seconds(120)));
    assert_eq!((row.ended_at, row.hold_expires_at), (Some(START.plus_seconds(5)), None));
    assert!(row.sealed.0.reason.is_some() && row.payment_id.is_some());
}

#[test]
fn a_rejected_booking_says_why_with_its_facts() {
    let rejected = BookingRejected {
        booking_id: BookingId(ID),
        code: "price_changed".to_owned(),
        message: "The price changed.".to_owned(),
        facts: r#"{"old_price":{"amount":1,"currency":"EUR"}}"#.to_owned(),
    };

    let events = log([requested(ID, OWNER, OFFER).into(), rejected.into()]);
    let rows: Vec<BookingRow> = rows_after(&Bookings, &events);

    assert_eq!(
        (rows[0].status.as_str(), rows[0].rejection_code.as_deref()),
        ("rejected", Some("price_changed"))
    );
    let facts = rows[0].rejection_facts.as_ref().expect("facts");
    assert_eq!(facts.0["old_price"]["amount"], 1);
}

#[test]
fn streams_without_their_beginning_give_no_rows() {
    let confirmed = log([any_sale(13, 0, ID)]);
    let held = log([any_sale(5, 0, ID)]);
    let stuck = log([saga_samples::any_event(5, 0, ID)]);

    assert_eq!(rows_after::<BookingRow>(&Bookings, &confirmed), []);
    assert_eq!(rows_after::<OfferRow>(&Offers, &held), []);
    assert_eq!(rows_after::<SagaRow>(&Sagas, &stuck), []);
}

fn hold(number: u128, claim: Claim) -> Event {
    let Event::Offer(offer::Event::Held(held)) = any_sale(5, 0, ID) else { panic!("a hold") };
    offer::OfferHeld { hold_id: HoldId(Uuid::from_u128(number)), claim, ..held }.into()
}

fn allocation(number: u128, claim: Claim) -> Event {
    let Event::Offer(offer::Event::Allocated(sold)) = any_sale(8, 0, ID) else { panic!("a sale") };
    offer::OfferAllocated { hold_id: HoldId(Uuid::from_u128(number)), claim, ..sold }.into()
}

fn offer_after(events: impl IntoIterator<Item = Event>) -> OfferRow {
    let mut rows: Vec<OfferRow> = rows_after(&Offers, &log(events));
    assert_eq!(rows.len(), 1);
    rows.remove(0)
}

#[test]
fn an_offer_counts_what_is_held_sold_and_left() {
    let expired = Claim::Quantity(3);
    let offer_id = OfferId(ID);

    let row = offer_after([
        listed(ID, "Voo São João").into(),
        hold(1, Claim::Quantity(2)),
        hold(2, expired.clone()),
        hold(3, Claim::Quantity(1)),
        allocation(1, Claim::Quantity(2)),
        offer::OfferHoldExpired {
            offer_id,
            hold_id: HoldId(Uuid::from_u128(2)),
            claim: expired,
            expired_at: START,
        }
        .into(),
    ]);

    assert_eq!((row.capacity, row.held, row.allocated, row.available), (10, 1, 2, 7));
    assert_eq!(row.search_words, "joao lisbon porto sao voa voo");
    assert_eq!(row.start_date.to_string(), "2026-05-31");
}

#[test]
fn a_seat_is_taken_from_its_hold_to_its_return() {
    let offer_id = OfferId(ID);
    let seats = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let mut with_seats = listed(ID, "Voo");
    with_seats.seats = Some(seats(&["1A", "1B", "1C"]));
    with_seats.capacity = 3;
    let claim = || Claim::Seats(seats(&["1A", "1B"]));
    let sold = [with_seats.into(), hold(1, claim()), allocation(1, claim())];
    let returned = offer::OfferReturned {
        offer_id,
        hold_id: HoldId(Uuid::from_u128(1)),
        claim: Some(claim()),
        returned_at: START,
        valid_until: START,
    };

    let before = offer_after(sold.clone());
    let after = offer_after(sold.into_iter().chain([returned.into()]));

    assert_eq!(before.seats.0.taken, seats(&["1A", "1B"]).into_iter().collect());
    assert_eq!((before.allocated, before.available), (2, 1));
    assert!(after.seats.0.taken.is_empty());
    assert_eq!((after.allocated, after.available), (0, 3));
}

#[test]
fn a_closed_offer_sells_nothing_new() {
    let closed = offer::OfferClosed { offer_id: OfferId(ID) };

    let row = offer_after([listed(ID, "Voo").into(), closed.into()]);

    assert_eq!((row.status.as_str(), row.capacity, row.available), ("closed", 10, 0));
}

#[test]
fn an_offer_is_found_at_each_of_its_places_once() {
    let mut offer = listed(ID, "Voo");
    offer.places = ["São Tomé", "SAO-TOME", "Porto"].map(str::to_owned).to_vec();

    let rows: Vec<OfferPlaceRow> = rows_after(&Offers, &log([offer.into()]));

    let places: Vec<_> = rows.iter().map(|row| row.place.as_str()).collect();
    assert_eq!(places, ["porto", "sao tome"]);
}

#[test]
fn a_timeline_tells_of_steps_failures_and_operators() {
    let kinds = [0, 7, 9, 5, 6];

    let events = log(kinds.map(|kind| saga_samples::any_event(kind, 0, ID)));
    let rows: Vec<SagaEventRow> = rows_after(&Sagas, &events);

    let told: Vec<_> = rows
        .iter()
        .map(|row| (row.event_type.as_str(), row.step.as_deref(), row.code.as_deref()))
        .collect();
    assert_eq!(
        told,
        [
            ("saga-started", None, None),
            ("saga-step-requested", Some("confirm"), None),
            ("saga-step-failed", Some("confirm"), Some("booking_cancelling")),
            ("saga-stuck", Some("refund"), Some("declined")),
            ("saga-resolved-by-operator", Some("refund"), None),
        ]
    );
    assert_eq!(rows[2].consequence.as_deref(), Some("compensate"));
    assert_eq!(rows[4].message.as_deref(), Some("the provider is back"));
}

fn state_name(saga: &Saga) -> Option<&'static str> {
    Some(match saga {
        Saga::NotStarted => return None,
        Saga::Running(_) => "running",
        Saga::Stuck(_) => "stuck",
        Saga::Completed(_) => "completed",
        Saga::Compensated(_) => "compensated",
        Saga::Resolved(_) => "resolved",
    })
}

proptest! {
    /// What the rows say of a saga is what its own fold says, whatever happened.
    #[test]
    fn state_and_steps_are_those_of_the_aggregate(
        history in prop::collection::vec((0..saga_samples::KINDS, 0..6_u8), 0..20)
    ) {
        let first = saga_samples::any_event(0, 0, ID);
        let later = history.iter().map(|(kind, which)| saga_samples::any_event(*kind, *which, ID));
        let events: Vec<Event> = std::iter::once(first).chain(later).collect();
        let saga = events.iter().fold(Saga::default(), |saga, event| match event {
            Event::Saga(event) => saga.evolve(event),
            other => panic!("{other:?}"),
        });

        let rows: Vec<SagaRow> = rows_after(&Sagas, &log(events));

        let progress = saga.progress().expect("it has started");
        prop_assert_eq!(Some(rows[0].state.as_str()), state_name(&saga));
        prop_assert_eq!(rows[0].ended_at.is_none(), saga.active());
        prop_assert_eq!(rows[0].deadline_passed, progress.deadline_passed);
        let of_row: Vec<(&str, u32, StepStatus)> = rows[0]
            .steps.0.iter().map(|(name, at)| (name.as_str(), at.attempt, at.status)).collect();
        let of_fold: Vec<(&str, u32, StepStatus)> = progress
            .steps.iter().map(|(name, at)| (name.as_str(), at.attempt, at.status)).collect();
        prop_assert_eq!(of_row, of_fold);
    }
}
