//! Offers: what can be bought, and how much of it is left.
//!
//! | request | sees it |
//! |---|---|
//! | `GET /v1/offers/{id}`, `GET /v1/offers` | everybody of the tenant |
//!
//! Numbers are those of the moment: what is left may be held by the time it is asked for.

mod view;

use std::num::NonZeroU32;

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use domain::calendar::Date;
use domain::ids::OfferId;
use domain::offer::OfferKind;
use domain::{Category, StreamName};
use read_models::queries::OfferFilter;
use serde::Deserialize;
use service_kit::{Json, Path, Problem, Query};
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) use self::view::TermView;
use self::view::{OfferView, WholeOfferView};
use crate::caller::Caller;
use crate::consistency::WaitFor;
use crate::one::Keep;
use crate::openapi::{Problems, QueryHeaders};
use crate::page::{Limit, Page, search};
use crate::{OFFERS, QueryApi, failure};

pub(crate) fn router() -> OpenApiRouter<QueryApi> {
    OpenApiRouter::new().routes(routes!(read)).routes(routes!(list))
}

/// One offer with its seats.
#[utoipa::path(
    get, path = "/v1/offers/{id}", tag = "offers", operation_id = "read_offer",
    params(("id" = Uuid, Path, description = "The offer"), QueryHeaders),
    responses(
        (status = 200, description = "As the read model holds it", body = WholeOfferView, headers(
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
    Path(id): Path<OfferId>,
) -> Result<Response, Problem> {
    api.reach(&wait, &[OFFERS]).await?;
    let answer = api.0.queries.offer(&caller.tenant, id).await.map_err(failure::of_query)?;
    api.followed(&wait, OFFERS, StreamName::new(Category::Offer, id.0)).await?;
    let row = answer.value.ok_or_else(not_found)?;
    Ok(api.one(&answer.at, row.version, Keep::Asking, WholeOfferView::from(row)))
}

/// What the list is narrowed down to.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct Wanted {
    /// `flight`, `train`, `hotel`, `tour`, `transfer`, `meal` or `other` only.
    #[param(value_type = Option<String>, example = "flight")]
    kind: Option<OfferKind>,
    /// Offers at, from or to this place, named in full. Case and accents are ignored.
    #[serde(default, deserialize_with = "search")]
    #[param(example = "lisbon", max_length = 200)]
    place: Option<String>,
    /// Offers that begin on this day or later, as their place counts days.
    #[param(value_type = Option<String>, format = Date, example = "2027-05-01")]
    from: Option<Date>,
    /// Offers that begin on this day or earlier.
    #[param(value_type = Option<String>, format = Date, example = "2027-05-31")]
    to: Option<Date>,
    /// Offers of which at least that many places can be bought now.
    #[param(value_type = Option<u32>, minimum = 1, example = 2)]
    available: Option<NonZeroU32>,
    /// Words; each must begin a word of title, places or supplier. Case and accents are ignored.
    #[serde(default, deserialize_with = "search")]
    #[param(example = "night train", max_length = 200)]
    q: Option<String>,
    /// Rows of the page, 1 to 100; 50 when missing.
    #[serde(default)]
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100)]
    limit: Limit,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Offers in the order in which they begin.
#[utoipa::path(
    get, path = "/v1/offers", tag = "offers", operation_id = "list_offers",
    params(Wanted, QueryHeaders),
    responses((status = 200, description = "One page", body = Page<OfferView>), Problems),
)]
async fn list(
    State(api): State<QueryApi>,
    caller: Caller,
    wait: WaitFor,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Problem> {
    api.reach(&wait, &[OFFERS]).await?;
    let page = wanted.limit.page(wanted.cursor.clone());
    let answer = api.0.queries.offers(&caller.tenant, &wanted.into(), &page).await;
    let answer = answer.map_err(failure::of_query)?;
    let stamp = api.stamp(&answer.at);
    Ok((stamp, Json(Page::of(answer.value, OfferView::from))).into_response())
}

impl From<Wanted> for OfferFilter {
    fn from(wanted: Wanted) -> Self {
        Self {
            kind: wanted.kind,
            place: wanted.place,
            from: wanted.from,
            to: wanted.to,
            available: wanted.available.map(NonZeroU32::get),
            query: wanted.q,
        }
    }
}

fn not_found() -> Problem {
    Problem::not_found("offer_not_found", "There is no such offer.")
}
