//! Deciding one command against the newest state, earlier commands of the batch included.
//!
//! The order of the questions is part of the contract: is the stream readable, is it the tenant's,
//! is the id known, is the version as expected, and only then the domain's rules.

use std::borrow::Cow;

use bytes::Bytes;
use domain::{Context, Envelope, Event, Refusal, RefusalKind, State, StreamName, Timestamp};
use event_log::{CodecError, NewEvent, RefusalRecord, StoredOutcome, StreamHead, StreamStoreError};
use serde_json::{Map, json};

use crate::book::Book;
use crate::derive::event_id;
use crate::draft::{Decided, Draft, Earlier, Planned};
use crate::ledger::later;
use crate::loading::{LoadError, load};
use crate::rules::RulePanic;
use crate::state_cache::{Cached, Live, Place};
use crate::waiting::Waiting;
use crate::{Accepted, CommandError, CommandRequest};

/// When a stream that nobody here can read is worth another try.
const UPGRADE_RETRY_SECONDS: u32 = 60;

/// Why a draft cannot go on; it has to be rolled back.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The store failed: so does the shard.
    Store(StreamStoreError),
    /// A fold took the state of a touched stream with it.
    Poisoned(RulePanic),
}

enum Plan {
    /// Needs no commit: a stored outcome, or nothing that is said of the stream's state.
    Now(Result<Accepted, CommandError>),
    Later(Planned),
}

impl Book {
    /// Decides the command into the draft, or answers it when its outcome is stored already.
    ///
    /// # Errors
    /// [`Trouble`]; the command is then the draft's last, undecided.
    pub(crate) fn decide(
        &mut self,
        mut waiting: Waiting,
        draft: &mut Draft,
    ) -> Result<(), Trouble> {
        match self.plan(&mut waiting, draft) {
            Ok(Plan::Now(outcome)) => waiting.answer(outcome),
            Ok(Plan::Later(planned)) => draft.decided.push(Decided { waiting, planned }),
            Err(trouble) => {
                draft.decided.push(Decided { waiting, planned: Planned::Undecided });
                return Err(trouble);
            }
        }
        Ok(())
    }

    fn plan(&mut self, waiting: &mut Waiting, draft: &mut Draft) -> Result<Plan, Trouble> {
        let stream = waiting.request().stream;
        if waiting.request().command.category() != stream.category {
            let reason = format!("a command of another category was sent to {stream}");
            return Ok(Plan::Now(Err(CommandError::Defect { reason })));
        }
        if !self.cache.contains(&stream) {
            let gear = &self.gear;
            match load(&mut *self.store, &gear.codec, gear.rules, stream) {
                Ok(cached) => self.cache.insert(stream, cached),
                Err(LoadError::Store(error)) => return Err(Trouble::Store(error)),
                Err(LoadError::Away(reason)) => return Ok(unavailable(reason, 1)),
            }
        }
        let live = match self.cache.touch(&stream).expect("the stream was loaded just now") {
            Cached::Live(live) => live,
            Cached::Refused(reason) => {
                return Ok(unavailable(reason.clone(), UPGRADE_RETRY_SECONDS));
            }
        };
        let foreign = live.tenant.as_ref().is_some_and(|owner| *owner != waiting.request().tenant);
        if foreign {
            return Ok(self.decide_foreign(waiting.request(), draft));
        }
        let exists = live.head.version > 0;
        if exists && let Some(plan) = self.known_outcome(waiting, draft)? {
            return Ok(plan);
        }
        waiting.proven_unwritten();
        if let Some(doom) = waiting.doom().cloned() {
            let version = self.live(&stream).head.version;
            return Ok(self.fail(waiting.request(), version, doom, draft));
        }
        self.judge(waiting.request(), draft)
    }

    /// What became of the same id before: in this batch, lately, or ever.
    fn known_outcome(&mut self, waiting: &Waiting, draft: &Draft) -> Result<Option<Plan>, Trouble> {
        let request = waiting.request();
        if let Some(earlier) = draft.keys.get(&(request.stream, request.command_id)) {
            return Ok(Some(Plan::Later(if earlier.fingerprint == request.fingerprint {
                Planned::Repeated { version: earlier.version, last: earlier.last }
            } else {
                Planned::Failed(CommandError::IdempotencyMismatch)
            })));
        }
        let stored = match self.recent.find(request.stream, request.command_id) {
            Some(outcome) => Some(outcome.clone()),
            None => {
                self.store.outcome(&request.stream, request.command_id).map_err(Trouble::Store)?
            }
        };
        Ok(stored.map(|outcome| Plan::Now(self.replay(waiting, &outcome))))
    }

    fn replay(&self, waiting: &Waiting, outcome: &StoredOutcome) -> Result<Accepted, CommandError> {
        if outcome.fingerprint != waiting.request().fingerprint {
            return Err(CommandError::IdempotencyMismatch);
        }
        // An append of ours whose outcome was unknown until now is no repeat to its caller.
        let events = waiting.unknown_events().unwrap_or(0);
        let position = self.token(Some(outcome.position));
        Ok(Accepted { version: outcome.version, position, replayed: events == 0, events })
    }

    /// The domain's own answer, with its events in the draft.
    fn judge(&mut self, request: &CommandRequest, draft: &mut Draft) -> Result<Plan, Trouble> {
        let now = self.ledger.time(self.gear.clock.now());
        let rules = self.gear.rules;
        let live = self.live(&request.stream);
        let (version, last) = (live.head.version, live.last);
        let conflict = request
            .expected_version
            .filter(|expected| *expected != version)
            .map(|expected| CommandError::VersionConflict { expected, current: version });
        if version > 0
            && let Some(conflict) = conflict
        {
            return Ok(self.fail(request, version, conflict, draft));
        }
        let context = Context { now, actor: request.actor.clone(), tenant: request.tenant.clone() };
        let state = live.state.as_ref().expect("a state is absent only while it is folded");
        let decision = rules.decide(state, &request.command, &context);
        let error = match (decision, conflict) {
            (Err(panic), _) => defect(&panic),
            // What is not there is said to be not there, whatever version was expected of it.
            (Ok(Err(refusal)), None) => CommandError::Refused(refusal),
            (Ok(Err(refusal)), Some(_)) if refusal.kind == RefusalKind::NotFound => {
                CommandError::Refused(refusal)
            }
            (Ok(_), Some(conflict)) => conflict,
            (Ok(Ok(events)), None) if events.is_empty() => {
                self.evidence(request, version, None, draft);
                return Ok(Plan::Later(Planned::Unchanged { version, last }));
            }
            (Ok(Ok(events)), None) => return self.append(request, &events, now, draft),
        };
        Ok(self.fail(request, version, error, draft))
    }

    /// Another tenant's stream looks as if it were not there, but its id is taken.
    fn decide_foreign(&mut self, request: &CommandRequest, draft: &mut Draft) -> Plan {
        let now = self.ledger.time(self.gear.clock.now());
        let context = Context { now, actor: request.actor.clone(), tenant: request.tenant.clone() };
        let nothing = State::initial(request.stream.category);
        let error = match self.gear.rules.decide(&nothing, &request.command, &context) {
            Err(panic) => defect(&panic),
            Ok(Err(refusal)) => CommandError::Refused(refusal),
            Ok(Ok(_)) => CommandError::Refused(Refusal {
                code: "id_not_available".to_owned(),
                kind: RefusalKind::AlreadyExists,
                message: "the id is not available; choose another one".to_owned(),
                facts: Map::new(),
            }),
        };
        self.fail(request, 0, error, draft)
    }

    fn append(
        &mut self,
        request: &CommandRequest,
        events: &[Event],
        now: Timestamp,
        draft: &mut Draft,
    ) -> Result<Plan, Trouble> {
        let stream = request.stream;
        let values = match self.encode(events) {
            Ok(values) => values,
            Err(error) => {
                tracing::error!(%stream, command_id = %request.command_id, code = error.code(),
                    error = &error as &dyn std::error::Error, "an event cannot be encoded");
                let error = CommandError::Defect { reason: error.to_string() };
                let version = self.live(&stream).head.version;
                return Ok(self.fail(request, version, error, draft));
            }
        };
        draft.touched.push(stream);
        let rules = self.gear.rules;
        let live = self.live(&stream);
        let state = live.state.take().expect("a state is absent only while it is folded");
        live.state = Some(rules.evolve(state, events).map_err(Trouble::Poisoned)?);

        let mut head = live.head;
        let partition = self.gear.log.topology().partition(&stream);
        let mut bytes = 0;
        for (index, (event, value)) in (0u32..).zip(events.iter().zip(values)) {
            let at = later(now, i64::from(index));
            self.ledger.record(at);
            let mut envelope = self.envelope(request, event, index, &head, at, partition);
            envelope.hash = self.chain.hash(&head.hash, &envelope, &value);
            head = StreamHead { version: envelope.version, hash: envelope.hash };
            bytes += value.len();
            draft.batch.events.push(NewEvent { partition, envelope, value });
        }
        draft.value_bytes += bytes;
        let last = draft.batch.events.len() - 1;
        let count = u32::try_from(events.len()).expect("a decision has few events");
        let live = self.live(&stream);
        live.head = head;
        live.last = Place::Batch(last);
        live.bytes += bytes;
        live.events_since_snapshot += count;
        live.tenant.get_or_insert_with(|| request.tenant.clone());
        let earlier = Earlier { fingerprint: request.fingerprint, version: head.version, last };
        draft.keys.insert((stream, request.command_id), earlier);
        Ok(Plan::Later(Planned::Appended { version: head.version, count, last }))
    }

    fn encode(&mut self, events: &[Event]) -> Result<Vec<Bytes>, CodecError> {
        let encoded = events.iter().map(|event| {
            self.scratch.clear();
            self.gear.codec.encode(event, &mut self.scratch)?;
            Ok(Bytes::copy_from_slice(&self.scratch))
        });
        encoded.collect()
    }

    fn envelope(
        &mut self,
        request: &CommandRequest,
        event: &Event,
        index: u32,
        head: &StreamHead,
        recorded_at: Timestamp,
        partition: u32,
    ) -> Envelope {
        Envelope {
            event_id: event_id(request.command_id, request.stream, index),
            event_type: Cow::Borrowed(event.name()),
            stream: request.stream,
            version: head.version + 1,
            recorded_at,
            sequence: self.ledger.next_sequence(partition),
            epoch: self.epoch,
            correlation_id: request.correlation_id,
            causation_id: request.causation_id,
            command_id: request.command_id,
            fingerprint: request.fingerprint,
            actor: request.actor.clone(),
            tenant: request.tenant.clone(),
            hash: head.hash,
            traceparent: request.traceparent.clone(),
        }
    }

    fn fail(
        &mut self,
        request: &CommandRequest,
        version: u64,
        error: CommandError,
        draft: &mut Draft,
    ) -> Plan {
        let refusal = match &error {
            CommandError::Refused(refusal) => refusal.clone(),
            other => Refusal {
                code: other.code().to_owned(),
                kind: RefusalKind::Rule,
                message: other.to_string(),
                facts: facts(other),
            },
        };
        self.evidence(request, version, Some(refusal), draft);
        Plan::Later(Planned::Failed(error))
    }

    /// Without a record there would be no commit to prove that the shard was still ours.
    fn evidence(
        &mut self,
        request: &CommandRequest,
        version: u64,
        refusal: Option<Refusal>,
        draft: &mut Draft,
    ) {
        let refused_at = self.ledger.time(self.gear.clock.now());
        self.ledger.record(refused_at);
        draft.batch.refusals.push(RefusalRecord {
            stream: request.stream,
            version,
            command_id: request.command_id,
            command: format!("{}.{}", request.stream.category, request.command.name()),
            correlation_id: request.correlation_id,
            causation_id: Some(request.causation_id),
            actor: request.actor.clone(),
            tenant: request.tenant.clone(),
            refused_at,
            refusal,
        });
    }

    fn live(&mut self, stream: &StreamName) -> &mut Live {
        match self.cache.touch(stream) {
            Some(Cached::Live(live)) => live,
            _ => unreachable!("a stream is judged only while its state is in memory"),
        }
    }
}

fn unavailable(reason: String, retry_after_seconds: u32) -> Plan {
    Plan::Now(Err(CommandError::Unavailable { reason, retry_after_seconds }))
}

fn defect(panic: &RulePanic) -> CommandError {
    CommandError::Defect { reason: format!("a decision panicked: {}", panic.0) }
}

fn facts(error: &CommandError) -> Map<String, serde_json::Value> {
    let facts = match error {
        CommandError::VersionConflict { expected, current } => {
            json!({ "expected_version": expected, "current_version": current })
        }
        CommandError::TooLarge { bytes_max } => json!({ "bytes_max": bytes_max }),
        _ => json!({}),
    };
    match facts {
        serde_json::Value::Object(facts) => facts,
        _ => Map::new(),
    }
}
