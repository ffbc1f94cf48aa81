//! What goes wrong: for whoever runs the sandbox, and as its callers see it.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Serialize;
use serde_json::{Map, Value, json};

/// Why a sandbox cannot be opened or go on.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The settings cannot be.
    #[error("{0}")]
    Settings(String),
    /// Another process has the ledger open.
    #[error("the ledger {0} is in use by another process")]
    InUse(String),
    /// A file cannot be opened.
    #[error("the ledger's files cannot be opened")]
    File(#[source] std::io::Error),
    /// The ledger does not work.
    #[error("the ledger does not work")]
    Ledger(#[from] rusqlite::Error),
    /// No HTTP client for webhooks could be made.
    #[error("webhooks cannot be sent")]
    Client(#[source] reqwest::Error),
}

impl SandboxError {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Settings(_) => "settings_refused",
            Self::InUse(_) => "ledger_in_use",
            Self::File(_) => "ledger_not_opened",
            Self::Ledger(_) => "ledger_broken",
            Self::Client(_) => "client_not_built",
        }
    }
}

/// The kinds of refusal; the `type` of the error's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) enum ErrorKind {
    /// The bank or the card said no.
    #[serde(rename = "card_error")]
    Card,
    /// The request cannot be done.
    #[serde(rename = "invalid_request_error")]
    Invalid,
    /// The idempotency key was used for another request.
    #[serde(rename = "idempotency_error")]
    Idempotency,
    /// The caller is not who may call.
    #[serde(rename = "authentication_error")]
    Authentication,
    /// The sandbox is broken, or plays so.
    #[serde(rename = "api_error")]
    Provider,
}

/// A refusal as it is sent: `{"error": {type, code, message, param?, ...}}`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ApiError {
    pub(crate) status: StatusCode,
    kind: ErrorKind,
    code: &'static str,
    message: String,
    facts: Map<String, Value>,
}

impl ApiError {
    fn new(status: StatusCode, kind: ErrorKind, code: &'static str, message: String) -> Self {
        Self { status, kind, code, message, facts: Map::new() }
    }

    /// 402: the bank said no.
    pub(crate) fn card(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYMENT_REQUIRED, ErrorKind::Card, code, message.into())
    }

    /// 400: the request is malformed in one parameter.
    pub(crate) fn parameter(name: &str, message: impl Into<String>) -> Self {
        Self::invalid(StatusCode::BAD_REQUEST, "parameter_invalid", message).with("param", name)
    }

    /// A request that cannot be done.
    pub(crate) fn invalid(
        status: StatusCode,
        code: &'static str,
        message: impl Into<String>,
    ) -> Self {
        Self::new(status, ErrorKind::Invalid, code, message.into())
    }

    /// 409: what is asked does not fit the state that the thing is in.
    pub(crate) fn conflict(code: &'static str, message: impl Into<String>) -> Self {
        Self::invalid(StatusCode::CONFLICT, code, message)
    }

    /// 404.
    pub(crate) fn unknown(code: &'static str, message: impl Into<String>) -> Self {
        Self::invalid(StatusCode::NOT_FOUND, code, message)
    }

    /// 422: the key belongs to another request.
    pub(crate) fn other_request() -> Self {
        let message = "This Idempotency-Key was used for another request.".to_owned();
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        Self::new(status, ErrorKind::Idempotency, "idempotency_mismatch", message)
    }

    /// 401.
    pub(crate) fn unauthorized() -> Self {
        let message = "A valid bearer secret is needed.".to_owned();
        let kind = ErrorKind::Authentication;
        Self::new(StatusCode::UNAUTHORIZED, kind, "secret_invalid", message)
    }

    /// 403: only from this machine.
    pub(crate) fn elsewhere() -> Self {
        let message = "This is for the loopback alone.".to_owned();
        let kind = ErrorKind::Authentication;
        Self::new(StatusCode::FORBIDDEN, kind, "loopback_only", message)
    }

    /// 500.
    pub(crate) fn broken() -> Self {
        let message = "Something broke at the provider.".to_owned();
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        Self::new(status, ErrorKind::Provider, "provider_broken", message)
    }

    /// A fact beside the message, such as the intent as it is.
    pub(crate) fn with(mut self, name: &str, fact: impl Into<Value>) -> Self {
        self.facts.insert(name.to_owned(), fact.into());
        self
    }

    /// The body.
    pub(crate) fn body(&self) -> Value {
        let mut error = self.facts.clone();
        error.insert("type".to_owned(), json!(self.kind));
        error.insert("code".to_owned(), json!(self.code));
        error.insert("message".to_owned(), json!(self.message));
        json!({ "error": error })
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        (self.status, Json(self.body())).into_response()
    }
}

/// Why work in the ledger brought nothing: it was refused, or the ledger itself failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// A refusal, which is an answer like any other; boxed, because it is large and rare.
    Refused(Box<ApiError>),
    /// Nothing was done.
    Ledger(rusqlite::Error),
}

impl From<ApiError> for Failure {
    fn from(refused: ApiError) -> Self {
        Self::Refused(Box::new(refused))
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Ledger(error)
    }
}
