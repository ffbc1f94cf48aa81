//! A process's view of a real log that fails, pauses and lags when it is told to.
//!
//! What it does not touch is the log's own: fencing, commits, aborts, what a reader sees. Only
//! whose the shards are is said by the case, so that a process can lose them without a word.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use domain::PositionVector;
use event_log::{
    AppendError, Appended, Batch, Checkpoint, CommitState, Durability, EventLog, LogError,
    LogEvent, LogReader, LogRecord, Membership, OpenShard, OwnershipHandler, RefusalPage, ShardId,
    ShardOwner, ShardWriter, Snapshot, StoredOutcome, StreamStore, StreamStoreError, Topology,
};

use crate::fake_log::PATIENCE;

/// Where a process is paused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Point {
    /// It has decided a batch; the log knows nothing of it.
    BeforeAppend,
    /// The log has committed the batch; nobody was told.
    AfterAppend,
}

/// How an append ends whose outcome the process does not learn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ambiguity {
    Committed,
    NotCommitted,
}

#[derive(Default)]
struct State {
    held_at: Option<Point>,
    /// So many may pass all the same.
    passes: usize,
    waiting: usize,
    ambiguities: VecDeque<Ambiguity>,
    lag: Option<PositionVector>,
    /// How often the process looked for more, and saw nothing of what there is.
    looks: usize,
    appends: usize,
}

/// What goes wrong with one process's log.
#[derive(Default)]
pub(crate) struct Faults {
    state: Mutex<State>,
    changed: Condvar,
}

impl Faults {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }

    /// Pauses the process at that point from now on.
    pub(crate) fn pause(&self, at: Point) {
        self.change(|state| state.held_at = Some(at));
    }

    /// Lets one append pass; the next is paused again.
    pub(crate) fn step(&self) {
        self.change(|state| state.passes += 1);
    }

    /// The process goes on.
    pub(crate) fn wake(&self) {
        self.change(|state| state.held_at = None);
    }

    /// The outcome of the next append is not learnt.
    pub(crate) fn obscure_next(&self, ambiguity: Ambiguity) {
        self.change(|state| state.ambiguities.push_back(ambiguity));
    }

    /// The process sees nothing beyond that from now on, as behind a new leader that does not know
    /// yet how far its partition is committed.
    pub(crate) fn lag(&self, end: PositionVector) {
        self.change(|state| state.lag = Some(end));
    }

    /// The process sees everything again.
    pub(crate) fn catch_up(&self) {
        self.change(|state| state.lag = None);
    }

    /// How many batches the process gave to the log.
    pub(crate) fn appends(&self) -> usize {
        self.lock().appends
    }

    /// Waits until the process is paused.
    pub(crate) fn await_paused(&self) {
        self.wait("the process is paused", |state| state.waiting > 0);
    }

    /// How often the process has looked in vain while the log lagged.
    pub(crate) fn looks(&self) -> usize {
        self.lock().looks
    }

    fn wait(&self, what: &str, mut condition: impl FnMut(&State) -> bool) {
        let waiting = |state: &mut State| !condition(state);
        let (_state, timeout) =
            self.changed.wait_timeout_while(self.lock(), PATIENCE, waiting).unwrap();
        assert!(!timeout.timed_out(), "did not happen in time: {what}");
    }

    fn pass(&self, at: Point) {
        let mut state = self.lock();
        state.waiting += 1;
        self.changed.notify_all();
        while state.held_at == Some(at) && state.passes == 0 {
            state = self.changed.wait(state).unwrap();
        }
        if state.held_at == Some(at) {
            state.passes -= 1;
        }
        state.waiting -= 1;
    }

    /// What is visible of the log, if not everything.
    fn horizon(&self) -> Option<PositionVector> {
        self.lock().lag.clone()
    }

    fn looked_in_vain(&self) {
        self.change(|state| state.looks += 1);
    }

    /// Waits until the log lags no longer; at most that long.
    fn await_more(&self, most: Duration) {
        let lagging = |state: &mut State| state.lag.is_some();
        let waited = self.changed.wait_timeout_while(self.lock(), most, lagging);
        drop(waited.unwrap());
    }
}

/// Whose the shards are: one process's, all of them.
#[derive(Default)]
pub(crate) struct Coordinator(Mutex<Seats>);

#[derive(Default)]
struct Seats {
    handlers: Vec<Option<Arc<dyn OwnershipHandler>>>,
    owner: Option<usize>,
}

impl Coordinator {
    fn lock(&self) -> MutexGuard<'_, Seats> {
        self.0.lock().unwrap()
    }

    /// A place for one more process.
    pub(crate) fn seat(&self) -> usize {
        let mut seats = self.lock();
        seats.handlers.push(None);
        seats.handlers.len() - 1
    }

    /// The shards are that one's from now on; the one that had them is not told.
    pub(crate) fn give_silently(&self, seat: usize, topology: Topology) {
        let handler = {
            let mut seats = self.lock();
            seats.owner = Some(seat);
            seats.handlers[seat].clone()
        };
        if let Some(handler) = handler {
            handler.assigned(&topology.all_shards().collect::<Vec<_>>());
        }
    }

    /// The shards are nobody's; the one that had them is not told.
    pub(crate) fn take_silently(&self) {
        self.lock().owner = None;
    }
}

/// One process's view of the log.
pub(crate) struct FaultyLog {
    pub(crate) log: Arc<dyn EventLog>,
    pub(crate) faults: Arc<Faults>,
    pub(crate) coordinator: Arc<Coordinator>,
    pub(crate) seat: usize,
    /// Whether the log's own stream store is kept from the process, so that it restores one.
    pub(crate) storeless: bool,
}

impl EventLog for FaultyLog {
    fn topology(&self) -> Topology {
        self.log.topology()
    }

    fn open_shard(&self, shard: ShardId, address: &str) -> Result<OpenShard, LogError> {
        let open = self.log.open_shard(shard, address)?;
        let writer = FaultyWriter { writer: open.writer, faults: Arc::clone(&self.faults) };
        Ok(OpenShard { writer: Box::new(writer), ..open })
    }

    fn stream_store(&self, shard: ShardId) -> Result<Option<Box<dyn StreamStore>>, LogError> {
        if self.storeless {
            return Ok(None);
        }
        let Some(store) = self.log.stream_store(shard)? else { return Ok(None) };
        Ok(Some(Box::new(LaggingStore { store, faults: Arc::clone(&self.faults) })))
    }

    fn reader(
        &self,
        start: &PositionVector,
        partitions: &[u32],
    ) -> Result<Box<dyn LogReader>, LogError> {
        let reader = self.log.reader(start, partitions)?;
        let faults = Arc::clone(&self.faults);
        Ok(Box::new(LaggingReader { reader, faults, unseen: VecDeque::new() }))
    }

    fn end(&self) -> Result<PositionVector, LogError> {
        self.faults.horizon().map_or_else(|| self.log.end(), Ok)
    }

    fn refusals(&self, before: &PositionVector, max: usize) -> Result<RefusalPage, LogError> {
        self.log.refusals(before, max)
    }

    fn join(&self, handler: Arc<dyn OwnershipHandler>) -> Result<Box<dyn Membership>, LogError> {
        self.coordinator.lock().handlers[self.seat] = Some(handler);
        Ok(Box::new(Seat { coordinator: Arc::clone(&self.coordinator), seat: self.seat }))
    }

    fn owner(&self, shard: ShardId) -> Option<ShardOwner> {
        self.log.owner(shard)
    }

    fn clock_skew_micros(&self) -> Result<i64, LogError> {
        self.log.clock_skew_micros()
    }

    fn record_bytes_max(&self) -> usize {
        self.log.record_bytes_max()
    }

    fn durability(&self) -> Durability {
        self.log.durability()
    }
}

struct Seat {
    coordinator: Arc<Coordinator>,
    seat: usize,
}

impl Membership for Seat {
    fn prove(&self, _: ShardId) -> Result<(), LogError> {
        let ours = self.coordinator.lock().owner == Some(self.seat);
        if ours { Ok(()) } else { Err(LogError::NotAMember) }
    }

    fn leave(&self) -> Result<(), LogError> {
        let mut seats = self.coordinator.lock();
        seats.handlers[self.seat] = None;
        seats.owner = seats.owner.filter(|owner| *owner != self.seat);
        Ok(())
    }
}

struct FaultyWriter {
    writer: Box<dyn ShardWriter>,
    faults: Arc<Faults>,
}

impl ShardWriter for FaultyWriter {
    fn append(&mut self, batch: &Batch) -> Result<Appended, AppendError> {
        let lost =
            || AppendError::Lost { committed: CommitState::Unknown, source: "told to".into() };
        self.faults.change(|state| state.appends += 1);
        self.faults.pass(Point::BeforeAppend);
        let ambiguity = self.faults.lock().ambiguities.pop_front();
        if ambiguity == Some(Ambiguity::NotCommitted) {
            return Err(lost());
        }
        let appended = self.writer.append(batch)?;
        if ambiguity == Some(Ambiguity::Committed) {
            return Err(lost());
        }
        self.faults.pass(Point::AfterAppend);
        Ok(appended)
    }
}

struct LaggingReader {
    reader: Box<dyn LogReader>,
    faults: Arc<Faults>,
    /// Read from the log, and beyond the horizon then.
    unseen: VecDeque<LogRecord>,
}

impl LogReader for LaggingReader {
    fn poll(&mut self, max: usize, wait: Duration) -> Result<Vec<LogRecord>, LogError> {
        let until = Instant::now() + wait;
        let Some(horizon) = self.faults.horizon() else {
            if self.unseen.is_empty() {
                return self.reader.poll(max, wait);
            }
            let count = max.min(self.unseen.len());
            return Ok(self.unseen.drain(..count).collect());
        };
        // What is not seen of one partition must not keep others from being read.
        self.unseen.extend(self.reader.poll(max, wait)?);
        let visible = |record: &LogRecord| horizon.includes(record.position());
        let seen: Vec<_> = self.unseen.iter().filter(|r| visible(r)).cloned().collect();
        self.unseen.retain(|record| !visible(record));
        if seen.is_empty() && !self.unseen.is_empty() {
            self.faults.looked_in_vain();
            self.faults.await_more(until.saturating_duration_since(Instant::now()));
        }
        Ok(seen)
    }
}

/// The log's own store, whose end lags as the log's does.
struct LaggingStore {
    store: Box<dyn StreamStore>,
    faults: Arc<Faults>,
}

impl StreamStore for LaggingStore {
    fn checkpoint(&mut self) -> Result<Checkpoint, StreamStoreError> {
        let mut checkpoint = self.store.checkpoint()?;
        if let Some(horizon) = self.faults.horizon() {
            checkpoint.partitions.retain(|known| horizon.includes(known.position));
            self.faults.looked_in_vain();
        }
        Ok(checkpoint)
    }

    fn events(
        &mut self,
        stream: &domain::StreamName,
        after_version: u64,
        limit: usize,
    ) -> Result<Vec<LogEvent>, StreamStoreError> {
        self.store.events(stream, after_version, limit)
    }

    fn outcome(
        &mut self,
        stream: &domain::StreamName,
        command_id: domain::ids::CommandId,
    ) -> Result<Option<StoredOutcome>, StreamStoreError> {
        self.store.outcome(stream, command_id)
    }

    fn snapshot(
        &mut self,
        stream: &domain::StreamName,
    ) -> Result<Option<Snapshot>, StreamStoreError> {
        self.store.snapshot(stream)
    }

    fn put_snapshots(&mut self, snapshots: &[Snapshot]) -> Result<(), StreamStoreError> {
        self.store.put_snapshots(snapshots)
    }

    fn apply(&mut self, records: &[LogRecord]) -> Result<(), StreamStoreError> {
        self.store.apply(records)
    }
}
