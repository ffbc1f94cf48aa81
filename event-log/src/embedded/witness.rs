//! The witness: a small second file that names the end of each partition, so that a log which lost
//! its tail is noticed. SQLite cannot notice: a WAL that was cut, or has a flipped bit, ends there
//! as if the rest had never been written.
//!
//! It is written after each commit and never before, so it never names more than the log holds:
//! a crash between the two leaves a log that is ahead, which is fine. It reaches the operating
//! system with each commit (a killed process loses nothing of it) and the disk at least every
//! [`super::keeper::TICK`]: after a power cut it may be that much behind, while the log itself is
//! synced with each commit. A second sync per commit would double the latency of every answer to
//! narrow that window.
//!
//! Layout: a header of 64 bytes, then two slots of 64 bytes for each partition, written in turn, so
//! that a torn write leaves the older one. Integers are little-endian; each part ends in its
//! CRC-32.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use domain::{Digest, LogId};

use super::directory::failed;
use crate::sqlite_records::PartitionEnd;
use crate::{LogError, Topology};

const PART_BYTES: usize = 64;
const CRC_AT: usize = PART_BYTES - 4;
const MAGIC: &[u8; 16] = b"waylog witness 1";

/// What the witness says of one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Testimony {
    /// Of the last record.
    pub(super) offset: i64,
    /// Of the last event; -1 for none.
    pub(super) event_offset: i64,
    /// Of the last event; 0 for none.
    pub(super) sequence: u64,
    /// Of the last event.
    pub(super) hash: Digest,
}

/// What the witness says, partition by partition.
pub(super) type Testimonies = Vec<Option<Testimony>>;

impl From<&PartitionEnd> for Testimony {
    fn from(end: &PartitionEnd) -> Self {
        Self {
            offset: end.offset,
            event_offset: end.event_offset,
            sequence: end.sequence,
            hash: end.event_hash,
        }
    }
}

/// The open file.
#[derive(Debug)]
pub(super) struct Witness {
    file: File,
    /// Which slot of each partition is written next.
    second_is_next: Vec<bool>,
    /// Written since it was last synced.
    unsynced: Arc<AtomicBool>,
}

/// Syncs the witness from another thread.
#[derive(Debug)]
pub(super) struct WitnessSync {
    file: File,
    unsynced: Arc<AtomicBool>,
}

impl WitnessSync {
    /// Brings what was written to the disk, if anything was.
    pub(super) fn sync(&self) -> std::io::Result<()> {
        if !self.unsynced.swap(false, Ordering::SeqCst) {
            return Ok(());
        }
        self.file.sync_data().inspect_err(|_| self.unsynced.store(true, Ordering::SeqCst))
    }
}

impl Witness {
    /// Writes a new witness in place of any other: all of it is on disk when this returns.
    pub(super) fn create<'a>(
        path: &Path,
        topology: &Topology,
        ends: impl Iterator<Item = (u32, &'a PartitionEnd)>,
    ) -> Result<Self, LogError> {
        let draft = path.with_extension("witness-draft");
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(true);
        let file = options.open(&draft).map_err(|error| failed("creating the witness", error))?;
        let partitions = topology.partitions as usize;
        let unsynced = Arc::default();
        let mut witness = Self { file, second_is_next: vec![false; partitions], unsynced };
        let length = (PART_BYTES * (1 + 2 * partitions)) as u64;
        witness
            .file
            .set_len(length)
            .and_then(|()| witness.file.write_all_at(&header(topology), 0))
            .map_err(|error| failed("creating the witness", error))?;
        for (partition, end) in ends {
            witness.testify(partition, end)?;
        }
        let directory = path.parent().expect("the witness lies in the data directory");
        witness
            .file
            .sync_all()
            .and_then(|()| std::fs::rename(&draft, path))
            .and_then(|()| File::open(directory)?.sync_all())
            .map_err(|error| failed("creating the witness", error))?;
        Ok(witness)
    }

    /// Opens the witness and reads what it says; nothing when there is none.
    pub(super) fn open(
        path: &Path,
        topology: &Topology,
    ) -> Result<Option<(Self, Testimonies)>, LogError> {
        let file = match OpenOptions::new().read(true).write(true).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed("opening the witness", error)),
        };
        let mut found = [0; PART_BYTES];
        let read = |part: &mut [u8; PART_BYTES], at: usize| {
            file.read_exact_at(part, (at * PART_BYTES) as u64)
                .map_err(|error| failed("reading the witness", error))
        };
        read(&mut found, 0)?;
        if found != header(topology) {
            return Err(LogError::Corrupt("the witness is of another log or damaged".to_owned()));
        }
        let mut second_is_next = Vec::new();
        let mut testimonies = Vec::new();
        for partition in 0..topology.partitions as usize {
            let mut slots = [None; 2];
            for (index, slot) in slots.iter_mut().enumerate() {
                read(&mut found, 1 + 2 * partition + index)?;
                *slot = parse(&found);
            }
            let offset = |slot: Option<Testimony>| slot.map_or(-1, |said| said.offset);
            let first_is_newest = offset(slots[0]) >= offset(slots[1]);
            second_is_next.push(first_is_newest && slots[0].is_some());
            testimonies.push(if first_is_newest { slots[0] } else { slots[1] });
        }
        let unsynced = Arc::default();
        Ok(Some((Self { file, second_is_next, unsynced }, testimonies)))
    }

    /// Names the new end of a partition. Reaches the operating system, not yet the disk.
    pub(super) fn testify(&mut self, partition: u32, end: &PartitionEnd) -> Result<(), LogError> {
        let second = &mut self.second_is_next[partition as usize];
        let part = 1 + 2 * u64::from(partition) + u64::from(*second);
        *second = !*second;
        self.file
            .write_all_at(&slot(&Testimony::from(end)), part * PART_BYTES as u64)
            .map_err(|error| failed("writing the witness", error))?;
        self.unsynced.store(true, Ordering::SeqCst);
        Ok(())
    }

    /// For syncing from another thread.
    pub(super) fn syncer(&self) -> Result<WitnessSync, LogError> {
        let file = self.file.try_clone().map_err(|error| failed("opening the witness", error))?;
        Ok(WitnessSync { file, unsynced: Arc::clone(&self.unsynced) })
    }
}

fn header(topology: &Topology) -> [u8; PART_BYTES] {
    let mut part = [0; PART_BYTES];
    let LogId(log_id) = topology.log_id;
    part[..16].copy_from_slice(MAGIC);
    part[16..32].copy_from_slice(log_id.as_bytes());
    part[32..36].copy_from_slice(&topology.partitions.to_le_bytes());
    sealed(part)
}

fn slot(said: &Testimony) -> [u8; PART_BYTES] {
    let mut part = [0; PART_BYTES];
    part[..8].copy_from_slice(&said.offset.to_le_bytes());
    part[8..16].copy_from_slice(&said.event_offset.to_le_bytes());
    part[16..24].copy_from_slice(&said.sequence.to_le_bytes());
    part[24..56].copy_from_slice(&said.hash.0);
    // An untouched slot is all zeros, whose checksum is not zero with this mark in it.
    part[56] = 1;
    sealed(part)
}

fn sealed(mut part: [u8; PART_BYTES]) -> [u8; PART_BYTES] {
    let crc = crc32fast::hash(&part[..CRC_AT]);
    part[CRC_AT..].copy_from_slice(&crc.to_le_bytes());
    part
}

fn parse(part: &[u8; PART_BYTES]) -> Option<Testimony> {
    let number = |at: usize| part[at..at + 8].try_into().expect("eight bytes");
    let said = Testimony {
        offset: i64::from_le_bytes(number(0)),
        event_offset: i64::from_le_bytes(number(8)),
        sequence: u64::from_le_bytes(number(16)),
        hash: Digest(part[24..56].try_into().expect("32 bytes")),
    };
    (slot(&said) == *part).then_some(said)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOPOLOGY: Topology =
        Topology { log_id: LogId(uuid::Uuid::from_u128(1)), partitions: 3, shards: 1 };

    fn end(offset: i64) -> PartitionEnd {
        PartitionEnd { offset, sequence: 9, event_hash: Digest([3; 32]), ..PartitionEnd::EMPTY }
    }

    #[test]
    fn the_newest_testimony_of_each_partition_is_read_back() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log.witness");
        let mut witness = Witness::create(&path, &TOPOLOGY, [(0, &end(4))].into_iter()).unwrap();
        for offset in 5..8 {
            witness.testify(0, &end(offset)).unwrap();
        }
        witness.testify(2, &end(1)).unwrap();

        let (_, said) = Witness::open(&path, &TOPOLOGY).unwrap().unwrap();

        assert_eq!(said, [Some(Testimony::from(&end(7))), None, Some(Testimony::from(&end(1)))]);
    }

    #[test]
    fn a_torn_slot_leaves_the_older_one_and_is_written_next() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log.witness");
        let mut witness = Witness::create(&path, &TOPOLOGY, std::iter::empty()).unwrap();
        witness.testify(0, &end(1)).unwrap();
        witness.testify(0, &end(2)).unwrap();
        witness.file.write_all_at(b"torn", 2 * PART_BYTES as u64 + 3).unwrap();

        let (mut reopened, said) = Witness::open(&path, &TOPOLOGY).unwrap().unwrap();
        assert_eq!(said[0].unwrap().offset, 1);
        reopened.testify(0, &end(3)).unwrap();

        let (_, said) = Witness::open(&path, &TOPOLOGY).unwrap().unwrap();
        assert_eq!(said[0].unwrap().offset, 3);
    }

    #[test]
    fn the_witness_of_another_log_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log.witness");
        Witness::create(&path, &TOPOLOGY, std::iter::empty()).unwrap();

        let other = Topology { log_id: LogId(uuid::Uuid::from_u128(2)), ..TOPOLOGY };

        assert!(matches!(Witness::open(&path, &other), Err(LogError::Corrupt(_))));
    }
}
