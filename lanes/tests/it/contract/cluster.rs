//! Processes on one log, and a look at what they have made of it.

use std::collections::{HashMap, HashSet};
use std::ops::Deref;
use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::{ConsistencyToken, Digest, PositionVector, StreamName};
use event_log::contract_suite::{REFUSED_BYTES, TestWorld};
use event_log::hash_chain::HashChain;
use event_log::{
    EventLog, LocalStreamStore, LogEvent, LogRecord, RefusalRecord, ShardId, StreamStore,
};
use lanes::{Accepted, LanePhase, LaneSettings};
use tempfile::TempDir;

use super::faulty_log::{Coordinator, Faults, FaultyLog};
use crate::fake_log::{FakeLog, PATIENCE, Stage};
use crate::world::{World, settings, until};

pub(super) const SHARD: ShardId = ShardId(0);

/// The log in memory as a world of the log's contract.
pub(super) struct MemoryWorld {
    stage: Arc<Stage>,
    log: Arc<FakeLog>,
}

impl MemoryWorld {
    pub(super) fn new(partitions: u32, shards: u32) -> Self {
        let stage = Stage::new(partitions, shards);
        Self { log: stage.member(), stage }
    }
}

impl TestWorld for MemoryWorld {
    fn log(&mut self) -> Arc<dyn EventLog> {
        Arc::clone(&self.log) as _
    }

    fn beside(&mut self) -> Arc<dyn EventLog> {
        self.log()
    }

    fn restart(&mut self) -> Arc<dyn EventLog> {
        self.log()
    }

    fn kill(&mut self) -> Arc<dyn EventLog> {
        self.log()
    }

    fn refusals(&mut self, _: ShardId) -> Vec<RefusalRecord> {
        self.stage.refusals()
    }

    fn refuse_large_events(&mut self, refuse: bool) {
        self.stage.abort_above(if refuse { REFUSED_BYTES } else { usize::MAX });
    }
}

/// A log and those who want to own it.
pub(super) struct Cluster {
    world: Box<dyn TestWorld>,
    coordinator: Arc<Coordinator>,
    storeless: bool,
}

/// One process.
pub(super) struct Process {
    world: World,
    pub(super) faults: Arc<Faults>,
    seat: usize,
}

impl Deref for Process {
    type Target = World;

    fn deref(&self) -> &World {
        &self.world
    }
}

impl Process {
    /// Ends in good order; its directory is kept.
    pub(super) fn end(self) -> TempDir {
        self.world.end()
    }

    pub(super) fn epoch(&self) -> i64 {
        self.lanes.readiness().lanes[0].epoch.unwrap()
    }
}

impl Cluster {
    pub(super) fn on(world: impl TestWorld + 'static) -> Self {
        let coordinator = Arc::default();
        Self { world: Box::new(world), coordinator, storeless: false }
    }

    /// Every process restores a store of its own, although the log has one.
    pub(super) fn without_the_logs_own_store(self) -> Self {
        Self { storeless: true, ..self }
    }

    /// A process that owns nothing yet.
    pub(super) fn process(&mut self, directory: TempDir) -> Process {
        let (coordinator, faults) = (Arc::clone(&self.coordinator), Arc::<Faults>::default());
        let seat = coordinator.seat();
        let log = self.world.beside();
        let log = FaultyLog {
            log,
            faults: Arc::clone(&faults),
            coordinator,
            seat,
            storeless: self.storeless,
        };
        let settings = LaneSettings { clock_check_every: Duration::from_secs(5), ..settings() };
        let (world, _) = World::reachable(Arc::new(log), settings, directory);
        Process { world, faults, seat }
    }

    /// A process that owns and serves everything. The one that did before is not told.
    pub(super) fn owner(&mut self) -> Process {
        self.owner_in(TempDir::new().unwrap())
    }

    pub(super) fn owner_in(&mut self, directory: TempDir) -> Process {
        let process = self.process(directory);
        self.give_to(&process);
        until("the owner serves", || process.phase(SHARD.0) == Some(LanePhase::Serving));
        process
    }

    /// The shards are that one's; the one that had them is not told.
    pub(super) fn give_to(&mut self, process: &Process) {
        let topology = process.topology();
        self.coordinator.give_silently(process.seat, topology);
    }

    /// The shards are nobody's; the one that had them is not told.
    pub(super) fn take_away(&self) {
        self.coordinator.take_silently();
    }

    /// The machine's processes have ended; the log is opened again.
    pub(super) fn restart(&mut self) {
        drop(self.world.restart());
    }

    /// Somebody opens the shard who should not; says with which epoch.
    pub(super) fn usurp(&mut self) -> i64 {
        let log = self.world.beside();
        log.open_shard(SHARD, "http://127.0.0.1:1").unwrap().epoch
    }

    pub(super) fn refuse_large_events(&mut self, refuse: bool) {
        self.world.refuse_large_events(refuse);
    }

    pub(super) fn refusals(&mut self) -> Vec<RefusalRecord> {
        self.world.refusals(SHARD)
    }

    /// Every event up to this moment, in the order of their partitions, which is found to be sound:
    /// sequences and versions dense, epochs never falling, chains whole, commands once. Fences
    /// whoever owns the shard.
    pub(super) fn history(&mut self) -> Vec<LogEvent> {
        let log = self.world.beside();
        let open = log.open_shard(SHARD, "").unwrap();
        let events = read(&*log, &open.opened);
        assert_sound(&events);
        events
    }

    pub(super) fn history_of(&mut self, stream: StreamName) -> Vec<LogEvent> {
        self.history().into_iter().filter(|event| event.envelope.stream == stream).collect()
    }

    /// The stream store that a process left behind in its directory, or the log's own.
    pub(super) fn store(&mut self, directory: &TempDir) -> Box<dyn StreamStore> {
        let log = self.world.beside();
        match log.stream_store(SHARD).unwrap().filter(|_| !self.storeless) {
            Some(store) => store,
            None => {
                let path = directory.path().join(format!("shard-{SHARD}.sqlite"));
                Box::new(LocalStreamStore::open(&path, log.topology(), SHARD).unwrap())
            }
        }
    }
}

/// Where an answer says that its event is.
pub(super) fn position(accepted: &Accepted) -> PositionVector {
    accepted.position.0.parse::<ConsistencyToken>().unwrap().vector
}

fn read(log: &dyn EventLog, end: &PositionVector) -> Vec<LogEvent> {
    let mut reader = log.reader(&PositionVector::empty(), &[]).unwrap();
    let (mut read, mut events) = (PositionVector::empty(), Vec::new());
    let deadline = Instant::now() + PATIENCE;
    while !read.covers(end) {
        assert!(Instant::now() < deadline, "read up to {read} of {end}");
        for record in reader.poll(1_000, Duration::from_millis(100)).unwrap() {
            read.advance(record.position());
            if let LogRecord::Event(event) = record {
                events.push(event);
            }
        }
    }
    events.sort_by_key(|event: &LogEvent| (event.position.partition, event.position.offset));
    events
}

fn assert_sound(events: &[LogEvent]) {
    let mut partitions: HashMap<u32, (u64, i64)> = HashMap::new();
    let mut streams: HashMap<StreamName, (u64, Digest)> = HashMap::new();
    let mut commands = HashSet::new();
    let mut chain = HashChain::default();
    for event in events {
        let envelope = &event.envelope;
        let (sequence, epoch) = partitions.entry(event.position.partition).or_default();
        *sequence += 1;
        assert_eq!(envelope.sequence, *sequence, "{event:?}");
        assert!(envelope.epoch >= *epoch, "after epoch {epoch}: {event:?}");
        *epoch = envelope.epoch;
        let (version, head) = streams.entry(envelope.stream).or_default();
        *version += 1;
        assert_eq!(envelope.version, *version, "{event:?}");
        assert!(chain.follows(head, event), "{event:?}");
        *head = envelope.hash;
        // Every command of these cases has one event.
        assert!(commands.insert((envelope.stream, envelope.command_id)), "twice: {event:?}");
    }
}
