//! What the description says of every command alike: its headers and its problems.

use std::collections::BTreeMap;

use utoipa::IntoResponses;
use utoipa::openapi::{RefOr, Response};

/// The problems that any command may answer with.
pub(crate) struct Refusals;

const REFUSALS: &[(&str, &str)] = &[
    (
        "400",
        "Malformed: JSON, a field's type, an unknown field, a header; a query parameter, or a body \
         other than `{}` where none is described",
    ),
    ("401", "Not authenticated"),
    ("403", "The caller may not do this"),
    ("404", "There is no such thing, or not for the caller"),
    ("409", "It exists already"),
    ("412", "`version_conflict`: the stream is not at the version of `If-Match`"),
    (
        "413",
        "The body is over 1 MiB, personal data is more than is sealed at once, or the event would \
         be larger than the log takes",
    ),
    ("415", "The body is not declared as JSON"),
    ("422", "A rule forbids it, or `idempotency_mismatch`"),
    (
        "503",
        "`unavailable` (nothing was tried; also when personal data cannot be sealed) or \
         `outcome_unknown` (send the same `Idempotency-Key` again to learn it), with \
         `Retry-After`",
    ),
];

impl IntoResponses for Refusals {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        service_kit::problem_responses(REFUSALS)
    }
}
