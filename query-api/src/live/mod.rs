//! `GET /v1/events`: what happens, as server-sent events, to whoever may see it.
//!
//! | caller | sees |
//! |---|---|
//! | support, operators, admins | every event of the tenant |
//! | an account | what happens to itineraries that it takes part in; what it did itself |
//! | an account that names a stream | the same, and the stream when the itinerary is shared |
//!
//! Each event's id is a consistency token: sent back as `Last-Event-ID`, the stream goes on behind
//! it, without gaps. An event is sent once the read models show what it did. Heartbeats move the id
//! too, so that a narrow filter does not make the next start long. A client that does not keep up
//! is told (`event: cut`) and left to come back with its last id.

mod filter;
mod hub;
mod moment;
mod subscription;

use axum::extract::State;
use axum::response::sse::Sse;
use axum::response::{IntoResponse as _, Response};
use domain::ConsistencyToken;
use http::header::CACHE_CONTROL;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use service_kit::{Problem, Query};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::filter::{Filter, Wanted};
pub(crate) use self::hub::Hub;
pub use self::hub::LiveLimits;
use crate::QueryApi;
use crate::audit::event::EventView;
use crate::caller::Caller;
use crate::consistency::{log_unknown, merge, tokens};
use crate::openapi::Problems;

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

pub(crate) fn router() -> OpenApiRouter<QueryApi> {
    OpenApiRouter::new().routes(routes!(events))
}

/// What happens, as server-sent events: `id` a position, `event` the type, `data` the event.
#[utoipa::path(
    get, path = "/v1/events", tag = "live", operation_id = "live_events",
    params(
        Wanted,
        (
            "Last-Event-ID" = Option<String>, Header,
            description = "The id of the last event that was seen; now when missing",
        ),
    ),
    responses(
        (
            status = 200, content_type = "text/event-stream", body = EventView,
            description = "Events without end. `event: cut` says why the stream ends before its \
                           time: connect again with the last id",
        ),
        Problems,
    ),
)]
async fn events(
    State(api): State<QueryApi>,
    caller: Caller,
    headers: HeaderMap,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Problem> {
    let log = api.log_id().ok_or_else(log_unknown)?;
    let from = match place(&headers, wanted.after.as_deref())? {
        Some(tokens) => Some(merge(tokens, log)?),
        None => None,
    };
    let filter = Filter::of(&wanted, caller)?;
    let subscription = api.0.hub.subscribe(filter, log, from).await?;
    let events = subscription.into_stream();
    let fresh = [
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        // Proxies that collect answers before they pass them on would keep events to themselves.
        (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no")),
    ];
    // Heartbeats are the subscription's own, because they carry ids.
    Ok((fresh, Sse::new(events)).into_response())
}

/// Where the client was; nothing when it comes for the first time.
fn place(
    headers: &HeaderMap,
    after: Option<&str>,
) -> Result<Option<Vec<ConsistencyToken>>, Problem> {
    let text = match (headers.get(LAST_EVENT_ID), after) {
        (Some(id), _) => id.to_str().unwrap_or("?"),
        (None, Some(after)) => after,
        (None, None) => return Ok(None),
    };
    // What a browser sends before it has seen any id.
    if text.is_empty() {
        return Ok(None);
    }
    tokens(text).map(Some).ok_or_else(|| {
        Problem::new(StatusCode::BAD_REQUEST, "invalid_last_event_id", "The id cannot be read")
            .detail("Send the id of an event of this stream, unchanged.")
            .field(LAST_EVENT_ID.as_str(), "is not a consistency token")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_is_none_is_refused_and_none_at_all_means_now() {
        let at =
            |id: &str| place(&[(LAST_EVENT_ID, id.parse().unwrap())].into_iter().collect(), None);

        assert_eq!(at("").unwrap(), None);
        assert_eq!(place(&HeaderMap::new(), None).unwrap(), None);
        assert_eq!(at("seven").unwrap_err().code(), "invalid_last_event_id");
    }
}
