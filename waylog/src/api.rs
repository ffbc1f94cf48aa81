//! Calls to a running server's HTTP API: one at a time or many at once, each with an outcome that
//! is known or said to be unknown.

use std::time::{Duration, Instant};

use http::Method;
use serde_json::Value;
use service_kit::problem::ProblemDocument;
use uuid::Uuid;

/// The longest one call may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(60);
/// Between two attempts at the same request, at first and at most.
const PAUSE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// A server's API.
#[derive(Clone)]
pub(crate) struct Api {
    base: String,
    client: reqwest::Client,
}

/// What is asked.
#[derive(Clone, Debug)]
pub(crate) struct Request<'a> {
    method: Method,
    path: &'a str,
    body: Option<&'a Value>,
    /// What is sent beside the body.
    headers: Vec<(&'static str, String)>,
}

/// What a server said when it did what it was asked.
#[derive(Debug)]
pub(crate) struct Answer {
    /// Null for none.
    pub(crate) body: Value,
}

/// Why there is no such answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Trouble {
    /// Nobody there, or not in time.
    #[error("{base} does not answer; is `waylog serve` running there?")]
    Silent {
        base: String,
        #[source]
        source: reqwest::Error,
    },
    /// The connection ended in the middle of it.
    #[error("the answer broke off")]
    BrokeOff(#[source] reqwest::Error),
    /// It is no answer of ours.
    #[error("the answer is not JSON")]
    NotJson(#[source] serde_json::Error),
    /// No, and why.
    #[error("{} ({}, {})", .0.detail.as_ref().unwrap_or(&.0.title), .0.code, .0.status)]
    Refused(Box<ProblemDocument>),
    /// Somebody else serves there.
    #[error("{url} answered {status}")]
    Strange { url: String, status: http::StatusCode },
}

impl Trouble {
    /// Whether the same request may be answered the next time.
    pub(crate) fn passes(&self) -> bool {
        match self {
            Self::Silent { .. } | Self::BrokeOff(_) => true,
            Self::Refused(problem) => matches!(problem.status, 429 | 503),
            // What stands between, or does not serve yet, says so without a problem.
            Self::Strange { status, .. } => matches!(status.as_u16(), 502..=504),
            Self::NotJson(_) => false,
        }
    }
}

impl<'a> Request<'a> {
    /// A command, under a key of its own: however often it is sent, it is decided once.
    pub(crate) fn post(path: &'a str, body: &'a Value, key: Uuid) -> Self {
        Self::new(Method::POST, path, Some(body)).with("idempotency-key", key.to_string())
    }

    /// Any other.
    pub(crate) fn new(method: Method, path: &'a str, body: Option<&'a Value>) -> Self {
        Self { method, path, body, headers: Vec::new() }
    }

    /// With one more header.
    pub(crate) fn with(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }
}

impl Api {
    /// Prepares to call; nothing is sent yet.
    ///
    /// # Errors
    /// When no client can be made.
    pub(crate) fn new(url: &str) -> anyhow::Result<Self> {
        let client = reqwest::Client::builder().timeout(CALL_TIMEOUT).build()?;
        Ok(Self { base: url.trim_end_matches('/').to_owned(), client })
    }

    /// Sends a request, once.
    ///
    /// # Errors
    /// When nobody answers, or with a problem.
    pub(crate) async fn once(&self, request: &Request<'_>) -> Result<Answer, Trouble> {
        let url = format!("{}{}", self.base, request.path);
        let mut sent = self.client.request(request.method.clone(), &url);
        if let Some(body) = request.body {
            sent = sent.json(body);
        }
        for (name, value) in &request.headers {
            sent = sent.header(*name, value);
        }
        let silent = |source| Trouble::Silent { base: self.base.clone(), source };
        let answer = sent.send().await.map_err(silent)?;
        let status = answer.status();
        let bytes = answer.bytes().await.map_err(Trouble::BrokeOff)?;
        if !status.is_success() {
            return Err(match serde_json::from_slice::<ProblemDocument>(&bytes) {
                Ok(problem) => Trouble::Refused(Box::new(problem)),
                Err(_) => Trouble::Strange { url, status },
            });
        }
        let body = if bytes.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&bytes).map_err(Trouble::NotJson)?
        };
        Ok(Answer { body })
    }

    /// Whether anybody is there: for those who would otherwise wait for nobody.
    ///
    /// # Errors
    /// As [`Api::once`].
    pub(crate) async fn reach(&self) -> Result<(), Trouble> {
        self.once(&Request::new(Method::GET, "/health/live", None)).await.map(drop)
    }

    /// Sends the same request until it has an answer that stays: under one key, a command is so
    /// decided once. Gives up when nothing else than trouble that passes came for `patience`.
    ///
    /// # Errors
    /// As [`Api::once`]; trouble that passes only when it lasted.
    pub(crate) async fn insist(
        &self,
        request: &Request<'_>,
        patience: Duration,
    ) -> Result<Answer, Trouble> {
        let (deadline, mut pause) = (Instant::now() + patience, PAUSE.0);
        loop {
            match self.once(request).await {
                Err(trouble) if trouble.passes() && Instant::now() < deadline => {
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(PAUSE.1);
                }
                done => return done,
            }
        }
    }
}
