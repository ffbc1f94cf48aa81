//! A lane's stream store beside a log that has none of its own: a SQLite file, derived from the
//! log.
//!
//! It is never repaired. When it does not fit the log or itself, [`LocalStreamStore::destroy`] it
//! and restore from the beginning; nothing is lost but time. Its commits survive a crash of the
//! process; after one of the machine SQLite may find it damaged, and it is restored.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use domain::ids::CommandId;
use domain::{Category, Position, StreamName};
use rusqlite::{Connection, Transaction};

use crate::sqlite_records::{self as records, Ends, EventInserter, RecordsError, Safety};
use crate::{
    Checkpoint, LogEvent, LogRecord, ShardId, Snapshot, StoredOutcome, StreamStore,
    StreamStoreError, Topology,
};

/// Raised whenever the tables change: an older file is restored anew.
const LAYOUT: u32 = 1;

/// The streams of one shard, on this machine.
pub struct LocalStreamStore {
    topology: Topology,
    shard: ShardId,
    connection: Connection,
    ends: Ends,
}

impl LocalStreamStore {
    /// Opens the store, and creates it when there is none. One process and one lane use it.
    ///
    /// # Errors
    /// [`StreamStoreError::Corrupt`] when it is damaged or was made for another log, shard or
    /// program: destroy it and open it again.
    pub fn open(path: &Path, topology: Topology, shard: ShardId) -> Result<Self, StreamStoreError> {
        let connection = records::open(path, Safety::Derived)?;
        records::create(&connection)?;
        records::create_snapshots(&connection)?;
        let identity = identity(topology, shard);
        match records::meta(&connection, "identity")? {
            None => records::put_meta(&connection, "identity", &identity)?,
            Some(found) if found == identity => {}
            Some(found) => {
                let reason = format!("the store is of `{found}`, not of `{identity}`");
                return Err(StreamStoreError::Corrupt(reason));
            }
        }
        let ends = Ends::load(&connection)?;
        check_last_events(&connection, &ends)?;
        Ok(Self { topology, shard, connection, ends })
    }

    /// Deletes the store's files; fine when there are none. No store may be open on them.
    ///
    /// # Errors
    /// [`StreamStoreError::Storage`].
    pub fn destroy(path: &Path) -> Result<(), StreamStoreError> {
        // The database goes last: what a crash leaves behind is then still recognised.
        for suffix in ["-wal", "-shm", ""] {
            let mut file = path.as_os_str().to_owned();
            file.push(suffix);
            match std::fs::remove_file(PathBuf::from(file)) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(StreamStoreError::Storage(Box::new(error)));
                }
                Ok(()) | Err(_) => {}
            }
        }
        Ok(())
    }

    fn take_in(&mut self, batch: &[LogRecord]) -> Result<(), RecordsError> {
        let mut changed = BTreeMap::new();
        let transaction = self.connection.transaction()?;
        {
            let mut versions = HashMap::new();
            let mut inserter = EventInserter::new(&transaction)?;
            for record in batch {
                let Position { partition, offset } = record.position();
                if self.topology.shard(partition) != self.shard {
                    continue;
                }
                let end = changed.get(&partition).copied();
                let end = end.unwrap_or_else(|| self.ends.of(partition));
                let Some(after) = end.after(record)? else { continue };
                match record {
                    LogRecord::Event(event) => {
                        check_version(&transaction, &mut versions, event)?;
                        let position = Position { partition, offset };
                        inserter.insert(position, &event.envelope, &event.value)?;
                    }
                    LogRecord::Opened(opened) => records::insert_opened(&transaction, opened)?,
                    LogRecord::Unreadable(_) => {}
                }
                changed.insert(partition, after);
            }
        }
        for (partition, end) in &changed {
            Ends::store(&transaction, *partition, end)?;
        }
        transaction.commit()?;
        for (partition, end) in changed {
            self.ends.set(partition, end);
        }
        Ok(())
    }
}

/// What the store is of. A program that knows other categories could read records that this one
/// passed over as unreadable, so its store is another one.
fn identity(topology: Topology, shard: ShardId) -> String {
    let categories: Vec<_> = Category::ALL.iter().map(|category| category.name()).collect();
    format!(
        "layout {LAYOUT}, log {}, {} partitions, shard {shard} of {}, categories {}",
        topology.log_id,
        topology.partitions,
        topology.shards,
        categories.join(" "),
    )
}

/// The checkpoint's last events must be the stored ones.
fn check_last_events(connection: &Connection, ends: &Ends) -> Result<(), RecordsError> {
    for (partition, end) in ends.iter().filter(|(_, end)| end.event_offset >= 0) {
        let position = Position { partition, offset: end.event_offset };
        if records::event_at(connection, position)? != Some((end.sequence, end.event_hash)) {
            let reason = format!("the last event of partition {partition} is not at {position}");
            return Err(RecordsError::Corrupt(reason));
        }
    }
    Ok(())
}

/// Versions are dense; `versions` remembers those of this batch.
fn check_version(
    transaction: &Transaction<'_>,
    versions: &mut HashMap<StreamName, u64>,
    event: &LogEvent,
) -> Result<(), RecordsError> {
    let (stream, version) = (event.envelope.stream, event.envelope.version);
    let last = match versions.get(&stream) {
        Some(last) => *last,
        None => records::stream_head(transaction, &stream)?.version,
    };
    if version != last + 1 {
        return Err(RecordsError::Corrupt(format!(
            "version {version} of {stream} stands at {}, after version {last}",
            event.position
        )));
    }
    versions.insert(stream, version);
    Ok(())
}

impl StreamStore for LocalStreamStore {
    fn checkpoint(&mut self) -> Result<Checkpoint, StreamStoreError> {
        Ok(self.ends.checkpoint(self.topology.log_id, |_| true))
    }

    fn events(
        &mut self,
        stream: &StreamName,
        after_version: u64,
        limit: usize,
    ) -> Result<Vec<LogEvent>, StreamStoreError> {
        Ok(records::stream_events(&self.connection, stream, after_version, limit)?)
    }

    fn outcome(
        &mut self,
        stream: &StreamName,
        command_id: CommandId,
    ) -> Result<Option<StoredOutcome>, StreamStoreError> {
        Ok(records::outcome(&self.connection, stream, command_id)?)
    }

    fn snapshot(&mut self, stream: &StreamName) -> Result<Option<Snapshot>, StreamStoreError> {
        Ok(records::snapshot(&self.connection, stream)?)
    }

    fn put_snapshots(&mut self, snapshots: &[Snapshot]) -> Result<(), StreamStoreError> {
        Ok(records::put_snapshots(&mut self.connection, snapshots)?)
    }

    fn apply(&mut self, records: &[LogRecord]) -> Result<(), StreamStoreError> {
        Ok(self.take_in(records)?)
    }
}

#[cfg(test)]
#[path = "local_stream_store_tests.rs"]
mod tests;
