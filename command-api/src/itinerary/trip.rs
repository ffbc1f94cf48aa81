//! The trip itself: creating, revising, sharing, archiving.

use axum::extract::State;
use axum::response::Response;
use domain::Command;
use domain::ids::ItineraryId;
use domain::itinerary;
use lanes::derive;
use service_kit::{Path, Problem};

use super::requests::{CreateItinerary, ReviseItinerary};
use super::stream;
use crate::answer::{self, Changed, Created};
use crate::head::{Body, Head, NoBody};
use crate::{CommandApi, openapi::Refusals};

/// Create an itinerary that the caller owns.
#[utoipa::path(
    post, path = "/v1/itineraries", tag = "itineraries", operation_id = "create_itinerary",
    request_body = CreateItinerary,
    responses((status = 201, description = "It is durable", body = Created), Refusals),
)]
pub(super) async fn create(
    State(api): State<CommandApi>,
    head: Head,
    body: Body<CreateItinerary>,
) -> Result<Response, Problem> {
    let CreateItinerary { id, title, period, metadata } = body.value;
    let category = domain::Category::Itinerary;
    let derived = || derive::created_stream(head.tenant(), category, head.command_id());
    let stream = id.map_or_else(derived, |id| stream(ItineraryId(id)));
    let command = itinerary::Command::Create {
        itinerary_id: ItineraryId(stream.id),
        title,
        period: period.into(),
        metadata: metadata.map(Into::into),
    };
    let accepted = head.send(&api, stream, Command::Itinerary(command), &body.bytes).await?;
    answer::created(&accepted, stream.id, format!("/v1/itineraries/{}", stream.id))
}

/// Change title, days and metadata: all that is sent, or nothing.
#[utoipa::path(
    patch, path = "/v1/itineraries/{id}", tag = "itineraries", operation_id = "revise_itinerary",
    params(("id" = String, Path, description = "The itinerary")), request_body = ReviseItinerary,
    responses((status = 200, description = "It is durable", body = Changed), Refusals),
)]
pub(super) async fn revise(
    State(api): State<CommandApi>,
    Path(id): Path<ItineraryId>,
    head: Head,
    body: Body<ReviseItinerary>,
) -> Result<Response, Problem> {
    let ReviseItinerary { title, period, metadata } = body.value;
    let command = itinerary::Command::Revise {
        title,
        period: period.map(Into::into),
        metadata: metadata.map(Into::into),
    };
    let command = Command::Itinerary(command);
    answer::changed(&head.send(&api, stream(id), command, &body.bytes).await?)
}

/// Let everybody with the link read it.
#[utoipa::path(
    post, path = "/v1/itineraries/{id}/share", tag = "itineraries",
    operation_id = "share_itinerary",
    params(("id" = String, Path, description = "The itinerary")),
    responses((status = 200, description = "It is shared", body = Changed), Refusals),
)]
pub(super) async fn share(
    State(api): State<CommandApi>,
    Path(id): Path<ItineraryId>,
    head: Head,
    body: NoBody,
) -> Result<Response, Problem> {
    let command = Command::Itinerary(itinerary::Command::Share);
    answer::changed(&head.send(&api, stream(id), command, &body.bytes).await?)
}

/// Stop sharing it.
#[utoipa::path(
    delete, path = "/v1/itineraries/{id}/share", tag = "itineraries",
    operation_id = "unshare_itinerary",
    params(("id" = String, Path, description = "The itinerary")),
    responses((status = 200, description = "It is no longer shared", body = Changed), Refusals),
)]
pub(super) async fn unshare(
    State(api): State<CommandApi>,
    Path(id): Path<ItineraryId>,
    head: Head,
    body: NoBody,
) -> Result<Response, Problem> {
    let command = Command::Itinerary(itinerary::Command::Unshare);
    answer::changed(&head.send(&api, stream(id), command, &body.bytes).await?)
}

/// Close it for good.
#[utoipa::path(
    post, path = "/v1/itineraries/{id}/archival", tag = "itineraries",
    operation_id = "archive_itinerary",
    params(("id" = String, Path, description = "The itinerary")),
    responses((status = 200, description = "It is archived", body = Changed), Refusals),
)]
pub(super) async fn archive(
    State(api): State<CommandApi>,
    Path(id): Path<ItineraryId>,
    head: Head,
    body: NoBody,
) -> Result<Response, Problem> {
    let command = Command::Itinerary(itinerary::Command::Archive);
    answer::changed(&head.send(&api, stream(id), command, &body.bytes).await?)
}
