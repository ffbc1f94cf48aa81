//! How requests are read: strict JSON of a bounded size, under an idempotency key.

use std::time::Duration;

use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use bytes::Bytes;
use http::StatusCode;
use http::request::Parts;
use http_body_util::{BodyExt as _, Limited};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use crate::error::ApiError;
use crate::ledger::Request as Keyed;

const IDEMPOTENCY_KEY: &str = "idempotency-key";
const KEY_BYTES_MAX: usize = 255;
const BODY_BYTES_MAX: usize = 64 * 1024;
const BODY_READ_TIMEOUT: Duration = Duration::from_secs(10);
const REFERENCE_BYTES_MAX: usize = 200;
const METADATA_FIELDS_MAX: usize = 50;
const LIST_LIMIT_MAX: u32 = 100;
/// The largest amount, in minor units; sums of a few hundred stay far from overflowing.
const AMOUNT_MAX: i64 = 1_000_000_000_000;

/// A body, as JSON of the shape `T`, and the key and digest of the whole request.
pub(super) struct Call<T> {
    pub(super) keyed: Keyed,
    pub(super) body: T,
}

impl<T: DeserializeOwned, S: Sync> FromRequest<S> for Call<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let (head, body) = request.into_parts();
        let key = key(&head)?;
        let body = read(body).await?;
        let value: Value = parse(&body)?;
        let mut digest = Sha256::new();
        digest.update(head.method.as_str());
        digest.update(b" ");
        digest.update(head.uri.path());
        digest.update(b"\n");
        // Members in the order of their names, numbers and texts in one way of writing them.
        digest.update(value.to_string());
        let keyed = Keyed { key, digest: digest.finalize().into() };
        Ok(Self { keyed, body: shaped(value)? })
    }
}

/// A body alone, for requests that may be repeated without a key.
pub(super) struct Body<T>(pub(super) T);

impl<T: DeserializeOwned, S: Sync> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let body = read(request.into_body()).await?;
        Ok(Self(shaped(parse(&body)?)?))
    }
}

/// The query's parameters.
pub(super) struct Asked<T>(pub(super) T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = ApiError;

    async fn from_request_parts(head: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let query = Query::<T>::try_from_uri(&head.uri);
        query.map(|query| Self(query.0)).map_err(|error| malformed(error.body_text()))
    }
}

/// A page of a list: what lies behind `after`, at most `limit`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Page {
    pub(super) after: Option<String>,
    pub(super) limit: Option<u32>,
}

/// How many a list may hold.
pub(super) fn limit(asked: Option<u32>) -> Result<u32, ApiError> {
    let limit = asked.unwrap_or(LIST_LIMIT_MAX);
    if (1..=LIST_LIMIT_MAX).contains(&limit) {
        return Ok(limit);
    }
    Err(ApiError::parameter("limit", format!("It is 1 to {LIST_LIMIT_MAX}.")))
}

/// A reference of the merchant's.
pub(super) fn reference(text: &str) -> Result<(), ApiError> {
    let fits = (1..=REFERENCE_BYTES_MAX).contains(&text.len());
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
    if fits && text.bytes().all(plain) {
        return Ok(());
    }
    let rule = format!("It is 1 to {REFERENCE_BYTES_MAX} letters, digits, `-`, `_`, `.` or `:`.");
    Err(ApiError::parameter("reference", rule))
}

/// An amount in minor units.
pub(super) fn amount(amount: i64) -> Result<i64, ApiError> {
    if (1..=AMOUNT_MAX).contains(&amount) {
        return Ok(amount);
    }
    Err(ApiError::parameter("amount", format!("It is 1 to {AMOUNT_MAX} minor units.")))
}

/// An ISO 4217 code.
pub(super) fn currency(code: &str) -> Result<(), ApiError> {
    if code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return Ok(());
    }
    Err(ApiError::parameter("currency", "It is three upper-case letters."))
}

/// What the merchant wants to be told again.
pub(super) fn metadata(metadata: &Map<String, Value>) -> Result<(), ApiError> {
    if metadata.len() <= METADATA_FIELDS_MAX && metadata.values().all(Value::is_string) {
        return Ok(());
    }
    let rule = format!("It has at most {METADATA_FIELDS_MAX} members, all of them texts.");
    Err(ApiError::parameter("metadata", rule))
}

fn key(head: &Parts) -> Result<String, ApiError> {
    let key = head.headers.get(IDEMPOTENCY_KEY).and_then(|key| key.to_str().ok()).unwrap_or("");
    if (1..=KEY_BYTES_MAX).contains(&key.len()) {
        return Ok(key.to_owned());
    }
    let rule = format!("An Idempotency-Key of 1 to {KEY_BYTES_MAX} characters is needed.");
    Err(ApiError::invalid(StatusCode::BAD_REQUEST, "idempotency_key_missing", rule))
}

async fn read(body: axum::body::Body) -> Result<Bytes, ApiError> {
    let read = Limited::new(body, BODY_BYTES_MAX).collect();
    match tokio::time::timeout(BODY_READ_TIMEOUT, read).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(_)) => Err(ApiError::invalid(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body_refused",
            format!("The body broke off or has more than {BODY_BYTES_MAX} bytes."),
        )),
        Err(_) => Err(ApiError::invalid(
            StatusCode::REQUEST_TIMEOUT,
            "body_late",
            "The body did not arrive in time.",
        )),
    }
}

fn parse(body: &[u8]) -> Result<Value, ApiError> {
    let body = if body.is_empty() { b"{}".as_slice() } else { body };
    serde_json::from_slice(body).map_err(|error| malformed(error.to_string()))
}

fn shaped<T: DeserializeOwned>(value: Value) -> Result<T, ApiError> {
    serde_json::from_value(value).map_err(|error| malformed(error.to_string()))
}

fn malformed(message: String) -> ApiError {
    ApiError::invalid(StatusCode::BAD_REQUEST, "request_malformed", message)
}
