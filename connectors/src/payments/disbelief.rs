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
use crate::payment_provider::webhook::WebhookError;

/// At least so long between two records of a process.
const PAUSE: Duration = Duration::from_secs(1);

/// Records that webhooks are not believed.
pub(super) struct Disbelief {
    port: Arc<dyn CommandPort>,
    pace: Mutex<Pace>,
}

/// When the next one may be recorded, and how many were not since the last one.
#[derive(Default)]
struct Pace {
    next_at: Option<Instant>,
    left_out: u64,
}

impl Disbelief {
    pub(super) fn new(port: Arc<dyn CommandPort>) -> Self {
        Self { port, pace: Mutex::default() }
    }

    /// Records one, or counts it. Whether it can be recorded changes nothing for who sent it.
    pub(super) async fn record(&self, provider: &str, error: &WebhookError, body: &[u8]) {
        let Some(left_out) = self.pace().admit(Instant::now()) else {
            tracing::debug!(code = error.code(), "another webhook is not believed");
            return;
        };
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
                self.pace().left_out += left_out + 1;
                tracing::warn!(provider, code = error.code(), %error,
                    "that a webhook is not believed is not recorded");
            }
        }
    }

    fn pace(&self) -> std::sync::MutexGuard<'_, Pace> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pace {
    /// How many were left out before this one, if it is to be recorded.
    fn admit(&mut self, now: Instant) -> Option<u64> {
        if self.next_at.is_some_and(|next_at| now < next_at) {
            self.left_out += 1;
            return None;
        }
        self.next_at = Some(now + PAUSE);
        Some(std::mem::take(&mut self.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_a_second_is_recorded_and_the_others_are_counted() {
        let (mut pace, began) = (Pace::default(), Instant::now());
        let mut admit = |millis| pace.admit(began + Duration::from_millis(millis));

        assert_eq!([0, 1, 999].map(&mut admit), [Some(0), None, None]);
        assert_eq!([1000, 1999, 2000].map(&mut admit), [Some(2), None, Some(1)]);
        assert_eq!([9000].map(&mut admit), [Some(0)]);
    }
}
