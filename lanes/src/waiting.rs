//! A command that waits for its outcome, and the truth about whether anything was tried for it.
//!
//! A caller that stops waiting and a lane that starts trying race for the same command. [`Claim`]
//! decides the race, so that "nothing was tried" is never said of a command that may still be
//! appended. A command that is dropped unanswered, by a panic even, goes back to its router.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use tokio::sync::oneshot;

use crate::{Accepted, CommandError, CommandRequest};

const UNTRIED: u8 = 0;
const TRIED: u8 = 1;
const ABANDONED: u8 = 2;

/// Whether a command may have reached the log; shared by its caller and its lane.
#[derive(Debug, Default)]
pub(crate) struct Claim(AtomicU8);

impl Claim {
    /// The caller stops waiting. True: nothing was tried, and nothing will be.
    pub(crate) fn abandon(&self) -> bool {
        self.0.compare_exchange(UNTRIED, ABANDONED, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// Whether an attempt was made whose outcome is not known.
    pub(crate) fn tried(&self) -> bool {
        self.0.load(Ordering::Acquire) == TRIED
    }

    fn take(&self) -> bool {
        match self.0.compare_exchange(UNTRIED, TRIED, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => true,
            Err(state) => state == TRIED,
        }
    }

    fn untry(&self) {
        self.0.store(UNTRIED, Ordering::Release);
    }
}

/// What a lane says of a command.
#[derive(Debug)]
pub(crate) enum Reply {
    /// Its outcome.
    Outcome(Result<Accepted, CommandError>),
    /// It is not for this lane, or no longer: here it is back.
    Elsewhere(Box<CommandRequest>),
}

/// A command in a lane's hands.
#[derive(Debug)]
pub(crate) struct Waiting {
    request: Option<Box<CommandRequest>>,
    reply: Option<oneshot::Sender<Reply>>,
    claim: Arc<Claim>,
    /// An append of this many events ended without a known outcome.
    unknown_events: Option<u32>,
    /// It is certain to fail like this; its evidence is still to be committed.
    doom: Option<CommandError>,
}

impl Waiting {
    pub(crate) fn new(
        request: Box<CommandRequest>,
        claim: Arc<Claim>,
    ) -> (Self, oneshot::Receiver<Reply>) {
        let (reply, answer) = oneshot::channel();
        let waiting = Self {
            request: Some(request),
            reply: Some(reply),
            claim,
            unknown_events: None,
            doom: None,
        };
        (waiting, answer)
    }

    pub(crate) fn request(&self) -> &CommandRequest {
        self.request.as_deref().expect("the request leaves only together with the reply")
    }

    /// Before the command may reach the log. False: nobody waits for it any more.
    pub(crate) fn claim(&self) -> bool {
        let waited_for = self.reply.as_ref().is_some_and(|reply| !reply.is_closed());
        waited_for && self.claim.take()
    }

    /// Whether its caller still waits.
    pub(crate) fn waited_for(&self) -> bool {
        self.reply.as_ref().is_some_and(|reply| !reply.is_closed())
    }

    /// The attempt certainly left nothing behind.
    pub(crate) fn not_written(&self) {
        if self.unknown_events.is_none() {
            self.claim.untry();
        }
    }

    /// The attempt may have left that many events behind.
    pub(crate) const fn maybe_written(&mut self, events: u32) {
        self.unknown_events = Some(events);
    }

    /// The log, read to its end by a new owner, does not hold the attempt: it never will.
    pub(crate) const fn proven_unwritten(&mut self) {
        self.unknown_events = None;
    }

    pub(crate) const fn unknown_events(&self) -> Option<u32> {
        self.unknown_events
    }

    /// It will fail like this, whatever the state.
    pub(crate) fn condemn(&mut self, error: CommandError) {
        self.doom = Some(error);
    }

    pub(crate) const fn doom(&self) -> Option<&CommandError> {
        self.doom.as_ref()
    }

    /// Tells the outcome. A caller that has gone does not learn it and may ask again.
    pub(crate) fn answer(mut self, outcome: Result<Accepted, CommandError>) {
        let outcome = match outcome {
            Err(CommandError::Unavailable { reason, retry_after_seconds })
                if self.unknown_events.is_some() =>
            {
                Err(CommandError::OutcomeUnknown { reason, retry_after_seconds })
            }
            outcome => outcome,
        };
        self.request = None;
        if let Some(reply) = self.reply.take()
            && reply.send(Reply::Outcome(outcome)).is_err()
        {
            tracing::debug!("a caller had gone before its command's outcome was known");
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let (Some(request), Some(reply)) = (self.request.take(), self.reply.take())
            && let Err(Reply::Elsewhere(request)) = reply.send(Reply::Elsewhere(request))
        {
            tracing::debug!(stream = %request.stream, command_id = %request.command_id,
                "a command that nobody waits for was dropped");
        }
    }
}

#[cfg(test)]
#[path = "waiting_tests.rs"]
mod tests;
