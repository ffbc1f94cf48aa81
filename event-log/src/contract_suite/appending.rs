//! Appending: all or nothing, in order, durable, with its refusals.

use std::time::{Duration, Instant};

use domain::{PositionVector, Refusal, RefusalKind, Timestamp};

use super::TestWorld;
use super::session::{DEADLINE, Session, assert_log_holds};
use crate::{AppendError, Batch, LogEvent, NewEvent, RefusalRecord, ShardId};

fn refusal(event: &NewEvent, refusal: Option<Refusal>) -> RefusalRecord {
    RefusalRecord {
        stream: event.envelope.stream,
        version: event.envelope.version,
        command_id: event.envelope.command_id,
        command: "itinerary.rename".to_owned(),
        correlation_id: event.envelope.correlation_id,
        causation_id: None,
        actor: event.envelope.actor.clone(),
        tenant: event.envelope.tenant.clone(),
        refused_at: now(),
        refusal,
    }
}

/// Refusals have limited retention: they must be young.
fn now() -> Timestamp {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Timestamp::from_micros(i64::try_from(now.as_micros()).unwrap())
}

/// Envelope, sequence, epoch and value are given back byte for byte.
pub fn events_come_back_as_they_were_appended(world: &mut dyn TestWorld) {
    let mut session = Session::start(world.log());

    session.write_history();

    assert_log_holds(&session);
}

/// The index of the culprit is named; the writer goes on.
pub fn a_batch_with_an_event_that_is_too_large_writes_nothing(world: &mut dyn TestWorld) {
    let mut session = Session::start(world.log());
    let stream = session.author.stream_in(0, 0);
    session.append(&[stream]);
    let before = session.author.clone();
    let epoch = session.epoch(ShardId(0));
    let max = session.log.record_bytes_max();
    let mut events = session.events(&[stream, stream]);
    events.push(session.author.next(stream, epoch, max));
    events.extend(session.events(&[stream]));

    let writer = &mut session.shards.get_mut(&ShardId(0)).unwrap().writer;
    let refused = writer.append(&Batch { events, refusals: Vec::new() });

    assert!(matches!(refused, Err(AppendError::TooLarge { index: 2 })), "{refused:?}");
    session.author = before;
    session.append(&[stream, stream]);
    assert_log_holds(&session);
}

/// What was written before the log itself failed is seen by nobody, neither by one who waited for
/// it nor by one who comes later; the next batch has its place.
pub fn an_aborted_batch_is_invisible_and_its_writer_lives_on(world: &mut dyn TestWorld) {
    let mut session = Session::start(world.log());
    let partitions = session.topology.partitions_of(ShardId(0));
    let streams: Vec<_> = partitions.map(|p| session.author.stream_in(p, 0)).collect();
    session.append(&streams);
    let begin = session.end();
    let mut waiting = session.log.reader(&begin, &[]).unwrap();
    let before = session.author.clone();
    let epoch = session.epoch(ShardId(0));
    // Large however well it is compressed, and less than the log says that it takes.
    let large = session.log.record_bytes_max() - 10_000;
    let mut events = session.events(&streams);
    events.push(session.author.next(streams[0], epoch, large));

    world.refuse_large_events(true);
    let writer = &mut session.shards.get_mut(&ShardId(0)).unwrap().writer;
    let aborted = writer.append(&Batch { events, refusals: Vec::new() });
    let seen = waiting.poll(1000, Duration::from_millis(200)).unwrap();
    world.refuse_large_events(false);

    assert!(matches!(aborted, Err(AppendError::Aborted(_))), "{aborted:?}");
    assert!(seen.is_empty(), "{seen:?}");
    session.author = before;
    session.append(&streams);
    session.append(&streams[..1]);
    assert_log_holds(&session);
    let mut read = begin;
    let deadline = Instant::now() + DEADLINE;
    while !read.covers(&session.end()) {
        assert!(Instant::now() < deadline, "read up to {read} of {}", session.end());
        for record in waiting.poll(1000, Duration::from_millis(100)).unwrap() {
            let written = |event: &LogEvent| event.position == record.position();
            assert!(session.written.iter().any(written), "{record:?}");
            read.advance(record.position());
        }
    }
}

/// Offsets rise in every partition, in the order of the batch; gaps are allowed.
pub fn offsets_rise_in_the_order_of_the_batch(world: &mut dyn TestWorld) {
    let mut session = Session::start(world.log());

    session.write_history();

    let mut last = PositionVector::empty();
    session.shards.values().for_each(|open| last.merge(&open.opened));
    for event in &session.written {
        assert!(!last.includes(event.position), "{} after {last}", event.position);
        last.advance(event.position);
    }
    assert_eq!(last.iter().count(), session.topology.partitions as usize);
}

/// Refusals are there when their batch is, and not when it is not; a batch may be refusals alone.
pub fn refusals_are_committed_with_the_events(world: &mut dyn TestWorld) {
    let mut session = Session::start(world.log());
    let stream = session.author.stream_in(0, 0);
    let events = session.events(&[stream]);
    let said = Refusal {
        code: "itinerary_archived".to_owned(),
        kind: RefusalKind::Rule,
        message: "the itinerary is archived".to_owned(),
        facts: serde_json::Map::new(),
    };
    let (first, second) = (refusal(&events[0], Some(said)), refusal(&events[0], None));

    session.append_batch(ShardId(0), &Batch { events, refusals: vec![first.clone()] });
    session.append_batch(ShardId(0), &Batch { events: Vec::new(), refusals: vec![second.clone()] });
    let newer = session.log.open_shard(ShardId(0), "http://second:1").unwrap();
    let mut fenced = session.shards.insert(ShardId(0), newer).unwrap();
    let mut late = second.clone();
    late.version = 99;
    let refused = fenced.writer.append(&Batch { events: Vec::new(), refusals: vec![late] });

    assert!(matches!(refused, Err(AppendError::Lost { .. })), "{refused:?}");
    assert_eq!(world.refusals(ShardId(0)), [first, second]);
    assert_log_holds(&session);
}

/// Newest first over all shards, whatever the steps, and the same again; none is left out.
pub fn refusals_are_told_newest_first_in_steps_of_any_length(world: &mut dyn TestWorld) {
    let mut session = Session::start(world.log());
    let mut written = Vec::new();
    for round in 0..3 {
        for shard in session.topology.all_shards() {
            let partition = session.topology.partitions_of(shard).next().unwrap();
            let stream = session.author.stream_in(partition, round);
            let events = session.events(&[stream]);
            let refused = refusal(&events[0], None);
            session.append_batch(shard, &Batch { events, refusals: vec![refused.clone()] });
            written.push(refused);
        }
    }
    written.reverse();

    // A reader of committed records sees a commit a moment after its answer.
    super::eventually("all refusals are seen", || {
        read_refusals(&*session.log, 100).len() == written.len()
    });
    for step in [1, 2, 100] {
        assert_eq!(read_refusals(&*session.log, step), written, "in steps of {step}");
    }
}

fn read_refusals(log: &dyn crate::EventLog, step: usize) -> Vec<RefusalRecord> {
    let (mut read, mut before) = (Vec::new(), PositionVector::empty());
    let deadline = Instant::now() + DEADLINE;
    loop {
        assert!(Instant::now() < deadline, "the end never came: {} refusals", read.len());
        let page = log.refusals(&before, step).unwrap();
        assert!(page.refusals.len() <= step);
        read.extend(page.refusals.into_iter().map(|(_, refusal)| refusal));
        if !page.more {
            return read;
        }
        before = page.before;
    }
}

/// After a restart the log holds the same records, and goes on behind them.
pub fn a_restart_keeps_everything(world: &mut dyn TestWorld) {
    let mut session = Session::start(world.log());
    session.write_history();

    let mut session = session.resume(|| world.restart());

    assert_log_holds(&session);
    session.write_history();
    assert_log_holds(&session);
}

/// After a kill the log holds all that was acknowledged, and goes on behind it.
pub fn a_kill_keeps_everything_that_was_acknowledged(world: &mut dyn TestWorld) {
    let mut session = Session::start(world.log());
    session.write_history();
    let killed = world.kill();

    let mut session = session.resume(|| killed);

    assert_log_holds(&session);
    session.write_history();
    assert_log_holds(&session);
}
