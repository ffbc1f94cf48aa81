//! What a provider that is well answers, and what the client makes of it.

use connectors::payment_provider::{
    Authorize, Capture, HttpPaymentProvider, Obstacle, Outcome, PaymentProvider as _,
    PaymentStatus, ProviderSettings, Receipt, RefundPayment, Refusal,
};
use sandbox::Operation;
use uuid::Uuid;

use crate::world::{Payment, World, euros};

fn done<T: std::fmt::Debug>(outcome: Outcome<T>) -> T {
    match outcome {
        Outcome::Done(done) => done,
        other => panic!("{other:?}"),
    }
}

fn code(outcome: &Outcome<Receipt>) -> &str {
    match outcome {
        Outcome::Refused(Refusal { code, .. }) => code,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_payment_goes_through_and_can_be_looked_up() {
    let world = World::new().await;
    let client = world.client();
    let payment = Payment::by("card_approved");

    let unknown = done(client.look_up(payment.id).await);
    let authorized = done(client.authorize(&payment.authorize).await);
    let captured = done(client.capture(&payment.capture).await);
    let refunded = done(client.refund(&payment.refund).await);
    let known = done(client.look_up(payment.id).await).unwrap();

    assert_eq!(unknown, None);
    assert_eq!((authorized.amount, captured.amount), (euros(10_000), euros(10_000)));
    assert_eq!(authorized.reference, captured.reference);
    assert_eq!(refunded.amount, euros(4000));
    assert_eq!(known.status, PaymentStatus::Captured);
    assert_eq!(known.reference, authorized.reference);
    assert_eq!((known.captured, known.refunded), (euros(10_000), euros(4000)));
    assert_eq!(known.refunds.len(), 1);
    assert_eq!(known.refunds[0].refund, Some(payment.refund.refund));
    assert_eq!(known.refunds[0].reference, refunded.reference);
    assert_eq!(world.totals(payment.id).await.unwrap().refunded, 4000);
}

#[tokio::test]
async fn a_refusal_is_told_with_its_code_and_moves_nothing() {
    for (card, expected) in
        [("card_declined", "card_declined"), ("card_insufficient_funds", "insufficient_funds")]
    {
        let world = World::new().await;
        let client = world.client();
        let payment = Payment::by(card);

        let outcome = client.authorize(&payment.authorize).await;
        let known = done(client.look_up(payment.id).await).unwrap();

        assert_eq!(code(&outcome), expected);
        let PaymentStatus::Declined(refusal) = known.status else { panic!("{known:?}") };
        assert_eq!(refusal.code, expected);
        assert_eq!(world.totals(payment.id).await.unwrap().authorized, 0);
    }
}

#[tokio::test]
async fn a_refused_refund_is_told_and_known() {
    let world = World::new().await;
    let client = world.client();
    let payment = Payment::by("card_refund_refused");
    payment.reach(&client, Operation::Refund).await;

    let outcome = client.refund(&payment.refund).await;
    let known = done(client.look_up(payment.id).await).unwrap();

    assert_eq!(code(&outcome), "refund_refused");
    assert_eq!(known.refunds[0].failure.as_ref().unwrap().code, "refund_refused");
    assert_eq!(known.refunded, euros(0));
}

#[tokio::test]
async fn voiding_an_unknown_payment_closes_the_door_on_it() {
    let world = World::new().await;
    let client = world.client();
    let payment = Payment::by("card_approved");

    let voided = done(client.void(&payment.void).await);
    let late = client.authorize(&payment.authorize).await;
    let known = done(client.look_up(payment.id).await).unwrap();

    assert_eq!(voided.amount, euros(0));
    assert_eq!(code(&late), "intent_canceled");
    assert_eq!(known.status, PaymentStatus::Voided);
    assert_eq!(world.totals(payment.id).await.unwrap().authorized, 0);
}

#[tokio::test]
async fn what_is_so_already_is_done_even_under_another_key() {
    let world = World::new().await;
    let client = world.client();
    let payment = Payment::by("card_approved");
    let first = done(client.authorize(&payment.authorize).await);

    let again = Authorize { key: Uuid::now_v7(), ..payment.authorize.clone() };
    let again = done(client.authorize(&again).await);
    let captured = done(client.capture(&payment.capture).await);
    let recaptured = Capture { key: Uuid::now_v7(), ..payment.capture.clone() };
    let recaptured = done(client.capture(&recaptured).await);
    let refunded = done(client.refund(&payment.refund).await);
    let rerefunded = RefundPayment { key: Uuid::now_v7(), ..payment.refund.clone() };
    let rerefunded = done(client.refund(&rerefunded).await);

    assert_eq!((first, captured, refunded), (again, recaptured, rerefunded));
    let totals = world.totals(payment.id).await.unwrap();
    assert_eq!((totals.authorized, totals.captured, totals.refunded), (10_000, 10_000, 4000));
}

#[tokio::test]
async fn what_is_otherwise_already_is_refused() {
    let world = World::new().await;
    let client = world.client();
    let payment = Payment::by("card_approved");
    payment.reach(&client, Operation::Refund).await;
    let key = Uuid::now_v7();

    let less = Capture { key, amount: euros(9000), ..payment.capture.clone() };
    let less = client.capture(&less).await;
    let dearer = Authorize { key: Uuid::now_v7(), amount: euros(1), ..payment.authorize.clone() };
    let dearer = client.authorize(&dearer).await;
    let too_much = RefundPayment { amount: euros(10_001), ..payment.refund.clone() };
    let too_much = client.refund(&too_much).await;
    let void = client.void(&payment.void).await;
    let mismatch = Capture { amount: euros(1), ..payment.capture.clone() };
    let mismatch = client.capture(&mismatch).await;

    assert_eq!(code(&less), "intent_captured");
    assert_eq!(code(&dearer), "reference_taken");
    assert_eq!(code(&too_much), "amount_too_large");
    assert_eq!(code(&void), "intent_captured");
    assert_eq!(code(&mismatch), "idempotency_mismatch");
}

#[tokio::test]
async fn a_wrong_secret_tries_nothing() {
    let world = World::new().await;
    let settings = ProviderSettings::new(&world.url, "sk_test_of_others".parse().unwrap());
    let stranger = HttpPaymentProvider::new(settings).unwrap();
    let payment = Payment::by("card_approved");

    let outcome = stranger.authorize(&payment.authorize).await;

    assert_eq!(outcome, Outcome::NotTried(Obstacle::Misconfigured));
    assert_eq!(world.totals(payment.id).await, None);
}

#[tokio::test]
async fn totals_are_read_to_their_end() {
    let world = World::new().await;
    let client = world.client();
    for _ in 0..3 {
        done(client.authorize(&Payment::by("card_approved").authorize).await);
    }

    let all = done(client.totals(None).await);
    let rest = done(client.totals(Some(&all[0].reference)).await);
    let end = done(client.totals(Some(&all[2].reference)).await);

    assert_eq!((all.len(), rest.len(), end.len()), (3, 2, 0));
    assert!(all.iter().all(|totals| totals.reserved == 10_000));
}
