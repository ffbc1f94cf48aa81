//! A store takes in what follows, refuses what does not, and knows when it is not its log's.

use domain::LogId;
use uuid::Uuid;

use super::*;
use crate::sample::Author;
use crate::{OpenedRecord, UnreadableRecord};

const TOPOLOGY: Topology = Topology { log_id: LogId(Uuid::from_u128(1)), partitions: 1, shards: 1 };
const SHARD: ShardId = ShardId(0);

fn events(count: usize) -> Vec<LogEvent> {
    let mut author = Author::new(TOPOLOGY);
    let stream = author.stream_in(0, 0);
    let event = |offset| {
        let new = author.next(stream, 1, 0);
        let position = Position { partition: 0, offset };
        LogEvent { position, envelope: new.envelope, value: new.value }
    };
    (0..i64::try_from(count).unwrap()).map(|index| index * 2).map(event).collect()
}

fn records(events: &[LogEvent]) -> Vec<LogRecord> {
    events.iter().cloned().map(LogRecord::Event).collect()
}

struct Room {
    directory: tempfile::TempDir,
}

impl Room {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("shard-0.sqlite")
    }

    fn open(&self) -> LocalStreamStore {
        LocalStreamStore::open(&self.path(), TOPOLOGY, SHARD).unwrap()
    }
}

fn assert_corrupt<T>(result: Result<T, StreamStoreError>, expected: &str) {
    match result {
        Err(StreamStoreError::Corrupt(reason)) => assert!(reason.contains(expected), "{reason}"),
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("taken in, without {expected}"),
    }
}

#[test]
fn a_missing_sequence_is_corrupt_and_changes_nothing() {
    let room = Room::new();
    let mut store = room.open();
    let mut all = records(&events(3));
    all.remove(1);

    assert_corrupt(store.apply(&all), "sequence 3 stands at 0:4, where 2 belongs");

    assert!(store.checkpoint().unwrap().partitions.is_empty());
}

#[test]
fn a_missing_version_is_corrupt() {
    let room = Room::new();
    let mut store = room.open();
    let mut all = events(3);
    all.remove(1);
    all[1].envelope.sequence = 2;

    assert_corrupt(store.apply(&records(&all)), "version 3");
}

#[test]
fn an_older_epoch_is_corrupt() {
    let room = Room::new();
    let mut store = room.open();
    let all = events(1);
    let opened = OpenedRecord {
        position: Position { partition: 0, offset: 7 },
        shard: SHARD,
        epoch: 1,
        address: String::new(),
    };
    store.apply(&records(&all)).unwrap();

    assert_corrupt(store.apply(&[LogRecord::Opened(opened)]), "epoch 1 was opened");
}

#[test]
fn a_record_that_cannot_be_read_may_have_taken_a_sequence() {
    let room = Room::new();
    let mut store = room.open();
    let all = events(3);
    let unreadable = UnreadableRecord {
        position: all[1].position,
        key: "cruise-1".to_owned(),
        reason: "no such category".to_owned(),
    };
    let mut third = all[2].clone();
    third.envelope.version = 2;

    store.apply(&records(&all[..1])).unwrap();
    store.apply(&[LogRecord::Unreadable(unreadable)]).unwrap();
    drop(store);
    let mut store = room.open();
    store.apply(&[LogRecord::Event(third)]).unwrap();

    assert_eq!(store.checkpoint().unwrap().partitions[0].sequence, 3);
}

#[test]
fn a_reopened_store_goes_on_where_it_was() {
    let room = Room::new();
    let all = events(5);
    let mut store = room.open();
    store.apply(&records(&all[..3])).unwrap();
    let checkpoint = store.checkpoint().unwrap();
    drop(store);

    let mut store = room.open();

    assert_eq!(store.checkpoint().unwrap(), checkpoint);
    store.apply(&records(&all)).unwrap();
    let stream = all[0].envelope.stream;
    assert_eq!(store.events(&stream, 0, 10).unwrap().len(), 5);
}

#[test]
fn a_store_of_another_log_or_shard_is_refused_until_it_is_destroyed() {
    let room = Room::new();
    drop(room.open());
    let other = Topology { log_id: LogId(Uuid::from_u128(2)), ..TOPOLOGY };

    assert_corrupt(LocalStreamStore::open(&room.path(), other, SHARD), "not of");
    LocalStreamStore::destroy(&room.path()).unwrap();

    LocalStreamStore::open(&room.path(), other, SHARD).unwrap();
}

#[test]
fn a_file_that_is_no_database_is_corrupt() {
    let room = Room::new();
    std::fs::write(room.path(), vec![7; 8192]).unwrap();

    assert_corrupt(LocalStreamStore::open(&room.path(), TOPOLOGY, SHARD), "damaged");
}

#[test]
fn a_flipped_byte_in_a_value_is_noticed_when_it_is_read() {
    let room = Room::new();
    let all = events(3);
    let mut store = room.open();
    store.apply(&records(&all)).unwrap();
    drop(store);
    let mut file = std::fs::read(room.path()).unwrap();
    let value = b"version 2 of";
    let at = file.windows(value.len()).position(|window| window == value).unwrap();
    file[at] ^= 1;
    std::fs::write(room.path(), file).unwrap();

    let mut store = room.open();

    assert_corrupt(store.events(&all[0].envelope.stream, 0, 10), "0:2 is damaged");
}

#[test]
fn a_damaged_snapshot_is_as_good_as_none() {
    let room = Room::new();
    let mut store = room.open();
    let stream = crate::sample::stream(1);
    let head = crate::StreamHead { version: 1, hash: domain::Digest::default() };
    let snapshot = Snapshot { stream, head, fold_version: 1, state_json: b"{}".to_vec() };
    store.put_snapshots(std::slice::from_ref(&snapshot)).unwrap();
    assert_eq!(store.snapshot(&stream).unwrap(), Some(snapshot));

    store.connection.execute("UPDATE snapshots SET state_json = '{ }'", []).unwrap();

    assert_eq!(store.snapshot(&stream).unwrap(), None);
}
