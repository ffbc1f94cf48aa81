//! Trips.
//!
//! | request | sees it |
//! |---|---|
//! | `GET /v1/itineraries/{id}` | its people and staff; all of the tenant when it is shared |
//! | `GET /v1/itineraries` | the caller's own: owned and collaborated on, or invited to |
//! | `GET /v1/itineraries/{id}/activity` | its people and staff |
//!
//! Its people are the owner, the collaborators and who is invited; staff are support, operators and
//! admins. To everybody else the trip does not exist: 404 `itinerary_not_found`. Who only has the
//! link sees no invitations.

mod feed;
mod list;
mod one;
mod view;

pub(crate) use self::view::MoneyView;
use domain::ids::ItineraryId;
use domain::{Category, StreamName};
use read_models::queries::Viewer;
use service_kit::Problem;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::QueryApi;
use crate::caller::Caller;

pub(crate) fn router() -> OpenApiRouter<QueryApi> {
    OpenApiRouter::new()
        .routes(routes!(one::read))
        .routes(routes!(list::list))
        .routes(routes!(feed::feed))
}

const fn stream(id: ItineraryId) -> StreamName {
    StreamName::new(Category::Itinerary, id.0)
}

/// The caller as the read models know viewers.
pub(crate) fn viewer(caller: &Caller) -> Result<Viewer, Problem> {
    match caller.account() {
        _ if caller.staff => Ok(Viewer::Operator),
        Some(account) => Ok(Viewer::Account(account)),
        // A part of the system asks for nothing over HTTP unless it was given a role.
        None => caller.require_staff().map(|()| Viewer::Operator),
    }
}

fn not_found() -> Problem {
    Problem::not_found("itinerary_not_found", "There is no such itinerary, or not for you.")
}
