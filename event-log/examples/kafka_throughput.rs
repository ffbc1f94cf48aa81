//! How fast one lane commits and one reader reads on a real broker.
//!
//! `WAYLOG_KAFKA_BROKERS=host:port cargo run --release -p waylog-event-log --features
//! contract-suite --example kafka_throughput`. Creates a log of its own and leaves it behind.
#![expect(clippy::print_stdout, reason = "figures are the answer of this command")]

use std::time::{Duration, Instant};

use domain::PositionVector;
use event_log::sample::Author;
use event_log::{Batch, EventLog, KafkaLog, KafkaSettings, LogRecord, ShardId, ShardWriter};

const VALUE_BYTES: usize = 300;
const MEASURED: Duration = Duration::from_secs(5);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let brokers = std::env::var("WAYLOG_KAFKA_BROKERS")?;
    let topic_prefix = format!("throughput-{}", uuid::Uuid::now_v7().simple());
    let settings =
        KafkaSettings { topic_prefix, partitions: 4, shards: 4, ..KafkaSettings::new(brokers) };
    let started = Instant::now();
    let log = KafkaLog::connect(settings.clone())?;
    println!("connect, new log: {:?}", started.elapsed());
    drop(log);
    let started = Instant::now();
    let log = KafkaLog::connect(settings)?;
    println!("connect, existing log: {:?}", started.elapsed());
    let started = Instant::now();
    drop(log.open_shard(ShardId(0), "")?);
    println!("first open: {:?}", started.elapsed());
    let started = Instant::now();
    let mut open = log.open_shard(ShardId(0), "")?;
    println!("take-over: {:?}", started.elapsed());

    let mut author = Author::new(log.topology());
    let mut appended = 0;
    for size in [1, 100, 1000] {
        appended += measure(&mut author, &log, open.epoch, open.writer.as_mut(), size)?;
    }

    let started = Instant::now();
    let mut reader = log.reader(&PositionVector::empty(), &[0])?;
    let mut read = 0;
    let mut first = None;
    while read < appended {
        let records = reader.poll(10_000, Duration::from_millis(100))?;
        read += records.iter().filter(|record| matches!(record, LogRecord::Event(_))).count();
        if read > 0 {
            first.get_or_insert_with(|| started.elapsed());
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    let rate = f64::from(u32::try_from(read)?) / seconds;
    println!("read {read} events in {seconds:.2} s: {rate:.0} a second (first after {first:?})");
    Ok(())
}

fn measure(
    author: &mut Author,
    log: &KafkaLog,
    epoch: i64,
    writer: &mut dyn ShardWriter,
    size: usize,
) -> Result<usize, Box<dyn std::error::Error>> {
    let streams: Vec<_> = (0..100).map(|index| author.stream_in(0, index)).collect();
    assert!(streams.iter().all(|stream| log.topology().partition(stream) == 0));
    let batch = |author: &mut Author| Batch {
        events: (0..size)
            .map(|index| author.next(streams[index % streams.len()], epoch, VALUE_BYTES))
            .collect(),
        refusals: Vec::new(),
    };
    let mut times = Vec::new();
    let mut spent = Duration::ZERO;
    while spent < MEASURED {
        let batch = batch(author);
        let started = Instant::now();
        writer.append(&batch)?;
        times.push(started.elapsed());
        spent += started.elapsed();
    }
    let count = times.len();
    times.sort_unstable();
    let (p50, p99) = (times[count / 2], times[count * 99 / 100]);
    let rate = |n: usize| f64::from(u32::try_from(n).unwrap_or(u32::MAX)) / spent.as_secs_f64();
    println!(
        "{size} a transaction: {:.0} transactions/s, {:.0} records/s, p50 {p50:?}, p99 {p99:?}",
        rate(count),
        rate(count * size)
    );
    Ok(count * size)
}
