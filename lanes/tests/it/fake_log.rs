//! A log in memory, shared by several members, that fails when it is told to.
//!
//! It fences, numbers and orders as the contract says, so that what a lane makes of a fault is
//! judged against a log that is itself right.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use domain::ids::CommandId;
use domain::{LogId, Position, PositionVector, StreamName};
use event_log::{
    AppendError, Appended, Batch, CommitState, Durability, EventLog, LogError, LogEvent, LogReader,
    LogRecord, Membership, OpenShard, OpenedRecord, OwnershipHandler, RefusalPage, RefusalRecord,
    ShardId, ShardOwner, ShardWriter, StreamStore, Topology,
};
use uuid::Uuid;

pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// What happens to the next append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing is written; the writer lives.
    Abort,
    /// Everything is written, and nobody is told.
    LostWritten,
    /// Nothing is written, and nobody can be sure.
    LostUnwritten,
    /// Nothing is written, as is known.
    LostForSure,
}

struct Member {
    handler: Option<Arc<dyn OwnershipHandler>>,
    /// What it takes for the owner of every shard, rightly or not.
    belief: Option<ShardOwner>,
}

struct Inner {
    topology: Topology,
    epochs: Vec<i64>,
    owners: Vec<Option<ShardOwner>>,
    /// Which member each shard is assigned to.
    assigned: Vec<Option<usize>>,
    members: Vec<Member>,
    partitions: Vec<Vec<LogRecord>>,
    next_offsets: Vec<i64>,
    refusals: Vec<RefusalRecord>,
    batches: Vec<(usize, usize)>,
    faults: VecDeque<Fault>,
    /// Batches with an event of this command are always aborted.
    poison: Option<CommandId>,
    /// Nothing can be written at all.
    away: bool,
    held: bool,
    at_gate: usize,
    bytes_max: usize,
    /// An append of a larger event is aborted, although the log says that it takes it.
    abort_above: usize,
    skew_micros: i64,
}

/// The shared part: the "broker".
pub(crate) struct Stage {
    inner: Mutex<Inner>,
    changed: Condvar,
}

impl Stage {
    pub(crate) fn new(partitions: u32, shards: u32) -> Arc<Self> {
        let log_id = LogId(Uuid::from_u128(0x106));
        let (p, s) = (partitions as usize, shards as usize);
        Arc::new(Self {
            inner: Mutex::new(Inner {
                topology: Topology { log_id, partitions, shards },
                epochs: vec![0; s],
                owners: vec![None; s],
                assigned: vec![None; s],
                members: Vec::new(),
                partitions: vec![Vec::new(); p],
                next_offsets: vec![0; p],
                refusals: Vec::new(),
                batches: Vec::new(),
                faults: VecDeque::new(),
                poison: None,
                away: false,
                held: false,
                at_gate: 0,
                bytes_max: 100_000,
                abort_above: usize::MAX,
                skew_micros: 0,
            }),
            changed: Condvar::new(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    /// A place for one more process; the first one gets all shards when it joins.
    pub(crate) fn member(self: &Arc<Self>) -> Arc<FakeLog> {
        let mut inner = self.lock();
        inner.members.push(Member { handler: None, belief: None });
        let member = inner.members.len() - 1;
        if member == 0 {
            inner.assigned.fill(Some(0));
        }
        Arc::new(FakeLog { stage: Arc::clone(self), member })
    }

    pub(crate) fn fail_next(&self, faults: &[Fault]) {
        self.lock().faults.extend(faults);
    }

    pub(crate) fn poison(&self, command: CommandId) {
        self.lock().poison = Some(command);
    }

    pub(crate) fn away(&self, away: bool) {
        self.lock().away = away;
    }

    pub(crate) fn limit_bytes(&self, bytes_max: usize) {
        self.lock().bytes_max = bytes_max;
    }

    pub(crate) fn abort_above(&self, bytes: usize) {
        self.lock().abort_above = bytes;
    }

    pub(crate) fn skew(&self, micros: i64) {
        self.lock().skew_micros = micros;
    }

    /// Appends wait from now on, before anything is looked at.
    pub(crate) fn hold(&self) {
        self.lock().held = true;
    }

    /// The appends that wait, and all others, go on.
    pub(crate) fn release(&self) {
        self.lock().held = false;
        self.changed.notify_all();
    }

    /// Waits until that many appends wait.
    pub(crate) fn await_held(&self, count: usize) {
        let until = Instant::now() + PATIENCE;
        let mut inner = self.lock();
        while inner.at_gate < count {
            let left = until.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "no append came to wait");
            inner = self.changed.wait_timeout(inner, left).unwrap().0;
        }
    }

    /// The shard is another member's from now on; the one that had it does not know.
    pub(crate) fn reassign_silently(&self, shard: ShardId, to: usize) {
        let handler = {
            let mut inner = self.lock();
            inner.assigned[shard.0 as usize] = Some(to);
            inner.members[to].handler.clone()
        };
        if let Some(handler) = handler {
            handler.assigned(&[shard]);
        }
    }

    /// The shard goes over in good order.
    pub(crate) fn reassign(&self, shard: ShardId, to: usize) {
        if let Some(from) = self.handler_of(shard) {
            from.revoked(&[shard], false);
        }
        self.reassign_silently(shard, to);
    }

    /// The shard goes over, and the one that had it learns that it is too late to commit.
    pub(crate) fn lose(&self, shard: ShardId, to: usize) {
        if let Some(from) = self.handler_of(shard) {
            from.revoked(&[shard], true);
        }
        self.reassign_silently(shard, to);
    }

    fn handler_of(&self, shard: ShardId) -> Option<Arc<dyn OwnershipHandler>> {
        let inner = self.lock();
        inner.assigned[shard.0 as usize].and_then(|from| inner.members[from].handler.clone())
    }

    /// The member takes that one for the owner from now on.
    pub(crate) fn mislead(&self, member: usize, belief: ShardOwner) {
        self.lock().members[member].belief = Some(belief);
    }

    /// Appends a record as it is, as another program would have written it.
    pub(crate) fn put(&self, partition: u32, change: impl FnOnce(i64) -> LogRecord) {
        let mut inner = self.lock();
        let offset = inner.take_offset(partition);
        inner.partitions[partition as usize].push(change(offset));
    }

    pub(crate) fn topology(&self) -> Topology {
        self.lock().topology
    }

    pub(crate) fn epoch(&self, shard: ShardId) -> i64 {
        self.lock().epochs[shard.0 as usize]
    }

    /// Every event, partition by partition.
    pub(crate) fn events(&self) -> Vec<LogEvent> {
        let inner = self.lock();
        let records = inner.partitions.iter().flatten();
        records
            .filter_map(|record| match record {
                LogRecord::Event(event) => Some(event.clone()),
                _ => None,
            })
            .collect()
    }

    pub(crate) fn events_of(&self, stream: StreamName) -> Vec<LogEvent> {
        self.events().into_iter().filter(|event| event.envelope.stream == stream).collect()
    }

    pub(crate) fn refusals(&self) -> Vec<RefusalRecord> {
        self.lock().refusals.clone()
    }

    /// Events and refusals of each committed batch.
    pub(crate) fn batches(&self) -> Vec<(usize, usize)> {
        self.lock().batches.clone()
    }
}

impl Inner {
    fn take_offset(&mut self, partition: u32) -> i64 {
        let next = &mut self.next_offsets[partition as usize];
        let offset = *next;
        // Gaps, as control records leave them.
        *next += 1 + offset % 3;
        offset
    }

    fn write(&mut self, batch: &Batch) -> Appended {
        let offsets = batch
            .events
            .iter()
            .map(|event| {
                let partition = event.partition;
                let offset = self.take_offset(partition);
                self.partitions[partition as usize].push(LogRecord::Event(LogEvent {
                    position: Position { partition, offset },
                    envelope: event.envelope.clone(),
                    value: event.value.clone(),
                }));
                offset
            })
            .collect();
        self.refusals.extend(batch.refusals.iter().cloned());
        self.batches.push((batch.events.len(), batch.refusals.len()));
        Appended { offsets }
    }
}

/// One member's view of the log.
pub(crate) struct FakeLog {
    stage: Arc<Stage>,
    member: usize,
}

impl EventLog for FakeLog {
    fn topology(&self) -> Topology {
        self.stage.topology()
    }

    fn open_shard(&self, shard: ShardId, address: &str) -> Result<OpenShard, LogError> {
        let mut inner = self.stage.lock();
        let index = shard.0 as usize;
        if inner.assigned[index] != Some(self.member) {
            return Err(LogError::NotAMember);
        }
        inner.epochs[index] += 1;
        let epoch = inner.epochs[index];
        inner.owners[index] = Some(ShardOwner { epoch, address: address.to_owned() });
        let mut opened = PositionVector::empty();
        for partition in inner.topology.partitions_of(shard) {
            let position = Position { partition, offset: inner.take_offset(partition) };
            opened.advance(position);
            let address = address.to_owned();
            let record = OpenedRecord { position, shard, epoch, address };
            inner.partitions[partition as usize].push(LogRecord::Opened(record));
        }
        let stage = Arc::clone(&self.stage);
        let writer = Box::new(FakeWriter { stage, shard, epoch, lost: false });
        Ok(OpenShard { epoch, opened, writer })
    }

    fn stream_store(&self, _: ShardId) -> Result<Option<Box<dyn StreamStore>>, LogError> {
        Ok(None)
    }

    fn reader(
        &self,
        start: &PositionVector,
        partitions: &[u32],
    ) -> Result<Box<dyn LogReader>, LogError> {
        let (stage, read) = (Arc::clone(&self.stage), start.clone());
        let partitions = match partitions {
            [] => (0..self.topology().partitions).collect(),
            some => some.to_vec(),
        };
        Ok(Box::new(FakeReader { stage, read, partitions }))
    }

    fn end(&self) -> Result<PositionVector, LogError> {
        let inner = self.stage.lock();
        let records = inner.partitions.iter().flatten();
        Ok(records.map(LogRecord::position).collect())
    }

    /// Nobody here asks for evidence.
    fn refusals(&self, _: &PositionVector, _: usize) -> Result<RefusalPage, LogError> {
        Ok(RefusalPage::default())
    }

    fn join(&self, handler: Arc<dyn OwnershipHandler>) -> Result<Box<dyn Membership>, LogError> {
        let shards: Vec<ShardId> = {
            let mut inner = self.stage.lock();
            inner.members[self.member].handler = Some(Arc::clone(&handler));
            let shards = inner.topology.all_shards();
            shards.filter(|s| inner.assigned[s.0 as usize] == Some(self.member)).collect()
        };
        handler.assigned(&shards);
        let stage = Arc::clone(&self.stage);
        Ok(Box::new(FakeMembership { stage, member: self.member }))
    }

    fn owner(&self, shard: ShardId) -> Option<ShardOwner> {
        let inner = self.stage.lock();
        let belief = inner.members[self.member].belief.clone();
        belief.or_else(|| inner.owners[shard.0 as usize].clone())
    }

    fn clock_skew_micros(&self) -> Result<i64, LogError> {
        Ok(self.stage.lock().skew_micros)
    }

    fn record_bytes_max(&self) -> usize {
        self.stage.lock().bytes_max
    }

    fn durability(&self) -> Durability {
        Durability { survives_power_cut: false, description: "memory".to_owned() }
    }
}

struct FakeMembership {
    stage: Arc<Stage>,
    member: usize,
}

impl Membership for FakeMembership {
    fn prove(&self, shard: ShardId) -> Result<(), LogError> {
        let inner = self.stage.lock();
        let ours = inner.assigned[shard.0 as usize] == Some(self.member);
        if ours { Ok(()) } else { Err(LogError::NotAMember) }
    }

    fn leave(&self) -> Result<(), LogError> {
        let mut inner = self.stage.lock();
        inner.members[self.member].handler = None;
        let member = Some(self.member);
        inner.assigned.iter_mut().filter(|to| **to == member).for_each(|to| *to = None);
        Ok(())
    }
}

struct FakeReader {
    stage: Arc<Stage>,
    read: PositionVector,
    partitions: Vec<u32>,
}

impl LogReader for FakeReader {
    fn poll(&mut self, max: usize, _: Duration) -> Result<Vec<LogRecord>, LogError> {
        let inner = self.stage.lock();
        let wanted = self.partitions.iter().flat_map(|p| &inner.partitions[*p as usize]);
        let new = wanted.filter(|record| !self.read.includes(record.position()));
        // A page of a few, so that a restore takes several.
        let records: Vec<LogRecord> = new.take(max.min(7)).cloned().collect();
        records.iter().for_each(|record| self.read.advance(record.position()));
        Ok(records)
    }
}

struct FakeWriter {
    stage: Arc<Stage>,
    shard: ShardId,
    epoch: i64,
    lost: bool,
}

impl FakeWriter {
    fn lost(&mut self, committed: CommitState, why: &str) -> AppendError {
        self.lost = true;
        AppendError::Lost { committed, source: why.into() }
    }
}

impl ShardWriter for FakeWriter {
    fn append(&mut self, batch: &Batch) -> Result<Appended, AppendError> {
        assert!(!self.lost, "a lost writer was used again");
        assert!(!batch.events.is_empty() || !batch.refusals.is_empty(), "a batch is never empty");
        let stage = Arc::clone(&self.stage);
        let mut inner = stage.lock();
        inner.at_gate += 1;
        stage.changed.notify_all();
        while inner.held {
            inner = stage.changed.wait(inner).unwrap();
        }
        inner.at_gate -= 1;
        stage.changed.notify_all();
        if inner.epochs[self.shard.0 as usize] != self.epoch {
            return Err(self.lost(CommitState::NotWritten, "fenced"));
        }
        let large = batch.events.iter().position(|event| event.value.len() > inner.bytes_max);
        if let Some(index) = large {
            return Err(AppendError::TooLarge { index });
        }
        let abort_above = inner.abort_above;
        if batch.events.iter().any(|event| event.value.len() > abort_above) {
            return Err(AppendError::Aborted("told to".into()));
        }
        let ids = batch.events.iter().map(|event| Some(event.envelope.command_id));
        if inner.away || ids.into_iter().any(|id| id == inner.poison) {
            return Err(AppendError::Aborted("told to".into()));
        }
        match inner.faults.pop_front() {
            None => Ok(inner.write(batch)),
            Some(Fault::Abort) => Err(AppendError::Aborted("told to".into())),
            Some(Fault::LostForSure) => Err(self.lost(CommitState::NotWritten, "told to")),
            Some(Fault::LostUnwritten) => Err(self.lost(CommitState::Unknown, "told to")),
            Some(Fault::LostWritten) => {
                inner.write(batch);
                Err(self.lost(CommitState::Unknown, "told to"))
            }
        }
    }
}
