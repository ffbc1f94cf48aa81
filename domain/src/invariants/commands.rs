//! Every acknowledged command's events are in the log once: they stand together in their stream,
//! the command never comes again there, and no event id is given twice.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::ids::CommandId;
use crate::{Envelope, StreamName};

/// The commands and events that were seen. The one memory of these checks that grows with the log:
/// two numbers of 16 bytes for an event.
#[derive(Debug, Default)]
pub(super) struct Commands {
    last: BTreeMap<StreamName, CommandId>,
    /// Of stream and command.
    known: BTreeSet<u128>,
    events: BTreeSet<Uuid>,
}

impl Commands {
    /// How many commands were seen.
    pub(super) fn count(&self) -> u64 {
        self.known.len() as u64
    }

    /// What is wrong with the event's ids.
    pub(super) fn read(&mut self, envelope: &Envelope) -> Option<String> {
        let (stream, command_id) = (envelope.stream, envelope.command_id);
        let before = self.last.insert(stream, command_id);
        let again = before != Some(command_id) && !self.known.insert(key(stream, command_id));
        if again {
            return Some(format!(
                "command {command_id} was decided earlier in this stream, and its events come again"
            ));
        }
        let twice = !self.events.insert(envelope.event_id.0);
        twice.then(|| format!("event id {} is given to a second event", envelope.event_id))
    }
}

/// The scope of a command id is its stream.
fn key(stream: StreamName, command_id: CommandId) -> u128 {
    let mut hash = Sha256::new();
    hash.update(stream.category.name());
    hash.update(stream.id.as_bytes());
    hash.update(command_id.0.as_bytes());
    let hash: [u8; 32] = hash.finalize().into();
    let (half, _) = hash.split_first_chunk::<16>().expect("a SHA-256 hash has 32 bytes");
    u128::from_be_bytes(*half)
}
