//! Bounds and times of the payment connector.

use std::time::Duration;

use lanes::{ErrandSettings, RoundSettings};

/// What the connector is told. The defaults fit any size.
#[derive(Clone, Debug)]
pub struct ConnectorSettings {
    /// Requests that are worked on at one time.
    pub requests_in_flight_max: usize,
    /// Between two looks at the work list while there is work.
    pub look_busy: Duration,
    /// Between two looks while there is none.
    pub look_idle: Duration,
    /// The first pause after a failure; it doubles with each further one.
    pub retry_first: Duration,
    /// The longest pause after a failure.
    pub retry_max: Duration,
    /// From this age of a request on, the provider is asked what it knows before it is asked to do
    /// anything: it may have forgotten the key. Half of what providers remember.
    pub look_up_after: Duration,
    /// How long past its due time an authorization is asked about while the provider cannot tell.
    pub time_out_grace: Duration,
    /// How long calls may go on after the connector was told to stop.
    pub stop_max: Duration,
}

impl Default for ConnectorSettings {
    fn default() -> Self {
        Self {
            requests_in_flight_max: 32,
            look_busy: Duration::from_millis(20),
            look_idle: Duration::from_millis(100),
            retry_first: Duration::from_millis(200),
            retry_max: Duration::from_secs(10),
            look_up_after: Duration::from_secs(12 * 3600),
            time_out_grace: Duration::from_secs(60),
            stop_max: Duration::from_secs(5),
        }
    }
}

impl ConnectorSettings {
    pub(super) fn rounds(&self) -> RoundSettings {
        let errands = ErrandSettings {
            in_flight_max: self.requests_in_flight_max,
            retry_first: self.retry_first,
            retry_max: self.retry_max,
            // Every answer is recorded by the errand itself: nothing is left to wait for.
            resend_after: self.retry_max,
        };
        let (look_busy, look_idle) = (self.look_busy, self.look_idle);
        RoundSettings { errands, groups: 1, look_busy, look_idle, stop_max: Some(self.stop_max) }
    }
}
