//! Questions to the read models, one text for two dialects.
//!
//! Every question is one read-only transaction: it finds the live generation, asks its tables, and
//! says at which position of the log the answer is true. Every question names a tenant and sees
//! nothing of another's.

mod activity_feed;
mod audit;
mod availability;
mod bookings;
mod cursor;
mod destinations;
mod hot;
mod itineraries;
mod look_up;
mod mysql;
mod notifications;
mod offers;
mod payments;
mod postgres;
mod sagas;
mod sqlite;
mod statement;
mod work_lists;

use std::time::{Duration, Instant};

use domain::ids::AccountId;
use domain::{Position, PositionVector, Timestamp};

pub use self::audit::{EVENTS_MAX, EventsAfter};
pub use self::bookings::{BookingDetail, BookingFilter};
pub use self::cursor::InvalidCursor;
pub use self::destinations::{
    DestinationCounts, DestinationFilter, ListedDestination, Measure, PopularDestination,
};
use self::hot::{Hot, Nowhere};
pub use self::itineraries::{
    COMMENTS_MAX, IDS_MAX, ItineraryDetail, ItineraryFilter, ItineraryScope, ListedItinerary,
};
pub use self::look_up::{By, LookUp, Range};
pub use self::notifications::NotificationFilter;
pub use self::offers::OfferFilter;
pub use self::sagas::{SagaDetail, SagaFilter, SagaState, TIMELINE_MAX};
use self::statement::{Dialect, Sql, Statement};
use self::work_lists::Spoiled;
pub use self::work_lists::{HoldCursor, NotificationCursor, ProviderCursor, WORK_MAX, WorkCursor};
use crate::mysql::MysqlReaders;
use crate::postgres::PostgresReaders;
use crate::redis::RedisReaders;
use crate::sqlite::SqliteReaders;
use crate::store::{ParkedStream, ProjectionState, ReadStoreError};
use crate::table::{ColumnType, Value};

/// Rows of one page at most.
pub const LIMIT_MAX: u32 = 100;
/// The first and the longest pause between two looks at a position that is waited for.
const POLL: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(50));

/// Asks the live generations of the read models.
pub struct ReadQueries {
    executor: Box<dyn Executor>,
    mysql: Option<(Vec<&'static str>, Box<dyn Executor>)>,
    hot: Option<Hot>,
    spoiled: Spoiled,
}

/// Who asks: what they may see is part of the question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Viewer {
    /// A person: sees what they take part in, and what is shared.
    Account(AccountId),
    /// The platform's staff: sees everything of the tenant.
    Operator,
}

/// An answer, with the position that it is true at.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer<T> {
    /// The answer.
    pub value: T,
    /// What the read model that was asked had read.
    pub at: ReadPosition,
}

/// How far the live generation of a projection has read.
#[derive(Clone, Debug, PartialEq)]
pub struct ReadPosition {
    /// The version of the projection that fills it.
    pub version: u32,
    /// Its generation.
    pub generation: u32,
    /// How far it has read.
    pub vector: PositionVector,
    /// When the newest event that it has read was recorded; nothing before the first.
    pub last_event_at: Option<Timestamp>,
}

impl From<&ProjectionState> for ReadPosition {
    fn from(state: &ProjectionState) -> Self {
        Self {
            version: state.version,
            generation: state.generation.number,
            vector: state.vector.clone(),
            last_event_at: state.last_event_at,
        }
    }
}

impl ReadPosition {
    /// What all of these have read: where an answer from several of them is true. Version and
    /// generation are those of the first.
    fn of_all(states: &[ProjectionState]) -> Self {
        let mut states = states.iter().map(Self::from);
        let first = states.next().expect("a question asks a projection");
        states.fold(first, |all, one| Self {
            vector: all.vector.common(&one.vector),
            last_event_at: all.last_event_at.min(one.last_event_at),
            ..all
        })
    }
}

/// Some rows of a longer list.
#[derive(Clone, Debug, PartialEq)]
pub struct Page<T> {
    /// The rows, at most as many as were asked for.
    pub items: Vec<T>,
    /// Where the next page begins; nothing after the last.
    pub next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// A page of rows of which one more than the limit was asked for.
    fn of(mut items: Vec<T>, limit: u32, cursor: impl FnOnce(&T) -> String) -> Self {
        let more = items.len() > limit as usize;
        items.truncate(limit as usize);
        let next_cursor = if more { items.last().map(cursor) } else { None };
        Self { items, next_cursor }
    }
}

/// Where a page begins and how long it may be.
#[derive(Clone, Debug, Default)]
pub struct PageRequest {
    /// Rows wanted; taken as between 1 and [`LIMIT_MAX`].
    pub limit: u32,
    /// The cursor of the page before; nothing for the first.
    pub cursor: Option<String>,
}

impl PageRequest {
    fn limit(&self) -> u32 {
        self.limit.clamp(1, LIMIT_MAX)
    }
}

/// A question was not answered.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The cursor is none of ours, or of another list.
    #[error(transparent)]
    InvalidCursor(#[from] InvalidCursor),
    /// The store did not answer.
    #[error(transparent)]
    Store(#[from] ReadStoreError),
}

impl QueryError {
    /// Stable code for logs, metrics and problems.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::InvalidCursor(_) => "invalid_cursor",
            Self::Store(error) => error.code(),
        }
    }
}

/// What is asked once the live generations are known.
type Plan = Box<dyn FnOnce(&[ProjectionState], Dialect) -> Vec<Statement> + Send>;

/// What was found at one moment: live generations in the order asked for, rows by statement.
pub(crate) struct Snapshot {
    pub(crate) states: Vec<ProjectionState>,
    pub(crate) rows: Vec<Vec<Vec<Value>>>,
}

/// Runs a plan in one read-only transaction.
#[async_trait::async_trait]
trait Executor: Send + Sync {
    async fn read(&self, projections: &[&str], plan: Plan) -> Result<Snapshot, ReadStoreError>;
}

/// Puts live generations into the order in which they were asked for.
fn ordered(
    projections: &[impl AsRef<str>],
    mut states: Vec<ProjectionState>,
) -> Result<Vec<ProjectionState>, ReadStoreError> {
    let mut found = |name: &str| {
        let at = states.iter().position(|state| state.generation.projection == name);
        at.map(|at| states.swap_remove(at)).ok_or_else(|| {
            ReadStoreError::Unavailable(format!("no generation of {name} is there yet"), None)
        })
    };
    projections.iter().map(|name| found(name.as_ref())).collect()
}

impl ReadQueries {
    fn of(executor: Box<dyn Executor>) -> Self {
        Self { executor, mysql: None, hot: None, spoiled: Spoiled::default() }
    }

    /// Asks `MySQL` for these projections, and who is asked already for the others.
    #[must_use]
    pub fn with_mysql(
        self,
        readers: MysqlReaders,
        projections: impl IntoIterator<Item = &'static str>,
    ) -> Self {
        let mysql = Some((projections.into_iter().collect(), Box::new(readers) as Box<_>));
        Self { mysql, ..self }
    }

    /// Asks Redis first where it holds a copy: given by projection and name of the copy.
    #[must_use]
    pub fn with_redis(
        self,
        readers: RedisReaders,
        copies: impl IntoIterator<Item = (&'static str, &'static str)>,
    ) -> Self {
        Self { hot: Some(Hot::new(readers, copies)), ..self }
    }

    /// Asks Redis alone, which answers look-ups and nothing else.
    #[must_use]
    pub fn redis(
        readers: RedisReaders,
        copies: impl IntoIterator<Item = (&'static str, &'static str)>,
    ) -> Self {
        Self::of(Box::new(Nowhere)).with_redis(readers, copies)
    }

    /// Who is asked for a projection.
    fn executor_of(&self, projection: &str) -> &dyn Executor {
        match &self.mysql {
            Some((here, mysql)) if here.contains(&projection) => &**mysql,
            _ => &*self.executor,
        }
    }

    /// Asks a `PostgreSQL` database.
    #[must_use]
    pub fn postgres(readers: PostgresReaders) -> Self {
        Self::of(Box::new(readers))
    }

    /// Asks a `MySQL` or `MariaDB` database.
    #[must_use]
    pub fn mysql(readers: MysqlReaders) -> Self {
        Self::of(Box::new(readers))
    }

    /// Asks a `SQLite` file.
    #[must_use]
    pub fn sqlite(readers: SqliteReaders) -> Self {
        Self::of(Box::new(readers))
    }

    /// How far the live generation of a projection has read: its own, not a copy's, which is asked
    /// for what it holds alone.
    ///
    /// # Errors
    /// [`QueryError::Store`], unavailable when the projection has no live generation.
    pub async fn position(&self, projection: &str) -> Result<ReadPosition, QueryError> {
        let nothing = Box::new(|_: &[ProjectionState], _| Vec::new());
        match self.executor_of(projection).read(&[projection], nothing).await {
            Ok(snapshot) => Ok(ReadPosition::from(&snapshot.states[0])),
            // Its database is away: a copy that answers knows more than nobody.
            Err(error) if self.hot.is_some() => {
                let at = self.position_from(projection, &PositionVector::empty()).await;
                at.map_err(|_| error.into())
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn position_from(
        &self,
        projection: &str,
        at_least: &PositionVector,
    ) -> Result<ReadPosition, QueryError> {
        let snapshot = self.find(projection, Vec::new(), at_least).await?;
        Ok(ReadPosition::from(&snapshot.states[0]))
    }

    /// Waits until the live generation of a projection has read that far, at most `wait`; gives how
    /// far it has read then, which may be less.
    ///
    /// # Errors
    /// As [`ReadQueries::position`].
    pub async fn wait_until(
        &self,
        projection: &str,
        vector: &PositionVector,
        wait: Duration,
    ) -> Result<ReadPosition, QueryError> {
        let until = Instant::now() + wait;
        let mut pause = POLL.0;
        loop {
            let position = self.position_from(projection, vector).await?;
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || position.vector.covers(vector) {
                return Ok(position);
            }
            tokio::time::sleep(pause.min(left)).await;
            pause = (pause * 2).min(POLL.1);
        }
    }

    /// Why the live generation of a projection does not follow that stream, if it does not.
    ///
    /// # Errors
    /// As [`ReadQueries::position`].
    pub async fn parked_stream(
        &self,
        projection: &str,
        stream: &str,
    ) -> Result<Answer<Option<ParkedStream>>, QueryError> {
        let name = stream.to_owned();
        let plan = move |states: &[ProjectionState], dialect| {
            let generation = &states[0].generation;
            let mut sql = Sql::new(dialect);
            sql.push("SELECT log_partition, log_offset, reason FROM waylog_parked_streams ");
            sql.push("WHERE projection = ").bind(Value::Text(generation.projection.clone()));
            sql.push(" AND number = ").bind(Value::Integer(generation.number.into()));
            sql.push(" AND stream = ").bind(Value::Text(name));
            vec![sql.of([ColumnType::Integer, ColumnType::Integer, ColumnType::Text])]
        };
        let server = self.executor_of(projection);
        let mut snapshot = server.read(&[projection], Box::new(plan)).await?;
        let parked = snapshot.rows[0].pop().map(|row| match <[Value; 3]>::try_from(row) {
            Ok([Value::Integer(partition), Value::Integer(offset), Value::Text(reason)]) => {
                let partition = partition.try_into().map_err(ReadStoreError::corrupt)?;
                let position = Position { partition, offset };
                Ok(ParkedStream { stream: stream.to_owned(), position, reason })
            }
            _ => Err(ReadStoreError::corrupt("a parked stream with nulls")),
        });
        Ok(Answer { value: parked.transpose()?, at: ReadPosition::from(&snapshot.states[0]) })
    }
}
