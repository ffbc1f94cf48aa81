//! What a live projection can be asked between two batches, and how it answers.

use tokio::sync::oneshot;

use crate::continuity::Break;
use crate::error::ProjectorError;
use crate::replay::Replayed;

/// Where an answer goes.
pub(crate) type Reply<T> = oneshot::Sender<Result<T, ProjectorError>>;

/// What a runner can be asked.
pub(crate) enum Control {
    Pause(Reply<()>),
    Resume(Reply<()>),
    /// Stand still until the other half is dropped.
    Hold(Reply<oneshot::Sender<()>>),
    Replay {
        stream: String,
        reply: Reply<Replayed>,
    },
    AcceptGap {
        partition: u32,
        reply: Reply<Break>,
    },
}

/// Answers; whoever asked may have gone.
pub(crate) fn answer<T>(reply: Reply<T>, result: Result<T, ProjectorError>) {
    if reply.send(result).is_err() {
        tracing::debug!("nobody waits for the answer any more");
    }
}
