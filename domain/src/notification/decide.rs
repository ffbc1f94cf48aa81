//! The notification's decisions: one function a command, guards first, events last.

use super::error::Refusal;
use super::event::{
    Event, NotificationAbandoned, NotificationDelivered, NotificationFailed, NotificationRequested,
    NotificationSent,
};
use super::limits::{CODE_CHARACTERS_MAX, MESSAGE_CHARACTERS_MAX, REFERENCE_CHARACTERS_MAX};
use super::{Command, Message, Notification, Status, check};
use crate::{Actor, text};

type Decision = Result<Vec<Event>, Refusal>;

/// Who may ask at all comes first, then whether the notification exists.
pub(super) fn decide(notification: &Notification, command: &Command, actor: &Actor) -> Decision {
    if let Actor::Account(_) = actor {
        return Err(Refusal::SystemRequired);
    }
    let known = || match notification {
        Notification::NotRequested => Err(Refusal::NotificationNotFound),
        Notification::Known(message) => Ok(message),
    };
    match command {
        Command::Request { .. } => request(notification, command),
        Command::RecordSent { reference } => Ok(sent(known()?, reference.as_deref())),
        Command::RecordFailed { attempt, code, message } => {
            Ok(failed(known()?, *attempt, code, message))
        }
        Command::RecordDelivered {} => Ok(delivered(known()?)),
        Command::Abandon { reason } => abandon(known()?, reason),
        Command::NoteUnanswered { request, operation, code, left_out } => {
            Err(check::unanswered(*request, operation, code, *left_out))
        }
    }
}

fn request(notification: &Notification, command: &Command) -> Decision {
    if let Notification::Known(Message { notification_id, .. }) = notification {
        return Err(Refusal::NotificationAlreadyExists { notification_id: *notification_id });
    }
    check::command(command)?;

    let Command::Request {
        notification_id,
        booking_id,
        template,
        channel,
        locale,
        recipient,
        facts,
    } = command.clone()
    else {
        return Ok(Vec::new());
    };
    Ok(vec![
        NotificationRequested {
            notification_id,
            booking_id,
            template,
            channel,
            locale,
            recipient,
            facts,
        }
        .into(),
    ])
}

/// Also after somebody gave up: the message is out.
fn sent(message: &Message, reference: Option<&str>) -> Vec<Event> {
    let reference = reference
        .map(|reference| text::readable(reference, REFERENCE_CHARACTERS_MAX))
        .filter(|reference| !reference.is_empty());
    // One that came back is out again, though its provider gives it the name it had.
    let out = message.status == Status::Sent;
    let again = out && (reference.is_none() || reference == message.reference);
    if again || message.status == Status::Delivered {
        return Vec::new();
    }

    let Message { notification_id, booking_id, .. } = *message;
    vec![NotificationSent { notification_id, booking_id, reference }.into()]
}

/// What arrived did not fail. Nor did what is out because another's same try did not succeed: the
/// try that was sent is the one after the last that failed, and a later one alone comes back.
fn failed(message: &Message, attempt: u32, code: &str, words: &str) -> Vec<Event> {
    let sent = u32::from(message.status == Status::Sent);
    let known = message.attempt_failed.saturating_add(sent);
    if attempt <= known || message.status == Status::Delivered {
        return Vec::new();
    }

    let Message { notification_id, booking_id, .. } = *message;
    let code = text::readable(code, CODE_CHARACTERS_MAX);
    let message = text::readable(words, MESSAGE_CHARACTERS_MAX);
    vec![NotificationFailed { notification_id, booking_id, attempt, code, message }.into()]
}

fn delivered(message: &Message) -> Vec<Event> {
    let Message { notification_id, booking_id, status, .. } = *message;
    if status == Status::Delivered {
        return Vec::new();
    }
    vec![NotificationDelivered { notification_id, booking_id }.into()]
}

fn abandon(message: &Message, reason: &str) -> Decision {
    let reason = check::reason(reason)?;
    let Message { notification_id, booking_id, status, .. } = *message;
    match status {
        Status::Abandoned => Ok(Vec::new()),
        Status::Sent | Status::Delivered => {
            Err(Refusal::AlreadySent { notification_status: status })
        }
        Status::Requested | Status::Failed => {
            Ok(vec![NotificationAbandoned { notification_id, booking_id, reason }.into()])
        }
    }
}
