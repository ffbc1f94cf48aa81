//! Text messages, pushes and partners' webhooks through an HTTP API: `POST /v1/messages` under the
//! message's own key, signed.
//!
//! `Waylog-Signature: t=<seconds>,v1=<hex>` carries the HMAC-SHA256 of `<seconds>.<body>` under the
//! secret, so that whoever passes the message on, or receives it as a webhook, can prove it.

use std::sync::Arc;

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use service_kit::Secret;
use sha2::Sha256;

use super::{Channel, Message, Sending, words};
use crate::circuit::Circuit;
use crate::http_provider::{HttpProvider, Question};
use crate::payment_provider::{Outcome, ProviderSettings, Refusal, SettingsError};

/// The header of the signature.
const SIGNATURE: &str = "waylog-signature";

/// Sends messages through an API.
pub struct MessageApi {
    provider: HttpProvider,
    secret: Secret,
}

#[derive(Serialize)]
struct Body<'a> {
    channel: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<&'a str>,
    subject: &'a str,
    text: &'a str,
}

#[derive(Deserialize)]
struct Answer {
    id: String,
    #[serde(default)]
    status: String,
}

impl MessageApi {
    /// A client; nothing is sent yet.
    ///
    /// # Errors
    /// [`SettingsError`].
    pub fn new(settings: ProviderSettings) -> Result<Self, SettingsError> {
        let secret = settings.secret.clone();
        Ok(Self { provider: HttpProvider::new("messages", settings)?, secret })
    }

    /// The circuit, to be looked at and reset.
    #[must_use]
    pub const fn circuit(&self) -> &Arc<Circuit> {
        self.provider.circuit()
    }
}

/// The signature of a body at that time.
fn sign(secret: &Secret, seconds: u64, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes())
        .expect("a key of any length will do");
    mac.update(format!("{seconds}.").as_bytes());
    mac.update(body);
    let digits: String =
        mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={seconds},v1={digits}")
}

#[async_trait::async_trait]
impl Channel for MessageApi {
    async fn send(&self, message: &Message<'_>) -> Sending {
        let body = Body {
            channel: message.channel,
            to: message.to,
            subject: &message.letter.subject,
            text: &message.letter.text,
        };
        let text = serde_json::to_vec(&body).expect("texts are JSON");
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let seconds = now.map_or(0, |since| since.as_secs());
        let signature = sign(&self.secret, seconds, &text);
        let question = Question::post("message", "/v1/messages", message.name.0, text)
            .with_header(SIGNATURE, signature);
        let outcome = self.provider.ask(question, |answer: Answer| Some(answer), |_| None).await;
        match outcome {
            Outcome::Done(Answer { id, status }) => {
                let reference = words::reference(id, message.to);
                Sending::Taken { reference, delivered: status == "delivered" }
            }
            // Its sentence may say who was written to.
            Outcome::Refused(Refusal { code, .. }) => {
                Sending::Refused(Refusal::own(&code, "the message API does not take the message"))
            }
            Outcome::Unknown(doubt) => Sending::Unknown(doubt),
            Outcome::NotTried(obstacle) => Sending::NotTried(obstacle),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_depends_on_secret_time_and_body() {
        let secret = |text: &str| text.parse::<Secret>().unwrap();
        let one = sign(&secret("correct horse battery"), 7, b"{}");

        assert!(one.starts_with("t=7,v1=") && one.len() == 7 + 64, "{one}");
        assert_ne!(one, sign(&secret("battery horse correct"), 7, b"{}"));
        assert_ne!(one, sign(&secret("correct horse battery"), 7, b"[]"));
        assert_ne!(one[4..], sign(&secret("correct horse battery"), 8, b"{}")[4..]);
    }
}
