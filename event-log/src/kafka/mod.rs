//! The log over Kafka: one topic of events, one transactional producer per owned shard, one
//! consumer group that says who may own what.
//!
//! Fencing is the broker's: whoever initialises a shard's transactional id last is its only writer.
//! Everything here blocks, bounded by [`KafkaSettings`]' timeouts.

mod agreement;
mod clients;
mod clock;
mod deliveries;
mod directory;
mod membership;
mod producer;
mod reader;
mod refusals;
mod settings;
mod shard_record;
mod topics;
mod writer;

use std::sync::Arc;

use domain::{Position, PositionVector};
use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::topic_partition_list::Offset;

pub use settings::KafkaSettings;

use crate::{
    Durability, EventLog, LogError, LogReader, Membership, OpenShard, OwnershipHandler,
    RefusalPage, ShardId, ShardOwner, StreamStore, Topology,
};
use clients::{Quiet, signed};
use clock::Clock;
use directory::Directory;
use membership::KafkaMembership;
use reader::KafkaReader;
use topics::Safekeeping;

/// A log in a Kafka cluster.
pub struct KafkaLog {
    settings: KafkaSettings,
    topology: Topology,
    safekeeping: Safekeeping,
    looker: BaseConsumer<Quiet>,
    directory: Directory,
    clock: Clock,
}

impl KafkaLog {
    /// Connects to the log, and creates it when it is not there. Blocks up to
    /// [`KafkaSettings::connect_timeout`].
    ///
    /// # Errors
    /// [`LogError::Mismatch`] when topics or shape are not what the settings say, and
    /// [`LogError::Unavailable`] when no broker answers.
    pub fn connect(settings: KafkaSettings) -> Result<Self, LogError> {
        settings.validate()?;
        let looker = clients::looker(&settings)?;
        let (safekeeping, founded) = topics::ensure(&settings, &looker)?;
        let topology = agreement::agree(&settings, founded)?;
        Self::with(settings, looker, safekeeping, topology)
    }

    /// Connects to a log that is there, to look at it: creates no topic and records no shape.
    /// Blocks up to [`KafkaSettings::connect_timeout`].
    ///
    /// # Errors
    /// As [`KafkaLog::connect`]; [`LogError::Mismatch`] when there is no such log.
    pub fn connect_existing(settings: KafkaSettings) -> Result<Self, LogError> {
        settings.validate()?;
        let looker = clients::looker(&settings)?;
        let safekeeping = topics::inspect(&settings, &looker)?;
        let topology = agreement::recorded(&settings)?;
        Self::with(settings, looker, safekeeping, topology)
    }

    fn with(
        settings: KafkaSettings,
        looker: BaseConsumer<Quiet>,
        safekeeping: Safekeeping,
        topology: Topology,
    ) -> Result<Self, LogError> {
        let directory = Directory::start(&settings)?;
        let clock = Clock::new(&settings)?;
        Ok(Self { settings, topology, safekeeping, looker, directory, clock })
    }

    fn known(&self, shard: ShardId) -> Result<(), LogError> {
        if shard.0 < self.topology.shards {
            return Ok(());
        }
        let shards = self.topology.shards;
        Err(LogError::Mismatch(format!("there is no shard {shard}: the log has {shards}")))
    }
}

impl EventLog for KafkaLog {
    fn topology(&self) -> Topology {
        self.topology
    }

    fn open_shard(&self, shard: ShardId, address: &str) -> Result<OpenShard, LogError> {
        self.known(shard)?;
        writer::open(&self.settings, &self.topology, shard, address)
    }

    fn stream_store(&self, shard: ShardId) -> Result<Option<Box<dyn StreamStore>>, LogError> {
        self.known(shard).map(|()| None)
    }

    fn reader(
        &self,
        start: &PositionVector,
        partitions: &[u32],
    ) -> Result<Box<dyn LogReader>, LogError> {
        let all = self.topology.partitions;
        if let Some(partition) = partitions.iter().find(|&&partition| partition >= all) {
            let sentence = format!("there is no partition {partition}: the log has {all}");
            return Err(LogError::Mismatch(sentence));
        }
        let wanted = (0..all).filter(|p| partitions.is_empty() || partitions.contains(p));
        Ok(Box::new(KafkaReader::start(&self.settings, start, wanted)?))
    }

    /// One request per broker. Every transaction ends with a marker that is no record, hence the
    /// last record is one before it; after an abort, it is further back.
    fn end(&self) -> Result<PositionVector, LogError> {
        let failed = |error| clients::failed("find the log's end", error);
        let mut asked = TopicPartitionList::new();
        for partition in 0..self.topology.partitions {
            // In place of a time, the end asks for the last stable offset.
            asked
                .add_partition_offset(&self.settings.events(), signed(partition), Offset::End)
                .map_err(failed)?;
        }
        let found =
            self.looker.offsets_for_times(asked, self.settings.request_timeout).map_err(failed)?;
        let mut end = PositionVector::empty();
        for element in found.elements() {
            element.error().map_err(failed)?;
            let Offset::Offset(stable) = element.offset() else { continue };
            let Ok(partition) = u32::try_from(element.partition()) else { continue };
            if stable >= 2 {
                end.advance(Position { partition, offset: stable - 2 });
            }
        }
        Ok(end)
    }

    fn refusals(&self, before: &PositionVector, max: usize) -> Result<RefusalPage, LogError> {
        refusals::read(&self.settings, &self.topology, before, max)
    }

    fn join(&self, handler: Arc<dyn OwnershipHandler>) -> Result<Box<dyn Membership>, LogError> {
        Ok(Box::new(KafkaMembership::join(&self.settings, handler)?))
    }

    fn owner(&self, shard: ShardId) -> Option<ShardOwner> {
        self.directory.owner(shard)
    }

    /// Asks the broker at most every ten seconds; in between, the latest answer holds.
    fn clock_skew_micros(&self) -> Result<i64, LogError> {
        self.clock.skew_micros()
    }

    fn record_bytes_max(&self) -> usize {
        topics::RECORD_BYTES_MAX
    }

    fn durability(&self) -> Durability {
        self.safekeeping.durability()
    }
}
