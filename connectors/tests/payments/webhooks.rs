//! What the provider tells on its own: believed when it is signed, recorded once, in any order.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use connectors::payment_provider::webhook::SIGNATURE_HEADER;
use connectors::payment_provider::{Authorize, Capture, PaymentProvider as _};
use domain::payment::{Status, Terms};
use domain::{Digest, Refusal};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sandbox::{WebhookFault, WebhookFaultKind};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::world::{WEBHOOK_SECRET, World, until};

async fn authorize(world: &World, terms: &Terms) {
    let call = Authorize {
        key: Uuid::now_v7(),
        payment: terms.payment_id.0,
        amount: terms.amount,
        method: terms.method.clone(),
    };
    assert_eq!(world.provider().authorize(&call).await.name(), "done");
}

async fn capture(world: &World, terms: &Terms) {
    let (payment, amount) = (terms.payment_id.0, terms.amount);
    let call = Capture { key: Uuid::now_v7(), payment, amount };
    assert_eq!(world.provider().capture(&call).await.name(), "done");
}

fn seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn signed(body: &str, seconds: u64, secret: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(format!("{seconds}.{body}").as_bytes());
    let digest = mac.finalize().into_bytes();
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={seconds},v1={hex}")
}

/// The status, and the problem's code if it is one.
async fn send(url: &str, body: &str, signature: &str) -> (u16, String) {
    let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(30));
    let request = client.build().unwrap().post(url).body(body.to_owned());
    let answer = request.header(SIGNATURE_HEADER, signature).send().await.unwrap();
    let status = answer.status().as_u16();
    let body: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or_default();
    (status, body["code"].as_str().unwrap_or_default().to_owned())
}

fn event(id: &str, kind: &str, payment: Uuid) -> String {
    json!({
        "id": id, "type": kind, "created_at_ms": 1_700_000_000_000_i64,
        "data": {"object": {
            "id": "pi_1", "reference": payment.to_string(), "amount": 12_900, "currency": "EUR",
            "status": "requires_capture", "amount_authorized": 12_900, "amount_captured": 0,
            "amount_released": 0, "amount_refunded": 0, "last_failure": null,
        }},
    })
    .to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn facts_are_recorded_once_however_often_and_in_whatever_order_they_come() {
    for kind in [WebhookFaultKind::Twice, WebhookFaultKind::OutOfOrder, WebhookFaultKind::Forged] {
        let world = World::told().await;
        let plan = WebhookFault { kind, delay_ms: 0, webhooks: 1 };
        world.faults.plan_webhooks(plan).unwrap();
        let terms = world.request("card_approved", 900).await;
        world.payment(&terms, "it is known", |_| true).await;

        authorize(&world, &terms).await;
        capture(&world, &terms).await;
        let books = world
            .payment(&terms, "it is captured", |books| {
                books.captured == 12_900 && books.references.len() == 2
            })
            .await;

        assert_eq!((books.authorized, books.captured, books.refunds.len()), (12_900, 12_900, 0));
        assert!(!books.closed, "{kind:?}");
        world.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_success_that_comes_after_the_time_out_is_voided() {
    let world = World::told().await;
    let terms = world.request("card_approved", 0).await;
    let nobody = world.connect_through(world.port.clone(), "http://127.0.0.1:1");
    world.payment(&terms, "it is timed out", |books| books.status == Status::TimedOut).await;
    nobody.stop().await;

    authorize(&world, &terms).await;
    let connector = world.connect();
    let voided = |books: &domain::payment::Ledger| {
        books.authorized == 12_900 && books.status == Status::Voided
    };
    world.payment(&terms, "it is voided", voided).await;

    let totals = world.totals(&terms).await.unwrap();
    assert_eq!((totals.authorized, totals.released, totals.reserved), (12_900, 12_900, 0));
    connector.stop().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_what_is_signed_in_time_is_believed() {
    let world = World::new().await;
    let terms = world.request("card_approved", 900).await;
    world.payment(&terms, "it is known", |_| true).await;
    let body = event("evt_1", "payment_intent.authorized", terms.payment_id.0);
    let now = seconds();

    let forged = signed(&body, now, "whsec_of_somebody_else");
    let stale = signed(&body, now - 1000, WEBHOOK_SECRET);
    let good = signed(&body, now, WEBHOOK_SECRET);
    let altered = body.replace("12900", "1");

    for (body, signature, code) in [
        (&body, &forged, "webhook_signature_forged"),
        (&body, &stale, "webhook_signature_stale"),
        (&body, &"nonsense".to_owned(), "webhook_signature_malformed"),
        (&altered, &good, "webhook_signature_forged"),
    ] {
        let answer = send(&world.hook_url, body, signature).await;
        assert_eq!(answer, (400, code.to_owned()));
    }
    let books = world.payment(&terms, "it is known", |_| true).await;
    assert_eq!(books.status, Status::Requested, "nothing of it was recorded");
    for _ in 0..2 {
        assert_eq!(send(&world.hook_url, &body, &good).await.0, 204);
    }
    world.payment(&terms, "it is authorized", |b| b.status == Status::Authorized).await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_believed_is_among_the_refusals_one_a_second_and_the_others_counted() {
    let world = World::new().await;
    let body = event("evt_1", "payment_intent.authorized", Uuid::now_v7());
    let forged = signed(&body, seconds(), "whsec_of_somebody_else");
    let (sent, began) = (AtomicU64::new(0), Instant::now());

    let refused = until("three are recorded", || async {
        assert_eq!(send(&world.hook_url, &body, &forged).await.0, 400);
        sent.fetch_add(1, Ordering::Relaxed);
        let refused = world.refused();
        (refused.len() >= 3).then_some(refused)
    })
    .await;

    assert!(began.elapsed() >= Duration::from_secs(2), "at most one a second: {refused:#?}");
    let left_out = |one: &Refusal| one.facts["left_out"].as_u64().unwrap();
    let counted: u64 = refused.iter().map(|one| 1 + left_out(one)).sum();
    assert_eq!(counted, sent.load(Ordering::Relaxed), "none is forgotten: {refused:#?}");
    let digest = Digest(Sha256::digest(&body).into()).to_string();
    for one in &refused {
        assert_eq!(one.code, "payment_webhook_unproven");
        assert_eq!(one.facts["provider"], "sandbox");
        assert_eq!(one.facts["why"], "webhook_signature_forged");
        assert_eq!(one.facts["body_sha256"], digest);
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_concern_us_is_taken_and_what_is_not_known_is_not() {
    let world = World::new().await;
    let send_signed = |url: String, body: String| async move {
        send(&url, &body, &signed(&body, seconds(), WEBHOOK_SECRET)).await
    };
    let stranger = event("evt_2", "payment_intent.authorized", Uuid::now_v7());
    let novelty = event("evt_3", "payment_intent.dreamt_of", Uuid::now_v7());
    let elsewhere = world.hook_url.replace("sandbox", "somebody");

    let unknown = send_signed(world.hook_url.clone(), stranger).await;
    let ignored = send_signed(world.hook_url.clone(), novelty.clone()).await;
    let nobody = send_signed(elsewhere, novelty).await;

    assert_eq!(unknown, (404, "payment_not_found".to_owned()));
    assert_eq!(ignored.0, 204);
    assert_eq!(nobody, (404, "provider_unknown".to_owned()));
    world.end().await;
}
