//! One reader of the log for all live projections: each record is read and decoded once.
//!
//! Every projection has a bounded queue. When one is full the feed waits for it, within that
//! projection's stall budget; then the projection **falls off**: its queue is closed, the others go
//! on, and it reads by itself ([`Source`](crate::source::Source)) until it has caught up and joins
//! again. Joining is free of races: whoever joins is told up to where the feed has read and gets
//! everything after that; it reads what lies between by itself.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use domain::PositionVector;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::decoded::{Chunk, distance};
use crate::reader::{ReadLoop, Reading, Trouble, spawn};

/// How often a full queue is tried again, and an empty feed looks whether it shall end.
const RETRY: Duration = Duration::from_millis(2);
const LOOK: Duration = Duration::from_millis(50);

/// The shared reader.
pub(crate) struct Feed {
    shared: Mutex<Shared>,
    joined: Condvar,
    trouble: Arc<Trouble>,
}

struct Shared {
    /// Up to where the feed has read; nothing before it has begun.
    read: Option<PositionVector>,
    /// How many projections it waits for before it begins.
    expected: usize,
    subscribers: Vec<Subscriber>,
    next_id: u64,
}

struct Subscriber {
    id: u64,
    projection: &'static str,
    vector: PositionVector,
    chunks: mpsc::Sender<Arc<Chunk>>,
    stall_left: Duration,
}

/// A place at the feed.
pub(crate) struct Joined {
    /// The feed hands out what lies after this.
    pub(crate) read: PositionVector,
    /// Its chunks; closed when the projection falls off.
    pub(crate) chunks: mpsc::Receiver<Arc<Chunk>>,
}

impl Feed {
    /// A feed that begins when that many projections have joined, or soon after the first.
    pub(crate) fn start(reading: Reading, expected: usize) -> Arc<Self> {
        let shared = Shared { read: None, expected, subscribers: Vec::new(), next_id: 0 };
        let (shared, trouble) = (Mutex::new(shared), Arc::default());
        let feed = Arc::new(Self { shared, joined: Condvar::new(), trouble });
        let running = Arc::clone(&feed);
        let token = reading.tracker.token();
        spawn("waylog-feed", move || {
            let _running: TaskTrackerToken = token;
            running.run(&reading);
        });
        feed
    }

    /// Why it makes no progress at present.
    pub(crate) fn trouble(&self) -> Arc<Trouble> {
        Arc::clone(&self.trouble)
    }

    /// Whether somebody at that vector is close enough to join.
    pub(crate) fn near(&self, vector: &PositionVector, offsets_max: u64) -> bool {
        let shared = self.lock();
        shared.subscribers.is_empty()
            || shared.read.as_ref().is_none_or(|read| distance(vector, read) <= offsets_max)
    }

    /// A place at the feed for a projection that has read up to `vector`.
    pub(crate) fn join(
        &self,
        projection: &'static str,
        vector: &PositionVector,
        reading: &Reading,
    ) -> Joined {
        let (sender, chunks) = mpsc::channel(reading.settings.chunks_waiting_max);
        let mut shared = self.lock();
        // A feed without readers stands still; it begins anew where the first one is.
        if shared.subscribers.is_empty() {
            shared.read = None;
        }
        let read = shared.read.clone().unwrap_or_else(|| vector.clone());
        shared.next_id += 1;
        let subscriber = Subscriber {
            id: shared.next_id,
            projection,
            vector: vector.clone(),
            chunks: sender,
            stall_left: reading.settings.stall_max,
        };
        shared.subscribers.push(subscriber);
        self.joined.notify_all();
        Joined { read, chunks }
    }

    fn run(&self, reading: &Reading) {
        let mut pass: Option<ReadLoop> = None;
        while !reading.stop.raised() {
            let mut shared = self.lock();
            shared.subscribers.retain(|subscriber| !subscriber.chunks.is_closed());
            if shared.subscribers.is_empty() {
                pass = None;
                self.trouble.set(None);
                let (_shared, _timeout) =
                    self.joined.wait_timeout(shared, LOOK).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let beginning = shared.read.is_none();
            drop(shared);
            let current = match &mut pass {
                Some(pass) if !beginning => pass,
                stale => stale.insert(self.pass(reading)),
            };
            if let Some(chunk) = current.next() {
                self.hand_out(&Arc::new(chunk), reading);
            }
        }
        self.lock().subscribers.clear();
    }

    fn pass(&self, reading: &Reading) -> ReadLoop {
        ReadLoop::new(reading.clone(), self.trouble(), self.begin(reading), Vec::new())
    }

    /// Waits for the projections to join, then begins at the least of their vectors. Those far
    /// behind the foremost are sent to catch up by themselves first.
    fn begin(&self, reading: &Reading) -> PositionVector {
        let deadline = Instant::now() + reading.settings.gather_max;
        let mut shared = self.lock();
        while shared.subscribers.len() < shared.expected && !reading.stop.raised() {
            let Some(left) = deadline.checked_duration_since(Instant::now()) else { break };
            let waited = self.joined.wait_timeout(shared, left.min(LOOK));
            shared = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        shared.expected = 0;
        let mut foremost = PositionVector::empty();
        shared.subscribers.iter().for_each(|subscriber| foremost.merge(&subscriber.vector));
        let near = reading.settings.join_distance_offsets;
        let furthest: Vec<u64> =
            shared.subscribers.iter().map(|s| distance(&s.vector, &foremost)).collect();
        // Somebody always stays: the one that is closest to the foremost.
        let limit = near.max(furthest.iter().copied().min().unwrap_or(0));
        shared.subscribers.retain(|s| distance(&s.vector, &foremost) <= limit);
        let start = least(shared.subscribers.iter().map(|subscriber| &subscriber.vector));
        shared.read = Some(start.clone());
        start
    }

    fn hand_out(&self, chunk: &Arc<Chunk>, reading: &Reading) {
        let mut waiting: Vec<u64> = {
            let mut shared = self.lock();
            // Everybody left and somebody new came meanwhile: the feed begins anew.
            let Some(read) = &mut shared.read else { return };
            chunk.advance(read);
            shared.subscribers.iter().map(|subscriber| subscriber.id).collect()
        };
        let mut started = Instant::now();
        loop {
            let waited = started.elapsed();
            started = Instant::now();
            self.lock().subscribers.retain_mut(|subscriber| {
                if !waiting.contains(&subscriber.id) {
                    return true;
                }
                subscriber.offer(chunk, waited, reading, &mut waiting)
            });
            if waiting.is_empty() || reading.stop.pause(RETRY) {
                return;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Subscriber {
    /// Puts the chunk into the queue, if there is room. Whether the subscriber stays.
    fn offer(
        &mut self,
        chunk: &Arc<Chunk>,
        waited: Duration,
        reading: &Reading,
        waiting: &mut Vec<u64>,
    ) -> bool {
        let emptied = self.chunks.capacity() == self.chunks.max_capacity();
        match self.chunks.try_send(Arc::clone(chunk)) {
            Ok(()) => {
                if emptied {
                    self.stall_left = reading.settings.stall_max;
                }
                waiting.retain(|id| *id != self.id);
                true
            }
            Err(TrySendError::Closed(_)) => {
                waiting.retain(|id| *id != self.id);
                false
            }
            Err(TrySendError::Full(_)) => {
                self.stall_left = self.stall_left.saturating_sub(waited);
                if !self.stall_left.is_zero() {
                    return true;
                }
                let projection = self.projection;
                tracing::info!(projection, "too slow for the shared reader");
                metrics::counter!("waylog_projection_fallen_off_total", "projection" => projection)
                    .increment(1);
                waiting.retain(|id| *id != self.id);
                false
            }
        }
    }
}

/// What all of them have read.
fn least<'a>(mut vectors: impl Iterator<Item = &'a PositionVector>) -> PositionVector {
    let Some(first) = vectors.next() else { return PositionVector::empty() };
    vectors.fold(first.clone(), |least, vector| {
        least
            .iter()
            .filter_map(|position| {
                let offset = vector.offset(position.partition)?.min(position.offset);
                Some(domain::Position { offset, ..position })
            })
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_vector_includes_only_what_all_include() {
        let vectors: Vec<PositionVector> =
            ["0:9,1:4", "0:3,1:8,2:1"].iter().map(|text| text.parse().unwrap()).collect();

        assert_eq!(least(vectors.iter()).to_string(), "0:3,1:4");
        assert_eq!(least([].iter()), PositionVector::empty());
    }
}
