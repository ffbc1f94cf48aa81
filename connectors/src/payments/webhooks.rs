//! `POST /v1/webhooks/{provider}`: what the payment provider tells on its own.
//!
//! There is no identity: the signature is the authentication, so this is served outside what
//! establishes one. 2xx is answered once the fact is recorded, as a command on the payment's stream
//! whose id follows from the provider's event: twice is once, and the payment copes with any order.
//! Everything else makes the provider send it again. What is not believed stands among the log's
//! refusals (`disbelief.rs`).

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::routing::post;
use domain::ids::{CommandId, PaymentId};
use domain::payment::Command as Payment;
use domain::{Category, Command, StreamName, derive};
use http::{HeaderMap, StatusCode};
use lanes::{Cause, CommandError, CommandPort, WallClock};
use read_models::ReadQueries;
use read_models::queries::QueryError;
use service_kit::Problem;
use service_kit::json::read_body;

use super::answers::{answered, of_webhook};
use super::disbelief::Disbelief;
use super::{ACTOR, cause, telemetry};
use crate::payment_provider::webhook::{
    ProviderEvent, SIGNATURE_HEADER, WebhookError, WebhookVerifier,
};

/// The payment provider's name in the path.
pub const PROVIDER: &str = "sandbox";

/// What the route needs.
pub struct Webhooks {
    /// Finds the payment that is spoken of.
    pub queries: Arc<ReadQueries>,
    /// Where facts are recorded.
    pub port: Arc<dyn CommandPort>,
    /// Proves who speaks.
    pub verifier: WebhookVerifier,
    /// Tells how old a signature is.
    pub clock: Arc<dyn WallClock>,
}

/// What takes webhooks, and records those that it does not believe.
struct Receiver {
    webhooks: Webhooks,
    disbelief: Disbelief,
}

/// The route.
pub fn router(webhooks: Webhooks) -> Router {
    let disbelief = Disbelief::new(Arc::clone(&webhooks.port));
    let state = Arc::new(Receiver { webhooks, disbelief });
    Router::new().route("/v1/webhooks/{provider}", post(receive)).with_state(state)
}

async fn receive(
    State(receiver): State<Arc<Receiver>>,
    Path(provider): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, Problem> {
    if provider != PROVIDER {
        return Err(Problem::not_found("provider_unknown", "No such provider speaks to us."));
    }
    let body = read_body(body).await?;
    let Receiver { webhooks, disbelief } = receiver.as_ref();
    let signature = headers.get(SIGNATURE_HEADER).and_then(|value| value.to_str().ok());
    let took = match webhooks.verifier.verify(signature, &body, webhooks.clock.now()) {
        Ok(event) => webhooks.take(event).await,
        Err(error) => {
            disbelief.record(PROVIDER, &error, &body).await;
            Err(disbelieved(&error))
        }
    };
    match &took {
        Ok(outcome) => telemetry::webhook(outcome),
        Err(problem) => telemetry::webhook(problem.code()),
    }
    took.map(|_| StatusCode::NO_CONTENT)
}

fn disbelieved(error: &WebhookError) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, error.code(), "The webhook is not believed")
        .detail(error.to_string())
}

impl Webhooks {
    /// Records what the event says. What became of it, for the counter.
    async fn take(&self, event: ProviderEvent) -> Result<&'static str, Problem> {
        let ProviderEvent { id, fact, .. } = event;
        let Some((payment, command)) = of_webhook(fact) else {
            tracing::debug!(id, "a webhook does not concern us");
            return Ok("ignored");
        };
        let command_id = CommandId(derive::id("provider-event", None, &[id.as_bytes()]));
        let found = self.cause(payment, &command, command_id).await.map_err(|error| {
            tracing::warn!(id, code = error.code(), %error, "a webhook's payment is not found now");
            Problem::unavailable("The payment cannot be looked up now.")
        })?;
        let Some(cause) = found else {
            // Nothing is asked of a provider before it is in the log: not ours, or not read yet.
            tracing::warn!(id, payment_id = %payment.0, "a webhook names a payment not known here");
            return Err(Problem::not_found("payment_not_found", "There is no such payment."));
        };
        self.record(&id, payment, command, command_id, &cause).await
    }

    /// The request that the fact answers, or the payment itself where the provider acted on its
    /// own; nothing when there is no such payment.
    async fn cause(
        &self,
        payment: PaymentId,
        fact: &Payment,
        command_id: CommandId,
    ) -> Result<Option<Cause>, QueryError> {
        if let Some((kind, subject)) = answered(payment, fact)
            && let Some(asked) = self.queries.provider_request(payment, kind, subject).await?
        {
            return Ok(Some(cause(&asked)));
        }
        let known = self.queries.provider_payment(payment).await?;
        Ok(known.map(|row| Cause {
            tenant: row.tenant,
            correlation_id: row.correlation_id,
            causation_id: command_id.0,
            traceparent: None,
        }))
    }

    async fn record(
        &self,
        id: &str,
        payment: PaymentId,
        command: Payment,
        command_id: CommandId,
        cause: &Cause,
    ) -> Result<&'static str, Problem> {
        let name = command.name();
        let stream = StreamName::new(Category::Payment, payment.0);
        let command = Command::Payment(command);
        let request = ACTOR.request(stream, command_id, (&command.clone(), command), cause);
        let error = match self.port.send(request).await {
            Ok(accepted) => {
                let (events, replayed) = (accepted.events, accepted.replayed);
                tracing::info!(id, %stream, name, events, replayed, "a webhook is recorded");
                return Ok("recorded");
            }
            Err(error) => error,
        };
        tracing::warn!(id, %stream, name, code = error.code(), %error, "a webhook is not recorded");
        let title = "The fact is not recorded";
        Err(match error {
            CommandError::Unavailable { .. } | CommandError::OutcomeUnknown { .. } => {
                Problem::unavailable("The fact is not recorded yet.")
            }
            CommandError::Refused(refusal) => {
                Problem::new(StatusCode::UNPROCESSABLE_ENTITY, refusal.code, title)
                    .detail(refusal.message)
            }
            CommandError::IdempotencyMismatch => {
                Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "idempotency_mismatch", title)
                    .detail("The same event was sent with another content before.")
            }
            CommandError::VersionConflict { .. }
            | CommandError::TooLarge { .. }
            | CommandError::Defect { .. } => Problem::opaque_defect(),
        })
    }
}
