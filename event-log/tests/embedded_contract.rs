//! The embedded log keeps the contract of every log, with one shard and with several.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::path::Path;
use std::sync::Arc;

use event_log::contract_suite::TestWorld;
use event_log::{EmbeddedLog, EmbeddedOptions, EventLog, RefusalRecord, ShardId};
use tempfile::TempDir;

struct World {
    /// The newest is in use; those before are left behind by killed processes.
    directories: Vec<TempDir>,
    options: EmbeddedOptions,
    log: Option<Arc<EmbeddedLog>>,
}

impl World {
    fn new(partitions: u32, shards: u32) -> Self {
        let options = EmbeddedOptions { partitions, shards, ..EmbeddedOptions::default() };
        Self { directories: vec![TempDir::new().unwrap()], options, log: None }
    }

    fn open(&mut self) -> Arc<EmbeddedLog> {
        let directory = self.directories.last().unwrap().path();
        let open = || Arc::new(EmbeddedLog::open(directory, self.options).unwrap());
        Arc::clone(self.log.get_or_insert_with(open))
    }
}

/// What a killed process leaves: its files as the operating system has them at this moment.
fn copy_files(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        // The shared index dies with the process.
        if !entry.file_name().to_string_lossy().ends_with("-shm") {
            std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

impl TestWorld for World {
    fn log(&mut self) -> Arc<dyn EventLog> {
        self.open()
    }

    fn restart(&mut self) -> Arc<dyn EventLog> {
        drop(self.log.take());
        self.open()
    }

    fn kill(&mut self) -> Arc<dyn EventLog> {
        let left = TempDir::new().unwrap();
        copy_files(self.directories.last().unwrap().path(), left.path());
        self.directories.push(left);
        self.log = None;
        self.open()
    }

    fn refusals(&mut self, shard: ShardId) -> Vec<RefusalRecord> {
        let log = self.open();
        let topology = log.topology();
        let refusals = log.refusals(0, 1000).unwrap().into_iter().map(|(_, refusal)| refusal);
        refusals
            .filter(|refusal| topology.shard(topology.partition(&refusal.stream)) == shard)
            .collect()
    }
}

mod with_one_shard {
    event_log::contract_tests!(super::World::new(4, 1));
}

mod with_two_shards {
    event_log::contract_tests!(super::World::new(4, 2));
}

mod with_one_partition {
    event_log::contract_tests!(super::World::new(1, 1));
}
