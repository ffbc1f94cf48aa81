//! Taking a shard over: open it, bring the stream store up to the ownership's own beginning, open
//! the books.
//!
//! The end of the log is proven, not guessed: the restore has read everything when it has read the
//! records that this very ownership wrote into each partition.

use std::sync::Arc;
use std::time::Duration;

use domain::PositionVector;
use event_log::{LogError, LogRecord, OpenShard, ShardId, StreamStore, StreamStoreError};

use crate::book::Book;
use crate::commit::Tenure;
use crate::control::{Control, Stop};
use crate::gear::{Gear, StreamStores};
use crate::mailbox::Mailbox;
use crate::readiness::LanePhase;

/// Records read from the log at once while restoring.
const PAGE: usize = 2_000;
/// Reads in a row that may fail before the restore is given up, and begun anew with a new epoch.
const FAILURES_MAX: u32 = 20;
/// How long one read waits for the first of them; also how quickly a stop is noticed.
const WAIT: Duration = Duration::from_millis(100);

/// Why the shard is not served.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TakeOverError {
    /// The log said no, or nothing.
    #[error("the log did not let the shard be taken over")]
    Log(#[from] LogError),
    /// The store cannot be used; it is rebuilt at the next attempt.
    #[error("the stream store cannot be used")]
    Store(#[from] StreamStoreError),
    /// Another owner took over while this one restored.
    #[error("another owner opened the shard with epoch {0}")]
    Superseded(i64),
    /// The lane is to stop.
    #[error("stopped before it was restored")]
    Stopped,
}

/// What a take-over needs besides its shard.
pub(crate) struct TakeOver<'a> {
    pub(crate) gear: &'a Arc<Gear>,
    pub(crate) shard: ShardId,
    pub(crate) control: &'a Control,
    pub(crate) mailbox: &'a mut Mailbox,
    /// Throw the lane's own store away first.
    pub(crate) rebuild: bool,
}

impl TakeOver<'_> {
    /// Opens and restores the shard.
    ///
    /// # Errors
    /// [`TakeOverError`]; nothing of the attempt is left but a risen epoch.
    pub(crate) fn run(mut self) -> Result<Tenure, TakeOverError> {
        let gear = Arc::clone(self.gear);
        self.control.enter(LanePhase::Opening);
        let opened = gear.log.open_shard(self.shard, &gear.settings.address)?;
        gear.skew.measure(&*gear.log);
        tracing::info!(shard = %self.shard, epoch = opened.epoch, "opened the shard");

        let (mut store, feeds_store) = match gear.log.stream_store(self.shard)? {
            Some(store) => (store, false),
            None => (self.restored_store(&opened)?, true),
        };
        let checkpoint = store.checkpoint()?;
        if !checkpoint.vector().covers(&opened.opened) {
            let missing =
                format!("it holds {} and lacks a part of {}", checkpoint.vector(), opened.opened);
            return Err(StreamStoreError::Corrupt(missing).into());
        }
        let epoch = opened.epoch;
        let book = Book::open(gear, self.shard, epoch, store, feeds_store, &checkpoint);
        Ok(Tenure { book, writer: opened.writer })
    }

    fn restored_store(
        &mut self,
        opened: &OpenShard,
    ) -> Result<Box<dyn StreamStore>, TakeOverError> {
        let stores = self.gear.stores.as_ref().map(Arc::clone).ok_or_else(|| {
            LogError::Mismatch("this log needs a directory for stream stores".to_owned())
        })?;
        if self.rebuild {
            stores.destroy(self.shard)?;
        }
        match self.restore(&*stores, opened) {
            Err(TakeOverError::Store(error)) if !self.rebuild => {
                self.report_rebuild(error.code(), &error);
            }
            Err(TakeOverError::Log(error @ LogError::Corrupt(_))) if !self.rebuild => {
                self.report_rebuild(error.code(), &error);
            }
            outcome => return outcome,
        }
        stores.destroy(self.shard)?;
        self.restore(&*stores, opened)
    }

    fn report_rebuild(&self, code: &str, error: &(dyn std::error::Error + 'static)) {
        tracing::warn!(shard = %self.shard, code, error,
            "the stream store is thrown away and rebuilt from the log");
    }

    fn restore(
        &mut self,
        stores: &dyn StreamStores,
        opened: &OpenShard,
    ) -> Result<Box<dyn StreamStore>, TakeOverError> {
        let mut store = stores.open(self.shard)?;
        let topology = self.gear.log.topology();
        let checkpoint = store.checkpoint()?;
        let mut read: PositionVector = checkpoint.vector();
        if checkpoint.log_id != topology.log_id {
            let other = format!("it belongs to the log {}", checkpoint.log_id);
            return Err(StreamStoreError::Corrupt(other).into());
        }
        let partitions: Vec<u32> = topology.partitions_of(self.shard).collect();
        let mut reader = self.gear.log.reader(&read, &partitions)?;
        let mut records_read = 0;
        let mut failures = 0;
        while !read.covers(&opened.opened) {
            if self.control.stopping() != Stop::No {
                return Err(TakeOverError::Stopped);
            }
            self.control.enter(LanePhase::Restoring { records_read });
            self.mailbox.sweep();
            let records = match reader.poll(PAGE, WAIT) {
                Ok(records) => records,
                Err(error @ LogError::Unavailable { .. }) if failures < FAILURES_MAX => {
                    failures += 1;
                    self.control.explain(error.to_string());
                    self.control.pause(self.gear.settings.retry_pause.0);
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            failures = 0;
            if records.is_empty() {
                continue;
            }
            store.apply(&records)?;
            records_read += records.len() as u64;
            for record in &records {
                read.advance(record.position());
                if let LogRecord::Opened(other) = record
                    && other.shard == self.shard
                    && other.epoch > opened.epoch
                {
                    return Err(TakeOverError::Superseded(other.epoch));
                }
            }
        }
        tracing::info!(shard = %self.shard, epoch = opened.epoch, records_read, "restored");
        Ok(store)
    }
}
