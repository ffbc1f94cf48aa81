//! How often a call may be repeated, by itself and among all calls of a client.
//!
//! Without a budget for all calls, a provider that is slow would be asked three times as often as
//! one that is well.

use std::time::Duration;

use tower::retry::backoff::{ExponentialBackoff, ExponentialBackoffMaker, MakeBackoff as _};
use tower::retry::budget::{Budget as _, TpsBudget};
use tower::util::rng::HasherRng;

use super::settings::{RetrySettings, SettingsError};

/// How much of a wait is chance, so that callers who failed together do not return together.
const JITTER: f64 = 0.5;
/// How long a call counts for the repeats of others.
const BUDGET_WINDOW: Duration = Duration::from_secs(10);

/// The repeats of a client.
pub(crate) struct Retries {
    per_call_max: u32,
    budget: TpsBudget,
    backoff_min: Duration,
    backoff_max: Duration,
}

/// The repeats of one call.
pub(crate) struct CallRetries<'a> {
    retries: &'a Retries,
    left: u32,
    pub(crate) backoff: ExponentialBackoff<HasherRng>,
}

impl Retries {
    /// # Errors
    /// [`SettingsError::Backoff`].
    pub(crate) fn new(settings: &RetrySettings) -> Result<Self, SettingsError> {
        let RetrySettings { per_call_max, per_calls_max, per_second_min, .. } = *settings;
        if !(0.0..=100.0).contains(&per_calls_max) {
            return Err(SettingsError::Backoff);
        }
        let (min, max) = (settings.backoff_min, settings.backoff_max);
        if min > max || max.is_zero() {
            return Err(SettingsError::Backoff);
        }
        let budget = TpsBudget::new(BUDGET_WINDOW, per_second_min, per_calls_max);
        Ok(Self { per_call_max, budget, backoff_min: min, backoff_max: max })
    }

    /// A call begins.
    pub(crate) fn begin(&self) -> CallRetries<'_> {
        self.budget.deposit();
        // Each call has chance of its own: a maker hands the same to all that it makes.
        let chance = HasherRng::default();
        let backoff =
            ExponentialBackoffMaker::new(self.backoff_min, self.backoff_max, JITTER, chance)
                .expect("the waits were looked at when the client was made")
                .make_backoff();
        CallRetries { retries: self, left: self.per_call_max, backoff }
    }
}

impl CallRetries<'_> {
    /// Whether the call may be repeated once more; used up by asking.
    pub(crate) fn granted(&mut self) -> bool {
        self.left = match self.left.checked_sub(1) {
            Some(left) => left,
            None => return false,
        };
        self.retries.budget.withdraw()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn retries(per_call_max: u32, per_second_min: u32) -> Retries {
        let settings = RetrySettings {
            per_call_max,
            per_calls_max: 0.0,
            per_second_min,
            ..RetrySettings::default()
        };
        Retries::new(&settings).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_is_repeated_as_often_as_it_may_be() {
        let retries = retries(2, 100);
        let mut call = retries.begin();

        assert_eq!([call.granted(), call.granted(), call.granted()], [true, true, false]);
    }

    #[tokio::test(start_paused = true)]
    async fn all_calls_together_have_a_budget() {
        let retries = retries(1, 1);

        let granted = (0..100).filter(|_| retries.begin().granted()).count();

        assert_eq!(granted, 10, "one a second over a window of ten seconds");
    }

    #[test]
    fn waits_that_contradict_themselves_are_refused() {
        let second = Duration::from_secs(1);
        let wrong = RetrySettings {
            backoff_min: 2 * second,
            backoff_max: second,
            ..RetrySettings::default()
        };

        assert!(matches!(Retries::new(&wrong), Err(SettingsError::Backoff)));
    }
}
