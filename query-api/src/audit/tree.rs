//! The tree of causes: commands, the events that each brought, and the commands that each of these
//! caused.

use std::collections::{BTreeMap, HashSet};

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::event::EventView;

/// How deep a tree goes; what is deeper begins a tree of its own. JSON readers stop at 128 levels,
/// and each command takes four.
const DEPTH_MAX: usize = 24;

/// A command, with what it brought.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CausedCommand {
    /// Its id.
    command_id: Uuid,
    /// The event that caused it; its own id when the request itself did.
    causation_id: Uuid,
    /// Who asked.
    actor: String,
    /// The stream that decided it.
    stream: String,
    /// What it brought, in order.
    events: Vec<CausingEvent>,
}

/// An event, with what it caused.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CausingEvent {
    /// Its id.
    event_id: Uuid,
    /// What happened.
    #[serde(rename = "type")]
    #[schema(example = "itinerary-created")]
    event_type: String,
    /// Its place in the stream.
    version: u64,
    /// When.
    #[schema(format = DateTime)]
    time: String,
    /// The commands that it caused.
    #[schema(no_recursion)]
    caused: Vec<CausedCommand>,
}

/// Which command: the same id may be used in two streams.
type Key<'a> = (Uuid, &'a str);

struct Graph<'a> {
    commands: BTreeMap<Key<'a>, Vec<&'a EventView>>,
    /// By the event that caused them, in order of time.
    caused: BTreeMap<Uuid, Vec<Key<'a>>>,
    placed: HashSet<Key<'a>>,
}

/// The commands that nothing among the events caused, with everything below them; each command
/// stands in one place.
pub(super) fn tree(events: &[EventView]) -> Vec<CausedCommand> {
    let known: HashSet<Uuid> = events.iter().map(|event| event.event_id).collect();
    let mut graph =
        Graph { commands: BTreeMap::new(), caused: BTreeMap::new(), placed: HashSet::new() };
    let mut order = Vec::new();
    for event in events {
        let key = (event.command_id, event.stream.as_str());
        let brought = graph.commands.entry(key).or_default();
        if brought.is_empty() {
            order.push((key, event.causation_id));
            graph.caused.entry(event.causation_id).or_default().push(key);
        }
        brought.push(event);
    }
    let outside = |(_, cause): &&(Key<'_>, Uuid)| !known.contains(cause);
    let roots: Vec<_> = order.iter().filter(outside).map(|(key, _)| *key).collect();
    let mut trees: Vec<_> = roots.into_iter().filter_map(|key| graph.command(key, 0)).collect();
    // What is too deep, or hangs in a circle that no request of ours makes, is shown all the same.
    let rest: Vec<_> = order.iter().map(|(key, _)| *key).collect();
    trees.extend(rest.into_iter().filter_map(|key| graph.command(key, 0)));
    trees
}

impl<'a> Graph<'a> {
    /// The command with everything below it, unless it has its place already.
    fn command(&mut self, key: Key<'a>, depth: usize) -> Option<CausedCommand> {
        if depth >= DEPTH_MAX || !self.placed.insert(key) {
            return None;
        }
        let brought = self.commands.get(&key)?.clone();
        let first = brought.first()?;
        Some(CausedCommand {
            command_id: first.command_id,
            causation_id: first.causation_id,
            actor: first.actor.clone(),
            stream: first.stream.clone(),
            events: brought.iter().map(|event| self.event(event, depth)).collect(),
        })
    }

    fn event(&mut self, event: &EventView, depth: usize) -> CausingEvent {
        let caused = self.caused.get(&event.event_id).cloned().unwrap_or_default();
        CausingEvent {
            event_id: event.event_id,
            event_type: event.event_type.clone(),
            version: event.version,
            time: event.time.clone(),
            caused: caused.into_iter().filter_map(|key| self.command(key, depth + 1)).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::audit::event::PositionView;

    fn event(id: u128, command: u128, cause: u128) -> EventView {
        EventView {
            event_id: Uuid::from_u128(id),
            position: PositionView { partition: 0, offset: 0 },
            stream: "itinerary-x".to_owned(),
            version: 1,
            event_type: format!("e{id}"),
            time: String::new(),
            actor: "system:test".to_owned(),
            tenant: "dev".to_owned(),
            correlation_id: Uuid::nil(),
            causation_id: Uuid::from_u128(cause),
            command_id: Uuid::from_u128(command),
            hash: String::new(),
            data: Value::Null,
        }
    }

    /// `[[e1, [[e3]]], e2]`: a command is a list of its events, an event with what it caused.
    fn outline(commands: &[CausedCommand]) -> Value {
        let event = |event: &CausingEvent| json!([event.event_type, outline(&event.caused)]);
        commands.iter().map(|command| command.events.iter().map(event).collect::<Value>()).collect()
    }

    #[test]
    fn commands_hang_below_the_events_that_caused_them() {
        let events = [event(1, 100, 100), event(2, 100, 100), event(3, 200, 2), event(4, 300, 3)];

        let found = outline(&tree(&events));

        assert_eq!(found, json!([[["e1", []], ["e2", [[["e3", [[["e4", []]]]]]]]]]));
    }

    #[test]
    fn what_was_caused_from_outside_or_in_a_circle_is_still_shown_once() {
        let events = [event(1, 100, 77), event(2, 200, 3), event(3, 300, 2)];

        let found = outline(&tree(&events));

        assert_eq!(found, json!([[["e1", []]], [["e2", [[["e3", []]]]]]]));
    }

    #[test]
    fn a_chain_of_any_length_stays_readable() {
        let chain: Vec<_> = (1..=1_000).map(|id| event(id, 5_000 + id, id - 1)).collect();

        let text = serde_json::to_string(&tree(&chain)).unwrap();

        assert_eq!(text.matches("\"event_id\"").count(), 1_000);
        serde_json::from_str::<Value>(&text).unwrap();
    }
}
