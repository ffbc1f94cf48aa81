//! Routes for tests, from the loopback alone: planned faults, the webhook's target, deliveries.

use axum::Router;
use axum::extract::{Extension, Request, State};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post, put};
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;

use super::call::{self, Asked, Body, Page};
use super::{Api, Peer};
use crate::error::{ApiError, Failure, SandboxError};
use crate::faults::{PlanRefused, PlannedFault, WebhookFault};
use crate::settings::{ApiSecret, WebhookTarget};

pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/admin/faults", get(planned).post(plan).delete(clear))
        .route("/admin/webhook_faults", post(plan_webhooks))
        .route("/admin/webhook", put(redirect))
        .route("/admin/deliveries", get(deliveries))
        .layer(from_fn(from_loopback))
}

/// Where webhooks go from now on; without a URL, nowhere.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Target {
    url: Option<String>,
    #[serde(default)]
    secrets: Vec<String>,
}

pub(super) async fn from_loopback(
    Extension(Peer(peer)): Extension<Peer>,
    request: Request,
    next: Next,
) -> Response {
    if peer.ip().to_canonical().is_loopback() {
        return next.run(request).await;
    }
    ApiError::elsewhere().into_response()
}

async fn planned(State(api): State<Api>) -> Response {
    axum::Json(api.faults().planned()).into_response()
}

async fn plan(
    State(api): State<Api>,
    Body(plan): Body<PlannedFault>,
) -> Result<StatusCode, ApiError> {
    api.faults().plan(plan).map_err(refused)?;
    Ok(StatusCode::NO_CONTENT)
}

async fn plan_webhooks(
    State(api): State<Api>,
    Body(plan): Body<WebhookFault>,
) -> Result<StatusCode, ApiError> {
    api.faults().plan_webhooks(plan).map_err(refused)?;
    Ok(StatusCode::NO_CONTENT)
}

async fn clear(State(api): State<Api>) -> StatusCode {
    api.faults().clear();
    StatusCode::NO_CONTENT
}

async fn redirect(
    State(api): State<Api>,
    Body(target): Body<Target>,
) -> Result<StatusCode, ApiError> {
    let target = match target.url {
        Some(url) => Some(
            parsed(&url, &target.secrets)
                .map_err(|error| ApiError::parameter("url", error.to_string()))?,
        ),
        None => None,
    };
    api.set_webhook(target);
    Ok(StatusCode::NO_CONTENT)
}

fn parsed(url: &str, secrets: &[String]) -> Result<WebhookTarget, SandboxError> {
    let secrets = secrets.iter().map(|secret| ApiSecret::new(secret)).collect::<Result<_, _>>()?;
    WebhookTarget::new(url, secrets)
}

async fn deliveries(State(api): State<Api>, Asked(page): Asked<Page>) -> Result<Response, Failure> {
    let limit = call::limit(page.limit)?;
    let after = page.after.as_deref().unwrap_or("0").parse();
    let after: i64 = after.map_err(|_| ApiError::parameter("after", "It is a number."))?;
    let listed = api.work(move |ledger| ledger.deliveries(after, limit)).await?;
    Ok(axum::Json(json!({ "data": listed })).into_response())
}

fn refused(refused: PlanRefused) -> ApiError {
    ApiError::parameter("calls", refused.to_string())
}
