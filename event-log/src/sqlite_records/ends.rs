//! How far each partition goes: the last record and the last event of each.

use std::collections::BTreeMap;

use domain::{Digest, LogId, Position, PositionVector, Timestamp};
use rusqlite::{Connection, Row, params};

use super::{RecordsError, events::signed, unsigned};
use crate::{Checkpoint, LogEvent, LogRecord, PartitionCheckpoint};

/// The end of one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PartitionEnd {
    /// Of the last record; opened records too.
    pub(crate) offset: i64,
    /// Of the last event; 0 for none.
    pub(crate) sequence: u64,
    /// Of the last record.
    pub(crate) epoch: i64,
    /// Of the last event; zero for none.
    pub(crate) recorded_at: Timestamp,
    /// Of the last event; -1 for none.
    pub(crate) event_offset: i64,
    /// Of the last event; zeros for none.
    pub(crate) event_hash: Digest,
    /// Records since the last event that this process cannot read: they have sequences unknown.
    pub(crate) unreadable: u64,
}

impl PartitionEnd {
    pub(crate) const EMPTY: Self = Self {
        offset: -1,
        sequence: 0,
        epoch: -1,
        recorded_at: Timestamp::from_micros(0),
        event_offset: -1,
        event_hash: Digest([0; 32]),
        unreadable: 0,
    };

    /// The end after one more event.
    pub(crate) fn after_event(self, offset: i64, envelope: &domain::Envelope) -> Self {
        Self {
            offset,
            sequence: envelope.sequence,
            epoch: envelope.epoch,
            recorded_at: envelope.recorded_at,
            event_offset: offset,
            event_hash: envelope.hash,
            unreadable: 0,
        }
    }

    /// The end after one more opened record.
    pub(crate) const fn after_opened(self, offset: i64, epoch: i64) -> Self {
        Self { offset, epoch, ..self }
    }

    /// The end after a record that comes from a log; nothing when the record is included already.
    pub(crate) fn after(self, record: &LogRecord) -> Result<Option<Self>, RecordsError> {
        let position = record.position();
        if position.offset <= self.offset {
            return Ok(None);
        }
        match record {
            LogRecord::Event(event) => {
                self.admits(event)?;
                Ok(Some(self.after_event(position.offset, &event.envelope)))
            }
            LogRecord::Opened(opened) if opened.epoch <= self.epoch => {
                Err(RecordsError::Corrupt(format!(
                    "epoch {} was opened at {position} after epoch {}",
                    opened.epoch, self.epoch
                )))
            }
            LogRecord::Opened(opened) => Ok(Some(self.after_opened(position.offset, opened.epoch))),
            LogRecord::Unreadable(_) => {
                Ok(Some(Self { offset: position.offset, unreadable: self.unreadable + 1, ..self }))
            }
        }
    }

    fn admits(&self, event: &LogEvent) -> Result<(), RecordsError> {
        let (next, position) = (self.sequence + 1, event.position);
        let sequence = event.envelope.sequence;
        if sequence < next || sequence > next + self.unreadable {
            return Err(RecordsError::Corrupt(format!(
                "sequence {sequence} stands at {position}, where {next} belongs"
            )));
        }
        if event.envelope.epoch < self.epoch {
            return Err(RecordsError::Corrupt(format!(
                "an event of epoch {} stands at {position}, after epoch {}",
                event.envelope.epoch, self.epoch
            )));
        }
        Ok(())
    }
}

/// The ends of several partitions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ends(BTreeMap<u32, PartitionEnd>);

impl Ends {
    /// Reads the ends of all partitions that hold anything.
    pub(crate) fn load(connection: &Connection) -> Result<Self, RecordsError> {
        let mut statement = connection.prepare_cached("SELECT * FROM ends")?;
        let mut rows = statement.query([])?;
        let mut ends = BTreeMap::new();
        while let Some(row) = rows.next()? {
            let partition: u32 = row.get(0)?;
            let end = end(row).map_err(|error| {
                RecordsError::Corrupt(format!(
                    "the end of partition {partition} is damaged: {error}"
                ))
            })?;
            ends.insert(partition, end);
        }
        Ok(Self(ends))
    }

    /// Writes one partition's end.
    pub(crate) fn store(
        connection: &Connection,
        partition: u32,
        end: &PartitionEnd,
    ) -> Result<(), RecordsError> {
        connection
            .prepare_cached("INSERT OR REPLACE INTO ends VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?
            .execute(params![
                partition,
                end.offset,
                signed(end.sequence),
                end.epoch,
                end.recorded_at.micros(),
                end.event_offset,
                end.event_hash.0,
                signed(end.unreadable),
            ])?;
        Ok(())
    }

    pub(crate) fn of(&self, partition: u32) -> PartitionEnd {
        self.0.get(&partition).copied().unwrap_or(PartitionEnd::EMPTY)
    }

    pub(crate) fn set(&mut self, partition: u32, end: PartitionEnd) {
        self.0.insert(partition, end);
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &PartitionEnd)> {
        self.0.iter().map(|(partition, end)| (*partition, end))
    }

    pub(crate) fn vector(&self) -> PositionVector {
        self.iter().map(|(partition, end)| Position { partition, offset: end.offset }).collect()
    }

    /// The checkpoint of the partitions that `included` names.
    pub(crate) fn checkpoint(&self, log_id: LogId, included: impl Fn(u32) -> bool) -> Checkpoint {
        let partitions = self.iter().filter(|(partition, _)| included(*partition));
        let partitions = partitions.map(|(partition, end)| PartitionCheckpoint {
            position: Position { partition, offset: end.offset },
            sequence: end.sequence,
            epoch: end.epoch,
            recorded_at: end.recorded_at,
        });
        Checkpoint { log_id, partitions: partitions.collect() }
    }
}

fn end(row: &Row<'_>) -> rusqlite::Result<PartitionEnd> {
    Ok(PartitionEnd {
        offset: row.get(1)?,
        sequence: unsigned(row, 2)?,
        epoch: row.get(3)?,
        recorded_at: Timestamp::from_micros(row.get(4)?),
        event_offset: row.get(5)?,
        event_hash: Digest(row.get(6)?),
        unreadable: unsigned(row, 7)?,
    })
}
