//! The hash chain of a stream: each event's hash covers the one before it, so that nothing stored
//! can be altered, removed or put in between without breaking every later hash.
//!
//! Anybody can verify it with the records alone. The hash of an event is SHA-256 over these bytes
//! (integers big-endian, text as UTF-8; `text` and `bytes` are preceded by their length as 4
//! bytes):
//!
//! | what | bytes |
//! |---|---|
//! | the format of this table: 1 | 1 |
//! | the hash of the stream's event before it; zeros before the first | 32 |
//! | stream, `itinerary-<uuid>` (`ce_subject`) | text |
//! | version (`waylog_version`) | 8 |
//! | event id (`ce_id`), as the UUID's bytes | 16 |
//! | event type (`ce_type`) | text |
//! | time (`ce_time`), microseconds since 1970 | 8 |
//! | correlation id, causation id, command id, as the UUIDs' bytes | 3 × 16 |
//! | fingerprint | 32 |
//! | actor (`waylog_actor`) | text |
//! | tenant (`waylog_tenant`) | text |
//! | the Avro datum: the value without its 5 bytes of framing | bytes |
//!
//! Left out on purpose: offset, sequence, epoch and schema id, which say where and how the event is
//! kept and may differ in a copy of the log, and `traceparent`, which is no fact.

use std::fmt::Write as _;

use domain::{Digest, Envelope};
use sha2::{Digest as _, Sha256};

use crate::{FRAME_BYTES, LogEvent};

const FORMAT: u8 = 1;

/// Computes hashes; keeps its buffer, so use one for many events.
#[derive(Debug, Default)]
pub struct HashChain {
    scratch: Vec<u8>,
    text: String,
}

impl HashChain {
    /// The hash of an event whose stream's last hash was `previous` (zeros before the first event).
    /// The envelope's own `hash`, `sequence` and `epoch` are not looked at. `value` is framed.
    pub fn hash(&mut self, previous: &Digest, envelope: &Envelope, value: &[u8]) -> Digest {
        let bytes = &mut self.scratch;
        bytes.clear();
        bytes.push(FORMAT);
        bytes.extend_from_slice(&previous.0);
        put_display(bytes, &mut self.text, &envelope.stream);
        bytes.extend_from_slice(&envelope.version.to_be_bytes());
        bytes.extend_from_slice(envelope.event_id.0.as_bytes());
        put(bytes, envelope.event_type.as_bytes());
        bytes.extend_from_slice(&envelope.recorded_at.micros().to_be_bytes());
        bytes.extend_from_slice(envelope.correlation_id.0.as_bytes());
        bytes.extend_from_slice(envelope.causation_id.as_bytes());
        bytes.extend_from_slice(envelope.command_id.0.as_bytes());
        bytes.extend_from_slice(&envelope.fingerprint.0);
        put_display(bytes, &mut self.text, &envelope.actor);
        put(bytes, envelope.tenant.as_str().as_bytes());
        put(bytes, value.get(FRAME_BYTES..).unwrap_or_default());
        Digest(Sha256::digest(&*bytes).into())
    }

    /// Whether the event's hash is the one that follows `previous`.
    pub fn follows(&mut self, previous: &Digest, event: &LogEvent) -> bool {
        self.hash(previous, &event.envelope, &event.value) == event.envelope.hash
    }
}

fn put(bytes: &mut Vec<u8>, field: &[u8]) {
    let length = u32::try_from(field.len()).expect("a record is far shorter than 4 GiB");
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(field);
}

fn put_display(bytes: &mut Vec<u8>, text: &mut String, field: &impl std::fmt::Display) {
    text.clear();
    write!(text, "{field}").expect("writing to a string cannot fail");
    put(bytes, text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn the_hash_is_the_documented_one() {
        // Given the documented bytes, put together by hand.
        let event = sample::event(1);
        let envelope = &event.envelope;
        let mut bytes = vec![1];
        let text = |bytes: &mut Vec<u8>, text: &[u8]| {
            bytes.extend_from_slice(&u32::try_from(text.len()).unwrap().to_be_bytes());
            bytes.extend_from_slice(text);
        };
        bytes.extend_from_slice(&[7; 32]);
        text(&mut bytes, envelope.stream.to_string().as_bytes());
        bytes.extend_from_slice(&1u64.to_be_bytes());
        bytes.extend_from_slice(envelope.event_id.0.as_bytes());
        text(&mut bytes, b"itinerary-renamed");
        bytes.extend_from_slice(&envelope.recorded_at.micros().to_be_bytes());
        bytes.extend_from_slice(envelope.correlation_id.0.as_bytes());
        bytes.extend_from_slice(envelope.causation_id.as_bytes());
        bytes.extend_from_slice(envelope.command_id.0.as_bytes());
        bytes.extend_from_slice(&envelope.fingerprint.0);
        text(&mut bytes, envelope.actor.to_string().as_bytes());
        text(&mut bytes, b"default");
        text(&mut bytes, &event.value[5..]);

        let hash = HashChain::default().hash(&Digest([7; 32]), envelope, &event.value);

        assert_eq!(hash, Digest(Sha256::digest(&bytes).into()));
    }

    #[test]
    fn any_change_of_what_is_stored_breaks_the_chain() {
        let mut chain = HashChain::default();
        let mut event = sample::event(1);
        event.envelope.hash = chain.hash(&Digest::default(), &event.envelope, &event.value);
        assert!(chain.follows(&Digest::default(), &event));

        let changes: [fn(&mut LogEvent); 11] = [
            |event| event.envelope.version += 1,
            |event| event.envelope.stream.id = uuid::Uuid::from_u128(99),
            |event| event.envelope.event_id.0 = uuid::Uuid::from_u128(99),
            |event| event.envelope.event_type = "itinerary-created".into(),
            |event| event.envelope.recorded_at = event.envelope.recorded_at.plus_seconds(1),
            |event| event.envelope.command_id.0 = uuid::Uuid::from_u128(99),
            |event| event.envelope.causation_id = uuid::Uuid::from_u128(99),
            |event| event.envelope.fingerprint.0[31] ^= 1,
            |event| event.envelope.actor = domain::Actor::System("clock".to_owned()),
            |event| event.envelope.tenant = "other".parse().unwrap(),
            |event| event.value = bytes::Bytes::from_static(b"\0\0\0\0\x01other"),
        ];
        for (index, change) in changes.into_iter().enumerate() {
            let mut changed = event.clone();
            change(&mut changed);

            assert!(!chain.follows(&Digest::default(), &changed), "change {index}");
        }
        assert!(!chain.follows(&Digest([1; 32]), &event), "another predecessor");
    }

    #[test]
    fn the_place_in_the_log_and_the_schema_id_do_not_matter() {
        let mut chain = HashChain::default();
        let event = sample::event(1);
        let mut moved = event.clone();
        moved.position.offset += 100;
        moved.envelope.sequence += 1;
        moved.envelope.epoch += 1;
        let mut value = moved.value.to_vec();
        value[4] ^= 0xff;
        moved.value = value.into();

        let hashes = [&event, &moved]
            .map(|event| chain.hash(&Digest::default(), &event.envelope, &event.value));

        assert_eq!(hashes[0], hashes[1]);
    }
}
