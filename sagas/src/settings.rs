//! Bounds and times of the dispatcher.

use std::time::Duration;

use domain::saga;
use lanes::{ErrandSettings, RoundSettings};

/// What the dispatcher is told. The defaults fit any size.
#[derive(Clone, Debug)]
pub struct DispatcherSettings {
    /// Commands on their way to one shard at one time.
    pub commands_in_flight_max: usize,
    /// Expiries of holds on their way to one shard at one time.
    pub expiries_in_flight_max: usize,
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
            expiries_in_flight_max: 16,
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

impl DispatcherSettings {
    /// How rounds over so many shards are made.
    pub(crate) fn rounds(&self, groups: u32) -> RoundSettings {
        let errands = ErrandSettings {
            in_flight_max: self.commands_in_flight_max,
            retry_first: self.retry_first,
            retry_max: self.retry_max,
            resend_after: self.resend_after,
        };
        let (look_busy, look_idle) = (self.look_busy, self.look_idle);
        // What is on its way ends by the commands' own deadline.
        RoundSettings { errands, groups, look_busy, look_idle, stop_max: None }
    }
}
