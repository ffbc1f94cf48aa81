//! The statements on events and opened records.

use domain::ids::CommandId;
use domain::{Digest, Envelope, Position, StreamName};
use rusqlite::{CachedStatement, Connection, Row, Rows, params};

use super::columns::{
    Columns, StreamKey, checksum, damaged, event, opened, opened_checksum, record,
};
use super::{OFFSET_BITS, RecordsError, place, position};
use crate::{LogEvent, LogRecord, OpenedRecord, StoredOutcome, StreamHead};

const INSERT: &str = "INSERT INTO events VALUES \
    (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)";

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT place, stream, version, sequence, epoch, recorded_at, event_id, event_type, \
             correlation_id, causation_id, command_id, fingerprint, actor, tenant, hash, \
             traceparent, value, checksum FROM events ",
            $rest
        )
    };
}

/// Inserts the events of one transaction with one statement.
pub(crate) struct EventInserter<'connection> {
    statement: CachedStatement<'connection>,
    actor: String,
}

impl<'connection> EventInserter<'connection> {
    pub(crate) fn new(connection: &'connection Connection) -> Result<Self, RecordsError> {
        Ok(Self { statement: connection.prepare_cached(INSERT)?, actor: String::new() })
    }

    pub(crate) fn insert(
        &mut self,
        position: Position,
        envelope: &Envelope,
        value: &[u8],
    ) -> Result<(), RecordsError> {
        use std::fmt::Write as _;

        self.actor.clear();
        write!(self.actor, "{}", envelope.actor).expect("writing to a string cannot fail");
        self.statement.execute(params![
            place(position),
            StreamKey::of(&envelope.stream).as_slice(),
            signed(envelope.version),
            signed(envelope.sequence),
            envelope.epoch,
            envelope.recorded_at.micros(),
            envelope.event_id.0.as_bytes(),
            &*envelope.event_type,
            envelope.correlation_id.0.as_bytes(),
            envelope.causation_id.as_bytes(),
            envelope.command_id.0.as_bytes(),
            envelope.fingerprint.0,
            self.actor,
            envelope.tenant.as_str(),
            envelope.hash.0,
            envelope.traceparent,
            value,
            checksum(position, envelope, &self.actor, value),
        ])?;
        Ok(())
    }
}

pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).expect("versions and sequences stay below 2^63")
}

pub(crate) fn insert_opened(
    connection: &Connection,
    opened: &OpenedRecord,
) -> Result<(), RecordsError> {
    let OpenedRecord { position, shard, epoch, address } = opened;
    connection.prepare_cached("INSERT INTO opened VALUES (?1, ?2, ?3, ?4, ?5)")?.execute(
        params![
            place(*position),
            shard.0,
            epoch,
            address,
            opened_checksum(*position, *shard, *epoch, address)
        ],
    )?;
    Ok(())
}

/// The sequence and the hash of the event at exactly that position.
pub(crate) fn event_at(
    connection: &Connection,
    position: Position,
) -> Result<Option<(u64, Digest)>, RecordsError> {
    let place = place(position);
    let mut statement =
        connection.prepare_cached("SELECT sequence, hash FROM events WHERE place = ?1")?;
    let mut rows = statement.query([place])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let columns = Columns { row, place };
    Ok(Some((columns.unsigned(0)?, columns.digest(1)?)))
}

/// The stream's events after a version, ascending, at most `limit`; a version that is missing in
/// between is damage.
pub(crate) fn stream_events(
    connection: &Connection,
    stream: &StreamName,
    after_version: u64,
    limit: usize,
) -> Result<Vec<LogEvent>, RecordsError> {
    let mut statement = connection
        .prepare_cached(select!("WHERE stream = ?1 AND version > ?2 ORDER BY version LIMIT ?3"))?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut rows =
        statement.query(params![StreamKey::of(stream).as_slice(), signed(after_version), limit])?;
    let mut events = Vec::new();
    let mut version = after_version;
    while let Some(row) = rows.next()? {
        let event = event(row)?;
        version += 1;
        if event.envelope.version != version || event.envelope.stream != *stream {
            return Err(damaged(place(event.position), &format!("{stream} lacks {version}")));
        }
        events.push(event);
    }
    Ok(events)
}

/// The end of a stream.
pub(crate) fn stream_head(
    connection: &Connection,
    stream: &StreamName,
) -> Result<StreamHead, RecordsError> {
    let mut statement = connection.prepare_cached(
        "SELECT version, hash FROM events WHERE stream = ?1 ORDER BY version DESC LIMIT 1",
    )?;
    let mut rows = statement.query([StreamKey::of(stream).as_slice()])?;
    let Some(row) = rows.next()? else {
        return Ok(StreamHead { version: 0, hash: Digest::default() });
    };
    let columns = Columns { row, place: 0 };
    Ok(StreamHead { version: columns.unsigned(0)?, hash: columns.digest(1)? })
}

/// The head that a stream had at a version.
pub(crate) fn stream_head_at(
    connection: &Connection,
    stream: &StreamName,
    version: u64,
) -> Result<Option<StreamHead>, RecordsError> {
    let mut statement = connection
        .prepare_cached("SELECT version, hash FROM events WHERE stream = ?1 AND version = ?2")?;
    let key = StreamKey::of(stream);
    let mut rows = statement.query(params![key.as_slice(), signed(version)])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let columns = Columns { row, place: 0 };
    Ok(Some(StreamHead { version: columns.unsigned(0)?, hash: columns.digest(1)? }))
}

/// The offset of a partition's last record.
pub(crate) fn last_offset(
    connection: &Connection,
    partition: u32,
) -> Result<Option<i64>, RecordsError> {
    let first = i64::from(partition) << OFFSET_BITS;
    let end = (i64::from(partition) + 1) << OFFSET_BITS;
    let last: Option<i64> = connection.query_row(
        "SELECT max(\
         coalesce((SELECT max(place) FROM events WHERE place >= ?1 AND place < ?2), -1), \
         coalesce((SELECT max(place) FROM opened WHERE place >= ?1 AND place < ?2), -1))",
        [first, end],
        |row| row.get(0),
    )?;
    Ok(last.filter(|place| *place >= 0).map(|place| position(place).offset))
}

/// What became of a command to a stream.
pub(crate) fn outcome(
    connection: &Connection,
    stream: &StreamName,
    command: CommandId,
) -> Result<Option<StoredOutcome>, RecordsError> {
    let mut statement = connection.prepare_cached(select!(
        // The plus keeps the planner on the index of commands: the index of versions would serve
        // the order, and scan the whole stream for a command that is not there.
        "WHERE stream = ?1 AND command_id = ?2 ORDER BY +version DESC LIMIT 1"
    ))?;
    let key = StreamKey::of(stream);
    let mut rows = statement.query(params![key.as_slice(), command.0.as_bytes()])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let LogEvent { position, envelope, .. } = event(row)?;
    let Envelope { fingerprint, version, .. } = envelope;
    Ok(Some(StoredOutcome { fingerprint, version, position }))
}

/// The records of a partition after an offset, at most `max`, in order; those before the first
/// damage, which is told when nothing is left before it. Both tables must be read in one
/// transaction of the caller's, or a record between two reads would be skipped.
pub(crate) fn partition_records(
    connection: &Connection,
    partition: u32,
    after: Option<i64>,
    max: usize,
) -> Result<Vec<LogRecord>, RecordsError> {
    let first = i64::from(partition) << OFFSET_BITS | after.map_or(0, |offset| offset + 1);
    let end = (i64::from(partition) + 1) << OFFSET_BITS;
    let limit = i64::try_from(max).unwrap_or(i64::MAX);
    let range = params![first, end, limit];
    let mut statement = connection
        .prepare_cached(select!("WHERE place >= ?1 AND place < ?2 ORDER BY place LIMIT ?3"))?;
    let mut records = Vec::new();
    let damaged = whole(&mut statement.query(range)?, first, record, &mut records)?;
    // Beyond damaged events, nobody knows what stands between the opened records.
    let end = damaged.as_ref().map_or(end, |damage| damage.place);
    let mut statement = connection.prepare_cached(
        "SELECT place, shard, epoch, address, checksum FROM opened \
         WHERE place >= ?1 AND place < ?2 ORDER BY place LIMIT ?3",
    )?;
    let events = records.len();
    let opening = |row: &Row<'_>| opened(row).map(LogRecord::Opened);
    let range = params![first, end, limit];
    let lost = whole(&mut statement.query(range)?, first, opening, &mut records)?;
    if let Some(damage) = &lost {
        records.retain(|record| place(record.position()) < damage.place);
    }
    if records.len() > events && events > 0 {
        records.sort_by_key(|record| record.position().offset);
    }
    // What lies beyond the last of a full page of events belongs to the next page.
    records.truncate(max);
    match lost.or(damaged) {
        Some(damage) if records.is_empty() => Err(RecordsError::Corrupt(damage.reason)),
        _ => Ok(records),
    }
}

/// Where nothing more of a table can be read.
struct Damage {
    /// Every row before it was read.
    place: i64,
    reason: String,
}

/// Takes rows in the order of their places, up to one that is damaged.
fn whole(
    rows: &mut Rows<'_>,
    first: i64,
    read: impl Fn(&Row<'_>) -> Result<LogRecord, RecordsError>,
    records: &mut Vec<LogRecord>,
) -> Result<Option<Damage>, RecordsError> {
    let mut next = first;
    loop {
        let reason = match rows.next().map_err(RecordsError::from) {
            Ok(None) => return Ok(None),
            Ok(Some(row)) => match read(row) {
                Ok(record) => {
                    next = place(record.position()) + 1;
                    records.push(record);
                    continue;
                }
                Err(RecordsError::Corrupt(reason)) => reason,
                Err(error) => return Err(error),
            },
            Err(RecordsError::Corrupt(reason)) => format!("from {} on, {reason}", position(next)),
            Err(error) => return Err(error),
        };
        return Ok(Some(Damage { place: next, reason }));
    }
}
