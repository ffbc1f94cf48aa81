//! The routes of sagas, for operators: what drives them otherwise is the system.
//!
//! | request | command |
//! |---|---|
//! | `POST /v1/sagas/{id}/retry` | Retry; Force with a `step` |
//! | `POST /v1/sagas/{id}/resolution` | Resolve |
//!
//! Who did it and why is an event of the saga.

#[cfg(test)]
mod tests;

use axum::extract::State;
use axum::response::Response;
use domain::ids::SagaId;
use domain::saga::{self, Command as Saga};
use serde::Deserialize;
use service_kit::auth::Role;
use service_kit::{Path, Problem};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::answer::{self, Changed};
use crate::head::{Body, Head};
use crate::{CommandApi, openapi::Refusals};

pub(crate) fn router() -> OpenApiRouter<CommandApi> {
    OpenApiRouter::new().routes(routes!(retry)).routes(routes!(resolve))
}

/// Another try.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RetrySaga {
    /// This step alone, at once, whether it was given up or waits for its next attempt; everything
    /// that a stuck saga gave up when missing.
    #[schema(example = "refund")]
    step: Option<String>,
    /// Why, at most 1000 characters.
    #[serde(default)]
    reason: String,
}

/// A settlement by hand.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ResolveSaga {
    /// This step alone, which then counts as done; the whole saga, which then ends, when missing.
    #[schema(example = "refund")]
    step: Option<String>,
    /// Why, and what was done instead, 1 to 1000 characters.
    reason: String,
}

/// Try again what a stuck saga gave up, or one step at once (operators). 422 `saga_not_stuck`,
/// `saga_ended` or `saga_step_settled` when there is nothing to try, 404 `saga_step_not_found`.
#[utoipa::path(
    post, path = "/v1/sagas/{id}/retry", tag = "sagas", operation_id = "retry_saga",
    params(("id" = String, Path, description = "The saga")), request_body = RetrySaga,
    responses((status = 200, description = "It is durable", body = Changed), Refusals),
)]
async fn retry(
    State(api): State<CommandApi>,
    Path(id): Path<SagaId>,
    head: Head,
    body: Body<RetrySaga>,
) -> Result<Response, Problem> {
    head.require(Role::Operator)?;
    let RetrySaga { step, reason } = body.value;
    let command = match step {
        Some(step) => Saga::Force { step, reason },
        None => Saga::Retry { reason },
    };
    answer::changed(&head.send(&api, saga::stream(id), command.into(), &body.bytes).await?)
}

/// Settle a step, or the whole saga, by hand (operators): nothing is sent for it any more, and
/// whoever does this has seen to it. 422 `saga_ended`, `saga_step_settled`, or `saga_step_undoable`
/// for a step that the saga can still undo; 404 `saga_step_not_found`.
#[utoipa::path(
    post, path = "/v1/sagas/{id}/resolution", tag = "sagas", operation_id = "resolve_saga",
    params(("id" = String, Path, description = "The saga")), request_body = ResolveSaga,
    responses((status = 200, description = "It is durable", body = Changed), Refusals),
)]
async fn resolve(
    State(api): State<CommandApi>,
    Path(id): Path<SagaId>,
    head: Head,
    body: Body<ResolveSaga>,
) -> Result<Response, Problem> {
    head.require(Role::Operator)?;
    let ResolveSaga { step, reason } = body.value;
    let command = Saga::Resolve { step, reason };
    answer::changed(&head.send(&api, saga::stream(id), command.into(), &body.bytes).await?)
}
