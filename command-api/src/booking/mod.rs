//! The routes of bookings: for travellers; operators cancel, too.
//!
//! | request | command |
//! |---|---|
//! | `POST /v1/bookings` | Request |
//! | `PATCH /v1/bookings/{id}/travellers` | ChangeTravellers |
//! | `POST /v1/bookings/{id}/cancellation` | Cancel |
//!
//! What is asked for goes on after the answer: `Location` shows what becomes of it. Who travels and
//! why somebody cancels is sealed here, before anything is decided.

mod handlers;
mod requests;
#[cfg(test)]
mod tests;

use domain::ids::BookingId;
use domain::{Category, StreamName};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::CommandApi;

pub(crate) fn router() -> OpenApiRouter<CommandApi> {
    OpenApiRouter::new()
        .routes(routes!(handlers::request))
        .routes(routes!(handlers::change_travellers))
        .routes(routes!(handlers::cancel))
}

/// The stream of a booking.
const fn stream(id: BookingId) -> StreamName {
    StreamName::new(Category::Booking, id.0)
}
