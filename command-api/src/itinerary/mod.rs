//! The routes of itineraries.
//!
//! | request | command |
//! |---|---|
//! | `POST /v1/itineraries` | Create |
//! | `PATCH /v1/itineraries/{id}` | Revise |
//! | `POST .../activities` | AddActivity |
//! | `PATCH`/`DELETE .../activities/{activity_id}` | RescheduleActivity, RemoveActivity |
//! | `POST .../collaborators`, `POST .../{account_id}/acceptance` | Invite, Join |
//! | `DELETE .../collaborators/{account_id}` | Leave or RemoveCollaborator |
//! | `POST .../comments` | Comment |
//! | `POST`/`DELETE .../share` | Share, Unshare |
//! | `POST .../archival` | Archive |

mod parts;
mod requests;
#[cfg(test)]
pub(crate) mod tests;
mod trip;

use domain::ids::ItineraryId;
use domain::{Category, StreamName};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::CommandApi;

pub(crate) fn router() -> OpenApiRouter<CommandApi> {
    OpenApiRouter::new()
        .routes(routes!(trip::create))
        .routes(routes!(trip::revise))
        .routes(routes!(trip::share, trip::unshare))
        .routes(routes!(trip::archive))
        .routes(routes!(parts::add_activity))
        .routes(routes!(parts::reschedule_activity, parts::remove_activity))
        .routes(routes!(parts::invite))
        .routes(routes!(parts::join))
        .routes(routes!(parts::end_collaboration))
        .routes(routes!(parts::comment))
}

/// The stream of an itinerary.
const fn stream(id: ItineraryId) -> StreamName {
    StreamName::new(Category::Itinerary, id.0)
}
