//! The circuit as calls meet it.

use std::time::Duration;

use connectors::payment_provider::{
    CircuitSettings, CircuitState, HttpPaymentProvider, Obstacle, Outcome, PaymentProvider as _,
    ProviderSettings, RetrySettings,
};
use sandbox::{FaultKind, Operation};

use crate::world::{Payment, World};

fn client(world: &World, failures_max: u32, open_min: Duration) -> HttpPaymentProvider {
    let circuit = CircuitSettings { failures_max, open_min, open_max: open_min };
    let retries = RetrySettings { per_call_max: 0, ..RetrySettings::default() };
    HttpPaymentProvider::new(ProviderSettings { circuit, retries, ..world.settings() }).unwrap()
}

#[tokio::test]
async fn a_provider_that_keeps_failing_is_left_alone_until_an_operator_or_time_says_so() {
    let world = World::new().await;
    let client = client(&world, 2, Duration::from_secs(600));
    let payment = Payment::by("card_approved");
    world.plan(Operation::Confirm, FaultKind::ErrorBefore, 2);

    for _ in 0..2 {
        let failed = client.authorize(&payment.authorize).await;
        assert!(matches!(failed, Outcome::Unknown(_)), "{failed:?}");
    }
    let state = client.circuit().state();
    let held_back = client.authorize(&payment.authorize).await;
    let untouched = world.totals(payment.id).await;
    client.circuit().reset();
    let let_through = client.authorize(&payment.authorize).await;

    assert_eq!(state, CircuitState::Open);
    assert!(matches!(held_back, Outcome::NotTried(Obstacle::CircuitOpen(_))), "{held_back:?}");
    assert_eq!(untouched, None);
    assert!(matches!(let_through, Outcome::Done(_)), "{let_through:?}");
    assert_eq!(client.circuit().state(), CircuitState::Closed);
}

#[tokio::test]
async fn a_provider_that_can_be_read_and_does_no_work_is_left_alone_too() {
    let world = World::new().await;
    let client = client(&world, 2, Duration::from_secs(600));
    let payment = Payment::by("card_approved");
    world.plan(Operation::Confirm, FaultKind::ErrorBefore, 2);

    let first = client.authorize(&payment.authorize).await;
    let read = client.look_up(payment.id).await;
    let second = client.authorize(&payment.authorize).await;

    assert_eq!([first.name(), second.name()], ["unknown"; 2]);
    assert_eq!(read, Outcome::Done(None));
    assert_eq!(client.circuit().state(), CircuitState::Open);
}

#[tokio::test]
async fn half_open_a_call_that_works_closes_it() {
    let world = World::new().await;
    let client = client(&world, 1, Duration::from_millis(50));
    let payment = Payment::by("card_approved");
    world.plan(Operation::Confirm, FaultKind::DropBefore, 1);
    let failed = client.authorize(&payment.authorize).await;
    while client.circuit().state() == CircuitState::Open {
        tokio::task::yield_now().await;
    }

    let state = client.circuit().state();
    let outcome = client.authorize(&payment.authorize).await;

    assert!(matches!(failed, Outcome::Unknown(_)), "{failed:?}");
    assert_eq!(state, CircuitState::HalfOpen);
    assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
    assert_eq!(client.circuit().state(), CircuitState::Closed);
}

#[tokio::test]
async fn refusals_do_not_open_it() {
    let world = World::new().await;
    let client = client(&world, 1, Duration::from_secs(600));

    for _ in 0..3 {
        let outcome = client.authorize(&Payment::by("card_declined").authorize).await;
        assert!(matches!(outcome, Outcome::Refused(_)), "{outcome:?}");
    }

    assert_eq!(client.circuit().state(), CircuitState::Closed);
}

#[tokio::test]
async fn an_unknown_outcome_stays_unknown_when_its_repeat_is_held_back() {
    let world = World::new().await;
    let open = Duration::from_secs(600);
    let circuit = CircuitSettings { failures_max: 1, open_min: open, open_max: open };
    let settings = ProviderSettings { circuit, ..world.settings() };
    let client = HttpPaymentProvider::new(settings).unwrap();
    let payment = Payment::by("card_approved");
    world.plan(Operation::Confirm, FaultKind::DropAfter, 1);

    let outcome = client.authorize(&payment.authorize).await;

    assert!(matches!(outcome, Outcome::Unknown(_)), "{outcome:?}");
    assert_eq!(world.totals(payment.id).await.unwrap().authorized, 10_000);
}
