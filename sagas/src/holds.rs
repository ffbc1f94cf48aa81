//! Expires holds whose time is over. The offer's own rules judge whether it is: this only asks.

use std::sync::Arc;
use std::time::Duration;

use domain::ids::{CommandId, HoldId, OfferId};
use domain::{Category, Command, StreamName, derive, offer};
use lanes::{Cause, CommandError, CommandPort, WallClock};
use read_models::ReadQueries;
use read_models::projections::OpenHoldRow;
use tokio_util::sync::CancellationToken;

use crate::ACTOR;
use crate::telemetry;

/// Looks for such holds at a steady pace.
pub(crate) struct Expiry {
    queries: Arc<ReadQueries>,
    port: Arc<dyn CommandPort>,
    clock: Arc<dyn WallClock>,
    every: Duration,
}

impl Expiry {
    pub(crate) fn new(
        queries: Arc<ReadQueries>,
        port: Arc<dyn CommandPort>,
        clock: Arc<dyn WallClock>,
        every: Duration,
    ) -> Self {
        Self { queries, port, clock, every }
    }

    pub(crate) async fn run(&self, stopping: &CancellationToken) {
        loop {
            tokio::select! {
                () = stopping.cancelled() => return,
                () = tokio::time::sleep(self.every) => {}
            }
            match self.queries.expired_holds(self.clock.now()).await {
                Ok(over) => {
                    for hold in over {
                        if stopping.is_cancelled() {
                            return;
                        }
                        self.expire(&hold).await;
                    }
                }
                Err(error) => {
                    tracing::warn!(code = error.code(), %error, "open holds cannot be read");
                }
            }
        }
    }

    async fn expire(&self, hold: &OpenHoldRow) {
        let (offer_id, hold_id) = (OfferId(hold.offer_id), HoldId(hold.hold_id));
        let stream = StreamName::new(Category::Offer, offer_id.0);
        let command = Command::Offer(offer::Command::ExpireHold { hold_id });
        // One id a hold: a refusal does not use it up, and an expiry happens once.
        let id = CommandId(derive::id("expire-hold", Some(hold_id.0), &[]));
        let cause = Cause {
            tenant: hold.tenant.clone(),
            correlation_id: hold.correlation_id,
            causation_id: hold.held_by.0,
            traceparent: None,
        };
        match self.port.send(ACTOR.request(stream, id, (&command.clone(), command), &cause)).await {
            Ok(_) => telemetry::hold_expired(),
            Err(CommandError::Refused(refusal)) => {
                tracing::debug!(%stream, %hold_id, code = refusal.code, "a hold does not expire");
            }
            Err(error) => {
                let code = error.code();
                tracing::info!(%stream, %hold_id, code, %error, "a hold is expired later");
            }
        }
    }
}
