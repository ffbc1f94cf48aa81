//! The invariants over the whole log, tried on histories that the real aggregates made: none of
//! them is found wrong, and each kind of violation that is planted in one is found, and nothing
//! else.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::sample::Index;
use uuid::Uuid;

use super::interleavings::stories;
use super::proofs::ended_by_an_operator;
use super::world::{World, booking_id, booking_stream, euro, itinerary_stream, offer_stream};
use crate::ids::{CommandId, CorrelationId, EventId, HoldId, ItineraryId, PaymentId, SagaId};
use crate::invariants::{Books, Check, Finding, Invariants, Kind, ProviderMoney};
use crate::offer::{Claim, LineRef, OfferAllocated, OfferHeld, OfferHoldReleased, OfferReturned};
use crate::payment::{PaymentRefunded, PaymentSucceeded};
use crate::{
    Category, Digest, Envelope, Event, Position, StreamName, Tenant, Timestamp, booking, derive,
    invoice_series, itinerary, offer, payment, saga,
};

/// Histories by stream; each event with the command that brought it.
type Log = BTreeMap<StreamName, Vec<(Uuid, Event)>>;

/// How a reader gets at the streams.
#[derive(Clone, Copy, Debug)]
enum Order {
    Forward,
    Backward,
    /// One event of each in turn.
    Mixed,
}

fn log_of(world: &World) -> Log {
    let mut number = 0;
    let mut event = |event: &Event| {
        number += 1;
        (Uuid::from_u128(number), event.clone())
    };
    let streams = world.streams.iter();
    streams.map(|(name, stream)| (*name, stream.events.iter().map(&mut event).collect())).collect()
}

fn envelope(stream: StreamName, version: u64, command: Uuid, event_id: u128) -> Envelope {
    Envelope {
        event_id: EventId(Uuid::from_u128(event_id)),
        event_type: "any".into(),
        stream,
        version,
        recorded_at: Timestamp::default(),
        sequence: 1,
        epoch: 0,
        correlation_id: CorrelationId(Uuid::nil()),
        causation_id: Uuid::nil(),
        command_id: CommandId(command),
        fingerprint: Digest::default(),
        actor: crate::testing::saga(),
        tenant: Tenant::default(),
        hash: Digest::default(),
        traceparent: None,
    }
}

/// Everything that is found in the log, waiting aside.
fn found(log: &Log, order: Order, now: Timestamp) -> Vec<Finding> {
    let mut invariants = Invariants::default();
    let mut found = Vec::new();
    let mut number = 0;
    let mut read = |stream: StreamName, index: usize, (command, event): &(Uuid, Event)| {
        number += 1;
        let envelope = envelope(stream, index as u64 + 1, *command, number);
        found.extend(invariants.read(Position { partition: 0, offset: 0 }, &envelope, event));
    };
    let mut streams: Vec<_> = log.iter().collect();
    if matches!(order, Order::Backward) {
        streams.reverse();
    }
    if matches!(order, Order::Mixed) {
        let longest = streams.iter().map(|(_, events)| events.len()).max().unwrap_or(0);
        for index in 0..longest {
            let alive =
                streams.iter().filter_map(|(name, events)| Some((name, events.get(index)?)));
            alive.for_each(|(name, event)| read(**name, index, event));
        }
    } else {
        for (name, events) in streams {
            events.iter().enumerate().for_each(|(index, event)| read(*name, index, event));
        }
    }
    found.extend(invariants.judge(now).found);
    found.retain(|finding| finding.kind != Kind::Waiting);
    found.iter_mut().for_each(|finding| finding.position = None);
    found.sort();
    found
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn no_history_of_the_real_aggregates_breaks_an_invariant(
        story in stories(),
        cut in any::<Index>(),
    ) {
        let mut world = World::new();
        let cut = cut.index(story.len() + 1);
        let long_ago = Timestamp::default();

        story[..cut].iter().for_each(|happening| world.happen(happening));
        let in_between = found(&log_of(&world), Order::Forward, long_ago);
        story[cut..].iter().for_each(|happening| world.happen(happening));
        world.come_to_rest();
        let tomorrow = world.now.plus_seconds(86_400);
        let at_rest = [Order::Forward, Order::Backward, Order::Mixed]
            .map(|order| found(&log_of(&world), order, tomorrow));

        prop_assert!(in_between.is_empty(), "{in_between:#?}{}", world.told());
        for findings in at_rest {
            prop_assert!(findings.is_empty(), "{findings:#?}{}", world.told());
        }
    }
}

/// One booking confirmed (1), one declined (2), one cancelled after it was confirmed (3).
fn sold() -> Log {
    let mut world = World::new();
    let two = [(0, Claim::Quantity(1)), (2, Claim::Seats(vec!["1A".to_owned()]))];
    world.book(1, &two);
    world.come_to_rest();
    world.book(2, &[(1, Claim::Quantity(1))]);
    let declined = |world: &World| {
        let events = world.streams.get(&payment_stream(2)).map(|stream| &stream.events);
        events.is_some_and(|events| events.iter().any(|event| event.name() == "payment-failed"))
    };
    for _ in 0..100 {
        if !declined(&world) {
            world.turn(false);
        }
    }
    world.come_to_rest();
    world.book(3, &[(1, Claim::Quantity(2))]);
    world.come_to_rest();
    world.cancel(3);
    world.come_to_rest();
    assert_eq!(world.history(1).last(), Some(&"booking-confirmed"));
    assert_eq!(world.history(2).last(), Some(&"booking-rejected"));
    assert_eq!(world.history(3).last(), Some(&"booking-cancelled"));
    log_of(&world)
}

fn after_all() -> Timestamp {
    "2026-06-01T00:00:00Z".parse().unwrap()
}

/// Plants something in a log that holds; what is found then.
fn planted(plant: impl FnOnce(&mut Log)) -> Vec<Finding> {
    let mut log = sold();
    assert_eq!(found(&log, Order::Forward, after_all()), [], "it holds before");
    plant(&mut log);
    let findings = found(&log, Order::Forward, after_all());
    let backward = found(&log, Order::Backward, after_all());
    assert_eq!(findings, backward, "the order of streams matters");
    findings
}

/// Exactly one violation of that check in that stream, with those words.
fn expect(findings: &[Finding], check: Check, stream: StreamName, words: &[&str]) {
    let [finding] = findings else { panic!("not one finding: {findings:#?}") };
    assert_eq!((finding.kind, finding.check, finding.stream), (Kind::Violation, check, stream));
    for word in words {
        assert!(finding.what.contains(word), "`{word}` is missing: {finding}");
    }
}

fn append(log: &mut Log, stream: StreamName, event: impl Into<Event>) {
    let number = 1_000_000 + log.values().map(Vec::len).sum::<usize>() as u128;
    log.entry(stream).or_default().push((Uuid::from_u128(number), event.into()));
}

fn payment_of(booking: u8) -> PaymentId {
    derive::payment(derive::trip_saga(booking_id(booking)))
}

fn payment_stream(booking: u8) -> StreamName {
    StreamName::new(Category::Payment, payment_of(booking).0)
}

/// The first event of the stream that is of that kind.
fn event_mut<'a, E>(
    log: &'a mut Log,
    stream: StreamName,
    of: impl Fn(&'a mut Event) -> Option<&'a mut E>,
) -> &'a mut E {
    log.get_mut(&stream).unwrap().iter_mut().find_map(|(_, event)| of(event)).unwrap()
}

/// The seat of the second line is anybody's again.
fn take_back(log: &mut Log) {
    let held = held(log);
    let returned = OfferReturned {
        offer_id: held.offer_id,
        hold_id: held.hold_id,
        claim: Some(held.claim),
        returned_at: Timestamp::default(),
        valid_until: Timestamp::default(),
    };
    append(log, offer_stream(2), returned);
}

/// The hold of booking 1 on the offer with seats.
fn held(log: &Log) -> OfferHeld {
    let events = log[&offer_stream(2)].iter();
    let held = |(_, event): &(Uuid, Event)| match event {
        Event::Offer(offer::Event::Held(held)) => Some(held.clone()),
        _ => None,
    };
    events.filter_map(held).next().unwrap()
}

fn another(held: OfferHeld, claim: Claim) -> OfferHeld {
    OfferHeld { hold_id: HoldId(Uuid::from_u128(0xA07)), line: None, claim, ..held }
}

#[test]
fn more_than_there_is_is_found() {
    let found = planted(|log| {
        let held = another(held(log), Claim::Quantity(2));
        let (hold_id, claim, line) = (held.hold_id, held.claim.clone(), None);
        append(log, offer_stream(2), held.clone());
        let sold = OfferAllocated { offer_id: held.offer_id, hold_id, line, claim };
        append(log, offer_stream(2), sold);
    });

    expect(
        &found,
        Check::Capacity,
        offer_stream(2),
        &["3 places are held or sold, and there are 2"],
    );
}

#[test]
fn a_seat_that_goes_to_two_is_found() {
    let found = planted(|log| {
        let held = another(held(log), Claim::Seats(vec!["1A".to_owned()]));
        let (hold_id, claim, line) = (held.hold_id, held.claim.clone(), None);
        append(log, offer_stream(2), held.clone());
        let sold = OfferAllocated { offer_id: held.offer_id, hold_id, line, claim };
        append(log, offer_stream(2), sold);
    });

    expect(&found, Check::Seats, offer_stream(2), &["seat 1A"]);
}

#[test]
fn what_is_freed_and_was_not_held_is_found() {
    let found = planted(|log| {
        let held = another(held(log), Claim::Quantity(1));
        let released = OfferHoldReleased {
            offer_id: held.offer_id,
            hold_id: held.hold_id,
            claim: Some(held.claim),
            released_at: Timestamp::default(),
            valid_until: Timestamp::default(),
        };
        append(log, offer_stream(2), released);
    });

    expect(&found, Check::Capacity, offer_stream(2), &["1 places", "freed", "0 are held"]);
}

#[test]
fn a_hold_that_stays_open_is_found_a_minute_after_its_time() {
    let mut log = sold();
    let held = another(held(&log), Claim::Quantity(1));
    let expires_at = held.expires_at;
    append(&mut log, offer_stream(2), held);

    let in_time = found(&log, Order::Forward, expires_at.plus_seconds(60));
    let late = found(&log, Order::Forward, expires_at.plus_seconds(61));

    assert_eq!(in_time, []);
    expect(&late, Check::Holds, offer_stream(2), &["is open", &expires_at.to_string()]);
}

#[test]
fn more_money_given_back_than_was_taken_is_found() {
    let found = planted(|log| {
        let refunded = PaymentRefunded {
            payment_id: payment_of(2),
            booking_id: booking_id(2),
            saga_id: derive::trip_saga(booking_id(2)),
            refund_id: derive::refund(derive::trip_saga(booking_id(2)), "more", 1),
            reference: Some("re_more".to_owned()),
            amount: euro(100),
            reported: None,
        };
        append(log, payment_stream(2), refunded);
    });

    // The sums, and what they mean for the booking.
    let both = &found;
    let checks: Vec<Check> = both.iter().map(|finding| finding.check).collect();
    assert_eq!(checks, [Check::Payments, Check::Bookings], "{found:#?}");
    assert!(both[0].what.contains("100 refunded"), "{}", both[0]);
    assert!(both[1].what.contains("EUR -100 are kept"), "{}", both[1]);
}

#[test]
fn a_confirmed_booking_that_is_not_paid_is_found() {
    let found = planted(|log| {
        let paid = event_mut(log, payment_stream(1), |event| match event {
            Event::Payment(payment::Event::Succeeded(paid)) => Some(paid),
            _ => None,
        });
        let PaymentSucceeded { amount, .. } = paid;
        amount.amount -= 1;
    });

    let words = ["confirmed, but EUR 1999 are kept", "2000 should be", "saga-", "payment-"];
    expect(&found, Check::Bookings, booking_stream(1), &words);
}

#[test]
fn a_confirmed_booking_that_lost_its_seat_is_found() {
    let found = planted(|log| {
        take_back(log);
    });

    expect(&found, Check::Bookings, booking_stream(1), &["0 of 1 places of line 2 are sold"]);
}

#[test]
fn a_confirmed_booking_that_is_not_attached_is_found() {
    let found = planted(|log| {
        let (itinerary_id, booking_id) = (ItineraryId(itinerary_stream().id), booking_id(1));
        let detached = itinerary::ItineraryBookingDetached { itinerary_id, booking_id };
        append(log, itinerary_stream(), detached);
    });

    expect(&found, Check::Bookings, booking_stream(1), &["not attached to itinerary-"]);
}

#[test]
fn a_booking_that_is_attached_again_is_found() {
    let found = planted(|log| {
        let (itinerary_id, booking_id) = (ItineraryId(itinerary_stream().id), booking_id(1));
        let attached = itinerary::ItineraryBookingAttached { itinerary_id, booking_id };
        append(log, itinerary_stream(), attached);
    });

    expect(&found, Check::Attachments, itinerary_stream(), &["attached a second time"]);
}

#[test]
fn a_declined_booking_that_keeps_a_place_is_found() {
    let found = planted(|log| {
        let line = Some(LineRef { booking_id: booking_id(2), line: 1 });
        let held = OfferHeld { line, ..another(held(log), Claim::Quantity(1)) };
        let OfferHeld { offer_id, hold_id, .. } = held;
        append(log, offer_stream(2), held);
        let sold = OfferAllocated { offer_id, hold_id, line, claim: Claim::Quantity(1) };
        append(log, offer_stream(2), sold);
    });

    expect(&found, Check::Bookings, booking_stream(2), &["rejected, but 1 places are still sold"]);
}

#[test]
fn a_cancelled_booking_that_kept_another_fee_is_found() {
    let found = planted(|log| {
        let cancelled = event_mut(log, booking_stream(3), |event| match event {
            Event::Booking(booking::Event::CancellationRequested(asked)) => Some(asked),
            _ => None,
        });
        cancelled.fee = euro(cancelled.fee.amount + 7);
    });

    expect(&found, Check::Bookings, booking_stream(3), &["EUR 1340 are kept", "1347 should be"]);
}

#[test]
fn a_booking_that_its_saga_left_behind_is_found() {
    let found = planted(|log| {
        log.get_mut(&booking_stream(3)).unwrap().pop();
    });

    expect(&found, Check::Bookings, booking_stream(3), &["cancelling, but", "no saga works on it"]);
}

#[test]
fn a_booking_whose_saga_does_not_begin_is_found_once_the_log_went_on() {
    let log = sold();
    let stream = booking_stream(1);
    let requested = &log[&stream][0].1;
    let judged_after = |seconds| {
        let mut invariants = Invariants::default();
        let at = Position { partition: 0, offset: 0 };
        invariants.read(at, &envelope(stream, 1, Uuid::from_u128(1), 1), requested);
        let (other, event) = (offer_stream(1), &log[&offer_stream(1)][0].1);
        let mut later = envelope(other, 1, Uuid::from_u128(2), 2);
        later.recorded_at = later.recorded_at.plus_seconds(seconds);
        invariants.read(at, &later, event);
        let found = invariants.judge(Timestamp::default()).found;
        found.into_iter().map(|finding| (finding.kind, finding.stream)).collect::<Vec<_>>()
    };

    assert_eq!(judged_after(60), [(Kind::Waiting, stream)]);
    assert_eq!(judged_after(61), [(Kind::Violation, stream)]);
}

#[test]
fn a_booking_that_a_second_saga_works_on_is_found() {
    let found = planted(|log| {
        let of = |number| saga::stream(derive::trip_saga(booking_id(number)));
        let (_, started) = log[&of(1)][0].clone();
        let Event::Saga(saga::Event::Started(started)) = started else { panic!("{started:?}") };
        for number in [8, 9] {
            let saga_id = derive::trip_saga(booking_id(number));
            let started = saga::SagaStarted { saga_id, ..started.clone() };
            append(log, of(number), started);
        }
    });

    let [finding] = &found[..] else { panic!("{found:#?}") };
    assert_eq!((finding.kind, finding.check), (Kind::Violation, Check::Sagas));
    for number in [8, 9] {
        let saga = saga::stream(derive::trip_saga(booking_id(number))).to_string();
        assert!(finding.what.contains(&saga), "{finding}");
    }
}

#[test]
fn a_stuck_saga_is_told_and_its_booking_not_judged() {
    let found = planted(|log| {
        let stream = saga::stream(derive::cancellation_saga(booking_id(3)));
        let events = log.get_mut(&stream).unwrap();
        let (command, _) = events.pop().unwrap();
        let stuck = saga::SagaStuck {
            saga_id: derive::cancellation_saga(booking_id(3)),
            step: "credit".to_owned(),
            attempt: 9,
            code: "series_mismatch".to_owned(),
            message: "No.".to_owned(),
        };
        events.push((command, stuck.into()));
        log.get_mut(&booking_stream(3)).unwrap().pop();
    });

    let [finding] = &found[..] else { panic!("{found:#?}") };
    assert_eq!((finding.kind, finding.check), (Kind::Stuck, Check::Sagas));
    assert!(finding.what.contains("`credit` was given up after attempt 9"), "{finding}");
}

#[test]
fn a_saga_that_goes_on_after_its_end_is_found() {
    let stream = saga::stream(derive::trip_saga(booking_id(1)));
    let found = planted(|log| {
        let (_, again) = log[&stream].iter().rev().nth(1).unwrap().clone();
        append(log, stream, again);
    });

    expect(&found, Check::Sagas, stream, &["after its end (completed)"]);
}

#[test]
fn what_an_operator_settled_by_hand_is_told_and_no_violation() {
    let found = planted(|log| {
        settle_by_hand(log, derive::trip_saga(booking_id(1)), "capture");
        log.get_mut(&payment_stream(1)).unwrap().pop();
        log.get_mut(&payment_stream(1)).unwrap().pop();
    });

    let [finding] = &found[..] else { panic!("{found:#?}") };
    assert_eq!((finding.kind, finding.stream), (Kind::SettledByHand, booking_stream(1)));
}

/// An operator settled that step of the saga, before its last event.
fn settle_by_hand(log: &mut Log, saga_id: SagaId, step: &str) {
    let resolved = saga::SagaResolvedByOperator {
        saga_id,
        action: saga::Action::Resolve,
        step: Some(step.to_owned()),
        reason: "Done by telephone.".to_owned(),
        operator: super::world::owner(),
        ends: false,
        follow_up: None,
    };
    let events = log.get_mut(&saga::stream(saga_id)).unwrap();
    let before_the_end = events.len() - 1;
    events.insert(before_the_end, (Uuid::from_u128(7_777_777), resolved.into()));
}

#[test]
fn a_step_that_was_settled_by_hand_excuses_nothing_else() {
    let found = planted(|log| {
        settle_by_hand(log, derive::trip_saga(booking_id(1)), "capture");
        log.get_mut(&payment_stream(1)).unwrap().pop();
        log.get_mut(&payment_stream(1)).unwrap().pop();
        take_back(log);
    });

    let of = |kind| {
        let mut of_kind = found.iter().filter(move |finding| finding.kind == kind);
        of_kind.next().map(|finding| finding.what.as_str()).unwrap_or_default()
    };
    let (settled, broken) = (of(Kind::SettledByHand), of(Kind::Violation));
    assert_eq!(found.len(), 2, "{found:#?}");
    assert!(settled.contains("EUR 0 are kept") && !settled.contains("places"), "{settled}");
    assert!(broken.contains("0 of 1 places") && !broken.contains("kept"), "{broken}");
}

#[test]
fn a_cancellation_that_nobody_works_on_is_found_whatever_was_settled_by_hand() {
    for step in ["refund", "finish-cancellation"] {
        let found = planted(|log| {
            settle_by_hand(log, derive::cancellation_saga(booking_id(3)), step);
            log.get_mut(&booking_stream(3)).unwrap().pop();
        });

        let words = ["cancelling, but", "no saga works on it"];
        expect(&found, Check::Bookings, booking_stream(3), &words);
    }
}

#[test]
fn a_booking_whose_saga_an_operator_ended_is_told_until_it_is_cancelled() {
    let mut world = ended_by_an_operator("capture", true, false);
    let tomorrow = |world: &World| world.now.plus_seconds(86_400);

    world.come_to_rest();
    let ended = found(&log_of(&world), Order::Forward, tomorrow(&world));
    world.cancel(1);
    let asked = found(&log_of(&world), Order::Forward, tomorrow(&world));
    world.come_to_rest();
    let cancelled = found(&log_of(&world), Order::Forward, tomorrow(&world));

    let [finding] = &ended[..] else { panic!("{ended:#?}") };
    assert_eq!((finding.kind, finding.stream), (Kind::SettledByHand, booking_stream(1)));
    assert!(finding.what.contains("held, but no saga works on it"), "{finding}");
    assert_eq!(asked, [], "its saga has still to hear of it");
    assert_eq!(cancelled, []);
}

#[test]
fn a_cancellation_that_an_operator_ended_is_found() {
    let mut world = ended_by_an_operator("capture", true, false);
    world.cancel(1);
    world.read_all();
    world.due().iter().for_each(|key| world.work_on(key));
    let resolve = saga::Command::Resolve { step: None, reason: "Leave it.".to_owned() };
    world.person_asks(saga::stream(derive::trip_saga(booking_id(1))), resolve.into());
    world.come_to_rest();

    let found = found(&log_of(&world), Order::Forward, world.now.plus_seconds(86_400));

    expect(&found, Check::Bookings, booking_stream(1), &["cancelling, but", "no saga works on it"]);
}

#[test]
fn a_hole_in_the_invoices_numbers_is_found() {
    let series =
        |log: &Log| *log.keys().find(|stream| stream.category == Category::InvoiceSeries).unwrap();
    let mut stream = None;
    let found = planted(|log| {
        let series = series(log);
        stream = Some(series);
        let issued = event_mut(log, series, |event| match event {
            Event::InvoiceSeries(invoice_series::Event::Issued(issued)) => Some(issued),
            _ => None,
        });
        issued.number = 2;
    });

    assert_eq!(found.len(), 2, "the hole, and the next number that is used again: {found:#?}");
    for finding in &found {
        assert_eq!((finding.check, Some(finding.stream)), (Check::Invoices, stream));
    }
}

#[test]
fn a_command_that_comes_again_is_found() {
    let found = planted(|log| {
        let trip = log.get_mut(&itinerary_stream()).unwrap();
        let renamed = itinerary::ItineraryRenamed {
            itinerary_id: ItineraryId(itinerary_stream().id),
            title: "Again".to_owned(),
        };
        let (first, _) = trip[0].clone();
        trip.push((first, renamed.into()));
    });

    expect(&found, Check::Commands, itinerary_stream(), &["come again"]);
}

#[test]
fn money_that_moved_at_the_provider_alone_is_found() {
    let log = sold();
    let mut invariants = Invariants::default();
    let mut number = 0;
    for (stream, events) in &log {
        for (index, (command, event)) in events.iter().enumerate() {
            number += 1;
            let envelope = envelope(*stream, index as u64 + 1, *command, number);
            invariants.read(Position { partition: 0, offset: 0 }, &envelope, event);
        }
    }
    let said = |captured, refunded| {
        let currency = euro(0).currency;
        Some(ProviderMoney { currency, captured, refunded, reserved: 0 })
    };
    let (bought, declined, cancelled) = (payment_of(1), payment_of(2), payment_of(3));
    let mut books = Books::default();

    books.compare(bought, invariants.payment(bought), said(2_000, 0));
    books.compare(declined, invariants.payment(declined), None);
    books.compare(cancelled, invariants.payment(cancelled), said(2_000, 661));
    books.compare(payment_of(9), None, said(5, 0));

    let found: Vec<_> = books.found.iter().map(|finding| finding.stream).collect();
    assert_eq!(found, [payment_stream(3), payment_stream(9)]);
    assert!(books.found[0].what.contains("660 refunded"), "{}", books.found[0]);
    assert_eq!(books.compared, 4);
    let totals = books.totals["EUR"];
    assert_eq!((totals.captured_log, totals.captured_provider), (4_000, 4_005));
    assert_eq!((totals.refunded_log, totals.refunded_provider), (660, 661));
}
