//! What has to be told to the query API about the log, because it never opens it.

use std::sync::Arc;

use domain::{LogId, PositionVector, Timestamp};

/// Where the log ends, as far as somebody knows.
#[derive(Clone, Debug, PartialEq)]
pub struct LogEnd {
    /// The last record of each partition.
    pub vector: PositionVector,
    /// When the newest event was recorded; nothing while there is none.
    pub last_event_at: Option<Timestamp>,
    /// Where it ended before, and the last instant at which that was seen to be the end: whatever
    /// lies beyond was recorded later.
    pub before: Option<(PositionVector, Timestamp)>,
}

/// The log from afar. Asked with every answer, so both questions are answered from memory: whoever
/// implements this keeps its knowledge up to date in the background.
pub trait LogView: Send + Sync + 'static {
    /// Which log the read models are made from; nothing until it is known.
    fn log_id(&self) -> Option<LogId>;

    /// Where it ends now; nothing while that is not known, and answers then carry no lag.
    fn end(&self) -> Option<Arc<LogEnd>>;
}

/// A log of which only the name is known.
#[derive(Clone, Copy, Debug)]
pub struct NamedLog(pub LogId);

impl LogView for NamedLog {
    fn log_id(&self) -> Option<LogId> {
        Some(self.0)
    }

    fn end(&self) -> Option<Arc<LogEnd>> {
        None
    }
}
