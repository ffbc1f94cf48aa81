//! Routes that read: intents, entries, refunds, events, totals.

use axum::Router;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Api;
use super::call::{self, Asked};
use crate::error::{ApiError, Failure};
use crate::ledger::Work;
use crate::ledger::intents::{Intent, Name};
use crate::ledger::refunds::Refund;
use crate::ledger::totals::Which;

pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/v1/payment_intents", get(by_reference))
        .route("/v1/payment_intents/{intent}", get(intent))
        .route("/v1/payment_intents/{intent}/entries", get(entries))
        .route("/v1/refunds", get(refunds))
        .route("/v1/refunds/{refund}", get(refund))
        .route("/v1/events", get(events))
        .route("/v1/events/{event}", get(event))
        .route("/v1/totals", get(totals))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ByReference {
    reference: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expansion {
    /// `refunds` puts an intent's refunds into it.
    expand: Option<Expanded>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Expanded {
    Refunds,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OfIntent {
    payment_intent: String,
    after: Option<String>,
    limit: Option<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WhichTotals {
    reference: Option<String>,
    after: Option<String>,
    limit: Option<u32>,
}

async fn by_reference(State(api): State<Api>, Asked(asked): Asked<ByReference>) -> Response {
    api.read(move |ledger| {
        let found = ledger.intent(&Name::Reference(asked.reference))?;
        let found: Vec<Value> = found.iter().map(Intent::json).collect();
        Ok(json!({ "data": found }))
    })
    .await
}

async fn intent(
    State(api): State<Api>,
    Path(name): Path<String>,
    Asked(asked): Asked<Expansion>,
) -> Response {
    api.read(move |ledger| {
        let intent = ledger.known_intent(&Name::parse(name))?;
        let mut told = intent.json();
        if let Some(Expanded::Refunds) = asked.expand {
            told["refunds"] = listed(&ledger.refunds(&intent.id)?);
        }
        Ok(told)
    })
    .await
}

async fn entries(State(api): State<Api>, Path(name): Path<String>) -> Response {
    api.read(move |ledger| {
        let intent = ledger.known_intent(&Name::parse(name))?;
        Ok(json!({ "data": ledger.entries(&intent.id)? }))
    })
    .await
}

async fn refunds(State(api): State<Api>, Asked(asked): Asked<OfIntent>) -> Response {
    api.read(move |ledger| {
        let intent = ledger.known_intent(&Name::parse(asked.payment_intent))?;
        Ok(json!({ "data": listed(&ledger.refunds(&intent.id)?) }))
    })
    .await
}

async fn refund(State(api): State<Api>, Path(name): Path<String>) -> Response {
    api.read(move |ledger| {
        let found = ledger.refund_named(&Name::parse(name))?;
        found.map(|refund| refund.json()).ok_or_else(|| unknown("refund_unknown", "refund"))
    })
    .await
}

async fn events(
    State(api): State<Api>,
    Asked(asked): Asked<OfIntent>,
) -> Result<Response, ApiError> {
    let limit = call::limit(asked.limit)?;
    let list = move |ledger: &Work<'_>| {
        let intent = ledger.known_intent(&Name::parse(asked.payment_intent))?;
        let after = asked.after.unwrap_or_default();
        Ok(json!({ "data": ledger.events(&intent.id, &after, limit)? }))
    };
    Ok(api.read(list).await)
}

async fn event(State(api): State<Api>, Path(id): Path<String>) -> Response {
    api.read(move |ledger| ledger.event(&id)?.ok_or_else(|| unknown("event_unknown", "event")))
        .await
}

async fn totals(
    State(api): State<Api>,
    Asked(asked): Asked<WhichTotals>,
) -> Result<Response, ApiError> {
    let limit = call::limit(asked.limit)?;
    let which = match asked.reference {
        Some(reference) => Which::Of(reference),
        None => Which::After(asked.after.unwrap_or_default()),
    };
    let list = move |ledger: &Work<'_>| Ok(json!({ "data": ledger.totals(&which, limit)? }));
    Ok(api.read(list).await)
}

fn listed(refunds: &[Refund]) -> Value {
    refunds.iter().map(Refund::json).collect()
}

fn unknown(code: &'static str, thing: &str) -> Failure {
    ApiError::unknown(code, format!("There is no such {thing}.")).into()
}
