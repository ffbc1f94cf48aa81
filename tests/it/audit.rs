//! What one booking request caused, as a person reads it: commands, steps, calls to the provider,
//! what was refused, and what was undone.

use std::time::Duration;

use serde_json::Value;

use crate::world::sales::{itinerary, offer, order, place, settled, text, until};
use crate::world::{Client, World, eventually};

/// Every member of that name, anywhere below.
fn all<'a>(value: &'a Value, member: &str, found: &mut Vec<&'a Value>) {
    match value {
        Value::Object(members) => {
            found.extend(members.get(member));
            members.values().for_each(|inside| all(inside, member, found));
        }
        Value::Array(items) => items.iter().for_each(|inside| all(inside, member, found)),
        _ => {}
    }
}

fn texts(value: &Value, member: &str) -> Vec<String> {
    let mut found = Vec::new();
    all(value, member, &mut found);
    found.into_iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// A booking, and the correlation id of its request.
fn booked(client: &Client, order: &Value) -> (String, String) {
    let asked = client.post("/v1/bookings", order).expect(202);
    let path = asked.header("location").to_owned();
    settled(client, &path);
    let stream = format!("booking-{}", path.rsplit('/').next().unwrap());
    let history = format!("/v1/audit/streams/{stream}/events");
    let history = until(client, &history, |read| read.pointer("/data/0/correlation_id").is_some());
    (stream, text(&history, "/data/0/correlation_id"))
}

#[test]
fn a_person_reads_what_a_booking_request_caused() {
    let world = World::embedded();
    let client = world.client();
    let trip = itinerary(&client);
    let (flight, full) = (offer(&client, "flight", 5, 12_900), offer(&client, "hotel", 1, 8_000));
    let declined = order(&trip, &[place(&flight, 12_900)], "card_declined");
    let lines = [place(&full, 8_000), place(&full, 8_000)];
    let sold_out = order(&trip, &lines, "card_approved");

    let (_, first) = booked(&client, &declined);
    let (_, second) = booked(&client, &sold_out);
    let tree = |correlation: &str| {
        let path = format!("/v1/audit/correlations/{correlation}");
        let whole = || {
            texts(&client.get(&path).body["commands"], "type")
                .contains(&"saga-compensated".to_owned())
        };
        assert!(eventually(Duration::from_secs(30), whole), "{:#}", client.get(&path).body);
        client.get(&path).expect(200).body
    };
    // Refusals are told by a trail of their own: it may be behind.
    let listed = until(&client, "/v1/audit/refusals?code=sold_out", |read| {
        read.pointer("/data/0").is_some()
    });
    let (declined, sold_out) = (tree(&first), tree(&second));

    let roots = declined["commands"].as_array().unwrap();
    assert_eq!(roots[0]["events"][0]["type"], "booking-requested");
    let parts = texts(&declined["commands"], "part");
    for part in ["saga", "step", "step_outcome", "provider_call", "provider_answer", "compensation"]
    {
        assert!(parts.iter().any(|found| found == part), "{part}: {declined:#}");
    }
    // All of it hangs below the request, but for what the provider told on its own.
    for root in &roots[1..] {
        assert!(root["stream"].as_str().unwrap().starts_with("payment-"), "{root:#}");
    }
    let codes = texts(&sold_out["commands"], "code");
    assert_eq!(codes, ["sold_out"], "{sold_out:#}");
    assert_eq!(sold_out["refusals_complete"], true);
    let refused = &listed.body["data"][0];
    assert_eq!((&refused["command"], &refused["code"]), (&"offer.hold".into(), &"sold_out".into()));
    assert_eq!(refused["correlation_id"], second.as_str());
}
