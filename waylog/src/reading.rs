//! Reading the log from its beginning to where its end was when the reading began: for the verbs
//! that look at it.

use std::time::{Duration, Instant};

use domain::{Position, PositionVector};
use event_log::{EventLog, LogRecord};

/// How many records are taken at once.
const POLL_RECORDS: usize = 5000;
/// How long one poll waits.
const POLL_WAIT: Duration = Duration::from_millis(500);
/// How long nothing may come before what was read counts as all: the log says only about where it
/// ends (an aborted transaction at its tail looks like a record).
const SILENCE_MAX: Duration = Duration::from_secs(5);

/// Hands every committed record up to the present end to `each`, in order within each partition.
/// Returns how far it has read.
///
/// # Errors
/// When the log cannot be read, or `each` fails.
pub(crate) fn scan(
    log: &dyn EventLog,
    partitions: &[u32],
    each: impl FnMut(LogRecord) -> anyhow::Result<()>,
) -> anyhow::Result<PositionVector> {
    let mut read = PositionVector::empty();
    go_on(log, partitions, &mut read, each)?;
    Ok(read)
}

/// The same from where `read` has come to, which moves on with it.
///
/// # Errors
/// When the log cannot be read, or `each` fails.
pub(crate) fn go_on(
    log: &dyn EventLog,
    partitions: &[u32],
    read: &mut PositionVector,
    mut each: impl FnMut(LogRecord) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let end: Vec<Position> = log
        .end()?
        .iter()
        .filter(|position| partitions.is_empty() || partitions.contains(&position.partition))
        .collect();
    if end.iter().all(|position| read.includes(*position)) {
        return Ok(());
    }
    let mut reader = log.reader(read, partitions)?;
    let mut heard_at = Instant::now();
    while !end.iter().all(|position| read.includes(*position)) {
        let records = reader.poll(POLL_RECORDS, POLL_WAIT)?;
        if !records.is_empty() {
            heard_at = Instant::now();
        }
        if heard_at.elapsed() > SILENCE_MAX {
            break;
        }
        for record in records {
            read.advance(record.position());
            each(record)?;
        }
    }
    Ok(())
}
