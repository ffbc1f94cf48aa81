//! What can only be seen from inside: a full disk, a long WAL, the queue of owners, an older
//! program.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::*;
use crate::sample::Author;
use crate::{CommitState, LogRecord};

const SHARD: ShardId = ShardId(0);
const DEADLINE: Duration = Duration::from_secs(60);

fn open(directory: &TempDir) -> EmbeddedLog {
    let options = EmbeddedOptions { partitions: 1, ..EmbeddedOptions::default() };
    EmbeddedLog::open(directory.path(), options).unwrap()
}

fn batch(author: &mut Author, epoch: i64, bytes: usize) -> Batch {
    let stream = author.stream_in(0, 0);
    Batch { events: vec![author.next(stream, epoch, bytes)], refusals: Vec::new() }
}

fn read_all(log: &EmbeddedLog) -> Vec<LogRecord> {
    log.reader(&PositionVector::empty(), &[]).unwrap().poll(10_000, Duration::ZERO).unwrap()
}

#[test]
fn a_full_disk_aborts_the_append_and_the_writer_goes_on_when_there_is_room() {
    let directory = TempDir::new().unwrap();
    let log = open(&directory);
    let mut shard = log.open_shard(SHARD, "").unwrap();
    let mut author = Author::new(log.topology());
    let limit = |pages: i64| {
        let ledger = log.inner.writing.as_ref().unwrap().ledger();
        let set = format!("PRAGMA max_page_count = {pages}");
        ledger.connection().query_row(&set, [], |row| row.get::<_, i64>(0)).unwrap()
    };

    limit(1);
    let before = author.clone();
    let refused = shard.writer.append(&batch(&mut author, shard.epoch, 500_000));

    assert!(matches!(refused, Err(AppendError::Aborted(_))), "{refused:?}");
    limit(1_000_000);
    author = before;
    shard.writer.append(&batch(&mut author, shard.epoch, 500_000)).unwrap();
    assert_eq!(read_all(&log).len(), 2);
}

#[test]
fn a_log_that_broke_takes_nothing_more() {
    let directory = TempDir::new().unwrap();
    let log = open(&directory);
    let mut shard = log.open_shard(SHARD, "").unwrap();
    let mut author = Author::new(log.topology());
    // Given an index page that was overwritten, which SQLite only sees when it needs it.
    let root: i64 = {
        let ledger = log.inner.writing.as_ref().unwrap().ledger();
        let query = "SELECT rootpage FROM sqlite_schema WHERE name = 'events_by_version'";
        ledger.connection().query_row(query, [], |row| row.get(0)).unwrap()
    };
    drop((shard, log));
    let path = directory.path().join("log.sqlite");
    let mut bytes = std::fs::read(&path).unwrap();
    let at = usize::try_from(root - 1).unwrap() * 4096;
    bytes[at..at + 4096].fill(0xff);
    std::fs::write(&path, bytes).unwrap();
    let log = open(&directory);
    shard = log.open_shard(SHARD, "").unwrap();

    for _ in 0..2 {
        let lost = shard.writer.append(&batch(&mut author, shard.epoch, 10));

        let nothing = CommitState::NotWritten;
        assert!(matches!(lost, Err(AppendError::Lost { committed, .. }) if committed == nothing));
    }
    assert!(log.open_shard(SHARD, "").is_err());
}

#[test]
fn the_wal_is_moved_into_the_database_while_appends_go_on() {
    let directory = TempDir::new().unwrap();
    let log = open(&directory);
    let mut shard = log.open_shard(SHARD, "").unwrap();
    let mut author = Author::new(log.topology());
    let moved = || {
        let connection = log.inner.connection().unwrap();
        let count = "PRAGMA wal_checkpoint(NOOP)";
        connection.query_row(count, [], |row| row.get::<_, i64>(2)).unwrap()
    };

    let deadline = Instant::now() + DEADLINE;
    while moved() <= 0 {
        assert!(Instant::now() < deadline, "nothing was moved");
        shard.writer.append(&batch(&mut author, shard.epoch, 900_000)).unwrap();
    }

    shard.writer.append(&batch(&mut author, shard.epoch, 10)).unwrap();
}

/// Tells the test what it is told.
struct Tells(Sender<usize>);

impl OwnershipHandler for Tells {
    fn assigned(&self, shards: &[ShardId]) {
        self.0.send(shards.len()).unwrap();
    }

    fn revoked(&self, _: &[ShardId], lost: bool) {
        assert!(!lost);
        self.0.send(0).unwrap();
    }
}

fn told() -> (Arc<dyn OwnershipHandler>, Receiver<usize>) {
    let (sender, receiver) = channel();
    (Arc::new(Tells(sender)), receiver)
}

#[test]
fn who_joins_later_owns_the_shards_when_the_first_has_left() {
    let directory = TempDir::new().unwrap();
    let log = open(&directory);
    let ((one, told_one), (two, told_two)) = (told(), told());
    let first = log.join(one).unwrap();
    assert_eq!(told_one.recv_timeout(DEADLINE), Ok(1));
    let second = log.join(two).unwrap();
    assert!(matches!(second.prove(SHARD), Err(LogError::NotAMember)));

    drop(first);

    assert_eq!(told_one.recv_timeout(DEADLINE), Ok(0));
    assert_eq!(told_two.recv_timeout(DEADLINE), Ok(1));
    second.prove(SHARD).unwrap();
}

#[test]
fn an_event_of_a_category_that_only_a_newer_program_knows_is_unreadable() {
    let directory = TempDir::new().unwrap();
    let log = open(&directory);
    let mut shard = log.open_shard(SHARD, "").unwrap();
    let mut author = Author::new(log.topology());
    shard.writer.append(&batch(&mut author, shard.epoch, 10)).unwrap();
    {
        let ledger = log.inner.writing.as_ref().unwrap().ledger();
        let key = [&author.stream_in(0, 0).id.as_bytes()[..], b"cruise"].concat();
        ledger.connection().execute("UPDATE events SET stream = ?1", [key]).unwrap();
    }
    drop((shard, log));

    let log = open(&directory);

    let records = read_all(&log);
    let LogRecord::Unreadable(record) = &records[1] else { panic!("{records:?}") };
    assert_eq!(record.key, author.stream_in(0, 0).to_string().replace("itinerary", "cruise"));
}

#[test]
fn verifying_reads_everything_and_names_what_does_not_follow() {
    let directory = TempDir::new().unwrap();
    let log = open(&directory);
    let mut shard = log.open_shard(SHARD, "").unwrap();
    let mut author = Author::new(log.topology());
    for _ in 0..1_200 {
        shard.writer.append(&batch(&mut author, shard.epoch, 10)).unwrap();
    }
    assert_eq!(log.verify().unwrap(), 1_201);
    let mut altered = batch(&mut author, shard.epoch, 10);
    altered.events[0].value = bytes::Bytes::from_static(b"\0\0\0\0\x01altered");

    shard.writer.append(&altered).unwrap();

    let found = log.verify().unwrap_err();
    assert!(matches!(found, LogError::Corrupt(_)), "{found}");
    assert!(found.to_string().contains("version 1201"), "{found}");
}

#[test]
fn verifying_finds_an_index_that_lacks_an_event() {
    let directory = TempDir::new().unwrap();
    let log = open(&directory);
    let mut shard = log.open_shard(SHARD, "").unwrap();
    let mut author = Author::new(log.topology());
    for _ in 0..3 {
        shard.writer.append(&batch(&mut author, shard.epoch, 10)).unwrap();
    }
    {
        // Given a row that is there and an index without it, as a torn page would leave them.
        let ledger = log.inner.writing.as_ref().unwrap().ledger();
        let connection = ledger.connection();
        connection.pragma_update(None, "writable_schema", true).unwrap();
        connection
            .execute_batch(
                "UPDATE sqlite_schema SET sql = sql || ' WHERE version < 3' \
                 WHERE name = 'events_by_version'; \
                 PRAGMA writable_schema = RESET; REINDEX events_by_version; \
                 PRAGMA writable_schema = ON; \
                 UPDATE sqlite_schema SET sql = replace(sql, ' WHERE version < 3', '') \
                 WHERE name = 'events_by_version'; PRAGMA writable_schema = RESET;",
            )
            .unwrap();
    }

    let found = log.verify().unwrap_err();

    assert!(found.to_string().contains("events_by_version"), "{found}");
}

#[test]
fn what_stands_before_damage_and_in_other_partitions_is_read() {
    let directory = TempDir::new().unwrap();
    let options = EmbeddedOptions { partitions: 2, ..EmbeddedOptions::default() };
    let log = EmbeddedLog::open(directory.path(), options).unwrap();
    let mut shard = log.open_shard(SHARD, "").unwrap();
    let mut author = Author::new(log.topology());
    for number in 0..8 {
        let stream = author.stream_in(number % 2, 0);
        let events = vec![author.next(stream, shard.epoch, 10)];
        shard.writer.append(&Batch { events, refusals: Vec::new() }).unwrap();
    }
    let [before, damaged] = {
        let ledger = log.inner.writing.as_ref().unwrap().ledger();
        // Partition 0 comes first, so that a place is an offset in it.
        let offsets = [1, 2].map(|nth| {
            let query = "SELECT place FROM events ORDER BY place LIMIT 1 OFFSET ?1";
            ledger.connection().query_row(query, [nth], |row| row.get::<_, i64>(0)).unwrap()
        });
        let alter = "UPDATE events SET tenant = 'other' WHERE place = ?1";
        assert_eq!(ledger.connection().execute(alter, [offsets[1]]).unwrap(), 1);
        offsets
    };
    let mut reader = log.reader(&PositionVector::empty(), &[]).unwrap();

    let found = reader.poll(100, Duration::ZERO).unwrap();
    let refused = reader.poll(100, Duration::ZERO).unwrap_err();

    let found: PositionVector = found.iter().map(LogRecord::position).collect();
    assert_eq!(found.offset(0), Some(before));
    assert_eq!(found.offset(1), log.end().unwrap().offset(1));
    assert!(matches!(refused, LogError::Corrupt(_)), "{refused}");
    let place = format!("the record at 0:{damaged} is damaged");
    assert!(refused.to_string().contains(&place), "{refused}");
    assert!(refused.to_string().contains("from a backup"), "{refused}");
}

#[test]
fn bytes_that_are_no_text_are_damage_with_a_way_out() {
    let directory = TempDir::new().unwrap();
    drop(open(&directory));
    let overwrite = "UPDATE meta SET value = CAST(x'c3ff' AS TEXT) WHERE name = 'topology'";
    let connection = Connection::open(directory.path().join("log.sqlite")).unwrap();
    assert_eq!(connection.execute(overwrite, []).unwrap(), 1);
    drop(connection);

    let refused = EmbeddedLog::open(directory.path(), EmbeddedOptions::default()).err().unwrap();

    assert!(matches!(refused, LogError::Corrupt(_)), "{refused}");
    assert!(refused.to_string().contains("from a backup"), "{refused}");
}
