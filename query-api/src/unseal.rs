//! Opening personal data as an answer is made. Read models hold ciphertext: who was forgotten reads
//! as forgotten in every answer from then on.

use std::time::Duration;

use domain::{Category, Sealed, StreamName};
use http::StatusCode;
use keys::{KeyError, KeyErrorKind, Keyring, Opened, Purpose};
use serde::Serialize;
use serde_json::Value;
use service_kit::Problem;
use utoipa::ToSchema;

use crate::QueryApi;
use crate::audit::event::EventView;

/// How long a client should leave a key store alone that is away.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// A text that somebody wrote; to be flattened into what it belongs to.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TextView {
    /// What was written; null when it cannot be read any longer.
    #[schema(required, example = "Shall we take the early tram?")]
    text: Option<String>,
    /// True, and `text` null, when its author was forgotten: nobody can read it again.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    forgotten: bool,
    /// True, and `text` null, when it is damaged, or its key lost: an operator has to look.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    damaged: bool,
}

impl TextView {
    /// Whether there is anything to read.
    pub(crate) const fn readable(&self) -> bool {
        self.text.is_some()
    }
}

impl QueryApi {
    /// Opens texts of one purpose, in their order.
    ///
    /// # Errors
    /// 503 `key_store_unavailable`.
    pub(crate) async fn open_texts(
        &self,
        purpose: Purpose,
        texts: impl Iterator<Item = &Sealed> + Send,
    ) -> Result<Vec<TextView>, Problem> {
        let texts: Vec<_> = texts.map(|sealed| (sealed, purpose)).collect();
        let opened = self.0.keyring.open_all(&texts).await.map_err(of_keys)?;
        let shown = opened.into_iter().zip(texts).map(|(opened, (sealed, _))| match opened {
            Ok(Opened::Plain(text)) => {
                TextView { text: Some(text), forgotten: false, damaged: false }
            }
            Ok(Opened::Forgotten) => TextView { text: None, forgotten: true, damaged: false },
            Err(damage) => {
                tracing::error!(person = %sealed.person, %damage, "sealed data is damaged");
                TextView { text: None, forgotten: false, damaged: true }
            }
        });
        Ok(shown.collect())
    }

    /// Opens what is sealed in events.
    ///
    /// # Errors
    /// 503 `key_store_unavailable`.
    pub(crate) async fn open_events(&self, events: &mut [EventView]) -> Result<(), Problem> {
        open_events(&self.0.keyring, events).await.map_err(of_keys)
    }

    /// Opens what is sealed in documents about streams of one category.
    ///
    /// # Errors
    /// 503 `key_store_unavailable`.
    pub(crate) async fn open_documents(
        &self,
        category: Category,
        documents: impl Iterator<Item = &mut Value> + Send,
    ) -> Result<(), Problem> {
        let mut documents: Vec<_> = documents.map(|document| (category, document)).collect();
        self.0.keyring.open_documents(&mut documents).await.map_err(of_keys)
    }
}

/// Opens what is sealed in events. Those of a category that this process does not know are shown as
/// they are kept.
pub(crate) async fn open_events(
    keyring: &Keyring,
    events: &mut [EventView],
) -> Result<(), KeyError> {
    let mut documents = Vec::with_capacity(events.len());
    for event in events {
        if let Ok(StreamName { category, .. }) = event.stream.parse() {
            documents.push((category, &mut event.data));
        }
    }
    keyring.open_documents(&mut documents).await
}

/// The problem that an error of the keys is.
#[expect(clippy::needless_pass_by_value, reason = "what `map_err` takes")]
fn of_keys(error: KeyError) -> Problem {
    if error.kind() != KeyErrorKind::Unavailable {
        return Problem::defect(&error);
    }
    tracing::warn!(code = error.code(), %error, "personal data cannot be opened");
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "key_store_unavailable",
        "Personal data cannot be opened now",
    )
    .detail("The answer holds personal data, and its keys cannot be had. Ask again.")
    .retry_after(RETRY_AFTER)
}
