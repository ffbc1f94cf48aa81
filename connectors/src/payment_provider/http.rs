//! The provider's client over HTTP.

use domain::money::Currency;
use reqwest::{Client, Method, RequestBuilder};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use service_kit::client::{ClientLimits, internal_client, on_behalf};
use tokio::time::Instant;
use tower::retry::backoff::Backoff as _;
use uuid::Uuid;

use super::circuit::Circuit;
use super::classification::classify;
use super::retries::Retries;
use super::settings::{ProviderSettings, SettingsError};
use super::telemetry;
use super::webhook::{self, ProviderEvent};
use super::wire::{
    CancelBody, CaptureBody, Intent, List, NewIntent, NewRefund, ProviderError, Refund, name,
};
use super::{
    Authorize, Capture, KnownPayment, Obstacle, Outcome, PaymentProvider, Receipt, RefundPayment,
    Void,
};

const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// A payment provider that is called over HTTP. One for the process: it pools connections, and its
/// circuit and retry budget are about all calls.
pub struct HttpPaymentProvider {
    client: Client,
    base: String,
    settings: ProviderSettings,
    circuit: Circuit,
    retries: Retries,
}

/// What the provider says that one of our payments moved, in minor units.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ProviderTotals {
    /// Our id of the payment, unless somebody else made it.
    pub reference: String,
    /// ISO 4217 code.
    pub currency: Currency,
    /// Ever authorized.
    pub authorized: i64,
    /// Ever captured.
    pub captured: i64,
    /// Authorized and given back uncaptured.
    pub released: i64,
    /// Captured and given back.
    pub refunded: i64,
    /// Authorized, and neither captured nor given back.
    pub reserved: i64,
}

/// What is asked of the provider: everything that a repeat says again.
struct Question<'a, B> {
    operation: &'static str,
    method: Method,
    path: &'a str,
    key: Option<Uuid>,
    body: Option<B>,
}

impl HttpPaymentProvider {
    /// A client; nothing is sent yet.
    ///
    /// # Errors
    /// [`SettingsError`].
    pub fn new(settings: ProviderSettings) -> Result<Self, SettingsError> {
        let base = settings.base()?;
        let limits =
            ClientLimits { total_timeout: settings.attempt_timeout, ..ClientLimits::default() };
        let client =
            internal_client(&limits, Some(&settings.secret)).map_err(SettingsError::Client)?;
        let retries = Retries::new(&settings.retries)?;
        let circuit = Circuit::new(settings.circuit.clone());
        Ok(Self { client, base, settings, circuit, retries })
    }

    /// The circuit, to be looked at and reset.
    #[must_use]
    pub fn circuit(&self) -> &Circuit {
        &self.circuit
    }

    /// The provider's event of that id: for whoever doubts a webhook. `None` when the provider does
    /// not know it.
    pub async fn event(&self, id: &str) -> Outcome<Option<ProviderEvent>> {
        let path = format!("/v1/events/{}", segment(id));
        self.ask(
            question("look_up", &path),
            |body: serde_json::Value| webhook::event(&body).ok().map(Some),
            |error| (error.code == "event_unknown").then_some(None),
        )
        .await
    }

    /// What each payment moved: a page of those behind `after`, in the order of their references;
    /// an empty page is the end.
    pub async fn totals(&self, after: Option<&str>) -> Outcome<Vec<ProviderTotals>> {
        let path = format!("/v1/totals?after={}", segment(after.unwrap_or_default()));
        let read = |list: List<ProviderTotals>| Some(list.data);
        self.ask(question("totals", &path), read, |_| None).await
    }

    /// Asks until the outcome is known, repeats are used up, or time is.
    async fn ask<B: Serialize, W: DeserializeOwned, T>(
        &self,
        question: Question<'_, B>,
        done: impl Fn(W) -> Option<T>,
        settled: impl Fn(&ProviderError) -> Option<T>,
    ) -> Outcome<T> {
        let began = Instant::now();
        let deadline = began + self.settings.call_timeout;
        let mut retries = self.retries.begin();
        let mut doubt = None;
        let outcome = loop {
            let outcome = self.attempt(&question, deadline, &done, &settled).await;
            match &outcome {
                Outcome::Unknown(new) => doubt = Some(*new),
                Outcome::NotTried(Obstacle::NoConnection) => {}
                Outcome::Done(_) | Outcome::Refused(_) | Outcome::NotTried(_) => break outcome,
            }
            if !retries.granted() {
                break outcome;
            }
            let wait = retries.backoff.next_backoff();
            if wait.deadline() >= deadline {
                break outcome;
            }
            wait.await;
        };
        let outcome = match (outcome, doubt) {
            // The last attempt was not made; an earlier one may have worked.
            (Outcome::NotTried(_), Some(doubt)) => Outcome::Unknown(doubt),
            (outcome, _) => outcome,
        };
        telemetry::record(question.operation, &outcome, began.elapsed());
        outcome
    }

    async fn attempt<B: Serialize, W: DeserializeOwned, T>(
        &self,
        question: &Question<'_, B>,
        deadline: Instant,
        done: impl Fn(W) -> Option<T>,
        settled: impl Fn(&ProviderError) -> Option<T>,
    ) -> Outcome<T> {
        let passage = match self.circuit.enter() {
            Ok(passage) => passage,
            Err(wait) => return Outcome::NotTried(Obstacle::CircuitOpen(wait)),
        };
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = left.min(self.settings.attempt_timeout);
        let sent = self.request(question).timeout(timeout).send().await;
        let outcome = classify(sent, self.settings.answer_bytes_max, done, settled).await;
        passage.settle(match &outcome {
            Outcome::Unknown(_) | Outcome::NotTried(Obstacle::NoConnection) => false,
            Outcome::Done(_) | Outcome::Refused(_) | Outcome::NotTried(_) => true,
        });
        outcome
    }

    fn request<B: Serialize>(&self, question: &Question<'_, B>) -> RequestBuilder {
        let url = format!("{}{}", self.base, question.path);
        let mut request = on_behalf(self.client.request(question.method.clone(), url));
        if let Some(key) = question.key {
            request = request.header(IDEMPOTENCY_KEY, key.to_string());
        }
        match &question.body {
            Some(body) => request.json(body),
            None => request,
        }
    }
}

#[async_trait::async_trait]
impl PaymentProvider for HttpPaymentProvider {
    async fn authorize(&self, call: &Authorize) -> Outcome<Receipt> {
        let body = NewIntent {
            reference: call.payment,
            amount: call.amount.amount,
            currency: call.amount.currency,
            method: &call.method,
            capture_method: "manual",
            confirm: true,
        };
        let fits = |intent: &Intent| intent.authorized(call.payment, call.amount);
        self.change("authorize", call.key, "/v1/payment_intents", body, fits).await
    }

    async fn capture(&self, call: &Capture) -> Outcome<Receipt> {
        let path = format!("/v1/payment_intents/{}/capture", name(call.payment));
        let body = CaptureBody { amount: call.amount.amount };
        let fits = |intent: &Intent| intent.captured(call.payment, call.amount);
        self.change("capture", call.key, &path, body, fits).await
    }

    async fn void(&self, call: &Void) -> Outcome<Receipt> {
        let path = format!("/v1/payment_intents/{}/cancel", name(call.payment));
        let body = CancelBody { amount: call.amount.amount, currency: call.amount.currency };
        let fits = |intent: &Intent| intent.voided(call.payment);
        self.change("void", call.key, &path, body, fits).await
    }

    async fn refund(&self, call: &RefundPayment) -> Outcome<Receipt> {
        let body = NewRefund {
            payment_intent: name(call.payment),
            reference: call.refund,
            amount: call.amount.amount,
        };
        let question = Question {
            operation: "refund",
            method: Method::POST,
            path: "/v1/refunds",
            key: Some(call.key),
            body: Some(body),
        };
        let done = |refund: Refund| refund.refunded(call.refund, call.amount);
        self.ask(question, done, |_| None).await
    }

    async fn look_up(&self, payment: Uuid) -> Outcome<Option<KnownPayment>> {
        let path = format!("/v1/payment_intents/{}?expand=refunds", name(payment));
        self.ask(
            question("look_up", &path),
            |intent: Intent| intent.known(payment).map(Some),
            |error| (error.code == "intent_unknown").then_some(None),
        )
        .await
    }
}

impl HttpPaymentProvider {
    /// Changes an intent. `fits` says whether an intent is what was asked for, also when the
    /// provider refused because it is so already.
    async fn change<B: Serialize>(
        &self,
        operation: &'static str,
        key: Uuid,
        path: &str,
        body: B,
        fits: impl Fn(&Intent) -> Option<Receipt>,
    ) -> Outcome<Receipt> {
        let question =
            Question { operation, method: Method::POST, path, key: Some(key), body: Some(body) };
        self.ask(
            question,
            |intent: Intent| fits(&intent),
            |error| error.payment_intent.as_ref().and_then(&fits),
        )
        .await
    }
}

fn question<'a>(operation: &'static str, path: &'a str) -> Question<'a, ()> {
    Question { operation, method: Method::GET, path, key: None, body: None }
}

/// One segment of a path or value of a query, so that nobody's text adds another.
fn segment(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    text.bytes().fold(String::new(), |mut encoded, byte| {
        if plain(byte) {
            encoded.push(char::from(byte));
        } else {
            encoded += &format!("%{byte:02X}");
        }
        encoded
    })
}
