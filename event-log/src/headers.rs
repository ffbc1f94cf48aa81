//! Envelopes as record headers and back: `CloudEvents` 1.0 in its Kafka binding, and our own
//! `waylog_…` beside it. All values are printable UTF-8, so that any tool can read them.
//!
//! Writing is on the hot path: one scratch string, no other allocation. Reading is strict: a header
//! that is missing, doubled or malformed is named.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt::{Display, Write as _};
use std::str::FromStr;
use std::sync::LazyLock;

use bytes::Bytes;
use domain::ids::parse_uuid;
use domain::{Digest, Envelope, Event, Position, Timestamp};
use uuid::Uuid;

use crate::{LogEvent, LogRecord, OpenedRecord, ShardId, UnreadableRecord};

/// The `ce_type` of the record that opens an ownership.
pub const LANE_OPENED: &str = "lane-opened";

const SPEC_VERSION: &str = "1.0";
const CONTENT_TYPE: &str = "application/avro";
const SOURCE_PREFIX: &str = "/waylog/";
const LANES_SOURCE: &str = "/waylog/lanes";

macro_rules! headers {
    ($($constant:ident = $name:literal,)+) => {
        #[derive(Clone, Copy)]
        enum Header { $($constant,)+ }

        impl Header {
            const NAMES: &[&str] = &[$($name,)+];

            const fn name(self) -> &'static str {
                match self { $(Self::$constant => $name,)+ }
            }

            fn of(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$constant),)+ _ => None }
            }
        }
    };
}

headers! {
    SpecVersion = "ce_specversion",
    Id = "ce_id",
    Type = "ce_type",
    Source = "ce_source",
    Time = "ce_time",
    Subject = "ce_subject",
    ContentType = "content-type",
    Version = "waylog_version",
    Sequence = "waylog_sequence",
    Epoch = "waylog_epoch",
    Correlation = "waylog_correlation_id",
    Causation = "waylog_causation_id",
    Command = "waylog_command_id",
    Fingerprint = "waylog_fingerprint",
    Actor = "waylog_actor",
    Tenant = "waylog_tenant",
    Hash = "waylog_hash",
    Traceparent = "traceparent",
    Shard = "waylog_shard",
    Address = "waylog_address",
}

/// The headers of a record are not ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// It is not there.
    #[error("header {0} is missing")]
    Missing(&'static str),
    /// It is there twice: which one holds cannot be told.
    #[error("header {0} is there twice")]
    Doubled(&'static str),
    /// Its value is not what that header holds.
    #[error("header {header} cannot be `{value}`")]
    Malformed {
        /// Which one.
        header: &'static str,
        /// Its value, lossily as text, cut to 128 characters.
        value: String,
    },
}

impl HeaderError {
    /// Stable code for logs and metrics.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Missing(_) => "header_missing",
            Self::Doubled(_) => "header_doubled",
            Self::Malformed { .. } => "header_malformed",
        }
    }
}

/// Writes an event's headers. `scratch` is overwritten; pass the same one every time.
pub fn write(envelope: &Envelope, scratch: &mut String, sink: &mut impl FnMut(&'static str, &str)) {
    let mut ids = Uuid::encode_buffer();
    let mut id = |id: Uuid, header: Header, sink: &mut dyn FnMut(&'static str, &str)| {
        sink(header.name(), id.hyphenated().encode_lower(&mut ids));
    };
    let mut text =
        |value: &dyn Display, header: Header, sink: &mut dyn FnMut(&'static str, &str)| {
            scratch.clear();
            write!(scratch, "{value}").expect("writing to a string cannot fail");
            sink(header.name(), scratch);
        };
    sink(Header::SpecVersion.name(), SPEC_VERSION);
    id(envelope.event_id.0, Header::Id, sink);
    sink(Header::Type.name(), &envelope.event_type);
    text(&format_args!("{SOURCE_PREFIX}{}", envelope.stream.category), Header::Source, sink);
    text(&envelope.recorded_at, Header::Time, sink);
    text(&envelope.stream, Header::Subject, sink);
    sink(Header::ContentType.name(), CONTENT_TYPE);
    text(&envelope.version, Header::Version, sink);
    text(&envelope.sequence, Header::Sequence, sink);
    text(&envelope.epoch, Header::Epoch, sink);
    id(envelope.correlation_id.0, Header::Correlation, sink);
    id(envelope.causation_id, Header::Causation, sink);
    id(envelope.command_id.0, Header::Command, sink);
    text(&envelope.fingerprint, Header::Fingerprint, sink);
    text(&envelope.actor, Header::Actor, sink);
    sink(Header::Tenant.name(), envelope.tenant.as_str());
    text(&envelope.hash, Header::Hash, sink);
    if let Some(traceparent) = &envelope.traceparent {
        sink(Header::Traceparent.name(), traceparent);
    }
}

/// Writes the headers of the record that opens an ownership; its value is empty, its key
/// [`opened_key`].
pub fn write_opened(
    shard: ShardId,
    epoch: i64,
    address: &str,
    scratch: &mut String,
    sink: &mut impl FnMut(&'static str, &str),
) {
    let mut text =
        |value: &dyn Display, header: Header, sink: &mut dyn FnMut(&'static str, &str)| {
            scratch.clear();
            write!(scratch, "{value}").expect("writing to a string cannot fail");
            sink(header.name(), scratch);
        };
    sink(Header::SpecVersion.name(), SPEC_VERSION);
    text(&format_args!("shard-{shard}-epoch-{epoch}"), Header::Id, sink);
    sink(Header::Type.name(), LANE_OPENED);
    sink(Header::Source.name(), LANES_SOURCE);
    text(&shard, Header::Shard, sink);
    text(&epoch, Header::Epoch, sink);
    sink(Header::Address.name(), address);
}

/// The record key of an opened record: `shard-3`.
#[must_use]
pub fn opened_key(shard: ShardId) -> String {
    format!("shard-{shard}")
}

/// What an event takes in the log, in bytes: key, headers with their names, and value.
#[must_use]
pub fn record_bytes(envelope: &Envelope, value: &[u8], scratch: &mut String) -> usize {
    let mut bytes = value.len() + envelope.stream.category.name().len() + 37;
    write(envelope, scratch, &mut |name, value| bytes += name.len() + value.len() + 4);
    bytes
}

/// The values of one record's headers, each at its place.
struct Found<'a>([Option<&'a [u8]>; Header::NAMES.len()]);

impl<'a> Found<'a> {
    fn collect(
        headers: impl IntoIterator<Item = (&'a str, &'a [u8])>,
    ) -> Result<Self, HeaderError> {
        let mut found = Self([None; Header::NAMES.len()]);
        for (name, value) in headers {
            // Headers of others (tracing, tools) are none of our business.
            let Some(header) = Header::of(name) else { continue };
            if found.0[header as usize].replace(value).is_some() {
                return Err(HeaderError::Doubled(header.name()));
            }
        }
        Ok(found)
    }

    fn optional(&self, header: Header) -> Result<Option<&'a str>, HeaderError> {
        let Some(value) = self.0[header as usize] else { return Ok(None) };
        match std::str::from_utf8(value) {
            Ok(text) if !text.chars().any(char::is_control) => Ok(Some(text)),
            _ => Err(malformed(header, &String::from_utf8_lossy(value))),
        }
    }

    fn text(&self, header: Header) -> Result<&'a str, HeaderError> {
        self.optional(header)?.ok_or(HeaderError::Missing(header.name()))
    }

    fn parsed<T: FromStr>(&self, header: Header) -> Result<T, HeaderError> {
        let text = self.text(header)?;
        text.parse().map_err(|_| malformed(header, text))
    }

    /// A number in the one spelling that we write: no sign but a minus, no leading zeros.
    fn number<T: FromStr + Display>(&self, header: Header) -> Result<T, HeaderError> {
        let text = self.text(header)?;
        let digits = text.strip_prefix('-').unwrap_or(text);
        if digits.starts_with('+') || (digits.len() > 1 && digits.starts_with('0')) {
            return Err(malformed(header, text));
        }
        self.parsed(header)
    }

    fn uuid(&self, header: Header) -> Result<Uuid, HeaderError> {
        let text = self.text(header)?;
        parse_uuid(text).map_err(|_| malformed(header, text))
    }

    fn exactly(&self, header: Header, expected: &str) -> Result<(), HeaderError> {
        let text = self.text(header)?;
        if text == expected { Ok(()) } else { Err(malformed(header, text)) }
    }
}

fn malformed(header: Header, value: &str) -> HeaderError {
    HeaderError::Malformed { header: header.name(), value: value.chars().take(128).collect() }
}

/// Reads an event's envelope from its headers, in any order; headers of others are ignored.
///
/// # Errors
/// [`HeaderError`] names the header.
pub fn read<'a>(
    headers: impl IntoIterator<Item = (&'a str, &'a [u8])>,
) -> Result<Envelope, HeaderError> {
    envelope(&Found::collect(headers)?)
}

fn envelope(found: &Found<'_>) -> Result<Envelope, HeaderError> {
    found.exactly(Header::SpecVersion, SPEC_VERSION)?;
    found.exactly(Header::ContentType, CONTENT_TYPE)?;
    let stream: domain::StreamName = found.parsed(Header::Subject)?;
    let source = found.text(Header::Source)?;
    if source.strip_prefix(SOURCE_PREFIX) != Some(stream.category.name()) {
        return Err(malformed(Header::Source, source));
    }
    Ok(Envelope {
        event_id: found.parsed(Header::Id)?,
        event_type: known_type(found.text(Header::Type)?),
        stream,
        version: found.number(Header::Version)?,
        recorded_at: found.parsed::<Timestamp>(Header::Time)?,
        sequence: found.number(Header::Sequence)?,
        epoch: found.number(Header::Epoch)?,
        correlation_id: found.parsed(Header::Correlation)?,
        causation_id: found.uuid(Header::Causation)?,
        command_id: found.parsed(Header::Command)?,
        fingerprint: found.parsed::<Digest>(Header::Fingerprint)?,
        actor: found.parsed(Header::Actor)?,
        tenant: found.parsed(Header::Tenant)?,
        hash: found.parsed::<Digest>(Header::Hash)?,
        traceparent: found.optional(Header::Traceparent)?.map(str::to_owned),
    })
}

/// The type's name without a copy of it, when this process knows the type.
pub(crate) fn known_type(name: &str) -> Cow<'static, str> {
    static KNOWN: LazyLock<HashSet<&'static str>> = LazyLock::new(|| Event::names().collect());
    KNOWN.get(name).map_or_else(|| Cow::Owned(name.to_owned()), |known| Cow::Borrowed(*known))
}

/// Makes a record of what a client library delivers, and tells events, opened records and
/// unreadable ones apart. A header without a value is to be left out.
#[must_use]
pub fn record<'a>(
    position: Position,
    key: &[u8],
    headers: impl IntoIterator<Item = (&'a str, &'a [u8])>,
    value: Bytes,
) -> LogRecord {
    let unreadable = |reason: String| {
        let key = String::from_utf8_lossy(key).into_owned();
        LogRecord::Unreadable(UnreadableRecord { position, key, reason })
    };
    let found = match Found::collect(headers) {
        Ok(found) => found,
        Err(error) => return unreadable(error.to_string()),
    };
    if found.0[Header::Type as usize] == Some(LANE_OPENED.as_bytes()) {
        return match opened(&found, position) {
            Ok(opened) => LogRecord::Opened(opened),
            Err(error) => unreadable(error.to_string()),
        };
    }
    match envelope(&found) {
        Err(error) => unreadable(error.to_string()),
        Ok(_) if !framed(&value) => unreadable("the value is not in Confluent framing".to_owned()),
        Ok(envelope) if !names(&envelope, key) => {
            unreadable(format!("the key is not the stream {}", envelope.stream))
        }
        Ok(envelope) => LogRecord::Event(LogEvent { position, envelope, value }),
    }
}

fn opened(found: &Found<'_>, position: Position) -> Result<OpenedRecord, HeaderError> {
    found.exactly(Header::SpecVersion, SPEC_VERSION)?;
    Ok(OpenedRecord {
        position,
        shard: ShardId(found.number(Header::Shard)?),
        epoch: found.number(Header::Epoch)?,
        address: found.text(Header::Address)?.to_owned(),
    })
}

fn framed(value: &[u8]) -> bool {
    value.len() >= crate::FRAME_BYTES && value[0] == 0
}

fn names(envelope: &Envelope, key: &[u8]) -> bool {
    let mut buffer = Uuid::encode_buffer();
    let id = envelope.stream.id.hyphenated().encode_lower(&mut buffer).as_bytes();
    let category = envelope.stream.category.name().as_bytes();
    key.strip_prefix(category).and_then(|rest| rest.strip_prefix(b"-")) == Some(id)
}

#[cfg(test)]
#[path = "headers_tests.rs"]
mod tests;
