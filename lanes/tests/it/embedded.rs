//! The same promises on the embedded log, in a directory of its own.

use std::path::Path;
use std::sync::Arc;

use event_log::{EmbeddedLog, EmbeddedOptions, EventLog, LogRecord};
use lanes::{Lanes, LanesParts};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::requests::{create, leave, rename, share, stream};
use crate::world::{Outcome, codec, settings};

struct Process {
    runtime: Runtime,
    lanes: Lanes,
    log: Arc<EmbeddedLog>,
}

impl Process {
    fn start(directory: &Path) -> Self {
        let log = Arc::new(EmbeddedLog::open(directory, EmbeddedOptions::default()).unwrap());
        let runtime = Runtime::new().unwrap();
        let parts =
            LanesParts { settings: settings(), ..LanesParts::new(Arc::clone(&log) as _, codec()) };
        let lanes = runtime.block_on(Lanes::start(parts)).unwrap();
        Self { runtime, lanes, log }
    }

    fn ask(&self, request: lanes::CommandRequest) -> Outcome {
        self.runtime.block_on(self.lanes.port().send(request))
    }

    fn events(&self) -> usize {
        let end = self.log.end().unwrap();
        let mut reader = self.log.reader(&domain::PositionVector::empty(), &[]).unwrap();
        let mut read = domain::PositionVector::empty();
        let mut events = 0;
        while !read.covers(&end) {
            for record in reader.poll(100, std::time::Duration::from_secs(1)).unwrap() {
                read.advance(record.position());
                events += usize::from(matches!(record, LogRecord::Event(_)));
            }
        }
        events
    }

    fn end(self) {
        self.runtime.block_on(self.lanes.shutdown());
    }
}

#[test]
fn commands_are_decided_answered_and_still_there_after_a_restart() {
    let directory = TempDir::new().unwrap();
    let process = Process::start(directory.path());
    let trip = stream(1);
    let created = process.ask(create(trip, 1)).unwrap();
    let renamed = process.ask(rename(trip, "Porto", 2)).unwrap();
    let refused = process.ask(leave(trip, 3));
    process.end();

    let process = Process::start(directory.path());
    let repeat = process.ask(rename(trip, "Porto", 2)).unwrap();
    let shared = process.ask(share(trip, 4)).unwrap();

    assert_eq!((created.version, renamed.version, shared.version), (1, 2, 3));
    assert_eq!(refused.unwrap_err().code(), "itinerary_owner_leaving");
    assert!(repeat.replayed);
    assert_eq!(repeat.position, renamed.position);
    assert_eq!(process.events(), 3);
    let refusals = process.log.refusals(0, 10).unwrap();
    assert_eq!(refusals.len(), 1);
    process.end();
}

#[test]
fn many_callers_at_once_lose_nothing() {
    let directory = TempDir::new().unwrap();
    let process = Process::start(directory.path());
    let port = process.lanes.port();

    let outcomes: Vec<Outcome> = process.runtime.block_on(async {
        let sends = (1..=200u128).map(|number| {
            let port = Arc::clone(&port);
            async move {
                let created = port.send(create(stream(number), number)).await;
                let shared = port.send(share(stream(number), 1_000 + number)).await;
                [created, shared]
            }
        });
        futures::future::join_all(sends).await.into_iter().flatten().collect()
    });

    assert!(outcomes.iter().all(Result::is_ok));
    assert_eq!(process.events(), 400);
    assert!(process.lanes.readiness().ready());
    process.end();
}
