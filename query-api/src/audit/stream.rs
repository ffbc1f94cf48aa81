//! The events of one stream.

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use domain::StreamName;
use serde::Deserialize;
use service_kit::{Json, Path, Problem, Query};
use utoipa::IntoParams;

use super::event::EventView;
use super::not_found;
use crate::caller::Caller;
use crate::consistency::WaitFor;
use crate::openapi::{Problems, QueryHeaders};
use crate::page::{Limit, Page};
use crate::{AUDIT, QueryApi, failure};

/// Which events of the stream.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    /// Events behind this version only.
    after_version: Option<u64>,
    /// Rows of the page, 1 to 100; 50 when missing.
    #[serde(default)]
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100)]
    limit: Limit,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// The events of a stream, oldest first.
#[utoipa::path(
    get, path = "/v1/audit/streams/{stream}/events", tag = "audit", operation_id = "stream_events",
    params(
        (
            "stream" = String, Path, description = "The stream's name",
            example = "itinerary-018f4e2a-7c3b-7def-8123-456789abcdef",
        ),
        Wanted, QueryHeaders,
    ),
    responses((status = 200, description = "One page", body = Page<EventView>), Problems),
)]
pub(super) async fn events(
    State(api): State<QueryApi>,
    caller: Caller,
    wait: WaitFor,
    Path(stream): Path<StreamName>,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Problem> {
    api.open_history(&wait, &caller, stream).await?;
    let after = wanted.after_version.unwrap_or(0);
    let first = wanted.cursor.is_none() && after == 0;
    let page = wanted.limit.page(wanted.cursor);
    let answer = api.0.queries.stream_events_after(&caller.tenant, stream, after, &page).await;
    let answer = answer.map_err(failure::of_query)?;
    api.followed(&wait, AUDIT, stream).await?;
    if first && answer.value.items.is_empty() {
        return Err(not_found());
    }
    let mut page = Page::of(answer.value, EventView::from);
    api.open_events(&mut page.data).await?;
    Ok((api.stamp(&answer.at), Json(page)).into_response())
}
