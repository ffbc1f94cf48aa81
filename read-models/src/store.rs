//! The contract of a read store: tables and position vectors that move together.

use domain::{PositionVector, Timestamp};

use crate::projection::{RowChange, RowKey};
use crate::sum::TableSum;
use crate::table::{Table, Value};

/// One table set of a projection: a rebuild fills a new one beside the live one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation {
    /// The projection's name.
    pub projection: String,
    /// From 1, never reused; part of the physical tables' names.
    pub number: u32,
}

impl Generation {
    /// The name in the database of one of its tables, `itineraries_g3`. Logical names are unique
    /// over all projections.
    #[must_use]
    pub fn physical_name(&self, table: &str) -> String {
        format!("{table}_g{}", self.number)
    }
}

impl std::fmt::Display for Generation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} g{}", self.projection, self.number)
    }
}

/// What a store knows of one generation.
#[derive(Clone, Debug, PartialEq)]
pub struct ProjectionState {
    /// Which table set.
    pub generation: Generation,
    /// The version of the projection that fills it.
    pub version: u32,
    /// How far it has read.
    pub vector: PositionVector,
    /// The continuity of each partition, as the runner keeps it (opaque to the store).
    pub continuity: String,
    /// When the newest event that it has read was recorded; nothing before the first.
    pub last_event_at: Option<Timestamp>,
    /// Whether queries read this one.
    pub live: bool,
}

impl ProjectionState {
    /// A state as databases hold it: projection, number, version, vector, continuity, time of the
    /// newest event, whether it is live.
    pub(crate) fn from_values(values: Vec<Value>) -> Result<Self, ReadStoreError> {
        let Ok(
            [
                Value::Text(projection),
                Value::Integer(number),
                Value::Integer(version),
                Value::Text(vector),
                Value::Text(continuity),
                last_event_at,
                Value::Bool(live),
            ],
        ) = <[Value; 7]>::try_from(values)
        else {
            return Err(ReadStoreError::corrupt("a generation with nulls"));
        };
        Ok(Self {
            generation: Generation {
                projection,
                number: number.try_into().map_err(ReadStoreError::corrupt)?,
            },
            version: version.try_into().map_err(ReadStoreError::corrupt)?,
            vector: vector.parse().map_err(ReadStoreError::corrupt)?,
            continuity,
            last_event_at: match last_event_at {
                Value::Timestamp(instant) => Some(instant),
                _ => None,
            },
            live,
        })
    }

    /// A generation that exists, if it is of the version that was asked for.
    pub(crate) fn of_version(self, version: u32) -> Result<Self, ReadStoreError> {
        if self.version == version {
            return Ok(self);
        }
        let (generation, is) = (self.generation, self.version);
        Err(ReadStoreError::Refused(format!("{generation} is of version {is}, not {version}")))
    }

    /// Refuses to be promoted over a live one that has read further.
    pub(crate) fn may_replace(&self, live: &Self) -> Result<(), ReadStoreError> {
        if self.vector.covers(&live.vector) {
            return Ok(());
        }
        Err(ReadStoreError::Behind(format!(
            "{} is behind the live one: at {}, not yet at {}",
            self.generation, self.vector, live.vector
        )))
    }
}

/// What one batch changes: all of it is committed, or nothing.
#[derive(Debug)]
pub struct Changes<'a> {
    /// Of which table set.
    pub generation: &'a Generation,
    /// The vector that the batch was folded on: compared in the first statement.
    pub expected: &'a PositionVector,
    /// The continuity that the batch was folded on: compared together with the vector, so that
    /// changes at a standing vector (a replay, an accepted gap) exclude each other too.
    pub expected_continuity: &'a str,
    /// The vector after it.
    pub next: &'a PositionVector,
    /// The runner's continuity after it.
    pub continuity: &'a str,
    /// When the newest event of the batch was recorded (nothing: a batch without events). The store
    /// keeps the latest.
    pub last_event_at: Option<Timestamp>,
    /// The rows.
    pub tables: Vec<TableChange>,
    /// Streams parked by this batch. One that is parked already keeps its first position and
    /// reason.
    pub parked: Vec<ParkedStream>,
    /// Streams taken off the list by a replay that got past what they were parked for.
    pub unparked: Vec<String>,
}

/// The changes of one table.
#[derive(Debug)]
pub struct TableChange {
    /// Which table.
    pub table: &'static Table,
    /// Row by row, each key once.
    pub rows: Vec<RowChange>,
}

/// A stream that a projection cannot fold, with the first event that it choked on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParkedStream {
    /// The record key of the stream.
    pub stream: String,
    /// The first event that was not folded; everything later of the stream waits behind it.
    pub position: domain::Position,
    /// Why.
    pub reason: String,
}

/// Whether a batch was committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// It was.
    Committed,
    /// Somebody else has moved the vector: drop the batch, reload.
    Superseded,
}

/// Whether a generation has its indexes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Indexed {
    /// All of them.
    Whole,
    /// One more than before; others are missing.
    Partly,
}

/// What a store can do beyond keys and ordered indexes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// Search for the words of a column. Elsewhere a table that wants it is refused when it is to
    /// be created.
    pub full_text: bool,
    /// A long batch into one generation keeps nobody else waiting.
    pub long_batches: bool,
}

/// Keeps tables and position vectors. Every call has the store's own deadline.
#[async_trait::async_trait]
pub trait ReadStore: Send + Sync + 'static {
    /// What it can do.
    fn capabilities(&self) -> Capabilities {
        Capabilities { full_text: true, long_batches: false }
    }

    /// Creates the store's own tables, if they are not there (migrations, forward only).
    ///
    /// # Errors
    /// [`ReadStoreError`], as every method here.
    async fn prepare(&self) -> Result<(), ReadStoreError>;

    /// All generations of all projections.
    ///
    /// # Errors
    /// [`ReadStoreError`].
    async fn generations(&self) -> Result<Vec<ProjectionState>, ReadStoreError>;

    /// The number for the projection's next generation: above every one ever used.
    ///
    /// # Errors
    /// [`ReadStoreError`].
    async fn next_number(&self, projection: &str) -> Result<u32, ReadStoreError>;

    /// Creates the tables of a new generation, at the empty vector; the first generation of a
    /// projection is live at once. Nothing happens when it exists.
    ///
    /// # Errors
    /// [`ReadStoreError::Refused`] when the number was used by a generation since dropped, or
    /// exists with another version, or a table wants what the store cannot serve; otherwise
    /// [`ReadStoreError`].
    async fn create(
        &self,
        generation: &Generation,
        version: u32,
        tables: &'static [&'static Table],
    ) -> Result<ProjectionState, ReadStoreError>;

    /// One generation as it is now.
    ///
    /// # Errors
    /// [`ReadStoreError`].
    async fn state(
        &self,
        generation: &Generation,
    ) -> Result<Option<ProjectionState>, ReadStoreError>;

    /// The rows with these keys (all of one table), in any order; missing ones are left out.
    ///
    /// # Errors
    /// [`ReadStoreError`].
    async fn load(
        &self,
        generation: &Generation,
        table: &'static Table,
        keys: &[RowKey],
    ) -> Result<Vec<Vec<Value>>, ReadStoreError>;

    /// Writes rows, sums, parked streams and vector in one transaction.
    ///
    /// # Errors
    /// [`ReadStoreError::Refused`] when a value cannot be stored (nothing was written: the batch is
    /// to be folded event by event, and the stream that brings the value parked); otherwise
    /// [`ReadStoreError`], and whether the batch was committed is learned from the vector.
    async fn apply(&self, changes: Changes<'_>) -> Result<Applied, ReadStoreError>;

    /// Builds one of the indexes that queries need and filling does not, and says whether all are
    /// there now: a store may leave them out of a generation that is not live, because making them
    /// at once is far cheaper than keeping them up row by row. What was built stays when the next
    /// one fails. Nothing happens when all are there, as in a store that leaves none out.
    ///
    /// # Errors
    /// [`ReadStoreError`].
    async fn index(
        &self,
        _generation: &Generation,
        _tables: &'static [&'static Table],
    ) -> Result<Indexed, ReadStoreError> {
        Ok(Indexed::Whole)
    }

    /// Each table's content as kept beside the rows, with the vector that it is true at.
    ///
    /// # Errors
    /// [`ReadStoreError`].
    async fn sums(
        &self,
        generation: &Generation,
    ) -> Result<(PositionVector, Vec<(String, TableSum)>), ReadStoreError>;

    /// Each table's content computed from its rows: what `sums` should say.
    ///
    /// # Errors
    /// [`ReadStoreError`].
    async fn recompute_sums(
        &self,
        generation: &Generation,
        tables: &'static [&'static Table],
    ) -> Result<(PositionVector, Vec<(String, TableSum)>), ReadStoreError>;

    /// The streams that the generation could not fold.
    ///
    /// # Errors
    /// [`ReadStoreError`].
    async fn parked(&self, generation: &Generation) -> Result<Vec<ParkedStream>, ReadStoreError>;

    /// Makes a generation the live one: one pointer row. Rolling back is promoting the one before,
    /// which has been kept up meanwhile.
    ///
    /// # Errors
    /// [`ReadStoreError::Behind`] unless its vector covers the present live one's,
    /// [`ReadStoreError::Refused`] unless it has been indexed; otherwise [`ReadStoreError`].
    async fn promote(&self, generation: &Generation) -> Result<(), ReadStoreError>;

    /// Drops the tables of a generation that is not live; its number is never used again. Nothing
    /// happens when it is dropped already.
    ///
    /// # Errors
    /// [`ReadStoreError::Refused`] for the live one; otherwise [`ReadStoreError`].
    async fn drop_generation(&self, generation: &Generation) -> Result<(), ReadStoreError>;
}

/// The store cannot do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum ReadStoreError {
    /// The database is away or slow; asking again may help.
    #[error("the read store is unavailable: {0}")]
    Unavailable(String, #[source] Option<Box<dyn std::error::Error + Send + Sync>>),
    /// What is asked does not fit what the store holds.
    #[error("{0}")]
    Refused(String),
    /// The live generation has read further than the one that is to replace it: to be filled on,
    /// and asked again.
    #[error("{0}")]
    Behind(String),
    /// The store's file is damaged, or no database at all: an operator has to take it away.
    #[error(
        "the read store is damaged: {0}; stop the server, remove the file and start it again: it \
         is built anew from the log"
    )]
    Damaged(String, #[source] Option<Box<dyn std::error::Error + Send + Sync>>),
    /// The database said no to a statement of ours.
    #[error("the read store failed: {0}")]
    Failed(String, #[source] Option<Box<dyn std::error::Error + Send + Sync>>),
}

impl ReadStoreError {
    pub(crate) fn unknown(generation: &Generation) -> Self {
        Self::Refused(format!("there is no {generation}"))
    }

    pub(crate) fn dropped(generation: &Generation) -> Self {
        Self::Refused(format!("{generation} was dropped: take a new number"))
    }

    /// An update of the live pointer found no pointer.
    pub(crate) fn no_pointer(generation: &Generation) -> Self {
        Self::corrupt(format!("no live pointer of {}", generation.projection))
    }

    pub(crate) fn corrupt(what: impl std::fmt::Display) -> Self {
        Self::Failed(format!("the store holds what it was never given: {what}"), None)
    }

    /// Stable code for logs, metrics and problems.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unavailable(..) => "read_store_unavailable",
            Self::Refused(_) => "read_store_refused",
            Self::Behind(_) => "read_store_generation_behind",
            Self::Damaged(..) => "read_store_damaged",
            Self::Failed(..) => "read_store_failed",
        }
    }
}
