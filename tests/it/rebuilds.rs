//! Read models thrown away and built anew while commands flow, and proven equal.

use std::time::Duration;

use serde_json::{Value, json};

use crate::journey::skipped;
use crate::load::Load;
use crate::world::{Client, World, eventually, sales};

#[test]
fn every_projection_is_rebuilt_equal_while_commands_flow_embedded() {
    rebuilt_under_load(&World::embedded(), &["origin"], "origin");
}

#[test]
fn every_projection_is_rebuilt_equal_while_commands_flow_distributed() {
    let Some(world) = World::selling() else { return skipped() };
    rebuilt_under_load(&world, &["command-1", "command-2"], "projectors");
    measured_beside_copy(&world);
}

/// The rate of a rebuild beside that of COPY, for the same rows; nothing of it is left behind.
fn measured_beside_copy(world: &World) {
    let url = world.url("projectors");
    let show = || -> Value {
        let shown = world.run(&["projection", "show", "audit", "--url", url]);
        serde_json::from_slice(&shown.stdout).unwrap()
    };
    let before = show();

    let postgres = world.setting("WAYLOG_POSTGRES_URL");
    let bench = |words: &[&str]| {
        world.run(&[&["bench", "rebuild", "--url", url, "--json"][..], words].concat())
    };
    let measured = bench(&["--projection", "audit", "--postgres-url", postgres]);
    let elsewhere = bench(&["--projection", "destinations"]);

    let said = String::from_utf8_lossy(&measured.stderr);
    assert!(measured.status.success(), "{said}");
    let figures: Value = serde_json::from_slice(&measured.stdout).unwrap();
    assert_eq!(figures["verdict"], "equal", "{figures:#}");
    assert!(figures["copy"]["rows"].as_u64().unwrap() > 300, "{figures:#}");
    assert!(figures["copy"]["share_of_copy"].as_f64().unwrap() > 0.0, "{figures:#}");
    let figures: Value = serde_json::from_slice(&elsewhere.stdout).unwrap();
    assert_eq!((&figures["verdict"], &figures["copy"]), (&json!("equal"), &Value::Null));
    let lives = |shown: &Value| shown["generation"].clone();
    assert_eq!(lives(&show()), lives(&before));
}

/// Three bookings of a flight to a destination that is described; gives the flight, and the day of
/// each booking.
fn sell(client: &Client) -> (String, Vec<String>) {
    let described = json!({
        "slug": "lisbon", "name": "Lisboa", "country": "PT", "zone": "Europe/Lisbon",
        "coordinates": { "latitude": 38.7223, "longitude": -9.1393 }, "tags": ["fado"],
    });
    let (trip, flight) = (sales::itinerary(client), sales::offer(client, "flight", 10, 900));
    let booked = [(); 3].map(|()| {
        let booked = sales::book(client, &trip, &[(&flight, 900)], "card_approved");
        assert_eq!(booked.at("/status"), "confirmed", "{:#}", booked.body);
        sales::confirmed_on(&booked)
    });
    client.post("/v1/destinations", &described).expect(201);
    (flight, booked.to_vec())
}

fn rebuilt_under_load(world: &World, commands: &[&str], projectors: &str) {
    let clients: Vec<_> = commands.iter().map(|name| Client::to(world.url(name))).collect();
    let client = world.client();
    let (flight, days) = sell(&client);
    let load = Load::start(&clients, 4);
    assert!(eventually(Duration::from_secs(60), || load.acknowledged() > 300));

    let url = world.url(projectors).to_owned();
    let listed = || -> Vec<Value> {
        let listed = world.run(&["projection", "ls", "--url", &url, "--output", "json"]);
        let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
        listed["data"].as_array().unwrap().clone()
    };
    let names: Vec<String> =
        listed().iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect();
    assert!(names.iter().any(|name| name == "destinations"), "{names:?}");
    let copies = names.iter().filter(|name| name.ends_with("_hot")).count();
    assert_eq!(copies, if commands.len() > 1 { 2 } else { 0 }, "{names:?}");
    for projection in &names {
        let rebuilt = world.run(&["projection", "rebuild", projection, "--url", &url, "--yes"]);
        assert!(
            rebuilt.status.success(),
            "{projection}: {}{}\n{}",
            String::from_utf8_lossy(&rebuilt.stdout),
            String::from_utf8_lossy(&rebuilt.stderr),
            world.process(projectors).log(),
        );
    }
    let known = load.finish();

    assert!(known.surprises.is_empty(), "{:#?}", known.surprises);
    for projection in &listed() {
        let generations = projection["generations"].as_array().unwrap();
        let live = generations.iter().find(|generation| generation["live"] == true).unwrap();
        assert_eq!(live["number"], 2, "the rebuilt tables are live: {projection:#}");
    }
    let read = |path: &str| client.get(path).expect(200);
    assert_eq!(read(&format!("/v1/offers/{flight}")).at("/available"), 7);
    let counted = read("/v1/destinations/lisbon");
    assert_eq!(counted.at("/statistics/bookings_confirmed"), 3, "{:#}", counted.body);
    assert_eq!(counted.at("/statistics/places_sold"), 3);
    for day in &days {
        let ranking = read(&format!("/v1/destinations/popular?period=month&date={day}"));
        assert_eq!(ranking.at("/data/0/bookings"), sales::in_its_month(&days, day));
    }
    for projection in &names {
        let verified = world.run(&["projection", "verify", projection]);
        assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
    }
}
