//! Time travel: an aggregate as it was at a version or an instant, and what changed between two
//! versions. States are folded from the audited events, with the rules' own fold.

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use domain::{StreamName, Timestamp};
use http::StatusCode;
use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;
use service_kit::{Json, Path, Problem, Query};
use utoipa::{IntoParams, ToSchema};

use super::diff::{Difference, differences};
use super::event::PositionView;
use super::fold::Fold;
use super::history::Until;
use super::not_found;
use crate::caller::Caller;
use crate::consistency::WaitFor;
use crate::openapi::{Problems, QueryHeaders};
use crate::{AUDIT, QueryApi};

/// Which moment of the stream; the newest when neither is named.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Moment {
    /// After the event of this version; 0 is before the first.
    at_version: Option<u64>,
    /// At this instant (RFC 3339): after everything that was recorded then or before.
    #[param(value_type = Option<String>, format = DateTime, example = "2027-01-01T12:00:00Z")]
    at: Option<Timestamp>,
}

/// An aggregate at one moment.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct StateView {
    /// Whose state it is.
    stream: StreamText,
    /// The version of the last event that is included; 0 before the first.
    version: u64,
    /// When that event was recorded; null before the first.
    #[schema(required, format = DateTime)]
    time: Option<String>,
    /// Where that event is in the log; null before the first.
    #[schema(required)]
    position: Option<PositionView>,
    /// The state, as the rules see it.
    #[schema(value_type = Object)]
    state: Value,
}

/// A stream's name.
#[derive(Debug, Serialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = String, example = "itinerary-018f4e2a-7c3b-7def-8123-456789abcdef")]
pub(super) struct StreamText(String);

/// An aggregate as it was at a version or an instant.
#[utoipa::path(
    get, path = "/v1/audit/streams/{stream}/state", tag = "audit", operation_id = "stream_state",
    params(
        ("stream" = String, Path, description = "The stream's name"), Moment, QueryHeaders,
    ),
    responses(
        (status = 200, description = "The state then", body = StateView),
        Problems,
    ),
)]
pub(super) async fn state(
    State(api): State<QueryApi>,
    caller: Caller,
    wait: WaitFor,
    Path(stream): Path<StreamName>,
    Query(moment): Query<Moment>,
) -> Result<Response, Problem> {
    let until = moment.until()?;
    api.open_history(&wait, &caller, stream).await?;
    let mut fold = Fold::new(stream.category);
    let reading = api.history(&caller.tenant, stream, until, |row| fold.include(row));
    let (at, exists) = reading.await?;
    api.followed(&wait, AUDIT, stream).await?;
    if !exists {
        return Err(not_found());
    }
    if let Until::Version(wanted) = until {
        reached(wanted, fold.version())?;
    }
    let mut state = fold.json()?;
    api.open_documents(stream.category, std::iter::once(&mut state)).await?;
    let view = StateView {
        stream: StreamText(stream.to_string()),
        version: fold.version(),
        time: fold.last.map(|place| place.time.to_string()),
        position: fold.last.map(|place| place.position.into()),
        state,
    };
    Ok((api.stamp(&at), Json(view)).into_response())
}

impl Moment {
    fn until(&self) -> Result<Until, Problem> {
        match (self.at_version, self.at) {
            (None, None) => Ok(Until::Now),
            (Some(version), None) => Ok(Until::Version(version)),
            (None, Some(instant)) => Ok(Until::Instant(instant)),
            (Some(_), Some(_)) => Err(invalid("at", "cannot be combined with at_version")),
        }
    }
}

/// Which two versions.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Span {
    /// The earlier version; 0 is before the first event.
    from: u64,
    /// The later version; the newest when missing.
    to: Option<u64>,
}

/// What changed between two versions.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DiffView {
    /// Whose states they are.
    stream: StreamText,
    /// The earlier version.
    from: u64,
    /// The later version.
    to: u64,
    /// What differs, in the order of paths.
    changes: Vec<Difference>,
}

/// What changed in an aggregate between two versions.
#[utoipa::path(
    get, path = "/v1/audit/streams/{stream}/diff", tag = "audit", operation_id = "stream_diff",
    params(("stream" = String, Path, description = "The stream's name"), Span, QueryHeaders),
    responses((status = 200, description = "The differences", body = DiffView), Problems),
)]
pub(super) async fn diff(
    State(api): State<QueryApi>,
    caller: Caller,
    wait: WaitFor,
    Path(stream): Path<StreamName>,
    Query(span): Query<Span>,
) -> Result<Response, Problem> {
    if span.to.is_some_and(|to| to < span.from) {
        return Err(invalid("to", "is before from"));
    }
    api.open_history(&wait, &caller, stream).await?;
    let until = span.to.map_or(Until::Now, Until::Version);
    let mut fold = Fold::new(stream.category);
    let mut earlier = if span.from == 0 { Some(fold.json()?) } else { None };
    let reading = api.history(&caller.tenant, stream, until, |row| {
        fold.include(row)?;
        if fold.version() == span.from {
            earlier = Some(fold.json()?);
        }
        Ok(())
    });
    let (at, exists) = reading.await?;
    api.followed(&wait, AUDIT, stream).await?;
    if !exists {
        return Err(not_found());
    }
    reached(span.to.unwrap_or(0).max(span.from), fold.version())?;
    let (mut earlier, mut later) = (earlier.unwrap_or_default(), fold.json()?);
    api.open_documents(stream.category, [&mut earlier, &mut later].into_iter()).await?;
    let view = DiffView {
        stream: StreamText(stream.to_string()),
        from: span.from,
        to: fold.version(),
        changes: differences(&earlier, &later),
    };
    Ok((api.stamp(&at), Json(view)).into_response())
}

/// A version that the stream has not reached has no state.
fn reached(wanted: u64, current: u64) -> Result<(), Problem> {
    if wanted <= current {
        return Ok(());
    }
    Err(Problem::not_found("version_not_found", "The stream has not reached that version.")
        .fact("version", wanted)
        .fact("current_version", current))
}

fn invalid(field: &str, message: &str) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "invalid_parameter", "The request is malformed")
        .field(field, message)
}
