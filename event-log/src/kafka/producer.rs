//! One transactional producer and the only way to use it: a transaction runs to a known end, or the
//! producer is lost.
//!
//! Everything here blocks and everything has a deadline. One thread at a time: calls from two would
//! get in each other's way.

use std::thread;
use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::OwnedHeaders;
use rdkafka::producer::{BaseRecord, Producer, ThreadedProducer};

use super::deliveries::{Delivered, Deliveries, Outcome};
use crate::CommitState;

/// Between two looks at a queue that is full or not yet empty.
const PAUSE: Duration = Duration::from_micros(50);
/// Between two looks for a fatal error while deliveries are outstanding.
const GLANCE: Duration = Duration::from_millis(20);
/// Between two tries of a call that may be tried again.
const RETRY_PAUSE: Duration = Duration::from_millis(10);
/// How many of the library's own messages may keep the queue from being empty before we commit all
/// the same.
const EMPTY_QUEUE_PATIENCE: Duration = Duration::from_millis(50);

/// Why a step failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    #[error("the Kafka client failed")]
    Client(#[from] KafkaError),
    #[error("{0} took longer than {1:?}")]
    Slow(&'static str, Duration),
}

impl Trouble {
    /// Whether somebody else took the transactional id.
    pub(super) fn fenced(&self) -> bool {
        use RDKafkaErrorCode as Code;
        let Self::Client(error) = self else { return false };
        matches!(
            error.rdkafka_error_code(),
            Some(Code::Fenced | Code::ProducerFenced | Code::InvalidProducerEpoch)
        )
    }
}

/// A transaction did not commit, or not surely.
#[derive(Debug)]
pub(super) enum TransactionError {
    /// Nothing was written; the producer lives.
    Aborted(Trouble),
    /// The producer must be dropped.
    Lost { committed: CommitState, trouble: Trouble },
}

/// A record on its way.
pub(super) struct Outgoing<'a> {
    pub(super) topic: &'a str,
    pub(super) partition: i32,
    pub(super) key: &'a str,
    pub(super) value: &'a [u8],
    pub(super) headers: OwnedHeaders,
    /// `CreateTime` in milliseconds; nothing for now.
    pub(super) created_millis: Option<i64>,
}

/// A producer with a transactional id.
pub(super) struct TransactionalProducer {
    producer: ThreadedProducer<Deliveries>,
    /// The bound of each step: all deliveries, the commit, the abort.
    patience: Duration,
}

impl TransactionalProducer {
    pub(super) fn new(config: &ClientConfig, patience: Duration) -> Result<Self, KafkaError> {
        let producer = config.create_with_context(Deliveries::default())?;
        Ok(Self { producer, patience })
    }

    /// Fences whoever used the transactional id before, and waits until that one's transaction is
    /// settled.
    pub(super) fn initialise(&self, patience: Duration) -> Result<(), Trouble> {
        until(patience, "the initialisation of transactions", |left| {
            self.producer.init_transactions(left)
        })
    }

    /// Runs one transaction. `work` sends its records; when it succeeds and all are delivered, they
    /// are committed.
    pub(super) fn transact<T>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, Trouble>,
    ) -> Result<T, TransactionError> {
        self.deliveries().start();
        if let Err(error) = self.producer.begin_transaction() {
            let committed = CommitState::NotWritten;
            return Err(TransactionError::Lost { committed, trouble: error.into() });
        }
        let done = work(self).and_then(|done| self.settle().map(|()| done));
        match done {
            Ok(done) => self.commit().map(|()| done),
            Err(trouble) => Err(self.abort(trouble, CommitState::NotWritten)),
        }
    }

    /// Sends one record of the transaction; waits while the client's queue is full.
    pub(super) fn send(&self, outgoing: Outgoing<'_>) -> Result<(), Trouble> {
        let mut record = BaseRecord::with_opaque_to(outgoing.topic, self.deliveries().next())
            .partition(outgoing.partition)
            .key(outgoing.key)
            .payload(outgoing.value)
            .headers(outgoing.headers);
        record.timestamp = outgoing.created_millis;
        let started = Instant::now();
        loop {
            match self.producer.send(record) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), refused)) => {
                    if started.elapsed() > self.patience {
                        return Err(Trouble::Slow("room in the client's queue", self.patience));
                    }
                    record = refused;
                    thread::sleep(PAUSE);
                }
                Err((error, _)) => return Err(error.into()),
            }
        }
    }

    /// Waits until everything that was sent is delivered.
    pub(super) fn settle(&self) -> Result<(), Trouble> {
        let started = Instant::now();
        loop {
            match self.deliveries().wait(GLANCE) {
                Outcome::All => return Ok(()),
                Outcome::Failed(error) => return Err(self.fatal().unwrap_or(error).into()),
                Outcome::Pending => {}
            }
            if let Some(error) = self.fatal() {
                return Err(error.into());
            }
            if started.elapsed() > self.patience {
                return Err(Trouble::Slow("delivery", self.patience));
            }
        }
    }

    /// What became of the `index`-th record of the latest transaction.
    pub(super) fn delivered(&self, index: usize) -> Option<Delivered> {
        self.deliveries().of(index)
    }

    /// The offsets of the records `from..to` of the latest transaction.
    pub(super) fn offsets(&self, from: usize, to: usize) -> Option<Vec<i64>> {
        self.deliveries().offsets(from, to)
    }

    fn commit(&self) -> Result<(), TransactionError> {
        // A commit that finds the queue not yet empty polls it for at least 100 ms.
        let started = Instant::now();
        while self.producer.in_flight_count() > 0 && started.elapsed() < EMPTY_QUEUE_PATIENCE {
            thread::sleep(PAUSE);
        }
        let committed =
            until(self.patience, "the commit", |left| self.producer.commit_transaction(left));
        let Err(trouble) = committed else { return Ok(()) };
        // The coordinator may have committed before the answer was lost, and then refuses an abort.
        Err(match &trouble {
            Trouble::Client(KafkaError::Transaction(error)) if error.txn_requires_abort() => {
                self.abort(trouble, CommitState::Unknown)
            }
            _ => TransactionError::Lost { committed: CommitState::Unknown, trouble },
        })
    }

    /// Only an abort that succeeds proves that nothing was written and that the producer lives.
    fn abort(&self, trouble: Trouble, otherwise: CommitState) -> TransactionError {
        let lost = |trouble| TransactionError::Lost { committed: otherwise, trouble };
        if let Some(error) = self.fatal() {
            return lost(error.into());
        }
        match until(self.patience, "the abort", |left| self.producer.abort_transaction(left)) {
            Ok(()) => TransactionError::Aborted(trouble),
            Err(second) => {
                tracing::warn!(error = %second, "a transaction could not be aborted");
                lost(trouble)
            }
        }
    }

    fn fatal(&self) -> Option<KafkaError> {
        let (code, reason) = self.producer.client().fatal_error()?;
        tracing::debug!(%code, reason, "a transactional producer died");
        Some(KafkaError::Global(code))
    }

    fn deliveries(&self) -> &Deliveries {
        self.producer.context()
    }
}

/// Calls again while the library says that the same call may be repeated, and there is time.
fn until(
    patience: Duration,
    what: &'static str,
    mut call: impl FnMut(Duration) -> Result<(), KafkaError>,
) -> Result<(), Trouble> {
    let deadline = Instant::now() + patience;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Trouble::Slow(what, patience));
        }
        match call(left) {
            Ok(()) => return Ok(()),
            Err(error) if repeatable(&error) => thread::sleep(RETRY_PAUSE),
            Err(error) => return Err(error.into()),
        }
    }
}

/// A fatal or abortable error may be marked retriable as well; those marks come first.
fn repeatable(error: &KafkaError) -> bool {
    match error {
        KafkaError::Transaction(error) => {
            error.is_retriable() && !error.is_fatal() && !error.txn_requires_abort()
        }
        KafkaError::Flush(code) => *code == RDKafkaErrorCode::OperationTimedOut,
        _ => false,
    }
}

#[cfg(test)]
#[path = "producer_tests.rs"]
mod tests;
