//! Shards that change hands between processes.

use std::net::SocketAddr;
use std::sync::Arc;

use event_log::{EventLog, ShardId, ShardOwner};
use lanes::{CommandError, LaneSettings, Rules};
use tempfile::TempDir;

use crate::fake_log::{Fault, Stage};
use crate::requests::{create, leave, rename, stream};
use crate::world::{Plan, World, secret, settings, until};

const SHARD: ShardId = ShardId(0);

/// A process that takes forwarded commands on a port of its own.
fn process(log: Arc<dyn EventLog>) -> (World, SocketAddr) {
    World::reachable(log, settings(), TempDir::new().unwrap())
}

fn two_processes(stage: &Arc<Stage>) -> (World, World) {
    (process(stage.member()).0, process(stage.member()).0)
}

#[test]
fn a_command_for_a_shard_owned_elsewhere_is_forwarded() {
    let stage = Stage::new(4, 1);
    let (owner, other) = two_processes(&stage);
    owner.until_serving();
    let trip = stream(1);

    let created = other.ask(create(trip, 1)).unwrap();
    let refused = other.ask(leave(trip, 2));
    let repeat = owner.ask(create(trip, 1)).unwrap();

    assert_eq!((created.version, created.replayed), (1, false));
    assert_eq!(refused.unwrap_err().code(), "itinerary_owner_leaving");
    assert_eq!((repeat.replayed, repeat.position), (true, created.position));
}

#[test]
fn a_stale_directory_is_put_right_by_the_former_owner() {
    let stage = Stage::new(4, 1);
    let (former, address) = process(stage.member());
    let (owner, _) = process(stage.member());
    let (misled, _) = process(stage.member());
    former.until_serving();
    stage.reassign(SHARD, 1);
    stage.mislead(2, ShardOwner { epoch: 1, address: format!("http://{address}") });

    let created = misled.ask(create(stream(1), 1)).unwrap();

    assert_eq!(created.version, 1);
    assert_eq!(stage.events()[0].envelope.epoch, 2);
    assert!(owner.lanes.readiness().ready() && former.lanes.readiness().lanes.is_empty());
}

#[test]
fn a_shard_that_is_handed_over_takes_its_waiting_commands_along() {
    let stage = Stage::new(4, 1);
    let (first, second) = two_processes(&stage);
    first.ask(create(stream(1), 1)).unwrap();
    stage.hold();
    let running = first.begin(create(stream(2), 2));
    stage.await_held(1);
    let waiting = first.queue(vec![rename(stream(1), "Porto", 3), leave(stream(1), 4)]);

    let handing = Arc::clone(&stage);
    let reassignment = std::thread::spawn(move || handing.reassign(SHARD, 1));
    until("the first stops intake", || first.lanes.readiness().lanes.is_empty());
    stage.release();
    reassignment.join().unwrap();
    let running = first.wait(running).unwrap();
    let waiting = first.outcomes(waiting);

    assert_eq!(running.unwrap().version, 1);
    assert_eq!(waiting[0].as_ref().unwrap().version, 2);
    assert_eq!(waiting[1].as_ref().unwrap_err().code(), "itinerary_owner_leaving");
    let renamed = stage.events_of(stream(1)).pop().unwrap();
    assert_eq!(renamed.envelope.epoch, 2);
    assert!(second.lanes.readiness().ready());
}

#[test]
fn a_process_that_leaves_answers_what_it_has_and_sends_on_what_comes() {
    let stage = Stage::new(4, 1);
    let (leaving, next) = two_processes(&stage);
    leaving.ask(create(stream(1), 1)).unwrap();
    stage.hold();
    let running = leaving.begin(create(stream(2), 2));
    stage.await_held(1);
    let waiting = leaving.queue(vec![rename(stream(1), "Porto", 3)]);

    let lanes = Arc::clone(&leaving.lanes);
    let left = leaving.runtime().spawn(async move { lanes.leave().await });
    until("it stops intake", || leaving.lanes.readiness().lanes.is_empty());
    stage.release();
    leaving.wait(left).unwrap();
    let late = leaving.begin(rename(stream(2), "Faro", 4));
    stage.reassign_silently(SHARD, 1);

    assert_eq!(leaving.wait(running).unwrap().unwrap().version, 1);
    assert_eq!(leaving.outcomes(waiting)[0].as_ref().unwrap().version, 2);
    assert_eq!(leaving.wait(late).unwrap().unwrap().version, 2);
    let epochs = [2, 1].map(|n| stage.events_of(stream(n)).pop().unwrap().envelope.epoch);
    assert_eq!(
        (epochs, stage.epoch(SHARD)),
        ([2, 2], 2),
        "each by the next owner, and fenced once"
    );
    assert!(next.lanes.readiness().ready());
}

#[test]
fn a_process_is_not_ready_while_a_shard_has_neither_lane_nor_owner() {
    let stage = Stage::new(4, 1);
    let (owner, other) = two_processes(&stage);
    owner.until_serving();
    until("the other knows the owner", || other.lanes.readiness().ready());

    // The directory of a process that was started anew names its own former life.
    stage.mislead(1, ShardOwner { epoch: 1, address: String::new() });
    let unknown = other.lanes.readiness();
    stage.reassign(SHARD, 1);
    until("it serves the shard itself", || other.lanes.readiness().ready());

    assert!(!unknown.ready());
    assert_eq!(unknown.unserved, [SHARD]);
    assert!(unknown.reasons()[0].contains("no owner"), "{:?}", unknown.reasons());
}

#[test]
fn a_shard_that_was_lost_begins_no_commit() {
    let stage = Stage::new(1, 1);
    let (first, _second) = two_processes(&stage);
    stage.hold();
    let running = first.begin(create(stream(1), 1));
    stage.await_held(1);
    let waiting = first.queue(vec![create(stream(2), 2)]);

    stage.fail_next(&[Fault::Abort]);
    let losing = Arc::clone(&stage);
    let loss = std::thread::spawn(move || losing.lose(SHARD, 1));
    until("the first stops intake", || first.lanes.readiness().lanes.is_empty());
    stage.release();
    loss.join().unwrap();

    assert!(first.wait(running).unwrap().is_ok());
    assert!(first.outcomes(waiting)[0].is_ok());
    // The aborted batch is not tried again under the ownership that is lost.
    assert!(stage.events().iter().all(|event| event.envelope.epoch == 2));
}

#[test]
fn a_stranger_cannot_forward_commands() {
    let stage = Stage::new(1, 1);
    let (owner, address) = process(stage.member());
    let url = format!("http://{address}/internal/v1/commands");
    let body = serde_json::json!({ "request": create(stream(1), 1), "wait_ms": 1_000 });

    let statuses = owner.wait(async {
        let client = reqwest::Client::new();
        let bare = client.post(&url).json(&body).send().await.unwrap().status();
        let wrong = client.post(&url).bearer_auth("a-secret-of-others").json(&body);
        let wrong = wrong.send().await.unwrap().status();
        let right = client.post(&url).bearer_auth("a-secret-of-the-cluster").json(&body);
        [bare, wrong, right.send().await.unwrap().status()]
    });

    assert_eq!(statuses.map(|status| status.as_u16()), [401, 401, 200]);
    assert_eq!(stage.events().len(), 1);
}

#[test]
fn an_owner_that_cannot_be_reached_is_unavailable() {
    let stage = Stage::new(1, 1);
    let absent = stage.member();
    // Nothing listens there: the port was bound and given up.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    absent.open_shard(SHARD, &format!("http://{port}")).unwrap();
    let settings = LaneSettings {
        deadline: std::time::Duration::from_millis(400),
        address: "http://127.0.0.1:1".to_owned(),
        ..settings()
    };
    let plan = Plan { settings, secret: Some(secret()), rules: Rules::default() };
    let world = World::start(stage.member(), plan, TempDir::new().unwrap());

    let outcome = world.ask(create(stream(1), 1));

    assert!(matches!(outcome, Err(CommandError::Unavailable { .. })), "{outcome:?}");
}
