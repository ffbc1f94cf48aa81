//! The provider's client over HTTP.

use std::sync::Arc;

use domain::money::Currency;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::settings::{ProviderSettings, SettingsError};
use super::webhook::{self, ProviderEvent};
use super::wire::{CancelBody, CaptureBody, Intent, List, NewIntent, NewRefund, Refund, name};
use super::{
    Authorize, Capture, KnownPayment, Outcome, PaymentProvider, Receipt, RefundPayment, Void,
};
use crate::circuit::Circuit;
use crate::http_provider::{HttpProvider, Question, json};

/// A payment provider that is called over HTTP. One for the process.
pub struct HttpPaymentProvider(HttpProvider);

/// What the provider says that one of our payments moved, in minor units.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ProviderTotals {
    /// Our id of the payment, unless somebody else made it.
    pub reference: String,
    /// ISO 4217 code.
    pub currency: Currency,
    /// Ever authorized.
    pub authorized: i64,
    /// Ever captured.
    pub captured: i64,
    /// Authorized and given back uncaptured.
    pub released: i64,
    /// Captured and given back.
    pub refunded: i64,
    /// Authorized, and neither captured nor given back.
    pub reserved: i64,
}

impl HttpPaymentProvider {
    /// A client; nothing is sent yet.
    ///
    /// # Errors
    /// [`SettingsError`].
    pub fn new(settings: ProviderSettings) -> Result<Self, SettingsError> {
        Ok(Self(HttpProvider::new("payments", settings)?))
    }

    /// The circuit, to be looked at and reset.
    #[must_use]
    pub const fn circuit(&self) -> &Arc<Circuit> {
        self.0.circuit()
    }

    /// The provider's event of that id: for whoever doubts a webhook. `None` when the provider does
    /// not know it.
    pub async fn event(&self, id: &str) -> Outcome<Option<ProviderEvent>> {
        let path = format!("/v1/events/{}", segment(id));
        self.0
            .ask(
                Question::get("look_up", &path),
                |body: serde_json::Value| webhook::event(&body).ok().map(Some),
                |error| (error.code == "event_unknown").then_some(None),
            )
            .await
    }

    /// What each payment moved: a page of those behind `after`, in the order of their references;
    /// an empty page is the end.
    pub async fn totals(&self, after: Option<&str>) -> Outcome<Vec<ProviderTotals>> {
        let path = format!("/v1/totals?after={}", segment(after.unwrap_or_default()));
        let read = |list: List<ProviderTotals>| Some(list.data);
        self.0.ask(Question::get("totals", &path), read, |_| None).await
    }
}

#[async_trait::async_trait]
impl PaymentProvider for HttpPaymentProvider {
    async fn authorize(&self, call: &Authorize) -> Outcome<Receipt> {
        let body = NewIntent {
            reference: call.payment,
            amount: call.amount.amount,
            currency: call.amount.currency,
            method: &call.method,
            capture_method: "manual",
            confirm: true,
        };
        let fits = |intent: &Intent| intent.authorized(call.payment, call.amount);
        self.change("authorize", call.key, "/v1/payment_intents", body, fits).await
    }

    async fn capture(&self, call: &Capture) -> Outcome<Receipt> {
        let path = format!("/v1/payment_intents/{}/capture", name(call.payment));
        let body = CaptureBody { amount: call.amount.amount };
        let fits = |intent: &Intent| intent.captured(call.payment, call.amount);
        self.change("capture", call.key, &path, body, fits).await
    }

    async fn void(&self, call: &Void) -> Outcome<Receipt> {
        let path = format!("/v1/payment_intents/{}/cancel", name(call.payment));
        let body = CancelBody { amount: call.amount.amount, currency: call.amount.currency };
        let fits = |intent: &Intent| intent.voided(call.payment);
        self.change("void", call.key, &path, body, fits).await
    }

    async fn refund(&self, call: &RefundPayment) -> Outcome<Receipt> {
        let body = NewRefund {
            payment_intent: name(call.payment),
            reference: call.refund,
            amount: call.amount.amount,
        };
        let question = Question::post("refund", "/v1/refunds", call.key, json(&body));
        let done = |refund: Refund| refund.refunded(call.refund, call.amount);
        self.0.ask(question, done, |_| None).await
    }

    async fn look_up(&self, payment: Uuid) -> Outcome<Option<KnownPayment>> {
        let path = format!("/v1/payment_intents/{}?expand=refunds", name(payment));
        self.0
            .ask(
                Question::get("look_up", &path),
                |intent: Intent| intent.known(payment).map(Some),
                |error| (error.code == "intent_unknown").then_some(None),
            )
            .await
    }
}

impl HttpPaymentProvider {
    /// Changes an intent. `fits` says whether an intent is what was asked for, also when the
    /// provider refused because it is so already.
    async fn change<B: Serialize>(
        &self,
        operation: &'static str,
        key: Uuid,
        path: &str,
        body: B,
        fits: impl Fn(&Intent) -> Option<Receipt>,
    ) -> Outcome<Receipt> {
        self.0
            .ask(
                Question::post(operation, path, key, json(&body)),
                |intent: Intent| fits(&intent),
                |error| error.payment_intent.as_ref().and_then(&fits),
            )
            .await
    }
}

/// One segment of a path or value of a query, so that nobody's text adds another.
fn segment(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    text.bytes().fold(String::new(), |mut encoded, byte| {
        if plain(byte) {
            encoded.push(char::from(byte));
        } else {
            encoded += &format!("%{byte:02X}");
        }
        encoded
    })
}
