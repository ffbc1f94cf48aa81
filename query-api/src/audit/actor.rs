//! What one actor did.

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use domain::Actor;
use serde::Deserialize;
use service_kit::{Json, Path, Problem, Query};
use utoipa::IntoParams;

use super::event::EventView;
use crate::caller::Caller;
use crate::consistency::WaitFor;
use crate::openapi::{Problems, QueryHeaders};
use crate::page::{Limit, Page};
use crate::{AUDIT, QueryApi, failure};

/// Which of the events.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    /// Rows of the page, 1 to 100; 50 when missing.
    #[serde(default)]
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100)]
    limit: Limit,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// What an actor did, newest first: for staff, and for the actor.
#[utoipa::path(
    get, path = "/v1/audit/actors/{actor}", tag = "audit", operation_id = "actor_events",
    params(
        (
            "actor" = String, Path, description = "`account:<id>` or `system:<name>`",
            example = "account:00000000-0000-8000-8000-000000000d3e",
        ),
        Wanted, QueryHeaders,
    ),
    responses((status = 200, description = "One page", body = Page<EventView>), Problems),
)]
pub(super) async fn actor(
    State(api): State<QueryApi>,
    caller: Caller,
    wait: WaitFor,
    Path(actor): Path<Actor>,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Problem> {
    if actor != caller.actor {
        caller.require_staff()?;
    }
    api.reach(&wait, &[AUDIT]).await?;
    let page = wanted.limit.page(wanted.cursor);
    let answer = api.0.queries.actor_events(&caller.tenant, &actor, &page).await;
    let answer = answer.map_err(failure::of_query)?;
    let mut page = Page::of(answer.value, EventView::from);
    api.open_events(&mut page.data).await?;
    Ok((api.stamp(&answer.at), Json(page)).into_response())
}
