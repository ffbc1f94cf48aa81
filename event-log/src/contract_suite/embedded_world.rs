//! An embedded log in a directory of its own.

use std::path::Path;
use std::sync::Arc;

use rusqlite::Connection;
use tempfile::TempDir;

use super::{REFUSED_BYTES, TestWorld};
use crate::{EmbeddedLog, EmbeddedOptions, EventLog, RefusalRecord, ShardId};

/// The embedded log under test.
pub struct EmbeddedWorld {
    /// The newest is in use; those before are left behind by killed processes.
    directories: Vec<TempDir>,
    options: EmbeddedOptions,
    log: Option<Arc<EmbeddedLog>>,
}

impl EmbeddedWorld {
    /// A log of that shape.
    #[must_use]
    pub fn new(partitions: u32, shards: u32) -> Self {
        let options = EmbeddedOptions { partitions, shards, ..EmbeddedOptions::default() };
        Self { directories: vec![TempDir::new().unwrap()], options, log: None }
    }

    fn directory(&self) -> &Path {
        self.directories.last().unwrap().path()
    }

    fn open(&mut self) -> Arc<EmbeddedLog> {
        let (directory, options) = (self.directories.last().unwrap().path(), self.options);
        let open = || Arc::new(EmbeddedLog::open(directory, options).unwrap());
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

impl TestWorld for EmbeddedWorld {
    fn log(&mut self) -> Arc<dyn EventLog> {
        self.open()
    }

    /// One process has the directory, so that it is the same log again.
    fn beside(&mut self) -> Arc<dyn EventLog> {
        self.open()
    }

    fn restart(&mut self) -> Arc<dyn EventLog> {
        drop(self.log.take());
        self.open()
    }

    fn kill(&mut self) -> Arc<dyn EventLog> {
        let left = TempDir::new().unwrap();
        copy_files(self.directory(), left.path());
        self.directories.push(left);
        self.log = None;
        self.open()
    }

    fn refusals(&mut self, shard: ShardId) -> Vec<RefusalRecord> {
        let log = self.open();
        let topology = log.topology();
        let page = log.refusals(&domain::PositionVector::empty(), 1000).unwrap();
        let refusals = page.refusals.into_iter().rev().map(|(_, refusal)| refusal);
        refusals
            .filter(|refusal| topology.shard(topology.partition(&refusal.stream)) == shard)
            .collect()
    }

    /// A trigger of the database: the statements before it have written already.
    fn refuse_large_events(&mut self, refuse: bool) {
        let database = Connection::open(self.directory().join("log.sqlite")).unwrap();
        database.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
        let change = if refuse {
            format!(
                "CREATE TRIGGER large BEFORE INSERT ON events \
                 WHEN length(new.value) > {REFUSED_BYTES} \
                 BEGIN SELECT RAISE(ABORT, 'told to'); END"
            )
        } else {
            "DROP TRIGGER large".to_owned()
        };
        database.execute_batch(&change).unwrap();
    }
}
