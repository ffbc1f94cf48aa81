//! The refusals that the brokers still keep, read backwards: the last piece of each partition,
//! merged by time, then the pieces before them.
//!
//! Only committed ones are seen. They expire while they are read: what is gone is left out.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use domain::{Position, PositionVector};
use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::topic_partition_list::Offset;

use super::KafkaSettings;
use super::clients::{self, Quiet, signed};
use crate::{LogError, RefusalPage, RefusalRecord, Topology};

/// How many offsets of a partition are read at once; transactions' markers count.
const PIECE: i64 = 500;
/// How long one call of the client waits.
const POLL: Duration = Duration::from_millis(100);

/// The end of a partition that is read now.
struct Piece {
    /// The oldest offset that there is.
    low: i64,
    from: i64,
    /// Before which it is read.
    to: i64,
    /// Oldest first.
    found: Vec<(i64, RefusalRecord)>,
    read: bool,
}

pub(super) fn read(
    settings: &KafkaSettings,
    topology: &Topology,
    before: &PositionVector,
    max: usize,
) -> Result<RefusalPage, LogError> {
    let topic = settings.refusals();
    let failed = |error| clients::failed(&format!("read {topic}"), error);
    let mut config = clients::reading_consumer(settings);
    // What expired meanwhile is no error here: evidence is kept for a limited time.
    config.set("enable.partition.eof", "true").set("auto.offset.reset", "earliest");
    let consumer: BaseConsumer<Quiet> = config.create_with_context(Quiet).map_err(failed)?;
    let deadline = Instant::now() + settings.request_timeout;
    let mut pieces = BTreeMap::new();
    let mut assignment = TopicPartitionList::new();
    for shard in topology.all_shards() {
        let partition = shard.0;
        let left = deadline.saturating_duration_since(Instant::now());
        let watermarks = consumer.fetch_watermarks(&topic, signed(partition), left);
        let (low, high) = watermarks.map_err(failed)?;
        let to = before.offset(partition).unwrap_or(high).clamp(low, high);
        let from = (to - PIECE).max(low);
        let read = from >= to;
        if !read {
            let start = Offset::Offset(from);
            assignment.add_partition_offset(&topic, signed(partition), start).map_err(failed)?;
        }
        pieces.insert(partition, Piece { low, from, to, found: Vec::new(), read });
    }
    consumer.assign(&assignment).map_err(failed)?;
    while pieces.values().any(|piece| !piece.read) {
        if Instant::now() >= deadline {
            let reason = format!("{topic} was not read in time");
            return Err(LogError::Unavailable { reason, source: None });
        }
        match consumer.poll(POLL) {
            None => {}
            Some(Ok(message)) => take(&mut pieces, &message)?,
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                let piece = u32::try_from(partition).ok().and_then(|p| pieces.get_mut(&p));
                piece.into_iter().for_each(|piece| piece.read = true);
            }
            // Connections heal by themselves; what does not heal ends at the deadline.
            Some(Err(error)) => tracing::debug!(%error, topic, "a broker reports"),
        }
    }
    Ok(merged(pieces, max))
}

fn take(pieces: &mut BTreeMap<u32, Piece>, message: &BorrowedMessage<'_>) -> Result<(), LogError> {
    let partition = u32::try_from(message.partition()).expect("fetched from a real partition");
    let offset = message.offset();
    let Some(piece) = pieces.get_mut(&partition).filter(|piece| !piece.read) else {
        return Ok(());
    };
    if offset >= piece.to {
        piece.read = true;
        return Ok(());
    }
    let record = serde_json::from_slice(message.payload().unwrap_or_default());
    let record = record.map_err(|error| {
        LogError::Corrupt(format!("refusal {partition}:{offset} cannot be read: {error}"))
    })?;
    piece.found.push((offset, record));
    piece.read = offset + 1 >= piece.to;
    Ok(())
}

/// The newest of all pieces, as far as they reach: nothing of a partition is passed over that may
/// be newer than what is given.
fn merged(mut pieces: BTreeMap<u32, Piece>, max: usize) -> RefusalPage {
    let at = |partition: &u32, offset| Position { partition: *partition, offset };
    let start = pieces.iter().map(|(partition, piece)| at(partition, piece.to)).collect();
    let mut refusals = Vec::new();
    while refusals.len() < max {
        for piece in pieces.values_mut().filter(|piece| piece.found.is_empty()) {
            piece.to = piece.from;
        }
        if pieces.values().any(|piece| piece.found.is_empty() && piece.from > piece.low) {
            break;
        }
        let newest = |(partition, piece): (&u32, &Piece)| {
            Some((piece.found.last()?.1.refused_at, *partition))
        };
        let Some((_, partition)) = pieces.iter().filter_map(newest).max() else { break };
        let piece = pieces.get_mut(&partition).expect("it was found there");
        if let Some((offset, record)) = piece.found.pop() {
            piece.to = offset;
            refusals.push((Position { partition, offset }, record));
        }
    }
    let more = pieces.values().any(|piece| !piece.found.is_empty() || piece.from > piece.low);
    let before = pieces.iter().map(|(partition, piece)| at(partition, piece.to)).collect();
    RefusalPage { refusals, start, before, more }
}
