//! Errors as a client sees them: RFC 9457 problems.
//!
//! A [`Problem`] has a status, a stable `code`, a title, and whatever facts help the client to go
//! on. The correlation id, the instance and the `Idempotency-Key` come from the request in
//! progress (see [`crate::request_context`]), so that handlers never fill them in. A defect is
//! opaque to the client: its cause is logged once, with the whole chain, and the body carries the
//! correlation id to find it by.

use std::borrow::Cow;
use std::error::Error;
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderName, HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;
use utoipa::{PartialSchema, ToSchema};
use uuid::Uuid;

use crate::request_context;

/// The media type of every problem.
pub const PROBLEM_MEDIA_TYPE: &str = "application/problem+json";

/// What a client is told to wait when a 503 names no time of its own.
const RETRY_AFTER_DEFAULT: Duration = Duration::from_secs(1);

/// One field of a request that was refused, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FieldError {
    /// Where the field stands in the body, as in `lines[0].quantity`; empty for the body itself.
    pub field: String,
    /// What was wrong with it, for a human.
    pub message: String,
}

/// The body of a problem, as it is sent and as a client of ours reads it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemDocument {
    /// A stable URI reference that names the kind of problem: `/problems/<code>`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What the kind of problem is called; the same for every occurrence.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// The stable code to write programs against.
    pub code: String,
    /// What happened this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The path of the request that met it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// The id under which the request is found in logs and audit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<Uuid>,
    /// Per-field errors, for requests that were malformed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// Facts of this kind of problem, such as `current_version` or `available`.
    #[serde(flatten)]
    pub facts: Map<String, Value>,
}

/// An error on its way to the client. Built by chaining; turned into a response by axum.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem(Box<Parts>);

#[derive(Debug, Clone, PartialEq)]
struct Parts {
    status: StatusCode,
    code: Cow<'static, str>,
    title: Cow<'static, str>,
    detail: Option<String>,
    errors: Vec<FieldError>,
    facts: Map<String, Value>,
    retry_after: Option<Duration>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Problem {
    /// A problem of the kind `code`, called `title` wherever it occurs.
    pub fn new(
        status: StatusCode,
        code: impl Into<Cow<'static, str>>,
        title: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self(Box::new(Parts {
            status,
            code: code.into(),
            title: title.into(),
            detail: None,
            errors: Vec::new(),
            facts: Map::new(),
            retry_after: None,
            headers: Vec::new(),
        }))
    }

    /// 503 `unavailable`: nothing was tried; the client may send the request again.
    #[must_use]
    pub fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Nothing was tried, try again")
            .detail(detail)
    }

    /// 503 `outcome_unknown`: it may have happened; the same idempotency key tells.
    #[must_use]
    pub fn outcome_unknown() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "outcome_unknown", "The outcome is unknown")
            .detail("Send the same request with the same Idempotency-Key again to learn it.")
    }

    /// 404 `code`: the thing asked for does not exist, or not for this caller.
    #[must_use]
    pub fn not_found(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, "Not found").detail(detail)
    }

    /// 500 `defect`: ours. Logs `cause` with its whole chain, once; the client sees none of it.
    #[must_use]
    pub fn defect(cause: &(dyn Error + 'static)) -> Self {
        let correlation_id = request_context::current().map(|context| context.correlation_id());
        tracing::error!(
            correlation_id = correlation_id.map(tracing::field::display),
            error = %Chain(cause),
            "a request met a defect"
        );
        Self::opaque_defect()
    }

    /// 500 `defect` whose cause somebody else has logged already.
    #[must_use]
    pub fn opaque_defect() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "defect", "Something broke on our side")
            .detail("Quote the correlation id when you report this.")
    }

    /// What happened this time, for a human.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.0.detail = Some(detail.into());
        self
    }

    /// A fact as a JSON member of its own. The members that every problem has cannot be replaced.
    #[must_use]
    pub fn fact(mut self, name: &str, value: impl Into<Value>) -> Self {
        debug_assert!(!RESERVED.contains(&name), "{name} is a member that every problem has");
        if !RESERVED.contains(&name) {
            self.0.facts.insert(name.to_owned(), value.into());
        }
        self
    }

    /// One more field that was refused.
    #[must_use]
    pub fn field(mut self, field: impl Into<String>, message: impl Into<String>) -> Self {
        self.0.errors.push(FieldError { field: field.into(), message: message.into() });
        self
    }

    /// When to try again; sent in whole seconds, rounded up.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.0.retry_after = Some(wait);
        self
    }

    /// A header of the answer, such as `WWW-Authenticate`.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.push((name, value));
        self
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.0.code
    }

    /// The body, with what the request in progress (if any) contributes.
    #[must_use]
    pub fn into_document(self) -> ProblemDocument {
        let context = request_context::current();
        ProblemDocument {
            kind: format!("/problems/{}", self.0.code),
            title: self.0.title.into_owned(),
            status: self.0.status.as_u16(),
            code: self.0.code.into_owned(),
            detail: self.0.detail,
            instance: context.as_ref().map(|context| context.path().to_owned()),
            correlation_id: context.as_ref().map(|context| context.correlation_id()),
            errors: self.0.errors,
            facts: self.0.facts,
        }
    }
}

/// The members that [`ProblemDocument`] names itself.
const RESERVED: [&str; 8] =
    ["type", "title", "status", "code", "detail", "instance", "correlation_id", "errors"];

impl IntoResponse for Problem {
    fn into_response(mut self) -> Response {
        let status = self.0.status;
        let headers = std::mem::take(&mut self.0.headers);
        let retry_after = match self.0.retry_after {
            None if status == StatusCode::SERVICE_UNAVAILABLE => Some(RETRY_AFTER_DEFAULT),
            stated => stated,
        };
        let body = serde_json::to_vec(&self.into_document())
            .expect("a problem has string keys and finite values only");
        let mut response = (status, body).into_response();
        let fields = response.headers_mut();
        fields.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_MEDIA_TYPE));
        if let Some(wait) = retry_after {
            fields.insert(RETRY_AFTER, HeaderValue::from(whole_seconds(wait)));
        }
        for (name, value) in headers {
            fields.append(name, value);
        }
        response
    }
}

fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

/// In OpenAPI a [`Problem`] is what it sends: a [`ProblemDocument`] under the name `Problem`.
impl PartialSchema for Problem {
    fn schema() -> RefOr<Schema> {
        ProblemDocument::schema()
    }
}

impl ToSchema for Problem {
    fn name() -> Cow<'static, str> {
        ProblemDocument::name()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        ProblemDocument::schemas(schemas);
    }
}

/// An error with everything below it, joined by `: `.
struct Chain<'a>(&'a (dyn Error + 'static));

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut next = self.0.source();
        while let Some(cause) = next {
            write!(f, ": {cause}")?;
            next = cause.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt as _;

    async fn sent(problem: Problem) -> (http::response::Parts, Value) {
        let (parts, body) = problem.into_response().into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        (parts, serde_json::from_slice(&bytes).unwrap())
    }

    #[tokio::test]
    async fn facts_and_fields_stand_beside_the_standard_members() {
        let problem =
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "price_changed", "The price changed")
                .detail("It was 100, it is 120.")
                .fact("old_price", 100)
                .fact("new_price", 120)
                .field("lines[0].unit_price", "is not the price any more");

        let (parts, body) = sent(problem).await;

        assert_eq!(parts.status, 422);
        assert_eq!(parts.headers[CONTENT_TYPE], PROBLEM_MEDIA_TYPE);
        assert_eq!(
            body,
            serde_json::json!({
                "type": "/problems/price_changed", "title": "The price changed", "status": 422,
                "code": "price_changed", "detail": "It was 100, it is 120.",
                "old_price": 100, "new_price": 120,
                "errors": [{
                    "field": "lines[0].unit_price", "message": "is not the price any more"
                }],
            })
        );
    }

    #[tokio::test]
    async fn a_503_always_says_when_to_come_back() {
        let unspecified = Problem::unavailable("no owner");
        let fraction = Problem::unavailable("no owner").retry_after(Duration::from_millis(2100));

        assert_eq!(sent(unspecified).await.0.headers[RETRY_AFTER], "1");
        assert_eq!(sent(fraction).await.0.headers[RETRY_AFTER], "3");
    }

    #[tokio::test]
    async fn a_defect_tells_the_client_nothing_of_its_cause() {
        let cause = std::io::Error::other("password is hunter2");

        let (parts, body) = sent(Problem::defect(&cause)).await;

        assert_eq!(parts.status, 500);
        assert!(!body.to_string().contains("hunter2"), "{body}");
    }

    #[test]
    fn a_document_survives_the_wire() {
        let document = Problem::not_found("unknown_offer", "No such offer.")
            .fact("offer", "abc")
            .into_document();

        let read: ProblemDocument =
            serde_json::from_str(&serde_json::to_string(&document).unwrap()).unwrap();

        assert_eq!(read, document);
    }

    #[test]
    fn in_openapi_a_problem_is_the_document_that_is_sent() {
        let schema = serde_json::to_value(Problem::schema()).unwrap();

        assert_eq!(Problem::name(), "Problem");
        for member in ["type", "code", "correlation_id", "errors"] {
            assert!(schema.to_string().contains(&format!("\"{member}\"")), "{schema}");
        }
    }

    #[test]
    fn the_chain_of_causes_is_printed_whole() {
        #[derive(Debug, thiserror::Error)]
        #[error("could not append")]
        struct Outer(#[source] std::io::Error);

        let text = Chain(&Outer(std::io::Error::other("disk full"))).to_string();

        assert_eq!(text, "could not append: disk full");
    }
}
