//! The payment provider as a test sees it: its own books, and how it is made to misbehave.

use std::time::SystemTime;

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

use super::sales::{PATIENCE, until};
use super::{Answer, Client, eventually};

/// What the sandbox takes on the loopback when nothing else is set.
pub(crate) const SECRET: &str = "sk_test_waylog_sandbox";
/// What signs its webhooks in these tests.
pub(crate) const WEBHOOK_SECRET: &str = "whsec_of_the_tests_cluster";

/// What is compared between the two books, in minor units.
const COMPARED: [&str; 2] = ["captured", "refunded"];

/// The sandbox's HTTP API.
pub(crate) struct Provider(Client);

impl Provider {
    pub(crate) fn at(url: &str) -> Self {
        Self(Client::to(url))
    }

    /// The next calls of an operation go wrong in that way.
    pub(crate) fn misbehave(&self, operation: &str, kind: &str, calls: u32, delay_ms: u64) {
        let plan = json!({
            "operation": operation, "kind": kind, "calls": calls, "delay_ms": delay_ms,
        });
        self.send("POST", "/admin/faults", Some(&plan)).expect(204);
    }

    /// It behaves again.
    pub(crate) fn behave(&self) {
        self.send("DELETE", "/admin/faults", None).expect(204);
    }

    /// How many planned faults of calls that do something nobody has met yet.
    pub(crate) fn faults_left(&self) -> u64 {
        let planned = self.send("GET", "/admin/faults", None).expect(200);
        let left = |one: &Value| one["calls"].as_u64().unwrap();
        let planned = planned.at("/calls").as_array().unwrap().iter();
        planned.filter(|one| one["operation"] != "look_up").map(left).sum()
    }

    /// The next webhooks go wrong in that way.
    pub(crate) fn misdeliver(&self, kind: &str, webhooks: u32, delay_ms: u64) {
        let plan = json!({ "kind": kind, "webhooks": webhooks, "delay_ms": delay_ms });
        self.send("POST", "/admin/webhook_faults", Some(&plan)).expect(204);
    }

    /// Webhooks go there from now on.
    pub(crate) fn deliver_to(&self, url: &str) {
        let target = json!({
            "url": format!("{url}/v1/webhooks/sandbox"), "secrets": [WEBHOOK_SECRET],
        });
        self.send("PUT", "/admin/webhook", Some(&target)).expect(204);
    }

    /// Every webhook so far and what became of it.
    pub(crate) fn deliveries(&self) -> Vec<Value> {
        let listed = self.send("GET", "/admin/deliveries?limit=100", None).expect(200);
        listed.at("/data").as_array().unwrap().clone()
    }

    /// What it has told, or would have told, of a payment.
    pub(crate) fn events(&self, payment: &str) -> Vec<Value> {
        let path = format!("/v1/events?payment_intent=ref_{payment}");
        self.send("GET", &path, None).expect(200).at("/data").as_array().unwrap().clone()
    }

    /// What every payment has moved.
    pub(crate) fn all_totals(&self) -> Vec<Value> {
        let mut all: Vec<Value> = Vec::new();
        loop {
            let after = all.last().map_or("", |last| last["reference"].as_str().unwrap());
            let path = format!("/v1/totals?limit=100&after={after}");
            let page = self.send("GET", &path, None).expect(200);
            let page = page.at("/data").as_array().unwrap();
            if page.is_empty() {
                return all;
            }
            all.extend(page.iter().cloned());
        }
    }

    /// The two books say the same of every payment, and nothing is reserved for anybody.
    pub(crate) fn agrees_with(&self, client: &Client) {
        let mut differences = Vec::new();
        let agreed = eventually(PATIENCE, || {
            differences = self.differences(client);
            differences.is_empty()
        });
        assert!(agreed, "the books differ:\n{}", differences.join("\n"));
    }

    fn differences(&self, client: &Client) -> Vec<String> {
        let (theirs, ours) = (self.all_totals(), payments(client));
        let ours_of = |reference: &Value| ours.iter().find(|one| one["id"] == *reference);
        let mut differences: Vec<String> = theirs
            .iter()
            .filter(|their| {
                let same = |our: &Value| {
                    COMPARED.iter().all(|what| our[what]["amount"] == their[what])
                        && our["refund_pending"]["amount"] == 0
                };
                their["reserved"] != 0 || !ours_of(&their["reference"]).is_some_and(same)
            })
            .map(|their| format!("{their} is here {:?}", ours_of(&their["reference"])))
            .collect();
        let unknown_there = ours.iter().filter(|our| {
            let moved = COMPARED.iter().any(|what| our[what]["amount"] != 0);
            moved && !theirs.iter().any(|their| their["reference"] == our["id"])
        });
        differences.extend(unknown_there.map(|our| format!("{our} is not known there")));
        differences
    }

    fn send(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        let authorization = format!("Bearer {SECRET}");
        let headers = [("authorization", authorization.as_str())];
        let body = body.map(Value::to_string);
        self.0.send(method, path, &headers, body.as_deref().map(str::as_bytes)).unwrap()
    }
}

/// What proves that the provider sent the event so many seconds ago.
pub(crate) fn signature(secret: &str, event: &Value, seconds_ago: u64) -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let sent = now - seconds_ago;
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(format!("{sent}.{event}").as_bytes());
    let digest = mac.finalize().into_bytes();
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={sent},v1={hex}")
}

/// Every payment in our own books.
fn payments(client: &Client) -> Vec<Value> {
    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = until(client, &format!("/v1/payments?limit=100{cursor}"), |_| true);
        all.extend(page.at("/data").as_array().unwrap().iter().cloned());
        match page.body["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return all,
        }
    }
}

/// So much was taken for a booking and not given back, as soon as the read model knows: it is one
/// of its own, and may be behind the one that says how the booking ended.
pub(crate) fn kept(client: &Client, booking: &str, amount: i64) {
    let path = format!("/v1/payments?booking_id={booking}");
    let of = |payment: &Value, what: &str| payment[what]["amount"].as_i64().unwrap();
    let left = |payment: &Value| of(payment, "captured") - of(payment, "refunded");
    until(client, &path, |payments| {
        let all = payments["data"].as_array().unwrap();
        all.iter().map(left).sum::<i64>() == amount
    });
}
