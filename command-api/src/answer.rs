//! The answer to an accepted command.

use axum::response::{IntoResponse, Response};
use http::header::LOCATION;
use http::{HeaderName, HeaderValue, StatusCode};
use lanes::Accepted;
use serde::Serialize;
use service_kit::if_match::ETag;
use service_kit::{Json, Problem};
use utoipa::ToSchema;
use uuid::Uuid;

/// Where a query has to have read to, to see what the command did.
const WAYLOG_POSITION: HeaderName = HeaderName::from_static("waylog-position");

/// What a change answers: the version after it, also in `ETag`.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Changed {
    /// The stream's version after the command.
    pub(crate) version: u64,
}

/// What a creation answers.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Created {
    /// The id of what was created.
    pub(crate) id: Uuid,
    /// The stream's version after the command.
    pub(crate) version: u64,
}

/// 200 with the new version.
pub(crate) fn changed(accepted: &Accepted) -> Result<Response, Problem> {
    let body = Changed { version: accepted.version };
    answer(StatusCode::OK, accepted, (), body)
}

/// 201 with the id and, in `Location`, the path of what was created.
pub(crate) fn created(accepted: &Accepted, id: Uuid, path: String) -> Result<Response, Problem> {
    let location = HeaderValue::try_from(path).map_err(|error| Problem::defect(&error))?;
    let body = Created { id, version: accepted.version };
    answer(StatusCode::CREATED, accepted, [(LOCATION, location)], body)
}

/// 202 with the id and, in `Location`, where to see what becomes of it.
pub(crate) fn underway(accepted: &Accepted, id: Uuid, path: String) -> Result<Response, Problem> {
    let location = HeaderValue::try_from(path).map_err(|error| Problem::defect(&error))?;
    let body = Created { id, version: accepted.version };
    answer(StatusCode::ACCEPTED, accepted, [(LOCATION, location)], body)
}

/// 204 with the new version in `ETag`.
pub(crate) fn gone(accepted: &Accepted) -> Result<Response, Problem> {
    let position = [(WAYLOG_POSITION, position(accepted)?)];
    Ok((StatusCode::NO_CONTENT, ETag(accepted.version), position).into_response())
}

fn position(accepted: &Accepted) -> Result<HeaderValue, Problem> {
    HeaderValue::try_from(accepted.position.0.as_str()).map_err(|error| Problem::defect(&error))
}

fn answer(
    status: StatusCode,
    accepted: &Accepted,
    more: impl axum::response::IntoResponseParts,
    body: impl Serialize,
) -> Result<Response, Problem> {
    let position = [(WAYLOG_POSITION, position(accepted)?)];
    Ok((status, ETag(accepted.version), position, more, Json(body)).into_response())
}
