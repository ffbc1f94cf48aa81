//! Collects what became of each record that a producer was given, by its index in the batch.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::producer::{DeliveryResult, ProducerContext};

use super::clients::log_line;

/// Where a record went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Delivered {
    /// Its offset.
    pub(super) offset: i64,
    /// Its time in milliseconds: the broker's, when the topic is stamped on append.
    pub(super) stamped_millis: Option<i64>,
}

/// The deliveries of one batch at a time. A report of an earlier batch is recognised and ignored.
#[derive(Default)]
pub(super) struct Deliveries {
    batch: Mutex<Batch>,
    changed: Condvar,
}

#[derive(Default)]
struct Batch {
    number: u32,
    done: usize,
    records: Vec<Option<Delivered>>,
    failure: Option<KafkaError>,
}

/// What waiting for deliveries came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// All that were sent were delivered.
    All,
    /// At least one failed.
    Failed(KafkaError),
    /// Some are still on their way.
    Pending,
}

impl Deliveries {
    /// Forgets everything; reports that are still to come are ignored.
    pub(super) fn start(&self) {
        let mut batch = self.lock();
        batch.number = batch.number.wrapping_add(1);
        batch.done = 0;
        batch.records.clear();
        batch.failure = None;
    }

    /// The mark to send the next record of the batch with.
    pub(super) fn next(&self) -> usize {
        let mut batch = self.lock();
        let index = u32::try_from(batch.records.len()).expect("a batch fits the client's queue");
        batch.records.push(None);
        opaque(batch.number, index)
    }

    /// What became of the `index`-th record of the batch.
    pub(super) fn of(&self, index: usize) -> Option<Delivered> {
        self.lock().records.get(index).copied().flatten()
    }

    /// The offsets of the records `from..to`, when all of them were delivered.
    pub(super) fn offsets(&self, from: usize, to: usize) -> Option<Vec<i64>> {
        let batch = self.lock();
        let records = batch.records.get(from..to)?;
        records.iter().map(|record| record.map(|delivered| delivered.offset)).collect()
    }

    /// Waits until all records of the batch are delivered or one has failed.
    pub(super) fn wait(&self, patience: Duration) -> Outcome {
        let pending = |batch: &mut Batch| batch.failure.is_none() && !batch.complete();
        let batch = self.lock();
        let (batch, _) = self
            .changed
            .wait_timeout_while(batch, patience, pending)
            .unwrap_or_else(PoisonError::into_inner);
        match &batch.failure {
            Some(error) => Outcome::Failed(error.clone()),
            None if batch.complete() => Outcome::All,
            None => Outcome::Pending,
        }
    }

    fn report(&self, mark: usize, report: Result<Delivered, KafkaError>) {
        let mut batch = self.lock();
        let (number, index) = (mark >> 32, mark & 0xffff_ffff);
        if number != batch.number as usize {
            return;
        }
        match report {
            Ok(delivered) => {
                batch.done += 1;
                if let Some(record) = batch.records.get_mut(index) {
                    *record = Some(delivered);
                }
            }
            Err(error) => {
                batch.failure.get_or_insert(error);
            }
        }
        if batch.failure.is_some() || batch.complete() {
            self.changed.notify_all();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Batch> {
        self.batch.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Batch {
    fn complete(&self) -> bool {
        self.done == self.records.len()
    }
}

const fn opaque(number: u32, index: u32) -> usize {
    const { assert!(usize::BITS == 64, "marks hold a batch number and an index") };
    (number as usize) << 32 | index as usize
}

impl ClientContext for Deliveries {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log_line(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "kafka producer reports");
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, mark: usize) {
        let report = match result {
            Ok(message) => Ok(Delivered {
                offset: message.offset(),
                stamped_millis: message.timestamp().to_millis(),
            }),
            Err((error, _)) => Err(error.clone()),
        };
        self.report(mark, report);
    }
}

#[cfg(test)]
mod tests {
    use rdkafka::error::RDKafkaErrorCode;

    use super::*;

    fn at(offset: i64) -> Result<Delivered, KafkaError> {
        Ok(Delivered { offset, stamped_millis: None })
    }

    #[test]
    fn offsets_are_told_in_the_order_of_sending() {
        let deliveries = Deliveries::default();
        deliveries.start();
        let (first, second) = (deliveries.next(), deliveries.next());

        deliveries.report(second, at(8));
        let halfway = deliveries.wait(Duration::ZERO);
        deliveries.report(first, at(7));

        assert_eq!(halfway, Outcome::Pending);
        assert_eq!(deliveries.wait(Duration::ZERO), Outcome::All);
        assert_eq!(deliveries.offsets(0, 2), Some(vec![7, 8]));
        assert_eq!(deliveries.offsets(0, 3), None);
    }

    #[test]
    fn one_failure_ends_the_wait() {
        let error = KafkaError::MessageProduction(RDKafkaErrorCode::MessageTimedOut);
        let deliveries = Deliveries::default();
        deliveries.start();
        let (first, _second) = (deliveries.next(), deliveries.next());

        deliveries.report(first, Err(error.clone()));

        assert_eq!(deliveries.wait(Duration::ZERO), Outcome::Failed(error));
    }

    #[test]
    fn a_late_report_of_an_earlier_batch_is_ignored() {
        let deliveries = Deliveries::default();
        deliveries.start();
        let stale = deliveries.next();
        deliveries.start();
        let fresh = deliveries.next();

        deliveries.report(stale, at(1));
        let before = deliveries.wait(Duration::ZERO);
        deliveries.report(fresh, at(2));

        assert_eq!(before, Outcome::Pending);
        assert_eq!(deliveries.offsets(0, 1), Some(vec![2]));
    }
}
