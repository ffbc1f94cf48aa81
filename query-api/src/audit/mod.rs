//! Every event for ever: by stream, by request, by who asked; and states and differences made from
//! them.
//!
//! | `GET /v1/audit/...` | who may |
//! |---|---|
//! | `streams/{stream}/events`, `.../state`, `.../diff` | staff; who may read what it is about |
//! | `correlations/{id}`, `refusals` | staff |
//! | `actors/{actor}` | staff; the account itself |
//!
//! An itinerary's history is open to its owner and collaborators, a booking's and a payment's to
//! the owner of the booking; all others to staff alone.
//!
//! Staff are support, operators and admins. To others a stream does not exist (404
//! `stream_not_found`), and the rest is 403 `forbidden`. That an itinerary is shared, or an
//! invitation to it, opens nothing here.

mod actor;
mod correlation;
mod diff;
pub(crate) mod event;
mod fold;
mod history;
mod refusals;
mod related;
mod stream;
mod telling;
mod travel;
mod tree;

use domain::ids::{BookingId, ItineraryId, PaymentId};
use domain::{Category, StreamName};
use read_models::queries::Viewer;
use service_kit::Problem;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::caller::Caller;
use crate::consistency::WaitFor;
use crate::{AUDIT, ITINERARIES, PAYMENTS, QueryApi, failure};

pub(crate) fn router() -> OpenApiRouter<QueryApi> {
    OpenApiRouter::new()
        .routes(routes!(stream::events))
        .routes(routes!(travel::state))
        .routes(routes!(travel::diff))
        .routes(routes!(correlation::correlation))
        .routes(routes!(actor::actor))
        .routes(routes!(refusals::refusals))
}

impl QueryApi {
    /// Lets a caller pass who may read the stream's history, once the read models hold what the
    /// caller waits for.
    ///
    /// # Errors
    /// 404 `stream_not_found`, 503 as every query.
    async fn open_history(
        &self,
        wait: &WaitFor,
        caller: &Caller,
        stream: StreamName,
    ) -> Result<(), Problem> {
        if caller.staff {
            return self.reach(wait, &[AUDIT]).await;
        }
        self.reach(wait, &[ITINERARIES, PAYMENTS, AUDIT]).await?;
        let account = caller.account().ok_or_else(not_found)?;
        let viewer = Viewer::Account(account);
        match stream.category {
            Category::Itinerary => {
                let id = ItineraryId(stream.id);
                let answer = self.0.queries.itinerary(&caller.tenant, viewer, id).await;
                let detail = answer.map_err(failure::of_query)?.value.ok_or_else(not_found)?;
                let joined = detail
                    .members
                    .iter()
                    .any(|member| member.account_id == account && member.state == "joined");
                if joined { Ok(()) } else { Err(not_found()) }
            }
            Category::Booking => {
                let owner = self.0.queries.booking_owner(&caller.tenant, BookingId(stream.id));
                let owner = owner.await.map_err(failure::of_query)?.value;
                if owner == Some(account) { Ok(()) } else { Err(not_found()) }
            }
            Category::Payment => {
                let id = PaymentId(stream.id);
                let answer = self.0.queries.payment(&caller.tenant, viewer, id).await;
                answer.map_err(failure::of_query)?.value.map(drop).ok_or_else(not_found)
            }
            // What is sold and to whom, documents, messages and processes are the platform's own
            // business.
            Category::Destination
            | Category::Offer
            | Category::InvoiceSeries
            | Category::Notification
            | Category::Saga => Err(not_found()),
        }
    }
}

fn not_found() -> Problem {
    Problem::not_found("stream_not_found", "There is no such stream, or not for you.")
}
