//! A place in the owners' group: which shards this process may own.
//!
//! A thread of its own polls the group; its callbacks are the only place where shards come and go.
//! Nothing is read through the group: its partitions are paused the moment they are assigned.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::Offset;
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{ClientContext, TopicPartitionList};

use super::KafkaSettings;
use super::clients::{self, log_line, signed};
use crate::{LogError, Membership, OwnershipHandler, ShardId};

const POLL: Duration = Duration::from_millis(100);
/// Giving all shards up may take 5 s; the rest is for saying good-bye.
const LEAVE_PATIENCE: Duration = Duration::from_secs(10);
const GLANCE: Duration = Duration::from_millis(5);
/// Between two proofs while the group moves from one generation to the next.
const SETTLE_PAUSE: Duration = Duration::from_millis(50);
/// Before a group client that died is replaced.
const REBUILD_PAUSE: Duration = Duration::from_secs(1);

type Group = BaseConsumer<Owners>;

/// The group's callbacks; they run on the membership's thread only.
struct Owners {
    handler: Arc<dyn OwnershipHandler>,
    assigned: Arc<Mutex<BTreeSet<ShardId>>>,
}

impl Owners {
    fn assign(&self, group: &Group, partitions: &TopicPartitionList) {
        if let Err(error) = group.incremental_assign(partitions) {
            // The coordinator keeps them for us, and we do not: they come again with the next
            // generation.
            tracing::error!(%error, "assigned shards could not be taken");
            return;
        }
        if let Err(error) = group.pause(partitions) {
            tracing::warn!(%error, "the group's partitions could not be paused");
        }
        let shards = shards(partitions);
        if shards.is_empty() {
            return;
        }
        lock(&self.assigned).extend(&shards);
        tracing::info!(?shards, "shards assigned");
        self.handler.assigned(&shards);
    }

    fn revoke(&self, group: &Group, partitions: &TopicPartitionList) {
        let lost = group.assignment_lost();
        self.give_up(&shards(partitions), lost);
        if let Err(error) = group.incremental_unassign(partitions) {
            tracing::error!(%error, "revoked shards could not be given back");
        }
    }

    fn give_up(&self, shards: &[ShardId], lost: bool) {
        if shards.is_empty() {
            return;
        }
        // Before anything else: a proof that runs at this moment must fail.
        lock(&self.assigned).retain(|shard| !shards.contains(shard));
        tracing::info!(?shards, lost, "shards revoked");
        self.handler.revoked(shards, lost);
    }
}

impl ClientContext for Owners {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log_line(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "the owners' group reports");
    }
}

impl ConsumerContext for Owners {
    fn rebalance(
        &self,
        group: &BaseConsumer<Self>,
        event: RDKafkaRespErr,
        partitions: &mut TopicPartitionList,
    ) {
        match event {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => self.assign(group, partitions),
            _ => self.revoke(group, partitions),
        }
    }
}

fn shards(partitions: &TopicPartitionList) -> Vec<ShardId> {
    let elements = partitions.elements();
    elements.iter().filter_map(|one| u32::try_from(one.partition()).ok().map(ShardId)).collect()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A place among the owners; leaves when dropped.
pub(super) struct KafkaMembership {
    topic: String,
    patience: Duration,
    assigned: Arc<Mutex<BTreeSet<ShardId>>>,
    /// The thread owns the client, so that it is closed, with its callbacks, on that thread.
    group: Arc<Mutex<Weak<Group>>>,
    stop: Arc<AtomicBool>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl KafkaMembership {
    pub(super) fn join(
        settings: &KafkaSettings,
        handler: Arc<dyn OwnershipHandler>,
    ) -> Result<Self, LogError> {
        let assigned = Arc::new(Mutex::new(BTreeSet::new()));
        let member = Member {
            settings: settings.clone(),
            handler,
            assigned: Arc::clone(&assigned),
            group: Arc::default(),
            stop: Arc::default(),
        };
        let (group, stop) = (Arc::clone(&member.group), Arc::clone(&member.stop));
        let first = member.enter()?;
        let thread = thread::Builder::new()
            .name("shard-membership".to_owned())
            .spawn(move || member.run(first))
            .map_err(|error| LogError::Failed {
                reason: "cannot start the membership's thread".to_owned(),
                source: Some(Box::new(error)),
            })?;
        Ok(Self {
            topic: settings.shards_topic(),
            patience: settings.request_timeout,
            assigned,
            group,
            stop,
            thread: Mutex::new(Some(thread)),
        })
    }

    fn commit(
        &self,
        group: Arc<Group>,
        shard: ShardId,
        patience: Duration,
    ) -> Result<Proof, LogError> {
        let mut offsets = TopicPartitionList::new();
        offsets
            .add_partition_offset(&self.topic, signed(shard.0), Offset::Offset(0))
            .map_err(|error| clients::failed("prove the membership", error))?;
        // The library bounds a commit only loosely; the caller's wait is bounded here. Should the
        // thread outlive it, it holds the client, and so nobody is told that we left: the session
        // timeout sees to that.
        let (sender, answer) = mpsc::sync_channel(1);
        thread::Builder::new()
            .name("shard-proof".to_owned())
            .spawn(move || {
                let committed = group.commit(&offsets, CommitMode::Sync);
                drop(group);
                if sender.send(committed).is_err() {
                    tracing::debug!("a proof of membership came too late");
                }
            })
            .map_err(|error| LogError::Failed {
                reason: "cannot start the proof's thread".to_owned(),
                source: Some(Box::new(error)),
            })?;
        match answer.recv_timeout(patience) {
            Ok(Ok(())) => Ok(Proof::Accepted),
            Ok(Err(error)) if disowned(&error) => Err(LogError::NotAMember),
            Ok(Err(error)) if moving(&error) => Ok(Proof::GroupMoves),
            Ok(Err(error)) => Err(clients::failed("prove the membership", error)),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                let reason = "the coordinator does not answer".to_owned();
                Err(LogError::Unavailable { reason, source: None })
            }
        }
    }

    fn holds(&self, shard: ShardId) -> bool {
        lock(&self.assigned).contains(&shard)
    }
}

/// What the coordinator said to a commit.
enum Proof {
    Accepted,
    /// It is between two generations, or is one ahead of us: ask again.
    GroupMoves,
}

/// The coordinator knows us no longer.
fn disowned(error: &KafkaError) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        error.rdkafka_error_code(),
        Some(
            Code::UnknownMemberId
                | Code::FencedInstanceId
                | Code::FencedMemberEpoch
                | Code::AssignmentLost
        )
    )
}

/// A member that is still welcome hears of the new generation at its next heartbeat, and one that
/// is not hears that.
fn moving(error: &KafkaError) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        error.rdkafka_error_code(),
        Some(Code::RebalanceInProgress | Code::IllegalGeneration | Code::StaleMemberEpoch)
    )
}

impl Membership for KafkaMembership {
    fn prove(&self, shard: ShardId) -> Result<(), LogError> {
        let deadline = Instant::now() + self.patience;
        loop {
            let group = lock(&self.group).upgrade();
            let Some(group) = group.filter(|_| self.holds(shard)) else {
                return Err(LogError::NotAMember);
            };
            let left = deadline.saturating_duration_since(Instant::now());
            let proof = self.commit(Arc::clone(&group), shard, left)?;
            // A client that was expelled may commit as nobody to a group without members. It marks
            // its assignment as lost in the same step that makes it nobody, and the mark is wiped
            // only after the callback took the shard away: so, in this order, one of the two is
            // seen.
            if group.assignment_lost() || !self.holds(shard) {
                return Err(LogError::NotAMember);
            }
            match proof {
                Proof::Accepted => return Ok(()),
                Proof::GroupMoves if Instant::now() >= deadline => {
                    let reason = "the owners' group does not settle".to_owned();
                    return Err(LogError::Unavailable { reason, source: None });
                }
                Proof::GroupMoves => thread::sleep(SETTLE_PAUSE),
            }
        }
    }

    fn leave(&self) -> Result<(), LogError> {
        self.stop.store(true, Ordering::Release);
        let Some(thread) = lock(&self.thread).take() else { return Ok(()) };
        let deadline = Instant::now() + LEAVE_PATIENCE;
        while !thread.is_finished() {
            if Instant::now() >= deadline {
                let reason = "the group does not let go; the session timeout will".to_owned();
                return Err(LogError::Unavailable { reason, source: None });
            }
            thread::sleep(GLANCE);
        }
        thread.join().map_err(|_| LogError::Failed {
            reason: "the membership's thread panicked".to_owned(),
            source: None,
        })
    }
}

impl Drop for KafkaMembership {
    fn drop(&mut self) {
        if let Err(error) = self.leave() {
            tracing::warn!(%error, "the owners' group was not left in order");
        }
    }
}

/// What the membership's thread works with.
struct Member {
    settings: KafkaSettings,
    handler: Arc<dyn OwnershipHandler>,
    assigned: Arc<Mutex<BTreeSet<ShardId>>>,
    group: Arc<Mutex<Weak<Group>>>,
    stop: Arc<AtomicBool>,
}

impl Member {
    fn enter(&self) -> Result<Arc<Group>, LogError> {
        let failed = |error| clients::failed("join the owners", error);
        let owners =
            Owners { handler: Arc::clone(&self.handler), assigned: Arc::clone(&self.assigned) };
        let group: Group =
            clients::owners_consumer(&self.settings).create_with_context(owners).map_err(failed)?;
        group.subscribe(&[&self.settings.shards_topic()]).map_err(failed)?;
        let group = Arc::new(group);
        *lock(&self.group) = Arc::downgrade(&group);
        Ok(group)
    }

    fn run(self, first: Arc<Group>) {
        let mut group = Some(first);
        while !self.stop.load(Ordering::Acquire) {
            let Some(current) = group.take() else {
                group = self.replace();
                continue;
            };
            match current.poll(POLL) {
                // Fetched before the pause took hold.
                Some(Ok(_)) | None => group = Some(current),
                Some(Err(KafkaError::MessageConsumptionFatal(code))) => {
                    tracing::error!(%code, "the owners' group client died; joining anew");
                    self.part(current, true);
                }
                Some(Err(error)) => {
                    tracing::debug!(%error, "the owners' group is disturbed");
                    group = Some(current);
                }
            }
        }
        if let Some(last) = group {
            self.part(last, false);
        }
    }

    fn replace(&self) -> Option<Arc<Group>> {
        let due = Instant::now() + REBUILD_PAUSE;
        while Instant::now() < due && !self.stop.load(Ordering::Acquire) {
            thread::sleep(GLANCE);
        }
        match self.enter() {
            Ok(group) => Some(group),
            Err(error) => {
                tracing::error!(%error, "the owners' group cannot be joined");
                None
            }
        }
    }

    /// Closes the client; its callbacks give the shards up. What they did not hear of is given up
    /// here.
    fn part(&self, group: Arc<Group>, lost: bool) {
        *lock(&self.group) = Weak::new();
        let deadline = Instant::now() + self.settings.request_timeout;
        let mut group = group;
        // A proof that runs holds the client for a moment; closing belongs on this thread.
        let closed = loop {
            match Arc::try_unwrap(group) {
                Ok(last) => break Some(last),
                Err(shared) if Instant::now() < deadline => group = shared,
                Err(_) => break None,
            }
            thread::sleep(GLANCE);
        };
        drop(closed);
        let left: Vec<ShardId> = lock(&self.assigned).iter().copied().collect();
        if !left.is_empty() {
            lock(&self.assigned).clear();
            self.handler.revoked(&left, lost);
        }
    }
}
