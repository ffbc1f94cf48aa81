//! What travels with every event: its envelope, and the two together as recorded.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::Serialize;
use uuid::Uuid;

use crate::ids::{CommandId, CorrelationId, EventId};
use crate::position::Position;
use crate::{Actor, Event, StreamName, Tenant, Timestamp};

/// 32 bytes of SHA-256, as lower-case hexadecimal text.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Digest(pub [u8; 32]);

/// The text is not 64 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a digest of 64 hexadecimal digits")]
pub struct InvalidDigest;

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = [0u8; 64];
        for (pair, byte) in text.chunks_exact_mut(2).zip(self.0) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        f.write_str(std::str::from_utf8(&text).expect("hexadecimal digits are ASCII"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = InvalidDigest;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.as_bytes();
        let mut bytes = [0u8; 32];
        if digits.len() != 64 {
            return Err(InvalidDigest);
        }
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let digit = |d: u8| match d {
                b'0'..=b'9' => Ok(d - b'0'),
                b'a'..=b'f' => Ok(d - b'a' + 10),
                _ => Err(InvalidDigest),
            };
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Ok(Self(bytes))
    }
}

impl Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Everything that is known of an event beside what happened. Written as the record's headers.
#[derive(Clone, Debug, PartialEq)]
pub struct Envelope {
    /// CloudEvents `id`; derived from command and place, so that a repeat has the same one.
    pub event_id: EventId,
    /// The wire name, `itinerary-created`; possibly one that this process does not know.
    pub event_type: Cow<'static, str>,
    /// Whose history it belongs to.
    pub stream: StreamName,
    /// Its place in the stream, from 1.
    pub version: u64,
    /// The lane's time of the decision; rises strictly within a shard.
    pub recorded_at: Timestamp,
    /// Its place among the events of its partition, from 1, without gaps.
    pub sequence: u64,
    /// Of the ownership under which it was appended.
    pub epoch: i64,
    /// What the request and everything it caused have in common.
    pub correlation_id: CorrelationId,
    /// The message that caused the command: an event's id, or the command's own id at the edge.
    pub causation_id: Uuid,
    /// The command that was decided: the client's idempotency key.
    pub command_id: CommandId,
    /// HMAC of the request, to tell a repeat from another request under the same key.
    pub fingerprint: Digest,
    /// Who asked.
    pub actor: Actor,
    /// Whose data it is.
    pub tenant: Tenant,
    /// The stream's hash chain up to and including this event.
    pub hash: Digest,
    /// W3C trace context of the request.
    pub traceparent: Option<String>,
}

/// An event with its envelope and its place: what projections fold.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordedEvent {
    /// Where it is in the log.
    pub position: Position,
    /// What travels with it.
    pub envelope: Envelope,
    /// What happened.
    pub event: Event,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_reads_back_from_its_text() {
        let digest = Digest(std::array::from_fn(|i| u8::try_from(i * 7 % 256).unwrap()));

        assert_eq!(digest.to_string().len(), 64);
        assert_eq!(digest.to_string().parse(), Ok(digest));
        assert_eq!("00".parse::<Digest>(), Err(InvalidDigest));
    }
}
