//! How the client library's producers and consumers are set up, where their own words go, and what
//! their errors mean to us.

use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::KafkaSettings;
use crate::LogError;

/// Carries the library's log lines to ours.
pub(super) struct Quiet;

impl ClientContext for Quiet {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log_line(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "kafka client reports");
    }
}

impl ConsumerContext for Quiet {}

pub(super) fn log_line(level: RDKafkaLogLevel, facility: &str, message: &str) {
    use RDKafkaLogLevel::{Alert, Critical, Debug, Emerg, Error, Info, Notice, Warning};
    // The library calls a broken connection an error; it heals itself, and what does not heal is
    // returned by the calls.
    match level {
        Emerg | Alert | Critical | Error | Warning => {
            tracing::warn!(target: "kafka_client", facility, "{message}");
        }
        Notice | Info => tracing::info!(target: "kafka_client", facility, "{message}"),
        Debug => tracing::debug!(target: "kafka_client", facility, "{message}"),
    }
}

fn base(settings: &KafkaSettings) -> ClientConfig {
    let mut config = ClientConfig::new();
    for (name, value) in &settings.extra {
        config.set(name, value);
    }
    config
        .set("bootstrap.servers", &settings.brokers)
        .set("client.id", &settings.client_id)
        .set("socket.nagle.disable", "true")
        .set("reconnect.backoff.ms", "50")
        .set("reconnect.backoff.max.ms", "1000")
        .set("log.connection.close", "false");
    config
}

/// For administrative requests.
pub(super) fn admin(settings: &KafkaSettings) -> ClientConfig {
    base(settings)
}

/// For a producer of non-transactional probes.
pub(super) fn plain_producer(settings: &KafkaSettings) -> ClientConfig {
    let mut config = base(settings);
    config
        .set("acks", "all")
        .set("linger.ms", "0")
        .set("message.timeout.ms", millis(settings.request_timeout));
    config
}

/// For the one writer of a shard. Records are batched by the caller, hence no linger.
pub(super) fn transactional_producer(settings: &KafkaSettings, id: &str) -> ClientConfig {
    let mut config = base(settings);
    config
        .set("transactional.id", id)
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("linger.ms", "0")
        .set("transaction.timeout.ms", millis(settings.transaction_timeout))
        // Deliveries must fail while there is time left to abort.
        .set("message.timeout.ms", millis(settings.transaction_timeout * 8 / 10))
        .set("retry.backoff.ms", "10")
        .set("compression.type", "lz4")
        .set("message.max.bytes", super::topics::MESSAGE_BYTES_MAX.to_string())
        .set("queue.buffering.max.kbytes", "65536")
        .set("queue.buffering.max.messages", "100000");
    config
}

/// For reading committed records with a manual assignment. Never joins a group, never commits.
pub(super) fn reading_consumer(settings: &KafkaSettings) -> ClientConfig {
    let mut config = base(settings);
    config
        // The library wants a name for manual assignments too.
        .set("group.id", format!("{}.reader", settings.topic_prefix))
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("isolation.level", "read_committed")
        .set("auto.offset.reset", "error")
        .set("allow.auto.create.topics", "false")
        .set("check.crcs", "true")
        .set("queued.max.messages.kbytes", "16384")
        .set("queued.min.messages", "100000")
        .set("fetch.message.max.bytes", "1048576")
        .set("fetch.queue.backoff.ms", "10")
        .set("fetch.error.backoff.ms", "50")
        .set("fetch.wait.max.ms", "50");
    config
}

/// For the owners' group. Classic protocol: librdkafka before 2.15 makes an overrun of
/// `max.poll.interval.ms` fatal under the newer one. No static membership: static members do not
/// say that they leave.
pub(super) fn owners_consumer(settings: &KafkaSettings) -> ClientConfig {
    let mut config = base(settings);
    config
        .set("group.id", settings.owners_group())
        .set("group.protocol", "classic")
        .set("partition.assignment.strategy", "cooperative-sticky")
        .set("session.timeout.ms", millis(settings.session_timeout))
        .set("heartbeat.interval.ms", "300")
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("allow.auto.create.topics", "false")
        .set("isolation.level", "read_committed")
        .set("socket.timeout.ms", millis(settings.request_timeout));
    config
}

/// A client for metadata, watermarks and offsets: belongs to no group, assigns nothing, creates no
/// topics by asking for them.
pub(super) fn looker(settings: &KafkaSettings) -> Result<BaseConsumer<Quiet>, LogError> {
    let mut config = base(settings);
    config.set("allow.auto.create.topics", "false").set("isolation.level", "read_committed");
    config.create_with_context(Quiet).map_err(|error| failed("create a Kafka client", error))
}

pub(super) fn millis(duration: Duration) -> String {
    duration.as_millis().to_string()
}

/// The library's numbers for partitions are signed; ours are bounded by 1024.
pub(super) fn signed(partition: u32) -> i32 {
    i32::try_from(partition).expect("a log has at most 1024 partitions")
}

pub(super) fn unavailable(reason: impl Into<String>, error: KafkaError) -> LogError {
    LogError::Unavailable { reason: reason.into(), source: Some(Box::new(error)) }
}

/// What a call that failed means: asking again helps, or it does not.
pub(super) fn failed(what: &str, error: KafkaError) -> LogError {
    let reason = format!("cannot {what}");
    match error {
        KafkaError::ClientConfig(..)
        | KafkaError::ClientCreation(_)
        | KafkaError::AdminOpCreation(_)
        | KafkaError::Nul(_) => LogError::Failed { reason, source: Some(Box::new(error)) },
        _ if error.rdkafka_error_code().is_some_and(hopeless) => {
            LogError::Failed { reason, source: Some(Box::new(error)) }
        }
        _ => unavailable(reason, error),
    }
}

/// Errors that repeat until somebody changes permissions, credentials or settings.
fn hopeless(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        code,
        Code::Authentication
            | Code::SaslAuthenticationFailed
            | Code::TopicAuthorizationFailed
            | Code::GroupAuthorizationFailed
            | Code::ClusterAuthorizationFailed
            | Code::TransactionalIdAuthorizationFailed
            | Code::InvalidArgument
            | Code::UnsupportedFeature
            | Code::InvalidConfig
            | Code::InvalidReplicationFactor
            | Code::PolicyViolation
    )
}
