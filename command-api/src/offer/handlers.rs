//! What operators do with offers.

use std::time::SystemTime;

use axum::extract::State;
use axum::response::Response;
use domain::ids::{HoldId, OfferId};
use domain::offer::{self, limits::HOLD_VALIDITY_SECONDS_MAX};
use domain::{Category, Command, Timestamp};
use lanes::derive;
use service_kit::auth::Role;
use service_kit::{Path, Problem};

use super::requests::{ChangeOfferCapacity, HoldPlaces, ListOffer, RepriceOffer, claim};
use super::stream;
use crate::answer::{self, Changed, Created};
use crate::head::{Body, Head, NoBody};
use crate::{CommandApi, openapi::Refusals};

/// Seconds that the wall clocks of this process and of a lane may differ by.
const CLOCKS_DIFFER_SECONDS_MAX: u32 = 60;

/// Put something up for sale (operators).
#[utoipa::path(
    post, path = "/v1/offers", tag = "offers", operation_id = "list_offer",
    request_body = ListOffer,
    responses((status = 201, description = "It is durable", body = Created), Refusals),
)]
pub(super) async fn list(
    State(api): State<CommandApi>,
    head: Head,
    body: Body<ListOffer>,
) -> Result<Response, Problem> {
    head.require(Role::Operator)?;
    let derived = || derive::created_stream(head.tenant(), Category::Offer, head.command_id());
    let stream = body.value.id.map_or_else(derived, |id| stream(OfferId(id)));
    let (offer_id, terms) = (OfferId(stream.id), Box::new(body.value.into()));
    let command = Command::Offer(offer::Command::List { offer_id, terms });
    let accepted = head.send(&api, stream, command, &body.bytes).await?;
    answer::created(&accepted, stream.id, format!("/v1/offers/{}", stream.id))
}

/// Ask another price from now on; holds keep theirs (operators).
#[utoipa::path(
    post, path = "/v1/offers/{id}/price", tag = "offers", operation_id = "reprice_offer",
    params(("id" = String, Path, description = "The offer")), request_body = RepriceOffer,
    responses((status = 200, description = "It is durable", body = Changed), Refusals),
)]
pub(super) async fn reprice(
    State(api): State<CommandApi>,
    Path(id): Path<OfferId>,
    head: Head,
    body: Body<RepriceOffer>,
) -> Result<Response, Problem> {
    head.require(Role::Operator)?;
    let command = Command::Offer(offer::Command::Reprice { price: body.value.price.into() });
    answer::changed(&head.send(&api, stream(id), command, &body.bytes).await?)
}

/// Have more or fewer places from now on (operators).
#[utoipa::path(
    post, path = "/v1/offers/{id}/capacity", tag = "offers",
    operation_id = "change_offer_capacity",
    params(("id" = String, Path, description = "The offer")), request_body = ChangeOfferCapacity,
    responses((status = 200, description = "It is durable", body = Changed), Refusals),
)]
pub(super) async fn change_capacity(
    State(api): State<CommandApi>,
    Path(id): Path<OfferId>,
    head: Head,
    body: Body<ChangeOfferCapacity>,
) -> Result<Response, Problem> {
    head.require(Role::Operator)?;
    let ChangeOfferCapacity { capacity, seats } = body.value;
    let command = Command::Offer(offer::Command::ChangeCapacity { capacity, seats });
    answer::changed(&head.send(&api, stream(id), command, &body.bytes).await?)
}

/// Sell nothing new; live holds may still be sold (operators).
#[utoipa::path(
    post, path = "/v1/offers/{id}/closure", tag = "offers", operation_id = "close_offer",
    params(("id" = String, Path, description = "The offer")),
    responses((status = 200, description = "It is closed", body = Changed), Refusals),
)]
pub(super) async fn close(
    State(api): State<CommandApi>,
    Path(id): Path<OfferId>,
    head: Head,
    body: NoBody,
) -> Result<Response, Problem> {
    head.require(Role::Operator)?;
    let command = Command::Offer(offer::Command::Close);
    answer::changed(&head.send(&api, stream(id), command, &body.bytes).await?)
}

/// Set places aside for a while (operators and partners).
#[utoipa::path(
    post, path = "/v1/offers/{id}/holds", tag = "offers", operation_id = "hold_places",
    params(("id" = String, Path, description = "The offer")), request_body = HoldPlaces,
    responses((status = 201, description = "They are held", body = Created), Refusals),
)]
pub(super) async fn hold(
    State(api): State<CommandApi>,
    Path(id): Path<OfferId>,
    head: Head,
    body: Body<HoldPlaces>,
) -> Result<Response, Problem> {
    head.require(Role::Operator)?;
    let HoldPlaces { hold_id, quantity, seats, unit_price, ttl_seconds } = body.value;
    let hold_id = hold_id.unwrap_or_else(|| derive::derived_id(head.command_id(), "hold"));
    let command = offer::Command::Hold {
        hold_id: HoldId(hold_id),
        line: None,
        claim: claim("", quantity, seats)?,
        unit_price: unit_price.into(),
        ttl_seconds,
        valid_until: latest(),
    };
    let accepted = head.send(&api, stream(id), Command::Offer(command), &body.bytes).await?;
    answer::created(&accepted, hold_id, format!("/v1/offers/{id}/holds/{hold_id}"))
}

/// Give a hold up; its id is not held again (operators and partners).
#[utoipa::path(
    delete, path = "/v1/offers/{id}/holds/{hold_id}", tag = "offers",
    operation_id = "release_hold",
    params(
        ("id" = String, Path, description = "The offer"),
        ("hold_id" = String, Path, description = "The hold"),
    ),
    responses((status = 204, description = "Nothing is held under that id"), Refusals),
)]
pub(super) async fn release(
    State(api): State<CommandApi>,
    Path((id, hold_id)): Path<(OfferId, HoldId)>,
    head: Head,
    body: NoBody,
) -> Result<Response, Problem> {
    head.require(Role::Operator)?;
    let command = offer::Command::Release { hold_id, valid_until: latest() };
    answer::gone(&head.send(&api, stream(id), Command::Offer(command), &body.bytes).await?)
}

/// Until when a hold that is asked for now may be decided, and a released one is remembered: as
/// long as any may, but for what clocks differ by.
fn latest() -> Timestamp {
    let seconds = HOLD_VALIDITY_SECONDS_MAX - CLOCKS_DIFFER_SECONDS_MAX;
    now().plus_seconds(i64::from(seconds))
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}
