//! Waiting for a read model: however many wait, one task looks.
//!
//! While somebody waits for a projection, a task of its own asks the store every few milliseconds
//! where the live generation stands, and tells all of them; it ends with the last. Who waits is
//! bounded in number and in time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use domain::{ConsistencyToken, LogId, PositionVector};
use http::StatusCode;
use read_models::ReadQueries;
use read_models::queries::ReadPosition;
use service_kit::Problem;
use tokio::sync::{Semaphore, watch};

use crate::failure;

/// How long to leave a store alone that did not answer.
const AWAY_PAUSE: Duration = Duration::from_millis(200);

/// What waiting may cost.
#[derive(Clone, Debug)]
pub struct WaitLimits {
    /// The longest a request waits for a read model.
    pub wait_max: Duration,
    /// Between two looks at the store while somebody waits.
    pub poll_interval: Duration,
    /// Requests that wait at the same time; one more is answered 503 at once.
    pub waiters_max: usize,
}

impl Default for WaitLimits {
    fn default() -> Self {
        Self {
            wait_max: Duration::from_secs(5),
            poll_interval: Duration::from_millis(15),
            waiters_max: 1024,
        }
    }
}

/// What the last look at the store brought.
#[derive(Clone, Debug)]
enum Look {
    /// Nobody has looked yet.
    None,
    Seen(Arc<ReadPosition>),
    Away,
}

/// One projection that somebody may wait for.
struct Watched {
    looks: watch::Sender<Look>,
    /// Whether a task is looking.
    looking: Mutex<bool>,
}

/// Where requests wait for read models.
pub(crate) struct Gate {
    queries: Arc<ReadQueries>,
    limits: WaitLimits,
    places: Semaphore,
    watched: BTreeMap<&'static str, Arc<Watched>>,
}

impl Gate {
    pub(crate) fn new(
        queries: Arc<ReadQueries>,
        limits: WaitLimits,
        projections: &[&'static str],
    ) -> Self {
        let watched = |_| {
            let (looks, _) = watch::channel(Look::None);
            Arc::new(Watched { looks, looking: Mutex::new(false) })
        };
        Self {
            queries,
            places: Semaphore::new(limits.waiters_max),
            limits,
            watched: projections.iter().map(|name| (*name, watched(name))).collect(),
        }
    }

    /// Waits until the live generation of the projection has read all that is wanted.
    ///
    /// # Errors
    /// 503 `read_model_behind`, `read_store_unavailable`, or `unavailable` when too many wait.
    pub(crate) async fn reach(
        &self,
        projection: &'static str,
        wanted: &PositionVector,
        log: LogId,
    ) -> Result<(), Problem> {
        let _place = self.places.try_acquire().map_err(|_| {
            Problem::unavailable("Too many requests are waiting for read models already.")
        })?;
        let began = Instant::now();
        let mut looks = self.join(projection);
        let there = |look: &Look| matches!(look, Look::Seen(at) if at.vector.covers(wanted));
        let waiting = tokio::time::timeout(self.limits.wait_max, looks.wait_for(there));
        // The sender lives as long as the gate.
        if matches!(waiting.await, Ok(Ok(_))) {
            metrics::histogram!("waylog_query_wait_seconds", "projection" => projection)
                .record(began.elapsed());
            return Ok(());
        }
        metrics::counter!("waylog_query_waits_given_up_total", "projection" => projection)
            .increment(1);
        let last = looks.borrow().clone();
        match last {
            Look::Seen(at) => Err(behind(projection, wanted, &at, log, began.elapsed())),
            Look::None | Look::Away => Err(failure::store_away()),
        }
    }

    /// Follows the projection; whoever comes first starts the task that looks.
    fn join(&self, projection: &'static str) -> watch::Receiver<Look> {
        let watched = &self.watched[projection];
        let mut looking = watched.looking.lock().unwrap_or_else(PoisonError::into_inner);
        if !*looking {
            // What was seen when somebody waited last may be of tables that are gone.
            watched.looks.send_replace(Look::None);
            *looking = true;
            let task = look(
                Arc::clone(&self.queries),
                Arc::clone(watched),
                projection,
                self.limits.poll_interval,
            );
            tokio::spawn(task);
        }
        watched.looks.subscribe()
    }
}

/// Looks until nobody waits any longer.
async fn look(
    queries: Arc<ReadQueries>,
    watched: Arc<Watched>,
    projection: &'static str,
    interval: Duration,
) {
    loop {
        let pause = match queries.position(projection).await {
            Ok(at) => {
                watched.looks.send_replace(Look::Seen(Arc::new(at)));
                interval
            }
            Err(error) => {
                tracing::debug!(projection, %error, "the read model's position is not known");
                watched.looks.send_replace(Look::Away);
                AWAY_PAUSE
            }
        };
        tokio::time::sleep(pause).await;
        let mut looking = watched.looking.lock().unwrap_or_else(PoisonError::into_inner);
        if watched.looks.receiver_count() == 0 {
            *looking = false;
            return;
        }
    }
}

fn behind(
    projection: &str,
    wanted: &PositionVector,
    at: &ReadPosition,
    log: LogId,
    waited: Duration,
) -> Problem {
    let token = ConsistencyToken { log, vector: at.vector.clone() };
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "read_model_behind",
        "The read model has not read that far yet",
    )
    .detail("What was written is durable; it is not visible here yet. Ask again.")
    .fact("read_model", projection)
    .fact("behind_by", distance(&at.vector, wanted))
    .fact("waited_ms", u64::try_from(waited.as_millis()).unwrap_or(u64::MAX))
    .fact("position", token.to_string())
    .retry_after(Duration::from_secs(1))
}

/// How many places of the log lie between what was read and what is wanted. Offsets have gaps, so
/// that it is never fewer than the events.
fn distance(read: &PositionVector, wanted: &PositionVector) -> u64 {
    let missing = wanted.iter().map(|end| {
        let from = read.offset(end.partition).unwrap_or(-1);
        u64::try_from(end.offset.saturating_sub(from)).unwrap_or(0)
    });
    missing.fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_counts_every_partition_that_is_behind() {
        let vector = |text: &str| text.parse::<PositionVector>().unwrap();

        assert_eq!(distance(&vector("0:17,3:9"), &vector("0:20,3:4,5:1")), 3 + 2);
        assert_eq!(distance(&vector("0:17"), &vector("0:17")), 0);
        assert_eq!(
            distance(&vector(""), &vector(&format!("0:{0},1:{0},2:{0}", i64::MAX))),
            u64::MAX
        );
    }
}
