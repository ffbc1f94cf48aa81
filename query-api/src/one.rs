//! The answer of a route that reads one thing: its version, how long it may be kept, and how far
//! the read models it was read from are.

use axum::response::{IntoResponse as _, Response};
use http::HeaderValue;
use http::header::CACHE_CONTROL;
use read_models::queries::ReadPosition;
use serde::Serialize;
use service_kit::{ETag, Json};

use crate::QueryApi;

/// What a client may do with an answer. It is private either way: what one caller sees of a thing
/// is not what another one does.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Keep {
    /// Keep it, and ask each time whether it is still so.
    Asking,
    /// Nothing: the answer changes without the thing's version.
    Nothing,
}

impl Keep {
    pub(crate) const fn header(self) -> [(http::HeaderName, HeaderValue); 1] {
        let said = match self {
            Self::Asking => "private, no-cache",
            Self::Nothing => "private, no-store",
        };
        [(CACHE_CONTROL, HeaderValue::from_static(said))]
    }
}

impl QueryApi {
    /// One thing in this version, as it was read at that position.
    pub(crate) fn one(
        &self,
        at: &ReadPosition,
        version: u64,
        keep: Keep,
        view: impl Serialize,
    ) -> Response {
        (ETag(version), keep.header(), self.stamp(at), Json(view)).into_response()
    }
}
