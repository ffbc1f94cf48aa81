//! A read store whose calls fail when a test says so.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use async_trait::async_trait;
use domain::PositionVector;
use read_models::{
    Applied, Changes, Generation, Indexed, ParkedStream, ProjectionState, ReadStore,
    ReadStoreError, RowKey, Table, TableSum, Value,
};

/// Wraps a real store.
pub(crate) struct FaultyStore {
    inner: Arc<dyn ReadStore>,
    /// Nothing answers.
    pub(crate) away: AtomicBool,
    /// So many calls are answered, then nothing is; `u64::MAX`: no such end.
    pub(crate) calls_left: AtomicU64,
    /// So many batches are committed without an answer.
    pub(crate) lost_answers: AtomicU64,
    /// So many indexes are still to be built, before those that the store knows of.
    pub(crate) indexes_left: AtomicU64,
    /// No generation is made the live one, for a reason that stays.
    pub(crate) refuses_promotion: AtomicBool,
    /// Rows that hold this text are refused.
    pub(crate) refused_text: Mutex<Option<String>>,
    pub(crate) committed: AtomicU64,
}

impl FaultyStore {
    pub(crate) fn new(inner: Arc<dyn ReadStore>) -> Self {
        Self {
            inner,
            away: AtomicBool::new(false),
            calls_left: AtomicU64::new(u64::MAX),
            lost_answers: AtomicU64::new(0),
            indexes_left: AtomicU64::new(0),
            refuses_promotion: AtomicBool::new(false),
            refused_text: Mutex::new(None),
            committed: AtomicU64::new(0),
        }
    }

    fn answers(&self) -> Result<(), ReadStoreError> {
        let spent = |left: u64| (left != u64::MAX).then(|| left.saturating_sub(1));
        let (set, read) = (Ordering::SeqCst, Ordering::SeqCst);
        let left = self.calls_left.fetch_update(set, read, spent).unwrap_or(u64::MAX);
        if left == 0 || self.away.load(Ordering::SeqCst) {
            return Err(gone());
        }
        Ok(())
    }

    fn refuses(&self, changes: &Changes<'_>) -> bool {
        let Some(text) = self.refused_text.lock().unwrap().clone() else { return false };
        let rows = changes.tables.iter().flat_map(|table| &table.rows);
        rows.filter_map(|row| row.after.as_ref())
            .flatten()
            .any(|value| matches!(value, Value::Text(found) if *found == text))
    }
}

fn gone() -> ReadStoreError {
    ReadStoreError::Unavailable("connection reset".to_owned(), None)
}

#[async_trait]
impl ReadStore for FaultyStore {
    async fn prepare(&self) -> Result<(), ReadStoreError> {
        self.answers()?;
        self.inner.prepare().await
    }

    async fn generations(&self) -> Result<Vec<ProjectionState>, ReadStoreError> {
        self.answers()?;
        self.inner.generations().await
    }

    async fn next_number(&self, projection: &str) -> Result<u32, ReadStoreError> {
        self.answers()?;
        self.inner.next_number(projection).await
    }

    async fn create(
        &self,
        generation: &Generation,
        version: u32,
        tables: &'static [&'static Table],
    ) -> Result<ProjectionState, ReadStoreError> {
        self.answers()?;
        self.inner.create(generation, version, tables).await
    }

    async fn state(
        &self,
        generation: &Generation,
    ) -> Result<Option<ProjectionState>, ReadStoreError> {
        self.answers()?;
        self.inner.state(generation).await
    }

    async fn load(
        &self,
        generation: &Generation,
        table: &'static Table,
        keys: &[RowKey],
    ) -> Result<Vec<Vec<Value>>, ReadStoreError> {
        self.answers()?;
        self.inner.load(generation, table, keys).await
    }

    async fn apply(&self, changes: Changes<'_>) -> Result<Applied, ReadStoreError> {
        self.answers()?;
        if self.refuses(&changes) {
            return Err(ReadStoreError::Refused("the text is refused".to_owned()));
        }
        let applied = self.inner.apply(changes).await?;
        if applied == Applied::Committed {
            self.committed.fetch_add(1, Ordering::SeqCst);
        }
        let lost = self
            .lost_answers
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        // The batch that used up the last call dies between the commit and its answer.
        if lost.is_ok() || self.calls_left.load(Ordering::SeqCst) == 0 {
            return Err(gone());
        }
        Ok(applied)
    }

    async fn sums(
        &self,
        generation: &Generation,
    ) -> Result<(PositionVector, Vec<(String, TableSum)>), ReadStoreError> {
        self.answers()?;
        self.inner.sums(generation).await
    }

    async fn recompute_sums(
        &self,
        generation: &Generation,
        tables: &'static [&'static Table],
    ) -> Result<(PositionVector, Vec<(String, TableSum)>), ReadStoreError> {
        self.answers()?;
        self.inner.recompute_sums(generation, tables).await
    }

    async fn index(
        &self,
        generation: &Generation,
        tables: &'static [&'static Table],
    ) -> Result<Indexed, ReadStoreError> {
        self.answers()?;
        let (set, read) = (Ordering::SeqCst, Ordering::SeqCst);
        if self.indexes_left.fetch_update(set, read, |left| left.checked_sub(1)).is_ok() {
            tokio::task::yield_now().await;
            return Ok(Indexed::Partly);
        }
        self.inner.index(generation, tables).await
    }

    async fn parked(&self, generation: &Generation) -> Result<Vec<ParkedStream>, ReadStoreError> {
        self.answers()?;
        self.inner.parked(generation).await
    }

    async fn promote(&self, generation: &Generation) -> Result<(), ReadStoreError> {
        self.answers()?;
        if self.refuses_promotion.load(Ordering::SeqCst) {
            return Err(ReadStoreError::Refused("it has no indexes".to_owned()));
        }
        self.inner.promote(generation).await
    }

    async fn drop_generation(&self, generation: &Generation) -> Result<(), ReadStoreError> {
        self.answers()?;
        self.inner.drop_generation(generation).await
    }
}
