//! Destinations: the catalogue, what is offered and booked at each, and which are booked most.
//!
//! | request | sees it |
//! |---|---|
//! | `GET /v1/destinations`, `GET /v1/destinations/{slug}` | everybody of the tenant |
//! | `GET /v1/destinations/popular` | everybody of the tenant |
//!
//! What is offered and booked is counted by the places that offers name: a destination's slug or
//! its name, whether it was described before or after. One that is called `popular` is found in
//! lists alone.

mod view;

use std::time::{SystemTime, UNIX_EPOCH};

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use domain::calendar::Date;
use domain::{Category, StreamName, Timestamp, derive};
use read_models::projections::Period;
use read_models::queries::{DestinationFilter, Measure};
use serde::Deserialize;
use service_kit::{Json, Path, Problem, Query};
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::view::{DestinationView, PopularView, RankingView};
use crate::caller::Caller;
use crate::consistency::WaitFor;
use crate::one::Keep;
use crate::openapi::{Problems, QueryHeaders};
use crate::page::{Limit, Page, search};
use crate::{DESTINATIONS, POPULAR_DESTINATIONS, QueryApi, failure};

/// Destinations of a ranking when the request names no number.
const RANKING_DEFAULT: Limit = Limit(10);

pub(crate) fn router() -> OpenApiRouter<QueryApi> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(popular)).routes(routes!(read))
}

/// What the list is narrowed down to.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct Wanted {
    /// Destinations of this country: ISO 3166-1 alpha-2.
    #[serde(default, deserialize_with = "search")]
    #[param(example = "PT", max_length = 200)]
    country: Option<String>,
    /// Destinations with this tag. Case and accents are ignored.
    #[serde(default, deserialize_with = "search")]
    #[param(example = "wine", max_length = 200)]
    tag: Option<String>,
    /// Words; each must begin a word of name, slug, country or tags. Case and accents are ignored.
    #[serde(default, deserialize_with = "search")]
    #[param(example = "port", max_length = 200)]
    q: Option<String>,
    /// Rows of the page, 1 to 100; 50 when missing.
    #[serde(default)]
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100)]
    limit: Limit,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// The destinations of the catalogue in the order of their slugs; retired ones are left out.
#[utoipa::path(
    get, path = "/v1/destinations", tag = "destinations", operation_id = "list_destinations",
    params(Wanted, QueryHeaders),
    responses((status = 200, description = "One page", body = Page<DestinationView>), Problems),
)]
async fn list(
    State(api): State<QueryApi>,
    caller: Caller,
    wait: WaitFor,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Problem> {
    api.reach(&wait, &[DESTINATIONS]).await?;
    let page = wanted.limit.page(wanted.cursor);
    let filter = DestinationFilter { country: wanted.country, tag: wanted.tag, query: wanted.q };
    let answer = api.0.queries.destinations(&caller.tenant, &filter, &page).await;
    let answer = answer.map_err(failure::of_query)?;
    let stamp = api.stamp(&answer.at);
    Ok((stamp, Json(Page::of(answer.value, DestinationView::from))).into_response())
}

/// One destination, retired or not.
#[utoipa::path(
    get, path = "/v1/destinations/{slug}", tag = "destinations", operation_id = "read_destination",
    params(("slug" = String, Path, description = "The destination"), QueryHeaders),
    responses(
        (status = 200, description = "As the read model holds it", body = DestinationView, headers(
            ("ETag" = String, description = "The version, for `If-Match` of commands"),
            ("Waylog-Position" = String, description = "What the read model holds"),
            ("Waylog-Lag" = String, description = "Seconds behind the log's end"),
        )),
        Problems,
    ),
)]
async fn read(
    State(api): State<QueryApi>,
    caller: Caller,
    wait: WaitFor,
    Path(slug): Path<String>,
) -> Result<Response, Problem> {
    api.reach(&wait, &[DESTINATIONS]).await?;
    let id = derive::destination(&caller.tenant, &slug);
    let answer = api.0.queries.destination(&caller.tenant, id).await.map_err(failure::of_query)?;
    api.followed(&wait, DESTINATIONS, StreamName::new(Category::Destination, id.0)).await?;
    let found = answer.value.ok_or_else(not_found)?;
    let version = found.destination.version;
    // Counts change without the destination's version.
    Ok(api.one(&answer.at, version, Keep::Nothing, DestinationView::from(found)))
}

/// How long a ranking goes back.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum PeriodName {
    Day,
    #[default]
    Week,
    Month,
}

/// What a ranking goes by.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum MeasureName {
    #[default]
    Bookings,
    Places,
}

/// Which ranking.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct Ranking {
    /// `day`, `week` (from Monday) or `month` of the calendar, in UTC; `week` when missing.
    #[serde(default)]
    #[param(value_type = Option<String>, example = "week")]
    period: PeriodName,
    /// A day of that period; today when missing.
    #[param(value_type = Option<String>, format = Date, example = "2027-05-01")]
    date: Option<Date>,
    /// `bookings` that were confirmed, or `places` that they sold; `bookings` when missing.
    #[serde(default)]
    #[param(value_type = Option<String>, example = "bookings")]
    by: MeasureName,
    /// Destinations, 1 to 100; 10 when missing.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100)]
    limit: Option<Limit>,
}

/// The destinations that were booked most in a period, most first. What is cancelled later was
/// popular all the same.
#[utoipa::path(
    get, path = "/v1/destinations/popular", tag = "destinations",
    operation_id = "list_popular_destinations",
    params(Ranking, QueryHeaders),
    responses((status = 200, description = "The ranking", body = RankingView), Problems),
)]
async fn popular(
    State(api): State<QueryApi>,
    caller: Caller,
    wait: WaitFor,
    Query(wanted): Query<Ranking>,
) -> Result<Response, Problem> {
    api.reach(&wait, &[POPULAR_DESTINATIONS, DESTINATIONS]).await?;
    let period = wanted.period.into();
    let day = wanted.date.unwrap_or_else(today);
    let Limit(limit) = wanted.limit.unwrap_or(RANKING_DEFAULT);
    let (tenant, by) = (&caller.tenant, wanted.by.into());
    let answer = api.0.queries.popular_destinations(tenant, (period, day), by, limit, &wait.0);
    let answer = answer.await.map_err(failure::of_query)?;
    let stamp = api.stamp(&answer.at);
    let data = answer.value.into_iter().map(PopularView::from).collect();
    Ok((stamp, Json(RankingView::of(period, day, data))).into_response())
}

impl From<PeriodName> for Period {
    fn from(name: PeriodName) -> Self {
        match name {
            PeriodName::Day => Self::Day,
            PeriodName::Week => Self::Week,
            PeriodName::Month => Self::Month,
        }
    }
}

impl From<MeasureName> for Measure {
    fn from(name: MeasureName) -> Self {
        match name {
            MeasureName::Bookings => Self::Bookings,
            MeasureName::Places => Self::Places,
        }
    }
}

/// The day that it is, in UTC.
fn today() -> Date {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let micros = i64::try_from(since.as_micros()).unwrap_or(i64::MAX);
    Date::in_utc(Timestamp::from_micros(micros))
}

fn not_found() -> Problem {
    Problem::not_found("destination_not_found", "There is no such destination.")
}
