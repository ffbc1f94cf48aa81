//! Something that a running system needs goes away for a while: nothing lies, nothing is lost, and
//! everything goes on by itself.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use uuid::Uuid;
use waylog_tests::{Endpoints, Kind, Options, Services};

use crate::journey::skipped;
use crate::world::{Client, World, eventually};

/// The longest an answer may take while something is away.
const HONEST_ANSWER: Duration = Duration::from_secs(5);

fn trip() -> Value {
    json!({
        "title": "Through an outage",
        "period": { "start": "2027-05-01", "end": "2027-05-09", "zone": "Europe/Lisbon" },
    })
}

/// Private services that this test may break, and a deployment around them.
fn breakable() -> Option<(tempfile::TempDir, Services, World)> {
    let (dir, services) = private()?;
    let world = World::around(&services);
    Some((dir, services, world))
}

fn private() -> Option<(tempfile::TempDir, Services)> {
    let dir = tempfile::tempdir().unwrap();
    // The services' own account has to pass through it.
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o711)).unwrap();
    let mut kinds = vec![Kind::Kafka, Kind::Registry, Kind::Postgres];
    if Endpoints::from_env().mysql_url.is_none() {
        kinds.push(Kind::MariaDb);
    }
    let options = Options::only(kinds);
    let services = Services::start_if_installed(&dir.path().join("s"), &options).unwrap()?;
    Some((dir, services))
}

/// Sends one command until it is acknowledged; every other answer has to be an honest 503 in time.
fn insist(client: &Client, key: &str, patience: Duration) -> (String, Vec<String>) {
    let (mut codes, body) = (Vec::new(), trip().to_string());
    let mut location = None;
    let accepted = eventually(patience, || {
        let begin = Instant::now();
        let headers = [("idempotency-key", key)];
        let sent = client.send("POST", "/v1/itineraries", &headers, Some(body.as_bytes()));
        let answer = sent.unwrap();
        if answer.status == 201 {
            location = Some(answer.header("location").to_owned());
            return true;
        }
        assert_eq!(answer.status, 503, "{:#}", answer.body);
        assert!(answer.headers.contains_key("retry-after"));
        assert!(begin.elapsed() < HONEST_ANSWER, "{:?}", begin.elapsed());
        codes.push(answer.code().to_owned());
        false
    });
    assert!(accepted, "never accepted; {codes:?}");
    (location.unwrap(), codes)
}

#[test]
fn commands_wait_for_the_broker_and_queries_go_on() {
    let Some((_dir, services, world)) = breakable() else { return skipped() };
    let client = world.client();
    let before = client.post("/v1/itineraries", &trip()).expect(201);
    client.get_at(before.header("location"), before.header("waylog-position")).expect(200);
    let (key, body) = (Uuid::now_v7().to_string(), trip().to_string());

    services.pause(Kind::Kafka, 1).unwrap();
    let headers = [("idempotency-key", key.as_str())];
    let begin = Instant::now();
    let away = client.send("POST", "/v1/itineraries", &headers, Some(body.as_bytes())).unwrap();
    let waited = begin.elapsed();
    let other = Uuid::now_v7();
    let mut named = trip();
    named["id"] = json!(other);
    let once = client.post("/v1/itineraries", &named);
    let read = client.get(before.header("location"));
    services.resume(Kind::Kafka, 1).unwrap();
    let (location, _) = insist(&client, &key, Duration::from_secs(90));

    // It was on its way when the broker stood still; the second one may not have been.
    assert_eq!((away.status, away.code()), (503, "outcome_unknown"), "{:#}", away.body);
    assert_eq!(once.status, 503, "{:#}", once.body);
    assert!(waited < HONEST_ANSWER, "{waited:?}");
    assert_eq!(read.status, 200, "queries go on");
    let id = location.rsplit('/').next().unwrap();
    let history = format!("/v1/audit/streams/itinerary-{id}/events");
    let seen = eventually(Duration::from_secs(90), || client.get(&history).status == 200);
    assert!(seen, "{:#}", client.get(&history).body);
    assert_eq!(client.get(&history).at("/data").as_array().unwrap().len(), 1, "exactly once");
    // Under another key: it is made now, unless the first request did it after all.
    let (key, body) = (Uuid::now_v7().to_string(), named.to_string());
    let mut last = None;
    let told = eventually(Duration::from_secs(90), || {
        let headers = [("idempotency-key", key.as_str())];
        let sent = client.send("POST", "/v1/itineraries", &headers, Some(body.as_bytes()));
        last.insert(sent.unwrap()).status != 503
    });
    let last = last.expect("it was sent");
    assert!(told, "{:#}", last.body);
    let there_already = last.status == 409 && last.code() == "itinerary_already_exists";
    let honest = last.status == 201 || (there_already && once.code() == "outcome_unknown");
    assert!(honest, "{}, and then {:#}", once.code(), last.body);
}

#[test]
fn commands_go_on_without_the_read_store_and_projections_catch_up() {
    let Some((_dir, services, world)) = breakable() else { return skipped() };
    let client = world.client();
    let first = client.post("/v1/itineraries", &trip()).expect(201);
    client.get_at(first.header("location"), first.header("waylog-position")).expect(200);

    services.pause(Kind::Postgres, 1).unwrap();
    let made = client.post("/v1/itineraries", &trip()).expect(201);
    let blind = client.get(made.header("location"));
    services.resume(Kind::Postgres, 1).unwrap();

    assert_eq!(blind.status, 503, "{:#}", blind.body);
    let (path, position) = (made.header("location"), made.header("waylog-position"));
    let caught_up = || client.get_at(path, position).status == 200;
    assert!(eventually(Duration::from_secs(60), caught_up), "{:#}", client.get(path).body);
}

#[test]
fn a_start_needs_no_read_store() {
    let Some((_dir, services)) = private() else { return skipped() };
    let mut world = World::bare(&services);
    services.kill(Kind::Postgres, 1).unwrap();

    world.launch("origin", &[]);
    let client = world.client();
    let key = Uuid::now_v7().to_string();
    let (location, _) = insist(&client, &key, Duration::from_secs(60));
    let blind = client.get(&location);
    let unready = client.get("/health/ready");
    services.restart(Kind::Postgres, 1).unwrap();
    client.await_ready();
    let seen = eventually(Duration::from_secs(30), || client.get(&location).status == 200);

    assert_eq!((blind.status, blind.code()), (503, "read_store_unavailable"), "{:#}", blind.body);
    assert_eq!(unready.status, 503);
    for (check, word) in [("projections", "read_store_unavailable"), ("read models", "read store")]
    {
        let checks = unready.at("/checks").as_array().unwrap();
        let failing = checks.iter().find(|found| found["name"] == check).unwrap();
        let reason = failing["reason"].as_str().unwrap();
        assert!(reason.contains(word), "{check}: {reason}");
    }
    assert!(seen, "{:#}", client.get(&location).body);
}

#[test]
fn a_restart_needs_no_registry() {
    let Some((_dir, services, mut world)) = breakable() else { return skipped() };
    let made = world.client().post("/v1/itineraries", &trip()).expect(201);

    services.pause(Kind::Registry, 1).unwrap();
    for name in ["command-1", "command-2"] {
        assert!(world.take(name).terminate().success());
        world.start(name, &["--only", "command-api"]);
    }
    let path = made.header("location").to_owned();
    let renamed =
        Client::to(world.url("command-1")).patch(&path, &json!({ "title": "Still here" }));
    services.resume(Kind::Registry, 1).unwrap();

    renamed.expect(200);
}
