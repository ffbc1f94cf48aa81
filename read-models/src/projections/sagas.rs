//! `sagas`: each process as operators see it. Tables `sagas` (key: saga) and `saga_events` (saga,
//! version; append-only).
//!
//! A repeat is harmless because rows and vector move together. Every row belongs to one stream, so
//! streams may interleave in any way.
//!
//! State and steps follow the aggregate's own fold, without keeping all that it knows; a test
//! holds them against it.

use std::collections::BTreeMap;

use domain::ids::{BookingId, CommandId, CorrelationId, EventId, SagaId};
use domain::saga::{Consequence, Event as Saga, SagaStarted, Standing, StepStatus};
use domain::{Event, RecordedEvent, Tenant, Timestamp};
use serde::{Deserialize, Serialize};

use super::itineraries::wire_name;
use crate::projection::{Projection, RowKey, Rows};
use crate::row::{Cell as _, Document, row};
use crate::table::{Index, IndexKind, Row as _, Table, Value};

row! {
    /// One process.
    pub struct SagaRow in "sagas", keys 1, append_only false {
        /// The saga.
        saga_id: SagaId,
        /// Whose data it is.
        tenant: Tenant,
        /// Which process it is, `trip-booking`.
        kind: String,
        /// The booking it is about.
        booking_id: BookingId,
        /// `running`, `stuck`, `completed`, `compensated` or `resolved`.
        state: String,
        /// Why everything is undone: `failed`, `deadline` or `cancelled`; none while it goes
        /// forward.
        cause: Option<String>,
        /// Every step and compensation that was ever requested, by name.
        steps: Document<BTreeMap<String, StepAt>>,
        /// The step or compensation that failed last.
        failed_step: Option<String>,
        /// The stable code of that failure.
        failure_code: Option<String>,
        /// It as a sentence.
        failure_message: Option<String>,
        /// When its time is over; none if it has all the time it needs.
        deadline_at: Option<Timestamp>,
        /// Whether its deadline was said to be over.
        deadline_passed: bool,
        /// When it began.
        started_at: Timestamp,
        /// When it ended.
        ended_at: Option<Timestamp>,
        /// The stream's version that the row is at.
        version: u64,
        /// When its last event was recorded.
        updated_at: Timestamp,
    }
    indexes &[
        Index { name: "booking", kind: IndexKind::Ordered(&["tenant", "booking_id"]) },
        Index {
            name: "state",
            kind: IndexKind::Ordered(&["tenant", "state", "started_at", "saga_id"]),
        },
        Index { name: "standing", kind: IndexKind::Ordered(&["state", "started_at", "saga_id"]) },
        Index { name: "time", kind: IndexKind::Ordered(&["tenant", "started_at", "saga_id"]) },
    ]
}

row! {
    /// One event of a process, as a line of its timeline.
    pub struct SagaEventRow in "saga_events", keys 2, append_only true {
        /// The saga.
        saga_id: SagaId,
        /// The version that the event made.
        version: u64,
        /// Whose data it is.
        tenant: Tenant,
        /// What happened, `saga-step-requested`.
        event_type: String,
        /// The step or compensation it is about.
        step: Option<String>,
        /// Which attempt at it.
        attempt: Option<u32>,
        /// The stream to which its command goes.
        target: Option<String>,
        /// The command's id.
        command_id: Option<CommandId>,
        /// The command is not to be sent earlier.
        not_before: Option<Timestamp>,
        /// The stable code of a failure.
        code: Option<String>,
        /// A failure as a sentence, or why an operator interfered.
        message: Option<String>,
        /// What the saga makes of it: `retry`, `compensate`, `give_up` or `abandon` of a failure;
        /// `retry`, `force` or `resolve` of an operator; how it ended; where a cancellation met it.
        consequence: Option<String>,
        /// Who did it.
        actor: String,
        /// When it was recorded.
        happened_at: Timestamp,
        /// The event.
        event_id: EventId,
        /// What the request and everything it caused have in common.
        correlation_id: CorrelationId,
    }
    indexes &[]
}

/// Where a step or a compensation stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepAt {
    /// Its last attempt, from 1.
    pub attempt: u32,
    /// Whether it undoes something.
    pub compensation: bool,
    /// `requested`, `failed` (another attempt follows), `succeeded`, `given_up` or `over`.
    pub status: StepStatus,
    /// To which stream its command goes.
    pub target: String,
    /// The attempt is not to be sent earlier.
    pub not_before: Timestamp,
}

impl StepAt {
    /// Whether the saga waits for it, or needs an operator for it.
    #[must_use]
    pub const fn open(&self) -> bool {
        match self.status {
            StepStatus::Requested | StepStatus::Failed | StepStatus::GivenUp => true,
            StepStatus::Succeeded | StepStatus::Over => false,
        }
    }
}

/// The projection of sagas.
pub struct Sagas;

impl Projection for Sagas {
    fn name(&self) -> &'static str {
        "sagas"
    }

    fn version(&self) -> u32 {
        2
    }

    fn tables(&self) -> &'static [&'static Table] {
        &[SagaRow::TABLE, SagaEventRow::TABLE]
    }

    fn keyed_by_stream(&self) -> bool {
        true
    }

    fn keys(&self, event: &RecordedEvent, keys: &mut Vec<RowKey>) {
        match &event.event {
            Event::Saga(_) => keys.push(RowKey { table: SagaRow::TABLE, key: key(event) }),
            Event::Itinerary(_)
            | Event::Destination(_)
            | Event::Offer(_)
            | Event::Booking(_)
            | Event::Payment(_)
            | Event::InvoiceSeries(_)
            | Event::Notification(_) => {}
        }
    }

    fn fold(&self, rows: &mut Rows, event: &RecordedEvent) {
        let happened = match &event.event {
            Event::Saga(happened) => happened,
            Event::Itinerary(_)
            | Event::Destination(_)
            | Event::Offer(_)
            | Event::Booking(_)
            | Event::Payment(_)
            | Event::InvoiceSeries(_)
            | Event::Notification(_) => return,
        };
        rows.write(line(event, happened));
        let row = match (happened, rows.read::<SagaRow>(&key(event))) {
            (Saga::Started(started), None) => Some(begun(event, started)),
            (_, row) => row,
        };
        // A stream without its first event has no row, and a fold refuses nothing.
        let Some(mut row) = row else { return };
        row.follow(happened, event.envelope.recorded_at);
        row.version = event.envelope.version;
        row.updated_at = event.envelope.recorded_at;
        rows.write(row);
    }
}

/// The row of a saga whose first event this is.
fn begun(event: &RecordedEvent, started: &SagaStarted) -> SagaRow {
    let at = event.envelope.recorded_at;
    SagaRow {
        saga_id: SagaId(event.envelope.stream.id),
        tenant: event.envelope.tenant.clone(),
        kind: started.kind.name().to_owned(),
        booking_id: started.booking_id,
        state: "running".to_owned(),
        cause: None,
        steps: Document::default(),
        failed_step: None,
        failure_code: None,
        failure_message: None,
        deadline_at: started.deadline_at,
        deadline_passed: false,
        started_at: at,
        ended_at: None,
        version: 0,
        updated_at: at,
    }
}

impl SagaRow {
    /// What the event says of a saga that has started.
    fn follow(&mut self, happened: &Saga, at: Timestamp) {
        match happened {
            // Nothing starts twice; the first one holds.
            Saga::Started(_) => {}
            Saga::StepRequested(e) => {
                self.request(&e.step, (e.attempt, false), e.target.to_string(), e.not_before);
            }
            Saga::CompensationRequested(e) => {
                self.request(&e.step, (e.attempt, true), e.target.to_string(), e.not_before);
            }
            Saga::StepSucceeded(e) => self.settle(&e.step, StepStatus::Succeeded),
            Saga::CompensationSucceeded(e) => self.settle(&e.step, StepStatus::Succeeded),
            Saga::StepFailed(e) => self.fail(&e.step, e.consequence, (&e.code, &e.message)),
            Saga::CompensationFailed(e) => self.fail(&e.step, e.consequence, (&e.code, &e.message)),
            Saga::DeadlinePassed(e) => {
                self.deadline_passed = true;
                if e.interrupts {
                    self.turn("deadline");
                }
            }
            Saga::CancellationNoted(e) => {
                if e.standing == Standing::Running {
                    self.turn("cancelled");
                    if self.ended_at.is_some() {
                        self.reopen();
                    }
                    self.stands("running", None);
                }
            }
            Saga::Completed(_) => self.stands("completed", Some(at)),
            Saga::Compensated(_) => self.stands("compensated", Some(at)),
            Saga::Stuck(_) => self.stands("stuck", None),
            Saga::ResolvedByOperator(e) if e.ends => self.stands("resolved", Some(at)),
            Saga::ResolvedByOperator(e) => {
                self.stands("running", None);
                if e.action != domain::saga::Action::Resolve {
                    self.take_up(e.step.as_deref());
                }
            }
        }
    }

    fn stands(&mut self, state: &str, ended_at: Option<Timestamp>) {
        state.clone_into(&mut self.state);
        self.ended_at = ended_at;
    }

    /// It undoes everything; what came first is the cause.
    fn turn(&mut self, cause: &str) {
        self.cause.get_or_insert_with(|| cause.to_owned());
    }

    fn request(
        &mut self,
        step: &str,
        (attempt, compensation): (u32, bool),
        target: String,
        not_before: Timestamp,
    ) {
        let status = StepStatus::Requested;
        let compensation = self.steps.0.get(step).map_or(compensation, |at| at.compensation);
        let at = StepAt { attempt, compensation, status, target, not_before };
        self.steps.0.insert(step.to_owned(), at);
    }

    fn settle(&mut self, step: &str, status: StepStatus) {
        if let Some(at) = self.steps.0.get_mut(step) {
            at.status = status;
        }
    }

    fn fail(&mut self, step: &str, consequence: Consequence, (code, message): (&str, &str)) {
        let status = match consequence {
            Consequence::Retry => StepStatus::Failed,
            Consequence::GiveUp => StepStatus::GivenUp,
            Consequence::Compensate | Consequence::Abandon => StepStatus::Over,
        };
        self.settle(step, status);
        // What is no longer waited for has not failed.
        if consequence != Consequence::Abandon {
            self.failed_step = Some(step.to_owned());
            self.failure_code = Some(code.to_owned());
            self.failure_message = Some(message.to_owned());
        }
        if consequence == Consequence::Compensate {
            self.turn("failed");
        }
    }

    /// It had ended: what undoes and was left behind is asked for anew.
    fn reopen(&mut self) {
        let undoing = |at: &&mut StepAt| at.compensation && at.status != StepStatus::Succeeded;
        for at in self.steps.0.values_mut().filter(undoing) {
            at.status = StepStatus::Over;
        }
    }

    /// What was given up is tried again: one step, or all.
    fn take_up(&mut self, step: Option<&str>) {
        for (name, at) in &mut self.steps.0 {
            if at.status == StepStatus::GivenUp && step.is_none_or(|step| step == name) {
                at.status = StepStatus::Failed;
            }
        }
    }
}

/// The event as a line of the timeline.
fn line(event: &RecordedEvent, happened: &Saga) -> SagaEventRow {
    let envelope = &event.envelope;
    let mut row = SagaEventRow {
        saga_id: SagaId(envelope.stream.id),
        version: envelope.version,
        tenant: envelope.tenant.clone(),
        event_type: envelope.event_type.to_string(),
        step: None,
        attempt: None,
        target: None,
        command_id: None,
        not_before: None,
        code: None,
        message: None,
        consequence: None,
        actor: envelope.actor.to_string(),
        happened_at: envelope.recorded_at,
        event_id: envelope.event_id,
        correlation_id: envelope.correlation_id,
    };
    macro_rules! at_step {
        ($event:ident) => {{
            row.step = Some($event.step.clone());
            row.attempt = Some($event.attempt);
            row.target = Some($event.target.to_string());
        }};
    }
    macro_rules! asked {
        ($event:ident) => {{
            at_step!($event);
            row.command_id = Some($event.command_id);
            row.not_before = Some($event.not_before);
        }};
    }
    macro_rules! failed {
        ($event:ident) => {{
            at_step!($event);
            row.code = Some($event.code.clone());
            row.message = Some($event.message.clone());
            row.consequence = Some(wire_name(&$event.consequence));
        }};
    }
    match happened {
        Saga::Started(_) | Saga::DeadlinePassed(_) | Saga::Completed(_) => {}
        Saga::StepRequested(e) => asked!(e),
        Saga::CompensationRequested(e) => asked!(e),
        Saga::StepSucceeded(e) => at_step!(e),
        Saga::CompensationSucceeded(e) => at_step!(e),
        Saga::StepFailed(e) => failed!(e),
        Saga::CompensationFailed(e) => failed!(e),
        Saga::CancellationNoted(e) => row.consequence = Some(wire_name(&e.standing)),
        Saga::Compensated(e) => row.consequence = Some(wire_name(&e.ending)),
        Saga::Stuck(e) => {
            row.step = Some(e.step.clone());
            row.attempt = Some(e.attempt);
            row.code = Some(e.code.clone());
            row.message = Some(e.message.clone());
        }
        Saga::ResolvedByOperator(e) => {
            row.step.clone_from(&e.step);
            row.message = Some(e.reason.clone()).filter(|reason| !reason.is_empty());
            row.consequence = Some(wire_name(&e.action));
        }
    }
    row
}

fn key(event: &RecordedEvent) -> Vec<Value> {
    vec![event.envelope.stream.id.into_value()]
}
