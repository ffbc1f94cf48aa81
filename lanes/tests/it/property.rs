//! Whatever is asked and whatever fails: what was acknowledged is in the log exactly once, and
//! every no was true of a prefix of the log between its request and its answer.

use std::collections::HashMap;

use domain::{Context, Digest, State, StreamName, Timestamp};
use event_log::codec::Codec;
use event_log::hash_chain::HashChain;
use event_log::{LogEvent, ShardId};
use lanes::{CommandError, CommandRequest};
use proptest::prelude::*;

use crate::fake_log::{Fault, Stage};
use crate::requests::{With as _, create, leave, rename, share, stream};
use crate::world::{Outcome, World, codec};

#[derive(Clone, Debug)]
struct Step {
    stream: u128,
    kind: u8,
    /// An earlier id is sent again.
    repeat: bool,
    fault: Option<Fault>,
}

fn step() -> impl Strategy<Value = Step> {
    let fault = prop_oneof![
        8 => Just(None),
        1 => Just(Some(Fault::Abort)),
        1 => Just(Some(Fault::LostWritten)),
        1 => Just(Some(Fault::LostUnwritten)),
        1 => Just(Some(Fault::LostForSure)),
    ];
    (1..4u128, 0..7u8, prop::bool::weighted(0.15), fault)
        .prop_map(|(stream, kind, repeat, fault)| Step { stream, kind, repeat, fault })
}

fn request(step: &Step, number: u128) -> CommandRequest {
    let trip = stream(step.stream);
    match step.kind {
        0 | 1 => create(trip, number),
        2 => rename(trip, "Porto", number),
        3 => rename(trip, "Faro", number),
        4 => share(trip, number).expecting(2),
        5 => share(trip, number),
        _ => leave(trip, number),
    }
}

/// A command, its outcome, and the stream's versions when it was sent and when it was answered.
struct Told {
    request: CommandRequest,
    outcome: Outcome,
    versions: (usize, usize),
}

fn play(stage: &std::sync::Arc<Stage>, rounds: &[Vec<Step>]) -> Vec<Told> {
    let world = World::on(stage);
    let mut sent: Vec<CommandRequest> = Vec::new();
    let mut told = Vec::new();
    for round in rounds {
        let version = |request: &CommandRequest| stage.events_of(request.stream).len();
        let mut pending = Vec::new();
        for step in round {
            let earlier = step.repeat.then(|| sent.last().cloned()).flatten();
            let number = 1 + sent.len() as u128;
            let request = earlier.unwrap_or_else(|| request(step, number));
            stage.fail_next(step.fault.as_slice());
            sent.push(request.clone());
            pending.push((version(&request), world.begin(request.clone()), request));
        }
        for (before, outcome, request) in pending {
            let outcome = world.wait(outcome).unwrap();
            told.push(Told { versions: (before, version(&request)), request, outcome });
        }
    }
    told
}

/// The states of a stream, from before its first event to its present one.
fn states(codec: &Codec, stream: StreamName, events: &[LogEvent]) -> Vec<State> {
    let mut states = vec![State::initial(stream.category)];
    for event in events {
        let decoded = codec.decode(&event.envelope.event_type, &event.value).unwrap();
        states.push(states.last().unwrap().clone().evolve(&decoded));
    }
    states
}

fn check_stream(stream: StreamName, events: &[LogEvent]) {
    let mut chain = HashChain::default();
    let mut previous = Digest::default();
    for (event, version) in events.iter().zip(1..) {
        assert_eq!(event.envelope.version, version, "{stream}");
        assert!(chain.follows(&previous, event), "{stream} version {version}");
        previous = event.envelope.hash;
    }
}

/// `later`: the same id was accepted another time.
fn check_told(told: &Told, events: &[LogEvent], states: &[State], later: bool) {
    let Told { request, outcome, versions } = told;
    let mine: Vec<&LogEvent> =
        events.iter().filter(|e| e.envelope.command_id == request.command_id).collect();
    let held_once = |state: &State| {
        let (actor, tenant) = (request.actor.clone(), request.tenant.clone());
        let context = Context { now: Timestamp::from_micros(1), actor, tenant };
        state.decide(&request.command, &context)
    };
    let mut prefixes = states[versions.0..=versions.1].iter().enumerate();
    match outcome {
        Ok(accepted) if accepted.events > 0 => {
            assert_eq!(mine.len(), accepted.events as usize);
            assert_eq!(mine.last().unwrap().envelope.version, accepted.version);
        }
        Ok(accepted) if accepted.replayed => assert!(!mine.is_empty()),
        Ok(accepted) => assert!(
            prefixes.any(|(_, state)| held_once(state) == Ok(Vec::new())),
            "unchanged at {}",
            accepted.version
        ),
        Err(CommandError::Refused(refusal)) => assert!(
            prefixes.any(|(_, state)| held_once(state).as_ref() == Err(refusal)),
            "never true: {refusal:?}"
        ),
        Err(CommandError::VersionConflict { expected, current }) => {
            assert_ne!(expected, current);
            assert!((versions.0..=versions.1).contains(&usize::try_from(*current).unwrap()));
        }
        // Four faults in a row look like a command that the log never takes.
        Err(CommandError::Defect { .. } | CommandError::Unavailable { .. }) => {
            assert!(later || mine.is_empty(), "said to have failed, and appended");
        }
        Err(error) => panic!("nobody should be told: {error:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn answers_and_log_agree(
        rounds in prop::collection::vec(prop::collection::vec(step(), 1..7), 1..8)
    ) {
        let stage = Stage::new(2, 1);
        let codec = codec();

        let all = play(&stage, &rounds);

        let streams: HashMap<_, _> = (1..4)
            .map(stream)
            .map(|name| (name, stage.events_of(name)))
            .collect();
        for (name, events) in &streams {
            check_stream(*name, events);
        }
        for told in &all {
            let name = told.request.stream;
            let id = told.request.command_id;
            let later = all.iter().any(|t| t.request.command_id == id && t.outcome.is_ok());
            let events = &streams[&name];
            check_told(told, events, &states(&codec, name, events), later);
        }
        for partition in 0..2 {
            let events = stage.events();
            let of = || events.iter().filter(|event| event.position.partition == partition);
            let count = of().count() as u64;
            prop_assert!(of().map(|event| event.envelope.sequence).eq(1..=count));
        }
        prop_assert!(stage.epoch(ShardId(0)) >= 1);
    }
}
