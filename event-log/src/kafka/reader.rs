//! Reads committed records in order, after a vector of positions.
//!
//! A start that the log does not have, before its first record or after its last, is an error: the
//! client's usual answer, to begin somewhere else, would skip facts in silence.

use std::time::{Duration, Instant};

use bytes::Bytes;
use domain::{Position, PositionVector};
use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::topic_partition_list::Offset;

use super::KafkaSettings;
use super::clients::{self, Quiet, signed};
use crate::{LogError, LogReader, LogRecord, headers};

/// Reads with a client of its own.
pub(super) struct KafkaReader {
    consumer: BaseConsumer<Quiet>,
    topic: String,
    /// Met behind records that were handed out first.
    pending: Option<LogError>,
}

impl KafkaReader {
    pub(super) fn start(
        settings: &KafkaSettings,
        start: &PositionVector,
        partitions: impl Iterator<Item = u32>,
    ) -> Result<Self, LogError> {
        let topic = settings.events();
        let failed = |error| clients::failed("start reading the log", error);
        let consumer: BaseConsumer<Quiet> =
            clients::reading_consumer(settings).create_with_context(Quiet).map_err(failed)?;
        let mut assignment = TopicPartitionList::new();
        for partition in partitions {
            // Zero rather than "the beginning": a log that no longer begins at zero has lost facts.
            let next = start.offset(partition).map_or(0, |offset| offset.saturating_add(1).max(0));
            assignment
                .add_partition_offset(&topic, signed(partition), Offset::Offset(next))
                .map_err(failed)?;
        }
        consumer.assign(&assignment).map_err(failed)?;
        Ok(Self { consumer, topic, pending: None })
    }

    /// An error that concerns the caller, if it is one.
    fn trouble(&self, error: KafkaError) -> Option<LogError> {
        use RDKafkaErrorCode as Code;
        let topic = &self.topic;
        match error.rdkafka_error_code() {
            Some(Code::AutoOffsetReset | Code::OffsetOutOfRange) => {
                Some(LogError::Corrupt(format!(
                    "{topic} does not have the record to read from: records are gone, or it is \
                     another log"
                )))
            }
            Some(Code::LogTruncation) => {
                Some(LogError::Corrupt(format!("{topic} lost records that were read before")))
            }
            Some(Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition) => {
                Some(LogError::Unavailable {
                    reason: format!("{topic} or a partition of it is not there"),
                    source: Some(Box::new(error)),
                })
            }
            // One connection of several; the last one is told apart.
            Some(Code::BrokerTransportFailure | Code::Resolve | Code::OperationTimedOut) => {
                tracing::debug!(%error, topic, "a broker is away");
                None
            }
            _ if matches!(error, KafkaError::PartitionEOF(_)) => None,
            _ => Some(clients::failed(&format!("read {topic}"), error)),
        }
    }
}

impl LogReader for KafkaReader {
    fn poll(&mut self, max: usize, wait: Duration) -> Result<Vec<LogRecord>, LogError> {
        if let Some(error) = self.pending.take() {
            return Err(error);
        }
        let mut records = Vec::new();
        let deadline = Instant::now() + wait;
        while records.len() < max {
            let patience = if records.is_empty() {
                deadline.saturating_duration_since(Instant::now())
            } else {
                Duration::ZERO
            };
            match self.consumer.poll(patience) {
                Some(Ok(message)) => records.push(record(&message)),
                Some(Err(error)) => {
                    let Some(error) = self.trouble(error) else { continue };
                    if records.is_empty() {
                        return Err(error);
                    }
                    self.pending = Some(error);
                    break;
                }
                // The client returns early when it served itself.
                None if records.is_empty() && Instant::now() < deadline => {}
                None => break,
            }
        }
        Ok(records)
    }
}

/// Copies what is kept: a message of the client pins the whole fetched batch.
fn record(message: &BorrowedMessage<'_>) -> LogRecord {
    let partition = u32::try_from(message.partition()).expect("fetched from a real partition");
    let position = Position { partition, offset: message.offset() };
    let value = Bytes::copy_from_slice(message.payload().unwrap_or_default());
    let key = message.key().unwrap_or_default();
    let list = message.headers();
    let pairs = list
        .into_iter()
        .flat_map(|list| list.iter())
        .filter_map(|header| Some((header.key, header.value?)));
    headers::record(position, key, pairs, value)
}

#[cfg(test)]
#[path = "reader_tests.rs"]
mod tests;
