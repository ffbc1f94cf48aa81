//! Everything that can go wrong on the way, for every call that moves money.

use std::time::Duration;

use connectors::payment_provider::{
    Doubt, HttpPaymentProvider, Obstacle, Outcome, PaymentProvider as _, PaymentStatus,
    ProviderSettings, RetrySettings,
};
use sandbox::{FaultKind, Operation};
use tokio::net::TcpListener;
use tokio::time::Instant;

use crate::world::{LATE, Payment, World};

const CALLS: [Operation; 4] =
    [Operation::Confirm, Operation::Capture, Operation::Cancel, Operation::Refund];

const FAULTS: [(FaultKind, Doubt); 6] = [
    (FaultKind::DropBefore, Doubt::BrokenOff),
    (FaultKind::DropAfter, Doubt::BrokenOff),
    (FaultKind::ErrorBefore, Doubt::Status(500)),
    (FaultKind::ErrorAfter, Doubt::Status(500)),
    (FaultKind::Garbage, Doubt::Unreadable),
    (FaultKind::Delay, Doubt::Late),
];

/// What the ledger has to say when each call up to `operation` was done once.
async fn moved_once(world: &World, payment: &Payment, operation: Operation) {
    let totals = world.totals(payment.id).await.unwrap();
    let moved = (totals.authorized, totals.captured, totals.released, totals.refunded);
    let expected = match operation {
        Operation::Confirm => (10_000, 0, 0, 0),
        Operation::Capture => (10_000, 10_000, 0, 0),
        Operation::Cancel => (10_000, 0, 10_000, 0),
        _ => (10_000, 10_000, 0, 4000),
    };
    assert_eq!(moved, expected, "{operation:?}");
}

#[tokio::test]
async fn every_misbehaviour_is_unknown_and_a_repeat_learns_the_truth_and_charges_once() {
    let world = World::new().await;
    let world = &world;
    let cases = CALLS.into_iter().flat_map(|call| FAULTS.map(|fault| (call, fault)));
    for (operation, (kind, doubt)) in cases {
        let client = world.client();
        let payment = Payment::by("card_approved");
        payment.reach(&client, operation).await;
        world.plan(operation, kind, 1);

        let first = payment.call(&client, operation).await;
        let second = payment.call(&client, operation).await;
        let third = payment.call(&client, operation).await;

        assert_eq!(first, Outcome::Unknown(doubt), "{operation:?} {kind:?}");
        assert!(matches!(second, Outcome::Done(_)), "{operation:?} {kind:?}: {second:?}");
        assert_eq!(second, third);
        moved_once(world, &payment, operation).await;
    }
}

#[tokio::test]
async fn an_unknown_outcome_can_be_looked_up() {
    for (kind, status) in [
        (FaultKind::DropBefore, None),
        (FaultKind::DropAfter, Some(PaymentStatus::Authorized)),
        (FaultKind::Delay, Some(PaymentStatus::Authorized)),
    ] {
        let world = World::new().await;
        let client = world.client();
        let payment = Payment::by("card_approved");
        world.plan(Operation::Confirm, kind, 1);

        let outcome = client.authorize(&payment.authorize).await;
        let known = client.look_up(payment.id).await;

        assert!(matches!(outcome, Outcome::Unknown(_)), "{outcome:?}");
        let Outcome::Done(known) = known else { panic!("{known:?}") };
        assert_eq!(known.map(|known| known.status), status, "{kind:?}");
    }
}

#[tokio::test]
async fn a_look_up_that_goes_wrong_does_not_pass_for_an_answer() {
    let world = World::new().await;
    let client = world.client();
    let payment = Payment::by("card_approved");

    for (kind, doubt) in FAULTS {
        world.plan(Operation::LookUp, kind, 1);
        assert_eq!(client.look_up(payment.id).await, Outcome::Unknown(doubt), "{kind:?}");
        client.circuit().reset();
    }
}

#[tokio::test]
async fn cards_that_misbehave_are_unknown_first_and_charge_once() {
    for (card, doubt) in [
        ("card_slow", Doubt::Late),
        ("card_lost_answer", Doubt::BrokenOff),
        ("card_error_after_work", Doubt::Status(500)),
    ] {
        let world = World::new().await;
        let client = world.client();
        let payment = Payment::by(card);

        for operation in [Operation::Confirm, Operation::Capture, Operation::Refund] {
            let first = payment.call(&client, operation).await;
            let second = payment.call(&client, operation).await;

            assert_eq!(first, Outcome::Unknown(doubt), "{card} {operation:?}");
            assert!(matches!(second, Outcome::Done(_)), "{card} {operation:?}: {second:?}");
            moved_once(&world, &payment, operation).await;
        }
    }
}

#[tokio::test]
async fn repeats_of_the_client_itself_settle_what_went_wrong_once() {
    for kind in [FaultKind::DropAfter, FaultKind::ErrorBefore, FaultKind::Garbage] {
        let world = World::new().await;
        let client = HttpPaymentProvider::new(world.settings()).unwrap();
        let payment = Payment::by("card_approved");
        world.plan(Operation::Confirm, kind, 2);

        let outcome = client.authorize(&payment.authorize).await;

        assert!(matches!(outcome, Outcome::Done(_)), "{kind:?}: {outcome:?}");
        moved_once(&world, &payment, Operation::Confirm).await;
    }
}

#[tokio::test]
async fn a_call_ends_by_its_deadline() {
    let world = World::new().await;
    let call_timeout = Duration::from_millis(700);
    let settings = ProviderSettings { call_timeout, attempt_timeout: LATE, ..world.settings() };
    let client = HttpPaymentProvider::new(settings).unwrap();
    let payment = Payment::by("card_approved");
    world.plan(Operation::Confirm, FaultKind::Delay, 100);
    let began = Instant::now();

    let outcome = client.authorize(&payment.authorize).await;

    assert_eq!(outcome, Outcome::Unknown(Doubt::Late));
    assert!(began.elapsed() < LATE / 3, "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_provider_that_is_away_was_not_asked() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let retries = RetrySettings { per_call_max: 1, ..RetrySettings::default() };
    let settings = ProviderSettings::new(url, "sk_test_of_these_tests".parse().unwrap());
    let client = HttpPaymentProvider::new(ProviderSettings { retries, ..settings }).unwrap();

    let outcome = client.authorize(&Payment::by("card_approved").authorize).await;

    assert_eq!(outcome, Outcome::NotTried(Obstacle::NoConnection));
}

#[tokio::test]
async fn an_answer_that_is_too_long_is_unknown() {
    let world = World::new().await;
    let retries = RetrySettings { per_call_max: 0, ..RetrySettings::default() };
    let settings = ProviderSettings { answer_bytes_max: 100, retries, ..world.settings() };
    let client = HttpPaymentProvider::new(settings).unwrap();
    let payment = Payment::by("card_approved");

    let outcome = client.authorize(&payment.authorize).await;

    assert_eq!(outcome, Outcome::Unknown(Doubt::Unreadable));
    moved_once(&world, &payment, Operation::Confirm).await;
}
