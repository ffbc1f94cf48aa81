//! Partitions and shards: which stream lives where, and who owns it together with whom.

use std::fmt;

use domain::{LogId, StreamName};
use serde::{Deserialize, Serialize};

/// A unit of ownership and of group commit: the partitions `p` with `p mod S = s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ShardId(pub u32);

impl fmt::Display for ShardId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The fixed shape of a log: recorded when it is created; a start with another shape is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Topology {
    /// Which log.
    pub log_id: LogId,
    /// Partitions of the event topic (1 to 1024).
    pub partitions: u32,
    /// Shards; divides `partitions`.
    pub shards: u32,
}

impl Topology {
    /// The partition of a stream: the Java client's default for its name as record key.
    #[must_use]
    pub fn partition(&self, stream: &StreamName) -> u32 {
        partition_of(stream.to_string().as_bytes(), self.partitions)
    }

    /// The shard that a partition belongs to.
    #[must_use]
    pub const fn shard(&self, partition: u32) -> ShardId {
        ShardId(partition % self.shards)
    }

    /// The partitions of a shard, ascending.
    pub fn partitions_of(&self, shard: ShardId) -> impl Iterator<Item = u32> + use<> {
        let (shards, partitions) = (self.shards, self.partitions);
        (shard.0..partitions).step_by(shards as usize)
    }

    /// All shards.
    pub fn all_shards(&self) -> impl Iterator<Item = ShardId> + use<> {
        (0..self.shards).map(ShardId)
    }
}

/// The partition that a stock Java producer chooses for a key.
#[must_use]
pub fn partition_of(key: &[u8], partitions: u32) -> u32 {
    (murmur2(key) & 0x7fff_ffff) % partitions
}

fn murmur2(key: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    let length = u32::try_from(key.len()).expect("a record key is far shorter than 4 GiB");
    let mut hash = 0x9747_b28c ^ length;
    let mut words = key.chunks_exact(4);
    for word in &mut words {
        let word = u32::from_le_bytes(word.try_into().expect("chunks of four"));
        let word = word.wrapping_mul(M);
        let word = (word ^ (word >> 24)).wrapping_mul(M);
        hash = hash.wrapping_mul(M) ^ word;
    }
    let rest = words.remainder();
    if !rest.is_empty() {
        for (index, byte) in rest.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * index);
        }
        hash = hash.wrapping_mul(M);
    }
    hash = (hash ^ (hash >> 13)).wrapping_mul(M);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_hash_as_the_java_client_does() {
        assert_eq!(murmur2(b"kafka"), 0xd067_cf64);
        assert_eq!(murmur2(b"1234"), 0x9fc9_7b14);
        assert_eq!(murmur2(b""), 0x106e_08d9);
    }

    #[test]
    fn every_partition_belongs_to_exactly_one_shard() {
        let topology = Topology { log_id: LogId(uuid::Uuid::nil()), partitions: 12, shards: 4 };

        let mut owned: Vec<u32> =
            topology.all_shards().flat_map(|shard| topology.partitions_of(shard)).collect();
        owned.sort_unstable();

        assert_eq!(owned, (0..12).collect::<Vec<_>>());
        for shard in topology.all_shards() {
            assert!(topology.partitions_of(shard).all(|p| topology.shard(p) == shard));
        }
    }
}
