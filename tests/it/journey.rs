//! One journey through the whole API, embedded and distributed: the same steps, the same answers.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::world::{Answer, Client, World};

#[test]
fn an_itinerary_lives_from_creation_to_archival_embedded() {
    let world = World::embedded();

    journey(&world.client());
}

#[test]
fn an_itinerary_lives_from_creation_to_archival_distributed() {
    let Some(world) = World::distributed() else { return skipped() };

    journey(&world.client());
}

/// Says that a test left itself out.
pub(crate) fn skipped() {
    eprintln!("skipped: the environment names no services (scripts/test starts them)");
}

fn journey(client: &Client) {
    let trip = creation(client);
    revision(client, &trip);
    activities(client, &trip);
    collaboration(client, &trip);
    queries(client, &trip);
    audit(client, &trip);
    archival(client, &trip);
    operation(client);
}

struct Trip {
    id: String,
    path: String,
}

fn period(start: &str, end: &str) -> Value {
    json!({ "start": start, "end": end, "zone": "Europe/Lisbon" })
}

fn creation(client: &Client) -> Trip {
    let key = Uuid::now_v7().to_string();
    let body = json!({
        "title": "Nine days in Lisbon", "period": period("2027-05-01", "2027-05-09"),
        "metadata": { "travellers": 2, "preferences": ["window seat"] },
    });
    let send = |body: &Value| {
        let headers = [("idempotency-key", key.as_str())];
        let bytes = body.to_string();
        client.send("POST", "/v1/itineraries", &headers, Some(bytes.as_bytes())).unwrap()
    };

    let first = send(&body).expect(201);
    let again = send(&body).expect(201);
    let other = send(&json!({ "title": "Porto", "period": period("2027-05-01", "2027-05-02") }));

    assert_eq!(first.header("etag"), "\"2\"", "created, and metadata described");
    assert_eq!(first.header("idempotency-key"), key);
    assert_eq!(again.body, first.body);
    assert_eq!(again.header("waylog-position"), first.header("waylog-position"));
    assert_eq!(other.expect(422).code(), "idempotency_mismatch");
    let path = first.header("location").to_owned();
    let read = client.get_at(&path, first.header("waylog-position")).expect(200);
    assert_eq!(read.at("/title"), "Nine days in Lisbon");
    assert_eq!(read.at("/metadata/travellers"), 2);
    assert_eq!(read.header("etag"), "\"2\"");
    Trip { id: first.at("/id").as_str().unwrap().to_owned(), path }
}

fn revision(client: &Client, trip: &Trip) {
    let with_version = |version: &str, title: &str| {
        let body = json!({ "title": title }).to_string();
        let headers = [("if-match", version)];
        client.send("PATCH", &trip.path, &headers, Some(body.as_bytes())).unwrap()
    };

    let stale = with_version("\"1\"", "Too late").expect(412);
    let fresh = with_version("\"2\"", "Ten days in Lisbon").expect(200);
    let same = client.patch(&trip.path, &json!({ "title": "Ten days in Lisbon" })).expect(200);

    assert_eq!(stale.code(), "version_conflict");
    assert_eq!(stale.at("/current_version"), 2);
    assert_eq!(fresh.at("/version"), 3);
    assert_eq!(same.at("/version"), 3, "what is true already appends nothing");
    let reversed =
        client.patch(&trip.path, &json!({ "period": period("2027-05-09", "2027-05-01") }));
    assert_eq!(reversed.expect(422).code(), "itinerary_period_reversed");
}

fn tram(day: &str) -> Value {
    json!({
        "kind": "tour", "title": "Tram 28", "place": "Lisbon", "zone": "Europe/Lisbon",
        "starts_at": format!("{day}T09:00:00Z"), "ends_at": format!("{day}T11:00:00Z"),
        "estimated_price": { "amount": 620, "currency": "EUR" },
    })
}

fn activities(client: &Client, trip: &Trip) {
    let path = format!("{}/activities", trip.path);

    let outside = client.post(&path, &tram("2027-06-01"));
    let added = client.post(&path, &tram("2027-05-02")).expect(201);
    let second = client.post(&path, &tram("2027-05-03")).expect(201);
    let removed = client.delete(second.header("location")).expect(200);
    let again = client.delete(second.header("location"));

    assert_eq!(outside.expect(422).code(), "activity_outside_period");
    assert_eq!(again.expect(404).code(), "activity_not_found");
    let read = client.get_at(&trip.path, removed.header("waylog-position")).expect(200);
    assert_eq!(read.at("/activities").as_array().unwrap().len(), 1);
    assert_eq!(read.at("/activities/0/activity_id"), added.at("/id"));
    assert_eq!(read.at("/activities/0/starts_at"), "2027-05-02T09:00:00.000000Z");
}

fn collaboration(client: &Client, trip: &Trip) {
    let friend = Uuid::now_v7();
    let as_friend = client.as_account(friend);
    let invitation = json!({ "account_id": friend, "role": "editor" });
    let path = format!("{}/collaborators", trip.path);

    let uninvited = as_friend.patch(&trip.path, &json!({ "title": "Mine" }));
    let invited = client.post(&path, &invitation).expect(201);
    let joined = as_friend.post(&format!("{path}/{friend}/acceptance"), &json!({}));
    let comment = json!({ "text": "Shall we take the early tram?" });
    let commented = as_friend.post(&format!("{}/comments", trip.path), &comment).expect(201);

    assert_eq!(uninvited.expect(403).code(), "itinerary_editor_required");
    assert_eq!(invited.at("/id"), &json!(friend));
    joined.expect(200);
    let seen = as_friend.get_at(&trip.path, commented.header("waylog-position")).expect(200);
    assert_eq!(seen.at("/collaborators/0/account_id"), &json!(friend));
    let stranger = client.as_account(Uuid::now_v7());
    assert_eq!(stranger.get(&trip.path).expect(404).code(), "itinerary_not_found");
}

fn queries(client: &Client, trip: &Trip) {
    let listed = |query: &str| {
        let answer = client.get(&format!("/v1/itineraries?{query}")).expect(200);
        let rows = answer.at("/data").as_array().unwrap().clone();
        rows.iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };

    assert!(listed("limit=100").contains(&trip.id));
    assert!(listed("q=lisbon").contains(&trip.id), "words are found whatever their case");
    assert!(!listed("q=reykjavik").contains(&trip.id));
    let bad = client.get("/v1/itineraries?limit=101");
    assert_eq!(bad.status, 400, "{:#}", bad.body);
    let feed = client.get(&format!("{}/activity", trip.path)).expect(200);
    assert!(feed.at("/data").as_array().unwrap().len() >= 5, "{:#}", feed.body);
}

fn audit(client: &Client, trip: &Trip) {
    let stream = format!("/v1/audit/streams/itinerary-{}", trip.id);

    let events = client.get(&format!("{stream}/events")).expect(200);
    let first = client.get(&format!("{stream}/state?at_version=1")).expect(200);
    let now = client.get(&format!("{stream}/state")).expect(200);

    let events = events.at("/data").as_array().unwrap().clone();
    let versions: Vec<u64> = events.iter().map(|e| e["version"].as_u64().unwrap()).collect();
    assert_eq!(versions, (1..=events.len() as u64).collect::<Vec<_>>());
    assert_eq!(events[0]["type"], "itinerary-created");
    assert_eq!(events[0]["data"]["title"], "Nine days in Lisbon");
    assert_eq!(first.at("/state/title"), "Nine days in Lisbon");
    assert_eq!(now.at("/state/title"), "Ten days in Lisbon");
    let correlation = events[0]["correlation_id"].as_str().unwrap();
    let caused = client.get(&format!("/v1/audit/correlations/{correlation}")).expect(200);
    assert!(caused.body.to_string().contains("itinerary-created"), "{:#}", caused.body);
    let time = events[0]["time"].as_str().unwrap();
    let then = client.get(&format!("{stream}/state?at={time}")).expect(200);
    assert_eq!(then.at("/state/title"), "Nine days in Lisbon");
}

fn archival(client: &Client, trip: &Trip) {
    let archived = client.post(&format!("{}/archival", trip.path), &json!({})).expect(200);

    let late = client.patch(&trip.path, &json!({ "title": "Once more" }));

    assert_eq!(late.expect(422).code(), "itinerary_archived");
    let read = client.get_at(&trip.path, archived.header("waylog-position")).expect(200);
    assert_eq!(read.at("/status"), "archived");
}

fn operation(client: &Client) {
    let ok = |answer: Answer| assert_eq!(answer.status, 200, "{:#}", answer.body);
    ok(client.get("/health/live"));
    ok(client.get("/health/ready"));
    ok(client.get("/docs/"));
    let metrics = client.get("/metrics").expect(200);
    assert!(metrics.body.as_str().unwrap().contains("waylog_"), "metrics are ours");
    let described = client.get("/openapi.json").expect(200);
    assert_eq!(described.at("/openapi"), "3.1.0");
    for path in ["/v1/itineraries", "/v1/itineraries/{id}", "/v1/audit/streams/{stream}/events"] {
        assert!(described.at("/paths").get(path).is_some(), "{path} is described");
    }
    let projections = client.get("/v1/projections").expect(200);
    assert!(projections.at("/data").as_array().unwrap().len() >= 3);
}
