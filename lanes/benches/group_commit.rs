//! How many commands a second one lane decides and commits on the embedded log, without HTTP.
//!
//! `cargo bench -p waylog-lanes [-- CLIENTS SECONDS]`: closed loop, so it tells throughput; the
//! latency under a given load is `waylog bench`'s to tell.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use domain::calendar::Period;
use domain::ids::{AccountId, CommandId, CorrelationId, ItineraryId};
use domain::itinerary::Command as Itinerary;
use domain::{Actor, Category, Command, Digest, StreamName, Tenant};
use event_log::codec::{Codec, WriterSchemas, schemas};
use event_log::{EmbeddedLog, EmbeddedOptions};
use lanes::{CommandRequest, Lanes, LanesParts};
use uuid::Uuid;

struct NoSchemas;

impl WriterSchemas for NoSchemas {
    fn writer_schema(
        &self,
        _: u32,
    ) -> Result<Option<String>, Box<dyn std::error::Error + Send + Sync>> {
        Ok(None)
    }
}

fn request(stream: StreamName, command: Itinerary) -> CommandRequest {
    let id = Uuid::now_v7();
    CommandRequest {
        stream,
        command: Command::Itinerary(command),
        command_id: CommandId(id),
        fingerprint: Digest([7; 32]),
        actor: Actor::Account(AccountId(Uuid::from_u128(1))),
        tenant: Tenant::default(),
        correlation_id: CorrelationId(id),
        causation_id: id,
        expected_version: None,
        traceparent: None,
    }
}

fn create(stream: StreamName) -> CommandRequest {
    let period = Period {
        start: "2026-05-01".parse().expect("a date"),
        end: "2026-05-09".parse().expect("a date"),
        zone: "Europe/Lisbon".parse().expect("a zone"),
    };
    let (itinerary_id, title) = (ItineraryId(stream.id), "Lisbon".to_owned());
    request(stream, Itinerary::Create { itinerary_id, title, period, metadata: None })
}

fn rename(stream: StreamName, number: u64) -> CommandRequest {
    let title = Some(format!("Title {number}"));
    request(stream, Itinerary::Revise { title, period: None, metadata: None })
}

#[derive(Clone, Copy, Debug)]
enum Load {
    /// Every command starts a stream.
    New,
    /// Every client changes a stream of its own.
    Own,
    /// All clients change one stream.
    Hot,
}

async fn run(load: Load, clients: u64, span: Duration) -> (u64, Duration) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let log = EmbeddedLog::open(directory.path(), EmbeddedOptions::default()).expect("a log");
    let known = u32::try_from(schemas::KNOWN.len()).expect("few schemas");
    let codec = Codec::new((1..=known).map(Some).collect(), Box::new(NoSchemas));
    let parts = LanesParts::new(Arc::new(log), Arc::new(codec));
    let lanes = Lanes::start(parts).await.expect("lanes");
    let hot = StreamName::new(Category::Itinerary, Uuid::now_v7());
    lanes.port().send(create(hot)).await.expect("the hot stream exists");

    let done = Arc::new(AtomicU64::new(0));
    let begun = Instant::now();
    let tasks: Vec<_> = (0..clients)
        .map(|_| {
            let (port, done) = (lanes.port(), Arc::clone(&done));
            tokio::spawn(async move {
                let own = StreamName::new(Category::Itinerary, Uuid::now_v7());
                if matches!(load, Load::Own) {
                    port.send(create(own)).await.expect("accepted");
                }
                while begun.elapsed() < span {
                    let number = done.fetch_add(1, Ordering::Relaxed);
                    let next = match load {
                        Load::New => create(StreamName::new(Category::Itinerary, Uuid::now_v7())),
                        Load::Own => rename(own, number),
                        Load::Hot => rename(hot, number),
                    };
                    port.send(next).await.expect("accepted");
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("a client does not panic");
    }
    let elapsed = begun.elapsed();
    lanes.shutdown().await;
    (done.load(Ordering::Relaxed), elapsed)
}

#[expect(clippy::print_stdout, reason = "a benchmark tells its figures")]
fn main() {
    let numbers: Vec<u64> = std::env::args().filter_map(|arg| arg.parse().ok()).collect();
    let clients = numbers.first().copied().unwrap_or(64);
    let span = Duration::from_secs(numbers.get(1).copied().unwrap_or(5));
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    for load in [Load::New, Load::Own, Load::Hot] {
        let (commands, elapsed) = runtime.block_on(run(load, clients, span));
        let rate = u128::from(commands) * 1_000_000 / elapsed.as_micros().max(1);
        println!("{load:?}: {clients} clients, {commands} commands, {rate} commands/s");
    }
}
