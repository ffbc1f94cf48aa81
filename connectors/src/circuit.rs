//! The circuit: calls to a provider that keeps failing are not made for a while.
//!
//! Closed, every call is let through. After so many failures in a row it opens and lets none
//! through; each opening in a row lasts twice as long as the one before, up to a limit. Then it is
//! half open: one call is let through, and decides. A failure is an outcome that tells nothing
//! (late, broken off, 5xx) or no connection at all; a refusal is an answer like any other.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use metrics::{counter, gauge};
use tokio::time::Instant;

pub(crate) const STATE: &str = "waylog_provider_circuit_state";
pub(crate) const OPENED: &str = "waylog_provider_circuit_opened_total";
/// Openings whose length still doubles.
const DOUBLINGS_MAX: u32 = 16;

/// When calls are not made.
#[derive(Debug, Clone)]
pub struct CircuitSettings {
    /// Failures in a row that open it.
    pub failures_max: u32,
    /// How long the first opening lasts.
    pub open_min: Duration,
    /// How long an opening lasts at most.
    pub open_max: Duration,
}

impl Default for CircuitSettings {
    fn default() -> Self {
        Self {
            failures_max: 5,
            open_min: Duration::from_secs(2),
            open_max: Duration::from_secs(60),
        }
    }
}

/// What the circuit lets through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CircuitState {
    /// Everything.
    Closed,
    /// One call, which decides.
    HalfOpen,
    /// Nothing.
    Open,
}

impl CircuitState {
    /// The name in logs and answers.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::HalfOpen => "half_open",
            Self::Open => "open",
        }
    }
}

/// How a circuit stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CircuitStanding {
    /// What it lets through.
    pub state: CircuitState,
    /// Failures in a row.
    pub failures: u32,
    /// Openings in a row.
    pub openings: u32,
    /// How long it still lets nothing through.
    pub lets_through_in: Option<Duration>,
}

/// The circuit of one provider.
#[derive(Debug)]
pub struct Circuit {
    /// Whose it is, in metrics and logs.
    provider: &'static str,
    settings: CircuitSettings,
    switch: Mutex<Switch>,
}

#[derive(Debug)]
struct Switch {
    provider: &'static str,
    position: Position,
    /// Changes with the position; what was let through before decides nothing any more.
    generation: u64,
    /// Openings in a row.
    openings: u32,
}

#[derive(Debug)]
enum Position {
    Closed {
        failures: u32,
    },
    Open {
        until: Instant,
    },
    /// The one call is on its way.
    Probing,
}

/// A call that was let through. It has to be settled; dropped unsettled, a call that was to decide
/// counts as failed, any other as not made.
#[derive(Debug)]
pub(super) struct Passage<'a> {
    circuit: &'a Circuit,
    generation: u64,
    probe: bool,
    settled: bool,
}

impl Circuit {
    pub(super) fn new(provider: &'static str, settings: CircuitSettings) -> Self {
        let position = Position::Closed { failures: 0 };
        let switch = Mutex::new(Switch { provider, position, generation: 0, openings: 0 });
        gauge!(STATE, "provider" => provider).set(0);
        Self { provider, settings, switch }
    }

    /// Whose it is.
    #[must_use]
    pub const fn provider(&self) -> &'static str {
        self.provider
    }

    /// What it lets through now.
    #[must_use]
    pub fn state(&self) -> CircuitState {
        self.standing().state
    }

    /// How it stands now.
    #[must_use]
    pub fn standing(&self) -> CircuitStanding {
        let switch = self.switch();
        let (state, failures, lets_through_in) = match switch.position {
            Position::Closed { failures } => (CircuitState::Closed, failures, None),
            Position::Open { until } => {
                let left = until.saturating_duration_since(Instant::now());
                let open = Some(left).filter(|left| !left.is_zero());
                let state =
                    if open.is_some() { CircuitState::Open } else { CircuitState::HalfOpen };
                (state, self.settings.failures_max, open)
            }
            Position::Probing => (CircuitState::HalfOpen, self.settings.failures_max, None),
        };
        CircuitStanding { state, failures, openings: switch.openings, lets_through_in }
    }

    /// Closes it, by an operator's word: calls are made again at once.
    pub fn reset(&self) {
        let mut switch = self.switch();
        switch.openings = 0;
        switch.turn(Position::Closed { failures: 0 });
    }

    /// Lets a call through, or says how long none will be.
    pub(super) fn enter(&self) -> Result<Passage<'_>, Duration> {
        let mut switch = self.switch();
        let probe = match switch.position {
            Position::Closed { .. } => false,
            Position::Open { until } => {
                let left = until.saturating_duration_since(Instant::now());
                if !left.is_zero() {
                    return Err(left);
                }
                switch.turn(Position::Probing);
                true
            }
            Position::Probing => return Err(self.settings.open_min),
        };
        let generation = switch.generation;
        Ok(Passage { circuit: self, generation, probe, settled: false })
    }

    fn succeeded(&self, generation: u64) {
        let mut switch = self.switch();
        if switch.generation != generation {
            return;
        }
        switch.openings = 0;
        match &mut switch.position {
            Position::Closed { failures } => *failures = 0,
            Position::Open { .. } | Position::Probing => {
                switch.turn(Position::Closed { failures: 0 });
            }
        }
    }

    fn failed(&self, generation: u64) {
        let mut switch = self.switch();
        if switch.generation != generation {
            return;
        }
        if let Position::Closed { failures } = &mut switch.position {
            *failures += 1;
            if *failures < self.settings.failures_max {
                return;
            }
        }
        let factor = 2_u32.pow(switch.openings.min(DOUBLINGS_MAX));
        let wait = self.settings.open_min.saturating_mul(factor).min(self.settings.open_max);
        switch.openings = switch.openings.saturating_add(1);
        switch.turn(Position::Open { until: Instant::now() + wait });
        counter!(OPENED, "provider" => self.provider).increment(1);
        let (provider, wait_ms) = (self.provider, wait.as_millis());
        tracing::warn!(provider, wait_ms, "a provider keeps failing; calls are held back");
    }

    fn switch(&self) -> MutexGuard<'_, Switch> {
        self.switch.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Switch {
    fn turn(&mut self, position: Position) {
        gauge!(STATE, "provider" => self.provider).set(match position {
            Position::Closed { .. } => 0,
            Position::Probing => 1,
            Position::Open { .. } => 2,
        });
        self.position = position;
        self.generation += 1;
    }
}

impl Passage<'_> {
    /// Whether this call alone decides what the circuit does next.
    pub(super) const fn decides(&self) -> bool {
        self.probe
    }

    /// Says how the call went.
    pub(super) fn settle(mut self, succeeded: bool) {
        self.settled = true;
        if succeeded {
            self.circuit.succeeded(self.generation);
        } else {
            self.circuit.failed(self.generation);
        }
    }
}

impl Drop for Passage<'_> {
    fn drop(&mut self) {
        if self.probe && !self.settled {
            self.circuit.failed(self.generation);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn circuit() -> Circuit {
        let settings = CircuitSettings { failures_max: 2, open_min: SECOND, open_max: 4 * SECOND };
        Circuit::new("test", settings)
    }

    fn call(circuit: &Circuit, succeeds: bool) -> Result<(), Duration> {
        circuit.enter().map(|passage| passage.settle(succeeds))
    }

    #[tokio::test(start_paused = true)]
    async fn failures_in_a_row_open_it() {
        let circuit = circuit();

        call(&circuit, false).unwrap();
        call(&circuit, true).unwrap();
        call(&circuit, false).unwrap();
        let before = circuit.state();
        call(&circuit, false).unwrap();

        assert_eq!(before, CircuitState::Closed);
        assert_eq!(circuit.state(), CircuitState::Open);
        assert_eq!(call(&circuit, true), Err(SECOND));
    }

    #[tokio::test(start_paused = true)]
    async fn half_open_one_call_decides() {
        let circuit = circuit();
        call(&circuit, false).unwrap();
        call(&circuit, false).unwrap();
        tokio::time::advance(SECOND).await;

        let half = circuit.state();
        let probe = circuit.enter().unwrap();
        let second = circuit.enter().map(|_| ());
        probe.settle(true);

        assert_eq!(half, CircuitState::HalfOpen);
        assert_eq!(second, Err(SECOND));
        assert_eq!(circuit.state(), CircuitState::Closed);
    }

    #[tokio::test(start_paused = true)]
    async fn each_opening_in_a_row_lasts_longer_up_to_the_limit() {
        let circuit = circuit();
        call(&circuit, false).unwrap();
        call(&circuit, false).unwrap();

        let mut waits = Vec::new();
        for _ in 0..4 {
            let wait = circuit.enter().map(|_| ()).unwrap_err();
            waits.push(wait.as_secs());
            tokio::time::advance(wait).await;
            call(&circuit, false).unwrap();
        }

        assert_eq!(waits, [1, 2, 4, 4]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_deciding_call_that_is_given_up_counts_as_failed() {
        let circuit = circuit();
        call(&circuit, false).unwrap();
        call(&circuit, false).unwrap();
        tokio::time::advance(SECOND).await;

        drop(circuit.enter().unwrap());

        assert_eq!(circuit.state(), CircuitState::Open);
    }

    #[tokio::test(start_paused = true)]
    async fn an_operator_closes_it_and_late_failures_do_not_open_it_again() {
        let circuit = circuit();
        let late = [circuit.enter().unwrap(), circuit.enter().unwrap()];
        call(&circuit, false).unwrap();
        call(&circuit, false).unwrap();

        circuit.reset();
        late.into_iter().for_each(|passage| passage.settle(false));

        assert_eq!(circuit.state(), CircuitState::Closed);
        assert_eq!(call(&circuit, true), Ok(()));
    }
}
