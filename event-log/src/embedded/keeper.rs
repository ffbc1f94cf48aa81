//! Upkeep of the embedded log beside the writer: syncs the witness, moves the WAL into the
//! database, and drops refusals that are past their retention.

use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use rusqlite::Connection;

use super::directory::failed;
use super::ledger::Ledger;
use super::witness::WitnessSync;
use crate::LogError;
use crate::sqlite_records::{self as records, RecordsError, Safety};

/// How often there is a look at the log; also how old the witness on disk may be.
pub(super) const TICK: Duration = Duration::from_millis(100);

/// Pages in the WAL (16 MiB) from which on they are moved into the database.
const WAL_PAGES: i64 = 4_000;

/// Pages in the WAL (64 MiB) from which on appends wait until it is moved, so that it stays bounded
/// under a load that never pauses.
const WAL_PAGES_MAX: i64 = 16_000;

/// How many refusals are dropped in one go: appends wait meanwhile.
const REFUSALS_STEP: i64 = 500;

/// How often refusals are looked at.
const REFUSALS_EVERY: Duration = Duration::from_secs(10);

/// For how long refusals are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefusalRetention {
    /// At most that old.
    pub age_max: Duration,
    /// At most so many; the oldest go first.
    pub count_max: u32,
}

impl Default for RefusalRetention {
    /// Seven days and 100,000.
    fn default() -> Self {
        Self { age_max: Duration::from_secs(7 * 24 * 3600), count_max: 100_000 }
    }
}

/// The upkeep's thread; ends when dropped.
pub(super) struct Keeper {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Keeper {
    pub(super) fn start(
        records: &Path,
        witness: WitnessSync,
        ledger: Arc<Mutex<Ledger>>,
        retention: RefusalRetention,
    ) -> Result<Self, LogError> {
        let (stop, stopped) = channel();
        let connection = records::open(records, Safety::Synced)?;
        let mut upkeep =
            Upkeep { connection, witness, ledger, retention, refusals_at: Instant::now() };
        let thread = std::thread::Builder::new()
            .name("waylog-log-keeper".to_owned())
            .spawn(move || upkeep.run(&stopped))
            .map_err(|error| failed("starting the log's keeper", error))?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the log's keeper panicked");
        }
    }
}

struct Upkeep {
    connection: Connection,
    witness: WitnessSync,
    ledger: Arc<Mutex<Ledger>>,
    retention: RefusalRetention,
    refusals_at: Instant,
}

impl Upkeep {
    fn run(&mut self, stopped: &Receiver<()>) {
        loop {
            let ended = stopped.recv_timeout(TICK) != Err(RecvTimeoutError::Timeout);
            if let Err(error) = self.witness.sync() {
                tracing::error!(%error, "the witness cannot be synced");
            }
            if let Err(error) = self.tend() {
                tracing::warn!(%error, "the log's upkeep failed; it is tried again");
            }
            if ended {
                return;
            }
        }
    }

    fn tend(&mut self) -> Result<(), RecordsError> {
        if wal_pages(&self.connection, "NOOP")? >= WAL_PAGES {
            let left = wal_pages(&self.connection, "PASSIVE")?;
            if left >= WAL_PAGES_MAX {
                // While the writer waits nothing is added, so the next append starts the WAL anew.
                let ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
                wal_pages(ledger.connection(), "PASSIVE")?;
            }
        }
        if self.refusals_at.elapsed() >= REFUSALS_EVERY {
            self.refusals_at = Instant::now();
            let ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
            drop_refusals(ledger.connection(), self.retention, SystemTime::now())?;
        }
        Ok(())
    }
}

/// Runs a checkpoint of that kind; says how many pages the WAL holds.
fn wal_pages(connection: &Connection, kind: &str) -> Result<i64, RecordsError> {
    let statement = format!("PRAGMA wal_checkpoint({kind})");
    Ok(connection.query_row(&statement, [], |row| row.get(1))?)
}

/// Drops some refusals that are too old or too many; says how many.
pub(super) fn drop_refusals(
    connection: &Connection,
    retention: RefusalRetention,
    now: SystemTime,
) -> Result<usize, RecordsError> {
    let oldest = now.checked_sub(retention.age_max).unwrap_or(SystemTime::UNIX_EPOCH);
    let oldest = oldest.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_micros();
    let oldest = i64::try_from(oldest).unwrap_or(i64::MAX);
    // Ids rise with time, so that only the oldest need a look.
    Ok(connection
        .prepare_cached(
            "DELETE FROM refusals WHERE id IN (SELECT id FROM \
             (SELECT id, refused_at FROM refusals ORDER BY id LIMIT ?3) \
             WHERE refused_at < ?1 OR id <= (SELECT max(id) FROM refusals) - ?2)",
        )?
        .execute(rusqlite::params![oldest, retention.count_max, REFUSALS_STEP])?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 3600);

    /// Refusals of one, two, … days ago, the oldest first.
    fn refused(days: u64, now: SystemTime) -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(super::super::ledger::TABLES).unwrap();
        for age in (1..=days).rev() {
            let at = (now - DAY * u32::try_from(age).unwrap())
                .duration_since(SystemTime::UNIX_EPOCH)
                .unwrap();
            let micros = i64::try_from(at.as_micros()).unwrap();
            connection
                .execute("INSERT INTO refusals (refused_at, record_json) VALUES (?1, '')", [micros])
                .unwrap();
        }
        connection
    }

    fn kept(connection: &Connection) -> Vec<i64> {
        let mut statement = connection.prepare("SELECT id FROM refusals ORDER BY id").unwrap();
        let ids = statement.query_map([], |row| row.get(0)).unwrap();
        ids.map(Result::unwrap).collect()
    }

    #[test]
    fn refusals_that_are_too_old_are_dropped() {
        let now = SystemTime::now();
        let connection = refused(10, now);
        let retention = RefusalRetention { age_max: DAY * 7 + DAY / 2, count_max: 100 };

        assert_eq!(drop_refusals(&connection, retention, now).unwrap(), 3);
        assert_eq!(drop_refusals(&connection, retention, now).unwrap(), 0);

        assert_eq!(kept(&connection), (4..=10).collect::<Vec<_>>());
    }

    #[test]
    fn of_too_many_refusals_the_oldest_are_dropped() {
        let now = SystemTime::now();
        let connection = refused(10, now);
        let retention = RefusalRetention { age_max: DAY * 30, count_max: 4 };

        drop_refusals(&connection, retention, now).unwrap();

        assert_eq!(kept(&connection), [7, 8, 9, 10]);
    }
}
