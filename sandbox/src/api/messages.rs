//! Messages: `POST /v1/messages` takes one for a channel other than mail, and says at once that it
//! arrived; `GET /admin/messages` shows all of them, to the loopback alone.

use axum::Router;
use axum::extract::State;
use axum::middleware::from_fn;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;

use super::Api;
use super::admin::from_loopback;
use super::call::{self, Asked, Call, Page};
use crate::error::{ApiError, Failure};
use crate::faults::Operation;
use crate::ledger::messages::NewMessage;

const TO_BYTES_MAX: usize = 320;
const TEXT_BYTES_MAX: usize = 32 * 1024;
/// Who is never reached.
const NOBODY: &str = "+10000000000";

pub(super) fn routes() -> Router<Api> {
    Router::new().route("/v1/messages", post(take))
}

/// For people who develop: without the secret, which an embedded sandbox keeps to itself.
pub(super) fn shown() -> Router<Api> {
    Router::new().route("/admin/messages", get(list)).layer(from_fn(from_loopback))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewMessageBody {
    channel: String,
    #[serde(default)]
    to: Option<String>,
    #[serde(default)]
    subject: Option<String>,
    text: String,
}

async fn take(
    State(api): State<Api>,
    Call { keyed, body }: Call<NewMessageBody>,
) -> Result<Response, ApiError> {
    if !["sms", "push", "webhook"].contains(&body.channel.as_str()) {
        return Err(ApiError::parameter("channel", "It is sms, push or webhook."));
    }
    let to = body.to.unwrap_or_default();
    if to.len() > TO_BYTES_MAX || body.text.len() > TEXT_BYTES_MAX {
        return Err(ApiError::parameter("text", "It is too long."));
    }
    if to == NOBODY {
        let (code, why) = ("recipient_unknown", "Nobody has that number.");
        return Err(ApiError::invalid(StatusCode::UNPROCESSABLE_ENTITY, code, why));
    }
    let message = NewMessage {
        key: Some(keyed.key.clone()),
        channel: body.channel,
        recipient: to,
        subject: body.subject,
        reference: None,
        body: body.text,
    };
    Ok(api
        .perform(Operation::Message, keyed, move |ledger| {
            let id = ledger.keep_message(&message)?;
            Ok((json!({ "id": id, "status": "delivered" }), None))
        })
        .await)
}

async fn list(State(api): State<Api>, Asked(page): Asked<Page>) -> Result<Response, Failure> {
    let limit = call::limit(page.limit)?;
    let after = page.after.as_deref().unwrap_or("0").parse();
    let after: i64 = after.map_err(|_| ApiError::parameter("after", "It is a number."))?;
    let listed = api.work(move |ledger| ledger.messages(after, limit)).await?;
    Ok(axum::Json(json!({ "data": listed })).into_response())
}
