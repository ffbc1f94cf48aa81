//! Events as bytes and back: Avro in Confluent framing.
//!
//! A value is a zero, the writer schema's id (four bytes, big-endian) and the Avro datum. An event
//! is written with the newest schema of its type. One that was written with another version of it,
//! by an older program or a newer one, is resolved into the newest; one whose record has another
//! name goes through [`upcast`] first.
//!
//! A new compatible version touches two places: its file in `schemas/` and its line in
//! [`schemas`]. An incompatible one (record `…V2`) needs an entry in [`upcast`] as well.

mod compatibility;
pub mod schemas;
mod upcast;

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::writer::datum::GenericDatumWriter;
use domain::{Event, EventPayload, PayloadRef, PayloadVisitor};

pub use compatibility::{Incompatible, check};
use schemas::KNOWN;

use crate::FRAME_BYTES;

/// Writer schemas that were fetched and are kept; a registry of ours never has as many.
const FETCHED_MAX: usize = 4_096;

type Source = Box<dyn std::error::Error + Send + Sync>;

/// Where schemas are that this program does not carry.
pub trait WriterSchemas: Send + Sync + 'static {
    /// The schema of that id as JSON; nothing when there is none.
    ///
    /// # Errors
    /// When whoever knows cannot be asked now.
    fn writer_schema(&self, id: u32) -> Result<Option<String>, Source>;
}

/// A value cannot be read, or an event not written.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// This program does not know that type of event: it is older than the writer.
    #[error("events of type {0} are not known here")]
    UnknownType(String),
    /// There is no such schema, or none that this program can turn into its own.
    #[error("schema {id} is not known here: {reason}")]
    UnknownSchema {
        /// The id in the value's framing.
        id: u32,
        /// What is missing.
        reason: String,
    },
    /// The bytes are not what their schema says.
    #[error("malformed {event_type}: {reason}")]
    Malformed {
        /// The wire name.
        event_type: String,
        /// What is wrong.
        reason: String,
    },
    /// The schema could not be asked for: wait, and try again.
    #[error("schema {id} cannot be asked for now")]
    Unavailable {
        /// The id in the value's framing.
        id: u32,
        /// Why.
        #[source]
        source: Source,
    },
    /// The event's schema has no id here: the log is read beside an older writer.
    #[error("the schema of {0} is not registered")]
    Unregistered(&'static str),
}

impl CodecError {
    /// Stable code for logs, metrics and dead letters.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::UnknownType(_) => "unknown_event_type",
            Self::UnknownSchema { .. } => "unknown_schema",
            Self::Malformed { .. } => "malformed_event",
            Self::Unavailable { .. } => "schemas_unavailable",
            Self::Unregistered(_) => "schema_unregistered",
        }
    }
}

/// Readers and writers of the schemas that this program carries; made once.
struct Tools {
    reader: GenericDatumReader<'static>,
    writer: GenericDatumWriter<'static>,
}

static TOOLS: LazyLock<Vec<Tools>> = LazyLock::new(|| {
    let tools = KNOWN.iter().map(|known| Tools {
        reader: reader(&known.schema).expect("a carried schema resolves"),
        writer: writer(&known.schema).expect("a carried schema resolves"),
    });
    tools.collect()
});

/// Timestamps and dates are numbers in Avro: never the form for people.
fn reader(schema: &Schema) -> Result<GenericDatumReader<'_>, apache_avro::Error> {
    GenericDatumReader::builder(schema).human_readable(false).build()
}

fn writer(schema: &Schema) -> Result<GenericDatumWriter<'_>, apache_avro::Error> {
    GenericDatumWriter::builder(schema).human_readable(false).build()
}

/// Encodes and decodes the events of one log. Shared by all threads.
pub struct Codec {
    /// The ids of the schemas that this program carries, in their order.
    ids: Vec<Option<u32>>,
    by_id: HashMap<u32, usize>,
    fetched: RwLock<HashMap<u32, Arc<Schema>>>,
    elsewhere: Box<dyn WriterSchemas>,
}

impl Codec {
    /// With the id of each schema of [`schemas::KNOWN`], in their order, where it has one.
    #[must_use]
    pub fn new(ids: Vec<Option<u32>>, elsewhere: Box<dyn WriterSchemas>) -> Self {
        let by_id = ids.iter().zip(0..).filter_map(|(id, index)| id.map(|id| (id, index)));
        let by_id = by_id.collect();
        Self { ids, by_id, fetched: RwLock::default(), elsewhere }
    }

    /// Appends the event's value to `out`, in framing, with the newest schema of its type.
    ///
    /// # Errors
    /// [`CodecError::Unregistered`] or [`CodecError::Malformed`]; `out` is then as before.
    pub fn encode(&self, event: &Event, out: &mut Vec<u8>) -> Result<(), CodecError> {
        let start = out.len();
        let encoded = event.with_payload(Encode { codec: self, out });
        if encoded.is_err() {
            out.truncate(start);
        }
        encoded
    }

    /// Reads an event of that type from its value.
    ///
    /// # Errors
    /// [`CodecError`].
    pub fn decode(&self, event_type: &str, value: &[u8]) -> Result<Event, CodecError> {
        let unframed = || malformed(event_type, &"the value is not in Confluent framing");
        let (frame, datum) = value.split_first_chunk::<FRAME_BYTES>().ok_or_else(unframed)?;
        let [0, id @ ..] = *frame else { return Err(unframed()) };
        let mut decode = Decode { codec: self, id: u32::from_be_bytes(id), datum };
        Event::visit_type(event_type, &mut decode)
            .unwrap_or_else(|| Err(CodecError::UnknownType(event_type.to_owned())))
    }

    /// The writer schema of an id that this program does not carry.
    fn fetched(&self, id: u32) -> Result<Arc<Schema>, CodecError> {
        let known = self.fetched.read().unwrap_or_else(PoisonError::into_inner).get(&id).cloned();
        if let Some(schema) = known {
            return Ok(schema);
        }
        let unknown = |reason: String| CodecError::UnknownSchema { id, reason };
        let json = self
            .elsewhere
            .writer_schema(id)
            .map_err(|source| CodecError::Unavailable { id, source })?
            .ok_or_else(|| unknown("nobody has registered it".to_owned()))?;
        let schema = Schema::parse_str(&json).map_err(|error| unknown(error.to_string()))?;
        let schema = Arc::new(schema);
        let mut fetched = self.fetched.write().unwrap_or_else(PoisonError::into_inner);
        if fetched.len() < FETCHED_MAX {
            fetched.insert(id, Arc::clone(&schema));
        }
        Ok(schema)
    }
}

fn malformed(event_type: &str, reason: &dyn std::fmt::Display) -> CodecError {
    CodecError::Malformed { event_type: event_type.to_owned(), reason: reason.to_string() }
}

struct Encode<'a> {
    codec: &'a Codec,
    out: &'a mut Vec<u8>,
}

impl PayloadRef for Encode<'_> {
    type Output = Result<(), CodecError>;

    fn visit<E: EventPayload>(self, payload: &E) -> Self::Output {
        let newest = schemas::newest(E::NAME).ok_or(CodecError::Unregistered(E::NAME))?;
        let id = self.codec.ids.get(newest).copied().flatten();
        let id = id.ok_or(CodecError::Unregistered(E::NAME))?;
        self.out.push(0);
        self.out.extend_from_slice(&id.to_be_bytes());
        match TOOLS[newest].writer.write_ser(self.out, payload) {
            Ok(_) => Ok(()),
            Err(error) => Err(malformed(E::NAME, &error)),
        }
    }
}

struct Decode<'a> {
    codec: &'a Codec,
    id: u32,
    datum: &'a [u8],
}

impl PayloadVisitor for Decode<'_> {
    type Output = Result<Event, CodecError>;

    fn visit<E: EventPayload>(&mut self) -> Self::Output {
        let newest = schemas::newest(E::NAME);
        let newest = newest.ok_or_else(|| CodecError::UnknownType(E::NAME.to_owned()))?;
        match self.codec.by_id.get(&self.id) {
            Some(&index) if index == newest => {
                read_newest::<E>(newest, self.datum).map_err(|reason| malformed(E::NAME, &reason))
            }
            Some(&index) => self.resolve::<E>(&KNOWN[index].schema, newest),
            None => self.resolve::<E>(&*self.codec.fetched(self.id)?, newest),
        }
    }
}

impl Decode<'_> {
    /// Reads what another version of the schema wrote: an event as the newest would have written
    /// it.
    fn resolve<E: EventPayload>(
        &self,
        written_with: &Schema,
        newest: usize,
    ) -> Result<Event, CodecError> {
        let wrong = |error: apache_avro::Error| malformed(E::NAME, &error);
        let mut datum = self.datum;
        let value = reader(written_with).and_then(|reader| reader.read_value(&mut datum));
        let value = value.map_err(wrong)?;
        if !datum.is_empty() {
            return Err(malformed(E::NAME, &"bytes follow the datum"));
        }
        let record = written_with.name().map(|name| name.fullname(None)).unwrap_or_default();
        let value = upcast::upcast(upcast::UPCASTERS, &record, &KNOWN[newest].record, value)
            .map_err(|reason| CodecError::UnknownSchema { id: self.id, reason })?;
        let value = value.resolve(&KNOWN[newest].schema).map_err(wrong)?;
        let datum = TOOLS[newest].writer.write_value_to_vec(value).map_err(wrong)?;
        read_newest::<E>(newest, &datum).map_err(|reason| malformed(E::NAME, &reason))
    }
}

fn read_newest<E: EventPayload>(newest: usize, mut datum: &[u8]) -> Result<Event, String> {
    let payload: E =
        TOOLS[newest].reader.read_deser(&mut datum).map_err(|error| error.to_string())?;
    if datum.is_empty() { Ok(payload.into()) } else { Err("bytes follow the datum".to_owned()) }
}

#[cfg(test)]
#[path = "codec_tests.rs"]
mod tests;
