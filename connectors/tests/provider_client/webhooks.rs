//! Webhooks of the sandbox, proven and read.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::Bytes;
use axum::routing::post;
use connectors::payment_provider::webhook::{
    ProviderEvent, ProviderFact, SIGNATURE_HEADER, WebhookError, WebhookVerifier,
};
use connectors::payment_provider::{Outcome, PaymentProvider as _};
use domain::Timestamp;
use http::{HeaderMap, StatusCode};
use sandbox::{ApiSecret, Operation, WebhookFault, WebhookFaultKind, WebhookTarget};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::timeout;

use crate::world::{Payment, World, euros};

const SECRET: &str = "whsec_of_these_tests";
const NEXT_SECRET: &str = "whsec_of_the_next_tests";
const PATIENCE: Duration = Duration::from_secs(30);

/// A webhook: its signature and its body.
type Hook = (String, Bytes);

async fn receiver(secrets: &[&str]) -> (WebhookTarget, UnboundedReceiver<Hook>) {
    let (sender, hooks) = unbounded_channel();
    let receive = move |headers: HeaderMap, body: Bytes| {
        let signature = headers[SIGNATURE_HEADER].to_str().unwrap().to_owned();
        sender.send((signature, body)).unwrap();
        std::future::ready(StatusCode::NO_CONTENT)
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let router = Router::new().route("/hook", post(receive));
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    let secrets = secrets.iter().map(|secret| ApiSecret::new(secret).unwrap()).collect();
    (WebhookTarget::new(&url, secrets).unwrap(), hooks)
}

async fn next(hooks: &mut UnboundedReceiver<Hook>) -> Hook {
    timeout(PATIENCE, hooks.recv()).await.expect("a webhook comes").unwrap()
}

fn read((signature, body): &Hook, secret: &str) -> Result<ProviderEvent, WebhookError> {
    let micros = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros();
    let now = Timestamp::from_micros(i64::try_from(micros).unwrap());
    let verifier = WebhookVerifier::new(vec![secret.parse().unwrap()]).unwrap();
    verifier.verify(Some(signature), body, now)
}

#[tokio::test]
async fn a_payments_life_is_told_as_facts_that_the_provider_confirms() {
    let (target, mut hooks) = receiver(&[SECRET]).await;
    let world = World::telling(Some(target)).await;
    let client = world.client();
    let payment = Payment::by("card_approved");

    let mut facts = Vec::new();
    for operation in [Operation::Confirm, Operation::Capture, Operation::Refund] {
        let outcome = payment.call(&client, operation).await;
        let Outcome::Done(receipt) = outcome else { panic!("{outcome:?}") };
        let event = read(&next(&mut hooks).await, SECRET).unwrap();
        assert_eq!(client.event(&event.id).await, Outcome::Done(Some(event.clone())));
        facts.push((event.fact, receipt));
    }

    let id = payment.id;
    let [authorized, captured, refunded] = &facts[..] else { panic!("{facts:?}") };
    let expected = ProviderFact::Authorized { payment: id, receipt: authorized.1.clone() };
    assert_eq!(authorized.0, expected);
    let expected = ProviderFact::Captured { payment: id, receipt: captured.1.clone() };
    assert_eq!(captured.0, expected);
    let refund = payment.refund.refund;
    let expected = ProviderFact::Refunded { payment: id, refund, receipt: refunded.1.clone() };
    assert_eq!(refunded.0, expected);
}

#[tokio::test]
async fn declines_voids_and_failed_refunds_are_told_too() {
    let (target, mut hooks) = receiver(&[SECRET]).await;
    let world = World::telling(Some(target)).await;
    let client = world.client();
    let declined = Payment::by("card_declined");
    let voided = Payment::by("card_approved");
    let unrefunded = Payment::by("card_refund_refused");

    let declines = client.authorize(&declined.authorize).await;
    let decline = read(&next(&mut hooks).await, SECRET).unwrap().fact;
    voided.reach(&client, Operation::Cancel).await;
    next(&mut hooks).await;
    let voids = client.void(&voided.void).await;
    let void = read(&next(&mut hooks).await, SECRET).unwrap().fact;
    unrefunded.reach(&client, Operation::Refund).await;
    next(&mut hooks).await;
    next(&mut hooks).await;
    let refunds = client.refund(&unrefunded.refund).await;
    let refund = read(&next(&mut hooks).await, SECRET).unwrap().fact;

    let (Outcome::Refused(declines), Outcome::Refused(refunds)) = (declines, refunds) else {
        panic!("both are refused");
    };
    let ProviderFact::Failed { payment, refusal, .. } = decline else { panic!("{decline:?}") };
    assert_eq!((payment, refusal), (declined.id, declines));
    let ProviderFact::Voided { payment, receipt } = void else { panic!("{void:?}") };
    assert_eq!((payment, receipt.amount), (voided.id, euros(10_000)));
    assert!(matches!(voids, Outcome::Done(done) if done == receipt));
    let ProviderFact::RefundFailed { payment, refusal, .. } = refund else { panic!("{refund:?}") };
    assert_eq!((payment, refusal), (unrefunded.id, refunds));
}

#[tokio::test]
async fn a_forged_webhook_is_refused_and_unknown_to_the_provider() {
    let (target, mut hooks) = receiver(&[SECRET]).await;
    let world = World::telling(Some(target)).await;
    let forged = WebhookFault { kind: WebhookFaultKind::Forged, delay_ms: 0, webhooks: 1 };
    world.faults.plan_webhooks(forged).unwrap();
    let client = world.client();

    let outcome = client.authorize(&Payment::by("card_approved").authorize).await;
    let hooks = [next(&mut hooks).await, next(&mut hooks).await];

    assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
    let refused: Vec<_> = hooks.iter().filter_map(|hook| read(hook, SECRET).err()).collect();
    assert_eq!(refused, [WebhookError::SignatureForged]);
    assert_eq!(client.event("evt_0/../x?y").await, Outcome::Done(None));
}

#[tokio::test]
async fn while_secrets_change_the_old_and_the_new_prove_it() {
    let (target, mut hooks) = receiver(&[SECRET, NEXT_SECRET]).await;
    let world = World::telling(Some(target)).await;
    let client = world.client();

    let outcome = client.authorize(&Payment::by("card_approved").authorize).await;
    let hook = next(&mut hooks).await;

    assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
    assert_eq!(read(&hook, SECRET), read(&hook, NEXT_SECRET));
    assert_eq!(read(&hook, "whsec_of_somebody_else"), Err(WebhookError::SignatureForged));
}
