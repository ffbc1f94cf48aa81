//! Who owns which shard: the newest opened record of each, read from the shard topic by a thread of
//! its own. A hint for forwarding, never a proof of ownership.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::topic_partition_list::Offset;

use super::clients::{self, Quiet, signed};
use super::{KafkaSettings, shard_record};
use crate::{LogError, ShardId, ShardOwner};

const POLL: Duration = Duration::from_millis(100);

type Owners = Arc<RwLock<Vec<Option<ShardOwner>>>>;

/// The owners as far as they are known here. Stops reading when dropped.
pub(super) struct Directory {
    owners: Owners,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Directory {
    pub(super) fn start(settings: &KafkaSettings) -> Result<Self, LogError> {
        let failed = |error| clients::failed("read the owners of shards", error);
        let mut config = clients::reading_consumer(settings);
        // The topic is compacted: it need not begin at zero.
        config.set("auto.offset.reset", "earliest");
        let consumer: BaseConsumer<Quiet> = config.create_with_context(Quiet).map_err(failed)?;
        let mut start = TopicPartitionList::new();
        for shard in 0..settings.shards {
            start
                .add_partition_offset(&settings.shards_topic(), signed(shard), Offset::Beginning)
                .map_err(failed)?;
        }
        consumer.assign(&start).map_err(failed)?;
        let owners = Arc::new(RwLock::new(vec![None; settings.shards as usize]));
        let stop = Arc::new(AtomicBool::new(false));
        let thread = {
            let (owners, stop) = (Arc::clone(&owners), Arc::clone(&stop));
            thread::Builder::new()
                .name("shard-directory".to_owned())
                .spawn(move || follow(&consumer, &owners, &stop))
                .map_err(|error| LogError::Failed {
                    reason: "cannot start the directory's thread".to_owned(),
                    source: Some(Box::new(error)),
                })?
        };
        Ok(Self { owners, stop, thread: Some(thread) })
    }

    pub(super) fn owner(&self, shard: ShardId) -> Option<ShardOwner> {
        let owners = self.owners.read().unwrap_or_else(PoisonError::into_inner);
        owners.get(shard.0 as usize).cloned().flatten()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the directory's thread panicked");
        }
    }
}

fn follow(consumer: &BaseConsumer<Quiet>, owners: &Owners, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        let record = match consumer.poll(POLL) {
            Some(Ok(record)) => record,
            Some(Err(error)) => {
                tracing::debug!(%error, "the owners of shards cannot be read just now");
                continue;
            }
            None => continue,
        };
        let Ok(shard) = u32::try_from(record.partition()) else { continue };
        let key = record.key().unwrap_or_default();
        let value = record.payload().unwrap_or_default();
        let Some(address) = shard_record::opened(shard, key, value) else { continue };
        let owner = ShardOwner { epoch: record.offset(), address };
        let mut owners = owners.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = owners.get_mut(shard as usize) {
            *known = Some(owner);
        }
    }
}
