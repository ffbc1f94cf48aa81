//! Routes that change something: intents and refunds.

use axum::Router;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::Api;
use super::call::{self, Call};
use crate::card::Card;
use crate::error::{ApiError, Failure};
use crate::faults::Operation;
use crate::ledger::Work;
use crate::ledger::intents::{Intent, Name, NewIntent};

pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/v1/payment_intents", post(create))
        .route("/v1/payment_intents/{intent}/confirm", post(confirm))
        .route("/v1/payment_intents/{intent}/capture", post(capture))
        .route("/v1/payment_intents/{intent}/cancel", post(cancel))
        .route("/v1/refunds", post(refund))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Create {
    reference: String,
    amount: i64,
    currency: String,
    method: String,
    #[serde(default)]
    capture_method: CaptureMethod,
    /// Confirms at once.
    #[serde(default)]
    confirm: bool,
    #[serde(default)]
    metadata: Map<String, Value>,
}

/// How an authorized amount is captured.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum CaptureMethod {
    /// By a call of its own, the only way there is.
    #[default]
    Manual,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Capture {
    amount: i64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cancel {
    /// With the currency: what the intent would have been, should it be unknown.
    amount: Option<i64>,
    currency: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewRefund {
    /// An intent's id, or `ref_` and its reference.
    payment_intent: String,
    reference: String,
    amount: i64,
}

fn told(intent: &Intent) -> (Value, Option<Card>) {
    (intent.json(), intent.method)
}

async fn create(State(api): State<Api>, call: Call<Create>) -> Result<Response, ApiError> {
    let Create { reference, amount, currency, method, capture_method, confirm, metadata } =
        call.body;
    let CaptureMethod::Manual = capture_method;
    call::reference(&reference)?;
    call::amount(amount)?;
    call::currency(&currency)?;
    call::metadata(&metadata)?;
    let card = Card::named(&method)
        .ok_or_else(|| ApiError::parameter("method", format!("`{method}` is no test card.")))?;
    let new = NewIntent { reference, amount, currency, method: Some(card), metadata };
    if !confirm {
        let work = |ledger: &Work<'_>| Ok((ledger.create(new)?.json(), None));
        return Ok(api.perform(Operation::Create, call.keyed, work).await);
    }
    let work = |ledger: &Work<'_>| Ok(told(&ledger.confirm(ledger.create(new)?)?));
    Ok(api.perform(Operation::Confirm, call.keyed, work).await)
}

async fn confirm(
    State(api): State<Api>,
    Path(name): Path<String>,
    call: Call<Nothing>,
) -> Response {
    let Nothing {} = call.body;
    let name = Name::parse(name);
    let work = move |ledger: &Work<'_>| Ok(told(&ledger.confirm(ledger.known_intent(&name)?)?));
    api.perform(Operation::Confirm, call.keyed, work).await
}

async fn capture(
    State(api): State<Api>,
    Path(name): Path<String>,
    call: Call<Capture>,
) -> Result<Response, ApiError> {
    let amount = call::amount(call.body.amount)?;
    let name = Name::parse(name);
    let work =
        move |ledger: &Work<'_>| Ok(told(&ledger.capture(ledger.known_intent(&name)?, amount)?));
    Ok(api.perform(Operation::Capture, call.keyed, work).await)
}

async fn cancel(
    State(api): State<Api>,
    Path(name): Path<String>,
    call: Call<Cancel>,
) -> Result<Response, ApiError> {
    let name = Name::parse(name);
    let tombstone = tombstone(&name, call.body)?;
    let work = move |ledger: &Work<'_>| {
        let canceled = match (ledger.intent(&name)?, tombstone) {
            (Some(intent), _) => ledger.cancel(intent)?,
            (None, Some(new)) => ledger.create_canceled(new)?,
            (None, None) => return Err(no_tombstone()),
        };
        Ok(told(&canceled))
    };
    Ok(api.perform(Operation::Cancel, call.keyed, work).await)
}

/// What an unknown reference becomes when it is canceled.
fn tombstone(name: &Name, cancel: Cancel) -> Result<Option<NewIntent>, ApiError> {
    let (Name::Reference(reference), Some(amount), Some(currency)) =
        (name, cancel.amount, cancel.currency)
    else {
        return Ok(None);
    };
    call::reference(reference)?;
    call::amount(amount)?;
    call::currency(&currency)?;
    let reference = reference.clone();
    Ok(Some(NewIntent { reference, amount, currency, method: None, metadata: Map::new() }))
}

fn no_tombstone() -> Failure {
    let message = "There is no such payment intent; to close the door on a reference, name it as \
                   `ref_...` with amount and currency.";
    ApiError::unknown("intent_unknown", message).into()
}

async fn refund(State(api): State<Api>, call: Call<NewRefund>) -> Result<Response, ApiError> {
    let NewRefund { payment_intent, reference, amount } = call.body;
    call::reference(&reference)?;
    call::amount(amount)?;
    let name = Name::parse(payment_intent);
    let work = move |ledger: &Work<'_>| {
        let intent = ledger.known_intent(&name)?;
        let refund = ledger.refund(&intent, &reference, amount)?;
        Ok((refund.json(), intent.method))
    };
    Ok(api.perform(Operation::Refund, call.keyed, work).await.into_response())
}
