//! Versions as entity tags: `If-Match` on the way in, `ETag` on the way out.
//!
//! A version is a strong tag of decimal digits (`"17"`), `*` means any version that exists. A
//! list, a weak tag or anything else is 400 `invalid_if_match`: a condition that cannot be read
//! must not be treated as none.

use std::fmt;

use axum::extract::FromRequestParts;
use axum::response::{IntoResponseParts, ResponseParts};
use http::header::{ETAG, IF_MATCH};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode};

use crate::problem::Problem;

/// What the client expects of the stream it wants to change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfMatch {
    /// No header: whatever there is.
    Unconditional,
    /// `*`: any version, but the stream must exist.
    AnyExisting,
    /// Exactly this version.
    Version(u64),
}

impl IfMatch {
    /// Reads the header.
    ///
    /// # Errors
    /// 400 `invalid_if_match`.
    pub fn read(headers: &HeaderMap) -> Result<Self, Problem> {
        let mut sent = headers.get_all(IF_MATCH).iter();
        match (sent.next(), sent.next()) {
            (None, _) => Ok(Self::Unconditional),
            (Some(value), None) => Self::parse(value.as_bytes()).ok_or_else(invalid),
            (Some(_), Some(_)) => Err(invalid()),
        }
    }

    fn parse(value: &[u8]) -> Option<Self> {
        let value = value.trim_ascii();
        if value == b"*" {
            return Some(Self::AnyExisting);
        }
        let digits = value.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
        // One spelling per version: neither a sign nor leading zeros.
        let canonical = digits == b"0" || digits.first().is_some_and(|first| *first != b'0');
        if !canonical || !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        std::str::from_utf8(digits).ok()?.parse().ok().map(Self::Version)
    }
}

impl<S: Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Self::read(&parts.headers)
    }
}

fn invalid() -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "invalid_if_match", "If-Match cannot be read")
        .detail("Send the version as it stood in ETag, such as \"17\", or *.")
}

/// The version of a stream as a strong entity tag; sets `ETag` when part of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ETag(pub u64);

impl fmt::Display for ETag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0)
    }
}

impl From<ETag> for HeaderValue {
    fn from(tag: ETag) -> Self {
        Self::try_from(tag.to_string()).expect("digits in quotes are a header value")
    }
}

impl IntoResponseParts for ETag {
    type Error = std::convert::Infallible;

    fn into_response_parts(self, mut parts: ResponseParts) -> Result<ResponseParts, Self::Error> {
        parts.headers_mut().insert(ETAG, self.into());
        Ok(parts)
    }
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse as _;

    use super::*;

    fn read(values: &[&str]) -> Result<IfMatch, Problem> {
        IfMatch::read(&values.iter().map(|value| (IF_MATCH, value.parse().unwrap())).collect())
    }

    #[test]
    fn a_version_is_read_as_it_was_written() {
        let written = (ETag(17), "").into_response();

        let read = read(&[written.headers()[ETAG].to_str().unwrap()]).unwrap();

        assert_eq!(read, IfMatch::Version(17));
        assert_eq!(written.headers()[ETAG], "\"17\"");
    }

    #[test]
    fn a_missing_header_and_a_star_differ() {
        assert_eq!(read(&[]).unwrap(), IfMatch::Unconditional);
        assert_eq!(read(&["*"]).unwrap(), IfMatch::AnyExisting);
    }

    #[test]
    fn what_cannot_be_read_is_never_taken_for_no_condition() {
        let too_long = format!("\"{}0\"", u64::MAX);

        for value in
            ["17", "W/\"17\"", "\"17\", \"18\"", "\"\"", "\"a\"", "\"+1\"", "\"007\"", "\""]
        {
            assert_eq!(read(&[value]).unwrap_err().code(), "invalid_if_match", "{value}");
        }
        assert!(read(&[&too_long]).is_err());
        assert!(read(&["\"1\"", "\"2\""]).is_err());
    }
}
