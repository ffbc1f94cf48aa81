//! What the embedded log survives, and what it notices.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use domain::{Digest, PositionVector};
use event_log::hash_chain::HashChain;
use event_log::sample::Author;
use event_log::{
    AppendError, Batch, EmbeddedLog, EmbeddedOptions, EventLog, LogError, LogEvent, LogRecord,
    OpenShard, ShardId,
};
use tempfile::TempDir;

const SHARD: ShardId = ShardId(0);
/// Every batch that the child appends has as many events, so that a torn one shows.
const BATCH: usize = 7;
const CHILD: &str = "WAYLOG_TEST_WRITE_UNTIL_KILLED";

fn options() -> EmbeddedOptions {
    EmbeddedOptions { partitions: 2, ..EmbeddedOptions::default() }
}

fn open(path: &Path) -> EmbeddedLog {
    EmbeddedLog::open(path, options()).unwrap()
}

fn read_all(log: &EmbeddedLog) -> Result<Vec<LogEvent>, LogError> {
    let mut reader = log.reader(&PositionVector::empty(), &[])?;
    let mut events = Vec::new();
    loop {
        let records = reader.poll(500, Duration::ZERO)?;
        if records.is_empty() {
            return Ok(events);
        }
        events.extend(records.into_iter().filter_map(|record| match record {
            LogRecord::Event(event) => Some(event),
            _ => None,
        }));
    }
}

/// Writes some events to partition 0 and returns the log, still open.
fn written(path: &Path, count: usize) -> (EmbeddedLog, OpenShard, Author) {
    let log = open(path);
    let mut shard = log.open_shard(SHARD, "").unwrap();
    let mut author = Author::new(log.topology());
    for _ in 0..count {
        append(&mut shard, &mut author, 1).unwrap();
    }
    (log, shard, author)
}

fn append(shard: &mut OpenShard, author: &mut Author, count: usize) -> Result<(), AppendError> {
    let stream = author.stream_in(0, 0);
    let events = (0..count).map(|_| author.next(stream, shard.epoch, 300)).collect();
    shard.writer.append(&Batch { events, refusals: Vec::new() }).map(|_| ())
}

/// The files of an open log, as a kill or a power cut would leave them.
fn image(of: &Path) -> TempDir {
    let copy = TempDir::new().unwrap();
    for name in ["log.sqlite", "log.sqlite-wal", "log.witness"] {
        std::fs::copy(of.join(name), copy.path().join(name)).unwrap();
    }
    copy
}

fn assert_corrupt<T>(result: Result<T, LogError>, expected: &str) {
    match result {
        Err(LogError::Corrupt(reason)) => assert!(reason.contains(expected), "{reason}"),
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("taken as whole, without {expected}"),
    }
}

/// The child's part: appends, and says so only after each append.
fn write_until_killed(directory: &Path) -> ! {
    let log = open(directory);
    let mut shard = log.open_shard(SHARD, "").unwrap();
    let mut author = Author::new(log.topology());
    read_all(&log).unwrap().iter().for_each(|event| author.learn(event));
    let mut output = std::io::stdout().lock();
    loop {
        append(&mut shard, &mut author, BATCH).unwrap();
        writeln!(output, "appended").unwrap();
        output.flush().unwrap();
    }
}

#[test]
fn a_process_killed_while_it_writes_loses_nothing_that_it_acknowledged() {
    if let Some(directory) = std::env::var_os(CHILD) {
        write_until_killed(&PathBuf::from(directory));
    }
    let directory = TempDir::new().unwrap();
    let mut acknowledged = 0;

    for round in 0..8_u128 {
        // Given a process that writes, killed after a number of batches that nobody chose.
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--nocapture", "--test-threads=1"])
            .arg("a_process_killed_while_it_writes_loses_nothing_that_it_acknowledged")
            .env(CHILD, directory.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let batches = 1 + (uuid::Uuid::now_v7().as_u128() ^ round) % 60;
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let mut lines = lines.filter(|line| line.ends_with("appended"));
        acknowledged += lines.by_ref().take(usize::try_from(batches).unwrap()).count();
        child.kill().unwrap();
        // What it still said before the kill was acknowledged as well.
        acknowledged += lines.count();
        child.wait().unwrap();

        // When it is opened again.
        let log = open(directory.path());
        let events = read_all(&log).unwrap();

        // Then all that was acknowledged is there, in whole batches, and perhaps more of them.
        assert!(events.len() >= acknowledged * BATCH, "{} of {acknowledged}", events.len());
        assert_eq!(events.len() % BATCH, 0, "a torn batch");
        let (mut chain, mut head) = (HashChain::default(), Digest::default());
        for (index, event) in (1..).zip(&events) {
            assert_eq!((event.envelope.version, event.envelope.sequence), (index, index));
            assert!(chain.follows(&head, event), "version {index}");
            head = event.envelope.hash;
        }
        acknowledged = events.len() / BATCH;
    }
}

#[test]
fn a_directory_in_use_is_refused_and_names_its_holder() {
    let directory = TempDir::new().unwrap();
    let holder = open(directory.path());

    let refused = EmbeddedLog::open(directory.path(), options()).map(|_| ()).unwrap_err();

    let text = refused.to_string();
    assert!(text.contains(&format!("in use by process {}", std::process::id())), "{text}");
    drop(holder);
    open(directory.path());
}

#[test]
fn another_shape_than_the_recorded_one_is_refused() {
    let directory = TempDir::new().unwrap();
    drop(open(directory.path()));
    let other = EmbeddedOptions { partitions: 8, ..options() };

    let refused = EmbeddedLog::open(directory.path(), other).map(|_| ()).unwrap_err();

    assert!(matches!(&refused, LogError::Mismatch(reason) if reason.contains("2 partitions")));
}

#[test]
fn shards_that_do_not_divide_the_partitions_are_refused() {
    let directory = TempDir::new().unwrap();
    let odd = EmbeddedOptions { partitions: 4, shards: 3, ..options() };

    let refused = EmbeddedLog::open(directory.path(), odd).map(|_| ()).unwrap_err();

    assert!(matches!(refused, LogError::Mismatch(_)), "{refused}");
}

#[test]
fn a_cut_tail_is_noticed_and_can_be_accepted() {
    // Given an image of the log whose WAL has lost its last bytes.
    let directory = TempDir::new().unwrap();
    let (_log, _shard, _) = written(directory.path(), 10);
    let cut = image(directory.path());
    let wal = cut.path().join("log.sqlite-wal");
    let length = std::fs::metadata(&wal).unwrap().len();
    let file = std::fs::OpenOptions::new().write(true).open(&wal).unwrap();
    file.set_len(length - 1).unwrap();

    // When it is opened, then it is refused with what is missing and the way out.
    let refused = EmbeddedLog::open(cut.path(), options());
    assert_corrupt(refused, "sequence 9), but offset 20 (sequence 10) was acknowledged");
    assert_corrupt(EmbeddedLog::open(cut.path(), options()), "`waylog accept-log`");

    // And when the loss is accepted, then the rest is there and goes on.
    let missing = EmbeddedLog::accept_as_it_is(cut.path()).unwrap();
    assert_eq!(missing.len(), 1);
    let log = open(cut.path());
    let events = read_all(&log).unwrap();
    assert_eq!(events.len(), 9);
    let mut author = Author::new(log.topology());
    events.iter().for_each(|event| author.learn(event));
    append(&mut log.open_shard(SHARD, "").unwrap(), &mut author, 1).unwrap();
    assert_eq!(read_all(&log).unwrap().len(), 10);
}

#[test]
fn a_flipped_byte_in_the_wal_is_noticed() {
    let directory = TempDir::new().unwrap();
    let (_log, _shard, _) = written(directory.path(), 10);
    let copy = image(directory.path());
    let wal = copy.path().join("log.sqlite-wal");
    let mut bytes = std::fs::read(&wal).unwrap();
    let at = bytes.len() - 100;
    bytes[at] ^= 1;
    std::fs::write(&wal, bytes).unwrap();

    assert_corrupt(EmbeddedLog::open(copy.path(), options()), "was acknowledged");
}

#[test]
fn a_flipped_byte_in_an_event_is_noticed_when_it_is_read() {
    let directory = TempDir::new().unwrap();
    let (log, shard, author) = written(directory.path(), 10);
    let stream = author.stream_in(0, 0);
    drop((log, shard));
    let file = directory.path().join("log.sqlite");
    let mut bytes = std::fs::read(&file).unwrap();
    let value = b"version 5 of";
    // A page that was split keeps old copies of rows: all of them are flipped.
    let found: Vec<_> = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(value)).collect();
    found.iter().for_each(|at| bytes[*at] ^= 1);
    std::fs::write(&file, bytes).unwrap();

    let log = open(directory.path());

    assert_corrupt(read_all(&log), "is damaged");
    let mut store = log.stream_store(SHARD).unwrap().unwrap();
    assert_eq!(store.events(&stream, 0, 4).unwrap().len(), 4);
    assert!(store.events(&stream, 4, 1).is_err());
}

#[test]
fn a_log_without_its_witness_is_refused() {
    let directory = TempDir::new().unwrap();
    drop(written(directory.path(), 3));
    std::fs::remove_file(directory.path().join("log.witness")).unwrap();

    assert_corrupt(EmbeddedLog::open(directory.path(), options()), "there is no witness");
}

#[test]
fn a_witness_that_is_behind_is_brought_up_to_date() {
    // Given a crash between a commit and its witness.
    let directory = TempDir::new().unwrap();
    let (log, mut shard, mut author) = written(directory.path(), 3);
    let witness = directory.path().join("log.witness");
    let behind = std::fs::read(&witness).unwrap();
    append(&mut shard, &mut author, 1).unwrap();
    let crashed = image(directory.path());
    std::fs::write(crashed.path().join("log.witness"), behind).unwrap();
    drop((log, shard));

    drop(open(crashed.path()));

    assert_eq!(read_all(&open(crashed.path())).unwrap().len(), 4);
}

#[test]
fn a_version_that_is_taken_is_not_written_twice() {
    let directory = TempDir::new().unwrap();
    let (log, mut shard, mut author) = written(directory.path(), 3);
    let mut behind = Author::new(log.topology());
    read_all(&log).unwrap()[..2].iter().for_each(|event| behind.learn(event));

    let refused = append(&mut shard, &mut behind, 1);

    assert!(matches!(refused, Err(AppendError::Aborted(_))), "{refused:?}");
    append(&mut shard, &mut author, 1).unwrap();
    assert_eq!(read_all(&log).unwrap().len(), 4);
}

#[test]
fn an_event_for_a_partition_of_another_shard_is_not_written() {
    let directory = TempDir::new().unwrap();
    let two = EmbeddedOptions { shards: 2, ..options() };
    let log = EmbeddedLog::open(directory.path(), two).unwrap();
    let mut shard = log.open_shard(ShardId(1), "").unwrap();

    let refused = append(&mut shard, &mut Author::new(log.topology()), 1);

    assert!(matches!(refused, Err(AppendError::Aborted(_))), "{refused:?}");
    assert!(read_all(&log).unwrap().is_empty());
}

#[test]
fn a_reading_process_follows_a_writing_one_and_cannot_write() {
    let directory = TempDir::new().unwrap();
    let (log, mut shard, mut author) = written(directory.path(), 2);
    let beside = EmbeddedLog::open_read_only(directory.path()).unwrap();
    let mut reader = beside.reader(&log.end().unwrap(), &[]).unwrap();

    append(&mut shard, &mut author, 1).unwrap();

    assert_eq!(reader.poll(10, Duration::from_secs(30)).unwrap().len(), 1);
    assert_eq!(beside.end().unwrap(), log.end().unwrap());
    assert_eq!(beside.owner(SHARD), log.owner(SHARD));
    assert!(beside.open_shard(SHARD, "").is_err());
    drop((log, shard));
    assert_eq!(read_all(&beside).unwrap().len(), 3);
}

#[test]
fn what_a_killed_process_left_can_be_read_without_opening_it_for_writing() {
    let directory = TempDir::new().unwrap();
    let (_log, _shard, _) = written(directory.path(), 10);
    let killed = image(directory.path());

    let beside = EmbeddedLog::open_read_only(killed.path()).unwrap();

    assert_eq!(read_all(&beside).unwrap().len(), 10);
}

#[test]
fn a_directory_without_a_log_cannot_be_read() {
    let directory = TempDir::new().unwrap();

    let refused = EmbeddedLog::open_read_only(directory.path()).map(|_| ()).unwrap_err();

    assert!(matches!(refused, LogError::Mismatch(_)), "{refused}");
}
