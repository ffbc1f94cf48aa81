//! What is known about a request before any handler looks at it.
//!
//! `X-Request-ID` and `traceparent` are accepted when they are well-formed, created when they are
//! missing, and returned with every answer. The correlation id is the request id when that is a
//! UUID, a UUIDv8 derived from it when it is something else, and a new UUIDv7 when there was none.
//! A request that changes something (POST, PUT, PATCH, DELETE) also gets its idempotency key here,
//! so that the answer names it even when nothing else of the request could be read.
//!
//! Handlers take a [`RequestContext`] as an argument; code below them that runs in the same task
//! may ask [`current`]. A spawned task has to be given the context.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::trace_context::TraceContext;

/// The client's own name for a request.
pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// W3C trace context.
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// The client's name for one intent, sent again with every retry of it.
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The longest request id that is accepted, in bytes; a longer one counts as missing.
pub const REQUEST_ID_BYTES_MAX: usize = 128;

tokio::task_local! {
    static CURRENT: RequestContext;
}

/// The context of the request that this task is working on, if it is working on one.
#[must_use]
pub fn current() -> Option<RequestContext> {
    CURRENT.try_with(RequestContext::clone).ok()
}

/// Cheap to clone; one per request.
#[derive(Debug, Clone)]
pub struct RequestContext(Arc<Known>);

#[derive(Debug)]
struct Known {
    /// As the client sent it; `None` when the correlation id stands in for it.
    request_id: Option<HeaderValue>,
    correlation_id: Uuid,
    trace: TraceContext,
    uri: Uri,
    key: KeySent,
}

/// What a request said about its idempotency key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeySent {
    /// A request that changes nothing has no key.
    NotApplicable,
    /// Sent by the client.
    Sent(Uuid),
    /// Missing, so minted here.
    Minted(Uuid),
    /// Sent, but not one UUID.
    Malformed,
}

impl RequestContext {
    /// Reads what the client sent and creates what it did not.
    #[must_use]
    pub fn read(method: &Method, uri: &Uri, headers: &HeaderMap) -> Self {
        let request_id =
            headers.get(X_REQUEST_ID).filter(|sent| acceptable(sent.as_bytes())).cloned();
        let correlation_id = request_id.as_ref().map_or_else(Uuid::now_v7, correlate);
        let trace = headers
            .get(TRACEPARENT)
            .and_then(|sent| TraceContext::parse(sent.as_bytes()))
            .map_or_else(|| TraceContext::start(correlation_id), TraceContext::child);
        let key = KeySent::read(method, headers);
        Self(Arc::new(Known { request_id, correlation_id, trace, uri: uri.clone(), key }))
    }

    /// The id that joins everything this request causes.
    #[must_use]
    pub fn correlation_id(&self) -> Uuid {
        self.0.correlation_id
    }

    /// Where the request stands in its trace; the span is ours.
    #[must_use]
    pub fn trace(&self) -> TraceContext {
        self.0.trace
    }

    /// The path that was asked for, without the query.
    #[must_use]
    pub fn path(&self) -> &str {
        self.0.uri.path()
    }

    /// The request id as it is returned: the client's own, or the correlation id.
    #[must_use]
    pub fn request_id(&self) -> HeaderValue {
        self.0.request_id.clone().unwrap_or_else(|| uuid_header(self.0.correlation_id))
    }

    /// The correlation id as a request id: what a call made for this request sends along, so that
    /// the other side arrives at the same correlation id.
    #[must_use]
    pub fn correlation_header(&self) -> HeaderValue {
        uuid_header(self.0.correlation_id)
    }

    pub(crate) fn key(&self) -> KeySent {
        self.0.key
    }

    /// Runs `work` as part of this request: [`current`] answers with it.
    pub(crate) fn scope<R>(&self, work: impl FnOnce() -> R) -> R {
        CURRENT.sync_scope(self.clone(), work)
    }

    /// Puts the ids of the request on its answer.
    pub(crate) fn stamp(&self, headers: &mut HeaderMap) {
        headers.insert(X_REQUEST_ID, self.request_id());
        headers.insert(TRACEPARENT, self.0.trace.header_value());
        if let KeySent::Sent(key) | KeySent::Minted(key) = self.0.key {
            headers.insert(IDEMPOTENCY_KEY, uuid_header(key));
        }
    }
}

impl KeySent {
    fn read(method: &Method, headers: &HeaderMap) -> Self {
        if !matches!(*method, Method::POST | Method::PUT | Method::PATCH | Method::DELETE) {
            return Self::NotApplicable;
        }
        let mut sent = headers.get_all(IDEMPOTENCY_KEY).iter();
        match (sent.next(), sent.next()) {
            (None, _) => Self::Minted(Uuid::now_v7()),
            (Some(key), None) => parse_uuid(key.as_bytes()).map_or(Self::Malformed, Self::Sent),
            (Some(_), Some(_)) => Self::Malformed,
        }
    }
}

/// The context as an argument of a handler. Where no middleware made one, it is made here.
impl<S: Sync> FromRequestParts<S> for RequestContext {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        if let Some(context) = parts.extensions.get::<Self>() {
            return Ok(context.clone());
        }
        let context = Self::read(&parts.method, &parts.uri, &parts.headers);
        parts.extensions.insert(context.clone());
        Ok(context)
    }
}

/// Hyphenated UUIDs only, in either case; neither nil nor max, which name nothing.
pub(crate) fn parse_uuid(text: &[u8]) -> Option<Uuid> {
    let hyphenated = (text.len() == 36).then(|| Uuid::try_parse_ascii(text).ok()).flatten();
    hyphenated.filter(|id| !id.is_nil() && !id.is_max())
}

/// A UUID as a header's value.
pub(crate) fn uuid_header(id: Uuid) -> HeaderValue {
    let mut buffer = Uuid::encode_buffer();
    HeaderValue::from_str(id.as_hyphenated().encode_lower(&mut buffer))
        .expect("hex digits and dashes are a header value")
}

/// Printable ASCII without spaces, so that an id can be pasted into logs and queries.
fn acceptable(request_id: &[u8]) -> bool {
    (1..=REQUEST_ID_BYTES_MAX).contains(&request_id.len())
        && request_id.iter().all(u8::is_ascii_graphic)
}

fn correlate(request_id: &HeaderValue) -> Uuid {
    parse_uuid(request_id.as_bytes()).unwrap_or_else(|| {
        let digest = Sha256::new()
            .chain_update(b"waylog.request-id\0")
            .chain_update(request_id.as_bytes())
            .finalize();
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest[..16]);
        Uuid::new_v8(bytes)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(method: &Method, headers: &[(HeaderName, &str)]) -> RequestContext {
        let headers =
            headers.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect();
        RequestContext::read(method, &Uri::from_static("/v1/offers?q=x"), &headers)
    }

    #[test]
    fn a_request_id_that_is_a_uuid_is_the_correlation_id() {
        let sent = "01890a5d-ac96-774b-bcce-b302099a8057";

        let context = read(&Method::GET, &[(X_REQUEST_ID, sent)]);

        assert_eq!(context.correlation_id().to_string(), sent);
        assert_eq!(context.request_id(), sent);
    }

    #[test]
    fn any_other_request_id_always_derives_the_same_correlation_id() {
        let one = read(&Method::GET, &[(X_REQUEST_ID, "order-17")]);
        let again = read(&Method::POST, &[(X_REQUEST_ID, "order-17")]);
        let other = read(&Method::GET, &[(X_REQUEST_ID, "order-18")]);

        assert_eq!(one.correlation_id(), again.correlation_id());
        assert_ne!(one.correlation_id(), other.correlation_id());
        assert_eq!(one.correlation_id().get_version_num(), 8);
        assert_eq!(one.request_id(), "order-17");
    }

    #[test]
    fn a_request_id_that_is_too_long_or_unprintable_counts_as_missing() {
        let long = "x".repeat(REQUEST_ID_BYTES_MAX + 1);

        for sent in [long.as_str(), "two words", ""] {
            let context = read(&Method::GET, &[(X_REQUEST_ID, sent)]);

            assert_eq!(context.correlation_id().get_version_num(), 7, "{sent:?}");
            assert_eq!(context.request_id(), context.correlation_id().to_string().as_str());
        }
    }

    #[test]
    fn a_trace_that_begins_here_carries_the_correlation_id() {
        let context = read(&Method::GET, &[(TRACEPARENT, "nonsense")]);

        assert_eq!(context.trace().trace_id(), context.correlation_id().as_u128());
    }

    #[test]
    fn only_a_request_that_changes_something_has_an_idempotency_key() {
        let key = "01890a5d-ac96-774b-bcce-b302099a8057";
        let uuid = key.parse().unwrap();

        assert_eq!(read(&Method::POST, &[(IDEMPOTENCY_KEY, key)]).key(), KeySent::Sent(uuid));
        assert!(matches!(read(&Method::DELETE, &[]).key(), KeySent::Minted(_)));
        assert_eq!(read(&Method::POST, &[(IDEMPOTENCY_KEY, "7")]).key(), KeySent::Malformed);
        assert_eq!(read(&Method::GET, &[(IDEMPOTENCY_KEY, key)]).key(), KeySent::NotApplicable);
    }
}
