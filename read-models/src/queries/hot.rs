//! Models that Redis holds a copy of: asked there while it answers and is not behind, and in the
//! server database otherwise.
//!
//! Behind means that the copy lacks what the caller asked to see, or what the server database held
//! about a second ago: a copy that was lost is built anew meanwhile, and must not show old rows.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use domain::PositionVector;

use super::look_up::LookUp;
use super::{Answer, Executor, Plan, QueryError, ReadPosition, ReadQueries, Snapshot};
use crate::redis::RedisReaders;
use crate::store::{ProjectionState, ReadStoreError};
use crate::table::Value;

/// How often the server database is asked how far it is.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long Redis is left alone after it failed.
const REST: Duration = Duration::from_secs(1);

/// The copies in Redis, and what is known of them.
pub(super) struct Hot {
    readers: RedisReaders,
    /// The projections, and the names of their copies.
    copies: BTreeMap<&'static str, &'static str>,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    resting_until: Option<Instant>,
    floors: BTreeMap<String, Floor>,
}

/// How far the server database was.
struct Floor {
    /// At the look before the last: what a copy must hold by now.
    due: PositionVector,
    /// At the last look.
    last: PositionVector,
    looked_at: Instant,
}

impl Hot {
    pub(super) fn new(
        readers: RedisReaders,
        copies: impl IntoIterator<Item = (&'static str, &'static str)>,
    ) -> Self {
        Self { readers, copies: copies.into_iter().collect(), seen: Mutex::default() }
    }

    /// The answer of the copy; nothing when it has none, does not answer, or is behind.
    async fn answer(
        &self,
        projection: &str,
        questions: &[LookUp],
        at_least: &PositionVector,
        server: &dyn Executor,
    ) -> Option<Snapshot> {
        let copy = self.copies.get(projection)?;
        if self.seen().resting_until.is_some_and(|until| Instant::now() < until) {
            return None;
        }
        let floor = self.floor(projection, server).await;
        match self.readers.look_up(copy, questions).await {
            Ok(snapshot) => {
                if self.seen().resting_until.take().is_some() {
                    tracing::info!("Redis answers again");
                }
                snapshot.filter(|snapshot| {
                    let vector = &snapshot.states[0].vector;
                    vector.covers(at_least) && vector.covers(&floor)
                })
            }
            // A question that does not fit says nothing of Redis.
            Err(ReadStoreError::Refused(_)) => None,
            Err(error) => {
                let rested = self.seen().resting_until.replace(Instant::now() + REST);
                if rested.is_none() {
                    let code = error.code();
                    tracing::warn!(code, %error, "Redis does not answer; the server database does");
                }
                None
            }
        }
    }

    /// What the copy must hold. After a pause that nobody asked in, that is all that the server
    /// database holds now.
    async fn floor(&self, projection: &str, server: &dyn Executor) -> PositionVector {
        let rested = {
            let mut seen = self.seen();
            match seen.floors.get_mut(projection) {
                Some(floor) if floor.looked_at.elapsed() < LOOK_EVERY => return floor.due.clone(),
                Some(floor) => {
                    let rested = floor.looked_at.elapsed() > 3 * LOOK_EVERY;
                    floor.looked_at = Instant::now();
                    rested
                }
                None => true,
            }
        };
        let found = server.read(&[projection], Box::new(|_, _| Vec::new())).await;
        let mut seen = self.seen();
        // A server database that is away says nothing new: the copy goes on.
        let Ok(snapshot) = found else {
            return seen.floors.get(projection).map(|floor| floor.due.clone()).unwrap_or_default();
        };
        let now = snapshot.states[0].vector.clone();
        let before = seen.floors.remove(projection).filter(|_| !rested);
        let due = before.map_or_else(|| now.clone(), |before| before.last);
        let floor = Floor { due: due.clone(), last: now, looked_at: Instant::now() };
        seen.floors.insert(projection.to_owned(), floor);
        due
    }

    /// Whether every copy is there.
    async fn check(&self) -> Result<(), ReadStoreError> {
        for copy in self.copies.values() {
            if self.readers.look_up(copy, &[]).await?.is_none() {
                let missing = format!("{copy} is not there yet");
                return Err(ReadStoreError::Unavailable(missing, None));
            }
        }
        Ok(())
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// In place of a server database where there is none.
pub(super) struct Nowhere;

#[async_trait::async_trait]
impl Executor for Nowhere {
    async fn read(&self, _: &[&str], _: Plan) -> Result<Snapshot, ReadStoreError> {
        Err(ReadStoreError::Unavailable("no database but Redis was named".to_owned(), None))
    }
}

impl ReadQueries {
    /// Whether Redis answers, where it is asked, and has every copy that belongs there.
    ///
    /// # Errors
    /// [`QueryError::Store`]: the server database answers in its place.
    pub async fn check_copies(&self) -> Result<(), QueryError> {
        match &self.hot {
            Some(hot) => Ok(hot.check().await?),
            None => Ok(()),
        }
    }

    /// Answers all questions from the live generation of a projection, at one moment that is not
    /// before `at_least` if any store has come that far.
    ///
    /// # Errors
    /// [`QueryError::Store`]; refused when a question does not fit its table.
    pub async fn look_up(
        &self,
        projection: &str,
        questions: Vec<LookUp>,
        at_least: &PositionVector,
    ) -> Result<Answer<Vec<Vec<Vec<Value>>>>, QueryError> {
        let snapshot = self.find(projection, questions, at_least).await?;
        Ok(Answer { at: ReadPosition::from(&snapshot.states[0]), value: snapshot.rows })
    }

    pub(super) async fn find(
        &self,
        projection: &str,
        questions: Vec<LookUp>,
        at_least: &PositionVector,
    ) -> Result<Snapshot, ReadStoreError> {
        let server = self.executor_of(projection);
        if let Some(hot) = &self.hot
            && let Some(snapshot) = hot.answer(projection, &questions, at_least, server).await
        {
            return Ok(snapshot);
        }
        // A plan cannot fail: what does not fit is found before.
        for question in &questions {
            question.check()?;
        }
        let plan = move |states: &[ProjectionState], dialect| {
            let generation = &states[0].generation;
            questions.iter().filter_map(|q| q.statement(generation, dialect).ok()).collect()
        };
        server.read(&[projection], Box::new(plan)).await
    }
}
