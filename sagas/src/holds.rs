//! Expires holds whose time is over. The offer's own rules judge whether it is: this only asks.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use domain::ids::{CommandId, HoldId, OfferId};
use domain::{Category, Command, StreamName, derive, offer};
use lanes::{Came, Cause, CommandError, CommandPort, Piece, WallClock, WorkList};
use read_models::ReadQueries;
use read_models::projections::OpenHoldRow;
use read_models::queries::{HoldCursor, QueryError, WORK_MAX};
use uuid::Uuid;

use crate::ACTOR;
use crate::telemetry;

/// The list of such holds.
pub(crate) struct ExpiredHolds {
    queries: Arc<ReadQueries>,
    port: Arc<dyn CommandPort>,
    clock: Arc<dyn WallClock>,
    overdue_seconds: AtomicU64,
}

impl ExpiredHolds {
    pub(crate) fn new(
        queries: Arc<ReadQueries>,
        port: Arc<dyn CommandPort>,
        clock: Arc<dyn WallClock>,
    ) -> Self {
        Self { queries, port, clock, overdue_seconds: AtomicU64::new(0) }
    }

    /// By how much the oldest hold was over at the last look at the list's beginning.
    pub(crate) fn overdue_seconds(&self) -> u64 {
        self.overdue_seconds.load(Ordering::Relaxed)
    }
}

#[async_trait::async_trait]
impl WorkList for ExpiredHolds {
    type Entry = OpenHoldRow;
    type Key = (Uuid, Uuid);
    type Cursor = HoldCursor;
    type Error = QueryError;

    fn name(&self) -> &'static str {
        "expired holds"
    }

    async fn look(
        &self,
        after: Option<HoldCursor>,
    ) -> Result<Piece<OpenHoldRow, HoldCursor>, QueryError> {
        let (now, beginning) = (self.clock.now(), after.is_none());
        let entries = self.queries.expired_holds(now, after).await?;
        if beginning {
            let oldest = entries.first();
            let over = oldest.map_or(0, |hold| now.micros() - hold.expires_at.micros());
            let seconds = u64::try_from(over / 1_000_000).unwrap_or(0);
            self.overdue_seconds.store(seconds, Ordering::Relaxed);
            telemetry::overdue(seconds);
        }
        let full = entries.len() == WORK_MAX as usize;
        let more = entries.last().filter(|_| full).map(HoldCursor::from);
        Ok(Piece { entries, more })
    }

    fn key(&self, hold: &OpenHoldRow) -> Self::Key {
        (hold.offer_id, hold.hold_id)
    }

    fn group(&self, hold: &OpenHoldRow) -> u32 {
        self.port.shard_of(&stream(hold))
    }

    async fn run(&self, hold: OpenHoldRow) -> Came {
        let (stream, hold_id) = (stream(&hold), HoldId(hold.hold_id));
        let command = Command::Offer(offer::Command::ExpireHold { hold_id });
        // One id a hold: a refusal does not use it up, and an expiry happens once. The hold's whole
        // id counts: what lies near it has its first 48 bits, too, as the lines of one saga do.
        let parts = [hold_id.0.as_bytes().as_slice(), hold.held_by.0.as_bytes()];
        let id = CommandId(derive::id("expire-hold", Some(hold_id.0), &parts));
        let cause = Cause {
            tenant: hold.tenant.clone(),
            correlation_id: hold.correlation_id,
            causation_id: hold.held_by.0,
            traceparent: None,
        };
        match self.port.send(ACTOR.request(stream, id, (&command.clone(), command), &cause)).await {
            Ok(_) => {
                telemetry::hold_expired();
                return Came::Done;
            }
            Err(CommandError::Refused(refusal)) => {
                tracing::debug!(%stream, %hold_id, code = refusal.code, "a hold does not expire");
            }
            Err(error) => {
                let code = error.code();
                tracing::info!(%stream, %hold_id, code, %error, "a hold is expired later");
            }
        }
        Came::Failed
    }
}

fn stream(hold: &OpenHoldRow) -> StreamName {
    StreamName::new(Category::Offer, OfferId(hold.offer_id).0)
}
