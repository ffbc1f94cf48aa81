//! Bounds and times of the notification connector.

use std::time::Duration;

use lanes::{ErrandSettings, RoundSettings};

use crate::payment_provider::SettingsError;

/// What the connector is told. The defaults fit any size.
#[derive(Clone, Debug)]
pub struct NotificationSettings {
    /// Messages of one way (mail, the API) that are on their way at one time.
    pub in_flight_max: usize,
    /// Between two looks at the work list while there is work.
    pub look_busy: Duration,
    /// Between two looks while there is none.
    pub look_idle: Duration,
    /// The first pause after a try that reached nobody; it doubles with each further one.
    pub retry_first: Duration,
    /// The longest pause of that kind. Refusals are waited out as the notification's events say.
    pub retry_max: Duration,
    /// How long tries may go on after the connector was told to stop.
    pub stop_max: Duration,
}

impl Default for NotificationSettings {
    fn default() -> Self {
        Self {
            in_flight_max: 8,
            look_busy: Duration::from_millis(50),
            look_idle: Duration::from_millis(250),
            retry_first: Duration::from_millis(500),
            retry_max: Duration::from_secs(30),
            stop_max: Duration::from_secs(5),
        }
    }
}

impl NotificationSettings {
    pub(super) fn rounds(&self) -> RoundSettings {
        let errands = ErrandSettings {
            in_flight_max: self.in_flight_max,
            retry_first: self.retry_first,
            retry_max: self.retry_max,
            // Every outcome is recorded by the errand itself: nothing is left to wait for.
            resend_after: self.retry_max,
        };
        let (look_busy, look_idle) = (self.look_busy, self.look_idle);
        RoundSettings { errands, groups: 2, look_busy, look_idle, stop_max: Some(self.stop_max) }
    }
}

/// Why a way to people cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ChannelError {
    /// The address of the mail server is none.
    #[error("`{0}` is no smtp:// address of a mail server")]
    MailUrl(String),
    /// Who writes is no mailbox.
    #[error("`{0}` is no sender of mail such as `Name <name@example.org>`")]
    Sender(String),
    /// The message API cannot be called.
    #[error("the message API cannot be called")]
    Api(#[from] SettingsError),
}

impl ChannelError {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::MailUrl(_) => "mail_url_refused",
            Self::Sender(_) => "mail_sender_refused",
            Self::Api(error) => error.code(),
        }
    }
}
