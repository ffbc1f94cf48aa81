//! The API: who may call, how a call meets its faults, and the routes.
//!
//! A call that changes something carries an `Idempotency-Key`, is worked on once in the ledger, and
//! is told the same again afterwards (`Idempotent-Replayed: true`). What goes wrong on purpose goes
//! wrong here, before or after that work, so that the ledger always knows the truth.

mod admin;
mod call;
mod intents;
mod messages;
mod records;

use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::StatusCode;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use serde_json::Value;
use tokio::sync::Notify;

use crate::card::Card;
use crate::error::{ApiError, Failure};
use crate::faults::{Fault, FaultKind, Faults, Operation};
use crate::ledger::{Answer, Ledger, Request as Keyed, Work};
use crate::settings::{ApiSecret, Settings, WebhookTarget};

/// Says that an answer was given before.
const REPLAYED: &str = "idempotent-replayed";

/// What every request is given; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Api(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    ledger: Ledger,
    faults: Arc<Faults>,
    secret: ApiSecret,
    slow_answer: Duration,
    webhook: RwLock<Option<WebhookTarget>>,
    /// Wakes whoever delivers webhooks.
    scheduled: Notify,
}

/// On an answer that the server must not send: it drops the connection instead.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dropped;

/// Where a request comes from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) SocketAddr);

impl Api {
    pub(crate) fn new(ledger: Ledger, faults: Arc<Faults>, settings: &Settings) -> Self {
        Self(Arc::new(Parts {
            ledger,
            faults,
            secret: settings.secret.clone(),
            slow_answer: settings.slow_answer,
            webhook: RwLock::new(settings.webhook.clone()),
            scheduled: Notify::new(),
        }))
    }

    pub(crate) fn router(&self) -> Router {
        let guarded = Router::new()
            .merge(intents::routes())
            .merge(records::routes())
            .merge(messages::routes())
            .merge(admin::routes())
            .fallback(|| async { ApiError::unknown("route_unknown", "There is no such route.") })
            .layer(from_fn_with_state(self.clone(), authenticate));
        Router::new()
            .route("/health", get(|| async { StatusCode::NO_CONTENT }))
            .merge(messages::shown())
            .merge(guarded)
            .with_state(self.clone())
    }

    pub(crate) fn faults(&self) -> &Arc<Faults> {
        &self.0.faults
    }

    pub(crate) fn webhook(&self) -> Option<WebhookTarget> {
        self.0.webhook.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_webhook(&self, target: Option<WebhookTarget>) {
        *self.0.webhook.write().unwrap_or_else(PoisonError::into_inner) = target;
        self.0.scheduled.notify_one();
    }

    /// Returns when a webhook may have been scheduled since the last call.
    pub(crate) async fn scheduled(&self) {
        self.0.scheduled.notified().await;
    }

    /// Works in the ledger.
    pub(crate) async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Work<'_>) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        self.0.ledger.work(self.webhook().is_some(), work).await
    }

    /// Works on a call once, with whatever is planned to go wrong.
    async fn perform(
        &self,
        operation: Operation,
        request: Keyed,
        work: impl FnOnce(&Work<'_>) -> Result<(Value, Option<Card>), Failure> + Send + 'static,
    ) -> Response {
        let fault = self.0.faults.meet(operation);
        if let Some(answer) = fault.and_then(before) {
            return answer;
        }
        let answer = match self.work(move |ledger| ledger.once(&request, work)).await {
            Ok(answer) => answer,
            Err(failure) => return failure.into_response(),
        };
        self.0.scheduled.notify_one();
        let by_card = answer.card.and_then(|card| card.fault(operation)).map(|kind| {
            let delay_ms = u64::try_from(self.0.slow_answer.as_millis()).unwrap_or(u64::MAX);
            Fault { kind, delay_ms }
        });
        after(fault.or(by_card), answer.into_response()).await
    }

    /// Reads, with whatever is planned to go wrong.
    async fn read(
        &self,
        read: impl FnOnce(&Work<'_>) -> Result<Value, Failure> + Send + 'static,
    ) -> Response {
        let fault = self.0.faults.meet(Operation::LookUp);
        if let Some(answer) = fault.and_then(before) {
            return answer;
        }
        let answer = match self.work(read).await {
            Ok(found) => axum::Json(found).into_response(),
            Err(failure) => failure.into_response(),
        };
        after(fault, answer).await
    }
}

/// Faults that come before any work.
fn before(fault: Fault) -> Option<Response> {
    match fault.kind {
        FaultKind::DropBefore => Some(dropped()),
        FaultKind::ErrorBefore => Some(ApiError::broken().into_response()),
        FaultKind::DropAfter | FaultKind::ErrorAfter | FaultKind::Delay | FaultKind::Garbage => {
            None
        }
    }
}

/// Faults that come after the work.
async fn after(fault: Option<Fault>, answer: Response) -> Response {
    let Some(fault) = fault else { return answer };
    match fault.kind {
        FaultKind::DropAfter => dropped(),
        FaultKind::ErrorAfter => ApiError::broken().into_response(),
        FaultKind::Garbage => {
            ([(CONTENT_TYPE, "application/json")], "<html>Welcome!</html>").into_response()
        }
        FaultKind::Delay => {
            tokio::time::sleep(Duration::from_millis(fault.delay_ms)).await;
            answer
        }
        FaultKind::DropBefore | FaultKind::ErrorBefore => answer,
    }
}

fn dropped() -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    response.extensions_mut().insert(Dropped);
    response
}

async fn authenticate(State(api): State<Api>, request: Request, next: Next) -> Response {
    let bearer = request
        .headers()
        .get(AUTHORIZATION)
        .and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
    match bearer {
        Some(secret) if api.0.secret.matches(secret) => next.run(request).await,
        _ => ApiError::unauthorized().into_response(),
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let mut response = (self.status, axum::Json(self.body)).into_response();
        if self.repeated {
            let replayed = http::HeaderValue::from_static("true");
            response.headers_mut().insert(REPLAYED, replayed);
        }
        response
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        match self {
            Self::Refused(refused) => refused.into_response(),
            Self::Ledger(error) => {
                tracing::error!(%error, "the ledger did not work");
                ApiError::broken().into_response()
            }
        }
    }
}
