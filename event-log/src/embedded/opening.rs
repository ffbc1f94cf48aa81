//! Opening an embedded log: what is recorded of it, and whether all is there that was acknowledged.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use domain::{LogId, Position, PositionVector};
use rusqlite::Connection;
use uuid::Uuid;

use super::directory::Directory;
use super::keeper::Keeper;
use super::ledger::{self, Ledger};
use super::membership::Members;
use super::progress::Progress;
use super::witness::{Testimony, Witness};
use super::{EmbeddedLog, EmbeddedOptions, Inner, Writing, schemas};
use crate::sqlite_records::{self as records, Ends, PartitionEnd, RecordsError, Safety};
use crate::{LogError, RefusalPage, ShardId, ShardOwner, Topology};

const PARTITIONS_MAX: u32 = 1024;

pub(super) fn open(path: &Path, options: EmbeddedOptions) -> Result<EmbeddedLog, LogError> {
    let directory = Directory::new(path);
    let lock = directory.lock()?;
    let mut connection = records::open(&directory.records(), Safety::Synced)?;
    let topology = match recorded(&connection)? {
        Some(topology) => agreed(topology, options, path)?,
        None => create(&mut connection, options)?,
    };
    let ends = Ends::load(&connection)?;
    check_ends(&connection, &ends)?;
    schemas::register(&mut connection)?;
    let witness = heard(&directory, &topology, &connection, &ends)?;
    // The keeper moves the WAL; the writer never stops for it.
    connection.pragma_update(None, "wal_autocheckpoint", 0).map_err(RecordsError::from)?;
    let owners = owners(&connection)?;
    let progress = Arc::new(Progress::new(ends.vector()));
    let syncer = witness.syncer()?;
    let ledger = Arc::new(Mutex::new(Ledger::new(connection, topology, ends, witness)));
    let keeper =
        Keeper::start(&directory.records(), syncer, Arc::clone(&ledger), options.refusals)?;
    let writing = Writing {
        _keeper: keeper,
        ledger,
        progress,
        owners: Mutex::new(owners),
        members: Members::default(),
        _lock: lock,
    };
    let inner = Inner { directory, topology, writing: Some(writing) };
    Ok(EmbeddedLog { inner: Arc::new(inner) })
}

pub(super) fn open_read_only(path: &Path) -> Result<EmbeddedLog, LogError> {
    let directory = Directory::new(path);
    let none = || LogError::Mismatch(format!("there is no log in {}", path.display()));
    if !directory.records().exists() {
        return Err(none());
    }
    let connection = records::open_read_only(&directory.records())?;
    let topology = recorded(&connection)?.ok_or_else(none)?;
    Ok(EmbeddedLog { inner: Arc::new(Inner { directory, topology, writing: None }) })
}

pub(super) fn accept_as_it_is(path: &Path) -> Result<Vec<String>, LogError> {
    let directory = Directory::new(path);
    let _lock = directory.lock()?;
    let connection = records::open(&directory.records(), Safety::Synced)?;
    let topology = recorded(&connection)?
        .ok_or_else(|| LogError::Mismatch(format!("there is no log in {}", path.display())))?;
    let ends = Ends::load(&connection)?;
    check_ends(&connection, &ends)?;
    let missing = match Witness::open(&directory.witness(), &topology) {
        Ok(Some((_, said))) => contradictions(&connection, &ends, &said)?,
        Ok(None) => vec!["there is no witness".to_owned()],
        Err(LogError::Corrupt(reason)) => vec![reason],
        Err(error) => return Err(error),
    };
    Witness::create(&directory.witness(), &topology, ends.iter())?;
    Ok(missing)
}

/// The shape that the log was created with; nothing for a database without a log.
fn recorded(connection: &Connection) -> Result<Option<Topology>, LogError> {
    let tables: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema WHERE name = 'meta'", [], |row| row.get(0))
        .map_err(RecordsError::from)?;
    if tables == 0 {
        return Ok(None);
    }
    let Some(json) = records::meta(connection, "topology")? else { return Ok(None) };
    serde_json::from_str(&json)
        .map(Some)
        .map_err(|error| LogError::Corrupt(format!("the recorded topology is damaged: {error}")))
}

fn agreed(topology: Topology, options: EmbeddedOptions, path: &Path) -> Result<Topology, LogError> {
    let Topology { partitions, shards, .. } = topology;
    if (partitions, shards) == (options.partitions, options.shards) {
        return Ok(topology);
    }
    Err(LogError::Mismatch(format!(
        "the log in {} has {partitions} partitions in {shards} shards, the settings say {} in {}: \
         set the former, or choose another directory",
        path.display(),
        options.partitions,
        options.shards,
    )))
}

fn create(connection: &mut Connection, options: EmbeddedOptions) -> Result<Topology, LogError> {
    let EmbeddedOptions { partitions, shards, .. } = options;
    if !(1..=PARTITIONS_MAX).contains(&partitions)
        || shards == 0
        || !partitions.is_multiple_of(shards)
    {
        return Err(LogError::Mismatch(format!(
            "{partitions} partitions in {shards} shards: there must be 1 to {PARTITIONS_MAX} \
             partitions, and the shards must divide them"
        )));
    }
    let topology = Topology { log_id: LogId(Uuid::now_v7()), partitions, shards };
    let json = serde_json::to_string(&topology).expect("a topology is plain numbers and text");
    let made = connection.transaction().map_err(RecordsError::from).and_then(|transaction| {
        records::create(&transaction)?;
        transaction.execute_batch(ledger::TABLES)?;
        records::put_meta(&transaction, "topology", &json)?;
        Ok(transaction.commit()?)
    });
    made?;
    Ok(topology)
}

/// The recorded ends must be those of the records.
fn check_ends(connection: &Connection, ends: &Ends) -> Result<(), LogError> {
    for (partition, end) in ends.iter() {
        let position = Position { partition, offset: end.event_offset };
        let fits = match end.event_offset {
            -1 => end.sequence == 0,
            _ => records::event_at(connection, position)? == Some((end.sequence, end.event_hash)),
        };
        let last = records::last_offset(connection, partition)?;
        if !fits || last != Some(end.offset) {
            return Err(LogError::Corrupt(format!(
                "partition {partition} does not end as recorded, at offset {}; restore the data \
                 directory from a backup",
                end.offset
            )));
        }
    }
    Ok(())
}

/// Opens the witness, which must not know more than the log has, and lets it name the present ends.
fn heard(
    directory: &Directory,
    topology: &Topology,
    connection: &Connection,
    ends: &Ends,
) -> Result<Witness, LogError> {
    let contradictions = match Witness::open(&directory.witness(), topology)? {
        Some((_, said)) => contradictions(connection, ends, &said)?,
        // A log without records may have been created a moment before a crash.
        None if ends.iter().next().is_none() => Vec::new(),
        None => vec!["there is no witness".to_owned()],
    };
    if contradictions.is_empty() {
        return Witness::create(&directory.witness(), topology, ends.iter());
    }
    Err(LogError::Corrupt(format!(
        "{}. Restore the data directory from a backup that has both log.sqlite and log.witness; \
         or, if what is missing is known to be gone, take the log as it is \
         with `waylog accept-log`",
        contradictions.join("; ")
    )))
}

fn contradictions(
    connection: &Connection,
    ends: &Ends,
    said: &[Option<Testimony>],
) -> Result<Vec<String>, RecordsError> {
    let mut found = Vec::new();
    for (partition, said) in (0..).zip(said) {
        let Some(said) = said else { continue };
        let end: PartitionEnd = ends.of(partition);
        if end.offset < said.offset {
            found.push(format!(
                "partition {partition} ends at offset {} (sequence {}), but offset {} (sequence \
                 {}) was acknowledged",
                end.offset, end.sequence, said.offset, said.sequence
            ));
        } else if said.event_offset >= 0 {
            let position = Position { partition, offset: said.event_offset };
            if records::event_at(connection, position)? != Some((said.sequence, said.hash)) {
                found.push(format!("the event at {position} is not the one that was acknowledged"));
            }
        }
    }
    Ok(found)
}

/// The newest owner of each shard.
pub(super) fn owners(connection: &Connection) -> Result<BTreeMap<ShardId, ShardOwner>, LogError> {
    let read = || -> Result<_, RecordsError> {
        let mut statement = connection.prepare("SELECT shard, epoch, address FROM shards")?;
        let mut rows = statement.query([])?;
        let mut owners = BTreeMap::new();
        while let Some(row) = rows.next()? {
            let owner = ShardOwner { epoch: row.get(1)?, address: row.get(2)? };
            owners.insert(ShardId(row.get(0)?), owner);
        }
        Ok(owners)
    };
    Ok(read()?)
}

/// The one table of refusals is one partition, whatever shard they are of; its ids are offsets.
const REFUSALS_PARTITION: u32 = 0;

pub(super) fn refusals_before(
    connection: &Connection,
    before: &PositionVector,
    max: usize,
) -> Result<RefusalPage, LogError> {
    let partition = REFUSALS_PARTITION;
    let read = || -> Result<_, RecordsError> {
        let newest: Option<i64> =
            connection.query_row("SELECT max(id) FROM refusals", [], |row| row.get(0))?;
        let start = before.offset(partition).unwrap_or_else(|| newest.map_or(0, |id| id + 1));
        let mut statement = connection.prepare(
            "SELECT id, record_json FROM refusals WHERE id < ?1 ORDER BY id DESC LIMIT ?2",
        )?;
        let limit = i64::try_from(max).unwrap_or(i64::MAX);
        let mut rows = statement.query([start, limit])?;
        let mut refusals = Vec::new();
        while let Some(row) = rows.next()? {
            let offset = row.get(0)?;
            let json: String = row.get(1)?;
            let record = serde_json::from_str(&json)
                .map_err(|error| RecordsError::Corrupt(format!("refusal {offset}: {error}")))?;
            refusals.push((Position { partition, offset }, record));
        }
        let place = |offset| PositionVector::from_iter([Position { partition, offset }]);
        let last = refusals.last().map_or(start, |(at, _): &(Position, _)| at.offset);
        let more = max > 0 && refusals.len() == max;
        Ok(RefusalPage { refusals, start: place(start), before: place(last), more })
    };
    Ok(read()?)
}
