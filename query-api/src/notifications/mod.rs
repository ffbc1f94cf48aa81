//! Messages: what was to be told to whom about a booking, and what became of it.
//!
//! | request | sees it |
//! |---|---|
//! | `GET /v1/notifications/{id}` | the account that owns the booking; staff |
//! | `GET /v1/notifications` | those about the caller's own bookings; staff: all of the tenant |
//!
//! Staff are support, operators and admins. To everybody else the message does not exist: 404
//! `notification_not_found`. The recipient is opened as an answer is made, and reads as forgotten
//! once the person was; what the provider said in words is for staff.

mod view;

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use domain::ids::{BookingId, NotificationId};
use domain::notification::Status;
use domain::{Category, StreamName};
use read_models::projections::NotificationRow;
use read_models::queries::NotificationFilter;
use serde::Deserialize;
use serde_json::{Value, json};
use service_kit::{Json, Path, Problem, Query};
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::view::{NotificationView, Recipient};
use crate::caller::Caller;
use crate::consistency::WaitFor;
use crate::itineraries::viewer;
use crate::one::Keep;
use crate::openapi::{Problems, QueryHeaders};
use crate::page::{Limit, Page};
use crate::{BOOKINGS, NOTIFICATIONS, QueryApi, failure};

pub(crate) fn router() -> OpenApiRouter<QueryApi> {
    OpenApiRouter::new().routes(routes!(read)).routes(routes!(list))
}

/// One message.
#[utoipa::path(
    get, path = "/v1/notifications/{id}", tag = "notifications", operation_id = "read_notification",
    params(("id" = Uuid, Path, description = "The message"), QueryHeaders),
    responses(
        (status = 200, description = "As the read models hold it", body = NotificationView, headers(
            ("ETag" = String, description = "The version"),
            ("Waylog-Position" = String, description = "What the read models hold"),
            ("Waylog-Lag" = String, description = "Seconds behind the log's end"),
        )),
        Problems,
    ),
)]
async fn read(
    State(api): State<QueryApi>,
    caller: Caller,
    wait: WaitFor,
    Path(id): Path<NotificationId>,
) -> Result<Response, Problem> {
    api.reach(&wait, &[NOTIFICATIONS, BOOKINGS]).await?;
    let answer = api.0.queries.notification(&caller.tenant, viewer(&caller)?, id).await;
    let answer = answer.map_err(failure::of_query)?;
    api.followed(&wait, NOTIFICATIONS, StreamName::new(Category::Notification, id.0)).await?;
    let row = answer.value.ok_or_else(not_found)?;
    let recipient = open(&api, std::slice::from_ref(&row)).await?.pop().unwrap_or_default();
    let (version, view) = (row.version, NotificationView::of(row, recipient, caller.staff));
    // Whoever is forgotten is so without the message's version.
    Ok(api.one(&answer.at, version, Keep::Nothing, view))
}

/// What the list is narrowed down to.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct Wanted {
    /// Messages about this booking only.
    #[param(value_type = Option<uuid::Uuid>)]
    booking_id: Option<BookingId>,
    /// `requested`, `failed`, `sent`, `delivered` or `abandoned` only.
    #[param(value_type = Option<String>, example = "sent")]
    status: Option<Status>,
    /// Rows of the page, 1 to 100; 50 when missing.
    #[serde(default)]
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100)]
    limit: Limit,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// The messages that the caller may see, newest first.
#[utoipa::path(
    get, path = "/v1/notifications", tag = "notifications", operation_id = "list_notifications",
    params(Wanted, QueryHeaders),
    responses((status = 200, description = "One page", body = Page<NotificationView>), Problems),
)]
async fn list(
    State(api): State<QueryApi>,
    caller: Caller,
    wait: WaitFor,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Problem> {
    api.reach(&wait, &[NOTIFICATIONS, BOOKINGS]).await?;
    let (viewer, page) = (viewer(&caller)?, wanted.limit.page(wanted.cursor));
    let filter = NotificationFilter { booking_id: wanted.booking_id, status: wanted.status };
    let answer = api.0.queries.notifications(&caller.tenant, viewer, &filter, &page).await;
    let answer = answer.map_err(failure::of_query)?;
    let mut recipients = open(&api, &answer.value.items).await?.into_iter();
    let stamp = api.stamp(&answer.at);
    let view = |row| NotificationView::of(row, recipients.next().unwrap_or_default(), caller.staff);
    Ok((stamp, Json(Page::of(answer.value, view))).into_response())
}

/// To whom the messages go, as it can be read now; null where it goes to nobody.
async fn open(api: &QueryApi, rows: &[NotificationRow]) -> Result<Vec<Recipient>, Problem> {
    let mut documents: Vec<Value> =
        rows.iter().map(|row| json!({ "recipient": row.recipient.0 })).collect();
    api.open_documents(Category::Notification, documents.iter_mut()).await?;
    Ok(documents.into_iter().map(Recipient::of).collect())
}

fn not_found() -> Problem {
    Problem::not_found("notification_not_found", "There is no such message, or not for you.")
}
