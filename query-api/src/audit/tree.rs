//! The tree of causes: commands, the events that each brought or why it was refused, the calls that
//! nobody answered, and the commands that each of these caused.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::event::EventView;
use super::refusals::RefusalView;
use super::telling::{Part, told};

/// How deep a tree goes; what is deeper begins a tree of its own. JSON readers stop at 128 levels,
/// and each command takes four.
const DEPTH_MAX: usize = 24;
/// The codes under which connectors leave evidence of calls without a certain answer: refused, for
/// it is no fact, and no wish of anybody's.
const UNANSWERED: [&str; 2] = ["provider_unanswered", "notification_unanswered"];

/// What became of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Outcome {
    /// It brought events.
    Accepted,
    /// It was refused.
    Refused,
    /// It is no wish: a provider gave no certain answer, or did nothing. `refusals` says which of
    /// both, what it was asked for, how that ended, when first and how often.
    Unanswered,
    /// All that it asked for was true already.
    Unchanged,
}

/// A command, with what it brought.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CausedCommand {
    /// Its id.
    command_id: Uuid,
    /// The message that caused it: an event's id, or that of a command whose answer did; its own id
    /// when the request itself did, or a provider by itself. Null where it was not kept.
    #[schema(required)]
    causation_id: Option<Uuid>,
    /// Who asked.
    actor: String,
    /// The stream that decided it.
    stream: String,
    /// What became of it.
    outcome: Outcome,
    /// What it brought, in order.
    events: Vec<CausingEvent>,
    /// How often it was refused, and why: once for each reason.
    refusals: Vec<RefusedFor>,
    /// The commands that its answer caused.
    #[schema(no_recursion)]
    caused: Vec<Self>,
}

/// Why a command was refused, or how a call ended.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RefusedFor {
    /// The command's name.
    command: String,
    /// The stable code of the broken rule.
    code: String,
    /// One sentence for people.
    message: String,
    /// How often. Of calls without an answer, a record may stand for several.
    times: u64,
    /// When first.
    #[schema(format = DateTime)]
    time: String,
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
    /// The part that it plays.
    part: Part,
    /// One sentence for people, where the type alone does not tell.
    #[schema(required)]
    told: Option<String>,
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

/// What is known of a command.
#[derive(Default)]
struct Known<'a> {
    events: Vec<&'a EventView>,
    refused: Vec<&'a RefusalView>,
}

struct Graph<'a> {
    commands: BTreeMap<Key<'a>, Known<'a>>,
    /// By the event, or the command, that caused them, in order of time.
    caused: BTreeMap<Uuid, Vec<Key<'a>>>,
    causes: BTreeMap<Key<'a>, Option<Uuid>>,
    placed: HashSet<Key<'a>>,
}

/// The commands that nothing among all this caused, with everything below them; each command stands
/// in one place.
pub(super) fn tree(events: &[EventView], refused: &[RefusalView]) -> Vec<CausedCommand> {
    // A saga names the command in the event that asks for it.
    let asked = events.iter().filter_map(|event| {
        let command = event.data.get("command_id")?.as_str()?.parse::<Uuid>().ok()?;
        Some((command, event.event_id))
    });
    let asked: HashMap<Uuid, Uuid> = asked.collect();
    let mut commands: BTreeMap<Key<'_>, Known<'_>> = BTreeMap::new();
    let mut order: Vec<(&str, Key<'_>, Option<Uuid>)> = Vec::new();
    for event in events {
        let key = (event.command_id, event.stream.as_str());
        commands.entry(key).or_default().events.push(event);
        order.push((&event.time, key, Some(event.causation_id)));
    }
    for one in refused {
        let key = (one.command_id, one.stream.as_str());
        commands.entry(key).or_default().refused.push(one);
        let cause = one.causation_id.or_else(|| asked.get(&one.command_id).copied());
        order.push((&one.time, key, cause));
    }
    // Where times are the same, what was read first stands first.
    order.sort_by_key(|(time, ..)| *time);
    let known = events.iter().map(|event| event.event_id);
    let known: HashSet<Uuid> = known.chain(commands.keys().map(|(id, _)| *id)).collect();
    let (mut caused, mut causes) = (BTreeMap::<_, Vec<_>>::new(), BTreeMap::new());
    for (_, key, cause) in &order {
        if causes.contains_key(key) {
            continue;
        }
        causes.insert(*key, *cause);
        if let Some(cause) = cause.filter(|cause| *cause != key.0) {
            caused.entry(cause).or_default().push(*key);
        }
    }
    let outside =
        |key: &Key<'_>| causes[key].is_none_or(|cause| cause == key.0 || !known.contains(&cause));
    let roots: Vec<_> = order.iter().map(|(_, key, _)| *key).filter(outside).collect();
    let mut graph = Graph { commands, caused, causes, placed: HashSet::new() };
    let mut trees: Vec<_> = roots.into_iter().filter_map(|key| graph.command(key, 0)).collect();
    // What is too deep, or hangs in a circle that no request of ours makes, is shown all the same.
    let rest: Vec<_> = order.iter().map(|(_, key, _)| *key).collect();
    trees.extend(rest.into_iter().filter_map(|key| graph.command(key, 0)));
    trees
}

impl<'a> Graph<'a> {
    /// The command with everything below it, unless it has its place already.
    fn command(&mut self, key: Key<'a>, depth: usize) -> Option<CausedCommand> {
        if depth >= DEPTH_MAX || !self.placed.insert(key) {
            return None;
        }
        let Known { events, refused } = self.commands.remove(&key)?;
        let event = events.first().map(|event| &event.actor);
        let actor = event.or_else(|| refused.first().map(|refused| &refused.actor))?.clone();
        let refusals = reasons(&refused);
        let outcome = match (&events[..], &refusals[..]) {
            ([_, ..], _) => Outcome::Accepted,
            ([], [reason]) if UNANSWERED.contains(&&*reason.code) => Outcome::Unanswered,
            ([], [_, ..]) => Outcome::Refused,
            ([], []) => Outcome::Unchanged,
        };
        let causation_id = self.causes.get(&key).copied().flatten();
        let events = events.iter().map(|event| self.event(event, depth)).collect();
        let caused = self.caused_by(key.0, depth);
        let (command_id, stream) = (key.0, key.1.to_owned());
        Some(CausedCommand {
            command_id,
            causation_id,
            actor,
            stream,
            outcome,
            events,
            refusals,
            caused,
        })
    }

    fn event(&mut self, event: &EventView, depth: usize) -> CausingEvent {
        let (part, told) = told(event);
        CausingEvent {
            event_id: event.event_id,
            event_type: event.event_type.clone(),
            part,
            told,
            version: event.version,
            time: event.time.clone(),
            caused: self.caused_by(event.event_id, depth),
        }
    }

    fn caused_by(&mut self, cause: Uuid, depth: usize) -> Vec<CausedCommand> {
        let caused = self.caused.get(&cause).cloned().unwrap_or_default();
        caused.into_iter().filter_map(|key| self.command(key, depth + 1)).collect()
    }
}

/// Each reason once, in the order of their first time.
fn reasons(refused: &[&RefusalView]) -> Vec<RefusedFor> {
    let mut reasons: Vec<RefusedFor> = Vec::new();
    for one in refused {
        let Some(code) = &one.code else { continue };
        let times = 1 + if UNANSWERED.contains(&&**code) { one.left_out() } else { 0 };
        match reasons.iter_mut().find(|reason| reason.code == *code) {
            Some(reason) => reason.times += times,
            None => reasons.push(RefusedFor {
                command: one.command.clone(),
                code: code.clone(),
                message: one.message.clone().unwrap_or_default(),
                times,
                time: one.time.clone(),
            }),
        }
    }
    reasons
}

#[cfg(test)]
mod tests {
    use domain::ids::{CommandId, CorrelationId};
    use domain::{Category, Position, StreamName, Tenant, Timestamp};
    use serde_json::{Value, json};

    use super::*;
    use crate::audit::event::PositionView;
    use crate::refusal_trail::Refused;

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

        let found = outline(&tree(&events, &[]));

        assert_eq!(found, json!([[["e1", []], ["e2", [[["e3", [[["e4", []]]]]]]]]]));
    }

    #[test]
    fn what_was_caused_from_outside_or_in_a_circle_is_still_shown_once() {
        let events = [event(1, 100, 77), event(2, 200, 3), event(3, 300, 2)];

        let found = outline(&tree(&events, &[]));

        assert_eq!(found, json!([[["e1", []]], [["e2", [[["e3", []]]]]]]));
    }

    #[test]
    fn what_an_answer_caused_hangs_below_the_command_that_was_answered() {
        let events = [event(1, 100, 100), event(2, 200, 100)];

        let found = tree(&events, &[]);

        assert_eq!(found.len(), 1);
        assert_eq!(found[0].caused[0].events[0].event_type, "e2");
        assert_eq!(found[0].caused[0].outcome, Outcome::Accepted);
    }

    #[test]
    fn a_step_and_a_call_are_told_in_a_sentence() {
        let mut step = event(1, 100, 100);
        step.event_type = "saga-step-requested".to_owned();
        step.data = json!({ "step": "hold:1", "attempt": 2, "target": "offer-x" });
        let mut call = event(2, 200, 1);
        call.event_type = "payment-capture-requested".to_owned();
        call.data = json!({ "attempt": 1, "amount": { "amount": 5, "currency": "EUR" } });

        let found = tree(&[step, call], &[]);

        let first = &found[0].events[0];
        assert_eq!(
            (first.part, first.told.as_deref()),
            (Part::Step, Some("`hold:1`, attempt 2, of offer-x"))
        );
        let second = &first.caused[0].events[0];
        assert_eq!(second.part, Part::ProviderCall);
        assert_eq!(second.told.as_deref(), Some("capture EUR 5, attempt 1"));
    }

    #[test]
    fn calls_that_nobody_answered_hang_below_their_request_and_are_counted() {
        let mut request = event(1, 100, 100);
        request.event_type = "payment-capture-requested".to_owned();
        let answer = event(2, 300, 1);
        let evidence = |left_out: u64, second: u32| {
            let refusal: domain::Refusal = domain::payment::Refusal::Unanswered {
                request: domain::ids::EventId(Uuid::from_u128(1)),
                operation: "capture".to_owned(),
                may_be_done: true,
                provider_code: "provider_late".to_owned(),
                left_out,
            }
            .into();
            RefusalView::from(Refused {
                at: Position { partition: 0, offset: i64::from(second) },
                stream: StreamName::new(Category::Payment, Uuid::from_u128(9)),
                version: 1,
                command_id: CommandId(Uuid::from_u128(200)),
                command: "payment.note-unanswered".to_owned(),
                correlation_id: CorrelationId(Uuid::nil()),
                causation_id: Some(Uuid::from_u128(1)),
                actor: "system:payments".parse().unwrap(),
                tenant: Tenant::default(),
                refused_at: Timestamp::from_micros(i64::from(second) * 1_000_000),
                refusal: Some(refusal),
            })
        };

        let found = tree(&[request, answer], &[evidence(0, 1), evidence(3, 6)]);

        let caused = &found[0].events[0].caused;
        let call = caused.iter().find(|command| command.events.is_empty()).unwrap();
        assert_eq!((caused.len(), call.outcome), (2, Outcome::Unanswered));
        let [how] = &call.refusals[..] else { panic!("{:?}", call.refusals) };
        assert_eq!(how.message, "`capture` has no certain answer of the provider: provider_late");
        assert_eq!((how.times, how.time.as_str()), (5, "1970-01-01T00:00:01.000000Z"));
        assert!(domain::notification::Refusal::CODES.contains(&UNANSWERED[1]));
    }

    #[test]
    fn what_became_of_a_message_is_told_in_a_sentence() {
        let mut asked = event(1, 100, 100);
        asked.event_type = "notification-requested".to_owned();
        asked.data = json!({ "template": "booking-confirmed", "channel": "email" });
        let mut failed = event(2, 200, 1);
        failed.event_type = "notification-failed".to_owned();
        failed.data = json!({ "attempt": 2, "code": "provider_late", "message": "Nothing came." });

        let found = tree(&[asked, failed], &[]);

        let asked = &found[0].events[0];
        assert_eq!(asked.part, Part::ProviderCall);
        assert_eq!(asked.told.as_deref(), Some("`booking-confirmed` by email"));
        let failed = &asked.caused[0].events[0];
        assert_eq!(failed.part, Part::ProviderAnswer);
        let told = "attempt 2 failed: provider_late: Nothing came.";
        assert_eq!(failed.told.as_deref(), Some(told));
    }

    #[test]
    fn a_chain_of_any_length_stays_readable() {
        let chain: Vec<_> = (1..=1_000).map(|id| event(id, 5_000 + id, id - 1)).collect();

        let text = serde_json::to_string(&tree(&chain, &[])).unwrap();

        assert_eq!(text.matches("\"event_id\"").count(), 1_000);
        serde_json::from_str::<Value>(&text).unwrap();
    }
}
