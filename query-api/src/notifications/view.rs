//! Messages as clients see them.

use read_models::projections::NotificationRow;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

/// One message, and what became of it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct NotificationView {
    /// The message.
    id: Uuid,
    /// The booking that it is about.
    booking_id: Uuid,
    /// Which text.
    #[schema(example = "booking-confirmed")]
    template: String,
    /// `email`, `sms`, `push` or `webhook`.
    #[schema(example = "email")]
    channel: String,
    /// In which language.
    #[schema(example = "pt-PT")]
    locale: String,
    #[serde(flatten)]
    recipient: Recipient,
    /// What the text is filled with.
    #[schema(value_type = Object)]
    facts: Value,
    /// `requested`, `failed`, `sent`, `delivered` or `abandoned`.
    #[schema(example = "sent")]
    status: String,
    /// How it failed last; missing while it did not.
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<FailureView>,
    /// When a provider last took it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    sent_at: Option<String>,
    /// When it reached the recipient.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    delivered_at: Option<String>,
    /// When it was given up.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    abandoned_at: Option<String>,
    /// The version that this is.
    version: u64,
    /// When it was asked for.
    #[schema(format = DateTime)]
    created_at: String,
    /// When it last changed.
    #[schema(format = DateTime)]
    updated_at: String,
}

/// To whom a message goes, as it can be read now.
#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = NotificationRecipient)]
pub(super) struct Recipient {
    /// As the traveller's details were given; null where there is nobody to tell, or nobody can
    /// read who it was.
    #[schema(required, value_type = Option<Object>)]
    recipient: Value,
    /// True, and `recipient` null, when the person was forgotten.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    forgotten: bool,
    /// True, and `recipient` null, when it is damaged, or its key lost: an operator has to look.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    damaged: bool,
}

impl Recipient {
    /// From a document whose `recipient` was opened.
    pub(super) fn of(mut opened: Value) -> Self {
        let said = |name: &str| opened[name] == Value::Bool(true);
        let (forgotten, damaged) = (said("forgotten"), said("damaged"));
        Self { recipient: opened["recipient"].take(), forgotten, damaged }
    }
}

/// How a message failed.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = NotificationFailure)]
struct FailureView {
    /// The provider's code.
    code: String,
    /// What was wrong, in a sentence of our own; for staff.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

impl NotificationView {
    /// The message with its recipient opened.
    pub(super) fn of(row: NotificationRow, recipient: Recipient, staff: bool) -> Self {
        let message = row.failure_message.filter(|_| staff);
        Self {
            id: row.notification_id.0,
            booking_id: row.booking_id.0,
            template: row.template,
            channel: row.channel,
            locale: row.locale,
            recipient,
            facts: row.facts.0,
            status: row.status,
            failure: row.failure_code.map(|code| FailureView { code, message }),
            sent_at: row.sent_at.map(|at| at.to_string()),
            delivered_at: row.delivered_at.map(|at| at.to_string()),
            abandoned_at: row.abandoned_at.map(|at| at.to_string()),
            version: row.version,
            created_at: row.created_at.to_string(),
            updated_at: row.updated_at.to_string(),
        }
    }
}
