//! One message: opened, written, sent, and what came of it recorded.

use std::sync::{Arc, Mutex, PoisonError};

use domain::ids::{CommandId, EventId};
use domain::notification::{self, Command as Notification};
use domain::{Category, Command, StreamName, derive};
use keys::{KeyError, Keyring, Opened, Purpose};
use lanes::{Came, Cause, CommandError, CommandPort, WallClock};
use read_models::projections::NotificationRow;
use serde::Deserialize;

use super::letters::letter;
use super::{ACTOR, Channels, Message, Sending, telemetry};
use crate::payment_provider::Refusal;
use crate::unanswered::{Ending, Request, Unanswered};

/// Sends what is to be sent.
pub(super) struct Sender {
    pub(super) port: Arc<dyn CommandPort>,
    pub(super) keyring: Keyring,
    pub(super) channels: Channels,
    pub(super) clock: Arc<dyn WallClock>,
    /// What the last try left to be desired.
    pub(super) standing: Arc<Mutex<Option<&'static str>>>,
    /// Where it is noted that nobody could be asked.
    pub(super) unanswered: Arc<Unanswered>,
}

/// Who is written to, as the booking sealed them; what else is known of them stays unread.
#[derive(Default, Deserialize)]
struct Recipient {
    #[serde(default)]
    name: String,
    #[serde(default)]
    email: Option<String>,
    #[serde(default)]
    phone: Option<String>,
}

/// Why nothing is sent.
enum Not {
    /// Nor ever will be.
    Ever(&'static str),
    /// The keys are away.
    Now(KeyError),
}

impl Sender {
    pub(super) async fn run(&self, row: &NotificationRow) -> Came {
        let age = self.clock.now().micros() - row.created_at.micros();
        if age > i64::from(notification::GIVE_UP_SECONDS) * 1_000_000 {
            return self.abandon(row, "not sent within a day").await;
        }
        let Some(channel) = self.channels.of(&row.channel) else {
            self.note(Some("channel_without_provider"));
            return Came::Failed;
        };
        let recipient = match self.open(row).await {
            Ok(recipient) => recipient,
            Err(Not::Ever(reason)) => return self.abandon(row, reason).await,
            Err(Not::Now(error)) => {
                tracing::warn!(notification_id = %row.notification_id.0, code = error.code(),
                    %error, "a message waits for the keys");
                return Came::Failed;
            }
        };
        let to = match row.channel.as_str() {
            "email" => recipient.email.as_deref().ok_or("the recipient has no mail address"),
            "sms" => recipient.phone.as_deref().ok_or("the recipient has no phone number"),
            _ => Ok(""),
        };
        let to = match to {
            Ok(to) => Some(to).filter(|to| !to.is_empty()),
            Err(reason) => return self.abandon(row, reason).await,
        };
        let Some(letter) = letter(row, &recipient.name) else {
            return self.abandon(row, "nobody has written such a text").await;
        };
        let (name, channel_name) = (row.requested_by, row.channel.as_str());
        let message = Message { name, channel: channel_name, to, letter: &letter };
        let sending = channel.send(&message).await;
        self.record(row, sending).await
    }

    /// Opens who is written to, for as long as this try lasts.
    async fn open(&self, row: &NotificationRow) -> Result<Recipient, Not> {
        let Some(sealed) = &row.recipient.0 else { return Ok(Recipient::default()) };
        match self.keyring.open(sealed, Purpose::Traveller).await {
            Ok(Opened::Plain(text)) => {
                serde_json::from_str(&text).map_err(|_| Not::Ever("the recipient cannot be read"))
            }
            Ok(Opened::Forgotten) => Err(Not::Ever("the recipient was forgotten")),
            Err(KeyError::Damaged(_)) => Err(Not::Ever("the recipient's seal is damaged")),
            Err(error) => Err(Not::Now(error)),
        }
    }

    async fn record(&self, row: &NotificationRow, sending: Sending) -> Came {
        let attempt = row.attempt_failed + 1;
        let failed = |Refusal { code, message }: Refusal| Notification::RecordFailed {
            attempt,
            code,
            message,
        };
        let give_up = |reason: String| Notification::Abandon { reason };
        let enough = attempt >= notification::ATTEMPTS_MAX;
        let (outcome, trouble, said) = match sending {
            Sending::Taken { reference, delivered } => {
                let mut said = vec![Notification::RecordSent { reference }];
                if delivered {
                    said.push(Notification::RecordDelivered {});
                }
                ("taken", None, said)
            }
            Sending::Refused(refusal) => {
                let reason = format!("refused for good: {}", refusal.code);
                ("refused", None, vec![failed(refusal), give_up(reason)])
            }
            Sending::Later(refusal) => {
                let mut said = vec![failed(refusal)];
                said.extend(enough.then(|| give_up("refused too often".to_owned())));
                ("later", None, said)
            }
            Sending::Unknown(doubt) => {
                let code = doubt.code();
                uncertain(row, "unknown", code);
                let refusal = Refusal::own(code, &doubt.to_string());
                let mut said = vec![failed(refusal)];
                said.extend(enough.then(|| give_up("no answer, too often".to_owned())));
                ("unknown", Some(code), said)
            }
            Sending::NotTried(obstacle) => {
                telemetry::tried(&row.channel, "not_tried");
                uncertain(row, "not_tried", obstacle.code());
                let operation = &row.channel;
                let (stream, cause) = (stream(row), cause(row));
                let request = Request { id: row.requested_by, stream, cause };
                self.unanswered.note(request, operation, Ending::NotTried(obstacle));
                self.note(Some(obstacle.code()));
                return Came::Failed;
            }
        };
        telemetry::tried(&row.channel, outcome);
        self.note(trouble);
        self.tell(row, said).await
    }

    async fn abandon(&self, row: &NotificationRow, reason: &str) -> Came {
        telemetry::tried(&row.channel, "abandoned");
        self.tell(row, vec![Notification::Abandon { reason: reason.to_owned() }]).await
    }

    /// Records what came of it. What is not known to be recorded is sent and recorded again.
    async fn tell(&self, row: &NotificationRow, said: Vec<Notification>) -> Came {
        let (stream, cause) = (stream(row), cause(row));
        for command in said {
            let name = command.name();
            let command = Command::Notification(command);
            let text = serde_json::to_vec(&command).expect("commands are JSON");
            let id = answer(row.requested_by, row.attempt_failed, &text);
            let request = ACTOR.request(stream, id, (&command.clone(), command), &cause);
            match self.port.send(request).await {
                Ok(_) => tracing::debug!(%stream, name, "what became of a message is recorded"),
                Err(CommandError::Refused(refusal)) => {
                    tracing::warn!(%stream, name, code = refusal.code,
                        "a notification does not take what became of it");
                    return Came::Failed;
                }
                Err(error) => {
                    tracing::info!(%stream, name, code = error.code(), %error,
                        "what became of a message is recorded later, under the same id");
                    return Came::Failed;
                }
            }
        }
        Came::Done
    }

    fn note(&self, trouble: Option<&'static str>) {
        *self.standing.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }
}

fn stream(row: &NotificationRow) -> StreamName {
    StreamName::new(Category::Notification, row.notification_id.0)
}

/// Why what became of a message is recorded.
fn cause(row: &NotificationRow) -> Cause {
    Cause {
        tenant: row.tenant.clone(),
        correlation_id: row.correlation_id,
        causation_id: row.requested_by.0,
        traceparent: row.traceparent.clone(),
    }
}

/// Tells which message it is that nobody knows about, or that nobody was asked to take.
fn uncertain(row: &NotificationRow, outcome: &'static str, code: &'static str) {
    tracing::warn!(notification_id = %row.notification_id.0, channel = row.channel, outcome, code,
        correlation_id = %row.correlation_id, "a message is tried again later");
}

/// The id of a command that says what became of a try, by how many had failed before. The try
/// belongs to it: what came back is sent once more, and that is recorded once more.
fn answer(asked_by: EventId, failed: u32, command: &[u8]) -> CommandId {
    let parts = [asked_by.0.as_bytes().as_slice(), &failed.to_be_bytes(), command];
    CommandId(derive::id("notification-answer", Some(asked_by.0), &parts))
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn what_came_of_another_try_is_said_under_another_id() {
        let asked_by = EventId(Uuid::from_u128(1));
        let sent = answer(asked_by, 0, b"sent");

        assert_eq!(sent, answer(asked_by, 0, b"sent"));
        assert_ne!(sent, answer(asked_by, 1, b"sent"));
        assert_ne!(sent, answer(asked_by, 0, b"failed"));
        // As near as two messages of one millisecond are.
        assert_ne!(sent, answer(EventId(Uuid::from_u128(2)), 0, b"sent"));
    }
}
