//! What an operator's verbs do, and what those that only look leave alone.

use std::process::{Command, Output};
use std::time::Duration;

use serde_json::{Value, json};
use waylog_tests::{Kind, Services};

use crate::journey::skipped;
use crate::world::{Client, World, eventually, remove};

fn said(output: &Output) -> String {
    let texts = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    texts.concat()
}

/// A verb that ends with that code; what it said.
fn verb(world: &World, words: &[&str], code: i32) -> String {
    let output = world.run(words);
    assert_eq!(output.status.code(), Some(code), "{words:?}: {}", said(&output));
    said(&output)
}

/// One answer of the deployment's database.
fn sql(world: &World, statement: &str) -> String {
    let url = world.setting("WAYLOG_POSTGRES_URL");
    let words = [url, "-v", "ON_ERROR_STOP=1", "-Atc", statement];
    let answer = Command::new("psql").args(words).output().unwrap();
    assert!(answer.status.success(), "{}", said(&answer));
    String::from_utf8_lossy(&answer.stdout).trim().to_owned()
}

/// A trip with two events; its stream.
fn trip(client: &Client) -> String {
    let body = json!({
        "title": "Seen by an operator",
        "period": { "start": "2027-05-01", "end": "2027-05-09", "zone": "Europe/Lisbon" },
    });
    let made = client.post("/v1/itineraries", &body).expect(201);
    let path = made.header("location").to_owned();
    let renamed = client.patch(&path, &json!({ "title": "Renamed" })).expect(200);
    let stream = format!("itinerary-{}", path.rsplit('/').next().unwrap());
    let history = format!("/v1/audit/streams/{stream}/events");
    let seen = || client.get_at(&history, renamed.header("waylog-position")).status == 200;
    assert!(eventually(Duration::from_secs(30), seen), "{:#}", client.get(&history).body);
    stream
}

#[test]
fn verbs_that_look_create_nothing() {
    let kinds = [Kind::Kafka, Kind::Registry, Kind::Postgres];
    let Some(services) = Services::from_env(&kinds).unwrap() else { return skipped() };
    let world = World::bare(&services);
    let prefix = world.setting("WAYLOG_KAFKA_TOPIC_PREFIX").to_owned();
    let stream = "itinerary-01890a5d-ac96-774b-bcce-b302099a8057";

    for words in [
        &["events", "show", stream][..],
        &["events", "tail", "--from-start", "--limit", "1"],
        &["state", stream],
        &["verify"],
        &["projection", "verify"],
        &["audit", "verify"],
        &["doctor"],
    ] {
        let words = verb(&world, words, 1);
        assert!(words.contains("waylog serve"), "it says what to do: {words}");
    }

    let topics = Command::new("kcat").args(["-L", "-b", services.brokers()]).output().unwrap();
    let subjects = ureq::get(format!("{}/subjects", services.registry_url())).call().unwrap();
    let subjects = subjects.into_body().read_to_string().unwrap();
    let tables = "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'";
    assert!(topics.status.success() && !said(&topics).contains(&prefix), "no topic");
    assert!(!subjects.contains(&prefix), "no schema");
    assert_eq!(sql(&world, tables), "0", "no table");
    assert!(!world.dir.path().join("origin/data").exists(), "no directory");
}

#[test]
fn an_altered_audit_trail_is_found() {
    let kinds = [Kind::Kafka, Kind::Registry, Kind::Postgres];
    let Some(services) = Services::from_env(&kinds).unwrap() else { return skipped() };
    let mut world = World::bare(&services);
    world.start("origin", &[]);
    let stream = trip(&world.client());

    let whole = verb(&world, &["audit", "verify"], 0);
    let altered = format!(
        "UPDATE audit_events_g1 SET actor = 'account:{}' WHERE stream = '{stream}' AND version = 2",
        uuid::Uuid::nil()
    );
    sql(&world, &altered);
    let found = verb(&world, &["audit", "verify"], 1);
    let doctor = verb(&world, &["doctor"], 0);

    assert!(whole.contains("equal to the log"), "{whole}");
    assert!(found.contains("NOT what the log says"), "{found}");
    assert!(doctor.contains("audit (generation 1)"), "{doctor}");
}

#[test]
fn events_and_states_are_told_for_people_and_for_programs() {
    let world = World::embedded();
    let stream = trip(&world.client());

    let table = verb(&world, &["events", "show", &stream], 0);
    let lines = verb(&world, &["events", "show", &stream, "--output", "json"], 0);
    let beyond = verb(&world, &["state", &stream, "--at-version", "9"], 1);
    let audit = verb(&world, &["audit", "verify"], 0);

    let head = table.lines().next().unwrap();
    assert!(head.starts_with("position") && table.lines().count() == 3, "{table}");
    let events: Vec<Value> = lines.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(events[1]["type"], "itinerary-renamed", "{lines}");
    assert!(beyond.contains("is at 2"), "{beyond}");
    assert!(audit.contains("equal to the log"), "{audit}");
}

#[test]
fn a_log_is_not_served_without_its_keys_unless_they_are_given_up() {
    let mut world = World::embedded();
    trip(&world.client());
    assert!(world.take("origin").terminate().success());
    remove(&world.dir.path().join("origin/data/keys.sqlite"));

    let refused = [(); 2].map(|()| world.refused("origin"));
    let plan = verb(&world, &["accept-log"], 1);
    let still = world.refused("origin");
    let given_up = verb(&world, &["accept-log", "--yes"], 0);
    world.start("origin", &[]);

    for (code, said) in refused.iter().chain([&still]) {
        let names = said.contains("keys.sqlite") && said.contains("waylog accept-log");
        assert!(*code == Some(1) && names, "{code:?}: {said}");
    }
    assert!(plan.contains("unreadable"), "{plan}");
    assert!(given_up.contains("there is a new one"), "{given_up}");
}

#[test]
fn what_cannot_be_taken_back_wants_a_yes() {
    let world = World::embedded();
    trip(&world.client());
    let url = world.url("origin").to_owned();
    let run = |words: &[&str], code| verb(&world, &[words, &["--url", &url]].concat(), code);
    let live = || run(&["projection", "show", "itineraries"], 0);

    let nothing_parked = run(&["dead-letter", "ls"], 0);
    let no_such = run(&["dead-letter", "show", "itineraries:itinerary-1"], 1);
    let no_break =
        run(&["projection", "accept-continuity", "itineraries", "--partition", "0", "--yes"], 1);
    run(&["projection", "rebuild", "itineraries", "--yes"], 0);
    let rebuilt = live();
    let plan = run(&["projection", "rollback", "itineraries"], 1);
    let after_plan = live();
    run(&["projection", "rollback", "itineraries", "--yes"], 0);
    let rolled_back = live();

    let generation =
        |text: &str| serde_json::from_str::<Value>(text).unwrap()["generation"].clone();
    assert!(nothing_parked.starts_with("id"), "{nothing_parked}");
    assert!(no_such.contains("no dead letter"), "{no_such}");
    assert!(no_break.contains("not stopped"), "{no_break}");
    assert!(plan.contains("--yes"), "{plan}");
    let generations = [&rebuilt, &after_plan, &rolled_back].map(|text| generation(text));
    assert_eq!(generations, [json!(2), json!(2), json!(1)]);
}
