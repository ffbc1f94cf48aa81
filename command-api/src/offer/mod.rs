//! The routes of offers: for operators, and for partners who hold places.
//!
//! | request | command |
//! |---|---|
//! | `POST /v1/offers` | List |
//! | `POST .../price`, `.../capacity`, `.../closure` | Reprice, ChangeCapacity, Close |
//! | `POST .../holds`, `DELETE .../holds/{hold_id}` | Hold, Release |
//!
//! Partners are operators as long as accounts have no role of their own for them.

mod handlers;
mod requests;
#[cfg(test)]
mod tests;

use domain::ids::OfferId;
use domain::{Category, StreamName};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) use requests::claim;

use crate::CommandApi;

pub(crate) fn router() -> OpenApiRouter<CommandApi> {
    OpenApiRouter::new()
        .routes(routes!(handlers::list))
        .routes(routes!(handlers::reprice))
        .routes(routes!(handlers::change_capacity))
        .routes(routes!(handlers::close))
        .routes(routes!(handlers::hold))
        .routes(routes!(handlers::release))
}

/// The stream of an offer.
const fn stream(id: OfferId) -> StreamName {
    StreamName::new(Category::Offer, id.0)
}
