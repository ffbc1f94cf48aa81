//! A running sandbox, whoever calls it, and whoever receives its webhooks.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use http::{HeaderMap, Method, StatusCode};
use sandbox::{ApiSecret, Sandbox, SandboxError, Settings, WebhookTarget};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

pub(crate) const SECRET: &str = "sk_test_of_these_tests";
/// The longest that anything here may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A running sandbox.
pub(crate) struct World {
    pub(crate) url: String,
    pub(crate) dir: Arc<TempDir>,
    pub(crate) client: reqwest::Client,
    task: JoinHandle<()>,
    stop: CancellationToken,
}

/// What came back.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Told {
    pub(crate) status: StatusCode,
    pub(crate) body: Value,
    pub(crate) replayed: bool,
}

impl Told {
    pub(crate) fn code(&self) -> &str {
        self.body["error"]["code"].as_str().unwrap_or("none")
    }
}

pub(crate) fn secret(text: &str) -> ApiSecret {
    ApiSecret::new(text).unwrap()
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(tell: impl FnOnce(&mut Settings)) -> Self {
        Self::on(Arc::new(tempfile::tempdir().unwrap()), tell).await
    }

    /// A sandbox on a ledger that may be there already.
    pub(crate) async fn on(dir: Arc<TempDir>, tell: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = settings(dir.path());
        tell(&mut settings);
        // One that was just cut may still be finishing its last commit.
        let deadline = Instant::now() + PATIENCE;
        let sandbox = loop {
            match Sandbox::open(&settings) {
                Err(SandboxError::InUse(_)) if Instant::now() < deadline => {
                    tokio::task::yield_now().await;
                }
                opened => break opened.unwrap(),
            }
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let stop = CancellationToken::new();
        let task = tokio::spawn(sandbox.serve(listener, stop.clone().cancelled_owned()));
        let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
        Self { url, dir, client, task, stop }
    }

    /// Ends it as a crash does.
    pub(crate) async fn cut(self) -> Arc<TempDir> {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
        self.dir
    }

    /// Ends it in good order.
    pub(crate) async fn stop(self) -> Arc<TempDir> {
        self.stop.cancel();
        timeout(PATIENCE, self.task).await.unwrap().unwrap();
        self.dir
    }

    /// Asks, and panics when no answer comes.
    pub(crate) async fn post(&self, path: &str, key: &str, body: Value) -> Told {
        self.send(path, key, body).await.unwrap()
    }

    pub(crate) async fn send(
        &self,
        path: &str,
        key: &str,
        body: Value,
    ) -> Result<Told, reqwest::Error> {
        let call = self.client.post(format!("{}{path}", self.url)).bearer_auth(SECRET);
        told(call.header("idempotency-key", key).json(&body).send().await?).await
    }

    pub(crate) async fn get(&self, path: &str) -> Told {
        let call = self.client.get(format!("{}{path}", self.url)).bearer_auth(SECRET);
        told(call.send().await.unwrap()).await.unwrap()
    }

    pub(crate) async fn admin(&self, method: Method, path: &str, body: Value) -> Told {
        let call = self.client.request(method, format!("{}{path}", self.url)).bearer_auth(SECRET);
        told(call.json(&body).send().await.unwrap()).await.unwrap()
    }

    /// Creates and confirms a payment of 100.00.
    pub(crate) async fn authorize(&self, reference: &str, card: &str) -> Told {
        self.post("/v1/payment_intents", &format!("{reference}-authorize"), intent(reference, card))
            .await
    }

    pub(crate) async fn totals(&self, reference: &str) -> Value {
        let told = self.get(&format!("/v1/totals?reference={reference}")).await;
        told.body["data"][0].clone()
    }
}

/// The body of a payment of 100.00 that is confirmed at once.
pub(crate) fn intent(reference: &str, card: &str) -> Value {
    json!({
        "reference": reference, "amount": 10_000, "currency": "EUR", "method": card,
        "confirm": true,
    })
}

pub(crate) fn settings(dir: &Path) -> Settings {
    Settings {
        slow_answer: Duration::from_millis(300),
        webhook_late: Duration::from_millis(300),
        webhook_backoff: Duration::from_millis(20),
        ..Settings::new(dir.join("sandbox.sqlite"), secret(SECRET))
    }
}

async fn told(answer: reqwest::Response) -> Result<Told, reqwest::Error> {
    let status = answer.status();
    let replayed = answer.headers().contains_key("idempotent-replayed");
    let bytes = answer.bytes().await?;
    let body = if bytes.is_empty() {
        Value::Null
    } else {
        serde_json::from_slice(&bytes)
            .unwrap_or_else(|_| json!({ "garbage": String::from_utf8_lossy(&bytes) }))
    };
    Ok(Told { status, body, replayed })
}

/// A webhook as it came.
#[derive(Debug, Clone)]
pub(crate) struct Hook {
    pub(crate) signature: String,
    pub(crate) body: Bytes,
}

impl Hook {
    pub(crate) fn event(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// Receives webhooks: answers with the planned statuses in turn, then 204.
pub(crate) struct Receiver {
    pub(crate) url: String,
    hooks: mpsc::UnboundedReceiver<Hook>,
    task: JoinHandle<()>,
}

#[derive(Clone)]
struct Inbox {
    hooks: mpsc::UnboundedSender<Hook>,
    statuses: Arc<Mutex<VecDeque<StatusCode>>>,
}

impl Receiver {
    pub(crate) async fn answering(statuses: &[u16]) -> Self {
        let (sender, hooks) = mpsc::unbounded_channel();
        let statuses = statuses.iter().map(|status| StatusCode::from_u16(*status).unwrap());
        let statuses = Arc::new(Mutex::new(statuses.collect()));
        let router = Router::new()
            .route("/hook", post(receive))
            .with_state(Inbox { hooks: sender, statuses });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, hooks, task }
    }

    pub(crate) fn target(&self, secrets: &[&str]) -> WebhookTarget {
        WebhookTarget::new(&self.url, secrets.iter().map(|text| secret(text)).collect()).unwrap()
    }

    pub(crate) async fn next(&mut self) -> Hook {
        timeout(PATIENCE, self.hooks.recv()).await.expect("a webhook comes").unwrap()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn receive(State(inbox): State<Inbox>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let signature = headers["sandbox-signature"].to_str().unwrap().to_owned();
    inbox.hooks.send(Hook { signature, body }).unwrap();
    inbox.statuses.lock().unwrap().pop_front().unwrap_or(StatusCode::NO_CONTENT)
}
