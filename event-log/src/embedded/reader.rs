//! Reading the embedded log: each reader has a connection of its own and never stands in the
//! writer's way.

use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::{Position, PositionVector};
use rusqlite::Connection;

use super::progress::Progress;
use crate::sqlite_records::{self as records, Ends, RecordsError};
use crate::{LogError, LogReader, LogRecord};

/// How often a reader looks for what another process wrote.
const POLL: Duration = Duration::from_millis(20);

pub(super) struct EmbeddedReader {
    connection: Connection,
    /// The writer's news when it is in this process.
    progress: Option<Arc<Progress>>,
    partitions: Vec<u32>,
    read: PositionVector,
    /// The partition that the next poll begins with: none starves behind a busy one.
    first: usize,
}

impl EmbeddedReader {
    /// Starts after `start`, which the log must have.
    pub(super) fn new(
        connection: Connection,
        progress: Option<Arc<Progress>>,
        partitions: Vec<u32>,
        start: &PositionVector,
    ) -> Result<Self, LogError> {
        let read = start.iter().filter(|at| partitions.contains(&at.partition)).collect();
        let end = Ends::load(&connection)?.vector();
        if !end.covers(&read) {
            return Err(LogError::Corrupt(format!(
                "a reader wants to go on after {read}, but the log ends at {end}"
            )));
        }
        Ok(Self { connection, progress, partitions, read, first: 0 })
    }

    fn end(&self) -> Result<PositionVector, LogError> {
        match &self.progress {
            Some(progress) => Ok(progress.end()),
            None => Ok(Ends::load(&self.connection)?.vector()),
        }
    }

    /// The next records. A damaged one keeps nobody from those before it and in other partitions:
    /// it is told when nothing else is left to read.
    fn read(&mut self, end: &PositionVector, max: usize) -> Result<Vec<LogRecord>, RecordsError> {
        let mut found = Vec::new();
        let mut damage = None;
        let count = self.partitions.len();
        // One transaction sees both tables at one instant.
        let transaction = self.connection.unchecked_transaction()?;
        for turn in 0..count {
            let partition = self.partitions[(self.first + turn) % count];
            let after = self.read.offset(partition);
            if found.len() == max || end.offset(partition) <= after {
                continue;
            }
            let room = max - found.len();
            match records::partition_records(&transaction, partition, after, room) {
                Ok(records) => found.extend(records),
                Err(error @ RecordsError::Corrupt(_)) => damage = damage.or(Some(error)),
                Err(error) => return Err(error),
            }
        }
        transaction.finish()?;
        if let Some(damage) = damage.filter(|_| found.is_empty()) {
            return Err(damage);
        }
        self.first = (self.first + 1) % count.max(1);
        for record in &found {
            self.read.advance(record.position());
        }
        Ok(found)
    }

    fn pause(&self, seen: &PositionVector, deadline: Instant) {
        match &self.progress {
            Some(progress) => progress.wait(seen, deadline),
            None => {
                std::thread::sleep(POLL.min(deadline.saturating_duration_since(Instant::now())))
            }
        }
    }

    fn behind(&self, end: &PositionVector) -> bool {
        self.partitions.iter().any(|partition| {
            end.offset(*partition).is_some_and(|offset| {
                !self.read.includes(Position { partition: *partition, offset })
            })
        })
    }
}

impl LogReader for EmbeddedReader {
    fn poll(&mut self, max: usize, wait: Duration) -> Result<Vec<LogRecord>, LogError> {
        let deadline = Instant::now() + wait;
        loop {
            let end = self.end()?;
            if max > 0 && self.behind(&end) {
                let records = self.read(&end, max)?;
                if records.is_empty() {
                    return Err(LogError::Corrupt(format!(
                        "the log ends at {end}, but has no record after {}",
                        self.read
                    )));
                }
                return Ok(records);
            }
            if Instant::now() >= deadline {
                return Ok(Vec::new());
            }
            self.pause(&end, deadline);
        }
    }
}
