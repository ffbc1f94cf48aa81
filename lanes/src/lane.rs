//! A lane: the one thread that decides commands for a shard and appends their events.
//!
//! It lives from the shard's assignment to its revocation. Within that, ownerships come and go: a
//! lost writer or a failed store ends one, and the next begins with a proof of membership, a new
//! epoch and a restore. Commands that have no answer yet stay in the queue across ownerships.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use event_log::{LogError, ShardId};

use crate::CommandError;
use crate::commit::{Broken, Tenure};
use crate::control::{Control, Stop};
use crate::gear::Gear;
use crate::mailbox::Mailbox;
use crate::readiness::LanePhase;
use crate::rules::panic_text;
use crate::take_over::{TakeOver, TakeOverError};
use crate::telemetry::LaneMetrics;

/// How long a lane with nothing to do sleeps at most.
const IDLE: Duration = Duration::from_millis(250);

/// A shard's lane, before and while its thread runs.
pub(crate) struct Lane {
    pub(crate) shard: ShardId,
    pub(crate) gear: Arc<Gear>,
    pub(crate) control: Arc<Control>,
    pub(crate) mailbox: Mailbox,
    pub(crate) metrics: LaneMetrics,
    /// Says that the shard's lane before this one has ended, by being disconnected.
    pub(crate) previous: Option<Receiver<()>>,
}

#[derive(Debug, thiserror::Error)]
enum TenureEnd {
    #[error(transparent)]
    NotBegun(#[from] TakeOverError),
    #[error(transparent)]
    Broken(#[from] Broken),
}

impl TenureEnd {
    const fn store_failed(&self) -> bool {
        matches!(self, Self::NotBegun(TakeOverError::Store(_)) | Self::Broken(Broken::Store(_)))
    }
}

impl Lane {
    /// Runs until it is stopped; then gives every command back that has no answer.
    pub(crate) fn run(mut self) {
        self.await_previous();
        let (pause_first, pause_max) = self.gear.settings.retry_pause;
        let mut pause = pause_first;
        let mut rebuild = false;
        while self.control.stopping() == Stop::No {
            let mut served = false;
            let end = catch_unwind(AssertUnwindSafe(|| self.tenure(rebuild, &mut served)));
            if self.control.stopping() != Stop::No {
                break;
            }
            if served {
                pause = pause_first;
            }
            match end {
                Ok(Ok(())) => {}
                Ok(Err(end)) => {
                    rebuild = end.store_failed();
                    self.report(&end);
                }
                Err(panic) => self.report_panic(&panic_text(&*panic)),
            }
            // The first attempt after a time of service is made at once.
            if !served {
                self.control.pause(pause);
                pause = (pause * 2).min(pause_max);
            }
            self.prove_membership(&mut pause);
        }
        self.control.accept(false);
        self.mailbox.hand_back();
        self.control.enter(LanePhase::Ended);
        tracing::info!(shard = %self.shard, "the lane has ended");
    }

    /// The stream store is one lane's alone, so a predecessor that is slow to end is waited for.
    fn await_previous(&mut self) {
        if let Some(previous) = self.previous.take() {
            while self.control.stopping() == Stop::No
                && previous.recv_timeout(IDLE) == Err(RecvTimeoutError::Timeout)
            {
                self.mailbox.sweep();
            }
        }
    }

    fn tenure(&mut self, rebuild: bool, served: &mut bool) -> Result<(), TenureEnd> {
        let take_over = TakeOver {
            gear: &self.gear,
            shard: self.shard,
            control: &self.control,
            mailbox: &mut self.mailbox,
            rebuild,
        };
        let mut tenure = take_over.run()?;
        *served = true;
        self.metrics.take_overs.increment(1);
        self.control.serve(tenure.book.epoch);
        self.control.accept(true);
        tracing::info!(shard = %self.shard, epoch = tenure.book.epoch, "serving");
        let outcome = self.serve(&mut tenure);
        if outcome.is_ok() && self.control.stopping() == Stop::AfterBatch {
            tenure.book.close();
        }
        Ok(outcome?)
    }

    fn serve(&mut self, tenure: &mut Tenure) -> Result<(), Broken> {
        let settings = &self.gear.settings;
        let enough = settings.batch_commands_max;
        loop {
            self.mailbox.fill(enough, IDLE);
            if self.control.stopping() != Stop::No {
                return Ok(());
            }
            #[expect(clippy::cast_precision_loss, reason = "a mailbox is far below 2^52")]
            self.metrics.queued_commands.set(self.mailbox.queue.len() as f64);
            if self.mailbox.queue.is_empty() {
                if self.superseded(tenure.book.epoch) {
                    return Ok(());
                }
                continue;
            }
            if let Some(reason) = self.gear.skew.excess(settings.clock_skew_max) {
                for waiting in self.mailbox.queue.drain(..) {
                    let reason = reason.clone();
                    let error = CommandError::Unavailable { reason, retry_after_seconds: 5 };
                    waiting.answer(Err(error));
                }
                continue;
            }
            tenure.commit(&mut self.mailbox.queue, &self.control, &self.metrics)?;
        }
    }

    /// Whether somebody has opened the shard since. A late take-over by a former owner fences this
    /// one without a word, and commands would then go to an address that does not serve: the end of
    /// this ownership leads to a proof of membership and, if it is still ours, to a new epoch.
    fn superseded(&self, epoch: i64) -> bool {
        let newer = self.gear.log.owner(self.shard).filter(|owner| owner.epoch > epoch);
        if let Some(owner) = &newer {
            tracing::warn!(shard = %self.shard, epoch, by = owner.epoch, address = owner.address,
                "somebody else has opened the shard");
        }
        newer.is_some()
    }

    /// Two processes that take the same shard over would fence each other for ever: whoever lost it
    /// asks first whether it is still theirs.
    fn prove_membership(&mut self, pause: &mut Duration) {
        let pause_max = self.gear.settings.retry_pause.1;
        while self.control.stopping() == Stop::No {
            match self.gear.prove(self.shard) {
                Ok(()) => return,
                Err(LogError::NotAMember) => {
                    tracing::info!(shard = %self.shard, "the shard is not assigned here any more");
                    self.control.accept(false);
                    self.control.enter(LanePhase::NotAMember);
                    self.mailbox.hand_back();
                }
                Err(error) => {
                    tracing::warn!(shard = %self.shard, code = error.code(), error = &error as &dyn
                        std::error::Error, "membership cannot be proven");
                    self.control.explain(error.to_string());
                }
            }
            self.control.pause(*pause);
            self.mailbox.sweep();
            *pause = (*pause * 2).min(pause_max);
        }
    }

    fn report(&self, end: &TenureEnd) {
        self.control.enter(LanePhase::Opening);
        self.control.explain(end.to_string());
        tracing::warn!(shard = %self.shard, error = end as &dyn std::error::Error,
            queued = self.mailbox.queue.len(), "an ownership ended");
    }

    fn report_panic(&self, panic: &str) {
        self.control.enter(LanePhase::Opening);
        self.control.explain("a defect of the lane".to_owned());
        tracing::error!(shard = %self.shard, panic, "the lane panicked; it begins anew");
    }
}
