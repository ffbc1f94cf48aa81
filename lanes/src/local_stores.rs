//! Stream stores in a directory of this machine, one SQLite file a shard.

use std::path::{Path, PathBuf};

use event_log::{LocalStreamStore, ShardId, StreamStore, StreamStoreError, Topology};

use crate::gear::StreamStores;

/// Keeps each shard's stream store in `shard-<s>.sqlite`. One process uses a directory.
#[derive(Clone, Debug)]
pub struct LocalStreamStores {
    directory: PathBuf,
    topology: Topology,
}

impl LocalStreamStores {
    /// Uses the directory, and creates it when there is none.
    ///
    /// # Errors
    /// When it cannot be created.
    pub fn new(directory: &Path, topology: Topology) -> std::io::Result<Self> {
        std::fs::create_dir_all(directory)?;
        Ok(Self { directory: directory.to_owned(), topology })
    }

    fn path(&self, shard: ShardId) -> PathBuf {
        self.directory.join(format!("shard-{shard}.sqlite"))
    }
}

impl StreamStores for LocalStreamStores {
    fn open(&self, shard: ShardId) -> Result<Box<dyn StreamStore>, StreamStoreError> {
        let store = LocalStreamStore::open(&self.path(shard), self.topology, shard)?;
        Ok(Box::new(store))
    }

    fn destroy(&self, shard: ShardId) -> Result<(), StreamStoreError> {
        LocalStreamStore::destroy(&self.path(shard))
    }
}
