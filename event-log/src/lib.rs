//! The log: where every fact is kept, in order, and never lost once acknowledged.
//!
//! [`EventLog`] is the contract; one contract suite proves it on every implementation. Nothing
//! above this crate knows which of them it runs on.

pub mod codec;
mod contract;
#[cfg(any(test, feature = "contract-suite"))]
pub mod contract_suite;
mod embedded;
pub mod hash_chain;
pub mod headers;
mod kafka;
mod local_stream_store;
mod record;
#[cfg(any(test, feature = "contract-suite"))]
pub mod sample;
pub mod schema_registry;
mod sqlite_records;
mod stream_store;
mod topology;

pub use codec::{Codec, CodecError};
pub use contract::{
    AppendError, Appended, Batch, CommitState, Durability, EventLog, LogError, LogReader,
    Membership, NewEvent, OpenShard, OwnershipHandler, ShardOwner, ShardWriter,
};
pub use embedded::{EmbeddedLog, EmbeddedOptions, RefusalRetention};
pub use kafka::{KafkaLog, KafkaSettings};
pub use local_stream_store::LocalStreamStore;
pub use record::{LogEvent, LogRecord, OpenedRecord, RefusalPage, RefusalRecord, UnreadableRecord};
pub use stream_store::{
    Checkpoint, PartitionCheckpoint, Snapshot, StoredOutcome, StreamHead, StreamStore,
    StreamStoreError,
};
/// The Confluent framing before a value's Avro datum: a zero and the schema id.
pub const FRAME_BYTES: usize = 5;

pub use topology::{ShardId, Topology, partition_of};
