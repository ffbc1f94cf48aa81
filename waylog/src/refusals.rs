//! The log's refusals, for the query API: read from the log when they are asked for.

use std::sync::Arc;

use domain::PositionVector;
use event_log::{EventLog, LogError};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use query_api::{RefusalTrail, Refused, RefusedPage, TrailError};

/// Refusals of one log.
pub(crate) struct LogRefusals(pub(crate) Arc<dyn EventLog>);

impl RefusalTrail for LogRefusals {
    fn read(
        &self,
        before: PositionVector,
        max: usize,
    ) -> BoxFuture<'_, Result<RefusedPage, TrailError>> {
        let log = Arc::clone(&self.0);
        async move {
            let read = tokio::task::spawn_blocking(move || log.refusals(&before, max)).await;
            let page = match read {
                Ok(Ok(page)) => page,
                Ok(Err(error @ LogError::Unavailable { .. })) => {
                    return Err(TrailError::Unavailable(Box::new(error)));
                }
                Ok(Err(error)) => return Err(TrailError::Failed(Box::new(error))),
                Err(panic) => return Err(TrailError::Failed(Box::new(panic))),
            };
            let (start, before, more) = (page.start, page.before, page.more);
            let refused = page.refusals.into_iter().map(|(at, record)| Refused {
                at,
                stream: record.stream,
                version: record.version,
                command_id: record.command_id,
                command: record.command,
                correlation_id: record.correlation_id,
                causation_id: record.causation_id,
                actor: record.actor,
                tenant: record.tenant,
                refused_at: record.refused_at,
                refusal: record.refusal,
            });
            Ok(RefusedPage { refused: refused.collect(), start, before, more })
        }
        .boxed()
    }
}
