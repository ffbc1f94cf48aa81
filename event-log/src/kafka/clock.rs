//! The broker's clock, read from the time that it stamps on a record of the shard topic.
//!
//! Asked at most every ten seconds, and only when somebody wants to know: one small record of a
//! compacted topic each time. The answer is off by at most half of the round trip.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rdkafka::message::OwnedHeaders;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, PurgeConfig};

use super::KafkaSettings;
use super::clients;
use super::deliveries::{Deliveries, Outcome};
use super::shard_record::CLOCK_KEY;
use crate::LogError;

/// How long an answer holds.
const FRESH: Duration = Duration::from_secs(10);
/// A broker's stamp is cut to milliseconds: half of one is missing on average.
const CUT_MICROS: i64 = 500;

/// Compares this machine's clock with the broker's.
pub(super) struct Clock {
    topic: String,
    patience: Duration,
    probe: Mutex<Probe>,
}

struct Probe {
    producer: BaseProducer<Deliveries>,
    latest: Option<(Instant, i64)>,
}

impl Clock {
    pub(super) fn new(settings: &KafkaSettings) -> Result<Self, LogError> {
        let producer = clients::plain_producer(settings)
            .create_with_context(Deliveries::default())
            .map_err(|error| clients::failed("create the clock's producer", error))?;
        Ok(Self {
            topic: settings.shards_topic(),
            patience: settings.request_timeout,
            probe: Mutex::new(Probe { producer, latest: None }),
        })
    }

    /// How far this machine is ahead of the broker, in microseconds.
    pub(super) fn skew_micros(&self) -> Result<i64, LogError> {
        let mut probe = self.probe.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((measured, skew)) = probe.latest
            && measured.elapsed() < FRESH
        {
            return Ok(skew);
        }
        let skew = self.measure(&probe.producer)?;
        probe.latest = Some((Instant::now(), skew));
        Ok(skew)
    }

    fn measure(&self, producer: &BaseProducer<Deliveries>) -> Result<i64, LogError> {
        let deliveries = producer.context();
        deliveries.start();
        let record = BaseRecord::with_opaque_to(&self.topic, deliveries.next())
            .partition(0)
            .key(CLOCK_KEY)
            .payload("{}")
            .headers(OwnedHeaders::new());
        let (before, started) = (wall_micros(), Instant::now());
        producer.send(record).map_err(|(error, _)| clients::failed("ask for the time", error))?;
        loop {
            producer.poll(Duration::from_millis(1));
            match deliveries.wait(Duration::ZERO) {
                Outcome::All => break,
                Outcome::Failed(error) => return Err(clients::failed("ask for the time", error)),
                Outcome::Pending if started.elapsed() < self.patience => {}
                Outcome::Pending => {
                    producer.purge(PurgeConfig::default().queue().inflight());
                    let reason = "the broker does not tell its time".to_owned();
                    return Err(LogError::Unavailable { reason, source: None });
                }
            }
        }
        let round_trip = i64::try_from(started.elapsed().as_micros()).unwrap_or(i64::MAX);
        let stamped = deliveries.of(0).and_then(|delivered| delivered.stamped_millis);
        let Some(stamped) = stamped else {
            let reason = "the broker did not stamp the record".to_owned();
            return Err(LogError::Failed { reason, source: None });
        };
        let broker = stamped.saturating_mul(1000).saturating_add(CUT_MICROS);
        Ok(before.saturating_add(round_trip / 2).saturating_sub(broker))
    }
}

fn wall_micros() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}
