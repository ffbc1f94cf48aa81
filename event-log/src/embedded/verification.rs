//! Looking at everything: what no single read can notice.

use domain::{Digest, Position};
use rusqlite::Connection;

use crate::hash_chain::HashChain;
use crate::sqlite_records::{self as records, Ends, RecordsError};
use crate::{LogEvent, LogRecord};

/// Records looked at in one go.
const PAGE: usize = 1_000;

/// Checks the database's structure and indexes, every record's checksum, the dense sequence of each
/// partition and the hash chain of each stream; says how many records there are.
pub(super) fn verify(connection: &Connection) -> Result<u64, RecordsError> {
    let said: String = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if said != "ok" {
        return Err(RecordsError::Corrupt(format!("the database is damaged: {said}")));
    }
    let mut chain = HashChain::default();
    let mut count = 0;
    for (partition, end) in Ends::load(connection)?.iter() {
        let (mut after, mut sequence) = (None, Some(0));
        while after != Some(end.offset) {
            let transaction = connection.unchecked_transaction()?;
            let found = records::partition_records(&transaction, partition, after, PAGE)?;
            let Some(last) = found.last() else {
                let at = Position { partition, offset: end.offset };
                return Err(RecordsError::Corrupt(format!("the record at {at} is missing")));
            };
            // The end has moved since, if others write: what is beyond it is left for the next
            // time.
            after = Some(last.position().offset.min(end.offset));
            for record in found.iter().filter(|found| found.position().offset <= end.offset) {
                sequence = next_sequence(sequence, record)?;
                if let LogRecord::Event(event) = record {
                    check_chain(&transaction, &mut chain, event)?;
                }
                count += 1;
            }
        }
    }
    Ok(count)
}

/// The sequence after a record; unknown after one that cannot be read.
fn next_sequence(last: Option<u64>, record: &LogRecord) -> Result<Option<u64>, RecordsError> {
    match (last, record) {
        (_, LogRecord::Unreadable(_)) => Ok(None),
        (_, LogRecord::Opened(_)) => Ok(last),
        (Some(last), LogRecord::Event(event)) if event.envelope.sequence != last + 1 => {
            Err(RecordsError::Corrupt(format!(
                "sequence {} stands at {}, where {} belongs",
                event.envelope.sequence,
                event.position,
                last + 1
            )))
        }
        (_, LogRecord::Event(event)) => Ok(Some(event.envelope.sequence)),
    }
}

fn check_chain(
    connection: &Connection,
    chain: &mut HashChain,
    event: &LogEvent,
) -> Result<(), RecordsError> {
    let (stream, version) = (event.envelope.stream, event.envelope.version);
    let before = match version {
        1 => Some(Digest::default()),
        _ => records::stream_head_at(connection, &stream, version.saturating_sub(1))?
            .map(|head| head.hash),
    };
    if before.is_some_and(|before| chain.follows(&before, event)) {
        return Ok(());
    }
    Err(RecordsError::Corrupt(format!(
        "version {version} of {stream}, at {}, does not follow from the one before it",
        event.position
    )))
}
