//! A batch that is being decided: what it would append, and what each command would be told.

use std::collections::{HashMap, VecDeque};

use domain::ids::CommandId;
use domain::{Digest, StreamName};
use event_log::{Batch, CommitState};

use crate::CommandError;
use crate::ledger::Ledger;
use crate::state_cache::Place;
use crate::waiting::Waiting;

/// What a command is told once its batch is committed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Planned {
    /// Its events are in the batch: `count` of them, the last at index `last`.
    Appended { version: u64, count: u32, last: usize },
    /// An earlier command of the batch has the same id: that one's outcome.
    Repeated { version: u64, last: usize },
    /// Everything asked for is true already.
    Unchanged { version: u64, last: Place },
    /// No.
    Failed(CommandError),
    /// Its decision was cut short; the batch is to be rolled back.
    Undecided,
}

/// A command with its plan.
#[derive(Debug)]
pub(crate) struct Decided {
    pub(crate) waiting: Waiting,
    pub(crate) planned: Planned,
}

/// An earlier command of the same batch that appends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Earlier {
    pub(crate) fingerprint: Digest,
    pub(crate) version: u64,
    pub(crate) last: usize,
}

/// Everything that a commit makes true, or that a rollback forgets.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) batch: Batch,
    pub(crate) value_bytes: usize,
    pub(crate) decided: Vec<Decided>,
    /// Ids of this batch that append.
    pub(crate) keys: HashMap<(StreamName, CommandId), Earlier>,
    /// Streams whose states are ahead of the log.
    pub(crate) touched: Vec<StreamName>,
    /// As it was before.
    pub(crate) ledger: Ledger,
}

impl Draft {
    pub(crate) fn new(ledger: Ledger) -> Self {
        Self {
            batch: Batch::default(),
            value_bytes: 0,
            decided: Vec::new(),
            keys: HashMap::new(),
            touched: Vec::new(),
            ledger,
        }
    }

    /// Whether there is nothing to commit.
    pub(crate) fn is_empty(&self) -> bool {
        self.batch.events.is_empty() && self.batch.refusals.is_empty()
    }

    /// The command that would append the event at that index.
    pub(crate) fn author_of(&self, event: usize) -> Option<usize> {
        self.decided.iter().position(|decided| match decided.planned {
            Planned::Appended { count, last, .. } => {
                (last + 1 - count as usize..=last).contains(&event)
            }
            _ => false,
        })
    }

    /// Puts the commands back in their order of arrival, in front of those that came later.
    pub(crate) fn hand_back(self, queue: &mut VecDeque<Waiting>, committed: CommitState) {
        for Decided { mut waiting, planned } in self.decided.into_iter().rev() {
            match planned {
                Planned::Appended { count, .. } if committed == CommitState::Unknown => {
                    waiting.maybe_written(count);
                }
                // What may have happened under its id is another request's doing.
                Planned::Repeated { .. } if committed == CommitState::Unknown => {
                    waiting.maybe_written(0)
                }
                _ => waiting.not_written(),
            }
            queue.push_front(waiting);
        }
    }
}
