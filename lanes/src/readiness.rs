//! What a process says of its lanes: for `/health/ready` and for operators.

use event_log::ShardId;
use serde::Serialize;

/// All lanes of a process.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Readiness {
    /// One per assigned shard, ascending.
    pub lanes: Vec<LaneStatus>,
    /// Why nothing is served although lanes may be open: the clocks differ too much.
    pub clock: Option<String>,
    /// What an acknowledged command survives, for the operator.
    pub durability: String,
    /// Whether that includes a power cut of one machine.
    pub survives_power_cut: bool,
}

impl Readiness {
    /// Whether every assigned shard is served. A process without shards is ready: it forwards.
    #[must_use]
    pub fn ready(&self) -> bool {
        self.clock.is_none() && self.lanes.iter().all(|lane| lane.phase == LanePhase::Serving)
    }
}

/// One lane.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LaneStatus {
    /// Its shard.
    pub shard: ShardId,
    /// What it is doing.
    pub phase: LanePhase,
    /// Of the present or last ownership.
    pub epoch: Option<i64>,
    /// Commands that wait for it.
    pub queued_commands: usize,
    /// Why the last attempt to serve failed, while it does not.
    pub trouble: Option<String>,
}

/// What a lane is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "phase", rename_all = "snake_case")]
pub enum LanePhase {
    /// It takes the shard over.
    Opening,
    /// It reads the log up to its own opened record.
    Restoring {
        /// Records read since it began.
        records_read: u64,
    },
    /// It decides commands.
    Serving,
    /// The coordinator says that the shard is not ours: it takes no commands.
    NotAMember,
    /// It has ended.
    Ended,
}
