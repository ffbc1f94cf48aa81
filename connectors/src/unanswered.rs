//! Evidence of calls that ended without a certain answer, among the log's refusals: of which
//! request, for what, how it ended, when first and how often. The audit of a request shows it below
//! the event that asks.
//!
//! Promises:
//! - no payment and no message waits for it: a call is noted in memory, and recorded by a task of
//!   its own, one record after another. What fails is counted into the next;
//! - the first of a kind (request, operation, code) is recorded at once, the next after a pause
//!   that doubles; each record says how many there were since the last, and what is left is
//!   recorded once the request has its answer;
//! - what an open circuit holds back is no call: it is recorded once for a request and operation,
//!   and not counted.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::ids::{CommandId, EventId};
use domain::{Command, StreamName, derive};
use lanes::{Cause, CommandError, CommandPort, SystemActor};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};

use crate::pace::Pace;
use crate::payment_provider::{Doubt, Obstacle};

/// Between the first two records of a kind, and at most.
const PAUSE: Duration = Duration::from_secs(5);
const PAUSE_MAX: Duration = Duration::from_secs(3600);
/// What has not come again for so long was answered elsewhere.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(900);
/// Kinds that are remembered; of others there is only the log line.
const KINDS_MAX: usize = 1_024;
/// Between two looks for what is to be recorded, when nothing comes.
const LOOK: Duration = Duration::from_secs(1);
/// How long what is left may take when the connector stops.
const STOP_MAX: Duration = Duration::from_secs(1);

/// How a call ended that has no certain answer.
#[derive(Clone, Copy)]
pub(crate) enum Ending {
    /// It may have worked.
    Unknown(Doubt),
    /// It did not.
    NotTried(Obstacle),
}

impl Ending {
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::Unknown(doubt) => doubt.code(),
            Self::NotTried(obstacle) => obstacle.code(),
        }
    }
}

/// What a provider is asked for.
pub(crate) struct Request {
    /// The event that asks.
    pub(crate) id: EventId,
    /// Whose stream keeps the evidence.
    pub(crate) stream: StreamName,
    /// Why it is recorded: the event.
    pub(crate) cause: Cause,
}

/// What a record says.
pub(crate) struct Evidence {
    /// The event that asks.
    pub(crate) request: EventId,
    /// What the provider was called for.
    pub(crate) operation: String,
    /// Whether it may have been done.
    pub(crate) may_be_done: bool,
    /// How the call ended, or what was in the way.
    pub(crate) code: String,
    /// How many more ended so, and were not recorded, since the last that was.
    pub(crate) left_out: u64,
}

/// What is counted together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Kind {
    request: EventId,
    operation: String,
    may_be_done: bool,
    code: &'static str,
}

struct Seen {
    pace: Pace,
    stream: StreamName,
    cause: Cause,
    last_at: Instant,
    /// Its request has its answer: nothing more comes.
    over: bool,
}

/// A record to make. Unless it is known to be made when this is dropped, as by a stop in the middle
/// of it, its count goes into the next.
struct Record<'a> {
    of: &'a Unanswered,
    kind: Kind,
    stream: StreamName,
    cause: Cause,
    count: u64,
}

impl Drop for Record<'_> {
    fn drop(&mut self) {
        if let (1.., Some(seen)) = (self.count, self.of.seen().get_mut(&self.kind)) {
            seen.pace.give_back(self.count);
        }
    }
}

/// Notes calls, and records them.
pub(crate) struct Unanswered {
    port: Arc<dyn CommandPort>,
    actor: SystemActor,
    /// The command that is always refused.
    command: fn(Evidence) -> Command,
    seen: Mutex<BTreeMap<Kind, Seen>>,
    /// How many calls were of kinds that are not remembered.
    beyond: AtomicU64,
    word: Notify,
}

impl Unanswered {
    pub(crate) fn new(
        port: Arc<dyn CommandPort>,
        actor: SystemActor,
        command: fn(Evidence) -> Command,
    ) -> Self {
        let (seen, beyond) = (Mutex::default(), AtomicU64::new(0));
        Self { port, actor, command, seen, beyond, word: Notify::new() }
    }

    /// Notes that a call for this request ended so. Waits for nothing.
    pub(crate) fn note(&self, request: Request, operation: &str, ending: Ending) {
        let held_back = matches!(ending, Ending::NotTried(Obstacle::CircuitOpen(_)));
        let may_be_done = matches!(ending, Ending::Unknown(_));
        let (operation, code) = (operation.to_owned(), ending.code());
        let kind = Kind { request: request.id, operation, may_be_done, code };
        let (mut seen, now) = (self.seen(), Instant::now());
        if let Some(known) = seen.get_mut(&kind) {
            known.last_at = now;
            if !held_back {
                known.pace.count();
            }
            return;
        }
        if seen.len() >= KINDS_MAX {
            let beyond = self.beyond.fetch_add(1, Ordering::Relaxed) + 1;
            if beyond.is_power_of_two() {
                tracing::warn!(request = %request.id, code = kind.code, beyond,
                    "too many calls have no answer: this one is not among the refusals");
            }
            return;
        }
        let mut pace = Pace::new(PAUSE, PAUSE_MAX);
        pace.count();
        let Request { stream, cause, .. } = request;
        seen.insert(kind, Seen { pace, stream, cause, last_at: now, over: false });
        self.word.notify_one();
    }

    /// The request has its answer: what is counted is recorded, and nothing more comes.
    pub(crate) fn answered(&self, request: EventId) {
        let mut left = false;
        for (_, seen) in self.seen().iter_mut().filter(|(kind, _)| kind.request == request) {
            seen.over = true;
            seen.pace.hurry();
            left = true;
        }
        if left {
            self.word.notify_one();
        }
    }

    /// Records what is noted while the work goes on, and what is left when it ends.
    pub(crate) async fn beside(&self, work: impl Future<Output = ()>) {
        tokio::select! {
            () = work => self.finish().await,
            never = self.record() => match never {},
        }
    }

    /// Records what is noted, for as long as anybody asks.
    async fn record(&self) -> Infallible {
        loop {
            while let Some(record) = self.due(Instant::now()) {
                self.send(record).await;
            }
            tokio::select! {
                () = self.word.notified() => {}
                () = sleep(LOOK) => {}
            }
        }
    }

    /// Records what is left, as far as that takes a moment.
    async fn finish(&self) {
        self.seen().values_mut().for_each(|seen| seen.pace.hurry());
        let rest = async {
            while let Some(record) = self.due(Instant::now()) {
                self.send(record).await;
            }
        };
        let done = timeout(STOP_MAX, rest).await.is_ok();
        let left: u64 = self.seen().values().map(|seen| seen.pace.counted()).sum();
        if !done || left > 0 {
            tracing::warn!(left, "calls without an answer are not all among the refusals");
        }
    }

    /// The next record to make now.
    fn due(&self, now: Instant) -> Option<Record<'_>> {
        let mut seen = self.seen();
        seen.retain(|_, seen| {
            let over = seen.over || now.duration_since(seen.last_at) > FORGOTTEN_AFTER;
            !over || seen.pace.counted() > 0
        });
        seen.iter_mut().find_map(|(kind, seen)| {
            let count = seen.pace.take(now)?;
            let (stream, cause) = (seen.stream, seen.cause.clone());
            Some(Record { of: self, kind: kind.clone(), stream, cause, count })
        })
    }

    async fn send(&self, mut record: Record<'_>) {
        let Record { kind, stream, cause, count, .. } = &record;
        let (stream, cause, count) = (*stream, cause.clone(), *count);
        let command = (self.command)(Evidence {
            request: kind.request,
            operation: kind.operation.clone(),
            may_be_done: kind.may_be_done,
            code: kind.code.to_owned(),
            left_out: count - 1,
        });
        // One name for all of a kind: they are one thing in the tree, and are counted there.
        let (request, code) = (kind.request.0, kind.code.as_bytes());
        let parts = [request.as_bytes().as_slice(), kind.operation.as_bytes(), code];
        let id = CommandId(derive::id("provider-unanswered", Some(request), &parts));
        let asked = self.actor.request(stream, id, (&command.clone(), command), &cause);
        match self.port.send(asked).await {
            // It is always refused, and that is what is recorded.
            Ok(_) | Err(CommandError::Refused(_)) => record.count = 0,
            Err(error) => tracing::warn!(%stream, code = error.code(), %error,
                correlation_id = %cause.correlation_id,
                "that a call has no answer is recorded later"),
        }
    }

    fn seen(&self) -> MutexGuard<'_, BTreeMap<Kind, Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use domain::ids::CorrelationId;
    use domain::payment::Command as Payment;
    use domain::{Category, Tenant};
    use lanes::{Accepted, CommandRequest};
    use uuid::Uuid;

    use super::*;

    const LATE: Ending = Ending::Unknown(Doubt::Late);
    const HELD_BACK: Ending = Ending::NotTried(Obstacle::CircuitOpen(Duration::from_secs(2)));

    /// Keeps what it is sent, unless it is away.
    #[derive(Default)]
    struct Log {
        taken: Mutex<Vec<CommandRequest>>,
        away: AtomicBool,
        silent: AtomicBool,
    }

    #[async_trait::async_trait]
    impl CommandPort for Log {
        async fn send(&self, request: CommandRequest) -> Result<Accepted, CommandError> {
            if self.silent.load(Ordering::Relaxed) {
                std::future::pending::<()>().await;
            }
            if self.away.load(Ordering::Relaxed) {
                let reason = "away".to_owned();
                return Err(CommandError::Unavailable { reason, retry_after_seconds: 1 });
            }
            let Command::Payment(payment) = &request.command else { panic!("of a payment") };
            let refusal = payment.check().unwrap_err();
            self.taken.lock().unwrap().push(request);
            Err(CommandError::Refused(refusal.into()))
        }

        fn shards(&self) -> u32 {
            1
        }

        fn shard_of(&self, _: &StreamName) -> u32 {
            0
        }
    }

    impl Log {
        /// Operation, code and how many were left out, of each record.
        fn records(&self) -> Vec<(String, String, u64)> {
            let taken = self.taken.lock().unwrap();
            let told = taken.iter().map(|taken| match &taken.command {
                Command::Payment(Payment::NoteUnanswered {
                    operation,
                    may_be_done,
                    code,
                    left_out,
                    ..
                }) => {
                    assert_eq!(*may_be_done, code != "provider_circuit_open");
                    (operation.clone(), code.clone(), *left_out)
                }
                other => panic!("{other:?}"),
            });
            told.collect()
        }
    }

    const REQUEST: EventId = EventId(Uuid::from_u128(7));
    const CORRELATION: CorrelationId = CorrelationId(Uuid::from_u128(8));

    fn stream() -> StreamName {
        StreamName::new(Category::Payment, Uuid::from_u128(1))
    }

    fn request(id: EventId) -> Request {
        let cause = Cause {
            tenant: Tenant::default(),
            correlation_id: CORRELATION,
            causation_id: id.0,
            traceparent: None,
        };
        Request { id, stream: stream(), cause }
    }

    fn evidence(evidence: Evidence) -> Command {
        let Evidence { request, operation, may_be_done, code, left_out } = evidence;
        Command::Payment(Payment::NoteUnanswered {
            request,
            operation,
            may_be_done,
            code,
            left_out,
        })
    }

    fn noting() -> (Arc<Log>, Unanswered) {
        let log = Arc::new(Log::default());
        (Arc::clone(&log), Unanswered::new(log, SystemActor("payments"), evidence))
    }

    /// Lets the recording go on for so long.
    async fn after(unanswered: &Unanswered, millis: u64) {
        let time = Duration::from_millis(millis);
        assert!(timeout(time, unanswered.record()).await.is_err());
    }

    fn told(operation: &str, code: &str, left_out: u64) -> (String, String, u64) {
        (operation.to_owned(), code.to_owned(), left_out)
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_is_recorded_at_once_below_its_request_and_the_others_are_counted() {
        let (log, unanswered) = noting();
        let broken = Ending::Unknown(Doubt::BrokenOff);

        unanswered.note(request(REQUEST), "capture", LATE);
        after(&unanswered, 10).await;
        unanswered.note(request(REQUEST), "look_up", broken);
        for _ in 0..3 {
            unanswered.note(request(REQUEST), "capture", LATE);
        }
        after(&unanswered, 4_000).await;
        let before = log.records();
        after(&unanswered, 2_000).await;

        let first = [told("capture", "provider_late", 0), told("look_up", "provider_broke_off", 0)];
        assert_eq!(before, first);
        assert_eq!(log.records()[2..], [told("capture", "provider_late", 2)]);
        let taken = log.taken.lock().unwrap();
        assert_eq!(taken[0].command_id, taken[2].command_id, "one thing of the tree");
        assert_ne!(taken[0].command_id, taken[1].command_id);
        assert_eq!(taken[0].causation_id, REQUEST.0);
        assert_eq!(taken[0].correlation_id, CORRELATION);
        assert_eq!(taken[0].stream, stream());
        assert_eq!(taken[0].actor.to_string(), "system:payments");
    }

    #[tokio::test(start_paused = true)]
    async fn what_an_open_circuit_holds_back_is_recorded_once_for_a_request_and_operation() {
        let (log, unanswered) = noting();

        for _ in 0..100 {
            unanswered.note(request(REQUEST), "capture", HELD_BACK);
            unanswered.note(request(REQUEST), "look_up", HELD_BACK);
            after(&unanswered, 10_000).await;
        }
        unanswered.answered(REQUEST);
        after(&unanswered, 10_000).await;

        let held_back = ["capture", "look_up"].map(|it| told(it, "provider_circuit_open", 0));
        assert_eq!(log.records(), held_back);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_ends_the_counting_with_what_was_left_out() {
        let (log, unanswered) = noting();

        unanswered.note(request(REQUEST), "capture", LATE);
        after(&unanswered, 10).await;
        unanswered.note(request(REQUEST), "capture", LATE);
        unanswered.note(request(REQUEST), "capture", LATE);
        unanswered.answered(REQUEST);
        after(&unanswered, 2_000).await;

        assert_eq!(log.records()[1..], [told("capture", "provider_late", 1)]);
        assert!(unanswered.seen().is_empty(), "nothing is kept of what is over");
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_log_does_not_take_is_counted_into_the_next() {
        let (log, unanswered) = noting();
        log.away.store(true, Ordering::Relaxed);

        unanswered.note(request(REQUEST), "capture", LATE);
        unanswered.answered(REQUEST);
        after(&unanswered, 100).await;
        log.away.store(false, Ordering::Relaxed);
        unanswered.note(request(REQUEST), "capture", LATE);
        after(&unanswered, 1_000).await;
        let before = log.records();
        after(&unanswered, 10_000).await;

        assert_eq!(before, [], "not before the pause is over");
        assert_eq!(log.records(), [told("capture", "provider_late", 1)]);
    }

    #[tokio::test(start_paused = true)]
    async fn so_many_kinds_are_remembered_and_no_longer_than_they_come() {
        let (log, unanswered) = noting();

        for number in 0..2_000 {
            unanswered.note(request(EventId(Uuid::from_u128(number))), "capture", LATE);
        }
        after(&unanswered, 10).await;
        let remembered = unanswered.seen().len();
        after(&unanswered, 902_000).await;

        assert_eq!((log.records().len(), remembered), (KINDS_MAX, KINDS_MAX));
        assert!(unanswered.seen().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_being_recorded_at_a_stop_is_recorded_with_what_is_left() {
        let (log, unanswered) = noting();
        log.silent.store(true, Ordering::Relaxed);

        unanswered.note(request(REQUEST), "capture", LATE);
        after(&unanswered, 10).await;
        log.silent.store(false, Ordering::Relaxed);
        unanswered.finish().await;

        assert_eq!(log.records(), [told("capture", "provider_late", 0)]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_left_when_the_connector_stops_is_recorded() {
        let (log, unanswered) = noting();

        unanswered.note(request(REQUEST), "capture", LATE);
        after(&unanswered, 10).await;
        unanswered.note(request(REQUEST), "capture", LATE);
        unanswered.finish().await;

        assert_eq!(log.records().len(), 2);
    }
}
