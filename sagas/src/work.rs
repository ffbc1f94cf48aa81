//! The list of what sagas want done, as far as it is of one kind.

use std::sync::Arc;

use lanes::{Came, Piece, WallClock, WorkList};
use read_models::ReadQueries;
use read_models::projections::{SagaWorkRow, saga_work};
use read_models::queries::{QueryError, WORK_MAX, WorkCursor};

use crate::sending::Sender;
use crate::telemetry;

/// Entries that are to be sent, or whose outcome is to be told.
pub(crate) struct OpenWork {
    /// Which of the two.
    pub(crate) todo: &'static str,
    pub(crate) queries: Arc<ReadQueries>,
    pub(crate) clock: Arc<dyn WallClock>,
    pub(crate) sender: Arc<Sender>,
}

#[async_trait::async_trait]
impl WorkList for OpenWork {
    type Entry = SagaWorkRow;
    type Key = (String, String, u32);
    type Cursor = WorkCursor;
    type Error = QueryError;

    fn name(&self) -> &'static str {
        if self.todo == saga_work::RECORD { "outcomes for sagas" } else { "commands of sagas" }
    }

    async fn look(
        &self,
        after: Option<WorkCursor>,
    ) -> Result<Piece<SagaWorkRow, WorkCursor>, QueryError> {
        let entries = self.queries.open_saga_work(self.todo, self.clock.now(), after).await?;
        telemetry::open(self.todo, entries.len());
        let full = entries.len() == WORK_MAX as usize;
        let more = entries.last().filter(|_| full).map(WorkCursor::from);
        Ok(Piece { entries, more })
    }

    fn key(&self, row: &SagaWorkRow) -> Self::Key {
        (row.target.clone(), row.effect.clone(), row.attempt)
    }

    fn group(&self, row: &SagaWorkRow) -> u32 {
        self.sender.shard_of(row)
    }

    async fn run(&self, row: SagaWorkRow) -> Came {
        self.sender.run(&row).await
    }
}
