//! Sagas, for staff: what runs, what is stuck, and what each has done.
//!
//! | request | sees it |
//! |---|---|
//! | `GET /v1/sagas/{id}`, `GET /v1/sagas` | staff |
//!
//! Staff are support, operators and admins; others get 403 `forbidden`. What a saga does for a
//! booking is shown to the booking's owner with the booking.

mod view;

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use domain::ids::SagaId;
use domain::saga::Kind;
use domain::{Category, StreamName};
use read_models::queries::{SagaFilter, SagaState};
use serde::Deserialize;
use service_kit::{Json, Path, Problem, Query};
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) use self::view::SagaView;
use self::view::WholeSagaView;
use crate::caller::Caller;
use crate::consistency::WaitFor;
use crate::one::Keep;
use crate::openapi::{Problems, QueryHeaders};
use crate::page::{Limit, Page};
use crate::{QueryApi, SAGAS, failure};

pub(crate) fn router() -> OpenApiRouter<QueryApi> {
    OpenApiRouter::new().routes(routes!(read)).routes(routes!(list))
}

/// One saga with its timeline.
#[utoipa::path(
    get, path = "/v1/sagas/{id}", tag = "sagas", operation_id = "read_saga",
    params(("id" = Uuid, Path, description = "The saga"), QueryHeaders),
    responses(
        (status = 200, description = "As the read model holds it", body = WholeSagaView, headers(
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
    Path(id): Path<SagaId>,
) -> Result<Response, Problem> {
    caller.require_staff()?;
    api.reach(&wait, &[SAGAS]).await?;
    let answer = api.0.queries.saga(&caller.tenant, id).await.map_err(failure::of_query)?;
    api.followed(&wait, SAGAS, StreamName::new(Category::Saga, id.0)).await?;
    let detail = answer.value.ok_or_else(not_found)?;
    let version = detail.saga.version;
    Ok(api.one(&answer.at, version, Keep::Asking, WholeSagaView::from(detail)))
}

/// What the list is narrowed down to.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct Wanted {
    /// `running`, `stuck`, `completed`, `compensated` or `resolved` only.
    #[param(value_type = Option<String>, example = "stuck")]
    state: Option<SagaState>,
    /// `trip-booking` or `cancellation` only.
    #[param(value_type = Option<String>, example = "trip-booking")]
    kind: Option<Kind>,
    /// Rows of the page, 1 to 100; 50 when missing.
    #[serde(default)]
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100)]
    limit: Limit,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// The tenant's sagas, those that started last first.
#[utoipa::path(
    get, path = "/v1/sagas", tag = "sagas", operation_id = "list_sagas",
    params(Wanted, QueryHeaders),
    responses((status = 200, description = "One page", body = Page<SagaView>), Problems),
)]
async fn list(
    State(api): State<QueryApi>,
    caller: Caller,
    wait: WaitFor,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Problem> {
    caller.require_staff()?;
    api.reach(&wait, &[SAGAS]).await?;
    let filter = SagaFilter { state: wanted.state, kind: wanted.kind };
    let page = wanted.limit.page(wanted.cursor);
    let answer = api.0.queries.sagas(&caller.tenant, filter, &page).await;
    let answer = answer.map_err(failure::of_query)?;
    let stamp = api.stamp(&answer.at);
    let view = |row| SagaView::of(row, caller.staff);
    Ok((stamp, Json(Page::of(answer.value, view))).into_response())
}

fn not_found() -> Problem {
    Problem::not_found("saga_not_found", "There is no such saga.")
}
