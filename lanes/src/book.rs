//! What a lane knows of its shard under one ownership: states, counters, outcomes.
//!
//! Everything here runs ahead of the log while a batch is decided and is rolled back as one when
//! the batch is not committed: touched states are dropped and loaded again from the store, which is
//! cheaper than copying each state before it is touched.

use std::collections::VecDeque;
use std::sync::Arc;

use domain::{ConsistencyToken, Position, PositionVector, State, StreamName};
use event_log::hash_chain::HashChain;
use event_log::{
    Appended, Checkpoint, CommitState, LogEvent, LogRecord, NewEvent, ShardId, Snapshot,
    StoredOutcome, StreamStore, StreamStoreError,
};

use crate::draft::{Decided, Draft, Planned};
use crate::gear::Gear;
use crate::ledger::Ledger;
use crate::recent_outcomes::RecentOutcomes;
use crate::state_cache::{Cached, Live, Place, StateCache};
use crate::waiting::Waiting;
use crate::{Accepted, CommandError, TokenText};

/// Snapshots kept when a shard is given up: more would not fit into the time for it.
const FAREWELL_SNAPSHOTS_MAX: usize = 500;

/// The lane's books on one shard, from a restore until the ownership ends.
pub(crate) struct Book {
    pub(crate) shard: ShardId,
    pub(crate) epoch: i64,
    pub(crate) gear: Arc<Gear>,
    pub(crate) store: Box<dyn StreamStore>,
    /// Whether the store is fed by this lane; the log's own store feeds itself.
    feeds_store: bool,
    pub(crate) cache: StateCache,
    pub(crate) recent: RecentOutcomes,
    pub(crate) ledger: Ledger,
    pub(crate) chain: HashChain,
    /// One event's value while it is written.
    pub(crate) scratch: Vec<u8>,
    restored: PositionVector,
}

impl Book {
    /// Opens the books on a store that holds everything up to the present ownership.
    pub(crate) fn open(
        gear: Arc<Gear>,
        shard: ShardId,
        epoch: i64,
        store: Box<dyn StreamStore>,
        feeds_store: bool,
        checkpoint: &Checkpoint,
    ) -> Self {
        let settings = &gear.settings;
        Self {
            shard,
            epoch,
            store,
            feeds_store,
            cache: StateCache::new(settings.cached_states_max, settings.cached_bytes_max),
            recent: RecentOutcomes::new(settings.recent_outcomes_max),
            ledger: Ledger::resume(&gear.log.topology(), shard, checkpoint),
            chain: HashChain::default(),
            scratch: Vec::new(),
            restored: checkpoint.vector(),
            gear,
        }
    }

    /// Forgets the draft: states, counters and ids are as before it. The commands go back in front
    /// of the queue.
    pub(crate) fn roll_back(
        &mut self,
        draft: Draft,
        queue: &mut VecDeque<Waiting>,
        committed: CommitState,
    ) {
        for stream in &draft.touched {
            self.cache.remove(stream);
        }
        self.ledger = draft.ledger.clone();
        draft.hand_back(queue, committed);
    }

    /// Takes the committed draft in, then answers its commands. The answers are true even when an
    /// error follows: then the store no longer equals the log, and the shard has to be reopened.
    ///
    /// # Errors
    /// The store failed.
    pub(crate) fn confirm(
        &mut self,
        draft: Draft,
        appended: &Appended,
    ) -> Result<(), StreamStoreError> {
        let Draft { batch, decided, touched, .. } = draft;
        let events = batch.events;
        let place = |index: usize| Position {
            partition: events[index].partition,
            offset: appended.offsets[index],
        };
        for stream in &touched {
            if let Some(Cached::Live(live)) = self.cache.touch(stream)
                && let Place::Batch(index) = live.last
            {
                live.last = Place::Log(place(index));
            }
            self.cache.recount(stream);
        }
        let mut answers = Vec::with_capacity(decided.len());
        for Decided { waiting, planned } in decided {
            let (version, events, position, replayed) = match planned {
                Planned::Appended { version, count, last } => {
                    let position = place(last);
                    self.keep_outcome(&waiting, version, position);
                    (version, count, Some(position), false)
                }
                Planned::Repeated { version, last } => (version, 0, Some(place(last)), true),
                Planned::Unchanged { version, last } => match last {
                    Place::Nowhere => (version, 0, None, false),
                    Place::Log(position) => (version, 0, Some(position), false),
                    Place::Batch(index) => (version, 0, Some(place(index)), false),
                },
                Planned::Failed(error) => {
                    answers.push((waiting, Err(error)));
                    continue;
                }
                Planned::Undecided => continue,
            };
            let position = self.token(position);
            answers.push((waiting, Ok(Accepted { version, position, replayed, events })));
        }
        let fed = if self.feeds_store { self.feed(events, &appended.offsets) } else { Ok(()) };
        for (waiting, answer) in answers {
            self.note(&waiting, &answer);
            waiting.answer(answer);
        }
        fed
    }

    fn note(&self, waiting: &Waiting, answer: &Result<Accepted, CommandError>) {
        let request = waiting.request();
        let outcome = answer.as_ref().map_or_else(CommandError::code, |_| "accepted");
        tracing::debug!(shard = %self.shard, epoch = self.epoch, stream = %request.stream,
            command = request.command.name(), command_id = %request.command_id,
            correlation_id = %request.correlation_id, outcome, "decided");
    }

    fn keep_outcome(&mut self, waiting: &Waiting, version: u64, position: Position) {
        let request = waiting.request();
        let outcome = StoredOutcome { fingerprint: request.fingerprint, version, position };
        self.recent.keep(request.stream, request.command_id, outcome);
    }

    fn feed(&mut self, events: Vec<NewEvent>, offsets: &[i64]) -> Result<(), StreamStoreError> {
        if events.is_empty() {
            return Ok(());
        }
        let records: Vec<LogRecord> = events
            .into_iter()
            .zip(offsets)
            .map(|(NewEvent { partition, envelope, value }, &offset)| {
                let position = Position { partition, offset };
                LogRecord::Event(LogEvent { position, envelope, value })
            })
            .collect();
        self.store.apply(&records)
    }

    /// Where a query has to have read to; without a position, to where this ownership began.
    pub(crate) fn token(&self, position: Option<Position>) -> TokenText {
        let vector = position
            .map_or_else(|| self.restored.clone(), |place| std::iter::once(place).collect());
        ConsistencyToken { log: self.gear.log.topology().log_id, vector }.into()
    }

    /// Between batches: keeps snapshots of long streams, and the memory within its bounds.
    ///
    /// # Errors
    /// The store failed.
    pub(crate) fn tidy(&mut self, touched: &[StreamName]) -> Result<(), StreamStoreError> {
        let every = self.gear.settings.snapshot_every_events;
        let mut snapshots = Vec::new();
        for stream in touched {
            if let Some(Cached::Live(live)) = self.cache.touch(stream)
                && live.events_since_snapshot >= every
            {
                snapshots.extend(snapshot(*stream, live));
                self.cache.recount(stream);
            }
        }
        self.cache.shrink(|stream, cached| {
            if let Cached::Live(mut live) = cached
                && worth_keeping(&live, every)
            {
                snapshots.extend(snapshot(stream, &mut live));
            }
        });
        if snapshots.is_empty() { Ok(()) } else { self.store.put_snapshots(&snapshots) }
    }

    /// Keeps snapshots of what a next owner on this machine would have to fold again.
    pub(crate) fn close(mut self) {
        let every = self.gear.settings.snapshot_every_events;
        let snapshots: Vec<Snapshot> = self
            .cache
            .drain()
            .filter_map(|(stream, cached)| match cached {
                Cached::Live(mut live) if worth_keeping(&live, every) => {
                    snapshot(stream, &mut live)
                }
                _ => None,
            })
            .take(FAREWELL_SNAPSHOTS_MAX)
            .collect();
        if !snapshots.is_empty()
            && let Err(error) = self.store.put_snapshots(&snapshots)
        {
            tracing::warn!(shard = %self.shard, code = error.code(), %error,
                "the last snapshots were not kept; they are a cache");
        }
    }
}

/// A short tail is folded again as fast as a snapshot is read.
const fn worth_keeping(live: &Live, every: u32) -> bool {
    live.events_since_snapshot >= every.div_ceil(4)
}

fn snapshot(stream: StreamName, live: &mut Live) -> Option<Snapshot> {
    let state = live.state.as_ref()?;
    match serde_json::to_vec(state) {
        Ok(state_json) => {
            live.events_since_snapshot = 0;
            live.bytes = state_json.len();
            let fold_version = State::fold_version(stream.category);
            Some(Snapshot { stream, head: live.head, fold_version, state_json })
        }
        Err(error) => {
            tracing::error!(%stream, %error, "a state cannot be written as a snapshot");
            None
        }
    }
}
