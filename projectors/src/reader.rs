//! Reading the log on an OS thread: polls, decodes each event once, and never gives up.
//!
//! When the log or the schema registry is away, or fails, it waits with a capped, doubling pause
//! and tries again; it never skips a record and never parks anything on their account. [`Feed`] and
//! [`OwnReader`] are its two users.
//!
//! [`Feed`]: crate::feed::Feed

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use domain::PositionVector;
use event_log::{EventLog, LogError, LogReader, LogRecord};
use tokio::sync::mpsc;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::decoded::{Chunk, EventDecoder, Item};
use crate::settings::{Backoff, ProjectorSettings};

/// Everything that reading needs; cheap to clone.
#[derive(Clone)]
pub(crate) struct Reading {
    pub(crate) log: Arc<dyn EventLog>,
    pub(crate) decoder: Arc<dyn EventDecoder>,
    pub(crate) settings: Arc<ProjectorSettings>,
    /// Counts the threads that still run.
    pub(crate) tracker: tokio_util::task::TaskTracker,
    /// Raised once for the whole process.
    pub(crate) stop: Arc<Stop>,
}

/// Why something makes no progress at present; nothing when it does. Each reader has its own: what
/// one reads well may be what another cannot read.
#[derive(Debug, Default)]
pub(crate) struct Trouble(Mutex<Option<String>>);

impl Trouble {
    pub(crate) fn set(&self, reason: Option<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = reason;
    }

    pub(crate) fn reason(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The trouble of whatever reads for somebody at present, for others to see.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hearing(Arc<Mutex<Arc<Trouble>>>);

impl Hearing {
    pub(crate) fn listen_to(&self, trouble: Arc<Trouble>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }

    pub(crate) fn reason(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).reason()
    }
}

/// Tells threads to end, and wakes them from their pauses.
#[derive(Debug, Default)]
pub(crate) struct Stop {
    raised: Mutex<bool>,
    wake: Condvar,
}

impl Stop {
    pub(crate) fn raise(&self) {
        *self.raised.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.wake.notify_all();
    }

    pub(crate) fn raised(&self) -> bool {
        *self.raised.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits, but not beyond the end. Whether the end has come.
    pub(crate) fn pause(&self, pause: Duration) -> bool {
        let raised = self.raised.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.wake.wait_timeout_while(raised, pause, |raised| !*raised);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// One pass over the log from a vector on, chunk by chunk.
pub(crate) struct ReadLoop {
    reading: Reading,
    trouble: Arc<Trouble>,
    partitions: Vec<u32>,
    reader: Option<Box<dyn LogReader>>,
    /// Everything up to here was handed out.
    at: PositionVector,
    /// Read and not yet handed out.
    pending: VecDeque<LogRecord>,
    /// Partitions that a corrupt log keeps from going on, and how far they were read: the trouble
    /// is not over because others go on.
    stuck: Vec<(u32, Option<i64>)>,
    /// When records came last, or the reader was looked after.
    heard_at: Instant,
    backoff: Backoff,
}

impl ReadLoop {
    /// Reads after `start`; of all partitions when none is named.
    pub(crate) fn new(
        reading: Reading,
        trouble: Arc<Trouble>,
        start: PositionVector,
        partitions: Vec<u32>,
    ) -> Self {
        let backoff = Backoff::new(&reading.settings);
        Self {
            reading,
            trouble,
            partitions,
            reader: None,
            at: start,
            pending: VecDeque::new(),
            stuck: Vec::new(),
            heard_at: Instant::now(),
            backoff,
        }
    }

    /// The next chunk; nothing when none came within the poll's wait or the pause after a failure.
    pub(crate) fn next(&mut self) -> Option<Chunk> {
        if self.pending.is_empty() {
            match self.poll() {
                Ok(records) => {
                    if records.is_empty() {
                        self.look_after();
                    } else {
                        self.heard_at = Instant::now();
                    }
                    self.pending.extend(records);
                }
                Err(error) => {
                    self.look_after();
                    // After any other failure the reader may not be used again.
                    if !matches!(error, LogError::Unavailable { .. }) {
                        self.reader = None;
                    }
                    if matches!(error, LogError::Corrupt(_)) {
                        self.stuck = self.behind();
                    }
                    self.failed(&format!("{}: {error}", error.code()));
                    return None;
                }
            }
        }
        self.decode()
    }

    /// Takes another reader when this one has been silent for long and the log has more: a client
    /// of Kafka has been seen to fetch nothing any more after its broker had stood still.
    fn look_after(&mut self) {
        if self.heard_at.elapsed() < self.reading.settings.silence_max {
            return;
        }
        self.heard_at = Instant::now();
        let behind = self.behind();
        if self.reader.is_some() && !behind.is_empty() {
            tracing::warn!(?behind, "the log has more and its reader is silent; taking another");
            self.reader = None;
        }
    }

    fn poll(&mut self) -> Result<Vec<LogRecord>, LogError> {
        let reader = match &mut self.reader {
            Some(reader) => reader,
            empty => empty.insert(self.reading.log.reader(&self.at, &self.partitions)?),
        };
        let settings = &self.reading.settings;
        reader.poll(settings.chunk_records_max, settings.poll_wait)
    }

    fn decode(&mut self) -> Option<Chunk> {
        let mut chunk = Chunk::default();
        let mut away = None;
        while let Some(record) = self.pending.pop_front() {
            let bytes = match &record {
                LogRecord::Event(event) => event.value.len(),
                LogRecord::Opened(_) | LogRecord::Unreadable(_) => 0,
            };
            match Item::from_record(record, &*self.reading.decoder) {
                Ok(item) => {
                    chunk.items.push(item);
                    chunk.bytes += bytes;
                }
                Err((record, reason)) => {
                    self.pending.push_front(*record);
                    away = Some(reason);
                    break;
                }
            }
            if chunk.bytes >= self.reading.settings.chunk_bytes_max {
                break;
            }
        }
        if let Some(reason) = away
            && chunk.items.is_empty()
        {
            self.failed(&format!("schema registry: {reason}"));
            return None;
        }
        self.backoff.worked();
        chunk.advance(&mut self.at);
        let at = &self.at;
        self.stuck.retain(|(partition, read)| at.offset(*partition) == *read);
        if self.stuck.is_empty() {
            self.trouble.set(None);
        }
        (!chunk.items.is_empty()).then_some(chunk)
    }

    /// The partitions that have more, and how far they were read; none when the end is not known.
    fn behind(&self) -> Vec<(u32, Option<i64>)> {
        let Ok(end) = self.reading.log.end() else { return Vec::new() };
        end.iter()
            .filter(|end| self.partitions.is_empty() || self.partitions.contains(&end.partition))
            .filter(|end| !self.at.includes(*end))
            .map(|end| (end.partition, self.at.offset(end.partition)))
            .collect()
    }

    fn failed(&mut self, reason: &str) {
        let pause = self.backoff.failed();
        if self.trouble.reason().is_none() {
            tracing::warn!(reason, "reading the log makes no progress; trying on");
        }
        self.trouble.set(Some(reason.to_owned()));
        self.reading.stop.pause(pause);
    }
}

/// A reader that feeds one consumer. It ends soon after it is dropped.
pub(crate) struct OwnReader {
    chunks: mpsc::Receiver<Arc<Chunk>>,
    trouble: Arc<Trouble>,
}

impl OwnReader {
    pub(crate) fn start(reading: Reading, start: PositionVector, partitions: Vec<u32>) -> Self {
        let (sender, chunks) = mpsc::channel(reading.settings.chunks_waiting_max);
        let token = reading.tracker.token();
        let trouble = Arc::new(Trouble::default());
        let told = Arc::clone(&trouble);
        spawn("waylog-read", move || {
            let _running: TaskTrackerToken = token;
            let stop = Arc::clone(&reading.stop);
            let mut pass = ReadLoop::new(reading, told, start, partitions);
            while !stop.raised() && !sender.is_closed() {
                if let Some(chunk) = pass.next()
                    && sender.blocking_send(Arc::new(chunk)).is_err()
                {
                    break;
                }
            }
        });
        Self { chunks, trouble }
    }

    /// Why it makes no progress at present.
    pub(crate) fn trouble(&self) -> Arc<Trouble> {
        Arc::clone(&self.trouble)
    }

    /// The next chunk; pending for ever once the process stops. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Arc<Chunk> {
        match self.chunks.recv().await {
            Some(chunk) => chunk,
            None => std::future::pending().await,
        }
    }

    pub(crate) fn next_now(&mut self) -> Option<Arc<Chunk>> {
        self.chunks.try_recv().ok()
    }
}

/// Starts a thread of ours.
pub(crate) fn spawn(name: &str, work: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(work)
        .expect("the system has a thread left: their number is bounded by the projections");
}
