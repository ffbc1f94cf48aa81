//! The caller's trips.

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use domain::calendar::Date;
use read_models::queries::{ItineraryFilter, ItineraryScope};
use serde::Deserialize;
use service_kit::{Json, Problem, Query};
use utoipa::{IntoParams, ToSchema};

use super::view::ListedView;
use crate::caller::Caller;
use crate::consistency::WaitFor;
use crate::openapi::{Problems, QueryHeaders};
use crate::page::{Limit, Page, search};
use crate::{ITINERARIES, QueryApi, failure};

/// Which of the caller's trips.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Scope {
    /// Owned and collaborated on.
    #[default]
    All,
    /// Owned.
    Owned,
    /// Collaborated on, but not owned.
    Collaborating,
    /// Invited to, and not joined yet.
    Invited,
}

/// Whether a trip is closed.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Status {
    Active,
    Archived,
}

/// What the list is narrowed down to.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    /// Words; each must begin a word of title, activities or places. Case and accents are ignored.
    #[serde(default, deserialize_with = "search")]
    #[param(example = "lisbon", max_length = 200)]
    q: Option<String>,
    /// Active or archived ones only.
    #[param(inline)]
    status: Option<Status>,
    /// Trips that end on this day or later.
    #[param(value_type = Option<String>, format = Date, example = "2027-05-01")]
    from: Option<Date>,
    /// Trips that start on this day or earlier.
    #[param(value_type = Option<String>, format = Date, example = "2027-05-31")]
    to: Option<Date>,
    /// Which of the caller's trips.
    #[serde(default)]
    #[param(inline)]
    scope: Scope,
    /// Rows of the page, 1 to 100; 50 when missing.
    #[serde(default)]
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100)]
    limit: Limit,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// The caller's itineraries, newest first.
#[utoipa::path(
    get, path = "/v1/itineraries", tag = "itineraries", operation_id = "list_itineraries",
    params(Wanted, QueryHeaders),
    responses((status = 200, description = "One page", body = Page<ListedView>), Problems),
)]
pub(super) async fn list(
    State(api): State<QueryApi>,
    caller: Caller,
    wait: WaitFor,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Problem> {
    let Some(account) = caller.account() else { return Err(no_account()) };
    api.reach(&wait, &[ITINERARIES]).await?;
    let page = wanted.limit.page(wanted.cursor.clone());
    let filter = wanted.into();
    let answer = api.0.queries.itineraries(&caller.tenant, account, &filter, &page).await;
    let answer = answer.map_err(failure::of_query)?;
    let stamp = api.stamp(&answer.at);
    Ok((stamp, Json(Page::of(answer.value, ListedView::from))).into_response())
}

impl From<Wanted> for ItineraryFilter {
    fn from(wanted: Wanted) -> Self {
        Self {
            scope: match wanted.scope {
                Scope::All => ItineraryScope::All,
                Scope::Owned => ItineraryScope::Owned,
                Scope::Collaborating => ItineraryScope::Collaborating,
                Scope::Invited => ItineraryScope::Invited,
            },
            query: wanted.q,
            status: wanted.status.map(|status| match status {
                Status::Active => "active".to_owned(),
                Status::Archived => "archived".to_owned(),
            }),
            from: wanted.from,
            to: wanted.to,
        }
    }
}

/// Only accounts have trips.
fn no_account() -> Problem {
    Problem::new(http::StatusCode::FORBIDDEN, "forbidden", "Not allowed")
        .detail("This is a list of an account's itineraries, and the caller is no account.")
}
