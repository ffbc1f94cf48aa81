//! Where one projection gets its records from: the shared feed, or a reader of its own while it is
//! behind.
//!
//! A projection that is far behind, was paused, or fell off the feed reads by itself; once it is
//! close it joins the feed, reads the gap, and drops its own reader. Records that it has already
//! are handed out again now and then: the consumer skips what its vector includes.

use std::sync::Arc;

use domain::PositionVector;
use tokio::time::timeout;

use crate::decoded::Chunk;
use crate::feed::{Feed, Joined};
use crate::reader::{Hearing, OwnReader, Reading};

/// How many times longer a rebuild's batch is where nobody has to wait for it: it meets each row
/// once, instead of again and again.
const LONG_BATCH: usize = 8;

/// One projection's stream of chunks.
pub(crate) struct Source {
    projection: &'static str,
    reading: Reading,
    /// Nothing: it never joins (a rebuild reads far behind the live ones).
    feed: Option<Arc<Feed>>,
    /// Everything up to here was handed out, or was there before.
    at: PositionVector,
    mode: Mode,
    hearing: Hearing,
}

enum Mode {
    Fresh,
    Own { reader: OwnReader, joined: Option<Joined> },
    Shared(tokio::sync::mpsc::Receiver<Arc<Chunk>>),
}

impl Source {
    /// Reads after `start`.
    pub(crate) fn new(
        projection: &'static str,
        reading: Reading,
        feed: Option<Arc<Feed>>,
        start: PositionVector,
    ) -> Self {
        let hearing = Hearing::default();
        Self { projection, reading, feed, at: start, mode: Mode::Fresh, hearing }
    }

    /// Where it is heard why reading makes no progress, whoever reads.
    pub(crate) fn hearing(&self) -> Hearing {
        self.hearing.clone()
    }

    /// Begins anew after `start`.
    pub(crate) fn restart(&mut self, start: PositionVector) {
        self.at = start;
        self.change(Mode::Fresh);
    }

    /// Whether it reads from the shared feed at present.
    pub(crate) const fn shared(&self) -> bool {
        matches!(self.mode, Mode::Shared(_))
    }

    /// The next chunk. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Arc<Chunk> {
        loop {
            self.arrange();
            let chunk = match &mut self.mode {
                Mode::Fresh => continue,
                Mode::Own { reader, .. } => Some(reader.next().await),
                Mode::Shared(chunks) => chunks.recv().await,
            };
            match chunk {
                Some(chunk) => return self.handed_out(chunk),
                None if self.reading.stop.raised() => std::future::pending().await,
                None => self.change(self.own(None)),
            }
        }
    }

    /// The next chunk, if one is here already.
    pub(crate) fn next_now(&mut self) -> Option<Arc<Chunk>> {
        self.arrange();
        let chunk = match &mut self.mode {
            Mode::Fresh => None,
            Mode::Own { reader, .. } => reader.next_now(),
            Mode::Shared(chunks) => chunks.try_recv().ok(),
        };
        chunk.map(|chunk| self.handed_out(chunk))
    }

    /// Fills a rebuild's batch up to its bounds, as long as chunks follow each other closely.
    pub(crate) async fn gather(&mut self, batch: &mut Vec<Arc<Chunk>>, long: bool) {
        let settings = Arc::clone(&self.reading.settings);
        let events_max = settings.rebuild_batch_events_max * if long { LONG_BATCH } else { 1 };
        let mut events: usize = batch.iter().map(|chunk| chunk.items.len()).sum();
        let mut bytes: usize = batch.iter().map(|chunk| chunk.bytes).sum();
        while events < events_max && bytes < settings.rebuild_batch_bytes_max {
            let next = timeout(settings.batch_collect_max, self.next());
            let Ok(chunk) = next.await else { break };
            events += chunk.items.len();
            bytes += chunk.bytes;
            batch.push(chunk);
        }
    }

    fn handed_out(&mut self, chunk: Arc<Chunk>) -> Arc<Chunk> {
        chunk.advance(&mut self.at);
        chunk
    }

    /// Changes from one mode to the next where that is due.
    fn arrange(&mut self) {
        let near = self
            .feed
            .as_ref()
            .filter(|feed| feed.near(&self.at, self.reading.settings.join_distance_offsets));
        let join = |feed: &Arc<Feed>| feed.join(self.projection, &self.at, &self.reading);
        match &mut self.mode {
            Mode::Shared(_) => {}
            Mode::Fresh => {
                let mode = match near.map(join) {
                    Some(joined) if self.at.covers(&joined.read) => Mode::Shared(joined.chunks),
                    joined => self.own(joined),
                };
                self.change(mode);
            }
            Mode::Own { joined, .. } => {
                if joined.is_none() {
                    *joined = near.map(join);
                }
                match joined.take() {
                    Some(place) if self.at.covers(&place.read) => {
                        self.change(Mode::Shared(place.chunks));
                    }
                    place => *joined = place,
                }
            }
        }
    }

    fn own(&self, joined: Option<Joined>) -> Mode {
        let reader = OwnReader::start(self.reading.clone(), self.at.clone(), Vec::new());
        Mode::Own { reader, joined }
    }

    fn change(&mut self, mode: Mode) {
        self.hearing.listen_to(match (&mode, &self.feed) {
            (Mode::Own { reader, .. }, _) => reader.trouble(),
            (Mode::Shared(_), Some(feed)) => feed.trouble(),
            (Mode::Shared(_), None) | (Mode::Fresh, _) => Arc::default(),
        });
        self.mode = mode;
    }
}
