//! One request on its way to another process, and its answer on the way back.

use std::sync::atomic::Ordering;

use axum::body::Body;
use axum::extract::{FromRequestParts as _, Request};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use http::header::{
    CONNECTION, CONTENT_LENGTH, EXPECT, HOST, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE,
};
use http::request::Parts;
use http::{HeaderMap, HeaderName};
use service_kit::client::{on_behalf, read_answer};
use service_kit::request_context::{IDEMPOTENCY_KEY, TRACEPARENT, X_REQUEST_ID};
use service_kit::{IdempotencyKey, Problem, json};

use super::{Route, Table, writes};

/// What belongs to one connection and not to the request (RFC 9110, section 7.6.1), and what the
/// next connection states anew.
const OWN_OF_A_CONNECTION: [HeaderName; 10] = [
    CONNECTION,
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
    HOST,
    CONTENT_LENGTH,
    EXPECT,
];
const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");

/// Sends the request to the first URL that can be reached.
///
/// # Errors
/// 413 and what else reading a body brings; 400 `invalid_idempotency_key`; 503 `unavailable` when
/// nothing was sent or nothing could have happened, 503 `outcome_unknown` otherwise.
pub(super) async fn forward(
    table: &Table,
    route: &Route,
    request: Request,
) -> Result<Response, Problem> {
    let (mut parts, body) = request.into_parts();
    let key = key(&mut parts).await?;
    let body = json::read_body(body).await?;
    let mut headers = kept(&parts.headers);
    // The ids of the request as this process knows it come in their place.
    headers.remove(X_REQUEST_ID);
    headers.remove(TRACEPARENT);
    if let Some(key) = key {
        headers.insert(IDEMPOTENCY_KEY, key);
    }
    let path = parts.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    let urls = &route.passage.urls;
    let first = route.reached.load(Ordering::Relaxed);
    for turn in 0..urls.len() {
        let at = (first + turn) % urls.len();
        let url = format!("{}{path}", urls[at].trim_end_matches('/'));
        let call = table.client.request(parts.method.clone(), url).headers(headers.clone());
        let sent = on_behalf(call).body(body.clone()).send().await;
        match sent {
            Err(error) if error.is_connect() || error.is_builder() => {
                tracing::info!(url = %urls[at], %error, "cannot be reached to pass a request on");
            }
            Err(error) => return Err(lost(&parts, &error)),
            Ok(answer) => {
                route.reached.store(at, Ordering::Relaxed);
                return answered(table, &parts, answer).await;
            }
        }
    }
    metrics::counter!("waylog_query_passed_on_total", "outcome" => "unreachable").increment(1);
    Err(Problem::unavailable("The service that takes this request cannot be reached."))
}

/// The key as the answer will name it: minted here when the client sent none.
async fn key(parts: &mut Parts) -> Result<Option<http::HeaderValue>, Problem> {
    if !writes(&parts.method) {
        return Ok(None);
    }
    let key = IdempotencyKey::from_request_parts(parts, &()).await?;
    let key = http::HeaderValue::try_from(key.id.to_string());
    key.map(Some).map_err(|error| Problem::defect(&error))
}

async fn answered(
    table: &Table,
    parts: &Parts,
    answer: reqwest::Response,
) -> Result<Response, Problem> {
    let status = answer.status();
    let headers = kept(answer.headers());
    let body: Bytes = read_answer(answer, table.limits.answer_bytes_max)
        .await
        .map_err(|error| lost(parts, &error))?;
    metrics::counter!("waylog_query_passed_on_total", "outcome" => "answered").increment(1);
    Ok((status, headers, Body::from(body)).into_response())
}

/// The request was sent and its answer did not come: a write may have happened.
fn lost(parts: &Parts, error: &(dyn std::error::Error + 'static)) -> Problem {
    metrics::counter!("waylog_query_passed_on_total", "outcome" => "lost").increment(1);
    let cause = error.source().map(ToString::to_string).unwrap_or_default();
    tracing::warn!(method = %parts.method, path = parts.uri.path(), %error, cause, "no answer");
    if writes(&parts.method) {
        Problem::outcome_unknown()
    } else {
        Problem::unavailable("The service that takes this request did not answer.")
    }
}

/// The headers that are the request's or the answer's own.
fn kept(headers: &HeaderMap) -> HeaderMap {
    let named = headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
    let named: Vec<&str> = named.flat_map(|value| value.split(',')).map(str::trim).collect();
    let own = |name: &HeaderName| {
        OWN_OF_A_CONNECTION.contains(name)
            || *name == KEEP_ALIVE
            || named.iter().any(|named| name.as_str().eq_ignore_ascii_case(named))
    };
    let kept = headers.iter().filter(|(name, _)| !own(name));
    kept.fold(HeaderMap::new(), |mut headers, (name, value)| {
        headers.append(name.clone(), value.clone());
        headers
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_belongs_to_the_connection_stays_behind() {
        let sent = [
            ("connection", "close, X-Hop"),
            ("x-hop", "1"),
            ("keep-alive", "timeout=5"),
            ("transfer-encoding", "chunked"),
            ("host", "here"),
            ("if-match", "\"7\""),
            ("waylog-dev-actor", "account:x"),
            ("accept", "a"),
            ("accept", "b"),
        ];
        let header = |(name, value): (&'static str, &str)| {
            (HeaderName::from_static(name), value.parse().unwrap())
        };
        let mut headers = HeaderMap::new();
        sent.map(header).into_iter().for_each(|(name, value)| {
            headers.append(name, value);
        });

        let kept = kept(&headers);

        let names: Vec<_> = kept.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["if-match", "waylog-dev-actor", "accept", "accept"]);
    }
}
