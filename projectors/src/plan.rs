//! What a batch would do to a generation, before rows are loaded: which events are folded, which
//! wait, which streams are parked, and where the vector and the continuity are afterwards.

use std::collections::BTreeMap;

use domain::{Position, PositionVector, RecordedEvent, StreamName, Timestamp};
use read_models::ParkedStream;

use crate::continuity::{Break, Continuity};

/// What a batch would do, before rows are loaded.
pub(crate) struct Plan<'a> {
    pub(crate) next: PositionVector,
    pub(crate) continuity: Continuity,
    pub(crate) events: Vec<&'a RecordedEvent>,
    pub(crate) parked: BTreeMap<String, ParkedStream>,
    pub(crate) waiting: BTreeMap<String, u64>,
    pub(crate) versions: BTreeMap<StreamName, u64>,
    pub(crate) forgets_versions: bool,
    pub(crate) last_event_at: Option<Timestamp>,
    pub(crate) suspicious: Option<Break>,
}

impl Plan<'_> {
    /// Parks the stream of the event at that index of the fold list, and takes its later events
    /// out.
    pub(crate) fn park(&mut self, index: usize, reason: &str) {
        let Some(culprit) = self.events.get(index) else { return };
        let (stream, position) = (culprit.envelope.stream, culprit.position);
        let before = self.events.len();
        let mut at = 0;
        self.events.retain(|event| {
            at += 1;
            at <= index || event.envelope.stream != stream
        });
        let behind = (before - self.events.len()).saturating_sub(1) as u64;
        if behind > 0 {
            *self.waiting.entry(stream.to_string()).or_default() += behind;
        }
        self.versions.remove(&stream);
        self.park_at(stream.to_string(), position, reason.to_owned());
    }

    pub(crate) fn park_at(&mut self, stream: String, position: Position, reason: String) {
        self.parked.insert(stream.clone(), ParkedStream { stream, position, reason });
    }
}
