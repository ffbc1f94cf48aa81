//! The command port: to the lane in this process, or to the shard's owner elsewhere.
//!
//! A command travels under one id however often it is sent, so a router may try again as long as
//! its caller waits. What it must not do is claim to know more than it does: once an attempt has
//! ended without an outcome, "nothing was tried" is no longer an answer.

use std::sync::Arc;
use std::time::Duration;

use domain::StreamName;
use event_log::ShardId;
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::gear::Gear;
use crate::hop_client::{HopClient, HopError, HopReply};
use crate::mailbox::Returned;
use crate::roster::{LaneHandle, Roster};
use crate::waiting::{Claim, Reply, Waiting};
use crate::{Accepted, CommandError, CommandPort, CommandRequest};

/// Between two looks for an owner, at first and at most.
const PAUSE_FIRST: Duration = Duration::from_millis(10);
const PAUSE_MAX: Duration = Duration::from_millis(250);
/// How often a command follows "not here, but there" without a pause.
const HINTS_MAX: u8 = 2;

/// Finds the owner of a stream's shard.
pub(crate) struct Router {
    pub(crate) gear: Arc<Gear>,
    pub(crate) roster: Arc<Roster>,
    pub(crate) hop: Option<HopClient>,
}

/// What a lane in this process made of a command.
pub(crate) enum Here {
    Outcome(Result<Accepted, CommandError>),
    /// Not this lane's; `tried` when an attempt may have left something behind.
    Elsewhere {
        request: Box<CommandRequest>,
        tried: bool,
    },
}

/// Attempts that ended without an outcome.
#[derive(Default)]
struct Doubt {
    /// An attempt may have been made.
    any: bool,
    /// A request may still be on its way to this address.
    sent_to: Option<String>,
}

impl Doubt {
    fn settle(
        &self,
        outcome: Result<Accepted, CommandError>,
        answered_by: Option<&str>,
    ) -> Result<Accepted, CommandError> {
        let error = match outcome {
            Ok(accepted) => return Ok(accepted),
            Err(error) => error,
        };
        Err(match error {
            CommandError::Unavailable { reason, retry_after_seconds } if self.any => {
                CommandError::OutcomeUnknown { reason, retry_after_seconds }
            }
            // A no that a late copy of the request could still turn into a yes: the one that
            // decides is the process which may hold that copy.
            CommandError::Refused(_) | CommandError::VersionConflict { .. }
                if self.sent_to.is_some() && self.sent_to.as_deref() == answered_by =>
            {
                let reason = "an earlier attempt may still be under way".to_owned();
                CommandError::OutcomeUnknown { reason, retry_after_seconds: 1 }
            }
            error => error,
        })
    }
}

#[async_trait::async_trait]
impl CommandPort for Router {
    async fn send(&self, request: CommandRequest) -> Result<Accepted, CommandError> {
        let deadline = Instant::now() + self.gear.settings.deadline;
        let shard = self.shard(&request.stream);
        match self.try_here(shard, Box::new(request), deadline).await {
            Here::Outcome(outcome) => outcome,
            Here::Elsewhere { request, tried } => {
                let doubt = Doubt { any: tried, sent_to: None };
                self.pursue(shard, request, deadline, doubt).await
            }
        }
    }

    fn shards(&self) -> u32 {
        self.gear.log.topology().shards
    }

    fn shard_of(&self, stream: &StreamName) -> u32 {
        self.shard(stream).0
    }
}

impl Router {
    pub(crate) fn shard(&self, stream: &StreamName) -> ShardId {
        let topology = self.gear.log.topology();
        topology.shard(topology.partition(stream))
    }

    /// Sends the command to this process's lane, if it has one that takes commands.
    pub(crate) async fn try_here(
        &self,
        shard: ShardId,
        request: Box<CommandRequest>,
        deadline: Instant,
    ) -> Here {
        match self.roster.lane(shard) {
            Some(lane) => Self::ask(&lane, request, deadline).await,
            None => Here::Elsewhere { request, tried: false },
        }
    }

    async fn ask(lane: &LaneHandle, request: Box<CommandRequest>, deadline: Instant) -> Here {
        let claim = Arc::new(Claim::default());
        let (waiting, mut answer) = Waiting::new(request, Arc::clone(&claim));
        match lane.letterbox.send(waiting) {
            Ok(()) => {}
            Err(Returned::Full(waiting)) => {
                waiting.answer(Err(unavailable("too many commands wait for this shard")));
            }
            // Dropped, it comes back through its own channel.
            Err(Returned::Gone(waiting)) => drop(waiting),
        }
        match timeout_at(deadline, &mut answer).await {
            Ok(Ok(Reply::Outcome(outcome))) => Here::Outcome(outcome),
            Ok(Ok(Reply::Elsewhere(request))) => Here::Elsewhere { request, tried: claim.tried() },
            Ok(Err(_)) | Err(_) => Here::Outcome(Err(if claim.abandon() {
                unavailable("the shard's lane did not come to it in time")
            } else {
                unknown("the shard's lane did not answer in time")
            })),
        }
    }

    /// Looks for the owner until there is an outcome or no time left.
    async fn pursue(
        &self,
        shard: ShardId,
        mut request: Box<CommandRequest>,
        deadline: Instant,
        mut doubt: Doubt,
    ) -> Result<Accepted, CommandError> {
        let patience = deadline.min(Instant::now() + self.gear.settings.owner_wait);
        let mut pause = PAUSE_FIRST;
        let mut hint: Option<String> = None;
        let mut hints = 0;
        loop {
            let mut reason = "the shard has no owner at the moment".to_owned();
            let mut until = patience;
            if let Some(address) = hint.take().or_else(|| self.owner_address(shard)) {
                match self.forward(&address, &request, deadline).await {
                    Ok(HopReply::Accepted(accepted)) => return Ok(accepted),
                    Ok(HopReply::Failed(error)) => {
                        return doubt.settle(Err(error), Some(&address));
                    }
                    Ok(HopReply::NotHere { owner }) => {
                        hint = owner.filter(|owner| self.reachable(owner) && *owner != address);
                        if hint.is_some() && hints < HINTS_MAX {
                            hints += 1;
                            continue;
                        }
                    }
                    Err(HopError::NotSent(why)) => (reason, until) = (why, deadline),
                    Err(HopError::Unknown(why)) => {
                        doubt = Doubt { any: true, sent_to: Some(address) };
                        (reason, until) = (why, deadline);
                    }
                }
            }
            let next = Instant::now() + pause;
            // A process that has left its shards sends on what it took in, if it can.
            if next >= until || (self.roster.closed() && self.hop.is_none()) {
                return doubt.settle(Err(unavailable(&reason)), None);
            }
            sleep_until(next).await;
            pause = (pause * 2).min(PAUSE_MAX);
            hints = 0;
            match self.try_here(shard, request, deadline).await {
                Here::Outcome(outcome) => return doubt.settle(outcome, None),
                Here::Elsewhere { request: back, tried } => {
                    request = back;
                    doubt.any |= tried;
                }
            }
        }
    }

    async fn forward(
        &self,
        address: &str,
        request: &CommandRequest,
        deadline: Instant,
    ) -> Result<HopReply, HopError> {
        let Some(hop) = &self.hop else {
            return Err(HopError::NotSent("this process forwards no commands".to_owned()));
        };
        let left = deadline.saturating_duration_since(Instant::now());
        let outcome = hop.forward(address, request, left).await;
        if let Err(error) = &outcome {
            tracing::info!(address, stream = %request.stream, command_id = %request.command_id,
                correlation_id = %request.correlation_id, %error, "a command was not forwarded");
        }
        outcome
    }

    /// Where the shard's owner takes commands, as far as is known; never this process itself, which
    /// was asked already.
    pub(crate) fn owner_address(&self, shard: ShardId) -> Option<String> {
        let owner = self.gear.log.owner(shard)?;
        self.reachable(&owner.address).then_some(owner.address)
    }

    fn reachable(&self, address: &str) -> bool {
        !address.is_empty() && address != self.gear.settings.address
    }
}

fn unavailable(reason: &str) -> CommandError {
    CommandError::Unavailable { reason: reason.to_owned(), retry_after_seconds: 1 }
}

fn unknown(reason: &str) -> CommandError {
    CommandError::OutcomeUnknown { reason: reason.to_owned(), retry_after_seconds: 1 }
}

#[cfg(test)]
mod tests {
    use domain::{Refusal, RefusalKind};

    use super::*;

    fn refused() -> Result<Accepted, CommandError> {
        Err(CommandError::Refused(Refusal {
            code: "no".to_owned(),
            kind: RefusalKind::Rule,
            message: "no".to_owned(),
            facts: serde_json::Map::new(),
        }))
    }

    #[test]
    fn after_a_doubtful_attempt_nothing_is_said_to_be_untried() {
        let doubt = Doubt { any: true, sent_to: None };

        let settled = doubt.settle(Err(unavailable("away")), None);

        assert!(matches!(settled, Err(CommandError::OutcomeUnknown { .. })));
        assert_eq!(
            Doubt::default().settle(Err(unavailable("away")), None),
            Err(unavailable("away"))
        );
    }

    #[test]
    fn a_no_is_believed_unless_a_copy_of_the_request_may_still_reach_who_said_it() {
        let doubt = Doubt { any: true, sent_to: Some("http://a".to_owned()) };

        assert!(matches!(
            doubt.settle(refused(), Some("http://a")),
            Err(CommandError::OutcomeUnknown { .. })
        ));
        assert_eq!(doubt.settle(refused(), Some("http://b")), refused());
        assert_eq!(doubt.settle(refused(), None), refused());
    }
}
