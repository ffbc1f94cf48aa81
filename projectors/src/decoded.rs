//! Records after decoding: what all projections of the process share.

use domain::{Event, Position, PositionVector, RecordedEvent, Timestamp};
use event_log::{Codec, CodecError, LogEvent, LogRecord};

use crate::continuity::Place;

/// Reads an event's value. Implemented by the codec; calls may block.
pub trait EventDecoder: Send + Sync + 'static {
    /// The event inside.
    ///
    /// # Errors
    /// [`DecodeError`].
    fn decode(&self, event: &LogEvent) -> Result<Event, DecodeError>;
}

/// An event cannot be decoded.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// The schema registry is away: wait, never park.
    #[error("the schema registry is unavailable: {0}")]
    Unavailable(String),
    /// The type, schema or content is unknown here: the stream is parked until an upgrade.
    #[error("{0}")]
    Undecodable(String),
}

impl EventDecoder for Codec {
    fn decode(&self, event: &LogEvent) -> Result<Event, DecodeError> {
        Self::decode(self, &event.envelope.event_type, &event.value).map_err(|error| match error {
            CodecError::Unavailable { .. } => DecodeError::Unavailable(error.to_string()),
            CodecError::UnknownType(_)
            | CodecError::UnknownSchema { .. }
            | CodecError::Malformed { .. }
            | CodecError::Unregistered(_) => {
                DecodeError::Undecodable(format!("{}: {error}", error.code()))
            }
        })
    }
}

/// One record as the projections take it.
#[derive(Debug)]
pub(crate) enum Item {
    Event(Box<RecordedEvent>),
    Opened { position: Position, epoch: i64 },
    Poison(Poison),
}

/// A record that cannot be folded by anybody here: its stream is parked.
#[derive(Debug)]
pub(crate) struct Poison {
    pub(crate) position: Position,
    pub(crate) stream: String,
    /// What its headers say, when they could be read.
    pub(crate) place: Place,
    pub(crate) recorded_at: Option<Timestamp>,
    pub(crate) reason: String,
}

impl Item {
    /// Decodes a record.
    ///
    /// # Errors
    /// The reason, when the registry is away.
    pub(crate) fn from_record(
        record: LogRecord,
        decoder: &dyn EventDecoder,
    ) -> Result<Self, (Box<LogRecord>, String)> {
        match record {
            LogRecord::Opened(opened) => {
                Ok(Self::Opened { position: opened.position, epoch: opened.epoch })
            }
            LogRecord::Unreadable(record) => Ok(Self::Poison(Poison {
                position: record.position,
                stream: record.key,
                place: Place::Unreadable,
                recorded_at: None,
                reason: record.reason,
            })),
            LogRecord::Event(event) => match decoder.decode(&event) {
                Ok(payload) => Ok(Self::Event(Box::new(RecordedEvent {
                    position: event.position,
                    envelope: event.envelope,
                    event: payload,
                }))),
                Err(DecodeError::Unavailable(reason)) => {
                    Err((Box::new(LogRecord::Event(event)), reason))
                }
                Err(DecodeError::Undecodable(reason)) => Ok(Self::Poison(Poison {
                    position: event.position,
                    stream: event.envelope.stream.to_string(),
                    place: Place::Event {
                        sequence: event.envelope.sequence,
                        epoch: event.envelope.epoch,
                    },
                    recorded_at: Some(event.envelope.recorded_at),
                    reason,
                })),
            },
        }
    }

    pub(crate) fn position(&self) -> Position {
        match self {
            Self::Event(event) => event.position,
            Self::Opened { position, .. } => *position,
            Self::Poison(poison) => poison.position,
        }
    }

    pub(crate) fn place(&self) -> Place {
        match self {
            Self::Event(event) => {
                Place::Event { sequence: event.envelope.sequence, epoch: event.envelope.epoch }
            }
            Self::Opened { epoch, .. } => Place::Opened { epoch: *epoch },
            Self::Poison(poison) => poison.place,
        }
    }

    pub(crate) fn recorded_at(&self) -> Option<Timestamp> {
        match self {
            Self::Event(event) => Some(event.envelope.recorded_at),
            Self::Opened { .. } => None,
            Self::Poison(poison) => poison.recorded_at,
        }
    }
}

/// Records read together.
#[derive(Debug, Default)]
pub(crate) struct Chunk {
    pub(crate) items: Vec<Item>,
    /// Of the values, as they were in the log.
    pub(crate) bytes: usize,
}

impl Chunk {
    pub(crate) fn advance(&self, vector: &mut PositionVector) {
        self.items.iter().for_each(|item| vector.advance(item.position()));
    }
}

/// How many offsets `from` has to go to reach `to`: an estimate, since offsets have gaps.
pub(crate) fn distance(from: &PositionVector, to: &PositionVector) -> u64 {
    to.iter()
        .map(|end| {
            let start = from.offset(end.partition).unwrap_or(-1);
            u64::try_from(end.offset.saturating_sub(start)).unwrap_or(0)
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_distance_counts_only_what_is_ahead() {
        let from: PositionVector = "0:10,1:5".parse().unwrap();
        let to: PositionVector = "0:7,1:9,2:2".parse().unwrap();

        assert_eq!(distance(&from, &to), 4 + 3);
        assert_eq!(distance(&to, &to), 0);
    }
}
