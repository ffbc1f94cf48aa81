//! What the description says of every query alike: its headers and its problems.

use std::collections::BTreeMap;

use utoipa::openapi::{RefOr, Response};
use utoipa::{IntoParams, IntoResponses};

/// The headers that any query takes.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "describes what an extractor reads")]
pub(crate) struct QueryHeaders {
    /// `Waylog-Position` of an earlier answer, or several, separated by commas: the query waits up
    /// to 5 s until the read model holds it, else 503 `read_model_behind`.
    #[param(rename = "Waylog-Wait-For")]
    waylog_wait_for: Option<String>,
}

/// The problems that any query may answer with.
pub(crate) struct Problems;

const PROBLEMS: &[(&str, &str)] = &[
    (
        "400",
        "`invalid_parameter`, `invalid_cursor`, `invalid_wait_for`, or `foreign_position`: a \
         position of another log",
    ),
    ("401", "Not authenticated"),
    ("403", "`forbidden`: this takes another role"),
    ("404", "There is no such thing, or not for the caller"),
    (
        "503",
        "With `Retry-After`: `read_model_behind` (with `behind_by`, `waited_ms` and the `position` \
         that it holds), `stream_parked`, `read_store_unavailable`, \
         `key_store_unavailable` (the answer holds personal data), `unavailable`",
    ),
];

impl IntoResponses for Problems {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        service_kit::problem_responses(PROBLEMS)
    }
}
