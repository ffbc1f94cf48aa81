//! A process with lanes, for a test: started, asked, restarted, and shut down at the end.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use domain::ids::CommandId;
use event_log::codec::{Codec, WriterSchemas};
use event_log::{
    Checkpoint, EventLog, LogEvent, LogRecord, ShardId, Snapshot, StoredOutcome, StreamStore,
    StreamStoreError, Topology,
};
use lanes::{
    Accepted, CommandError, CommandRequest, LanePhase, LaneSettings, Lanes, LanesParts,
    LocalStreamStores, Rules, StreamStores,
};
use service_kit::Secret;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

use crate::fake_log::{PATIENCE, Stage};

pub(crate) type Outcome = Result<Accepted, CommandError>;

struct NoSchemas;

impl WriterSchemas for NoSchemas {
    fn writer_schema(
        &self,
        _: u32,
    ) -> Result<Option<String>, Box<dyn std::error::Error + Send + Sync>> {
        Ok(None)
    }
}

pub(crate) fn codec() -> Arc<Codec> {
    let known = u32::try_from(event_log::codec::schemas::KNOWN.len()).unwrap();
    Arc::new(Codec::new((1..=known).map(Some).collect(), Box::new(NoSchemas)))
}

/// Waits for a condition; fails the test when it does not come.
#[track_caller]
pub(crate) fn until(what: &str, condition: impl Fn() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < end, "did not happen in time: {what}");
        std::thread::park_timeout(Duration::from_millis(1));
    }
}

/// Short pauses, so that tests of retries are quick; long deadlines, so that a slow machine is not
/// a failure.
pub(crate) fn settings() -> LaneSettings {
    LaneSettings {
        deadline: PATIENCE,
        owner_wait: PATIENCE,
        retry_pause: (Duration::from_millis(1), Duration::from_millis(20)),
        clock_check_every: Duration::from_millis(5),
        ..LaneSettings::default()
    }
}

/// Real stream stores that can be told to fail.
pub(crate) struct Stores {
    inner: LocalStreamStores,
    pub(crate) corrupt_next_apply: Arc<AtomicBool>,
}

impl StreamStores for Stores {
    fn open(&self, shard: ShardId) -> Result<Box<dyn StreamStore>, StreamStoreError> {
        let corrupt = Arc::clone(&self.corrupt_next_apply);
        Ok(Box::new(Store { inner: self.inner.open(shard)?, corrupt }))
    }

    fn destroy(&self, shard: ShardId) -> Result<(), StreamStoreError> {
        self.inner.destroy(shard)
    }
}

struct Store {
    inner: Box<dyn StreamStore>,
    corrupt: Arc<AtomicBool>,
}

impl StreamStore for Store {
    fn checkpoint(&mut self) -> Result<Checkpoint, StreamStoreError> {
        self.inner.checkpoint()
    }

    fn events(
        &mut self,
        stream: &domain::StreamName,
        after_version: u64,
        limit: usize,
    ) -> Result<Vec<LogEvent>, StreamStoreError> {
        self.inner.events(stream, after_version, limit)
    }

    fn outcome(
        &mut self,
        stream: &domain::StreamName,
        command_id: CommandId,
    ) -> Result<Option<StoredOutcome>, StreamStoreError> {
        self.inner.outcome(stream, command_id)
    }

    fn snapshot(
        &mut self,
        stream: &domain::StreamName,
    ) -> Result<Option<Snapshot>, StreamStoreError> {
        self.inner.snapshot(stream)
    }

    fn put_snapshots(&mut self, snapshots: &[Snapshot]) -> Result<(), StreamStoreError> {
        self.inner.put_snapshots(snapshots)
    }

    fn apply(&mut self, records: &[LogRecord]) -> Result<(), StreamStoreError> {
        if self.corrupt.swap(false, Ordering::SeqCst) {
            return Err(StreamStoreError::Corrupt("told to".to_owned()));
        }
        self.inner.apply(records)
    }
}

/// How a process is started.
pub(crate) struct Plan {
    pub(crate) settings: LaneSettings,
    pub(crate) rules: Rules,
    pub(crate) secret: Option<Secret>,
}

impl Default for Plan {
    fn default() -> Self {
        Self { settings: settings(), rules: Rules::default(), secret: None }
    }
}

/// What the processes of a test share.
pub(crate) fn secret() -> Secret {
    "a-secret-of-the-cluster".parse().unwrap()
}

pub(crate) struct World {
    pub(crate) lanes: Arc<Lanes>,
    topology: Topology,
    pub(crate) corrupt_next_apply: Arc<AtomicBool>,
    /// The directory of the stream stores; kept for a restart.
    pub(crate) directory: Option<TempDir>,
    runtime: Option<Runtime>,
}

impl World {
    /// A process alone on a log in memory.
    pub(crate) fn on(stage: &Arc<Stage>) -> Self {
        Self::start(stage.member(), Plan::default(), TempDir::new().unwrap())
    }

    pub(crate) fn planned(stage: &Arc<Stage>, plan: Plan) -> Self {
        Self::start(stage.member(), plan, TempDir::new().unwrap())
    }

    pub(crate) fn start(log: Arc<dyn EventLog>, plan: Plan, directory: TempDir) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let topology = log.topology();
        let corrupt_next_apply = Arc::new(AtomicBool::new(false));
        // A log with stores of its own needs no others.
        let stores: Option<Arc<dyn StreamStores>> = match log.stream_store(ShardId(0)).unwrap() {
            Some(_) => None,
            None => Some(Arc::new(Stores {
                inner: LocalStreamStores::new(directory.path(), topology).unwrap(),
                corrupt_next_apply: Arc::clone(&corrupt_next_apply),
            })),
        };
        let parts = LanesParts {
            settings: plan.settings,
            stores,
            cluster_secret: plan.secret,
            rules: plan.rules,
            ..LanesParts::new(log, codec())
        };
        let lanes = Arc::new(runtime.block_on(Lanes::start(parts)).unwrap());
        Self {
            lanes,
            topology,
            corrupt_next_apply,
            directory: Some(directory),
            runtime: Some(runtime),
        }
    }

    /// A process that takes forwarded commands on a port of its own.
    pub(crate) fn reachable(
        log: Arc<dyn EventLog>,
        mut settings: LaneSettings,
        directory: TempDir,
    ) -> (Self, SocketAddr) {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        settings.address = format!("http://{address}");
        let plan = Plan { settings, secret: Some(secret()), rules: Rules::default() };
        let world = Self::start(log, plan, directory);
        let routes = world.lanes.internal_routes().unwrap();
        world.runtime().spawn(async move {
            let listener = TcpListener::from_std(listener).unwrap();
            axum::serve(listener, routes).await.unwrap();
        });
        (world, address)
    }

    pub(crate) fn topology(&self) -> Topology {
        self.topology
    }

    pub(crate) fn runtime(&self) -> &Runtime {
        self.runtime.as_ref().unwrap()
    }

    pub(crate) fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime().block_on(future)
    }

    /// Sends a command and waits for its outcome.
    pub(crate) fn ask(&self, request: CommandRequest) -> Outcome {
        self.wait(self.lanes.port().send(request))
    }

    /// Sends a command and goes on.
    pub(crate) fn begin(&self, request: CommandRequest) -> JoinHandle<Outcome> {
        let port = self.lanes.port();
        self.runtime().spawn(async move { port.send(request).await })
    }

    /// Sends commands one after the other into the mailbox of a lane that is held up in an append,
    /// so that they form the next batch in this order.
    pub(crate) fn queue(&self, requests: Vec<CommandRequest>) -> Vec<JoinHandle<Outcome>> {
        let begin = |request| {
            let before = self.queued();
            let pending = self.begin(request);
            until("the command is queued", || self.queued() > before);
            pending
        };
        requests.into_iter().map(begin).collect()
    }

    pub(crate) fn outcomes(&self, pending: Vec<JoinHandle<Outcome>>) -> Vec<Outcome> {
        pending.into_iter().map(|pending| self.wait(pending).unwrap()).collect()
    }

    /// All commands as one batch: they queue while `first` is held up in its append.
    pub(crate) fn batch(
        &self,
        stage: &Stage,
        first: CommandRequest,
        requests: Vec<CommandRequest>,
    ) -> (Outcome, Vec<Outcome>) {
        stage.hold();
        let first = self.begin(first);
        stage.await_held(1);
        let pending = self.queue(requests);
        stage.release();
        (self.wait(first).unwrap(), self.outcomes(pending))
    }

    pub(crate) fn queued(&self) -> usize {
        self.lanes.readiness().lanes.iter().map(|lane| lane.queued_commands).sum()
    }

    pub(crate) fn phase(&self, shard: u32) -> Option<LanePhase> {
        let lanes = self.lanes.readiness().lanes;
        lanes.into_iter().find(|lane| lane.shard == ShardId(shard)).map(|lane| lane.phase)
    }

    pub(crate) fn until_serving(&self) {
        until("all lanes serve", || {
            let readiness = self.lanes.readiness();
            !readiness.lanes.is_empty() && readiness.ready()
        });
    }

    /// Ends the process in good order, and gives its directory back for a restart.
    pub(crate) fn end(mut self) -> TempDir {
        self.wait(self.lanes.shutdown());
        self.directory.take().unwrap()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.block_on(self.lanes.shutdown());
            // What it runs holds the log, and a directory is one process's.
            runtime.shutdown_timeout(PATIENCE);
        }
    }
}
