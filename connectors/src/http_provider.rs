//! A provider over HTTP: one question asked until its outcome is known, its repeats are used up, or
//! time is. Every call has deadlines, every answer a bound; repeats share a budget, and a provider
//! that keeps failing is left alone for a while.

use std::sync::Arc;

use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Method, RequestBuilder};
use serde::Serialize;
use serde::de::DeserializeOwned;
use service_kit::client::{ClientLimits, internal_client, on_behalf};
use tokio::time::Instant;
use tower::retry::backoff::Backoff as _;
use uuid::Uuid;

use crate::circuit::Circuit;
use crate::payment_provider::classification::classify;
use crate::payment_provider::retries::Retries;
use crate::payment_provider::telemetry;
use crate::payment_provider::wire::ProviderError;
use crate::payment_provider::{Obstacle, Outcome, ProviderSettings, SettingsError};

const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// One for each provider and process: it pools connections, and its circuit and retry budget are
/// about all calls.
pub(crate) struct HttpProvider {
    name: &'static str,
    client: Client,
    base: String,
    settings: ProviderSettings,
    circuit: Arc<Circuit>,
    retries: Retries,
}

/// What is asked of a provider: everything that a repeat says again.
pub(crate) struct Question<'a> {
    operation: &'static str,
    method: Method,
    path: &'a str,
    key: Option<Uuid>,
    body: Option<Vec<u8>>,
    header: Option<(&'static str, String)>,
}

impl<'a> Question<'a> {
    /// What changes nothing.
    pub(crate) fn get(operation: &'static str, path: &'a str) -> Self {
        Self { operation, method: Method::GET, path, key: None, body: None, header: None }
    }

    /// What is done once under its key; `body` is JSON.
    pub(crate) fn post(operation: &'static str, path: &'a str, key: Uuid, body: Vec<u8>) -> Self {
        let (method, key, body) = (Method::POST, Some(key), Some(body));
        Self { operation, method, path, key, body, header: None }
    }

    /// The same with another header.
    pub(crate) fn with_header(mut self, name: &'static str, value: String) -> Self {
        self.header = Some((name, value));
        self
    }
}

/// A body as JSON.
pub(crate) fn json(body: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(body).expect("what providers are asked is JSON")
}

impl HttpProvider {
    /// A client; nothing is sent yet.
    ///
    /// # Errors
    /// [`SettingsError`].
    pub(crate) fn new(
        name: &'static str,
        settings: ProviderSettings,
    ) -> Result<Self, SettingsError> {
        let base = settings.base()?;
        let limits =
            ClientLimits { total_timeout: settings.attempt_timeout, ..ClientLimits::default() };
        let client =
            internal_client(&limits, Some(&settings.secret)).map_err(SettingsError::Client)?;
        let retries = Retries::new(&settings.retries)?;
        let circuit = Arc::new(Circuit::new(name, settings.circuit.clone()));
        Ok(Self { name, client, base, settings, circuit, retries })
    }

    /// The circuit, to be looked at and reset.
    pub(crate) const fn circuit(&self) -> &Arc<Circuit> {
        &self.circuit
    }

    /// Asks until the outcome is known, repeats are used up, or time is.
    pub(crate) async fn ask<W: DeserializeOwned, T>(
        &self,
        question: Question<'_>,
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
        telemetry::record(self.name, question.operation, &outcome, began.elapsed());
        outcome
    }

    async fn attempt<W: DeserializeOwned, T>(
        &self,
        question: &Question<'_>,
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
        match &outcome {
            Outcome::Unknown(_) | Outcome::NotTried(Obstacle::NoConnection) => {
                passage.settle(false);
            }
            // That it can be read says nothing of whether work can be done: a provider that fails
            // at every refund, and answers what it is asked about it, would never be left alone.
            _ if question.method == Method::GET && !passage.decides() => drop(passage),
            Outcome::Done(_) | Outcome::Refused(_) | Outcome::NotTried(_) => passage.settle(true),
        }
        outcome
    }

    fn request(&self, question: &Question<'_>) -> RequestBuilder {
        let url = format!("{}{}", self.base, question.path);
        let mut request = on_behalf(self.client.request(question.method.clone(), url));
        if let Some(key) = question.key {
            request = request.header(IDEMPOTENCY_KEY, key.to_string());
        }
        if let Some((name, value)) = &question.header {
            request = request.header(*name, value);
        }
        match &question.body {
            Some(body) => request.header(CONTENT_TYPE, "application/json").body(body.clone()),
            None => request,
        }
    }
}
