//! What one request caused: all of its events and refusals, and the tree in which they caused each
//! other.

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use domain::ids::CorrelationId;
use read_models::queries::PageRequest;
use serde::Serialize;
use service_kit::{Json, Path, Problem};
use utoipa::ToSchema;
use uuid::Uuid;

use super::event::EventView;
use super::refusals::RefusalView;
use super::related::RelatedView;
use super::tree::{CausedCommand, tree};
use crate::caller::Caller;
use crate::consistency::WaitFor;
use crate::openapi::{Problems, QueryHeaders};
use crate::{AUDIT, QueryApi, failure};

/// Events of one request that are shown at most.
const EVENTS_MAX: usize = 1_000;
/// Refusals of one request that are shown at most.
const REFUSALS_MAX: usize = 200;

/// What one request caused.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CorrelationView {
    /// The correlation id.
    correlation_id: Uuid,
    /// The commands that the request began with, and those of webhooks about it; each with its
    /// events or why it was refused, and what those caused: commands of sagas, calls to the
    /// provider, their answers and that there was none, compensations.
    commands: Vec<CausedCommand>,
    /// All events, in order of time.
    data: Vec<EventView>,
    /// Whether there are more events than the first 1000, which are shown.
    truncated: bool,
    /// What was refused on the way, was not answered by a provider, or changed nothing, in order of
    /// time; kept for a limited time.
    refusals: Vec<RefusalView>,
    /// Whether these are all that are still kept.
    refusals_complete: bool,
    /// Other requests about the same bookings and sagas, such as a cancellation or an operator's
    /// word: where the story goes on, or came from.
    related: Vec<RelatedView>,
}

/// What one request caused, as a tree and in order of time.
#[utoipa::path(
    get, path = "/v1/audit/correlations/{id}", tag = "audit", operation_id = "correlation",
    params(("id" = Uuid, Path, description = "The correlation id of a request"), QueryHeaders),
    responses(
        (status = 200, description = "Commands, events, refusals", body = CorrelationView),
        Problems,
    ),
)]
pub(super) async fn correlation(
    State(api): State<QueryApi>,
    caller: Caller,
    wait: WaitFor,
    Path(id): Path<CorrelationId>,
) -> Result<Response, Problem> {
    caller.require_staff()?;
    api.reach(&wait, &[AUDIT]).await?;
    let mut events: Vec<EventView> = Vec::new();
    let mut first_at = None;
    let mut page = PageRequest { limit: read_models::queries::LIMIT_MAX, cursor: None };
    let at = loop {
        let answer = api.0.queries.correlated_events(&caller.tenant, id, &page).await;
        let answer = answer.map_err(failure::of_query)?;
        first_at = first_at.or_else(|| answer.value.items.first().map(|row| row.recorded_at));
        events.extend(answer.value.items.into_iter().map(EventView::from));
        page.cursor = answer.value.next_cursor;
        if page.cursor.is_none() || events.len() >= EVENTS_MAX {
            break answer.at;
        }
    };
    let (refusals, refusals_complete) =
        api.refused_under(&caller.tenant, id, first_at, REFUSALS_MAX).await;
    if events.is_empty() && refusals.is_empty() {
        let detail = "Nothing is known under this correlation id.";
        return Err(Problem::not_found("correlation_not_found", detail));
    }
    api.open_events(&mut events).await?;
    let related = api.related(&caller.tenant, id, &events).await?;
    let view = CorrelationView {
        correlation_id: id.0,
        commands: tree(&events, &refusals),
        data: events,
        truncated: page.cursor.is_some(),
        refusals,
        refusals_complete,
        related,
    };
    Ok((api.stamp(&at), Json(view)).into_response())
}
