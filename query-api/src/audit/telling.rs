//! What an event means in the course of a request, for people: which part it plays, and one
//! sentence.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::event::EventView;

/// The part that an event plays in what a request caused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Part {
    /// Something happened to an aggregate.
    Fact,
    /// A saga began, turned around or ended.
    Saga,
    /// A saga asks for a step.
    Step,
    /// What came of an attempt at a step.
    StepOutcome,
    /// A saga asks for a step to be undone.
    Compensation,
    /// What came of an attempt at undoing.
    CompensationOutcome,
    /// A provider is asked for something: to move money, or to send a message. Calls are repeated
    /// under the event's id until their outcome is known; those that had no answer stand below it,
    /// with the outcome `unanswered`.
    ProviderCall,
    /// What the provider said, or that it said nothing in time.
    ProviderAnswer,
}

/// The event's part, and a sentence where its name alone does not tell.
pub(super) fn told(event: &EventView) -> (Part, Option<String>) {
    let data = &event.data;
    let text = |member: &str| data[member].as_str().unwrap_or("?");
    let attempt = || data["attempt"].as_u64().unwrap_or(0);
    let money = |member: &str| {
        let amount = data[member]["amount"].as_i64().unwrap_or(0);
        format!("{} {amount}", data[member]["currency"].as_str().unwrap_or("?"))
    };
    let asks = || format!("`{}`, attempt {}, of {}", text("step"), attempt(), text("target"));
    let done = || format!("`{}` is done", text("step"));
    let failed = || {
        let (step, code, then) = (text("step"), text("code"), text("consequence"));
        format!(
            "`{step}`, attempt {}, failed: {code}, {}; then: {then}",
            attempt(),
            text("message")
        )
    };
    let refused = || format!("{}: {}", text("code"), text("message"));
    let (part, sentence) = match event.event_type.as_str() {
        "saga-step-requested" => (Part::Step, asks()),
        "saga-step-succeeded" => (Part::StepOutcome, done()),
        "saga-step-failed" => (Part::StepOutcome, failed()),
        "saga-compensation-requested" => (Part::Compensation, asks()),
        "saga-compensation-succeeded" => (Part::CompensationOutcome, done()),
        "saga-compensation-failed" => (Part::CompensationOutcome, failed()),
        "saga-stuck" => {
            let step = text("step");
            (
                Part::Saga,
                format!("`{step}` was given up after attempt {}: {}", attempt(), refused()),
            )
        }
        "saga-started" => (Part::Saga, format!("{} begins", text("kind"))),
        "saga-compensated" => (Part::Saga, format!("everything is undone: {}", text("ending"))),
        "saga-completed" => (Part::Saga, "everything is done".to_owned()),
        "saga-deadline-passed" => {
            (Part::Saga, format!("its time is over: {}", text("deadline_at")))
        }
        "saga-cancellation-noted" => (Part::Saga, format!("cancelled while {}", text("standing"))),
        "saga-resolved-by-operator" => {
            let (operator, action) = (text("operator"), text("action"));
            (Part::Saga, format!("{operator}: {action}, {}", text("reason")))
        }
        "payment-requested" => (Part::ProviderCall, format!("authorize {}", money("amount"))),
        "payment-capture-requested" => {
            (Part::ProviderCall, format!("capture {}, attempt {}", money("amount"), attempt()))
        }
        "payment-void-requested" if data["release"] == Value::Bool(true) => {
            (Part::ProviderCall, format!("void{}: {}", numbered(data), text("reason")))
        }
        "payment-refund-requested" => {
            (Part::ProviderCall, format!("refund {}: {}", money("amount"), text("reason")))
        }
        "payment-authorized" => (Part::ProviderAnswer, format!("{} reserved", money("amount"))),
        "payment-succeeded" => (Part::ProviderAnswer, format!("{} captured", money("amount"))),
        "payment-refunded" => (Part::ProviderAnswer, format!("{} given back", money("amount"))),
        "payment-voided" => (Part::ProviderAnswer, "nothing is reserved any more".to_owned()),
        "payment-failed" | "payment-void-failed" | "payment-refund-failed" => {
            (Part::ProviderAnswer, refused())
        }
        "payment-timed-out" => {
            (Part::ProviderAnswer, format!("no answer until {}", text("due_at")))
        }
        "booking-rejected" => (Part::Fact, refused()),
        _ => {
            return message_told(event)
                .map_or((Part::Fact, None), |(part, sentence)| (part, Some(sentence)));
        }
    };
    (part, Some(sentence))
}

/// Which attempt; the payment's own, for what came too late, has no number.
fn numbered(data: &Value) -> String {
    match data["attempt"].as_u64() {
        Some(attempt @ 1..) => format!(", attempt {attempt}"),
        _ => String::new(),
    }
}

/// The same of what becomes of messages to people.
fn message_told(event: &EventView) -> Option<(Part, String)> {
    let text = |member: &str| event.data[member].as_str().unwrap_or("?");
    Some(match event.event_type.as_str() {
        "notification-requested" => {
            (Part::ProviderCall, format!("`{}` by {}", text("template"), text("channel")))
        }
        "notification-sent" => (Part::ProviderAnswer, "it was taken".to_owned()),
        "notification-failed" => {
            let attempt = event.data["attempt"].as_u64().unwrap_or(0);
            let (code, message) = (text("code"), text("message"));
            (Part::ProviderAnswer, format!("attempt {attempt} failed: {code}: {message}"))
        }
        "notification-delivered" => (Part::ProviderAnswer, "it reached its recipient".to_owned()),
        "notification-abandoned" => (Part::Fact, format!("given up: {}", text("reason"))),
        _ => return None,
    })
}
