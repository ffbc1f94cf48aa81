//! The task that fills one generation beside the live one (see [`crate::rebuild`]).
//!
//! Reading and decoding run on a thread of their own, folding and writing here, with large batches:
//! the store is the bound. Records beyond the vector that the candidate is filled up to are held
//! back, up to a bound; then they are read again later.

use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::PositionVector;
use read_models::{Generation, ReadStoreError};
use tokio::sync::{mpsc, watch};
use tokio::time::sleep_until;
use tokio_util::sync::CancellationToken;

use crate::aim::{Aim, take_over_acceptances};
use crate::comparison::{Comparison, Snapshot, Verdict};
use crate::continuity::Break;
use crate::control::{Control, Reply, answer};
use crate::decoded::{Chunk, Item, distance};
use crate::error::ProjectorError;
use crate::folder::{Folder, Taken};
use crate::generations::{live_of, of_projection};
use crate::placement::Placement;
use crate::rate::Rate;
use crate::reader::Reading;
use crate::rebuild::{Proof, RebuildState, RebuildStatus};
use crate::settings::Backoff;
use crate::source::Source;

/// Records held back beyond the aim before they are rather read again.
const HELD_MAX: usize = 8_192;

/// What a candidate can be asked.
pub(crate) enum CandidateControl {
    Pause(Reply<()>),
    Resume(Reply<()>),
    AcceptGap { partition: u32, reply: Reply<Break> },
    Promote { proof: Proof, reply: Reply<()> },
}

/// What a candidate is started with.
pub(crate) struct CandidateStart {
    pub(crate) placement: Placement,
    pub(crate) reading: Reading,
    pub(crate) generation: Generation,
    pub(crate) controls: mpsc::Receiver<CandidateControl>,
    pub(crate) live: mpsc::Sender<Control>,
    pub(crate) told: watch::Sender<RebuildStatus>,
    pub(crate) end: watch::Receiver<PositionVector>,
    pub(crate) cancel: CancellationToken,
}

/// A generation that is filled beside the live one.
pub(crate) struct Candidate {
    pub(crate) start: CandidateStart,
    pub(crate) source: Source,
    pub(crate) folder: Option<Folder>,
    pub(crate) aim: Aim,
    look_at: Instant,
    batch: Vec<Arc<Chunk>>,
    held: Vec<(Arc<Chunk>, usize)>,
    overflown: bool,
    pub(crate) over: Option<RebuildState>,
    pub(crate) paused: bool,
    pub(crate) caught_up: bool,
    pub(crate) indexed: bool,
    pub(crate) retry_at: Option<Instant>,
    backoff: Backoff,
    pub(crate) trouble: Option<String>,
    pub(crate) rate: Rate,
    pub(crate) comparison: Option<Comparison>,
}

impl Candidate {
    pub(crate) fn new(start: CandidateStart) -> Self {
        let name = start.placement.projection.name();
        let source = Source::new(name, start.reading.clone(), None, PositionVector::empty());
        let backoff = Backoff::new(&start.reading.settings);
        Self {
            start,
            source,
            folder: None,
            aim: Aim::Nowhere,
            look_at: Instant::now(),
            batch: Vec::new(),
            held: Vec::new(),
            overflown: false,
            over: None,
            paused: false,
            caught_up: false,
            indexed: false,
            retry_at: Some(Instant::now()),
            backoff,
            trouble: None,
            rate: Rate::new(Instant::now()),
            comparison: None,
        }
    }

    /// Runs until it is promoted, dropped or cancelled.
    pub(crate) async fn run(mut self) {
        while self.over.is_none() {
            self.publish();
            let ready = self.retry_at.is_none() && !self.paused && self.folder.is_some();
            let aims = !matches!(self.aim, Aim::Nowhere);
            // A partition that stopped keeps it from its aim until the break is accepted.
            let stopped = self.folder.as_ref().is_some_and(|f| f.continuity.breaks().count() > 0);
            let looks = ready && (stopped || !matches!(self.aim, Aim::Live(_)));
            let retry_at = self.retry_at.unwrap_or_else(Instant::now);
            tokio::select! {
                () = self.start.cancel.cancelled() => self.over = Some(RebuildState::Stopped),
                control = self.start.controls.recv() => match control {
                    Some(control) => self.control(control).await,
                    None => self.over = Some(RebuildState::Stopped),
                },
                () = sleep_until(retry_at.into()), if self.retry_at.is_some() => {
                    self.recover().await;
                }
                () = sleep_until(self.look_at.into()), if looks => self.round().await,
                chunk = self.source.next(), if ready && aims => {
                    self.collect(chunk).await;
                    self.work().await;
                }
            }
        }
        self.publish();
    }

    async fn control(&mut self, control: CandidateControl) {
        match control {
            CandidateControl::Pause(reply) => {
                self.paused = true;
                self.publish();
                answer(reply, Ok(()));
            }
            CandidateControl::Resume(reply) => {
                self.paused = false;
                self.publish();
                answer(reply, Ok(()));
            }
            CandidateControl::AcceptGap { partition, reply } => {
                let accepted = match &mut self.folder {
                    Some(folder) => folder.accept_gap(partition).await,
                    None => Err(ProjectorError::NotReady("it has not started yet".to_owned())),
                };
                self.retry_at = Some(Instant::now());
                self.read_again();
                answer(reply, accepted);
            }
            CandidateControl::Promote { proof, reply } => {
                let promoted = self.promote(proof).await;
                if let Err(error) = &promoted {
                    tracing::warn!(projection = self.name(), code = error.code(), %error,
                        "not promoted");
                    // It may have been left anywhere: learn from the store.
                    self.retry_at = Some(Instant::now());
                }
                self.publish();
                answer(reply, promoted);
            }
        }
    }

    /// Takes the next aim, fills what is at hand, and compares when that reaches it.
    async fn round(&mut self) {
        if let Err(error) = self.take_aim().await {
            return self.failed(&error);
        }
        if self.over.is_some() {
            return;
        }
        self.work().await;
        if self.caught_up
            && matches!(self.aim, Aim::Anywhere)
            && let Err(error) = self.compare(false).await
        {
            self.failed(&error);
        }
    }

    pub(crate) async fn take_aim(&mut self) -> Result<(), ReadStoreError> {
        let settings = Arc::clone(&self.start.reading.settings);
        self.look_at = Instant::now() + settings.compare_interval;
        let store = Arc::clone(&self.start.placement.store);
        let states = of_projection(&*store, self.name()).await?;
        let Some(folder) = &mut self.folder else { return Ok(()) };
        let own = states.iter().find(|state| state.generation == folder.generation);
        self.over = match own {
            None => Some(RebuildState::Dropped),
            Some(own) if own.live => Some(RebuildState::Promoted),
            Some(_) => None,
        };
        let Some(live) = live_of(&states).filter(|_| self.over.is_none()) else { return Ok(()) };
        let again = take_over_acceptances(folder, live).await?;
        self.aim = if live.version == folder.projection.version() {
            let snapshot = Snapshot::of(&*store, &live.generation).await?;
            // Ahead of the live one there is nothing to compare: wait until that comes by.
            if snapshot.vector.covers(&folder.vector) {
                Aim::Live(Box::new(snapshot))
            } else {
                Aim::Nowhere
            }
        } else {
            Aim::Anywhere
        };
        if again || self.overflown {
            self.read_again();
        }
        Ok(())
    }

    async fn collect(&mut self, first: Arc<Chunk>) {
        // What has just failed may have been too long for its deadline.
        let long = self.start.placement.store.capabilities().long_batches && self.trouble.is_none();
        self.batch.push(first);
        self.source.gather(&mut self.batch, long).await;
    }

    /// Folds what is at hand up to the aim.
    pub(crate) async fn work(&mut self) {
        let Some(folder) = &mut self.folder else { return };
        let fresh = self
            .batch
            .iter()
            .flat_map(|chunk| (0..chunk.items.len()).map(move |index| (Arc::clone(chunk), index)));
        let at_hand: Vec<(Arc<Chunk>, usize)> = self.held.iter().cloned().chain(fresh).collect();
        let (due, beyond): (Vec<_>, Vec<_>) = at_hand
            .into_iter()
            .partition(|(chunk, index)| self.aim.includes(chunk.items[*index].position()));
        let items: Vec<&Item> = due.iter().map(|(chunk, index)| &chunk.items[*index]).collect();
        match folder.take(&items).await {
            Ok(Taken::Folded(_)) => {
                self.rate.count(items.len() as u64, Instant::now());
                self.batch.clear();
                self.overflown |= beyond.len() > HELD_MAX;
                self.held = if self.overflown { Vec::new() } else { beyond };
                self.backoff.worked();
                self.trouble = None;
                if let Err(error) = self.arrived().await {
                    self.failed(&error);
                }
            }
            Ok(Taken::Superseded) => {
                self.retry_at = Some(Instant::now() + self.backoff.failed());
            }
            Ok(Taken::Suspicious) => self.read_again(),
            Err(error) => self.failed(&error),
        }
    }

    /// Compares when the aim is reached.
    async fn arrived(&mut self) -> Result<(), ReadStoreError> {
        let Some(folder) = &self.folder else { return Ok(()) };
        match &self.aim {
            Aim::Nowhere => Ok(()),
            Aim::Anywhere => {
                let left = distance(&folder.vector, &self.start.end.borrow());
                let near = left <= self.start.reading.settings.join_distance_offsets;
                self.caught_up = near && self.index().await?;
                Ok(())
            }
            Aim::Live(live) if folder.vector.covers(&live.vector) => {
                if !self.index().await? {
                    return Ok(());
                }
                self.compare(true).await?;
                let settings = &self.start.reading.settings;
                let end = self.start.end.borrow().clone();
                let far = self.folder.as_ref().map_or(0, |folder| distance(&folder.vector, &end));
                self.caught_up = far <= settings.join_distance_offsets;
                let pause = if self.caught_up { settings.compare_interval } else { Duration::ZERO };
                self.look_at = Instant::now() + pause;
                self.aim = Aim::Nowhere;
                if self.overflown {
                    self.read_again();
                }
                Ok(())
            }
            Aim::Live(_) => Ok(()),
        }
    }

    async fn compare(&mut self, same_version: bool) -> Result<(), ReadStoreError> {
        let Some(folder) = &self.folder else { return Ok(()) };
        let found = Snapshot::of(&*folder.store, &folder.generation).await?;
        let expected = match &self.aim {
            Aim::Live(live) => (**live).clone(),
            Aim::Nowhere | Aim::Anywhere => {
                let states = of_projection(&*folder.store, folder.projection.name()).await?;
                let Some(live) = live_of(&states) else { return Ok(()) };
                Snapshot::of(&*folder.store, &live.generation).await?
            }
        };
        let comparison = Comparison::of(&expected, &found, same_version);
        if comparison.verdict == Verdict::Different {
            tracing::error!(projection = self.name(), %comparison, "rebuilt rows differ");
        }
        self.comparison = Some(comparison);
        Ok(())
    }

    /// Waits for one thing to do, and does it.
    pub(crate) async fn step(&mut self) {
        if let Some(at) = self.retry_at {
            sleep_until(at.into()).await;
            return self.recover().await;
        }
        if matches!(self.aim, Aim::Nowhere) {
            sleep_until(self.look_at.into()).await;
            return self.round().await;
        }
        let chunk = self.source.next().await;
        self.collect(chunk).await;
        self.work().await;
    }

    async fn recover(&mut self) {
        self.retry_at = None;
        if let Err(error) = self.learn().await {
            return self.failed(&error);
        }
        if self.trouble.is_some() && self.folder.is_some() {
            self.read_again();
        }
        if self.over.is_none() {
            self.work().await;
        }
    }

    async fn learn(&mut self) -> Result<(), ReadStoreError> {
        let Some(folder) = &mut self.folder else { return self.open().await };
        let vector = folder.vector.clone();
        if !folder.reload().await? {
            self.over = Some(RebuildState::Dropped);
        } else if !folder.vector.covers(&vector) {
            self.read_again();
        }
        self.aim = Aim::Nowhere;
        self.look_at = Instant::now();
        Ok(())
    }

    async fn open(&mut self) -> Result<(), ReadStoreError> {
        let Placement { projection, store } = self.start.placement.clone();
        let generation = self.start.generation.clone();
        let versions = self.start.reading.settings.versions_remembered_max;
        self.folder = Folder::open(store, projection, generation, versions).await?;
        if self.folder.is_none() {
            self.over = Some(RebuildState::Dropped);
        }
        self.read_again();
        self.trouble = None;
        Ok(())
    }

    /// Fills on to wherever the log ends.
    pub(crate) fn aim_anywhere(&mut self) {
        self.aim = Aim::Anywhere;
        if self.overflown {
            self.read_again();
        }
    }

    /// Drops what is at hand and reads from the vector.
    fn read_again(&mut self) {
        self.batch.clear();
        self.held.clear();
        self.overflown = false;
        let vector = self.folder.as_ref().map(|folder| folder.vector.clone());
        self.source.restart(vector.unwrap_or_default());
    }

    pub(crate) fn failed(&mut self, error: &ReadStoreError) {
        if self.trouble.is_none() {
            let code = error.code();
            tracing::warn!(projection = self.name(), code, %error, "no progress; trying on");
        }
        self.trouble = Some(format!("{}: {error}", error.code()));
        self.retry_at = Some(Instant::now() + self.backoff.failed());
    }

    pub(crate) fn name(&self) -> &'static str {
        self.start.placement.projection.name()
    }
}
