//! Buying, saying who travels, and wanting it undone.

use axum::extract::State;
use axum::response::Response;
use domain::booking::{self, CancelledBy, Traveller, limits::TRAVELLERS_MAX};
use domain::ids::{AccountId, BookingId, ItineraryId, TravellerId};
use domain::{Category, Command};
use keys::Purpose;
use lanes::derive;
use service_kit::auth::Role;
use service_kit::{Path, Problem};

use super::requests::{
    CancelBooking, ChangeBookingTravellers, RequestBooking, TravellerBody, lines,
};
use super::stream;
use crate::answer::{self, Changed, Created};
use crate::head::{Body, Head};
use crate::{CommandApi, openapi::Refusals, refused};

/// Buy one or more lines, all or nothing. The purchase goes on after the answer: see `Location`.
#[utoipa::path(
    post, path = "/v1/bookings", tag = "bookings", operation_id = "request_booking",
    request_body = RequestBooking,
    responses((status = 202, description = "The wish is durable", body = Created), Refusals),
)]
pub(super) async fn request(
    State(api): State<CommandApi>,
    head: Head,
    body: Body<RequestBooking>,
) -> Result<Response, Problem> {
    head.require(Role::Traveller)?;
    let RequestBooking { id, itinerary_id, lines: wanted, travellers, payment } = body.value;
    let derived = || derive::created_stream(head.tenant(), Category::Booking, head.command_id());
    let stream = id.map_or_else(derived, |id| stream(BookingId(id)));
    let command = booking::Command::Request {
        booking_id: BookingId(stream.id),
        itinerary_id: ItineraryId(itinerary_id),
        lines: lines(wanted)?,
        travellers: sealed(&api, &head, &travellers).await?,
        payment_method: payment.method,
    };
    let accepted = head.send(&api, stream, Command::Booking(command), &body.bytes).await?;
    answer::underway(&accepted, stream.id, format!("/v1/bookings/{}", stream.id))
}

/// Say anew who travels; the owner alone.
#[utoipa::path(
    patch, path = "/v1/bookings/{id}/travellers", tag = "bookings",
    operation_id = "change_booking_travellers",
    params(("id" = String, Path, description = "The booking")),
    request_body = ChangeBookingTravellers,
    responses((status = 200, description = "It is durable", body = Changed), Refusals),
)]
pub(super) async fn change_travellers(
    State(api): State<CommandApi>,
    Path(id): Path<BookingId>,
    head: Head,
    body: Body<ChangeBookingTravellers>,
) -> Result<Response, Problem> {
    head.require(Role::Traveller)?;
    let travellers = sealed(&api, &head, &body.value.travellers).await?;
    let command = Command::Booking(booking::Command::ChangeTravellers { travellers });
    answer::changed(&head.send(&api, stream(id), command, &body.bytes).await?)
}

/// Ask to undo a booking: one's own, or, as an operator, somebody's. What is returned is fixed now;
/// undoing goes on after the answer: see `Location`.
#[utoipa::path(
    post, path = "/v1/bookings/{id}/cancellation", tag = "bookings",
    operation_id = "cancel_booking",
    params(("id" = String, Path, description = "The booking")), request_body = CancelBooking,
    responses((status = 202, description = "The wish is durable", body = Created), Refusals),
)]
pub(super) async fn cancel(
    State(api): State<CommandApi>,
    Path(id): Path<BookingId>,
    head: Head,
    body: Body<CancelBooking>,
) -> Result<Response, Problem> {
    let operator = head.has(Role::Operator);
    let by = if operator { CancelledBy::Operator } else { CancelledBy::Traveller };
    let text = body.value.text()?;
    let reason = api.seal(account(&head)?, Purpose::CancellationReason, &text).await?;
    let command = Command::Booking(booking::Command::Cancel { by, reason });
    let accepted = head.send(&api, stream(id), command, &body.bytes).await?;
    answer::underway(&accepted, id.0, format!("/v1/bookings/{id}"))
}

/// Everybody who travels, judged, then sealed under the caller's key.
async fn sealed(
    api: &CommandApi,
    head: &Head,
    travellers: &[TravellerBody],
) -> Result<Vec<Traveller>, Problem> {
    let person = account(head)?;
    if !(1..=TRAVELLERS_MAX).contains(&travellers.len()) {
        let (travellers, travellers_max) = (travellers.len(), TRAVELLERS_MAX);
        let refusal = booking::Refusal::TravellersOutOfRange { travellers, travellers_max };
        return Err(refused::by_domain(refusal));
    }
    let documents = travellers.iter().enumerate().map(|(index, body)| body.document(index));
    let documents: Vec<String> = documents.collect::<Result<_, _>>()?;
    let mut sealed = Vec::with_capacity(documents.len());
    for (number, document) in (1..).zip(&documents) {
        let id = derive::derived_id(head.command_id(), &format!("traveller {number}"));
        let details = api.seal(person, Purpose::Traveller, document).await?;
        sealed.push(Traveller { traveller_id: TravellerId(id), details });
    }
    Ok(sealed)
}

fn account(head: &Head) -> Result<AccountId, Problem> {
    let account = head.actor().account();
    account.ok_or_else(|| refused::by_domain(booking::Refusal::AccountRequired))
}
