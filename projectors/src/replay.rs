//! Taking a parked stream off the list: its events are folded again, in order, from where it was
//! parked.
//!
//! The stream's partition is scanned from the parked position in chunks, between the batches of the
//! live projection, so that memory stays bounded and the others do not wait. Each step commits the
//! rows together with the place that the stream is parked at now; the last one, which has reached
//! the projection's vector, takes it off the list. A crash in between loses nothing: the next
//! replay goes on from the place that was kept. An event that still cannot be folded keeps the
//! stream parked there.

use std::sync::Arc;

use domain::{Position, PositionVector};
use read_models::{Applied, ParkedStream, ReadStoreError};
use tokio::sync::oneshot;

use crate::decoded::{Chunk, Item};
use crate::error::ProjectorError;
use crate::folder::Folder;
use crate::folding::{Folded, fold};
use crate::reader::{OwnReader, Reading, Trouble};

/// What became of a replay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replayed {
    /// Events folded.
    pub events: u64,
    /// Where it is parked again, and why; nothing when it is off the list.
    pub parked: Option<ParkedStream>,
}

/// A replay in progress.
pub(crate) struct Replay {
    stream: String,
    partition: u32,
    reader: OwnReader,
    chunk: Option<Arc<Chunk>>,
    events: u64,
    reply: oneshot::Sender<Result<Replayed, ProjectorError>>,
}

/// Whether a replay goes on.
pub(crate) enum Step {
    GoesOn,
    Done(Replayed),
    /// Somebody else has moved the generation: reload and step again.
    Superseded,
}

impl Replay {
    pub(crate) fn start(
        parked: &ParkedStream,
        reading: Reading,
        reply: oneshot::Sender<Result<Replayed, ProjectorError>>,
    ) -> Self {
        let Position { partition, offset } = parked.position;
        let before = Some(Position { partition, offset: offset - 1 }).filter(|p| p.offset >= 0);
        let start: PositionVector = before.into_iter().collect();
        let reader = OwnReader::start(reading, start, vec![partition]);
        Self { stream: parked.stream.clone(), partition, reader, chunk: None, events: 0, reply }
    }

    pub(crate) fn stream(&self) -> &str {
        &self.stream
    }

    /// Why reading makes no progress at present.
    pub(crate) fn trouble(&self) -> Arc<Trouble> {
        self.reader.trouble()
    }

    /// Waits for more of the partition. Cancel-safe.
    pub(crate) async fn more(&mut self) {
        if self.chunk.is_none() {
            self.chunk = Some(self.reader.next().await);
        }
    }

    /// Tells whoever asked. They may have gone.
    pub(crate) fn answer(self, result: Result<Replayed, ProjectorError>) {
        if self.reply.send(result).is_err() {
            tracing::debug!(stream = self.stream, "nobody waits for the replay's result");
        }
    }

    /// Folds what the chunk at hand holds of the stream.
    ///
    /// # Errors
    /// [`ReadStoreError`]: reload, then step again; what was committed is not folded twice.
    pub(crate) async fn step(&mut self, folder: &mut Folder) -> Result<Step, ReadStoreError> {
        let Some(parked) = folder.parked.get(&self.stream).cloned() else {
            return Ok(Step::Done(Replayed { events: self.events, parked: None }));
        };
        let Some(chunk) = self.chunk.clone() else { return Ok(Step::GoesOn) };
        let end = folder.vector.offset(self.partition).unwrap_or(-1);
        let last = chunk.items.last().map_or(-1, |item| item.position().offset);
        let due: Vec<&Item> = chunk
            .items
            .iter()
            .filter(|item| {
                let offset = item.position().offset;
                offset >= parked.position.offset && offset <= end && self.concerns(item)
            })
            .collect();
        let place = (last < end).then(|| ParkedStream {
            position: Position { partition: self.partition, offset: last + 1 },
            ..parked.clone()
        });
        if due.is_empty() && place.is_some() {
            self.chunk = None;
            return Ok(Step::GoesOn);
        }
        match self.conclude(folder, &due, place).await {
            // One by one, so that the culprit is found; the place rises with each.
            Err(ReadStoreError::Refused(_)) if due.len() > 1 => {
                let next = ParkedStream { position: due[1].position(), ..parked };
                self.conclude(folder, &due[..1], Some(next)).await
            }
            Err(ReadStoreError::Refused(reason)) if due.len() == 1 => {
                let again = ParkedStream { position: due[0].position(), reason, ..parked };
                let applied = folder
                    .revise(folder.continuity.clone(), vec![], &self.stream, Some(again.clone()))
                    .await?;
                Ok(self.ended(applied, Some(again)))
            }
            Err(error) => Err(error),
            Ok(step) => {
                if matches!(step, Step::GoesOn) {
                    self.chunk = None;
                }
                Ok(step)
            }
        }
    }

    /// Folds these and moves the place, or takes the stream off the list when there is none.
    async fn conclude(
        &mut self,
        folder: &mut Folder,
        due: &[&Item],
        place: Option<ParkedStream>,
    ) -> Result<Step, ReadStoreError> {
        let mut events = Vec::with_capacity(due.len());
        let mut culprit = None;
        for item in due {
            match item {
                Item::Event(event) => events.push(&**event),
                Item::Opened { .. } => {}
                Item::Poison(poison) => {
                    culprit = Some((poison.position, poison.reason.clone()));
                    break;
                }
            }
        }
        let tables = loop {
            let (store, projection) = (&*folder.store, &*folder.projection);
            match fold(store, projection, &folder.generation, &events).await? {
                Folded::Changes(tables) => break tables,
                Folded::Poisoned { index, reason } => {
                    culprit = Some((events[index].position, reason));
                    events.truncate(index);
                }
            }
        };
        let stuck = culprit.map(|(position, reason)| ParkedStream {
            stream: self.stream.clone(),
            position,
            reason,
        });
        let ended = stuck.is_some() || place.is_none();
        let parked = stuck.or(place);
        let applied =
            folder.revise(folder.continuity.clone(), tables, &self.stream, parked.clone()).await?;
        if applied == Applied::Committed {
            self.events += events.len() as u64;
        }
        if ended { Ok(self.ended(applied, parked)) } else { Ok(going_on(applied)) }
    }

    fn ended(&self, applied: Applied, parked: Option<ParkedStream>) -> Step {
        match applied {
            Applied::Committed => Step::Done(Replayed { events: self.events, parked }),
            Applied::Superseded => Step::Superseded,
        }
    }

    fn concerns(&self, item: &Item) -> bool {
        match item {
            Item::Event(event) => event.envelope.stream.to_string() == self.stream,
            Item::Opened { .. } => false,
            Item::Poison(poison) => poison.stream == self.stream,
        }
    }
}

const fn going_on(applied: Applied) -> Step {
    match applied {
        Applied::Committed => Step::GoesOn,
        Applied::Superseded => Step::Superseded,
    }
}
