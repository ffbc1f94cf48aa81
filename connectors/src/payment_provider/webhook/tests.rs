//! Tests of proving and reading webhooks.

use proptest::prelude::*;
use serde_json::json;

use super::*;

const NOW_SECONDS: i64 = 1_800_000_000;
const SECRET: &str = "whsec_of_these_tests";
const OLD_SECRET: &str = "whsec_of_the_last_tests";
const PAYMENT: &str = "018f4e5a-0000-7000-8000-000000000001";
const REFUND: &str = "018f4e5a-0000-7000-8000-000000000002";

fn verifier() -> WebhookVerifier {
    let secrets = vec![SECRET.parse().unwrap(), OLD_SECRET.parse().unwrap()];
    WebhookVerifier::new(secrets).unwrap()
}

fn digest(seconds: &str, body: &[u8], secret: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(seconds.as_bytes());
    mac.update(b".");
    mac.update(body);
    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn signature(seconds: i64, body: &[u8], secret: &str) -> String {
    let seconds = seconds.to_string();
    format!("t={seconds},v1={}", digest(&seconds, body, secret))
}

fn now() -> Timestamp {
    Timestamp::from_micros(NOW_SECONDS * MICROS_PER_SECOND)
}

fn intent() -> Value {
    json!({
        "id": "pi_1", "reference": PAYMENT, "amount": 10_000, "currency": "EUR",
        "status": "requires_capture", "amount_authorized": 10_000, "amount_captured": 9000,
        "amount_released": 1000, "amount_refunded": 0, "last_failure": null,
    })
}

fn told(kind: &str, object: &Value) -> Vec<u8> {
    let event = json!({
        "id": "evt_1", "type": kind, "created_at_ms": 1_800_000_000_123_i64,
        "data": {"object": object},
    });
    event.to_string().into_bytes()
}

fn read(kind: &str, object: &Value) -> ProviderFact {
    let body = told(kind, object);
    let signature = signature(NOW_SECONDS, &body, SECRET);
    verifier().verify(Some(&signature), &body, now()).unwrap().fact
}

fn receipt(reference: &str, amount: i64) -> Receipt {
    let amount = Money { amount, currency: "EUR".parse().unwrap() };
    Receipt { reference: reference.to_owned(), amount }
}

#[test]
fn either_secret_proves_a_webhook_while_they_change() {
    let body = told("payment_intent.authorized", &intent());
    let new = signature(NOW_SECONDS, &body, SECRET);
    let old = signature(NOW_SECONDS, &body, OLD_SECRET);
    let unknown = digest(&NOW_SECONDS.to_string(), &body, "whsec_of_somebody_else");
    let both = format!("t={NOW_SECONDS},v0=ab,v1={unknown},v1={}", &new[new.len() - 64..]);

    for signature in [&new, &old, &both] {
        let event = verifier().verify(Some(signature), &body, now()).unwrap();

        assert_eq!(event.id, "evt_1");
        assert_eq!(event.happened_at.micros(), 1_800_000_000_123_000);
    }
}

#[test]
fn a_webhook_of_somebody_else_is_not_believed() {
    let body = told("payment_intent.authorized", &intent());
    let right = signature(NOW_SECONDS, &body, SECRET);
    let mut altered = body.clone();
    altered.push(b' ');
    let shifted = right.replace(&NOW_SECONDS.to_string(), &(NOW_SECONDS + 1).to_string());
    let stranger = signature(NOW_SECONDS, &body, "whsec_of_somebody_else");

    let forged = [(&right, &altered), (&shifted, &body), (&stranger, &body)];
    for (signature, body) in forged {
        let error = verifier().verify(Some(signature), body, now()).unwrap_err();

        assert_eq!(error.code(), "webhook_signature_forged");
    }
}

#[test]
fn an_old_webhook_sent_again_is_not_believed() {
    let body = told("payment_intent.authorized", &intent());
    let at = |seconds: i64| {
        let signature = signature(seconds, &body, SECRET);
        verifier().verify(Some(&signature), &body, now()).map(|_| ())
    };

    assert_eq!(at(NOW_SECONDS - 300), Ok(()));
    assert_eq!(at(NOW_SECONDS + 300), Ok(()));
    assert_eq!(at(NOW_SECONDS - 301), Err(WebhookError::SignatureStale { seconds: 301 }));
    assert_eq!(at(NOW_SECONDS + 301), Err(WebhookError::SignatureStale { seconds: 301 }));
}

#[test]
fn a_signature_that_cannot_be_read_is_malformed() {
    let digest = "ab".repeat(32);
    let many = format!("t=1{}", format!(",v1={digest}").repeat(6));
    let long = format!("t=1,v1={digest},x={}", "y".repeat(1024));
    for header in [
        "",
        "t=1",
        "v1=ab",
        "nonsense",
        &format!("t=x,v1={digest}"),
        &format!("t=1,t=2,v1={digest}"),
        &format!("t=1,v1={}", "g".repeat(64)),
        &format!("t=1,v1={digest}0"),
        &many,
        &long,
    ] {
        let error = verifier().verify(Some(header), b"{}", now()).unwrap_err();

        assert_eq!(error.code(), "webhook_signature_malformed", "{header}");
    }
    let missing = verifier().verify(None, b"{}", now()).unwrap_err();
    assert_eq!(missing, WebhookError::SignatureMalformed);
}

#[test]
fn a_proven_webhook_that_cannot_be_read_is_said_to_be_so() {
    for body in ["", "[]", "{}", r#"{"id":"e","type":"payment_intent.succeeded"}"#] {
        let signature = signature(NOW_SECONDS, body.as_bytes(), SECRET);
        let error = verifier().verify(Some(&signature), body.as_bytes(), now()).unwrap_err();

        assert_eq!(error.code(), "webhook_unreadable", "{body}");
    }
}

#[test]
fn what_happened_to_a_payment_becomes_a_fact() {
    let payment = PAYMENT.parse().unwrap();
    let mut declined = intent();
    declined["last_failure"] = json!({"code": "card_declined", "message": "No."});
    let refusal = Refusal { code: "card_declined".to_owned(), message: "No.".to_owned() };

    assert_eq!(
        read("payment_intent.authorized", &intent()),
        ProviderFact::Authorized { payment, receipt: receipt("pi_1", 10_000) }
    );
    assert_eq!(
        read("payment_intent.succeeded", &intent()),
        ProviderFact::Captured { payment, receipt: receipt("pi_1", 9000) }
    );
    assert_eq!(
        read("payment_intent.canceled", &intent()),
        ProviderFact::Voided { payment, receipt: receipt("pi_1", 1000) }
    );
    assert_eq!(
        read("payment_intent.payment_failed", &declined),
        ProviderFact::Failed { payment, reference: "pi_1".to_owned(), refusal }
    );
}

#[test]
fn what_happened_to_a_refund_becomes_a_fact() {
    let (payment, refund) = (PAYMENT.parse().unwrap(), REFUND.parse().unwrap());
    let mut object = json!({
        "id": "re_1", "reference": REFUND, "payment_reference": PAYMENT, "currency": "EUR",
        "amount": 4000, "status": "succeeded", "failure": null,
    });
    let done = read("refund.succeeded", &object);
    object["status"] = json!("failed");
    object["failure"] = json!({"code": "refund_refused", "message": "No."});

    let failed = read("refund.failed", &object);

    let receipt = receipt("re_1", 4000);
    assert_eq!(done, ProviderFact::Refunded { payment, refund, receipt });
    let ProviderFact::RefundFailed { refusal, .. } = failed else { panic!("{failed:?}") };
    assert_eq!(refusal.code, "refund_refused");
}

#[test]
fn what_does_not_concern_us_is_said_to_be_so() {
    let mut foreign = intent();
    foreign["reference"] = json!("order 66 of another shop");

    let kind = "customer.created".to_owned();
    assert_eq!(read(&kind, &json!({})), ProviderFact::Other { kind: kind.clone() });
    let kind = "payment_intent.authorized".to_owned();
    assert_eq!(read(&kind, &foreign), ProviderFact::Other { kind: kind.clone() });
}

#[test]
fn there_are_one_or_two_secrets() {
    let secret = || SECRET.parse::<Secret>().unwrap();

    assert_eq!(WebhookVerifier::new(vec![]).unwrap_err(), SecretsRefused);
    assert!(WebhookVerifier::new(vec![secret()]).is_ok());
    assert_eq!(
        WebhookVerifier::new(vec![secret(), secret(), secret()]).unwrap_err(),
        SecretsRefused
    );
}

proptest! {
    #[test]
    fn nothing_that_anybody_sends_is_believed_or_does_harm(
        header in "(t=[0-9]{0,12})?(,v1=[0-9a-f]{0,66}){0,6}[ -~]{0,20}",
        body: Vec<u8>,
    ) {
        prop_assert!(verifier().verify(Some(&header), &body, now()).is_err());
    }
}
