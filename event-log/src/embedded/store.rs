//! The embedded log as its own stream store: nothing is kept twice but snapshots, which live in a
//! file of their own so that they never make an append wait.

use domain::StreamName;
use domain::ids::CommandId;
use rusqlite::Connection;

use crate::sqlite_records::{self as records, Ends};
use crate::{
    Checkpoint, LogEvent, LogRecord, ShardId, Snapshot, StoredOutcome, StreamStore,
    StreamStoreError, Topology,
};

pub(super) struct EmbeddedStreamStore {
    pub(super) topology: Topology,
    pub(super) shard: ShardId,
    pub(super) log: Connection,
    pub(super) snapshots: Connection,
    /// Whether it was said that the snapshots fail: a damaged file fails for every stream.
    pub(super) snapshots_failed: bool,
}

impl EmbeddedStreamStore {
    fn snapshots_fail(&mut self, error: &(dyn std::error::Error + 'static)) {
        if !std::mem::replace(&mut self.snapshots_failed, true) {
            tracing::warn!(
                error,
                "snapshots fail, said once: streams are folded from older ones, or from all events"
            );
        }
    }
}

impl StreamStore for EmbeddedStreamStore {
    fn checkpoint(&mut self) -> Result<Checkpoint, StreamStoreError> {
        let (topology, shard) = (self.topology, self.shard);
        let ends = Ends::load(&self.log)?;
        Ok(ends.checkpoint(topology.log_id, |partition| topology.shard(partition) == shard))
    }

    fn events(
        &mut self,
        stream: &StreamName,
        after_version: u64,
        limit: usize,
    ) -> Result<Vec<LogEvent>, StreamStoreError> {
        Ok(records::stream_events(&self.log, stream, after_version, limit)?)
    }

    fn outcome(
        &mut self,
        stream: &StreamName,
        command_id: CommandId,
    ) -> Result<Option<StoredOutcome>, StreamStoreError> {
        Ok(records::outcome(&self.log, stream, command_id)?)
    }

    fn snapshot(&mut self, stream: &StreamName) -> Result<Option<Snapshot>, StreamStoreError> {
        // A cache that is damaged costs a longer fold, not an answer.
        let snapshot = records::snapshot(&self.snapshots, stream).unwrap_or_else(|error| {
            self.snapshots_fail(&error);
            None
        });
        let Some(snapshot) = snapshot else { return Ok(None) };
        // A log that was restored from a backup may be behind its snapshots, or differ from them.
        let known = records::stream_head_at(&self.log, stream, snapshot.head.version)?;
        Ok((known == Some(snapshot.head)).then_some(snapshot))
    }

    fn put_snapshots(&mut self, snapshots: &[Snapshot]) -> Result<(), StreamStoreError> {
        if let Err(error) = records::put_snapshots(&mut self.snapshots, snapshots) {
            self.snapshots_fail(&error);
        }
        Ok(())
    }

    fn apply(&mut self, records: &[LogRecord]) -> Result<(), StreamStoreError> {
        let end = Ends::load(&self.log)?.vector();
        match records.iter().map(LogRecord::position).find(|position| !end.includes(*position)) {
            None => Ok(()),
            Some(position) => Err(StreamStoreError::Corrupt(format!(
                "a record at {position} lies beyond the end of the log, {end}"
            ))),
        }
    }
}
