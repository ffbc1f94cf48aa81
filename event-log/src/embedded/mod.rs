//! The embedded log: one process, one data directory, no other service.
//!
//! Every append is one SQLite transaction, synced before it returns; `kill -9` at any moment leaves
//! all that was acknowledged and nothing torn, and the next start recovers by itself. A directory
//! serves one writing process at a time; [`EmbeddedLog::open_read_only`] may read beside it.
//!
//! It is its own stream store, and it behaves as Kafka does where that could matter to somebody:
//! offsets have gaps, epochs fence older writers, partitions have no order among each other.

mod directory;
mod keeper;
mod ledger;
mod membership;
mod opening;
mod progress;
mod reader;
mod schemas;
mod store;
mod verification;
mod witness;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use domain::PositionVector;
use rusqlite::Connection;

use directory::{Directory, DirectoryLock};
use keeper::Keeper;
use ledger::Ledger;
use membership::Members;
use progress::Progress;
use reader::EmbeddedReader;
use store::EmbeddedStreamStore;

pub use keeper::RefusalRetention;

use crate::sqlite_records::{self as records, Ends, Safety};
use crate::{
    AppendError, Appended, Batch, Codec, Durability, EventLog, LogError, LogReader, Membership,
    OpenShard, OwnershipHandler, RefusalPage, ShardId, ShardOwner, ShardWriter, StreamStore,
    Topology, headers,
};

/// The largest record: what a Kafka broker takes by default, so that a log can move there.
const RECORD_BYTES_MAX: usize = 1_000_000;

/// Headers are far smaller than this but for the trace context.
const HEADER_BYTES_MAX: usize = 4_096;

/// The shape of a new embedded log; must be the recorded one for a log that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EmbeddedOptions {
    /// Partitions (1 to 1024).
    pub partitions: u32,
    /// Shards; divides `partitions`.
    pub shards: u32,
    /// For how long refusals are kept.
    pub refusals: RefusalRetention,
}

impl Default for EmbeddedOptions {
    /// Four partitions in one shard: on one disk more shards would only split the group commits.
    fn default() -> Self {
        Self { partitions: 4, shards: 1, refusals: RefusalRetention::default() }
    }
}

/// A log in a directory of this machine.
pub struct EmbeddedLog {
    inner: Arc<Inner>,
}

struct Inner {
    directory: Directory,
    topology: Topology,
    /// What a writing process has and a reading one has not.
    writing: Option<Writing>,
}

/// In the order in which it is dropped: the lock goes last.
struct Writing {
    /// Held for its drop.
    _keeper: Keeper,
    ledger: Arc<Mutex<Ledger>>,
    progress: Arc<Progress>,
    owners: Mutex<BTreeMap<ShardId, ShardOwner>>,
    members: Members,
    _lock: DirectoryLock,
}

impl EmbeddedLog {
    /// The snapshots' file; a damaged one is deleted and begun anew, because it is a cache.
    fn snapshots(&self) -> Result<rusqlite::Connection, LogError> {
        let path = self.inner.directory.snapshots();
        let open = || {
            let snapshots = records::open(&path, Safety::Derived)?;
            records::create_snapshots(&snapshots)?;
            Ok::<_, records::RecordsError>(snapshots)
        };
        open().or_else(|error| {
            tracing::warn!(%error, "the snapshots are damaged and are begun anew");
            for suffix in ["", "-wal", "-shm"] {
                let mut file = path.clone().into_os_string();
                file.push(suffix);
                // What is not there need not be deleted; what stays shows when it is opened.
                std::fs::remove_file(file).ok();
            }
            Ok(open()?)
        })
    }

    /// Opens the log in a directory for this process alone, and creates it when there is none.
    ///
    /// # Errors
    /// [`LogError::Unavailable`] while another process has it, [`LogError::Mismatch`] when it has
    /// another shape, [`LogError::Corrupt`] when it lacks what was acknowledged.
    pub fn open(directory: &Path, options: EmbeddedOptions) -> Result<Self, LogError> {
        opening::open(directory, options)
    }

    /// Opens the log for reading, beside a process that writes it or without one. Needs write
    /// permission in the directory all the same, for SQLite's shared index.
    ///
    /// # Errors
    /// [`LogError::Mismatch`] when there is no log; [`LogError`].
    pub fn open_read_only(directory: &Path) -> Result<Self, LogError> {
        opening::open_read_only(directory)
    }

    /// Takes the log as it is, although it is behind its witness or has none: the operator's word
    /// that what is missing is gone, for instance after an older backup was restored. Says what
    /// the witness knew of and the log lacks.
    ///
    /// # Errors
    /// [`LogError`], as for [`Self::open`].
    pub fn accept_as_it_is(directory: &Path) -> Result<Vec<String>, LogError> {
        opening::accept_as_it_is(directory)
    }

    /// The codec of this log's events.
    ///
    /// # Errors
    /// [`LogError`].
    pub fn codec(&self) -> Result<Codec, LogError> {
        let ids = schemas::ids(&self.inner.connection()?)?;
        let records = self.inner.directory.records();
        Ok(Codec::new(ids, Box::new(schemas::LogSchemas { records })))
    }

    /// Looks at everything, beside whatever else goes on: the database's indexes, every record's
    /// checksum, the sequences and the hash chains. Says how many records there are.
    ///
    /// # Errors
    /// [`LogError::Corrupt`] names the first damage.
    pub fn verify(&self) -> Result<u64, LogError> {
        Ok(verification::verify(&self.inner.connection()?)?)
    }
}

impl Inner {
    fn connection(&self) -> Result<Connection, LogError> {
        Ok(records::open_read_only(&self.directory.records())?)
    }

    fn writing(&self, what: &str) -> Result<&Writing, LogError> {
        self.writing.as_ref().ok_or_else(|| LogError::Failed {
            reason: format!("{what}: the log was opened for reading only"),
            source: None,
        })
    }

    fn known_shard(&self, shard: ShardId) -> Result<(), LogError> {
        if shard.0 < self.topology.shards {
            return Ok(());
        }
        Err(LogError::Mismatch(format!(
            "there is no shard {shard}: the log has {}",
            self.topology.shards
        )))
    }
}

impl Writing {
    fn ledger(&self) -> std::sync::MutexGuard<'_, Ledger> {
        // A panic inside a transaction rolled it back, and the ends change only after a commit.
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl EventLog for EmbeddedLog {
    fn topology(&self) -> Topology {
        self.inner.topology
    }

    fn open_shard(&self, shard: ShardId, address: &str) -> Result<OpenShard, LogError> {
        self.inner.known_shard(shard)?;
        let writing = self.inner.writing("opening a shard")?;
        let mut ledger = writing.ledger();
        let (owner, opened) = ledger.open_shard(shard, address)?;
        writing.progress.publish(&ledger.vector());
        let epoch = owner.epoch;
        writing.owners.lock().unwrap_or_else(PoisonError::into_inner).insert(shard, owner);
        drop(ledger);
        let writer = EmbeddedWriter { log: Arc::clone(&self.inner), shard, epoch };
        Ok(OpenShard { epoch, opened, writer: Box::new(writer) })
    }

    fn stream_store(&self, shard: ShardId) -> Result<Option<Box<dyn StreamStore>>, LogError> {
        self.inner.known_shard(shard)?;
        let snapshots = self.snapshots()?;
        Ok(Some(Box::new(EmbeddedStreamStore {
            topology: self.inner.topology,
            shard,
            log: self.inner.connection()?,
            snapshots,
            snapshots_failed: false,
        })))
    }

    fn reader(
        &self,
        start: &PositionVector,
        partitions: &[u32],
    ) -> Result<Box<dyn LogReader>, LogError> {
        let count = self.inner.topology.partitions;
        if let Some(unknown) = partitions.iter().find(|partition| **partition >= count) {
            let reason = format!("there is no partition {unknown}: the log has {count}");
            return Err(LogError::Mismatch(reason));
        }
        let partitions =
            if partitions.is_empty() { (0..count).collect() } else { partitions.to_vec() };
        let progress = self.inner.writing.as_ref().map(|writing| Arc::clone(&writing.progress));
        let connection = self.inner.connection()?;
        Ok(Box::new(EmbeddedReader::new(connection, progress, partitions, start)?))
    }

    fn end(&self) -> Result<PositionVector, LogError> {
        match &self.inner.writing {
            Some(writing) => Ok(writing.progress.end()),
            None => Ok(Ends::load(&self.inner.connection()?)?.vector()),
        }
    }

    fn refusals(&self, before: &PositionVector, max: usize) -> Result<RefusalPage, LogError> {
        opening::refusals_before(&self.inner.connection()?, before, max)
    }

    fn join(&self, handler: Arc<dyn OwnershipHandler>) -> Result<Box<dyn Membership>, LogError> {
        let writing = self.inner.writing("joining the owners")?;
        Ok(Box::new(writing.members.join(self.inner.topology, handler)?))
    }

    fn owner(&self, shard: ShardId) -> Option<ShardOwner> {
        if let Some(writing) = &self.inner.writing {
            let owners = writing.owners.lock().unwrap_or_else(PoisonError::into_inner);
            return owners.get(&shard).cloned();
        }
        let owners = self.inner.connection().and_then(|found| opening::owners(&found));
        owners.ok().and_then(|mut owners| owners.remove(&shard))
    }

    fn clock_skew_micros(&self) -> Result<i64, LogError> {
        Ok(0)
    }

    fn record_bytes_max(&self) -> usize {
        RECORD_BYTES_MAX
    }

    fn durability(&self) -> Durability {
        Durability {
            survives_power_cut: true,
            description: format!(
                "each commit is synced to the disk under {} before it is acknowledged",
                self.inner.directory.path().display()
            ),
        }
    }
}

struct EmbeddedWriter {
    log: Arc<Inner>,
    shard: ShardId,
    epoch: i64,
}

impl ShardWriter for EmbeddedWriter {
    fn append(&mut self, batch: &Batch) -> Result<Appended, AppendError> {
        if let Some(index) = too_large(batch) {
            return Err(AppendError::TooLarge { index });
        }
        let writing = self.log.writing.as_ref().expect("only a writing process opens shards");
        let mut ledger = writing.ledger();
        let appended = ledger.append(self.shard, self.epoch, batch)?;
        // Published in the order of commits, for the lock is still held.
        writing.progress.publish(&ledger.vector());
        Ok(appended)
    }
}

fn too_large(batch: &Batch) -> Option<usize> {
    batch.events.iter().position(|event| {
        let traceparent = event.envelope.traceparent.as_ref().map_or(0, String::len);
        let estimate = event.value.len() + traceparent + HEADER_BYTES_MAX;
        estimate > RECORD_BYTES_MAX
            && headers::record_bytes(&event.envelope, &event.value, &mut String::new())
                > RECORD_BYTES_MAX
    })
}

#[cfg(test)]
mod tests;
