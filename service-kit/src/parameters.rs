//! Parameters of the path and of the query, read strictly: [`Path`] and [`Query`].
//!
//! What cannot be read is 400 `invalid_parameter` with the parameter named in `errors`. Unknown
//! query parameters are refused when the type says `#[serde(deny_unknown_fields)]`.

use axum::extract::path::ErrorKind;
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, RawPathParams};
use http::StatusCode;
use http::request::Parts;
use serde::de::DeserializeOwned;

use crate::json::invalid_field;
use crate::problem::Problem;

const INVALID_PARAMETER: &str = "invalid_parameter";

/// The parameters of the matched path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match axum::extract::Path::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(value)) => Ok(Self(value)),
            Err(PathRejection::FailedToDeserializePathParams(failure)) => {
                let (place, message) = place(failure.kind());
                let field = match place {
                    Place::Named(name) => name.to_owned(),
                    Place::Numbered(index) => parameter_name(parts, index).await,
                    Place::Route => return Err(Problem::defect(&failure)),
                };
                Err(invalid(field, message))
            }
            Err(failure) => Err(Problem::defect(&failure)),
        }
    }
}

/// Where a path failed; [`Place::Route`] when the route and the type disagree, which is ours.
enum Place<'a> {
    Named(&'a str),
    Numbered(usize),
    Route,
}

fn place(kind: &ErrorKind) -> (Place<'_>, String) {
    match kind {
        ErrorKind::ParseErrorAtKey { key, expected_type, .. } => {
            (Place::Named(key), format!("is not a {expected_type}"))
        }
        ErrorKind::ParseErrorAtIndex { index, expected_type, .. } => {
            (Place::Numbered(*index), format!("is not a {expected_type}"))
        }
        ErrorKind::ParseError { expected_type, .. } => {
            (Place::Numbered(0), format!("is not a {expected_type}"))
        }
        ErrorKind::InvalidUtf8InPathParam { key } => (Place::Named(key), "is not UTF-8".into()),
        ErrorKind::DeserializeError { key, message, .. } => (Place::Named(key), message.clone()),
        ErrorKind::Message(message) => (Place::Numbered(0), message.clone()),
        _ => (Place::Route, String::new()),
    }
}

async fn parameter_name(parts: &mut Parts, index: usize) -> String {
    match RawPathParams::from_request_parts(parts, &()).await {
        Ok(all) => all.iter().nth(index).map(|(name, _)| name.to_owned()).unwrap_or_default(),
        Err(_) => String::new(),
    }
}

const WRONG: &str = "A parameter is missing, unknown or of the wrong type.";

/// The parameters of the query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parse_query(parts.uri.query().unwrap_or_default()).map(Query)
    }
}

fn parse_query<T: DeserializeOwned>(query: &str) -> Result<T, Problem> {
    require_utf8(query)?;
    // Form decoding copies small strings anyway; the path tracking is cheap beside it.
    let deserializer =
        serde_urlencoded::Deserializer::new(form_urlencoded::parse(query.as_bytes()));
    serde_path_to_error::deserialize(deserializer).map_err(|error| {
        invalid_field(error.path(), &error.inner().to_string(), INVALID_PARAMETER).detail(WRONG)
    })
}

/// Form decoding would replace what is not UTF-8; another value than was sent is no answer.
fn require_utf8(query: &str) -> Result<(), Problem> {
    if !query.contains('%') {
        return Ok(());
    }
    let decoded: Vec<u8> = percent_encoding::percent_decode_str(query).collect();
    match std::str::from_utf8(&decoded) {
        Ok(_) => Ok(()),
        Err(_) => Err(invalid(String::new(), "the query is not UTF-8".into())),
    }
}

fn invalid(field: String, message: String) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, INVALID_PARAMETER, "The request is malformed")
        .detail(WRONG)
        .field(field, message)
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Body;
    use axum::routing::get;
    use http::Request;
    use http_body_util::BodyExt as _;
    use serde::Deserialize;
    use serde_json::Value;
    use tower::ServiceExt as _;
    use uuid::Uuid;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Page {
        #[serde(default)]
        limit: Option<u32>,
        #[serde(default)]
        q: Option<String>,
    }

    async fn ask(uri: &str) -> (u16, Value) {
        let router = Router::new()
            .route("/offers/{offer_id}", get(|Path(id): Path<Uuid>| async move { id.to_string() }))
            .route(
                "/offers/{offer_id}/holds/{hold_id}",
                get(|Path((a, b)): Path<(Uuid, Uuid)>| async move { format!("{a}{b}") }),
            )
            .route(
                "/offers",
                get(|Query(page): Query<Page>| async move {
                    format!("{{\"limit\":{},\"q\":{:?}}}", page.limit.unwrap_or(0), page.q)
                }),
            );
        let request = Request::get(uri).body(Body::empty()).unwrap();
        let response = router.oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&body).unwrap_or_default())
    }

    #[tokio::test]
    async fn a_path_parameter_that_cannot_be_read_is_named() {
        let id = Uuid::nil();

        for (uri, field) in [
            ("/offers/seven".to_owned(), "offer_id"),
            (format!("/offers/{id}/holds/x"), "hold_id"),
            (format!("/offers/%ff/holds/{id}"), "offer_id"),
        ] {
            let (status, body) = ask(&uri).await;

            assert_eq!((status, &body["code"]), (400, &INVALID_PARAMETER.into()), "{uri}");
            assert_eq!(body["errors"][0]["field"], field, "{uri}: {body}");
        }
        assert_eq!(ask(&format!("/offers/{id}")).await.0, 200);
    }

    #[tokio::test]
    async fn a_query_parameter_that_cannot_be_read_is_named() {
        for (query, field) in [
            ("limit=many", "limit"),
            ("limit=-1", "limit"),
            ("limt=5", "limt"),
            ("q=a&q=b", "q"),
            ("q=%ff", ""),
        ] {
            let (status, body) = ask(&format!("/offers?{query}")).await;

            assert_eq!((status, &body["code"]), (400, &INVALID_PARAMETER.into()), "{query}");
            assert_eq!(body["errors"][0]["field"], field, "{query}: {body}");
        }
        assert_eq!(ask("/offers?limit=5&q=caf%C3%A9").await.0, 200);
        assert_eq!(ask("/offers").await.0, 200);
    }
}
