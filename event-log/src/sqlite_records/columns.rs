//! Rows as records: what each column holds, and the checksum over all of them.

use bytes::Bytes;
use domain::ids::{CommandId, CorrelationId, EventId};
use domain::{Category, Digest, Envelope, Position, StreamName, Timestamp};
use rusqlite::Row;
use rusqlite::types::ValueRef;
use uuid::Uuid;

use super::{RecordsError, place, position};
use crate::headers::known_type;
use crate::{LogEvent, LogRecord, OpenedRecord, ShardId, UnreadableRecord};

/// A stream's key: the id's 16 bytes and the category's name.
pub(super) struct StreamKey {
    bytes: [u8; 80],
    length: usize,
}

impl StreamKey {
    pub(super) fn of(stream: &StreamName) -> Self {
        let category = stream.category.name().as_bytes();
        let length = 16 + category.len();
        let mut bytes = [0; 80];
        bytes[..16].copy_from_slice(stream.id.as_bytes());
        bytes[16..length].copy_from_slice(category);
        Self { bytes, length }
    }

    pub(super) fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    fn read(bytes: &[u8]) -> Option<StreamName> {
        let (id, category) = bytes.split_at_checked(16)?;
        let category = Category::ALL.iter().find(|known| known.name().as_bytes() == category)?;
        Some(StreamName::new(*category, Uuid::from_slice(id).ok()?))
    }
}

pub(super) fn checksum(position: Position, envelope: &Envelope, actor: &str, value: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    for number in [
        place(position).cast_unsigned(),
        envelope.version,
        envelope.sequence,
        envelope.epoch.cast_unsigned(),
        envelope.recorded_at.micros().cast_unsigned(),
    ] {
        crc.update(&number.to_be_bytes());
    }
    for id in [
        envelope.stream.id,
        envelope.event_id.0,
        envelope.correlation_id.0,
        envelope.causation_id,
        envelope.command_id.0,
    ] {
        crc.update(id.as_bytes());
    }
    crc.update(&envelope.fingerprint.0);
    crc.update(&envelope.hash.0);
    let traceparent = envelope.traceparent.as_deref();
    for text in [
        envelope.stream.category.name(),
        &envelope.event_type,
        actor,
        envelope.tenant.as_str(),
        traceparent.unwrap_or_default(),
    ] {
        crc.update(text.as_bytes());
        crc.update(&[u8::from(traceparent.is_some())]);
    }
    crc.update(value);
    crc.finalize()
}

pub(super) fn opened_checksum(
    position: Position,
    shard: ShardId,
    epoch: i64,
    address: &str,
) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&place(position).to_be_bytes());
    crc.update(&shard.0.to_be_bytes());
    crc.update(&epoch.to_be_bytes());
    crc.update(address.as_bytes());
    crc.finalize()
}

/// A column that is not what was written there.
pub(super) fn damaged(place: i64, what: &str) -> RecordsError {
    RecordsError::Corrupt(format!("the record at {} is damaged: {what}", position(place)))
}

pub(super) struct Columns<'row, 'statement> {
    pub(super) row: &'row Row<'statement>,
    pub(super) place: i64,
}

impl Columns<'_, '_> {
    fn number(&self, column: usize) -> Result<i64, RecordsError> {
        match self.row.get_ref(column)? {
            ValueRef::Integer(number) => Ok(number),
            _ => Err(damaged(self.place, "a number is none")),
        }
    }

    pub(super) fn unsigned(&self, column: usize) -> Result<u64, RecordsError> {
        u64::try_from(self.number(column)?).map_err(|_| damaged(self.place, "a number is negative"))
    }

    fn blob(&self, column: usize) -> Result<&[u8], RecordsError> {
        match self.row.get_ref(column)? {
            ValueRef::Blob(bytes) => Ok(bytes),
            _ => Err(damaged(self.place, "bytes are none")),
        }
    }

    fn uuid(&self, column: usize) -> Result<Uuid, RecordsError> {
        Uuid::from_slice(self.blob(column)?).map_err(|_| damaged(self.place, "an id is none"))
    }

    pub(super) fn digest(&self, column: usize) -> Result<Digest, RecordsError> {
        let bytes = <[u8; 32]>::try_from(self.blob(column)?);
        bytes.map(Digest).map_err(|_| damaged(self.place, "a digest is none"))
    }

    fn optional_text(&self, column: usize) -> Result<Option<&str>, RecordsError> {
        match self.row.get_ref(column)? {
            ValueRef::Null => Ok(None),
            ValueRef::Text(bytes) => std::str::from_utf8(bytes)
                .map(Some)
                .map_err(|_| damaged(self.place, "a text is none")),
            _ => Err(damaged(self.place, "a text is none")),
        }
    }

    fn text(&self, column: usize) -> Result<&str, RecordsError> {
        self.optional_text(column)?.ok_or_else(|| damaged(self.place, "a text is missing"))
    }

    fn parsed<T: std::str::FromStr>(&self, column: usize) -> Result<T, RecordsError> {
        self.text(column)?.parse().map_err(|_| damaged(self.place, "a text cannot be read"))
    }
}

pub(super) fn event(row: &Row<'_>) -> Result<LogEvent, RecordsError> {
    let columns = Columns { row, place: row.get(0)? };
    let stream = StreamKey::read(columns.blob(1)?);
    let envelope = Envelope {
        stream: stream.ok_or_else(|| damaged(columns.place, "the stream is none of ours"))?,
        version: columns.unsigned(2)?,
        sequence: columns.unsigned(3)?,
        epoch: columns.number(4)?,
        recorded_at: Timestamp::from_micros(columns.number(5)?),
        event_id: EventId(columns.uuid(6)?),
        event_type: known_type(columns.text(7)?),
        correlation_id: CorrelationId(columns.uuid(8)?),
        causation_id: columns.uuid(9)?,
        command_id: CommandId(columns.uuid(10)?),
        fingerprint: columns.digest(11)?,
        actor: columns.parsed(12)?,
        tenant: columns.parsed(13)?,
        hash: columns.digest(14)?,
        traceparent: columns.optional_text(15)?.map(str::to_owned),
    };
    let value = Bytes::copy_from_slice(columns.blob(16)?);
    let position = position(columns.place);
    let expected = checksum(position, &envelope, columns.text(12)?, &value);
    if columns.number(17)? != i64::from(expected) {
        return Err(damaged(columns.place, "the checksum differs"));
    }
    Ok(LogEvent { position, envelope, value })
}

/// A row of events as a reader of the log is given it: of a category that this program does not
/// know, only the key can be told.
pub(super) fn record(row: &Row<'_>) -> Result<LogRecord, RecordsError> {
    let columns = Columns { row, place: row.get(0)? };
    let key = columns.blob(1)?;
    if StreamKey::read(key).is_some() {
        return event(row).map(LogRecord::Event);
    }
    let stranger = key.split_first_chunk::<16>().and_then(|(id, category)| {
        let category = std::str::from_utf8(category).ok()?;
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte == b'-';
        let named = !category.is_empty() && category.bytes().all(plain);
        named.then(|| format!("{category}-{}", Uuid::from_bytes(*id)))
    });
    let key = stranger.ok_or_else(|| damaged(columns.place, "the stream is none"))?;
    let reason = "its category is not known here".to_owned();
    let position = position(columns.place);
    Ok(LogRecord::Unreadable(UnreadableRecord { position, key, reason }))
}

pub(super) fn opened(row: &Row<'_>) -> Result<OpenedRecord, RecordsError> {
    let columns = Columns { row, place: row.get(0)? };
    let shard = u32::try_from(columns.number(1)?).map(ShardId);
    let record = OpenedRecord {
        position: position(columns.place),
        shard: shard.map_err(|_| damaged(columns.place, "the shard is none"))?,
        epoch: columns.number(2)?,
        address: columns.text(3)?.to_owned(),
    };
    let expected = opened_checksum(record.position, record.shard, record.epoch, &record.address);
    if columns.number(4)? != i64::from(expected) {
        return Err(damaged(columns.place, "the checksum differs"));
    }
    Ok(record)
}
