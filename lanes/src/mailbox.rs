//! Where commands wait for a lane: a bounded channel, and behind it what the lane has in hand.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use crate::waiting::Waiting;

enum Mail {
    Command(Waiting),
    /// Something other than a command is to be looked at.
    Wake,
}

/// The senders' end; never blocks.
pub(crate) struct Letterbox {
    sender: SyncSender<Mail>,
    waiting: Arc<AtomicUsize>,
}

/// The command was not taken; here it is back.
pub(crate) enum Returned {
    /// Too many wait already.
    Full(Waiting),
    /// The lane has ended.
    Gone(Waiting),
}

impl Letterbox {
    pub(crate) fn send(&self, waiting: Waiting) -> Result<(), Returned> {
        // Counted first: the lane may take it before this thread goes on.
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let refused = match self.sender.try_send(Mail::Command(waiting)) {
            Ok(()) => return Ok(()),
            Err(TrySendError::Full(Mail::Command(waiting))) => Returned::Full(waiting),
            Err(TrySendError::Disconnected(Mail::Command(waiting))) => Returned::Gone(waiting),
            Err(TrySendError::Full(Mail::Wake) | TrySendError::Disconnected(Mail::Wake)) => {
                unreachable!("a channel returns what was sent")
            }
        };
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        Err(refused)
    }

    /// Ends the lane's wait; a full mailbox needs no waking, an ended lane neither.
    pub(crate) fn wake(&self) {
        match self.sender.try_send(Mail::Wake) {
            Ok(()) | Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {}
        }
    }

    /// Commands not yet taken by the lane.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }
}

/// The lane's end.
pub(crate) struct Mailbox {
    receiver: Receiver<Mail>,
    waiting: Arc<AtomicUsize>,
    max: usize,
    /// Taken from the channel, in order, not answered yet.
    pub(crate) queue: VecDeque<Waiting>,
}

impl Mailbox {
    /// A mailbox for at most that many commands, at least one.
    pub(crate) fn new(commands_max: usize) -> (Letterbox, Self) {
        let max = commands_max.max(1);
        let (sender, receiver) = sync_channel(max);
        let waiting = Arc::new(AtomicUsize::new(0));
        let letterbox = Letterbox { sender, waiting: Arc::clone(&waiting) };
        (letterbox, Self { receiver, waiting, max, queue: VecDeque::new() })
    }

    /// Takes what has arrived until that many are in hand; with none in hand, waits for the first,
    /// at most that long.
    pub(crate) fn fill(&mut self, enough: usize, wait: Duration) {
        if self.queue.is_empty() {
            match self.receiver.recv_timeout(wait) {
                Ok(mail) => self.take(mail),
                Err(_) => return,
            }
        }
        while self.queue.len() < enough
            && let Ok(mail) = self.receiver.try_recv()
        {
            self.take(mail);
        }
    }

    /// Makes room while nothing can be decided: forgets commands whose callers have gone.
    pub(crate) fn sweep(&mut self) {
        self.queue.retain(Waiting::waited_for);
        while self.queue.len() < self.max
            && let Ok(mail) = self.receiver.try_recv()
        {
            self.take(mail);
        }
    }

    /// Gives everything back to whoever sent it.
    pub(crate) fn hand_back(&mut self) {
        self.queue.clear();
        while let Ok(mail) = self.receiver.try_recv() {
            self.take(mail);
            self.queue.clear();
        }
    }

    fn take(&mut self, mail: Mail) {
        if let Mail::Command(waiting) = mail {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            self.queue.push_back(waiting);
        }
    }
}
