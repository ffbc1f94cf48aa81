//! Evidence of webhooks that are not believed, among the log's refusals: which provider's, why,
//! when, and the digest of what it said; nothing of what it said.
//!
//! Anybody can send one, so a process records one a second at most. The others are counted, and the
//! next record says how many they were.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::ids::{CommandId, CorrelationId};
use domain::payment::Command as Payment;
use domain::{Category, Command, Digest, StreamName, Tenant, derive};
use lanes::{Cause, CommandError, CommandPort};
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;
use uuid::Uuid;

use super::ACTOR;
use crate::pace::Pace;
use crate::payment_provider::webhook::WebhookError;

/// At least so long between two records of a process.
const PAUSE: Duration = Duration::from_secs(1);

/// Records that webhooks are not believed.
pub(super) struct Disbelief {
    port: Arc<dyn CommandPort>,
    pace: Mutex<Pace>,
}

impl Disbelief {
    pub(super) fn new(port: Arc<dyn CommandPort>) -> Self {
        Self { port, pace: Mutex::new(Pace::new(PAUSE, PAUSE)) }
    }

    /// Records one, or counts it. Whether it can be recorded changes nothing for who sent it.
    pub(super) async fn record(&self, provider: &str, error: &WebhookError, body: &[u8]) {
        let Some(count) = self.counted() else {
            tracing::debug!(code = error.code(), "another webhook is not believed");
            return;
        };
        let left_out = count - 1;
        tracing::warn!(provider, code = error.code(), %error, left_out,
            "a webhook is not believed");
        let command = Command::Payment(Payment::TakeUnproven {
            provider: provider.to_owned(),
            why: error.code().to_owned(),
            body_sha256: Digest(Sha256::digest(body).into()),
            left_out,
        });
        let id = Uuid::now_v7();
        let cause = Cause {
            tenant: Tenant::default(),
            // Not what the sender names: nobody writes into the story of somebody else's request.
            correlation_id: CorrelationId(id),
            causation_id: id,
            traceparent: None,
        };
        // No payment is known to be meant: all of a provider's stand under one name.
        let nobody = derive::id("unproven-webhooks", None, &[provider.as_bytes()]);
        let stream = StreamName::new(Category::Payment, nobody);
        let request = ACTOR.request(stream, CommandId(id), (&command.clone(), command), &cause);
        match self.port.send(request).await {
            // It is always refused, and that is what is recorded.
            Ok(_) | Err(CommandError::Refused(_)) => {}
            Err(error) => {
                self.pace().give_back(count);
                tracing::warn!(provider, code = error.code(), %error,
                    "that a webhook is not believed is not recorded");
            }
        }
    }

    /// Counts one more; of how many it is now to be recorded.
    fn counted(&self) -> Option<u64> {
        let mut pace = self.pace();
        pace.count();
        pace.take(Instant::now())
    }

    fn pace(&self) -> std::sync::MutexGuard<'_, Pace> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
