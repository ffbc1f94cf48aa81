//! Delivers webhooks: what the ledger says is due is sent, signed, and its outcome noted there.
//!
//! Nothing is kept here. A process that dies between sending and noting sends again when it comes
//! back, as every provider does: receivers tell repeats by the event's id.

use std::time::Duration;

use reqwest::Client;
use reqwest::header::CONTENT_TYPE;
use reqwest::redirect::Policy;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::api::Api;
use crate::error::{Failure, SandboxError};
use crate::ledger::deliveries::Due;
use crate::ledger::now_millis;
use crate::settings::{ApiSecret, WebhookTarget};
use crate::signature::{SIGNATURE, sign};

/// Webhooks that are sent at the same time.
const CONCURRENT_MAX: usize = 8;
/// How long a receiver may take.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest sleep without being woken.
const SLEEP_MAX: Duration = Duration::from_secs(60);
/// The sleep after the ledger failed.
const SLEEP_BROKEN: Duration = Duration::from_secs(1);

/// What sends webhooks: no proxies, no redirects.
///
/// # Errors
/// [`SandboxError::Client`].
pub(crate) fn client() -> Result<Client, SandboxError> {
    Client::builder()
        .timeout(DELIVERY_TIMEOUT)
        .redirect(Policy::none())
        .no_proxy()
        .user_agent(concat!("waylog-sandbox/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(SandboxError::Client)
}

/// Delivers until it is dropped.
pub(crate) async fn run(api: Api, client: Client) {
    loop {
        let wait = match api.webhook() {
            Some(target) => round(&api, &client, &target).await.unwrap_or_else(|failure| {
                tracing::error!(?failure, "webhooks cannot be read or noted");
                SLEEP_BROKEN
            }),
            None => SLEEP_MAX,
        };
        if !wait.is_zero() {
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = api.scheduled() => {}
            }
        }
    }
}

/// Sends what is due, notes what became of it, and says how long nothing will be.
async fn round(api: &Api, client: &Client, target: &WebhookTarget) -> Result<Duration, Failure> {
    let due = api.work(|ledger| ledger.due(CONCURRENT_MAX)).await?;
    if due.is_empty() {
        let wait = api.work(|ledger| ledger.next_due_in()).await?;
        let wait = wait.and_then(|wait| u64::try_from(wait).ok()).map(Duration::from_millis);
        return Ok(wait.unwrap_or(SLEEP_MAX).min(SLEEP_MAX));
    }
    let sent = due.into_iter().map(|due| async move {
        let (delivered, said) = send(client, target, &due).await;
        api.work(move |ledger| ledger.attempted(&due, delivered, &said)).await
    });
    futures::future::join_all(sent).await.into_iter().collect::<Result<(), _>>()?;
    Ok(Duration::ZERO)
}

/// Whether the receiver took it, and what it said.
async fn send(client: &Client, target: &WebhookTarget, due: &Due) -> (bool, String) {
    let seconds = now_millis() / 1000;
    let (body, signature) = if due.forged {
        let stranger = ApiSecret::new(&Uuid::now_v7().to_string())
            .expect("a UUID is longer than a secret has to be");
        let body = forge(&due.body);
        let signature = sign(seconds, body.as_bytes(), &[stranger]);
        (body, signature)
    } else {
        (due.body.clone(), sign(seconds, due.body.as_bytes(), &target.secrets))
    };
    let answer = client
        .post(&target.url)
        .header(CONTENT_TYPE, "application/json")
        .header(SIGNATURE, signature)
        .body(body)
        .send()
        .await;
    match answer {
        Ok(answer) => (answer.status().is_success(), answer.status().as_u16().to_string()),
        Err(error) => (false, error.to_string()),
    }
}

/// The event with an id that never was and a hundred times the money.
fn forge(body: &str) -> String {
    let mut event: Value = serde_json::from_str(body).unwrap_or_default();
    event["id"] = json!(format!("evt_{}", Uuid::now_v7().simple()));
    let object = &mut event["data"]["object"];
    for name in ["amount", "amount_authorized", "amount_captured", "amount_refunded"] {
        if let Some(amount) = object.get(name).and_then(Value::as_i64) {
            object[name] = json!(amount * 100);
        }
    }
    event.to_string()
}
