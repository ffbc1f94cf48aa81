//! The lanes of this process, as the membership assigns and revokes shards.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Instant;

use arc_swap::ArcSwapOption;
use event_log::{OwnershipHandler, ShardId};

use crate::control::{Control, Stop};
use crate::gear::Gear;
use crate::lane::Lane;
use crate::mailbox::{Letterbox, Mailbox};
use crate::readiness::{LanePhase, LaneStatus};
use crate::telemetry::LaneMetrics;

/// A lane as the others see it.
pub(crate) struct LaneHandle {
    pub(crate) letterbox: Letterbox,
    pub(crate) control: Arc<Control>,
    ended: Mutex<Option<Receiver<()>>>,
}

/// One slot per shard of the log; looked at for every command, without a lock.
pub(crate) struct Roster {
    gear: Arc<Gear>,
    slots: Vec<ArcSwapOption<LaneHandle>>,
    /// Lanes that were given up and have not ended yet.
    leaving: Mutex<HashMap<ShardId, Receiver<()>>>,
    closed: AtomicBool,
}

impl Roster {
    pub(crate) fn new(gear: Arc<Gear>) -> Self {
        let slots = gear.log.topology().all_shards().map(|_| ArcSwapOption::empty()).collect();
        Self { gear, slots, leaving: Mutex::new(HashMap::new()), closed: AtomicBool::new(false) }
    }

    /// The shard's lane, when it takes commands.
    pub(crate) fn lane(&self, shard: ShardId) -> Option<Arc<LaneHandle>> {
        let handle = self.slots.get(shard.0 as usize)?.load_full()?;
        handle.control.accepting().then_some(handle)
    }

    pub(crate) fn closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    pub(crate) fn statuses(&self) -> Vec<LaneStatus> {
        let handles = self.slots.iter().filter_map(ArcSwapOption::load_full);
        handles
            .map(|handle| {
                let queued_commands = handle.letterbox.waiting();
                LaneStatus { queued_commands, ..handle.control.status() }
            })
            .collect()
    }

    /// Gives everything up and takes nothing more; blocks within the same bound as a revocation.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        let shards: Vec<ShardId> = self.gear.log.topology().all_shards().collect();
        self.give_up(&shards, Stop::AfterBatch);
    }

    fn start(&self, shard: ShardId) {
        let Some(slot) = self.slots.get(shard.0 as usize) else {
            tracing::error!(%shard, "a shard was assigned that the log does not have");
            return;
        };
        if slot.load().is_some() {
            return;
        }
        let (letterbox, mailbox) = Mailbox::new(self.gear.settings.mailbox_commands_max);
        let (alive, ended) = sync_channel(0);
        let control = Arc::new(Control::new(LaneStatus {
            shard,
            phase: LanePhase::Opening,
            epoch: None,
            queued_commands: 0,
            trouble: None,
        }));
        let previous = self.leaving.lock().unwrap_or_else(PoisonError::into_inner).remove(&shard);
        let lane = Lane {
            shard,
            gear: Arc::clone(&self.gear),
            control: Arc::clone(&control),
            mailbox,
            metrics: LaneMetrics::of(shard),
            previous,
        };
        let thread = std::thread::Builder::new().name(format!("lane-{shard}"));
        let begun = thread.spawn(move || {
            lane.run();
            // Only now: the lane has let go of the log and of its store.
            drop(alive);
        });
        if let Err(error) = begun {
            tracing::error!(%shard, %error, "a lane's thread cannot be started");
            // It keeps its slot, so that the process says that a shard of its own is not served.
            control.accept(false);
            control.enter(LanePhase::Ended);
            control.explain(format!("its thread cannot be started: {error}"));
        }
        let ended = Mutex::new(Some(ended));
        slot.store(Some(Arc::new(LaneHandle { letterbox, control, ended })));
    }

    fn give_up(&self, shards: &[ShardId], how: Stop) {
        let until = Instant::now() + self.gear.settings.give_up_within;
        let handles: Vec<(ShardId, Arc<LaneHandle>)> = shards
            .iter()
            .filter_map(|shard| {
                let handle = self.slots.get(shard.0 as usize)?.swap(None)?;
                handle.control.stop(how);
                handle.letterbox.wake();
                Some((*shard, handle))
            })
            .collect();
        for (shard, handle) in handles {
            let ended = handle.ended.lock().unwrap_or_else(PoisonError::into_inner).take();
            let Some(ended) = ended else { continue };
            let left = until.saturating_duration_since(Instant::now());
            if ended.recv_timeout(left) == Err(RecvTimeoutError::Timeout) {
                tracing::error!(%shard, "a lane did not end in time; its next append is fenced");
                self.leaving.lock().unwrap_or_else(PoisonError::into_inner).insert(shard, ended);
            }
        }
    }
}

/// The roster as the membership knows it: without a hold on the log, so that a membership's thread
/// that is slow to end keeps no log open.
pub(crate) struct Assignments(pub(crate) Weak<Roster>);

impl OwnershipHandler for Assignments {
    fn assigned(&self, shards: &[ShardId]) {
        if let Some(roster) = self.0.upgrade()
            && !roster.closed()
        {
            shards.iter().for_each(|shard| roster.start(*shard));
        }
    }

    fn revoked(&self, shards: &[ShardId], lost: bool) {
        if let Some(roster) = self.0.upgrade() {
            tracing::info!(?shards, lost, "shards are given up");
            roster.give_up(shards, if lost { Stop::AtOnce } else { Stop::AfterBatch });
        }
    }
}
