//! What a stock Kafka client and the schema registry show of a log: it makes sense without Waylog.

use std::process::Command;

use serde_json::{Value, json};
use waylog_tests::{Kind, Services};

use crate::journey::skipped;
use crate::world::World;

#[test]
fn kcat_reads_the_events_with_their_headers_and_the_registry_lists_the_schemas() {
    let Some(world) = World::distributed() else { return skipped() };
    let services = Services::from_env(&[Kind::Kafka, Kind::Registry]).unwrap().unwrap();
    let made = world.client().post(
        "/v1/itineraries",
        &json!({
            "title": "Seen by everybody",
            "period": { "start": "2027-05-01", "end": "2027-05-09", "zone": "Europe/Lisbon" },
        }),
    );
    let made = made.expect(201);
    let id = made.at("/id").as_str().unwrap().to_owned();
    let topic = format!("{}.events", world.setting("WAYLOG_KAFKA_TOPIC_PREFIX"));

    let read = Command::new("kcat")
        .args(["-C", "-e", "-q", "-b", services.brokers(), "-t", &topic, "-J"])
        .args(["-X", "isolation.level=read_committed"])
        .output()
        .unwrap();

    assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
    let key = format!("itinerary-{id}");
    let records: Vec<Value> = String::from_utf8_lossy(&read.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|record: &Value| record["key"] == json!(key))
        .collect();
    assert_eq!(records.len(), 1, "one event, seen once");
    let pairs = records[0]["headers"].as_array().unwrap();
    let header = |name: &str| {
        let at = pairs.iter().position(|cell| cell == name).unwrap_or_else(|| panic!("no {name}"));
        pairs[at + 1].as_str().unwrap().to_owned()
    };
    assert_eq!(header("ce_specversion"), "1.0");
    assert_eq!(header("ce_type"), "itinerary-created");
    assert_eq!(header("ce_subject"), key);
    assert_eq!(header("waylog_version"), "1");
    assert_eq!(header("waylog_command_id"), made.header("idempotency-key"));
    assert!(pairs.iter().all(|cell| cell.as_str().unwrap().chars().all(|c| !c.is_control())));
    // Asked for by name: the list of all subjects ends at a thousand, and tests share a registry.
    let subject = format!("{topic}-waylog.ItineraryCreated");
    let versions = format!("{}/subjects/{subject}/versions", services.registry_url());
    let versions = ureq::get(versions).call().unwrap().into_body().read_to_string().unwrap();
    assert_eq!(versions, "[1]", "{subject}");
}
