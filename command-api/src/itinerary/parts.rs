//! The parts of a trip: activities, collaborators, comments.

use axum::extract::State;
use axum::response::Response;
use domain::Command;
use domain::ids::{AccountId, ActivityId, CommentId, ItineraryId};
use domain::itinerary;
use keys::Purpose;
use lanes::derive;
use service_kit::{Path, Problem};

use super::requests::{AddActivity, AddComment, InviteCollaborator, RescheduleActivity};
use super::stream;
use crate::answer::{self, Changed, Created};
use crate::head::{Body, Head, NoBody};
use crate::{CommandApi, openapi::Refusals, refused};

/// Add something to do.
#[utoipa::path(
    post, path = "/v1/itineraries/{id}/activities", tag = "itineraries",
    operation_id = "add_activity",
    params(("id" = String, Path, description = "The itinerary")), request_body = AddActivity,
    responses((status = 201, description = "It is durable", body = Created), Refusals),
)]
pub(super) async fn add_activity(
    State(api): State<CommandApi>,
    Path(id): Path<ItineraryId>,
    head: Head,
    body: Body<AddActivity>,
) -> Result<Response, Problem> {
    let minted = || derive::derived_id(head.command_id(), "activity");
    let activity_id = body.value.id.unwrap_or_else(minted);
    let command = itinerary::Command::AddActivity {
        activity_id: ActivityId(activity_id),
        activity: body.value.into(),
    };
    let accepted = head.send(&api, stream(id), Command::Itinerary(command), &body.bytes).await?;
    let path = format!("/v1/itineraries/{id}/activities/{activity_id}");
    answer::created(&accepted, activity_id, path)
}

/// Move an activity in time.
#[utoipa::path(
    patch, path = "/v1/itineraries/{id}/activities/{activity_id}", tag = "itineraries",
    operation_id = "reschedule_activity",
    params(
        ("id" = String, Path, description = "The itinerary"),
        ("activity_id" = String, Path, description = "The activity"),
    ),
    request_body = RescheduleActivity,
    responses((status = 200, description = "It is durable", body = Changed), Refusals),
)]
pub(super) async fn reschedule_activity(
    State(api): State<CommandApi>,
    Path((id, activity_id)): Path<(ItineraryId, ActivityId)>,
    head: Head,
    body: Body<RescheduleActivity>,
) -> Result<Response, Problem> {
    let RescheduleActivity { starts_at, ends_at, zone } = body.value;
    let command = itinerary::Command::RescheduleActivity { activity_id, starts_at, ends_at, zone };
    let command = Command::Itinerary(command);
    answer::changed(&head.send(&api, stream(id), command, &body.bytes).await?)
}

/// Take an activity out.
#[utoipa::path(
    delete, path = "/v1/itineraries/{id}/activities/{activity_id}", tag = "itineraries",
    operation_id = "remove_activity",
    params(
        ("id" = String, Path, description = "The itinerary"),
        ("activity_id" = String, Path, description = "The activity"),
    ),
    responses((status = 200, description = "It is durable", body = Changed), Refusals),
)]
pub(super) async fn remove_activity(
    State(api): State<CommandApi>,
    Path((id, activity_id)): Path<(ItineraryId, ActivityId)>,
    head: Head,
    body: NoBody,
) -> Result<Response, Problem> {
    let command = itinerary::Command::RemoveActivity { activity_id };
    answer::changed(&head.send(&api, stream(id), Command::Itinerary(command), &body.bytes).await?)
}

/// Invite an account to help planning.
#[utoipa::path(
    post, path = "/v1/itineraries/{id}/collaborators", tag = "itineraries",
    operation_id = "invite_collaborator",
    params(("id" = String, Path, description = "The itinerary")),
    request_body = InviteCollaborator,
    responses((status = 201, description = "The invitation is open", body = Created), Refusals),
)]
pub(super) async fn invite(
    State(api): State<CommandApi>,
    Path(id): Path<ItineraryId>,
    head: Head,
    body: Body<InviteCollaborator>,
) -> Result<Response, Problem> {
    let InviteCollaborator { account_id, role } = body.value;
    let command =
        itinerary::Command::Invite { account_id: AccountId(account_id), role: role.into() };
    let accepted = head.send(&api, stream(id), Command::Itinerary(command), &body.bytes).await?;
    let path = format!("/v1/itineraries/{id}/collaborators/{account_id}");
    answer::created(&accepted, account_id, path)
}

/// Accept an invitation; the invited account alone.
#[utoipa::path(
    post, path = "/v1/itineraries/{id}/collaborators/{account_id}/acceptance",
    tag = "itineraries", operation_id = "accept_invitation",
    params(
        ("id" = String, Path, description = "The itinerary"),
        ("account_id" = String, Path, description = "The invited account: the caller's own"),
    ),
    responses((status = 200, description = "The caller collaborates", body = Changed), Refusals),
)]
pub(super) async fn join(
    State(api): State<CommandApi>,
    Path((id, account_id)): Path<(ItineraryId, AccountId)>,
    head: Head,
    body: NoBody,
) -> Result<Response, Problem> {
    if head.actor().account() != Some(account_id) {
        return Err(refused::by_domain(itinerary::Refusal::InvitationRequired));
    }
    let command = Command::Itinerary(itinerary::Command::Join);
    answer::changed(&head.send(&api, stream(id), command, &body.bytes).await?)
}

/// End a collaboration or an invitation: one's own, or, as the owner, somebody's.
#[utoipa::path(
    delete, path = "/v1/itineraries/{id}/collaborators/{account_id}", tag = "itineraries",
    operation_id = "end_collaboration",
    params(
        ("id" = String, Path, description = "The itinerary"),
        ("account_id" = String, Path, description = "Whose collaboration ends"),
    ),
    responses((status = 200, description = "The account is out", body = Changed), Refusals),
)]
pub(super) async fn end_collaboration(
    State(api): State<CommandApi>,
    Path((id, account_id)): Path<(ItineraryId, AccountId)>,
    head: Head,
    body: NoBody,
) -> Result<Response, Problem> {
    let command = if head.actor().account() == Some(account_id) {
        itinerary::Command::Leave
    } else {
        itinerary::Command::RemoveCollaborator { account_id }
    };
    answer::changed(&head.send(&api, stream(id), Command::Itinerary(command), &body.bytes).await?)
}

/// Write a comment. Its text is kept under a key of its author.
#[utoipa::path(
    post, path = "/v1/itineraries/{id}/comments", tag = "itineraries",
    operation_id = "comment_on_itinerary",
    params(("id" = String, Path, description = "The itinerary")), request_body = AddComment,
    responses((status = 201, description = "It is durable", body = Created), Refusals),
)]
pub(super) async fn comment(
    State(api): State<CommandApi>,
    Path(id): Path<ItineraryId>,
    head: Head,
    body: Body<AddComment>,
) -> Result<Response, Problem> {
    let comment_id = derive::derived_id(head.command_id(), "comment");
    let nobody = || refused::by_domain(itinerary::Refusal::AccountRequired);
    let author = head.actor().account().ok_or_else(nobody)?;
    let text = itinerary::comment_text(&body.value.text).map_err(refused::by_domain)?;
    let text = api.seal(author, Purpose::ItineraryComment, &text).await?;
    let command = itinerary::Command::Comment { comment_id: CommentId(comment_id), text };
    let accepted = head.send(&api, stream(id), Command::Itinerary(command), &body.bytes).await?;
    answer::created(&accepted, comment_id, format!("/v1/itineraries/{id}/comments/{comment_id}"))
}
