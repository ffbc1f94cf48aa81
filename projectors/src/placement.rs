//! Where a projection's tables are, and what its runner tells of itself.

use std::sync::Arc;

use domain::{PositionVector, Timestamp};
use read_models::{Projection, ReadStore};

use crate::continuity::Break;
use crate::reader::Trouble;
use crate::status::{DeadLetter, GenerationStatus, RunState};

/// A projection and the store that holds its tables.
#[derive(Clone)]
pub struct Placement {
    /// The fold.
    pub projection: Arc<dyn Projection>,
    /// Where its tables are.
    pub store: Arc<dyn ReadStore>,
}

/// What a runner tells of itself.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told {
    pub(crate) state: Option<RunState>,
    pub(crate) generation: u32,
    pub(crate) vector: PositionVector,
    pub(crate) last_event_at: Option<Timestamp>,
    pub(crate) breaks: Vec<Break>,
    pub(crate) parked: Vec<DeadLetter>,
    pub(crate) events_total: u64,
    pub(crate) rate_per_second: f64,
    pub(crate) shared_reader: bool,
    pub(crate) trouble: Option<String>,
    /// Why the replay in progress does not go on.
    pub(crate) replays: Option<Arc<Trouble>>,
    pub(crate) generations: Vec<GenerationStatus>,
}
