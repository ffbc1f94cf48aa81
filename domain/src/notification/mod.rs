//! The notification: one message to somebody, and what became of it outside.
//!
//! | status | leaves it by | accepts |
//! |---|---|---|
//! | not requested | `-requested` | Request |
//! | requested | `-sent`, `-failed`, `-delivered`, `-abandoned` | everything but Request |
//! | failed (may be tried again) | `-sent`, `-delivered`, `-abandoned` | everything but Request |
//! | sent | `-delivered`; `-failed` of a later try, when it comes back | facts |
//! | delivered | never | facts, which say nothing new |
//! | abandoned | `-sent`, `-delivered`: facts that come late | Abandon, facts |
//!
//! Invariants, at every version:
//! - It is requested once.
//! - What its provider says is never refused, and is recorded once: a try that failed by its
//!   number, a dispatch and a delivery once; a dispatch once more after it came back.
//! - What is out stays out, though another sender's same try failed: only a later failure says
//!   that it came back.
//! - What was sent or delivered is not given up.
//!
//! Systems alone ask (sagas, connectors).

mod check;
mod command;
mod decide;
mod error;
mod event;
pub mod limits;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
mod value;

use serde::{Deserialize, Serialize};

pub(crate) use check::locale as check_locale;
pub use command::Command;
pub use error::Refusal;
pub use event::{
    Event, NotificationAbandoned, NotificationDelivered, NotificationFailed, NotificationRequested,
    NotificationSent,
};
pub use limits::{ATTEMPTS_MAX, GIVE_UP_SECONDS};
pub use value::{Channel, Status};

use crate::ids::{BookingId, NotificationId};
use crate::{Aggregate, Category, Context};

/// The state of a notification. What it says stays in the events: no rule needs it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Notification {
    /// Nothing was asked of it yet.
    #[default]
    NotRequested,
    /// Something was: its status is inside.
    Known(Message),
}

/// A message on its way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Its id.
    pub notification_id: NotificationId,
    /// What it is about.
    pub booking_id: BookingId,
    /// Where it stands.
    pub status: Status,
    /// The last try that failed; 0 when none did.
    pub attempt_failed: u32,
    /// Whether a provider ever took it.
    pub sent: bool,
    /// The provider's id of the last dispatch, if it had one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
}

/// Seconds to wait after so many tries have failed: a second, and twice as long each time, up to an
/// hour.
#[must_use]
pub fn retry_after_seconds(failed: u32) -> u32 {
    2_u32.saturating_pow(failed.saturating_sub(1)).min(limits::RETRY_SECONDS_MAX)
}

impl Aggregate for Notification {
    const CATEGORY: Category = Category::Notification;
    const FOLD_VERSION: u32 = 1;
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;

    fn decide(&self, command: &Command, context: &Context) -> Result<Vec<Event>, Refusal> {
        decide::decide(self, command, &context.actor)
    }

    fn evolve(self, event: &Event) -> Self {
        let mut message = match (self, event) {
            (Self::Known(message), _) => message,
            (Self::NotRequested, Event::Requested(event)) => Message {
                notification_id: event.notification_id,
                booking_id: event.booking_id,
                status: Status::Requested,
                attempt_failed: 0,
                sent: false,
                reference: None,
            },
            // The log holds no such event; a fold refuses nothing.
            (Self::NotRequested, _) => return Self::NotRequested,
        };
        match event {
            // Nothing is requested twice; the first one holds.
            Event::Requested(_) => {}
            Event::Sent(event) => {
                message.status = Status::Sent;
                message.sent = true;
                message.reference.clone_from(&event.reference);
            }
            Event::Failed(event) => {
                message.attempt_failed = event.attempt;
                // Who gave up knows already that it did not arrive.
                if message.status != Status::Abandoned {
                    message.status = Status::Failed;
                }
            }
            Event::Delivered(_) => message.status = Status::Delivered,
            Event::Abandoned(_) => message.status = Status::Abandoned,
        }
        Self::Known(message)
    }
}
