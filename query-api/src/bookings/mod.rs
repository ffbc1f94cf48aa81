//! Bookings.
//!
//! | request | sees it |
//! |---|---|
//! | `GET /v1/bookings/{id}` | the account that owns it; staff |
//! | `GET /v1/bookings` | the caller's own; staff: all of the tenant |
//!
//! Staff are support, operators and admins. To everybody else the booking does not exist: 404
//! `booking_not_found`. Each comes with the saga that works on it, or worked on it last; how its
//! steps failed is for staff. Who travels, and why it was cancelled, is opened for one booking at a
//! time, and not in lists.

mod view;

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use domain::booking::Status;
use domain::ids::{BookingId, ItineraryId};
use domain::{Category, StreamName, derive};
use keys::Purpose;
use read_models::projections::SealedParts;
use read_models::queries::BookingFilter;
use serde::Deserialize;
use serde_json::Value;
use service_kit::{Json, Path, Problem, Query};
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::view::{BookingView, Opened, WholeBookingView};
use crate::caller::Caller;
use crate::consistency::WaitFor;
use crate::itineraries::viewer;
use crate::one::Keep;
use crate::openapi::{Problems, QueryHeaders};
use crate::page::{Limit, Page};
use crate::{BOOKINGS, QueryApi, SAGAS, failure};

pub(crate) fn router() -> OpenApiRouter<QueryApi> {
    OpenApiRouter::new().routes(routes!(read)).routes(routes!(list))
}

/// One booking with who travels, and the saga that works on it.
#[utoipa::path(
    get, path = "/v1/bookings/{id}", tag = "bookings", operation_id = "read_booking",
    params(("id" = Uuid, Path, description = "The booking"), QueryHeaders),
    responses(
        (
            status = 200, description = "As the read models hold it", body = WholeBookingView,
            headers(
                ("ETag" = String, description = "The version, for `If-Match` of commands"),
                ("Waylog-Position" = String, description = "What the read models hold"),
                ("Waylog-Lag" = String, description = "Seconds behind the log's end"),
            )
        ),
        Problems,
    ),
)]
async fn read(
    State(api): State<QueryApi>,
    caller: Caller,
    wait: WaitFor,
    Path(id): Path<BookingId>,
) -> Result<Response, Problem> {
    api.reach(&wait, &[BOOKINGS, SAGAS]).await?;
    let answer = api.0.queries.booking(&caller.tenant, viewer(&caller)?, id).await;
    let answer = answer.map_err(failure::of_query)?;
    api.followed(&wait, BOOKINGS, StreamName::new(Category::Booking, id.0)).await?;
    for saga in [derive::trip_saga(id), derive::cancellation_saga(id)] {
        api.followed(&wait, SAGAS, StreamName::new(Category::Saga, saga.0)).await?;
    }
    let mut detail = answer.value.ok_or_else(not_found)?;
    let opened = open(&api, std::mem::take(&mut detail.booking.sealed.0)).await?;
    let version = detail.booking.version;
    let view = WholeBookingView::of(detail, opened, caller.staff);
    // The saga goes on without the booking's version.
    Ok(api.one(&answer.at, version, Keep::Nothing, view))
}

/// What is sealed of a booking, as it can be read now.
async fn open(api: &QueryApi, sealed: SealedParts) -> Result<Opened, Problem> {
    let documents = sealed.travellers.iter().map(serde_json::to_value);
    let documents = documents.collect::<Result<_, _>>();
    let mut travellers: Vec<Value> = documents.map_err(|error| Problem::defect(&error))?;
    api.open_documents(Category::Booking, travellers.iter_mut()).await?;
    let reasons = api.open_texts(Purpose::CancellationReason, sealed.reason.iter()).await?;
    Ok(Opened { travellers, reason: reasons.into_iter().next() })
}

/// What the list is narrowed down to.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct Wanted {
    /// Bookings of this trip only.
    #[param(value_type = Option<uuid::Uuid>)]
    itinerary_id: Option<ItineraryId>,
    /// `requested`, `held`, `confirmed`, `cancelling`, `cancelled`, `rejected` or `expired` only.
    #[param(value_type = Option<String>, example = "confirmed")]
    status: Option<Status>,
    /// Rows of the page, 1 to 100; 50 when missing.
    #[serde(default)]
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100)]
    limit: Limit,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// The bookings that the caller may see, newest first.
#[utoipa::path(
    get, path = "/v1/bookings", tag = "bookings", operation_id = "list_bookings",
    params(Wanted, QueryHeaders),
    responses((status = 200, description = "One page", body = Page<BookingView>), Problems),
)]
async fn list(
    State(api): State<QueryApi>,
    caller: Caller,
    wait: WaitFor,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Problem> {
    api.reach(&wait, &[BOOKINGS, SAGAS]).await?;
    let (viewer, page) = (viewer(&caller)?, wanted.limit.page(wanted.cursor));
    let filter = BookingFilter { itinerary_id: wanted.itinerary_id, status: wanted.status };
    let answer = api.0.queries.bookings(&caller.tenant, viewer, &filter, &page).await;
    let answer = answer.map_err(failure::of_query)?;
    let stamp = api.stamp(&answer.at);
    let view = |detail| BookingView::of(detail, caller.staff);
    Ok((stamp, Json(Page::of(answer.value, view))).into_response())
}

fn not_found() -> Problem {
    Problem::not_found("booking_not_found", "There is no such booking, or not for you.")
}
