//! One live projection: takes records from its source, folds them batch by batch, and does what
//! operators ask between the batches.
//!
//! Whatever goes wrong at the store, the batch in hand is kept, what became of it is learned from
//! the store, and it is taken again, with capped, doubling pauses, for ever. A runner that was
//! superseded (another process runs the same projection) stands back in the same way.

use std::sync::Arc;
use std::time::Instant;

use domain::PositionVector;
use read_models::{ProjectionState, ReadStoreError};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{MissedTickBehavior, interval, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use crate::continuity::Break;
use crate::control::{Control, Reply, answer};
use crate::decoded::{Chunk, Item};
use crate::error::ProjectorError;
use crate::feed::Feed;
use crate::folder::{Folder, Taken};
use crate::generations::{live_of, of_projection, with_live};
use crate::placement::{Placement, Told};
use crate::rate::Rate;
use crate::reader::Reading;
use crate::replay::{Replay, Replayed, Step};
use crate::settings::Backoff;
use crate::source::Source;
use crate::status::{GenerationStatus, RunState};

/// Runs one projection.
pub(crate) struct Runner {
    placement: Placement,
    reading: Reading,
    pub(crate) source: Source,
    controls: mpsc::Receiver<Control>,
    told: watch::Sender<Told>,
    cancel: CancellationToken,
    /// The store's own tables are there.
    prepared: bool,
    folder: Option<Folder>,
    batch: Vec<Arc<Chunk>>,
    replay: Option<Replay>,
    paused: bool,
    outdated: bool,
    retry_at: Option<Instant>,
    backoff: Backoff,
    trouble: Option<String>,
    rate: Rate,
    generations: Vec<GenerationStatus>,
}

impl Runner {
    pub(crate) fn new(
        placement: Placement,
        reading: Reading,
        feed: Arc<Feed>,
        controls: mpsc::Receiver<Control>,
        told: watch::Sender<Told>,
        cancel: CancellationToken,
    ) -> Self {
        let name = placement.projection.name();
        let source = Source::new(name, reading.clone(), Some(feed), PositionVector::empty());
        let backoff = Backoff::new(&reading.settings);
        Self {
            placement,
            reading,
            source,
            controls,
            told,
            cancel,
            prepared: false,
            folder: None,
            batch: Vec::new(),
            replay: None,
            paused: false,
            outdated: false,
            retry_at: Some(Instant::now()),
            backoff,
            trouble: None,
            rate: Rate::new(Instant::now()),
            generations: Vec::new(),
        }
    }

    /// Runs until cancelled.
    pub(crate) async fn run(mut self) {
        let mut look = interval(self.reading.settings.live_check_interval);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        look.tick().await;
        loop {
            self.publish(self.state());
            let (waiting, ready) = (self.retry_at.is_some(), self.retry_at.is_none());
            let retry_at = self.retry_at.unwrap_or_else(Instant::now);
            let runs = ready && !self.paused && self.folder.is_some();
            let replays = runs && self.replay.is_some();
            tokio::select! {
                () = self.cancel.cancelled() => break,
                control = self.controls.recv() => match control {
                    Some(control) => self.control(control).await,
                    None => break,
                },
                () = sleep_until(retry_at.into()), if waiting => self.recover().await,
                _ = look.tick(), if ready => self.look().await,
                () = more(&mut self.replay), if replays => self.replay().await,
                chunk = self.source.next(), if runs => {
                    self.collect(chunk);
                    self.work().await;
                }
            }
        }
        self.publish(RunState::Stopped);
    }

    fn state(&self) -> RunState {
        match () {
            () if self.outdated => RunState::Outdated,
            () if self.paused => RunState::Paused,
            () if self.folder.is_none() => RunState::Starting,
            () => RunState::Running,
        }
    }

    /// Adds what is here already to the chunk, within the bounds of a batch.
    fn collect(&mut self, first: Arc<Chunk>) {
        let settings = Arc::clone(&self.reading.settings);
        let deadline = Instant::now() + settings.batch_collect_max;
        let (mut events, mut bytes) = (first.items.len(), first.bytes);
        self.batch.push(first);
        while events < settings.batch_events_max
            && bytes < settings.batch_bytes_max
            && Instant::now() < deadline
        {
            let Some(chunk) = self.source.next_now() else { break };
            events += chunk.items.len();
            bytes += chunk.bytes;
            self.batch.push(chunk);
        }
    }

    /// Takes the batch in hand.
    async fn work(&mut self) {
        let Some(folder) = &mut self.folder else { return };
        let started = Instant::now();
        let items: Vec<&Item> = self.batch.iter().flat_map(|chunk| &chunk.items).collect();
        match folder.take(&items).await {
            Ok(Taken::Folded(events)) => {
                self.batch.clear();
                self.worked(events, started);
            }
            Ok(Taken::Superseded) => self.superseded(),
            Ok(Taken::Suspicious) => {
                self.batch.clear();
                self.source.restart(folder.vector.clone());
            }
            Err(error) => self.failed(&error),
        }
    }

    fn worked(&mut self, events: u64, started: Instant) {
        self.backoff.worked();
        if self.trouble.take().is_some() {
            tracing::info!(projection = self.name(), "the projection makes progress again");
        }
        self.rate.count(events, Instant::now());
        metrics::counter!("waylog_projection_events_total", "projection" => self.name())
            .increment(events);
        metrics::histogram!("waylog_projection_batch_seconds", "projection" => self.name())
            .record(started.elapsed());
    }

    fn superseded(&mut self) {
        tracing::debug!(projection = self.name(), "another process moved the projection");
        self.retry_at = Some(Instant::now() + self.backoff.failed());
    }

    fn failed(&mut self, error: &ReadStoreError) {
        if self.trouble.is_none() {
            let code = error.code();
            tracing::warn!(projection = self.name(), code, %error, "no progress; trying on");
        }
        self.trouble = Some(format!("{}: {error}", error.code()));
        self.retry_at = Some(Instant::now() + self.backoff.failed());
    }

    /// Learns what became of things, then goes on where it stopped.
    async fn recover(&mut self) {
        self.retry_at = None;
        if let Err(error) = self.learn().await {
            return self.failed(&error);
        }
        if !self.batch.is_empty() {
            self.work().await;
        } else if self.folder.is_some() && self.replay.is_none() {
            self.trouble = None;
        }
    }

    async fn learn(&mut self) -> Result<(), ReadStoreError> {
        let Some(folder) = &mut self.folder else { return self.open().await };
        let (vector, breaks) = (folder.vector.clone(), folder.continuity.breaks().count());
        if !folder.reload().await? {
            return self.open().await;
        }
        // Records may be missing from the batch when the store went back, or a partition that was
        // skipped here goes on.
        if !folder.vector.covers(&vector) || folder.continuity.breaks().count() < breaks {
            self.batch.clear();
            self.source.restart(folder.vector.clone());
        }
        Ok(())
    }

    /// Opens the live generation, created when there is none, in a store that is prepared here.
    async fn open(&mut self) -> Result<(), ReadStoreError> {
        self.folder = None;
        self.batch.clear();
        let Placement { projection, store } = &self.placement.clone();
        if !self.prepared {
            store.prepare().await?;
            self.prepared = true;
        }
        let (states, live) = with_live(&**store, &**projection).await?;
        self.show(&states);
        self.outdated = live.version != projection.version();
        if !self.outdated {
            let (store, projection) = (Arc::clone(store), Arc::clone(projection));
            let versions = self.reading.settings.versions_remembered_max;
            self.folder = Folder::open(store, projection, live.generation, versions).await?;
        }
        if let Some(folder) = &self.folder {
            self.source.restart(folder.vector.clone());
            self.trouble = None;
        }
        Ok(())
    }

    /// Looks whether another generation has become the live one.
    async fn look(&mut self) {
        let store = Arc::clone(&self.placement.store);
        match of_projection(&*store, self.name()).await {
            Err(error) => self.failed(&error),
            Ok(states) => {
                self.show(&states);
                let live = live_of(&states).map(|live| &live.generation);
                if live != self.folder.as_ref().map(|folder| &folder.generation)
                    && let Err(error) = self.open().await
                {
                    self.failed(&error);
                }
            }
        }
    }

    fn show(&mut self, states: &[ProjectionState]) {
        self.generations = states.iter().map(GenerationStatus::from).collect();
    }

    async fn control(&mut self, control: Control) {
        match control {
            Control::Pause(reply) => {
                self.paused = true;
                self.batch.clear();
                let vector = self.folder.as_ref().map(|folder| folder.vector.clone());
                self.source.restart(vector.unwrap_or_default());
                self.publish(self.state());
                answer(reply, Ok(()));
            }
            Control::Resume(reply) => {
                self.paused = false;
                self.retry_at = Some(Instant::now());
                self.publish(self.state());
                answer(reply, Ok(()));
            }
            Control::Hold(reply) => self.hold(reply).await,
            Control::Replay { stream, reply } => self.start_replay(stream, reply),
            Control::AcceptGap { partition, reply } => {
                let accepted = self.accept_gap(partition).await;
                self.publish(self.state());
                answer(reply, accepted);
            }
        }
    }

    async fn hold(&mut self, reply: Reply<oneshot::Sender<()>>) {
        let (guard, released) = oneshot::channel();
        self.publish(RunState::Held);
        answer(reply, Ok(guard));
        // The guard is dropped, never used: either way the wait is over.
        let held_max = self.reading.settings.promotion_max * 2;
        tokio::select! {
            () = self.cancel.cancelled() => {}
            result = timeout(held_max, released) => {
                if result.is_err() {
                    tracing::warn!(projection = self.name(), "held too long; going on");
                }
            }
        }
        if let Err(error) = self.open().await {
            self.failed(&error);
        }
    }

    fn start_replay(&mut self, stream: String, reply: Reply<Replayed>) {
        let projection = self.name().to_owned();
        let refusal = match (&self.folder, &self.replay) {
            (Some(folder), None) if !self.paused => match folder.parked.get(&stream) {
                Some(parked) => {
                    self.replay = Some(Replay::start(parked, self.reading.clone(), reply));
                    return;
                }
                None => ProjectorError::NotParked { projection, stream },
            },
            (_, Some(running)) => ProjectorError::NotReady(format!(
                "projection `{projection}` is replaying `{}` already",
                running.stream()
            )),
            _ => ProjectorError::NotReady(format!("projection `{projection}` does not run")),
        };
        answer(reply, Err(refusal));
    }

    async fn replay(&mut self) {
        let (Some(folder), Some(replay)) = (&mut self.folder, &mut self.replay) else { return };
        match replay.step(folder).await {
            Ok(Step::GoesOn) => self.backoff.worked(),
            Ok(Step::Superseded) => self.superseded(),
            Err(error) => self.failed(&error),
            Ok(Step::Done(replayed)) => {
                self.trouble = None;
                self.publish(self.state());
                if let Some(replay) = self.replay.take() {
                    tracing::info!(
                        projection = self.name(),
                        stream = replay.stream(),
                        events = replayed.events,
                        freed = replayed.parked.is_none(),
                        "replayed"
                    );
                    replay.answer(Ok(replayed));
                }
            }
        }
    }

    async fn accept_gap(&mut self, partition: u32) -> Result<Break, ProjectorError> {
        let Some(folder) = &mut self.folder else {
            let name = self.name();
            return Err(ProjectorError::NotReady(format!("projection `{name}` does not run")));
        };
        let accepted = folder.accept_gap(partition).await;
        self.batch.clear();
        self.source.restart(folder.vector.clone());
        self.retry_at = Some(Instant::now());
        accepted
    }

    fn name(&self) -> &'static str {
        self.placement.projection.name()
    }

    fn publish(&mut self, state: RunState) {
        let projection = self.name();
        let rate_per_second = self.rate.per_second(Instant::now());
        let mut told = Told {
            state: Some(state),
            events_total: self.rate.total,
            rate_per_second,
            shared_reader: self.source.shared(),
            trouble: self.trouble.clone(),
            replays: self.replay.as_ref().map(Replay::trouble),
            generations: self.generations.clone(),
            ..Told::default()
        };
        if let Some(folder) = &self.folder {
            told.generation = folder.generation.number;
            told.vector = folder.vector.clone();
            told.last_event_at = folder.last_event_at;
            told.breaks = folder.continuity.breaks().cloned().collect();
            told.parked = folder.dead_letters();
        }
        let parked = u32::try_from(told.parked.len()).unwrap_or(u32::MAX);
        metrics::gauge!("waylog_projection_parked_streams", "projection" => projection).set(parked);
        let broken = u32::try_from(told.breaks.len()).unwrap_or(u32::MAX);
        metrics::gauge!("waylog_projection_broken_partitions", "projection" => projection)
            .set(broken);
        self.told.send_replace(told);
    }
}

async fn more(replay: &mut Option<Replay>) {
    match replay {
        Some(replay) => replay.more().await,
        None => std::future::pending().await,
    }
}
