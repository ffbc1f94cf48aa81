//! What stands in the shard topic: who opened a shard and where it answers, the log's shape, and
//! the marks by which two processes agree on it. All JSON, told apart by the record's key.

use domain::LogId;
use serde::{Deserialize, Serialize};

use super::KafkaSettings;
use crate::{ShardId, Topology, headers};

/// The key of the shape's record.
pub(super) const TOPOLOGY_KEY: &str = "topology";
/// The key of the mark before it.
pub(super) const CLAIM_KEY: &str = "topology-claim";
/// The key of the record that only asks for the broker's time.
pub(super) const CLOCK_KEY: &str = "clock";

/// The log's shape, as recorded for good.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct TopologyRecord {
    pub(super) log_id: LogId,
    pub(super) partitions: u32,
    pub(super) shards: u32,
    /// By shard: every id that its writers ever used must be initialised before another takes over.
    pub(super) transactional_ids: Vec<Vec<String>>,
}

impl TopologyRecord {
    pub(super) fn new(log_id: LogId, settings: &KafkaSettings) -> Self {
        let ids = |shard| vec![settings.transactional_id(ShardId(shard))];
        Self {
            log_id,
            partitions: settings.partitions,
            shards: settings.shards,
            transactional_ids: (0..settings.shards).map(ids).collect(),
        }
    }

    pub(super) const fn topology(&self) -> Topology {
        Topology { log_id: self.log_id, partitions: self.partitions, shards: self.shards }
    }
}

#[derive(Serialize, Deserialize)]
struct Ownership {
    address: String,
}

/// The value of an opened record in the shard topic.
pub(super) fn ownership(address: &str) -> Vec<u8> {
    let ownership = Ownership { address: address.to_owned() };
    serde_json::to_vec(&ownership).expect("a struct of strings is JSON")
}

/// The new owner's address, when the record of that partition is an opened record.
pub(super) fn opened(partition: u32, key: &[u8], value: &[u8]) -> Option<String> {
    if key != headers::opened_key(ShardId(partition)).as_bytes() {
        return None;
    }
    let ownership: Ownership = serde_json::from_slice(value).ok()?;
    Some(ownership.address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_opened_record_of_its_own_shard_names_an_owner() {
        let value = ownership("http://a:1");

        assert_eq!(opened(3, b"shard-3", &value), Some("http://a:1".to_owned()));
        assert_eq!(opened(2, b"shard-3", &value), None);
        assert_eq!(opened(3, b"clock", &value), None);
        assert_eq!(opened(3, b"shard-3", b"{}"), None);
    }

    #[test]
    fn the_shape_names_the_transactional_ids_of_every_shard() {
        let settings = KafkaSettings { partitions: 4, shards: 2, ..KafkaSettings::new("b") };
        let record = TopologyRecord::new(LogId(uuid::Uuid::nil()), &settings);

        let json = serde_json::to_string(&record).unwrap();

        assert_eq!(record.transactional_ids, [["waylog.shard.0"], ["waylog.shard.1"]]);
        assert_eq!(serde_json::from_str::<TopologyRecord>(&json).unwrap(), record);
    }
}
