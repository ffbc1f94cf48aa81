//! What is left after `kill -9`, and after a process has stood still for long: everything
//! acknowledged, exactly once, in version order.

use std::time::{Duration, Instant};

use serde_json::json;
use uuid::Uuid;

use crate::hand_over::HalfSent;
use crate::journey::skipped;
use crate::load::{Known, Load};
use crate::world::{Client, World, eventually, remove};

/// The session time-out of owners in these tests, and how long a take-over may take after it.
const SESSION: Duration = Duration::from_secs(6);
const TAKE_OVER: Duration = Duration::from_secs(2);

#[test]
fn an_embedded_system_loses_nothing_when_it_is_killed() {
    let mut world = World::embedded();
    let load = Load::start(&[world.client()], 8);
    assert!(eventually(Duration::from_secs(30), || load.acknowledged() > 500));

    world.take("origin").kill();
    let known = load.finish();
    world.start("origin", &[]);

    holds_exactly(&world.client(), &known);
}

#[test]
fn everything_comes_back_without_the_read_database() {
    let mut world = World::embedded();
    let load = Load::start(&[world.client()], 4);
    assert!(eventually(Duration::from_secs(30), || load.acknowledged() > 200));
    let known = load.finish();

    assert!(world.take("origin").terminate().success());
    for file in ["read.sqlite", "read.sqlite-wal", "read.sqlite-shm"] {
        remove(&world.dir.path().join("origin/data").join(file));
    }
    world.start("origin", &[]);

    holds_exactly(&world.client(), &known);
}

#[test]
fn everything_comes_back_when_the_read_database_is_garbage() {
    let mut world = World::embedded();
    let load = Load::start(&[world.client()], 4);
    assert!(eventually(Duration::from_secs(30), || load.acknowledged() > 50));
    let known = load.finish();
    let file = world.dir.path().join("origin/data/read.sqlite");

    assert!(world.take("origin").terminate().success());
    std::fs::write(&file, "garbage".repeat(1_000)).unwrap();
    world.start("origin", &[]);

    holds_exactly(&world.client(), &known);
    let kept = std::fs::read_to_string(file.with_extension("sqlite.damaged")).unwrap();
    assert!(kept.starts_with("garbage"));
    let said = std::fs::read_to_string(world.dir.path().join("origin/stderr.log")).unwrap();
    assert!(said.contains("read.sqlite.damaged"), "it is told where the damaged file is");
}

#[test]
fn the_other_instance_goes_on_when_an_owner_is_killed() {
    let Some(mut world) = World::distributed() else { return skipped() };
    let commands = ["command-1", "command-2"].map(|name| Client::to(world.url(name)));
    let load = Load::start(&commands, 16);
    assert!(eventually(Duration::from_secs(60), || load.acknowledged() > 500));

    let killed_at = Instant::now();
    world.take("command-1").kill();
    let refused = last_refusal(&commands[1], &load);
    let known = load.finish();

    let away = refused.map_or(Duration::ZERO, |at| at - killed_at);
    assert!(away < SESSION + TAKE_OVER, "a shard was still away after {away:?}");
    holds_exactly(&world.client(), &known);
}

/// An owner that stands still while another takes its shards over knows nothing of it when it goes
/// on, and finds commands in its sockets for trips that it has never heard of. Its group's client
/// mostly notices first; where it does not, fencing and the commit before each answer have to do.
#[test]
fn an_owner_that_stood_still_denies_nothing_that_happened_meanwhile() {
    let Some(world) = World::distributed() else { return skipped() };
    let commands = ["command-1", "command-2"].map(|name| Client::to(world.url(name)));
    let load = Load::start(&commands, 8);
    assert!(eventually(Duration::from_secs(60), || load.acknowledged() > 200));
    let mut known = load.finish();
    // Enough for every shard to have some.
    let trips: Vec<Uuid> = (0..24).map(|_| Uuid::now_v7()).collect();
    let mut waiting: Vec<HalfSent> = trips.iter().map(|id| late(&world, *id)).collect();

    world.process("command-1").signal("STOP");
    waiting.iter_mut().for_each(HalfSent::send_rest);
    trips.iter().for_each(|id| create_through(&commands[1], *id));
    world.process("command-1").signal("CONT");
    let answers: Vec<(u16, String)> = waiting.into_iter().map(HalfSent::read).collect();

    for (id, (status, answer)) in trips.iter().zip(answers) {
        assert!(matches!(status, 200 | 503), "a trip that exists: {answer}");
        // An outcome that is not known is learnt under the same key; it is one change either way.
        let version = rename_through(&commands[1], *id);
        known.renamed.insert(*id, vec![(version, late_title(*id))]);
    }
    known.created.extend(trips);
    holds_exactly(&world.client(), &known);
    commands[0].await_ready();
}

/// A rename that the process has taken in; only its body is missing, so that nothing is nearer to
/// being decided when it goes on.
fn late(world: &World, id: Uuid) -> HalfSent {
    let body = json!({ "title": late_title(id) }).to_string();
    let path = format!("/v1/itineraries/{id}");
    HalfSent::new(world.url("command-1"), "PATCH", &path, late_key(id), &body)
}

fn late_title(id: Uuid) -> String {
    format!("{id} late")
}

/// The trip's own id keyed its creation.
fn late_key(id: Uuid) -> Uuid {
    Uuid::from_u128(id.as_u128() ^ 1)
}

/// Creates a trip, through whoever owns its shard by then; within the time of a crash.
fn create_through(survivor: &Client, id: Uuid) {
    let body = json!({
        "id": id, "title": "While the other stood still",
        "period": { "start": "2027-05-01", "end": "2027-05-09", "zone": "Europe/Lisbon" },
    });
    let (key, body) = (id.to_string(), body.to_string());
    let headers = [("idempotency-key", key.as_str())];
    let created = eventually(SESSION + TAKE_OVER + TAKE_OVER, || {
        let answer = survivor.send("POST", "/v1/itineraries", &headers, Some(body.as_bytes()));
        answer.is_ok_and(|answer| matches!(answer.status, 200 | 201))
    });
    assert!(created, "{id} is never created");
}

/// The version after the rename that the other process was asked for.
fn rename_through(survivor: &Client, id: Uuid) -> u64 {
    let (key, body) = (late_key(id).to_string(), json!({ "title": late_title(id) }).to_string());
    let headers = [("idempotency-key", key.as_str())];
    let mut version = None;
    let renamed = eventually(SESSION + TAKE_OVER, || {
        let path = format!("/v1/itineraries/{id}");
        let answer = survivor.send("PATCH", &path, &headers, Some(body.as_bytes()));
        version = answer.ok().filter(|answer| answer.status == 200);
        version.is_some()
    });
    assert!(renamed, "{id} is never renamed");
    version.unwrap().at("/version").as_u64().unwrap()
}

#[test]
fn a_local_stream_store_is_rebuilt_from_the_log() {
    let Some(mut world) = World::distributed() else { return skipped() };
    let commands = ["command-1", "command-2"].map(|name| Client::to(world.url(name)));
    let load = Load::start(&commands, 8);
    assert!(eventually(Duration::from_secs(60), || load.acknowledged() > 200));
    let known = load.finish();

    for name in ["command-1", "command-2"] {
        assert!(world.take(name).terminate().success());
        remove(&world.dir.path().join(name).join("data"));
        world.start(name, &["--only", "command-api"]);
    }

    let survivor = Client::to(world.url("command-2"));
    for (id, titles) in known.renamed.iter().take(50) {
        let headers = [("if-match", format!("\"{}\"", titles.last().unwrap().0))];
        let headers = [(headers[0].0, headers[0].1.as_str())];
        let body = json!({ "title": "After the restore" }).to_string();
        let path = format!("/v1/itineraries/{id}");
        survivor.send("PATCH", &path, &headers, Some(body.as_bytes())).unwrap().expect(200);
    }
}

/// Writes once to every stream that was written before the kill, through the survivor, with the
/// version that is known; returns when a write was refused last, for want of an owner.
fn last_refusal(survivor: &Client, load: &Load) -> Option<Instant> {
    let heads = load.heads();
    std::thread::scope(|scope| {
        let parts = heads.chunks(heads.len().div_ceil(8).max(1));
        let written: Vec<_> = parts
            .map(|part| {
                let write = |(id, version): &(Uuid, u64)| {
                    write_once(survivor, &format!("/v1/itineraries/{id}"), *version)
                };
                scope.spawn(move || part.iter().filter_map(write).max())
            })
            .collect();
        written.into_iter().filter_map(|part| part.join().unwrap()).max()
    })
}

/// Writes to a stream until its shard has an owner that answers, within the time of a crash;
/// returns when it was refused last.
pub(crate) fn write_once(survivor: &Client, path: &str, version: u64) -> Option<Instant> {
    let mut refused = None;
    let wrote = eventually(SESSION + TAKE_OVER + TAKE_OVER, || {
        let tag = format!("\"{version}\"");
        let body = json!({ "title": "Through the other" }).to_string();
        let headers = [("if-match", tag.as_str())];
        let answer = survivor.send("PATCH", path, &headers, Some(body.as_bytes()));
        // A conflict proves a writing owner just as well: the load itself was faster.
        let done = answer.is_ok_and(|answer| matches!(answer.status, 200 | 412));
        if !done {
            refused = Some(Instant::now());
        }
        done
    });
    assert!(wrote, "{path} takes no further command");
    refused
}

/// Every acknowledged command's event is in the history exactly once, at the version that was
/// acknowledged, and versions are 1..n.
fn holds_exactly(client: &Client, known: &Known) {
    assert!(known.surprises.is_empty(), "{:#?}", known.surprises);
    assert!(!known.created.is_empty());
    for id in &known.created {
        let path = format!("/v1/audit/streams/itinerary-{id}/events?limit=100");
        let acknowledged = known.renamed.get(id).map_or(&[][..], Vec::as_slice);
        let caught_up = eventually(Duration::from_secs(30), || {
            let answer = client.get(&path);
            answer.status == 200
                && answer.at("/data").as_array().is_some_and(|e| e.len() > acknowledged.len())
        });
        assert!(caught_up, "{id}: {:#}", client.get(&path).body);
        let events = client.get(&path).at("/data").as_array().unwrap().clone();
        let versions: Vec<u64> = events.iter().map(|e| e["version"].as_u64().unwrap()).collect();
        assert_eq!(versions, (1..=events.len() as u64).collect::<Vec<_>>(), "{id}");
        for (version, title) in acknowledged {
            let same: Vec<u64> = events
                .iter()
                .filter(|event| event["data"]["title"] == json!(title))
                .map(|event| event["version"].as_u64().unwrap())
                .collect();
            assert_eq!(same, [*version], "{id}: {title}");
        }
    }
}
