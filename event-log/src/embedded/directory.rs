//! The data directory: one process at a time may write in it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use crate::LogError;

const LOCK: &str = "log.lock";

/// The files of an embedded log.
#[derive(Clone, Debug)]
pub(super) struct Directory(PathBuf);

impl Directory {
    pub(super) fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// The log.
    pub(super) fn records(&self) -> PathBuf {
        self.0.join("log.sqlite")
    }

    /// Its witness.
    pub(super) fn witness(&self) -> PathBuf {
        self.0.join("log.witness")
    }

    /// Snapshots: a cache that may be deleted while nothing runs.
    pub(super) fn snapshots(&self) -> PathBuf {
        self.0.join("snapshots.sqlite")
    }

    /// Creates the directory when it is missing and takes it for this process.
    pub(super) fn lock(&self) -> Result<DirectoryLock, LogError> {
        std::fs::create_dir_all(&self.0).map_err(|error| failed("the data directory", error))?;
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(self.0.join(LOCK))
            .map_err(|error| failed("the data directory's lock", error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(self.held(&mut file)),
            Err(TryLockError::Error(error)) => {
                return Err(failed("locking the data directory", error));
            }
        }
        // The holder's name is for people; the lock itself goes away with the process.
        let named = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| write!(file, "process {}", std::process::id()))
            .and_then(|()| file.flush());
        named.map_err(|error| failed("the data directory's lock", error))?;
        Ok(DirectoryLock { _file: file })
    }

    fn held(&self, file: &mut File) -> LogError {
        let mut holder = String::new();
        if file.read_to_string(&mut holder).is_err() || holder.is_empty() {
            "another process".clone_into(&mut holder);
        }
        LogError::Unavailable {
            reason: format!(
                "the data directory {} is in use by {holder}; stop that one first, or choose \
                 another directory",
                self.0.display()
            ),
            source: None,
        }
    }
}

pub(super) fn failed(what: &str, error: std::io::Error) -> LogError {
    LogError::Failed { reason: what.to_owned(), source: Some(Box::new(error)) }
}

/// Keeps the directory for this process; given up when dropped, or when the process ends.
#[derive(Debug)]
pub(super) struct DirectoryLock {
    _file: File,
}
