//! Measures the embedded log and the codec on this machine:
//! `cargo run --release -p waylog-event-log --features contract-suite --example figures
//! [directory]`.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement for people")]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use domain::ids::{AccountId, ActivityId, ItineraryId};
use domain::itinerary::{ActivityKind, ItineraryActivityAdded};
use domain::{Digest, Event, PositionVector};
use event_log::hash_chain::HashChain;
use event_log::sample::Author;
use event_log::{
    Batch, Codec, EmbeddedLog, EmbeddedOptions, EventLog, LocalStreamStore, LogRecord, ShardId,
    StreamStore, headers,
};
use uuid::Uuid;

const VALUE_BYTES: usize = 300;

fn main() {
    let directory = std::env::args().nth(1).map_or_else(std::env::temp_dir, PathBuf::from);
    let directory = directory.join(format!("waylog-figures-{}", std::process::id()));
    let log = EmbeddedLog::open(&directory, EmbeddedOptions::default()).unwrap();
    println!("appends of {VALUE_BYTES}-byte values, four partitions, one shard");
    append(&log);
    read(&log, &directory);
    codec(&log.codec().unwrap());
    drop(log);
    std::fs::remove_dir_all(&directory).unwrap();
}

fn append(log: &EmbeddedLog) {
    let mut shard = log.open_shard(ShardId(0), "").unwrap();
    let mut author = Author::new(log.topology());
    let mut streams = 0;
    for batch in [1, 10, 100, 200] {
        let mut times = Vec::new();
        let started = Instant::now();
        while started.elapsed() < Duration::from_secs(5) {
            let event = |_| {
                streams += 1;
                author.next(event_log::sample::stream(streams % 20_000), shard.epoch, VALUE_BYTES)
            };
            let events = (0..batch).map(event).collect();
            let batch = Batch { events, refusals: Vec::new() };
            let before = Instant::now();
            shard.writer.append(&batch).unwrap();
            times.push(before.elapsed());
        }
        times.sort_unstable();
        let total: Duration = times.iter().sum();
        let at = |percent: usize| times[times.len() * percent / 100].as_micros();
        println!(
            "  batch {batch:>3}: p50 {} us, p99 {} us, max {} us, {:.0} events/s",
            at(50),
            at(99),
            times.last().unwrap().as_micros(),
            (times.len() * batch) as f64 / total.as_secs_f64(),
        );
    }
}

fn read(log: &EmbeddedLog, directory: &Path) {
    let started = Instant::now();
    let mut reader = log.reader(&PositionVector::empty(), &[]).unwrap();
    let mut all: Vec<LogRecord> = Vec::new();
    loop {
        let found = reader.poll(1000, Duration::ZERO).unwrap();
        if found.is_empty() {
            break;
        }
        all.extend(found);
    }
    println!("read {} records: {}", all.len(), rate(all.len(), started.elapsed()));

    let started = Instant::now();
    let count = log.verify().unwrap();
    println!("verify: {}", rate(usize::try_from(count).unwrap(), started.elapsed()));

    let path = directory.join("derived.sqlite");
    let mut store = LocalStreamStore::open(&path, log.topology(), ShardId(0)).unwrap();
    let some = &all[..all.len().min(200_000)];
    let started = Instant::now();
    some.chunks(1000).for_each(|chunk| store.apply(chunk).unwrap());
    println!("restore of a local store: {}", rate(some.len(), started.elapsed()));
}

fn rate(count: usize, time: Duration) -> String {
    format!("{:.0} records/s", count as f64 / time.as_secs_f64())
}

fn codec(codec: &Codec) {
    let event: Event = ItineraryActivityAdded {
        itinerary_id: ItineraryId(Uuid::from_u128(1)),
        activity_id: ActivityId(Uuid::from_u128(2)),
        kind: ActivityKind::Hotel,
        title: "Three nights at the river".to_owned(),
        place: "Lisbon".to_owned(),
        starts_at: "2026-05-01T12:00:00Z".parse().unwrap(),
        ends_at: "2026-05-04T10:00:00Z".parse().unwrap(),
        zone: "Europe/Lisbon".parse().unwrap(),
        details: Some("a room with a view".to_owned()),
        estimated_price: None,
        added_by: AccountId(Uuid::from_u128(3)),
    }
    .into();
    let mut value = Vec::new();
    codec.encode(&event, &mut value).unwrap();
    println!("{} of {} bytes:", event.name(), value.len());
    let mut out = Vec::new();
    time("encode", || {
        out.clear();
        codec.encode(&event, &mut out).unwrap();
    });
    time("decode", || {
        codec.decode(event.name(), &value).unwrap();
    });
    let envelope = event_log::sample::event(1).envelope;
    let (mut scratch, mut bytes) = (String::new(), 0);
    time("write headers", || {
        headers::write(&envelope, &mut scratch, &mut |_, value| bytes += value.len());
    });
    let mut written = Vec::new();
    headers::write(&envelope, &mut scratch, &mut |name, value| {
        written.push((name, value.to_owned()));
    });
    time("read headers", || {
        headers::read(written.iter().map(|(name, value)| (*name, value.as_bytes()))).unwrap();
    });
    let mut chain = HashChain::default();
    time("hash", || {
        std::hint::black_box(chain.hash(&Digest::default(), &envelope, &value));
    });
}

fn time(what: &str, mut work: impl FnMut()) {
    const ROUNDS: u32 = 20_000;
    let rounds = (0..15).map(|_| {
        let started = Instant::now();
        (0..ROUNDS).for_each(|_| work());
        started.elapsed() / ROUNDS
    });
    println!("  {what}: {} ns", rounds.min().unwrap().as_nanos());
}
