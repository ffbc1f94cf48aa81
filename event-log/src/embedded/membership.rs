//! The owners of an embedded log: all in this process. The first to join owns every shard; who
//! comes later waits until those before have left.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{JoinHandle, ThreadId};
use std::time::Duration;

use super::directory::failed;
use crate::{LogError, Membership, OwnershipHandler, ShardId, Topology};

/// How long a leave waits for the handler: twice what the contract gives it.
const LEAVE_WAIT: Duration = Duration::from_secs(10);

enum Order {
    Assign,
    Leave,
}

/// Everybody who joined, in order; the first owns the shards.
#[derive(Default)]
struct Queue {
    next_id: u64,
    waiting: Vec<(u64, Sender<Order>)>,
}

/// The members of one log.
#[derive(Clone, Default)]
pub(super) struct Members(Arc<Mutex<Queue>>);

impl Members {
    fn queue(&self) -> std::sync::MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn promote(queue: &Queue) {
        if let Some((id, first)) = queue.waiting.first()
            && first.send(Order::Assign).is_err()
        {
            tracing::error!(member = id, "a member's thread is gone");
        }
    }

    /// Lets one in; its thread calls the handler.
    pub(super) fn join(
        &self,
        topology: Topology,
        handler: Arc<dyn OwnershipHandler>,
    ) -> Result<EmbeddedMembership, LogError> {
        let (orders, receiver) = channel();
        let (done, left) = channel();
        let mut queue = self.queue();
        let id = queue.next_id;
        queue.next_id += 1;
        let place = Place {
            id,
            members: self.clone(),
            shards: topology.all_shards().collect(),
            owned: Arc::new(AtomicBool::new(false)),
            handler,
        };
        let owned = Arc::clone(&place.owned);
        let thread = std::thread::Builder::new()
            .name("waylog-membership".to_owned())
            .spawn(move || {
                place.serve(&receiver);
                drop(done);
            })
            .map_err(|error| failed("starting the membership's thread", error))?;
        queue.waiting.push((id, orders.clone()));
        if queue.waiting.len() == 1 {
            Self::promote(&queue);
        }
        let left = Mutex::new(left);
        Ok(EmbeddedMembership { topology, orders, owned, thread, left })
    }
}

/// A member's side of the thread.
struct Place {
    id: u64,
    members: Members,
    shards: Vec<ShardId>,
    owned: Arc<AtomicBool>,
    handler: Arc<dyn OwnershipHandler>,
}

impl Place {
    fn serve(&self, orders: &Receiver<Order>) {
        while let Ok(Order::Assign) = orders.recv() {
            self.owned.store(true, Ordering::SeqCst);
            self.handler.assigned(&self.shards);
        }
        if self.owned.load(Ordering::SeqCst) {
            self.handler.revoked(&self.shards, false);
            self.owned.store(false, Ordering::SeqCst);
        }
        let mut queue = self.members.queue();
        let first = queue.waiting.first().is_some_and(|(id, _)| *id == self.id);
        queue.waiting.retain(|(id, _)| *id != self.id);
        if first {
            Members::promote(&queue);
        }
    }
}

/// A place among the owners; given up when dropped.
pub(super) struct EmbeddedMembership {
    topology: Topology,
    orders: Sender<Order>,
    owned: Arc<AtomicBool>,
    thread: JoinHandle<()>,
    left: Mutex<Receiver<()>>,
}

impl EmbeddedMembership {
    fn own_thread(&self) -> ThreadId {
        self.thread.thread().id()
    }
}

impl Membership for EmbeddedMembership {
    fn prove(&self, shard: ShardId) -> Result<(), LogError> {
        if shard.0 < self.topology.shards && self.owned.load(Ordering::SeqCst) {
            Ok(())
        } else {
            Err(LogError::NotAMember)
        }
    }

    fn leave(&self) -> Result<(), LogError> {
        if self.orders.send(Order::Leave).is_err() {
            return Ok(());
        }
        // The handler itself may ask to leave: its thread does so as soon as the handler returns.
        if std::thread::current().id() == self.own_thread() {
            return Ok(());
        }
        let left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        match left.recv_timeout(LEAVE_WAIT) {
            Err(std::sync::mpsc::RecvTimeoutError::Timeout) => Err(LogError::Unavailable {
                reason: "the owner did not give its shards up in time".to_owned(),
                source: None,
            }),
            Ok(()) | Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => Ok(()),
        }
    }
}

impl Drop for EmbeddedMembership {
    fn drop(&mut self) {
        if let Err(error) = self.leave() {
            tracing::error!(code = error.code(), ?error, "a membership was dropped but not left");
        }
    }
}
