//! Notifications: from requested messages in the log to people, and what became of them back into
//! the log.
//!
//! What is open is a projection, and nothing else is kept: this process may die at any point, and
//! any number of it may run, though several may send one mail twice. Each message has one name
//! outside, the id of the event that asks for it (a mail's Message-ID, an API's idempotency key),
//! and what came of a try is recorded under an id that follows from both.
//!
//! Promises:
//! - who is written to is unsealed at the moment of sending, and nowhere kept; who was forgotten is
//!   not written to, and the message is abandoned;
//! - of what relays and APIs say, codes alone are recorded or logged: their words may say who was
//!   written to;
//! - tries that failed are events; that nobody could be asked stands among the log's refusals,
//!   below the request (`unanswered.rs`);
//! - a try whose outcome is not known is made again under the same name. An API that honours it
//!   takes the message once; mail is sent at least once, and may arrive twice;
//! - a message is sent, or abandoned with a reason, within a day.

mod letters;
mod mail;
mod message_api;
mod sending;
mod settings;
mod smtp;
mod telemetry;
mod words;

use std::sync::{Arc, Mutex, PoisonError};

use domain::Command;
use domain::ids::EventId;
use domain::notification::Command as Notification;
use keys::Keyring;
use lanes::{Came, CommandPort, Piece, Rounds, SystemActor, WallClock, WorkList};
use read_models::ReadQueries;
use read_models::projections::NotificationRow;
use read_models::queries::{NotificationCursor, QueryError, WORK_MAX};
use tokio_util::sync::CancellationToken;

use crate::payment_provider::{Doubt, Obstacle, Refusal};
use crate::unanswered::{Evidence, Unanswered};
use letters::Letter;
pub use mail::{MailSettings, Mailer};
pub use message_api::MessageApi;
use sending::Sender;
pub use settings::{ChannelError, NotificationSettings};
pub use telemetry::describe_metrics;

/// Who records what became of messages.
const ACTOR: SystemActor = SystemActor("notifications");

/// What one try to send brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sending {
    /// It was taken.
    Taken {
        /// The other side's name for it, if it has one.
        reference: Option<String>,
        /// Whether it reached its recipient already.
        delivered: bool,
    },
    /// It was refused, for good.
    Refused(Refusal),
    /// It was refused for now.
    Later(Refusal),
    /// It may have been taken.
    Unknown(Doubt),
    /// Nobody was asked.
    NotTried(Obstacle),
}

/// A message that is ready to go.
pub struct Message<'a> {
    /// Its name outside, the same for every try.
    pub name: EventId,
    /// `email`, `sms`, `push` or `webhook`.
    pub channel: &'a str,
    /// The address, number or device; none when the channel knows.
    pub to: Option<&'a str>,
    /// Its text.
    pub letter: &'a Letter,
}

/// A way to people.
#[async_trait::async_trait]
pub trait Channel: Send + Sync {
    /// Tries once.
    async fn send(&self, message: &Message<'_>) -> Sending;
}

/// The ways that there are.
#[derive(Clone, Default)]
pub struct Channels {
    /// For `email`.
    pub mail: Option<Arc<dyn Channel>>,
    /// For `sms`, `push` and `webhook`.
    pub api: Option<Arc<dyn Channel>>,
}

impl Channels {
    fn of(&self, channel: &str) -> Option<&dyn Channel> {
        let way = if channel == "email" { &self.mail } else { &self.api };
        way.as_deref()
    }
}

/// How the connector stands, for the health check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// What keeps it from working, if anything does.
    pub trouble: Option<String>,
    /// What the last try left to be desired, if anything.
    pub provider: Option<&'static str>,
    /// Messages that it works on now.
    pub running: usize,
}

/// Works through what is to be sent, until it is stopped.
pub struct NotificationConnector {
    rounds: Rounds<OpenNotifications>,
    provider: Arc<Mutex<Option<&'static str>>>,
    unanswered: Arc<Unanswered>,
}

/// The list of messages that are neither sent nor given up.
struct OpenNotifications {
    queries: Arc<ReadQueries>,
    clock: Arc<dyn WallClock>,
    sender: Sender,
}

impl NotificationConnector {
    /// A connector between these. It does nothing before [`NotificationConnector::run`].
    #[must_use]
    pub fn new(
        queries: Arc<ReadQueries>,
        port: Arc<dyn CommandPort>,
        keyring: Keyring,
        channels: Channels,
        clock: Arc<dyn WallClock>,
        settings: &NotificationSettings,
    ) -> Self {
        let provider = Arc::new(Mutex::new(None));
        let standing = Arc::clone(&provider);
        let unanswered = Arc::new(Unanswered::new(Arc::clone(&port), ACTOR, evidence));
        let (noting, now) = (Arc::clone(&unanswered), Arc::clone(&clock));
        let sender = Sender { port, keyring, channels, clock: now, standing, unanswered: noting };
        let list = OpenNotifications { queries, clock, sender };
        let rounds = Rounds::new(Arc::new(list), settings.rounds());
        Self { rounds, provider, unanswered }
    }

    /// How it stands, whenever it is asked.
    pub fn watch(&self) -> impl Fn() -> Standing + Send + Sync + 'static {
        let (rounds, provider) = (self.rounds.watch(), Arc::clone(&self.provider));
        move || {
            let lanes::Standing { trouble, running } = rounds();
            let provider = *provider.lock().unwrap_or_else(PoisonError::into_inner);
            Standing { trouble, provider, running }
        }
    }

    /// Runs until it is told to stop, and waits then a moment for what is on its way.
    pub async fn run(self, stopping: CancellationToken) {
        let Self { rounds, unanswered, .. } = self;
        unanswered.beside(rounds.run(stopping)).await;
    }
}

/// That nobody could be asked, as a command.
fn evidence(evidence: Evidence) -> Command {
    // A try, known or not, is an event of the notification: this is none.
    let Evidence { request, operation, may_be_done: _, code, left_out } = evidence;
    Command::Notification(Notification::NoteUnanswered { request, operation, code, left_out })
}

#[async_trait::async_trait]
impl WorkList for OpenNotifications {
    type Entry = NotificationRow;
    /// The message and how often it failed: a failure that is recorded is another thing to do.
    type Key = (EventId, u32);
    type Cursor = NotificationCursor;
    type Error = QueryError;

    fn name(&self) -> &'static str {
        "notifications"
    }

    async fn look(
        &self,
        after: Option<NotificationCursor>,
    ) -> Result<Piece<NotificationRow, NotificationCursor>, QueryError> {
        let entries = self.queries.open_notifications(self.clock.now(), after).await?;
        telemetry::open(entries.len());
        let full = entries.len() == WORK_MAX as usize;
        let more = entries.last().filter(|_| full).map(NotificationCursor::from);
        Ok(Piece { entries, more })
    }

    fn key(&self, row: &NotificationRow) -> Self::Key {
        (row.requested_by, row.attempt_failed)
    }

    /// Mail that is away holds up nothing but mail.
    fn group(&self, row: &NotificationRow) -> u32 {
        u32::from(row.channel != "email")
    }

    async fn run(&self, row: NotificationRow) -> Came {
        let came = self.sender.run(&row).await;
        if matches!(came, Came::Done) {
            self.sender.unanswered.answered(row.requested_by);
        }
        came
    }
}
