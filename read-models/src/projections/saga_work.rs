//! `saga_work`: the commands that sagas ask for, and what came of them. Table `saga_work` (key:
//! target stream, effect).
//!
//! A repeat is harmless because rows and vector move together. A row has two halves, each written
//! by the events of one stream (`domain::saga::changes_of`), so that streams may interleave in any
//! way. A row stays, as the mark that nothing of it is to be done again, but keeps no more than
//! that: the command goes when its attempt is closed, what came of it when no attempt follows.

use domain::ids::{CommandId, CorrelationId, EventId};
use domain::saga::{Ask, Change, Outcome, Todo, Work, WorkKey, changes_of};
use domain::{Command, RecordedEvent, Tenant, Timestamp};
use uuid::Uuid;

use crate::projection::{Projection, RowKey, Rows};
use crate::row::{Cell as _, Document, row};
use crate::table::{Index, IndexKind, Row as _, Table, Value};

/// `todo` of a row whose command is to be sent.
pub const SEND: &str = "send";
/// `todo` of a row whose outcome the saga has not heard of.
pub const RECORD: &str = "record";

row! {
    /// One command that a saga asks for, from the asking until the saga has heard what came of it.
    pub struct SagaWorkRow in "saga_work", keys 2, append_only false {
        /// The stream to which the command goes, `offer-<id>`.
        target: String,
        /// What the target's events call it, `hold:<id>`; unique in the stream.
        effect: String,
        /// Whose data it is.
        tenant: Tenant,
        /// What is to be done: `send` the command, or `record` its outcome; null when nothing is.
        todo: Option<String>,
        /// The command is not to be sent earlier.
        due_at: Timestamp,
        /// The saga that asks; null while nothing is asked.
        saga_id: Option<Uuid>,
        /// Which step of it; none for what tells the saga something.
        step: Option<String>,
        /// Which attempt is asked for, from 1; 0 while none is.
        attempt: u32,
        /// The last attempt whose outcome the saga has heard of.
        closed_attempt: u32,
        /// Whether no attempt follows.
        settled: bool,
        /// The command's id: the same however often it is sent; null when it is closed.
        command_id: Option<CommandId>,
        /// The command; null when it is closed.
        command: Option<Document<Command>>,
        /// Whether only an event of the target settles it; otherwise its acceptance does.
        awaits_fact: bool,
        /// The event that asks: what causes the command; null when it is closed.
        asked_by: Option<EventId>,
        /// What the request and everything it caused have in common.
        correlation_id: Option<CorrelationId>,
        /// W3C trace context of the request.
        traceparent: Option<String>,
        /// The last attempt that the answer is for; none if it answers whichever there are.
        answered_attempt: Option<u32>,
        /// What came of it.
        answer: Option<Document<Outcome>>,
        /// The event that answers: what causes the saga to hear of it.
        answered_by: Option<EventId>,
    }
    indexes &[
        Index { name: "open", kind: IndexKind::Present(&["todo", "due_at", "target", "effect"]) },
    ]
}

/// The projection of what sagas want done.
pub struct SagaWork;

impl Projection for SagaWork {
    fn name(&self) -> &'static str {
        "saga_work"
    }

    fn version(&self) -> u32 {
        2
    }

    fn tables(&self) -> &'static [&'static Table] {
        &[SagaWorkRow::TABLE]
    }

    fn keyed_by_stream(&self) -> bool {
        false
    }

    fn keys(&self, event: &RecordedEvent, keys: &mut Vec<RowKey>) {
        let changed = changes_of(event.envelope.stream, &event.event);
        let key =
            |(key, _): &(WorkKey, Change)| RowKey { table: SagaWorkRow::TABLE, key: key_of(key) };
        keys.extend(changed.iter().map(key));
    }

    fn fold(&self, rows: &mut Rows, event: &RecordedEvent) {
        for (key, change) in changes_of(event.envelope.stream, &event.event) {
            let row = rows.read::<SagaWorkRow>(&key_of(&key));
            rows.write(row.unwrap_or_else(|| SagaWorkRow::new(key, event)).after(change, event));
        }
    }
}

fn key_of(key: &WorkKey) -> Vec<Value> {
    vec![key.target.to_string().into_value(), key.effect.clone().into_value()]
}

impl SagaWorkRow {
    fn new(key: WorkKey, event: &RecordedEvent) -> Self {
        Self {
            target: key.target.to_string(),
            effect: key.effect,
            tenant: event.envelope.tenant.clone(),
            todo: None,
            due_at: Timestamp::default(),
            saga_id: None,
            step: None,
            attempt: 0,
            closed_attempt: 0,
            settled: false,
            command_id: None,
            command: None,
            awaits_fact: false,
            asked_by: None,
            correlation_id: None,
            traceparent: None,
            answered_attempt: None,
            answer: None,
            answered_by: None,
        }
    }

    fn after(mut self, change: Change, event: &RecordedEvent) -> Self {
        let envelope = &event.envelope;
        let answers = matches!(change, Change::Answered { .. });
        if matches!(change, Change::Asked(_)) {
            self.asked_by = Some(envelope.event_id);
            self.correlation_id = Some(envelope.correlation_id);
            self.traceparent.clone_from(&envelope.traceparent);
        }
        let before = self.work();
        let mut work = before.clone();
        work.apply(change);
        if answers && work.answer != before.answer {
            self.answered_by = Some(envelope.event_id);
        }
        let todo = match work.todo() {
            Todo::Nothing => None,
            Todo::Send(_) => Some(SEND),
            Todo::Record(..) => Some(RECORD),
        };
        self.todo = todo.map(str::to_owned);
        (self.closed_attempt, self.settled) = (work.closed, work.settled);
        match work.ask {
            Some(ask) => {
                self.saga_id = Some(ask.saga_id.0);
                self.step = ask.step;
                self.attempt = ask.attempt;
                self.command_id = Some(ask.command_id);
                self.command = Some(Document(ask.command));
                self.due_at = ask.not_before;
                self.awaits_fact = ask.awaits_fact;
            }
            None => self.closed(),
        }
        match work.answer {
            Some((attempt, outcome)) => {
                self.answered_attempt = attempt;
                self.answer = Some(Document(outcome));
            }
            None => (self.answered_attempt, self.answer, self.answered_by) = (None, None, None),
        }
        self
    }

    /// Nothing is asked: not yet, or not any more.
    fn closed(&mut self) {
        (self.saga_id, self.step, self.attempt) = (None, None, 0);
        (self.command_id, self.command, self.awaits_fact) = (None, None, false);
        (self.asked_by, self.correlation_id, self.traceparent) = (None, None, None);
        self.due_at = Timestamp::default();
    }

    /// What is asked, if anything is yet.
    #[must_use]
    pub fn ask(&self) -> Option<Ask> {
        Some(Ask {
            saga_id: domain::ids::SagaId(self.saga_id?),
            step: self.step.clone(),
            attempt: self.attempt,
            command_id: self.command_id?,
            command: self.command.as_ref()?.0.clone(),
            not_before: self.due_at,
            awaits_fact: self.awaits_fact,
        })
    }

    /// The row as the domain folds it: what is to be done about it is its `todo`.
    #[must_use]
    pub fn work(&self) -> Work {
        let answer = self.answer.as_ref().map(|answer| answer.0.clone());
        Work {
            ask: self.ask(),
            closed: self.closed_attempt,
            answer: answer.map(|outcome| (self.answered_attempt, outcome)),
            settled: self.settled,
        }
    }
}
