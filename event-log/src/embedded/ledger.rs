//! The one place that writes the embedded log: every change is one transaction, synced before it is
//! acknowledged, and then named by the witness.

use std::collections::BTreeMap;

use domain::{Position, PositionVector};
use rusqlite::{Connection, ErrorCode, OptionalExtension as _, Transaction, TransactionBehavior};

use super::witness::Witness;
use crate::sqlite_records::{self as records, Ends, EventInserter, PartitionEnd, RecordsError};
use crate::{
    AppendError, Appended, Batch, CommitState, LogError, OpenedRecord, ShardId, ShardOwner,
    Topology,
};

/// Tables that only the embedded log has.
pub(super) const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS shards (
        shard INTEGER PRIMARY KEY,
        epoch INTEGER NOT NULL,
        address TEXT NOT NULL
    );
    CREATE TABLE IF NOT EXISTS refusals (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        refused_at INTEGER NOT NULL,
        record_json TEXT NOT NULL
    );
    CREATE TABLE IF NOT EXISTS schemas (
        id INTEGER PRIMARY KEY,
        record TEXT NOT NULL,
        schema_json TEXT NOT NULL
    );
";

/// Why an append or a take-over did not happen.
#[derive(Debug, thiserror::Error)]
enum LedgerError {
    #[error("shard {shard} was opened again: epoch {newest} is newer than {epoch}")]
    Fenced { shard: ShardId, epoch: i64, newest: i64 },
    #[error("partition {partition} is not of shard {shard}")]
    WrongShard { partition: u32, shard: ShardId },
    #[error("the log broke earlier and takes nothing until it is opened again: {0}")]
    Broken(String),
    #[error("a refusal cannot be written as JSON")]
    Refusal(#[from] serde_json::Error),
    #[error(transparent)]
    Records(#[from] RecordsError),
}

impl From<rusqlite::Error> for LedgerError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Records(error.into())
    }
}

/// The writing connection and what it last wrote.
pub(super) struct Ledger {
    connection: Connection,
    topology: Topology,
    ends: Ends,
    witness: Witness,
    broken: Option<String>,
}

/// The ends that a transaction will leave behind.
struct Draft<'ledger> {
    ends: &'ledger Ends,
    changed: BTreeMap<u32, PartitionEnd>,
}

impl Draft<'_> {
    /// The end of a partition and the offset of its next record. Each transaction leaves a gap of
    /// one offset behind it, as a Kafka transaction does with its marker.
    fn next(&self, partition: u32) -> (PartitionEnd, i64) {
        if let Some(end) = self.changed.get(&partition) {
            return (*end, end.offset + 1);
        }
        let end = self.ends.of(partition);
        (end, if end.offset < 0 { 0 } else { end.offset + 2 })
    }

    fn store(&self, transaction: &Transaction<'_>) -> Result<(), RecordsError> {
        self.changed
            .iter()
            .try_for_each(|(partition, end)| Ends::store(transaction, *partition, end))
    }
}

impl Ledger {
    pub(super) const fn new(
        connection: Connection,
        topology: Topology,
        ends: Ends,
        witness: Witness,
    ) -> Self {
        Self { connection, topology, ends, witness, broken: None }
    }

    /// The last record of each partition.
    pub(super) fn vector(&self) -> PositionVector {
        self.ends.vector()
    }

    /// The writing connection, for upkeep while nothing is appended.
    pub(super) const fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Appends a batch under an epoch, all or nothing.
    pub(super) fn append(
        &mut self,
        shard: ShardId,
        epoch: i64,
        batch: &Batch,
    ) -> Result<Appended, AppendError> {
        let lost = |committed, error: LedgerError| AppendError::Lost {
            committed,
            source: Box::new(error),
        };
        if let Some(reason) = &self.broken {
            let error = LedgerError::Broken(reason.clone());
            return Err(lost(CommitState::NotWritten, error));
        }
        let mut offsets = Vec::with_capacity(batch.events.len());
        let draft = self.transact(|topology, transaction, draft| {
            check_epoch(transaction, shard, epoch)?;
            insert_events(topology, transaction, draft, shard, batch, &mut offsets)?;
            insert_refusals(transaction, batch)
        });
        match draft {
            Ok(()) => Ok(Appended { offsets }),
            Err((state, error)) if state == CommitState::Unknown || self.broken.is_some() => {
                Err(lost(state, error))
            }
            Err((state, error @ LedgerError::Fenced { .. })) => Err(lost(state, error)),
            Err((_, error)) => Err(AppendError::Aborted(Box::new(error))),
        }
    }

    /// Raises the shard's epoch and writes its opened records.
    pub(super) fn open_shard(
        &mut self,
        shard: ShardId,
        address: &str,
    ) -> Result<(ShardOwner, PositionVector), LogError> {
        if let Some(reason) = &self.broken {
            return Err(broken(reason));
        }
        let mut opened = PositionVector::empty();
        let mut owner = ShardOwner { epoch: 0, address: address.to_owned() };
        self.transact(|topology, transaction, draft| {
            owner.epoch = epoch(transaction, shard)?.unwrap_or(0) + 1;
            for partition in topology.partitions_of(shard) {
                let (end, offset) = draft.next(partition);
                let position = Position { partition, offset };
                let record = OpenedRecord {
                    position,
                    shard,
                    epoch: owner.epoch,
                    address: address.to_owned(),
                };
                records::insert_opened(transaction, &record)?;
                draft.changed.insert(partition, end.after_opened(offset, owner.epoch));
                opened.advance(position);
            }
            transaction.execute(
                "INSERT OR REPLACE INTO shards (shard, epoch, address) VALUES (?1, ?2, ?3)",
                rusqlite::params![shard.0, owner.epoch, address],
            )?;
            Ok(())
        })
        .map_err(|(_, error)| match error {
            LedgerError::Records(error) => LogError::from(error),
            error => LogError::Failed {
                reason: "opening a shard".to_owned(),
                source: Some(Box::new(error)),
            },
        })?;
        Ok((owner, opened))
    }

    /// Runs one transaction; afterwards the ends are the draft's, and the witness names them.
    fn transact(
        &mut self,
        work: impl FnOnce(&Topology, &Transaction<'_>, &mut Draft<'_>) -> Result<(), LedgerError>,
    ) -> Result<(), (CommitState, LedgerError)> {
        let mut draft = Draft { ends: &self.ends, changed: BTreeMap::new() };
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(|error| (CommitState::NotWritten, error.into()))?;
        let worked = work(&self.topology, &transaction, &mut draft)
            .and_then(|()| Ok(draft.store(&transaction)?));
        if let Err(error) = worked {
            // Of a full disk SQLite rolls back by itself.
            let rolled_back =
                if transaction.is_autocommit() { Ok(()) } else { transaction.rollback() };
            if let Err(failure) = rolled_back {
                self.broken = Some(format!("a rollback failed: {failure}"));
            } else if let LedgerError::Records(RecordsError::Corrupt(reason)) = &error {
                self.broken = Some(reason.clone());
            }
            return Err((CommitState::NotWritten, error));
        }
        if let Err(error) = transaction.commit() {
            // A full disk is met before the commit mark is whole; any other failure may have come
            // after it, and then a restart would find the transaction.
            let full = error.sqlite_error_code() == Some(ErrorCode::DiskFull);
            if full && self.connection.is_autocommit() {
                return Err((CommitState::NotWritten, error.into()));
            }
            self.broken = Some(format!("a commit failed: {error}"));
            return Err((CommitState::Unknown, error.into()));
        }
        let Draft { changed, .. } = draft;
        for (partition, end) in changed {
            self.ends.set(partition, end);
            if let Err(error) = self.witness.testify(partition, &end) {
                // What was committed is safe; without a witness nothing more is taken.
                tracing::error!(code = error.code(), ?error, "the witness cannot be written");
                self.broken = Some(format!("the witness cannot be written: {error}"));
            }
        }
        Ok(())
    }
}

fn broken(reason: &str) -> LogError {
    LogError::Failed {
        reason: "the log broke earlier and takes nothing until it is opened again".to_owned(),
        source: Some(reason.into()),
    }
}

fn epoch(transaction: &Transaction<'_>, shard: ShardId) -> Result<Option<i64>, RecordsError> {
    let mut statement = transaction.prepare_cached("SELECT epoch FROM shards WHERE shard = ?1")?;
    Ok(statement.query_row([shard.0], |row| row.get(0)).optional()?)
}

fn check_epoch(transaction: &Transaction<'_>, shard: ShardId, own: i64) -> Result<(), LedgerError> {
    match epoch(transaction, shard)? {
        Some(newest) if newest == own => Ok(()),
        newest => {
            Err(LedgerError::Fenced { shard, epoch: own, newest: newest.unwrap_or_default() })
        }
    }
}

fn insert_events(
    topology: &Topology,
    transaction: &Transaction<'_>,
    draft: &mut Draft<'_>,
    shard: ShardId,
    batch: &Batch,
    offsets: &mut Vec<i64>,
) -> Result<(), LedgerError> {
    let mut inserter = EventInserter::new(transaction)?;
    for event in &batch.events {
        let partition = event.partition;
        if partition >= topology.partitions || topology.shard(partition) != shard {
            return Err(LedgerError::WrongShard { partition, shard });
        }
        let (end, offset) = draft.next(partition);
        inserter.insert(Position { partition, offset }, &event.envelope, &event.value)?;
        draft.changed.insert(partition, end.after_event(offset, &event.envelope));
        offsets.push(offset);
    }
    Ok(())
}

fn insert_refusals(transaction: &Transaction<'_>, batch: &Batch) -> Result<(), LedgerError> {
    if batch.refusals.is_empty() {
        return Ok(());
    }
    let mut statement = transaction
        .prepare_cached("INSERT INTO refusals (refused_at, record_json) VALUES (?1, ?2)")?;
    for refusal in &batch.refusals {
        let json = serde_json::to_string(refusal)?;
        statement.execute(rusqlite::params![refusal.refused_at.micros(), json])?;
    }
    Ok(())
}
