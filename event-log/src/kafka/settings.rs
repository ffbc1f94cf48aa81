//! What a Kafka log needs to know, and the bounds it is held to.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::{LogError, ShardId};

/// The most partitions that a log may have.
const PARTITIONS_MAX: u32 = 1024;

/// Where a log is and what it should look like. [`KafkaSettings::new`] gives the defaults.
#[derive(Clone)]
pub struct KafkaSettings {
    /// Bootstrap servers, `host:port` separated by commas.
    pub brokers: String,
    /// First part of every topic, group and transactional id; one a log. Letters, digits, `.`, `_`
    /// and `-`, 1 to 100 of them.
    pub topic_prefix: String,
    /// Partitions of the event topic (1 to 1024). Fixed when the log is created.
    pub partitions: u32,
    /// Shards; divides `partitions`. Fixed when the log is created. Few: each pays for its commits.
    pub shards: u32,
    /// How this process calls itself in the brokers' logs and metrics.
    pub client_id: String,
    /// How long an owner may be silent before its shards go to others. The broker's
    /// `group.min.session.timeout.ms` (6 s unless changed) is the floor.
    pub session_timeout: Duration,
    /// A transaction that is older is aborted by the broker (1 s to 15 min). Bounds deliveries,
    /// commits and aborts too.
    pub transaction_timeout: Duration,
    /// The bound of one look-up or administrative request.
    pub request_timeout: Duration,
    /// The bound of a whole start: topics created and checked, shape agreed.
    pub connect_timeout: Duration,
    /// The bound of one take-over; it may have to wait until a predecessor's commit is settled.
    pub open_timeout: Duration,
    /// More settings of librdkafka for every client, such as TLS and SASL. What the log's promises
    /// rest on cannot be overridden here.
    pub extra: BTreeMap<String, String>,
}

impl KafkaSettings {
    /// Defaults: prefix `waylog`, 12 partitions in 4 shards, 6 s sessions.
    #[must_use]
    pub fn new(brokers: impl Into<String>) -> Self {
        Self {
            brokers: brokers.into(),
            topic_prefix: "waylog".to_owned(),
            partitions: 12,
            shards: 4,
            client_id: "waylog".to_owned(),
            session_timeout: Duration::from_secs(6),
            transaction_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(10),
            connect_timeout: Duration::from_mins(1),
            open_timeout: Duration::from_secs(30),
            extra: BTreeMap::new(),
        }
    }

    pub(super) fn validate(&self) -> Result<(), LogError> {
        let refuse = |what: String| Err(LogError::Mismatch(what));
        let ours = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if !(1..=100).contains(&self.topic_prefix.len()) || !self.topic_prefix.chars().all(ours) {
            return refuse(format!(
                "`{}` cannot be a topic prefix; use 1 to 100 letters, digits, `.`, `_` or `-`",
                self.topic_prefix
            ));
        }
        if !(1..=PARTITIONS_MAX).contains(&self.partitions)
            || self.shards == 0
            || !self.partitions.is_multiple_of(self.shards)
        {
            return refuse(format!(
                "{} partitions in {} shards: use 1 to {PARTITIONS_MAX} partitions, and shards that \
                 divide them",
                self.partitions, self.shards
            ));
        }
        let transaction = self.transaction_timeout;
        if transaction < Duration::from_secs(1) || transaction > Duration::from_mins(15) {
            return refuse(format!("a transaction timeout of {transaction:?}: use 1 s to 15 min"));
        }
        Ok(())
    }

    pub(super) fn events(&self) -> String {
        format!("{}.events", self.topic_prefix)
    }

    pub(super) fn shards_topic(&self) -> String {
        format!("{}.shards", self.topic_prefix)
    }

    pub(super) fn refusals(&self) -> String {
        format!("{}.refusals", self.topic_prefix)
    }

    pub(super) fn owners_group(&self) -> String {
        format!("{}.owners", self.topic_prefix)
    }

    pub(super) fn transactional_id(&self, shard: ShardId) -> String {
        format!("{}.shard.{shard}", self.topic_prefix)
    }

    pub(super) fn topology_transactional_id(&self) -> String {
        format!("{}.topology", self.topic_prefix)
    }
}

impl fmt::Debug for KafkaSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The values of the extra settings may be passwords.
        f.debug_struct("KafkaSettings")
            .field("brokers", &self.brokers)
            .field("topic_prefix", &self.topic_prefix)
            .field("partitions", &self.partitions)
            .field("shards", &self.shards)
            .field("client_id", &self.client_id)
            .field("session_timeout", &self.session_timeout)
            .field("transaction_timeout", &self.transaction_timeout)
            .field("request_timeout", &self.request_timeout)
            .field("connect_timeout", &self.connect_timeout)
            .field("open_timeout", &self.open_timeout)
            .field("extra", &self.extra.keys().collect::<Vec<_>>())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid() {
        assert!(KafkaSettings::new("localhost:9092").validate().is_ok());
    }

    #[test]
    fn shapes_that_cannot_be_are_refused() {
        for (partitions, shards) in [(0, 1), (12, 0), (12, 5), (2048, 4), (4, 8)] {
            let settings = KafkaSettings { partitions, shards, ..KafkaSettings::new("b") };

            assert!(matches!(settings.validate(), Err(LogError::Mismatch(_))), "{settings:?}");
        }
    }

    #[test]
    fn a_prefix_that_cannot_name_a_topic_is_refused() {
        for prefix in ["", "way log", "weg/log", "ü"] {
            let topic_prefix = prefix.to_owned();
            let settings = KafkaSettings { topic_prefix, ..KafkaSettings::new("b") };

            assert!(matches!(settings.validate(), Err(LogError::Mismatch(_))), "{prefix}");
        }
    }

    #[test]
    fn passwords_are_not_printed() {
        let extra = BTreeMap::from([("sasl.password".to_owned(), "hunter2".to_owned())]);
        let settings = KafkaSettings { extra, ..KafkaSettings::new("b") };

        let printed = format!("{settings:?}");

        assert!(printed.contains("sasl.password") && !printed.contains("hunter2"), "{printed}");
    }
}
