//! The payment provider's sandbox as a process of its own.

use serde_json::{Value, json};

use crate::world::{Process, directory};

/// What `waylog sandbox` takes on the loopback when nothing else is set.
const SECRET: &str = "Bearer sk_test_waylog_sandbox";

fn authorize(sandbox: &Process, reference: &str) -> Value {
    let body = json!({
        "reference": reference, "amount": 12_900, "currency": "EUR", "method": "card_approved",
        "confirm": true,
    });
    let mut answer = ureq::post(format!("{}/v1/payment_intents", sandbox.url()))
        .header("authorization", SECRET)
        .header("idempotency-key", reference)
        .send(body.to_string())
        .unwrap();
    serde_json::from_str(&answer.body_mut().read_to_string().unwrap()).unwrap()
}

fn totals(sandbox: &Process) -> Value {
    let answer = ureq::get(format!("{}/v1/totals", sandbox.url())).header("authorization", SECRET);
    let text = answer.call().unwrap().body_mut().read_to_string().unwrap();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn a_sandbox_that_is_killed_comes_back_with_all_that_it_has_answered() {
    let dir = directory();
    let sandbox = Process::sandbox(dir.path());
    let answers: Vec<Value> =
        (0..20).map(|number| authorize(&sandbox, &format!("payment-{number:02}"))).collect();

    sandbox.kill();
    let sandbox = Process::sandbox(dir.path());

    let totals = totals(&sandbox);
    assert_eq!(totals["data"].as_array().unwrap().len(), 20, "{totals}");
    for (answer, total) in answers.iter().zip(totals["data"].as_array().unwrap()) {
        assert_eq!(total["intent"], answer["id"]);
        assert_eq!(total["reserved"], 12_900);
        assert_eq!(authorize(&sandbox, answer["reference"].as_str().unwrap()), *answer);
    }
    assert!(sandbox.terminate().success());
}
