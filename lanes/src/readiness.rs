//! What a process says of its lanes: for `/health/ready` and for operators.

use std::fmt;

use event_log::ShardId;
use serde::Serialize;

/// All lanes of a process.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Readiness {
    /// One per assigned shard, ascending.
    pub lanes: Vec<LaneStatus>,
    /// Shards that have no lane here, and no owner elsewhere that commands could be sent to.
    pub unserved: Vec<ShardId>,
    /// Why nothing is served although lanes may be open: the clocks differ too much.
    pub clock: Option<String>,
    /// What an acknowledged command survives, for the operator.
    pub durability: String,
    /// Whether that includes a power cut of one machine.
    pub survives_power_cut: bool,
}

impl Readiness {
    /// Whether every command has somewhere to go: each shard is served here, or has an owner
    /// elsewhere. A process without shards of its own is ready: it forwards.
    #[must_use]
    pub fn ready(&self) -> bool {
        self.reasons().is_empty()
    }

    /// What is not as it should be, a sentence each; ready when there is nothing.
    #[must_use]
    pub fn reasons(&self) -> Vec<String> {
        let mut reasons: Vec<String> = self.clock.iter().cloned().collect();
        reasons.extend(self.lanes.iter().filter_map(LaneStatus::not_serving));
        reasons.extend(self.unserved.iter().map(|shard| {
            format!("shard {shard} has no lane here and no owner elsewhere that is known")
        }));
        reasons
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

impl LaneStatus {
    fn not_serving(&self) -> Option<String> {
        if self.phase == LanePhase::Serving {
            return None;
        }
        let trouble = self.trouble.as_deref().unwrap_or("no trouble so far");
        Some(format!("shard {} is {} ({trouble})", self.shard, self.phase))
    }
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

impl fmt::Display for LanePhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Opening => f.write_str("being opened"),
            Self::Restoring { records_read } => {
                write!(f, "being restored, {records_read} records so far")
            }
            Self::Serving => f.write_str("served"),
            Self::NotAMember => f.write_str("not assigned here any more"),
            Self::Ended => f.write_str("not served: its lane has ended"),
        }
    }
}
