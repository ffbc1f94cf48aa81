//! Payments.
//!
//! | request | sees it |
//! |---|---|
//! | `GET /v1/payments/{id}` | the account that owns the booking; staff |
//! | `GET /v1/payments` | the caller's own; staff: all of the tenant |
//!
//! Staff are support, operators and admins. To everybody else the payment does not exist: 404
//! `payment_not_found`. What the provider said in words, and that it contradicts itself, is for
//! staff.

mod view;

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use domain::ids::{BookingId, PaymentId};
use domain::{Category, StreamName};
use serde::Deserialize;
use service_kit::{Json, Path, Problem, Query};
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::view::PaymentView;
use crate::caller::Caller;
use crate::consistency::WaitFor;
use crate::itineraries::viewer;
use crate::one::Keep;
use crate::openapi::{Problems, QueryHeaders};
use crate::page::{Limit, Page};
use crate::{PAYMENTS, QueryApi, failure};

pub(crate) fn router() -> OpenApiRouter<QueryApi> {
    OpenApiRouter::new().routes(routes!(read)).routes(routes!(list))
}

/// One payment.
#[utoipa::path(
    get, path = "/v1/payments/{id}", tag = "payments", operation_id = "read_payment",
    params(("id" = Uuid, Path, description = "The payment"), QueryHeaders),
    responses(
        (status = 200, description = "As the read model holds it", body = PaymentView, headers(
            ("ETag" = String, description = "The version"),
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
    Path(id): Path<PaymentId>,
) -> Result<Response, Problem> {
    api.reach(&wait, &[PAYMENTS]).await?;
    let answer = api.0.queries.payment(&caller.tenant, viewer(&caller)?, id).await;
    let answer = answer.map_err(failure::of_query)?;
    api.followed(&wait, PAYMENTS, StreamName::new(Category::Payment, id.0)).await?;
    let row = answer.value.ok_or_else(not_found)?;
    let (version, view) = (row.version, PaymentView::of(row, caller.staff));
    Ok(api.one(&answer.at, version, Keep::Asking, view))
}

/// What the list is narrowed down to.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct Wanted {
    /// Payments of this booking only.
    #[param(value_type = Option<uuid::Uuid>)]
    booking_id: Option<BookingId>,
    /// Rows of the page, 1 to 100; 50 when missing.
    #[serde(default)]
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100)]
    limit: Limit,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// The payments that the caller may see, newest first.
#[utoipa::path(
    get, path = "/v1/payments", tag = "payments", operation_id = "list_payments",
    params(Wanted, QueryHeaders),
    responses((status = 200, description = "One page", body = Page<PaymentView>), Problems),
)]
async fn list(
    State(api): State<QueryApi>,
    caller: Caller,
    wait: WaitFor,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Problem> {
    api.reach(&wait, &[PAYMENTS]).await?;
    let (viewer, page) = (viewer(&caller)?, wanted.limit.page(wanted.cursor));
    let answer = api.0.queries.payments(&caller.tenant, viewer, wanted.booking_id, &page).await;
    let answer = answer.map_err(failure::of_query)?;
    let stamp = api.stamp(&answer.at);
    let view = |row| PaymentView::of(row, caller.staff);
    Ok((stamp, Json(Page::of(answer.value, view))).into_response())
}

fn not_found() -> Problem {
    Problem::not_found("payment_not_found", "There is no such payment, or not for you.")
}
