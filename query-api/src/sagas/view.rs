//! Sagas as staff sees them, and as the owner of a booking sees what works on it.

use domain::Timestamp;
use read_models::projections::{SagaEventRow, SagaRow, StepAt};
use read_models::queries::SagaDetail;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

/// A saga: where it stands and what it waits for.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SagaView {
    /// The saga.
    id: Uuid,
    /// `trip-booking` or `cancellation`.
    #[schema(example = "trip-booking")]
    kind: String,
    /// The booking it is about.
    booking_id: Uuid,
    /// `running`, `stuck`, `completed`, `compensated` or `resolved`.
    #[schema(example = "running")]
    state: String,
    /// Why everything is undone: `failed`, `deadline` or `cancelled`; missing while it goes
    /// forward.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "cancelled")]
    cause: Option<String>,
    /// The steps that are not settled.
    waits_for: Vec<StepView>,
    /// The step that failed last; for staff.
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<FailureView>,
    /// When its time is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    deadline_at: Option<String>,
    /// Whether its time was over before it ended.
    deadline_passed: bool,
    /// When it began.
    #[schema(format = DateTime)]
    started_at: String,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    ended_at: Option<String>,
    /// The version that this is; send it as `If-Match` with an operator's command.
    version: u64,
    /// When it last changed.
    #[schema(format = DateTime)]
    updated_at: String,
}

/// A step or a compensation.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StepView {
    /// Which one.
    #[schema(example = "authorize")]
    step: String,
    /// Its last attempt, from 1.
    attempt: u32,
    /// Whether it undoes something.
    compensation: bool,
    /// `requested`, `failed` (another attempt follows), `succeeded`, `given_up` (an operator is
    /// needed) or `over`.
    #[schema(value_type = String, example = "requested")]
    status: Value,
    /// To which stream its command goes.
    target: String,
    /// The attempt is not made earlier.
    #[schema(format = DateTime)]
    not_before: String,
}

/// How a step failed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FailureView {
    /// Which one.
    step: String,
    /// The stable code.
    code: String,
    /// One sentence for people.
    message: String,
}

/// One event of a saga.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LineView {
    /// The version that it made.
    version: u64,
    /// What happened.
    #[serde(rename = "type")]
    #[schema(example = "saga-step-requested")]
    event_type: String,
    /// The step or compensation it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    step: Option<String>,
    /// Which attempt at it.
    #[serde(skip_serializing_if = "Option::is_none")]
    attempt: Option<u32>,
    /// The stream to which its command goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<String>,
    /// The command's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    command_id: Option<Uuid>,
    /// The command is not sent earlier.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    not_before: Option<String>,
    /// The stable code of a failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    /// A failure as a sentence, or why an operator interfered.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    /// What the saga makes of it: `retry`, `compensate`, `give_up` or `abandon` of a failure;
    /// `retry`, `force` or `resolve` of an operator; how it ended; where a cancellation met it.
    #[serde(skip_serializing_if = "Option::is_none")]
    consequence: Option<String>,
    /// Who did it.
    #[schema(example = "system:sagas")]
    actor: String,
    /// When.
    #[schema(format = DateTime)]
    at: String,
    /// The event.
    event_id: Uuid,
    /// What the request and everything it caused have in common.
    correlation_id: Uuid,
}

/// A saga with what it has done.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct WholeSagaView {
    #[serde(flatten)]
    saga: SagaView,
    /// Every step and compensation that was ever requested, by name.
    steps: Vec<StepView>,
    /// Its newest 1000 events, oldest first; the audit has all.
    timeline: Vec<LineView>,
}

impl SagaView {
    /// The saga as the caller may see it.
    pub(crate) fn of(row: SagaRow, staff: bool) -> Self {
        let text = |at: Option<Timestamp>| at.map(|at| at.to_string());
        let failure = match (row.failed_step, row.failure_code, row.failure_message) {
            (Some(step), Some(code), Some(message)) if staff => {
                Some(FailureView { step, code, message })
            }
            _ => None,
        };
        let open = row.steps.0.iter().filter(|(_, at)| at.open());
        // What is over waits for nothing, whatever was left of it.
        let open = open.filter(|_| row.ended_at.is_none());
        Self {
            id: row.saga_id.0,
            booking_id: row.booking_id.0,
            waits_for: open.map(StepView::from).collect(),
            kind: row.kind,
            state: row.state,
            cause: row.cause,
            failure,
            deadline_at: text(row.deadline_at),
            deadline_passed: row.deadline_passed,
            started_at: row.started_at.to_string(),
            ended_at: text(row.ended_at),
            version: row.version,
            updated_at: row.updated_at.to_string(),
        }
    }
}

impl From<(&String, &StepAt)> for StepView {
    fn from((step, at): (&String, &StepAt)) -> Self {
        Self {
            step: step.clone(),
            attempt: at.attempt,
            compensation: at.compensation,
            status: serde_json::json!(at.status),
            target: at.target.clone(),
            not_before: at.not_before.to_string(),
        }
    }
}

impl From<SagaDetail> for WholeSagaView {
    fn from(detail: SagaDetail) -> Self {
        let steps = detail.saga.steps.0.iter().map(StepView::from).collect();
        let timeline = detail.timeline.into_iter().map(LineView::from).collect();
        Self { saga: SagaView::of(detail.saga, true), steps, timeline }
    }
}

impl From<SagaEventRow> for LineView {
    fn from(row: SagaEventRow) -> Self {
        Self {
            version: row.version,
            event_type: row.event_type,
            step: row.step,
            attempt: row.attempt,
            target: row.target,
            command_id: row.command_id.map(|id| id.0),
            not_before: row.not_before.map(|at| at.to_string()),
            code: row.code,
            message: row.message,
            consequence: row.consequence,
            actor: row.actor,
            at: row.happened_at.to_string(),
            event_id: row.event_id.0,
            correlation_id: row.correlation_id.0,
        }
    }
}
