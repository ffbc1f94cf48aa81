//! Bounds and times of the dispatcher.

use std::time::Duration;

use domain::saga;
use lanes::ErrandSettings;

/// What the dispatcher is told. The defaults fit any size.
#[derive(Clone, Debug)]
pub struct DispatcherSettings {
    /// Commands on their way at one time.
    pub commands_in_flight_max: usize,
    /// Between two looks at the work list while there is work.
    pub look_busy: Duration,
    /// Between two looks while there is none.
    pub look_idle: Duration,
    /// The first pause after a failure; it doubles with each further one.
    pub retry_first: Duration,
    /// The longest pause after a failure.
    pub retry_max: Duration,
    /// When a command that was taken, and has not been answered by an event, is sent again.
    pub resend_after: Duration,
    /// Between two looks for holds whose time is over.
    pub look_for_expired: Duration,
    /// What every saga that starts from now on is allowed.
    pub sagas: saga::Settings,
}

impl Default for DispatcherSettings {
    fn default() -> Self {
        Self {
            commands_in_flight_max: 64,
            look_busy: Duration::from_millis(10),
            look_idle: Duration::from_millis(50),
            retry_first: Duration::from_millis(100),
            retry_max: Duration::from_secs(10),
            resend_after: Duration::from_secs(30),
            look_for_expired: Duration::from_secs(1),
            sagas: saga::Settings::default(),
        }
    }
}

impl From<&DispatcherSettings> for ErrandSettings {
    fn from(settings: &DispatcherSettings) -> Self {
        Self {
            in_flight_max: settings.commands_in_flight_max,
            retry_first: settings.retry_first,
            retry_max: settings.retry_max,
            resend_after: settings.resend_after,
        }
    }
}
