//! JSON bodies, read strictly: [`Json`] as an argument and as an answer.
//!
//! | what is wrong | answer |
//! |---|---|
//! | the content type is not JSON | 415 `unsupported_media_type` |
//! | longer than [`BODY_BYTES_MAX`] | 413 `body_too_large` |
//! | it did not arrive in time | 408 `request_timeout` |
//! | not UTF-8, not JSON, deeper than 128 levels, something behind it | 400 `malformed_json` |
//! | wrong type, missing or unknown field | 400 `invalid_field`, `errors` names the field |
//!
//! Unknown fields are refused when the type says `#[serde(deny_unknown_fields)]`, as every
//! request type does. Parsing stops at the first error, so `errors` holds one.

use std::borrow::Cow;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode};
use http_body::Body as _;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde::de::{DeserializeOwned, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::error::Category;

use self::objects::Objects;
use crate::problem::Problem;
use crate::request_body::BodyTimedOut;

mod objects;

/// The longest body that is read, in bytes: 1 MiB.
pub const BODY_BYTES_MAX: usize = 1024 * 1024;

/// How much of a refused body is let in, so that the client sees the refusal.
const DISCARDED_BYTES_MAX: usize = 8 * BODY_BYTES_MAX;
/// How long that may take.
const DISCARD_WAIT: Duration = Duration::from_millis(500);

/// The longest message about a field, in bytes; messages may quote what was sent.
const MESSAGE_BYTES_MAX: usize = 300;

/// A body that was read as JSON, or will be written as it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned, S: Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        require_json(&parts.headers)?;
        let bytes = read_body(body).await?;
        parse(&bytes).map(Json)
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(body) => {
                let mut response = Response::new(Body::from(body));
                let json = HeaderValue::from_static("application/json");
                response.headers_mut().insert(CONTENT_TYPE, json);
                response
            }
            Err(error) => Problem::defect(&error).into_response(),
        }
    }
}

/// Reads a whole body of at most [`BODY_BYTES_MAX`]; one that arrives in one piece is not copied.
///
/// # Errors
/// 413 `body_too_large`, 408 `request_timeout`, or 400 `incomplete_body` when it broke off.
pub async fn read_body(body: Body) -> Result<Bytes, Problem> {
    // A stated length is refused without keeping anything.
    let stated = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if stated > BODY_BYTES_MAX {
        discard(body).await;
        return Err(too_large());
    }
    match Limited::new(body, BODY_BYTES_MAX).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) => Err(unreadable(error.as_ref())),
    }
}

/// Lets a refused body arrive for a moment: a client that is still sending when its connection is
/// closed never sees why.
async fn discard(mut body: Body) {
    let arriving = async {
        let mut left = DISCARDED_BYTES_MAX;
        while let Some(Ok(frame)) = body.frame().await {
            match left.checked_sub(frame.data_ref().map_or(0, Bytes::len)) {
                Some(rest) => left = rest,
                None => break,
            }
        }
    };
    // A body that takes longer is cut off.
    tokio::time::timeout(DISCARD_WAIT, arriving).await.ok();
}

/// Parses a whole body; what is read as a struct has to be an object. The same answers as the
/// extractor, for bodies that are also needed raw (fingerprints, webhooks' signatures).
///
/// # Errors
/// 400 `malformed_json` or `invalid_field`.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        malformed(format!("The body is not UTF-8 from byte {} on.", error.valid_up_to()))
    })?;
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let parsed = T::deserialize(Objects(&mut deserializer));
    parsed.and_then(|value| deserializer.end().map(|()| value)).map_err(|error| {
        match error.classify() {
            Category::Data => locate::<T>(text, &error),
            Category::Io | Category::Syntax | Category::Eof => malformed(error.to_string()),
        }
    })
}

/// 415 unless the content type is JSON (`application/json` or `…+json`).
///
/// # Errors
/// 415 `unsupported_media_type`.
pub fn require_json(headers: &HeaderMap) -> Result<(), Problem> {
    let media_type = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .map_or("", str::trim);
    let json = media_type.split_once('/').is_some_and(|(kind, subtype)| {
        let suffix = subtype.rsplit_once('+').map_or(subtype, |(_, suffix)| suffix);
        kind.eq_ignore_ascii_case("application") && suffix.eq_ignore_ascii_case("json")
    });
    if json {
        return Ok(());
    }
    let (code, title) = ("unsupported_media_type", "The body is not declared as JSON");
    Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, code, title)
        .detail("Send it with Content-Type: application/json."))
}

/// Parses a second time, slower, to learn where the error stands. Only refused bodies pay for it.
fn locate<T: DeserializeOwned>(text: &str, first: &serde_json::Error) -> Problem {
    // What is not JSON at all says so, even when a field was found wrong before the end.
    if let Err(error) = serde_json::from_str::<WellFormed>(text) {
        return malformed(error.to_string());
    }
    let mut deserializer = serde_json::Deserializer::from_str(text);
    match serde_path_to_error::deserialize::<_, T>(Objects(&mut deserializer)) {
        Err(error) => invalid_field(error.path(), &error.inner().to_string(), "invalid_field"),
        // A type whose parsing is not a function of its input; the first error stands.
        Ok(_) => malformed(first.to_string()),
    }
}

/// Any JSON value within the parser's depth, not kept.
struct WellFormed;

impl<'de> Deserialize<'de> for WellFormed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for WellFormed {
    type Value = Self;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self, A::Error> {
        while items.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self, A::Error> {
        while members.next_entry::<Self, Self>()?.is_some() {}
        Ok(self)
    }
}

/// 400 `code` with the field at fault; serde names it in the path, or in words.
pub(crate) fn invalid_field(
    path: &serde_path_to_error::Path,
    message: &str,
    code: &'static str,
) -> Problem {
    let message = message.rsplit_once(" at line ").map_or(message, |(words, _)| words);
    let message = &in_words(message);
    // What is missing or unknown has no value to stand at: the path ends at its parent.
    let leaf = ["missing field `", "unknown field `", "duplicate field `"]
        .into_iter()
        .find_map(|start| message.strip_prefix(start)?.split_once('`'))
        .map(|(name, _)| name);
    let mut field = path.to_string();
    if field == "." {
        field.clear();
    }
    if let Some(leaf) = leaf
        && field != leaf
        && !field.ends_with(&format!(".{leaf}"))
    {
        if !field.is_empty() {
            field.push('.');
        }
        field.push_str(leaf);
    }
    Problem::new(StatusCode::BAD_REQUEST, code, "The request is malformed")
        .detail("A field is missing, unknown or of the wrong type.")
        .field(shorten(&field), shorten(message))
}

/// What serde expects, without the names of our types.
fn in_words(message: &str) -> Cow<'_, str> {
    let Some((found, expected)) = message.rsplit_once(", expected ") else {
        return Cow::Borrowed(message);
    };
    let words = match expected {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number, not negative and not too large",
        "i8" | "i16" | "i32" | "i64" => "a whole number, not too large",
        "f64" => "a number",
        _ => return Cow::Borrowed(message),
    };
    Cow::Owned(format!("{found}, expected {words}"))
}

fn shorten(text: &str) -> &str {
    &text[..text.floor_char_boundary(MESSAGE_BYTES_MAX)]
}

fn malformed(detail: String) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "malformed_json", "The body is not JSON").detail(detail)
}

fn too_large() -> Problem {
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", "The body is too large")
        .fact("body_bytes_max", BODY_BYTES_MAX)
}

fn unreadable(error: &(dyn std::error::Error + 'static)) -> Problem {
    let mut next = Some(error);
    while let Some(cause) = next {
        if cause.is::<LengthLimitError>() {
            return too_large();
        }
        if cause.is::<BodyTimedOut>() {
            let title = "The body did not arrive in time";
            return Problem::new(StatusCode::REQUEST_TIMEOUT, "request_timeout", title)
                .header(CONNECTION, HeaderValue::from_static("close"));
        }
        next = cause.source();
    }
    Problem::new(StatusCode::BAD_REQUEST, "incomplete_body", "The body broke off")
}

#[cfg(test)]
mod tests;
