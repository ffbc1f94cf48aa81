//! One trip with everything about it.

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use domain::ids::ItineraryId;
use http::header::{CACHE_CONTROL, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, StatusCode};
use keys::Purpose;
use service_kit::{ETag, Json, Path, Problem};

use super::view::ItineraryView;
use super::{not_found, stream, viewer};
use crate::caller::Caller;
use crate::consistency::WaitFor;
use crate::openapi::{Problems, QueryHeaders};
use crate::unseal::TextView;
use crate::{ITINERARIES, QueryApi, failure};

/// One itinerary with its plan, its people and its newest comments.
#[utoipa::path(
    get, path = "/v1/itineraries/{id}", tag = "itineraries", operation_id = "read_itinerary",
    params(
        ("id" = Uuid, Path, description = "The itinerary"),
        ("If-None-Match" = Option<String>, Header, description = "An `ETag` that is at hand: 304"),
        QueryHeaders,
    ),
    responses(
        (status = 200, description = "As the read model holds it", body = ItineraryView, headers(
            ("ETag" = String, description = "The version, for `If-Match` of commands"),
            ("Waylog-Position" = String, description = "What the read model holds"),
            ("Waylog-Lag" = String, description = "Seconds behind the log's end"),
        )),
        (status = 304, description = "It has not changed"),
        Problems,
    ),
)]
pub(super) async fn read(
    State(api): State<QueryApi>,
    caller: Caller,
    wait: WaitFor,
    Path(id): Path<ItineraryId>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    api.reach(&wait, &[ITINERARIES]).await?;
    let viewer = viewer(&caller)?;
    let answer = api.0.queries.itinerary(&caller.tenant, viewer, id).await;
    let answer = answer.map_err(failure::of_query)?;
    api.followed(&wait, ITINERARIES, stream(id)).await?;
    let detail = answer.value.ok_or_else(not_found)?;
    let tag = ETag(detail.itinerary.version);
    // What one caller sees of a trip is not what another one does.
    let private = [(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"))];
    let stamp = api.stamp(&answer.at);
    let texts = detail.comments.iter().map(|comment| &comment.text.0);
    let texts = api.open_texts(Purpose::ItineraryComment, texts).await?;
    // Forgetting somebody is no event of the trip: what the client holds may say more than is left.
    let whole = texts.iter().all(TextView::readable);
    if whole && at_hand(&headers, &tag) {
        return Ok((StatusCode::NOT_MODIFIED, tag, private, stamp, ()).into_response());
    }
    Ok((tag, private, stamp, Json(ItineraryView::of(detail, texts, &caller))).into_response())
}

/// Whether the client has this version already.
fn at_hand(headers: &HeaderMap, tag: &ETag) -> bool {
    let sent = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut tags = sent.flat_map(|value| value.split(',')).map(str::trim);
    let tag = tag.to_string();
    tags.any(|sent| sent == "*" || sent.strip_prefix("W/").unwrap_or(sent) == tag)
}
