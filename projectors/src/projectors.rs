//! All projections of a process: started together, observed, operated, and shut down.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use domain::{PositionVector, Timestamp};
use event_log::EventLog;
use read_models::{Generation, ReadStore};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::candidate::{Candidate, CandidateControl, CandidateStart};
use crate::control::{Control, Reply};
use crate::decoded::{EventDecoder, distance};
use crate::error::ProjectorError;
use crate::feed::Feed;
use crate::placement::{Placement, Told};
use crate::reader::{Hearing, Reading, Stop, Trouble};
use crate::rebuild::RebuildStatus;
use crate::rebuilds::last_word;
use crate::runner::Runner;
use crate::settings::ProjectorSettings;
use crate::status::{DeadLetter, ProjectionStatus, Readiness, RunState};
use crate::supervision::{keep_candidates, starting, watch_end};
use crate::verify::{Verification, verify};

/// Questions that may wait for a projection at once.
const CONTROLS_WAITING_MAX: usize = 16;

/// The projections of this process. Cheap to clone; they run until [`Projectors::shutdown`].
#[derive(Clone)]
pub struct Projectors(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) reading: Reading,
    pub(crate) entries: BTreeMap<&'static str, Entry>,
    feed: Arc<Feed>,
    end: watch::Receiver<PositionVector>,
    end_trouble: Arc<Trouble>,
    pub(crate) cancel: CancellationToken,
}

pub(crate) struct Entry {
    pub(crate) placement: Placement,
    pub(crate) controls: mpsc::Sender<Control>,
    pub(crate) told: watch::Receiver<Told>,
    hearing: Hearing,
    candidates: Mutex<BTreeMap<u32, CandidateHandle>>,
    /// One rebuild is started, cancelled or rolled back at a time.
    pub(crate) changing: tokio::sync::Mutex<()>,
    /// When it was last seen at the log's end, in microseconds.
    at_end: AtomicI64,
}

#[derive(Clone)]
pub(crate) struct CandidateHandle {
    pub(crate) controls: mpsc::Sender<CandidateControl>,
    pub(crate) told: watch::Receiver<RebuildStatus>,
    hearing: Hearing,
    cancel: CancellationToken,
}

impl Projectors {
    /// Starts reading the log and folding it into all of these. Stores and log may be away: the
    /// projections start when they come, and prepare their stores before they use them.
    #[must_use]
    pub fn start(
        log: Arc<dyn EventLog>,
        decoder: Arc<dyn EventDecoder>,
        placements: Vec<Placement>,
        settings: ProjectorSettings,
    ) -> Self {
        let reading = Reading {
            log,
            decoder,
            settings: Arc::new(settings),
            tracker: TaskTracker::new(),
            stop: Arc::new(Stop::default()),
        };
        let cancel = CancellationToken::new();
        let feed = Feed::start(reading.clone(), placements.len());
        let end_trouble = Arc::new(Trouble::default());
        let end = watch_end(&reading, Arc::clone(&end_trouble));
        let mut entries = BTreeMap::new();
        for placement in placements {
            let (controls, asked) = mpsc::channel(CONTROLS_WAITING_MAX);
            let (tell, told) = watch::channel(Told::default());
            let runner = Runner::new(
                placement.clone(),
                reading.clone(),
                Arc::clone(&feed),
                asked,
                tell,
                cancel.child_token(),
            );
            let hearing = runner.source.hearing();
            reading.tracker.spawn(runner.run());
            let candidates = Mutex::new(BTreeMap::new());
            let changing = tokio::sync::Mutex::new(());
            let name = placement.projection.name();
            let at_end = AtomicI64::new(i64::MIN);
            let entry = Entry { placement, controls, told, hearing, candidates, changing, at_end };
            entries.insert(name, entry);
        }
        let inner = Arc::new(Inner { reading, entries, feed, end, end_trouble, cancel });
        for name in inner.entries.keys() {
            let keeper = keep_candidates(Arc::clone(&inner), name);
            inner.reading.tracker.spawn(keeper);
        }
        Self(inner)
    }

    /// All projections, by name.
    #[must_use]
    pub fn status(&self) -> Vec<ProjectionStatus> {
        self.0.entries.values().map(|entry| self.0.status(entry)).collect()
    }

    /// One projection.
    ///
    /// # Errors
    /// [`ProjectorError::UnknownProjection`].
    pub fn projection(&self, name: &str) -> Result<ProjectionStatus, ProjectorError> {
        self.0.entry(name).map(|entry| self.0.status(entry))
    }

    /// Stops folding until [`Projectors::resume`], or until the process starts again.
    ///
    /// # Errors
    /// [`ProjectorError`].
    pub async fn pause(&self, name: &str) -> Result<(), ProjectorError> {
        self.0.ask(name, Control::Pause).await
    }

    /// Goes on folding.
    ///
    /// # Errors
    /// [`ProjectorError`].
    pub async fn resume(&self, name: &str) -> Result<(), ProjectorError> {
        self.0.ask(name, Control::Resume).await
    }

    /// Goes on at the record at which a partition stopped because the log is not whole there:
    /// whatever is missing will be missing in the rows.
    ///
    /// # Errors
    /// [`ProjectorError::NotBroken`] when the partition is not stopped, here or in a rebuild.
    pub async fn accept_gap(
        &self,
        name: &str,
        partition: u32,
    ) -> Result<crate::Break, ProjectorError> {
        let live = self.0.ask(name, |reply| Control::AcceptGap { partition, reply }).await;
        let Err(ProjectorError::NotBroken { .. }) = &live else { return live };
        for candidate in self.0.entry(name)?.candidates().values() {
            let stopped = candidate
                .told
                .borrow()
                .breaks
                .iter()
                .any(|stopped| stopped.position.partition == partition);
            if stopped {
                let ask = |reply| CandidateControl::AcceptGap { partition, reply };
                return candidate.ask(ask).await;
            }
        }
        live
    }

    /// The streams that are parked, of all projections.
    #[must_use]
    pub fn dead_letters(&self) -> Vec<DeadLetter> {
        let told = |entry: &Entry| entry.told.borrow().parked.clone();
        self.0.entries.values().flat_map(told).collect()
    }

    /// Folds a parked stream again from where it was parked, and takes it off the list when that
    /// works. Takes as long as reading its partition from there on does.
    ///
    /// # Errors
    /// [`ProjectorError`].
    pub async fn replay(
        &self,
        name: &str,
        stream: &str,
    ) -> Result<crate::Replayed, ProjectorError> {
        self.0.ask(name, |reply| Control::Replay { stream: stream.to_owned(), reply }).await
    }

    /// Waits until the projection has read that far; false when it has not in time.
    ///
    /// # Errors
    /// [`ProjectorError::UnknownProjection`].
    pub async fn wait_until(
        &self,
        name: &str,
        vector: &PositionVector,
        patience: Duration,
    ) -> Result<bool, ProjectorError> {
        let mut told = self.0.entry(name)?.told.clone();
        let reached = timeout(patience, told.wait_for(|told| told.vector.covers(vector))).await;
        Ok(matches!(reached, Ok(Ok(_))))
    }

    /// Whether all projections do their work. A rebuild that does not is worth a warning: queries
    /// are answered from the live rows.
    #[must_use]
    pub fn readiness(&self) -> Readiness {
        let mut readiness = Readiness::default();
        let feed = self.0.feed.trouble().reason();
        for entry in self.0.entries.values() {
            let dispensable = entry.placement.projection.dispensable();
            let mut status = self.0.status(entry);
            // Said once, not of each that waits for the shared reader.
            status.trouble = status.trouble.filter(|trouble| feed.as_ref() != Some(trouble));
            readiness.add(status.troubles(), dispensable);
            let rebuilds = entry.candidates().into_values().map(|rebuild| rebuild.status());
            readiness.add(rebuilds.filter_map(|rebuild| rebuild.trouble()).collect(), true);
        }
        readiness.reasons.extend(feed.into_iter().chain(self.0.end_trouble.reason()));
        readiness
    }

    /// Proves that a projection's live rows are what the log says (see [`verify`]).
    ///
    /// # Errors
    /// [`ProjectorError`]: nothing is proved.
    pub async fn verify(
        &self,
        name: &str,
        scratch: Arc<dyn ReadStore>,
    ) -> Result<Verification, ProjectorError> {
        let placement = &self.0.entry(name)?.placement;
        let reading = &self.0.reading;
        let (log, decoder) = (Arc::clone(&reading.log), Arc::clone(&reading.decoder));
        verify(log, decoder, placement, scratch, (*reading.settings).clone()).await
    }

    /// Ends everything after the batches in hand, and waits for that, within `patience`. Whether
    /// all of it has ended.
    pub async fn shutdown(&self, patience: Duration) -> bool {
        self.0.cancel.cancel();
        self.0.reading.stop.raise();
        self.0.reading.tracker.close();
        timeout(patience, self.0.reading.tracker.wait()).await.is_ok()
    }
}

impl Inner {
    pub(crate) fn entry(&self, name: &str) -> Result<&Entry, ProjectorError> {
        self.entries.get(name).ok_or_else(|| ProjectorError::UnknownProjection(name.to_owned()))
    }

    async fn ask<T>(
        &self,
        name: &str,
        question: impl FnOnce(Reply<T>) -> Control,
    ) -> Result<T, ProjectorError> {
        let (reply, answer) = oneshot::channel();
        let sent = self.entry(name)?.controls.send(question(reply)).await;
        sent.map_err(|_| ProjectorError::Stopped)?;
        answer.await.map_err(|_| ProjectorError::Stopped)?
    }

    pub(crate) fn status(&self, entry: &Entry) -> ProjectionStatus {
        let told = entry.told.borrow().clone();
        let replays = || told.replays.as_ref().and_then(|trouble| trouble.reason());
        let trouble = told.trouble.or_else(|| entry.hearing.reason()).or_else(replays);
        let end = self.end.borrow();
        let lag_seconds = if told.vector.covers(&end) {
            entry.at_end.fetch_max(now().micros(), Ordering::Relaxed);
            Some(0.0)
        } else {
            // What it has not read was recorded after it was last seen at the end.
            let at_end = Timestamp::from_micros(entry.at_end.load(Ordering::Relaxed));
            told.last_event_at.map(|read| seconds_since(read.max(at_end)))
        };
        ProjectionStatus {
            name: entry.placement.projection.name(),
            version: entry.placement.projection.version(),
            state: told.state.unwrap_or(RunState::Starting),
            generation: told.generation,
            lag_seconds,
            lag_events: distance(&told.vector, &end),
            vector: told.vector,
            last_event_at: told.last_event_at,
            events_total: told.events_total,
            rate_per_second: told.rate_per_second,
            breaks: told.breaks,
            parked: told.parked.len(),
            shared_reader: told.shared_reader,
            trouble,
            generations: told.generations,
        }
    }

    /// Starts to fill a generation, unless that runs already.
    pub(crate) fn fill(&self, entry: &Entry, number: u32) -> CandidateHandle {
        let mut candidates = entry.locked();
        if let Some(running) = candidates.get(&number).filter(|c| !c.told.borrow().state.over()) {
            return running.clone();
        }
        let (controls, asked) = mpsc::channel(CONTROLS_WAITING_MAX);
        let placement = entry.placement.clone();
        let projection = placement.projection.name();
        let (tell, told) = watch::channel(starting(&placement, number));
        let cancel = self.cancel.child_token();
        let candidate = Candidate::new(CandidateStart {
            placement,
            reading: self.reading.clone(),
            generation: Generation { projection: projection.to_owned(), number },
            controls: asked,
            live: entry.controls.clone(),
            told: tell,
            end: self.end.clone(),
            cancel: cancel.clone(),
        });
        let hearing = candidate.source.hearing();
        self.reading.tracker.spawn(candidate.run());
        let handle = CandidateHandle { controls, told, hearing, cancel };
        candidates.insert(number, handle.clone());
        handle
    }
}

impl Entry {
    pub(crate) fn candidates(&self) -> BTreeMap<u32, CandidateHandle> {
        self.locked().clone()
    }

    /// Notes that a generation is gone for good.
    pub(crate) fn dropped(&self, number: u32) {
        if let Some(candidate) = self.locked().get_mut(&number) {
            let last = last_word(&candidate.told.borrow());
            candidate.told = watch::channel(last).1;
        }
    }

    fn locked(&self) -> MutexGuard<'_, BTreeMap<u32, CandidateHandle>> {
        self.candidates.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CandidateHandle {
    /// What it tells of itself, and what its reader does.
    pub(crate) fn status(&self) -> RebuildStatus {
        let mut status = self.told.borrow().clone();
        if !status.state.over() {
            status.trouble = status.trouble.or_else(|| self.hearing.reason());
        }
        status
    }

    pub(crate) async fn ask<T>(
        &self,
        question: impl FnOnce(Reply<T>) -> CandidateControl,
    ) -> Result<T, ProjectorError> {
        let (reply, answer) = oneshot::channel();
        let sent = self.controls.send(question(reply)).await;
        sent.map_err(|_| ProjectorError::Stopped)?;
        answer.await.map_err(|_| ProjectorError::Stopped)?
    }

    /// Ends the task and waits for that.
    pub(crate) async fn stop(&mut self) {
        self.cancel.cancel();
        // An error means that the task is gone: that is what is waited for.
        if self.told.wait_for(|told| told.state.over()).await.is_err() {
            tracing::debug!("the task was gone already");
        }
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

fn seconds_since(instant: Timestamp) -> f64 {
    now().since(instant).as_secs_f64()
}
