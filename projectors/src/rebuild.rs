//! Rebuilding: a generation that is filled beside the live one, compared with it, and promoted.
//!
//! How equality is proved while commands flow: the live generation's sums are taken together with
//! the vector V that they are true at; the candidate, which never overtakes the live one, is filled
//! up to exactly V; its sums must be the same. Then the next V is taken, so that the candidate
//! follows and every round is one more proof. For a promotion the live runner of this process is
//! held, one last round is made, and the pointer is switched: the store refuses unless the
//! candidate covers the live one's vector. When another process moves the live one meanwhile, the
//! proved candidate is filled on to wherever that has come.
//!
//! A generation of another version has no equal: its counts are shown and the operator says yes.
//! After a promotion the generation before is kept up in the same way, so that a rollback is the
//! pointer back; the next rebuild, or an operator, drops it.

use domain::PositionVector;

use crate::comparison::Comparison;
use crate::continuity::Break;

/// What a rebuild is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RebuildState {
    /// It has not reached its store yet.
    Starting,
    /// It reads the log from its beginning.
    Filling,
    /// It has caught up and follows.
    Ready,
    /// An operator paused it (until resumed, or until the process starts again).
    Paused,
    /// It was made the live one.
    Promoted,
    /// It was cancelled, here or elsewhere.
    Dropped,
    /// The process is shutting down; it goes on after the next start.
    Stopped,
}

impl RebuildState {
    /// Its name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Filling => "filling",
            Self::Ready => "ready",
            Self::Paused => "paused",
            Self::Promoted => "promoted",
            Self::Dropped => "dropped",
            Self::Stopped => "stopped",
        }
    }

    /// Whether it is over in this process.
    #[must_use]
    pub const fn over(self) -> bool {
        matches!(self, Self::Promoted | Self::Dropped | Self::Stopped)
    }
}

/// A rebuild as it is now.
#[derive(Clone, Debug, PartialEq)]
pub struct RebuildStatus {
    /// Of which projection.
    pub projection: &'static str,
    /// The number of the generation that it fills: the rebuild's id.
    pub number: u32,
    /// The version of the fold.
    pub version: u32,
    /// What it is doing.
    pub state: RebuildState,
    /// How far it has read.
    pub vector: PositionVector,
    /// About how many records are read (offsets have gaps).
    pub records_done: u64,
    /// About how many there are.
    pub records_total: u64,
    /// Records read a second, lately.
    pub rate_per_second: f64,
    /// About how long it still takes to catch up; nothing while it stands still.
    pub eta_seconds: Option<f64>,
    /// Partitions that stopped because they are not whole.
    pub breaks: Vec<Break>,
    /// How many streams it parked.
    pub parked: usize,
    /// The last comparison with the live generation.
    pub comparison: Option<Comparison>,
    /// Why it makes no progress at present.
    pub trouble: Option<String>,
}

impl RebuildStatus {
    /// What keeps it from doing its work, in a sentence.
    pub(crate) fn trouble(&self) -> Option<String> {
        let (name, number) = (self.projection, self.number);
        self.trouble.as_ref().map(|trouble| format!("rebuild {number} of {name}: {trouble}"))
    }
}

/// What a promotion asks for beside covering the live generation's vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// Equal sums at one vector.
    Equal,
    /// The operator has looked at the counts: for another version, or for generations that parked
    /// different streams. Different rows of one version are never accepted.
    Accepted,
    /// Nothing: a rollback, whose reason may be that the live one is wrong.
    Rollback,
}
