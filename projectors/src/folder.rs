//! One generation of a projection and how batches get into it: the same for a live projection, a
//! rebuild and a verification.
//!
//! What must never be wrong: a batch's rows, the parked streams and the vector are committed
//! together or not at all, by compare-and-set on what the batch was folded on; an event is folded
//! once; an event that cannot be folded parks its stream and nobody else's, and everything later of
//! that stream waits behind it. After any failure [`Folder::reload`] learns from the store what
//! became of the batch; taking the same records again is then harmless.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use domain::{Position, PositionVector, RecordedEvent, Timestamp};
use read_models::{
    Applied, Changes, Generation, ParkedStream, Projection, ReadStore, ReadStoreError, RowKey,
    TableChange,
};
use service_kit::crash_point;

use crate::continuity::{Break, Continuity};
use crate::decoded::Item;
use crate::error::ProjectorError;
use crate::folding::{Folded, fold};
use crate::plan::Plan;
use crate::status::DeadLetter;
use crate::versions::Versions;

/// Folds batches into one generation.
pub(crate) struct Folder {
    pub(crate) store: Arc<dyn ReadStore>,
    pub(crate) projection: Arc<dyn Projection>,
    pub(crate) generation: Generation,
    /// What the store holds, as far as this process knows.
    pub(crate) vector: PositionVector,
    pub(crate) continuity: Continuity,
    continuity_text: String,
    pub(crate) parked: BTreeMap<String, ParkedStream>,
    /// Events that wait behind a parked one, as counted by this process.
    pub(crate) waiting: BTreeMap<String, u64>,
    pub(crate) last_event_at: Option<Timestamp>,
    versions: Versions,
    /// The keys of changed rows, when somebody wants to know them.
    pub(crate) touched: Option<Vec<RowKey>>,
    /// Breaks that were seen once: one is believed when it is read a second time.
    suspected: Vec<Break>,
}

/// What became of a batch.
#[derive(Debug, PartialEq)]
pub(crate) enum Taken {
    /// It is in the store; so many events were folded.
    Folded(u64),
    /// Somebody else has moved the generation: reload, then take the batch again.
    Superseded,
    /// Something does not follow: read again from the vector to see whether it stays so.
    Suspicious,
}

impl Folder {
    /// The generation as the store has it; nothing when it has none.
    ///
    /// # Errors
    /// [`ReadStoreError`].
    pub(crate) async fn open(
        store: Arc<dyn ReadStore>,
        projection: Arc<dyn Projection>,
        generation: Generation,
        versions_remembered_max: usize,
    ) -> Result<Option<Self>, ReadStoreError> {
        let mut folder = Self {
            store,
            projection,
            generation,
            vector: PositionVector::empty(),
            continuity: Continuity::default(),
            continuity_text: String::new(),
            parked: BTreeMap::new(),
            waiting: BTreeMap::new(),
            last_event_at: None,
            versions: Versions::new(versions_remembered_max),
            touched: None,
            suspected: Vec::new(),
        };
        Ok(folder.reload().await?.then_some(folder))
    }

    /// Learns the vector, the continuity and the parked streams from the store. False when the
    /// generation is gone.
    ///
    /// # Errors
    /// [`ReadStoreError`].
    pub(crate) async fn reload(&mut self) -> Result<bool, ReadStoreError> {
        // Parked streams move only with a batch: equal states around them make them fit.
        let mut state = self.store.state(&self.generation).await?;
        let parked = loop {
            let parked = self.store.parked(&self.generation).await?;
            let after = self.store.state(&self.generation).await?;
            let settled = after == state;
            state = after;
            if settled {
                break parked;
            }
        };
        let Some(state) = state else { return Ok(false) };
        self.continuity = Continuity::parse(&state.continuity).map_err(|error| {
            ReadStoreError::Failed(
                format!("{} holds no continuity", self.generation.projection),
                Some(Box::new(error)),
            )
        })?;
        self.continuity_text = state.continuity;
        self.vector = state.vector;
        self.last_event_at = state.last_event_at;
        self.parked = parked.into_iter().map(|parked| (parked.stream.clone(), parked)).collect();
        self.waiting.retain(|stream, _| self.parked.contains_key(stream));
        self.versions.forget();
        Ok(true)
    }

    /// Folds and commits the records, skipping those that are included already.
    ///
    /// # Errors
    /// [`ReadStoreError`]: whether it was committed is unknown; reload before going on.
    pub(crate) async fn take(&mut self, items: &[&Item]) -> Result<Taken, ReadStoreError> {
        let mut folded = 0;
        // Ranges still to be taken, the next one last.
        let mut ranges: Vec<Range<usize>> = Vec::new();
        ranges.push(0..items.len());
        while let Some(range) = ranges.pop() {
            match self.attempt(&items[range.clone()], None).await {
                Ok(Taken::Folded(count)) => folded += count,
                Ok(other) => return Ok(other),
                Err(ReadStoreError::Refused(_)) if range.len() > 1 => {
                    let middle = range.start + range.len() / 2;
                    ranges.extend([middle..range.end, range.start..middle]);
                }
                Err(ReadStoreError::Refused(reason)) => {
                    match self.attempt(&items[range], Some(&reason)).await? {
                        Taken::Folded(_) => {}
                        other => return Ok(other),
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(Taken::Folded(folded))
    }

    /// One transaction. With a reason, the only event in it is parked instead of folded.
    async fn attempt(
        &mut self,
        items: &[&Item],
        refused: Option<&str>,
    ) -> Result<Taken, ReadStoreError> {
        let mut plan = self.plan(items);
        if let Some(suspected) = plan.suspicious.take() {
            self.suspected.push(suspected);
            return Ok(Taken::Suspicious);
        }
        if let Some(reason) = refused {
            plan.park(0, reason);
        }
        let continuity_text = plan.continuity.to_text();
        if plan.next == self.vector && continuity_text == self.continuity_text {
            return Ok(Taken::Folded(0));
        }
        let tables = loop {
            match fold(&*self.store, &*self.projection, &self.generation, &plan.events).await? {
                Folded::Changes(tables) => break tables,
                Folded::Poisoned { index, reason } => plan.park(index, &reason),
            }
        };
        if let Some(touched) = &mut self.touched {
            touched.extend(tables.iter().flat_map(changed_keys));
        }
        let changes = Changes {
            generation: &self.generation,
            expected: &self.vector,
            expected_continuity: &self.continuity_text,
            next: &plan.next,
            continuity: &continuity_text,
            last_event_at: plan.last_event_at,
            tables,
            parked: plan.parked.values().cloned().collect(),
            unparked: Vec::new(),
        };
        let name = self.projection.name();
        crash_point::reached(|| [format!("projector.before_commit {name}")]);
        let applied = self.store.apply(changes).await?;
        crash_point::reached(|| [format!("projector.after_commit {name}")]);
        match applied {
            Applied::Superseded => Ok(Taken::Superseded),
            Applied::Committed => Ok(Taken::Folded(self.committed(plan, continuity_text))),
        }
    }

    /// The parked streams with what waits behind them.
    pub(crate) fn dead_letters(&self) -> Vec<DeadLetter> {
        let projection = self.projection.name();
        let letter = |parked: &ParkedStream| DeadLetter {
            projection,
            parked: parked.clone(),
            waiting: self.waiting.get(&parked.stream).copied().unwrap_or(0),
        };
        self.parked.values().map(letter).collect()
    }

    fn committed(&mut self, plan: Plan<'_>, continuity_text: String) -> u64 {
        for stopped in plan.continuity.breaks() {
            if self.continuity.broken(stopped.position.partition).is_none() {
                let projection = self.projection.name();
                tracing::error!(projection, at = %stopped.position, "partition stopped: {stopped}");
            }
        }
        for parked in plan.parked.values() {
            let (projection, stream) = (self.projection.name(), &parked.stream);
            tracing::error!(projection, stream, at = %parked.position, reason = parked.reason,
                "stream parked");
        }
        self.vector = plan.next;
        self.continuity = plan.continuity;
        self.continuity_text = continuity_text;
        self.parked.extend(plan.parked);
        for (stream, count) in plan.waiting {
            *self.waiting.entry(stream).or_default() += count;
        }
        self.last_event_at = self.last_event_at.max(plan.last_event_at);
        if plan.forgets_versions {
            self.versions.forget();
        }
        self.versions.remember(plan.versions);
        let (vector, continuity) = (&self.vector, &self.continuity);
        self.suspected.retain(|suspected| {
            let stopped = continuity.broken(suspected.position.partition).is_some();
            !stopped && !vector.includes(suspected.position)
        });
        plan.events.len() as u64
    }

    fn plan<'a>(&self, items: &[&'a Item]) -> Plan<'a> {
        let mut plan = Plan {
            next: self.vector.clone(),
            continuity: self.continuity.clone(),
            events: Vec::with_capacity(items.len()),
            parked: BTreeMap::new(),
            waiting: BTreeMap::new(),
            versions: BTreeMap::new(),
            forgets_versions: false,
            last_event_at: None,
            suspicious: None,
        };
        for item in items {
            let position = item.position();
            if plan.next.includes(position) || plan.continuity.broken(position.partition).is_some()
            {
                continue;
            }
            match plan.continuity.follow(position, item.place()) {
                Ok(false) => {}
                // Events are missing: the versions of any stream of the partition may jump.
                Ok(true) => {
                    plan.versions.clear();
                    plan.forgets_versions = true;
                }
                Err(broken) if self.suspected.contains(&broken) => {
                    plan.continuity.stop(broken);
                    continue;
                }
                Err(broken) => {
                    plan.suspicious = Some(broken);
                    return plan;
                }
            }
            plan.next.advance(position);
            plan.last_event_at = plan.last_event_at.max(item.recorded_at());
            self.plan_item(item, &mut plan);
        }
        plan
    }

    fn plan_item<'a>(&self, item: &'a Item, plan: &mut Plan<'a>) {
        let (stream, refused) = match item {
            Item::Opened { .. } => return,
            Item::Poison(poison) => (poison.stream.clone(), Some(poison.reason.clone())),
            Item::Event(event) => {
                (event.envelope.stream.to_string(), self.version_break(event, plan))
            }
        };
        let at = item.position();
        if self.parked.get(&stream).is_some_and(|parked| behind(at, parked))
            || plan.parked.contains_key(&stream)
        {
            *plan.waiting.entry(stream).or_default() += 1;
            return;
        }
        match (item, refused) {
            (_, Some(reason)) => plan.park_at(stream, item.position(), reason),
            (Item::Event(event), None) => {
                plan.versions.insert(event.envelope.stream, event.envelope.version);
                plan.events.push(event);
            }
            (Item::Opened { .. } | Item::Poison(_), None) => {}
        }
    }

    /// Why the event's version does not follow the last one seen of its stream.
    fn version_break(&self, event: &RecordedEvent, plan: &Plan<'_>) -> Option<String> {
        if !self.projection.keyed_by_stream() {
            return None;
        }
        let envelope = &event.envelope;
        let tentative = plan.versions.get(&envelope.stream).copied();
        let known = || self.versions.last(&envelope.stream).filter(|_| !plan.forgets_versions);
        let last = tentative.or_else(known)?;
        (envelope.version != last + 1).then(|| {
            format!("version {} of the stream does not follow version {last}", envelope.version)
        })
    }

    /// Goes on where the partition stopped. The caller reads again from the vector.
    ///
    /// # Errors
    /// [`ProjectorError`].
    pub(crate) async fn accept_gap(&mut self, partition: u32) -> Result<Break, ProjectorError> {
        let projection = self.projection.name();
        let mut continuity = self.continuity.clone();
        let accepted = continuity.accept(partition).ok_or_else(|| ProjectorError::NotBroken {
            projection: projection.to_owned(),
            partition,
        })?;
        match self.revise(continuity, vec![], "", None).await? {
            Applied::Committed => {
                tracing::warn!(projection, "accepted: {accepted}");
                Ok(accepted)
            }
            Applied::Superseded => {
                Err(ProjectorError::NotReady("somebody else moved it; ask again".to_owned()))
            }
        }
    }

    /// Changes rows, parked streams or continuity without moving the vector, in one transaction.
    ///
    /// # Errors
    /// [`ReadStoreError`].
    pub(crate) async fn revise(
        &mut self,
        mut continuity: Continuity,
        tables: Vec<TableChange>,
        unparked: &str,
        parked: Option<ParkedStream>,
    ) -> Result<Applied, ReadStoreError> {
        continuity.revise();
        let text = continuity.to_text();
        let applied = self
            .store
            .apply(Changes {
                generation: &self.generation,
                expected: &self.vector,
                expected_continuity: &self.continuity_text,
                next: &self.vector,
                continuity: &text,
                last_event_at: None,
                tables,
                parked: parked.iter().cloned().collect(),
                unparked: Some(unparked.to_owned()).into_iter().filter(|s| !s.is_empty()).collect(),
            })
            .await?;
        if applied == Applied::Committed {
            self.continuity = continuity;
            self.continuity_text = text;
            self.parked.remove(unparked);
            match parked {
                Some(parked) => drop(self.parked.insert(parked.stream.clone(), parked)),
                None => drop(self.waiting.remove(unparked)),
            }
            self.versions.forget();
        }
        Ok(applied)
    }
}

/// Whether the record waits behind the place at which its stream is parked.
const fn behind(position: Position, parked: &ParkedStream) -> bool {
    position.partition != parked.position.partition || position.offset >= parked.position.offset
}

fn changed_keys(change: &TableChange) -> impl Iterator<Item = RowKey> + '_ {
    let table = change.table;
    let values = change.rows.iter().filter_map(|row| row.after.as_ref().or(row.before.as_ref()));
    values.map(move |values| RowKey { table, key: values[..table.key_columns].to_vec() })
}
