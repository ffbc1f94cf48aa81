//! Personal data is opened as an answer is made, and reads as forgotten everywhere at once.

use axum::body::Body;
use http::Request;
use read_models::testing::samples::commented;
use serde_json::{Value, json};
use uuid::Uuid;

use super::live::Served;
use super::world::{EDITOR, OWNER, TRIP, Who, World, answer, sample};

const STAFF: Who = Who::staff("support");

/// Every answer that holds the editor's comment, as path and pointer to the object around its text.
fn places() -> Vec<(String, &'static str)> {
    let events = format!("/v1/audit/streams/itinerary-{TRIP}/events?after_version=5&limit=1");
    vec![
        (format!("/v1/itineraries/{TRIP}"), "/comments/0"),
        (format!("/v1/itineraries/{TRIP}/activity?limit=3"), "/data/2/data"),
        (events, "/data/0/data"),
        (format!("/v1/audit/actors/account:{EDITOR}?limit=2"), "/data/1/data"),
    ]
}

async fn comment(world: &World, path: &str, pointer: &str) -> Value {
    let read = world.get(STAFF, path).await.expect(200);
    let found = read.body.pointer(pointer);
    found.unwrap_or_else(|| panic!("{path}{pointer}: {:#}", read.body)).clone()
}

#[tokio::test]
async fn what_is_sealed_is_read_everywhere_until_its_author_is_forgotten() {
    let world = World::with(sample().events()).await;
    for (path, pointer) in places() {
        let comment = comment(&world, &path, pointer).await;
        assert_eq!(comment["text"], "Early?", "{path}");
        assert!(comment.get("forgotten").is_none() && comment.get("damaged").is_none());
    }

    world.keyring.forget(domain::ids::PersonId(EDITOR)).await.unwrap();

    for (path, pointer) in places() {
        let comment = comment(&world, &path, pointer).await;
        assert_eq!(comment["text"], Value::Null, "{path}");
        assert_eq!(comment["forgotten"], json!(true), "{path}");
        assert!(comment["author"].is_string(), "who it was is not what was said");
    }
}

#[tokio::test]
async fn a_correlation_shows_its_events_opened() {
    let world = World::with(sample().events()).await;
    let stream = format!("/v1/audit/streams/itinerary-{TRIP}/events?after_version=5&limit=1");
    let event = world.get(STAFF, &stream).await.expect(200).data()[0].clone();
    let id = event["correlation_id"].as_str().unwrap().to_owned();

    let caused = world.get(STAFF, &format!("/v1/audit/correlations/{id}")).await.expect(200);

    let shown = caused.data().iter().find(|shown| shown["event_id"] == event["event_id"]);
    assert_eq!(shown.unwrap()["data"]["text"], "Early?");
}

#[tokio::test]
async fn a_client_that_holds_a_forgotten_text_is_not_told_that_nothing_changed() {
    let world = World::with(sample().events()).await;
    let path = format!("/v1/itineraries/{TRIP}");
    let tag = world.get(STAFF, &path).await.expect(200).header("etag").to_owned();
    let known = [("if-none-match", tag.as_str())];
    world.get_with(STAFF, &path, &known).await.expect(304);

    world.keyring.forget(domain::ids::PersonId(EDITOR)).await.unwrap();

    let again = world.get_with(STAFF, &path, &known).await.expect(200);
    assert_eq!(again.body["comments"][0]["forgotten"], json!(true));
}

#[tokio::test]
async fn one_damaged_text_spoils_no_other() {
    let mut log = sample();
    let known = log.events().len();
    let world = World::with(log.events()).await;
    log.append(0, TRIP, OWNER, commented(TRIP, Uuid::from_u128(0xC2), OWNER, "b2zh"));
    // As it stands: nobody sealed that.
    world.load_as_it_is(&log.events()[known..]).await;

    let read = world.get(STAFF, &format!("/v1/itineraries/{TRIP}")).await.expect(200);

    assert_eq!(read.body["comments"][0]["text"], "Early?");
    assert_eq!(read.body["comments"][1]["text"], Value::Null);
    assert_eq!(read.body["comments"][1]["damaged"], json!(true));
}

#[tokio::test]
async fn without_keys_only_answers_with_personal_data_are_unavailable() {
    let world = World::with(sample().events()).await;
    let router = world.without_keys();
    let get = async |path: &str| {
        let mut request = Request::get(path);
        for (name, value) in STAFF.headers() {
            request = request.header(name, value);
        }
        answer(&router, request.body(Body::empty()).unwrap()).await
    };

    for (path, _) in places() {
        let refused = get(&path).await.expect(503);
        assert_eq!(refused.code(), "key_store_unavailable", "{path}");
        assert!(refused.headers.contains_key("retry-after"));
    }
    let stream = format!("/v1/audit/streams/itinerary-{TRIP}");
    get(&format!("{stream}/events?limit=3")).await.expect(200);
    get(&format!("{stream}/state")).await.expect(200);
}

#[tokio::test]
async fn a_live_update_is_opened_when_it_is_told() {
    let mut log = sample();
    let known = log.events().len();
    let served = Served::start(World::with(log.events()).await).await;
    let mut talk = served.listen(Who::traveller(OWNER), "type=itinerary-commented", None).await;

    log.append(0, TRIP, OWNER, commented(TRIP, Uuid::from_u128(0xC2), OWNER, "Yes."));
    log.append(0, TRIP, EDITOR, commented(TRIP, Uuid::from_u128(0xC3), EDITOR, "No."));
    let events = served.world.sealed(&log.events()[known..]).await;
    served.world.keyring.forget(domain::ids::PersonId(EDITOR)).await.unwrap();
    served.world.load_as_it_is(&events).await;

    assert_eq!(talk.event().await.unwrap().data["data"]["text"], "Yes.");
    let forgotten = talk.event().await.unwrap().data["data"].clone();
    assert_eq!((&forgotten["text"], &forgotten["forgotten"]), (&Value::Null, &json!(true)));
    served.stop().await;
}
