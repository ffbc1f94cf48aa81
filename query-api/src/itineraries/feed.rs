//! What happened to a trip.

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use domain::Category;
use domain::ids::ItineraryId;
use serde::Deserialize;
use service_kit::{Json, Path, Problem, Query};
use utoipa::IntoParams;

use super::view::FeedView;
use super::{not_found, stream, viewer};
use crate::caller::Caller;
use crate::consistency::WaitFor;
use crate::openapi::{Problems, QueryHeaders};
use crate::page::{Limit, Page};
use crate::{ACTIVITY_FEED, ITINERARIES, QueryApi, failure};

/// Which part of the feed.
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

/// Who did what to the itinerary and when, newest first.
#[utoipa::path(
    get, path = "/v1/itineraries/{id}/activity", tag = "itineraries",
    operation_id = "read_itinerary_activity",
    params(("id" = Uuid, Path, description = "The itinerary"), Wanted, QueryHeaders),
    responses((status = 200, description = "One page", body = Page<FeedView>), Problems),
)]
pub(super) async fn feed(
    State(api): State<QueryApi>,
    caller: Caller,
    wait: WaitFor,
    Path(id): Path<ItineraryId>,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Problem> {
    // Who may read the feed is in the trip's own read model.
    api.reach(&wait, &[ITINERARIES, ACTIVITY_FEED]).await?;
    let viewer = viewer(&caller)?;
    let page = wanted.limit.page(wanted.cursor);
    let answer = api.0.queries.activity_feed(&caller.tenant, viewer, id, &page).await;
    let answer = answer.map_err(failure::of_query)?;
    api.followed(&wait, ACTIVITY_FEED, stream(id)).await?;
    let mut page = answer.value.ok_or_else(not_found)?;
    let details = page.items.iter_mut().map(|line| &mut line.details.0);
    api.open_documents(Category::Itinerary, details).await?;
    Ok((api.stamp(&answer.at), Json(Page::of(page, FeedView::from))).into_response())
}
