//! What an operator sees of a projection.

use domain::{PositionVector, Timestamp};
use read_models::ParkedStream;

/// A projection that is further behind than this many records is catching up: not ready.
const LAG_EVENTS_MAX: u64 = 10_000;

use crate::continuity::Break;

/// What a projection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunState {
    /// It has not reached its store yet.
    Starting,
    /// It folds what comes.
    Running,
    /// An operator paused it (until resumed, or until the process starts again).
    Paused,
    /// Another generation is being made the live one.
    Held,
    /// The live generation is of another version than this process folds: rebuild and promote.
    Outdated,
    /// The process is shutting down.
    Stopped,
}

impl RunState {
    /// Its name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Held => "held",
            Self::Outdated => "outdated",
            Self::Stopped => "stopped",
        }
    }
}

/// A stream that a projection has parked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// By which projection.
    pub projection: &'static str,
    /// The stream, the place and the reason.
    pub parked: ParkedStream,
    /// Later events of the stream that wait behind it, as counted since this process started.
    pub waiting: u64,
}

/// One table set of a projection.
#[derive(Clone, Debug, PartialEq)]
pub struct GenerationStatus {
    /// Its number.
    pub number: u32,
    /// The version of the projection that fills it.
    pub version: u32,
    /// Whether queries read it.
    pub live: bool,
    /// How far it has read.
    pub vector: PositionVector,
}

/// A projection as it is now.
#[derive(Clone, Debug, PartialEq)]
pub struct ProjectionStatus {
    /// Its name.
    pub name: &'static str,
    /// The version that this process folds.
    pub version: u32,
    /// What it is doing.
    pub state: RunState,
    /// The live generation; 0 before it is known.
    pub generation: u32,
    /// How far the live generation has read.
    pub vector: PositionVector,
    /// When the newest event that it has read was recorded.
    pub last_event_at: Option<Timestamp>,
    /// How old the oldest record that it has not read may be, in seconds: since then, or since it
    /// was last seen at the log's end. 0 when it has caught up; nothing when it is behind and has
    /// read no event yet.
    pub lag_seconds: Option<f64>,
    /// About how many records it is behind (offsets have gaps).
    pub lag_events: u64,
    /// Events folded since this process started.
    pub events_total: u64,
    /// Events folded a second, lately.
    pub rate_per_second: f64,
    /// Partitions that stopped because they are not whole.
    pub breaks: Vec<Break>,
    /// How many streams are parked.
    pub parked: usize,
    /// Whether it reads from the shared reader; otherwise by itself, until it has caught up.
    pub shared_reader: bool,
    /// Why it makes no progress at present.
    pub trouble: Option<String>,
    /// Its table sets, as of the last look.
    pub generations: Vec<GenerationStatus>,
}

/// Whether the projections do their work, for `/health/ready`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Readiness {
    /// What is wrong, a sentence each; ready when there is nothing.
    pub reasons: Vec<String>,
    /// What is wrong with projections that nobody depends on: others answer meanwhile.
    pub warnings: Vec<String>,
}

impl Readiness {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn ready(&self) -> bool {
        self.reasons.is_empty()
    }

    /// Adds what is wrong with a projection.
    pub(crate) fn add(&mut self, troubles: Vec<String>, dispensable: bool) {
        if dispensable { &mut self.warnings } else { &mut self.reasons }.extend(troubles);
    }
}

impl ProjectionStatus {
    /// What keeps it from doing its work. Parked streams and a pause by an operator do not; being
    /// far behind does.
    pub(crate) fn troubles(&self) -> Vec<String> {
        let name = self.name;
        let mut reasons: Vec<String> = self
            .breaks
            .iter()
            .map(|stopped| format!("projection {name} stopped: {stopped}"))
            .collect();
        match (self.state, &self.trouble) {
            (RunState::Running | RunState::Paused | RunState::Held, None) => {}
            (RunState::Outdated, None) => reasons.push(format!(
                "projection {name} is outdated: this process folds version {}",
                self.version
            )),
            (state, None) => reasons.push(format!("projection {name} is {}", state.name())),
            (_, Some(trouble)) => reasons.push(format!("projection {name}: {trouble}")),
        }
        if self.state == RunState::Running && self.lag_events > LAG_EVENTS_MAX {
            let behind = self.lag_events;
            reasons.push(format!("projection {name} is about {behind} records behind"));
        }
        reasons
    }
}
