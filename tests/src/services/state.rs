//! What a set of services remembers between two commands: `state.json` in its directory.
//!
//! The file is replaced whole (written aside, then renamed) on every change, so that a command that
//! is killed in the middle leaves the pids that it has started so far. It holds the databases'
//! password and is readable by its owner alone.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use super::{
    kind::Kind,
    process::{Identity, Life},
};

/// The form of the file; another number is another program's.
const FORMAT: u32 = 1;

/// A set of services.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct State {
    format: u32,
    /// Where the services keep their data; beside this file, but for an account that may not reach
    /// it there.
    pub(super) data: PathBuf,
    /// Brokers of the Kafka cluster, 1 or 3; fixed once the cluster was formatted.
    pub(super) brokers: u8,
    /// Kafka's name for the cluster: 16 bytes in URL-safe base64.
    pub(super) cluster_id: String,
    /// Of user `waylog` in PostgreSQL and MariaDB, and of Redis.
    pub(super) password: String,
    /// By name: `kafka-1`, `registry` and so on.
    pub(super) processes: BTreeMap<String, Entry>,
}

/// One process of a set.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) kind: Kind,
    /// Which broker, from 1; 1 for every other service.
    pub(super) node: u8,
    pub(super) port: u16,
    /// Where the brokers' Raft quorum talks; unused by other services.
    pub(super) controller_port: u16,
    /// None when it was stopped on request.
    pub(super) process: Option<Identity>,
}

impl Entry {
    /// Whether it runs, and is neither ended nor paused.
    pub(super) fn at_work(&self) -> bool {
        self.life() == Some(Life::Running)
    }

    /// What the kernel says of it; none when it was stopped on request.
    pub(super) fn life(&self) -> Option<Life> {
        self.process.as_ref().map(Identity::life)
    }
}

impl State {
    /// A new set that keeps its data in `data`.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub(super) fn new(data: PathBuf, brokers: u8) -> Result<Self> {
        let hex = random_hex()?;
        Ok(Self {
            format: FORMAT,
            data,
            brokers,
            // 21 free digits and one that leaves the unused bits of base64 zero.
            cluster_id: format!("{}A", &hex[..21]),
            password: random_hex()?,
            processes: BTreeMap::new(),
        })
    }

    /// Reads a set's file; none when there is no such file.
    ///
    /// # Errors
    /// When the file cannot be read or is not of this program's making.
    pub(super) fn load(file: &Path) -> Result<Option<Self>> {
        let text = match fs::read_to_string(file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).context(format!("cannot read {}", file.display())),
        };
        let state: Self = serde_json::from_str(&text)
            .with_context(|| format!("{} is not a record of services", file.display()))?;
        if state.format != FORMAT {
            bail!("{} has format {}; known is {FORMAT}", file.display(), state.format);
        }
        Ok(Some(state))
    }

    fn save(&self, file: &Path) -> Result<()> {
        let aside = file.with_extension("json.new");
        let write = || -> Result<()> {
            let mut out = fs::OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&aside)?;
            serde_json::to_writer_pretty(&mut out, self)?;
            out.write_all(b"\n")?;
            fs::rename(&aside, file)?;
            Ok(())
        };
        write().with_context(|| format!("cannot write {}", file.display()))
    }

    /// Every port of the set, in use or kept for later.
    pub(super) fn ports(&self) -> BTreeSet<u16> {
        self.processes.values().flat_map(|entry| [entry.port, entry.controller_port]).collect()
    }

    /// The processes of one service, by node.
    pub(super) fn nodes(&self, kind: Kind) -> impl Iterator<Item = (&String, &Entry)> {
        self.processes.iter().filter(move |(_, entry)| entry.kind == kind)
    }
}

/// A state and its file, changed by several threads.
#[derive(Debug)]
pub(super) struct Book {
    file: PathBuf,
    state: Mutex<State>,
}

impl Book {
    pub(super) fn new(file: PathBuf, state: State) -> Self {
        Self { file, state: Mutex::new(state) }
    }

    /// Takes over what another process wrote.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(super) fn reload(&self) -> Result<()> {
        if let Some(written) = State::load(&self.file)? {
            *self.lock() = written;
        }
        Ok(())
    }

    /// The state as it is now.
    pub(super) fn read(&self) -> State {
        self.lock().clone()
    }

    /// Changes the state and writes it before returning.
    ///
    /// # Errors
    /// When `change` refuses, or the file cannot be written.
    pub(super) fn update<T>(&self, change: impl FnOnce(&mut State) -> Result<T>) -> Result<T> {
        let mut state = self.lock();
        let result = change(&mut state)?;
        state.save(&self.file)?;
        Ok(result)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Every change is a plain assignment: a panic elsewhere leaves it whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// 16 random bytes as 32 hexadecimal digits.
fn random_hex() -> Result<String> {
    let mut bytes = [0_u8; 16];
    fs::File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(&mut bytes))
        .context("no random bytes from /dev/urandom")?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn entry(port: u16) -> Entry {
        Entry { kind: Kind::Redis, node: 1, port, controller_port: port + 1, process: None }
    }

    #[test]
    fn what_was_written_is_read_again_and_only_the_owner_may() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("state.json");
        let book = Book::new(file.clone(), State::new("/data".into(), 3).unwrap());

        book.update(|state| Ok(state.processes.insert("redis".to_owned(), entry(7000)))).unwrap();

        let read = State::load(&file).unwrap().unwrap();
        assert_eq!(read.password, book.read().password);
        assert_eq!(read.ports(), BTreeSet::from([7000, 7001]));
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_refused_change_leaves_the_file_alone() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("state.json");
        let book = Book::new(file.clone(), State::new("/data".into(), 1).unwrap());

        let refused: Result<()> = book.update(|_| bail!("no"));

        assert!(refused.is_err());
        assert!(State::load(&file).unwrap().is_none());
    }

    #[test]
    fn a_file_of_another_making_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("state.json");
        fs::write(&file, r#"{"pid": 1}"#).unwrap();

        let error = State::load(&file).unwrap_err();

        assert!(error.to_string().contains("is not a record of services"));
    }

    #[test]
    fn two_sets_have_neither_password_nor_cluster_in_common() {
        let one = State::new("/one".into(), 1).unwrap();
        let two = State::new("/two".into(), 1).unwrap();

        assert_ne!(one.password, two.password);
        assert_ne!(one.cluster_id, two.cluster_id);
        assert_eq!(one.cluster_id.len(), 22);
    }
}
