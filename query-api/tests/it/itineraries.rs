//! Who sees which trip, and what of it.

use serde_json::json;
use uuid::Uuid;

use super::world::{
    EDITOR, INVITED, OWNER, SHARED_TRIP, STRANGER, TRIP, Who, World, renamed, sample,
};
use read_models::testing::samples::{SampleLog, created};

const NONE: [Uuid; 0] = [];

#[tokio::test]
async fn a_trip_shows_its_plan_people_and_talk() {
    let world = World::with(sample().events()).await;

    let read = world.get(Who::traveller(OWNER), &format!("/v1/itineraries/{TRIP}")).await;

    let read = read.expect(200);
    assert_eq!(read.header("etag"), "\"8\"");
    assert_eq!(read.header("cache-control"), "private, no-cache");
    let body = &read.body;
    assert_eq!((&body["id"], &body["owner"]), (&json!(TRIP), &json!(OWNER)));
    assert_eq!((&body["title"], &body["status"]), (&json!("Ten days in Lisbon"), &json!("active")));
    let period = json!({ "start": "2026-05-01", "end": "2026-05-09", "zone": "Europe/Lisbon" });
    assert_eq!(body["period"], period);
    let metadata = json!({ "travellers": 2, "preferences": ["window seat"] });
    assert_eq!(body["metadata"], metadata);
    assert_eq!(body["activities"][0]["activity_id"], json!(Uuid::from_u128(0xA1)));
    assert_eq!(body["activities"][0]["starts_at"], "2026-05-02T00:00:00.000000Z");
    let price = json!({ "amount": 2500, "currency": "EUR" });
    assert_eq!(body["activities"][0]["estimated_price"], price);
    assert_eq!(body["collaborators"], json!([{ "account_id": EDITOR, "role": "editor" }]));
    assert_eq!(body["invitations"], json!([{ "account_id": INVITED, "role": "editor" }]));
    assert_eq!(body["comments"][0]["text"], "Early?");
    assert_eq!((&body["version"], &body["shared"]), (&json!(8), &json!(false)));
    assert_eq!(body["created_at"], "2026-05-01T00:00:01.000000Z");
}

#[tokio::test]
async fn a_trip_is_seen_by_its_people_staff_and_when_shared_by_anybody_of_the_tenant() {
    let world = World::with(sample().events()).await;
    let people = [OWNER, EDITOR, INVITED, STRANGER].map(Who::traveller);
    let staff = ["support", "operator", "admin"].map(Who::staff);
    let elsewhere = Who::staff("operator").of("other");
    let whole = [200, 200, 200, 404, 200, 200, 200, 404];

    let everybody = people.into_iter().chain(staff).chain([elsewhere]);
    for (who, expected) in everybody.clone().zip(whole) {
        let read = world.get(who, &format!("/v1/itineraries/{TRIP}")).await;
        let feed = world.get(who, &format!("/v1/itineraries/{TRIP}/activity")).await;
        assert_eq!((read.status, feed.status), (expected, expected), "{who:?}");
        if expected == 404 {
            assert_eq!((read.code(), feed.code()), ("itinerary_not_found", "itinerary_not_found"));
        }
    }
    for (who, (read, feed)) in everybody.zip([
        (200, 200),
        (200, 404),
        (200, 200),
        (200, 404),
        (200, 200),
        (200, 200),
        (200, 200),
        (404, 404),
    ]) {
        let path = format!("/v1/itineraries/{SHARED_TRIP}");
        assert_eq!(world.get(who, &path).await.status, read, "{who:?}");
        assert_eq!(world.get(who, &format!("{path}/activity")).await.status, feed, "{who:?}");
    }
}

#[tokio::test]
async fn who_only_has_the_link_sees_no_invitations() {
    let world = World::with(sample().events()).await;
    let path = format!("/v1/itineraries/{SHARED_TRIP}");

    let stranger = world.get(Who::traveller(STRANGER), &path).await.expect(200);
    let owner = world.get(Who::traveller(OWNER), &path).await.expect(200);

    assert_eq!(stranger.body["invitations"], json!([]));
    assert_eq!(owner.body["invitations"][0]["account_id"], json!(INVITED));
}

#[tokio::test]
async fn a_version_at_hand_is_not_sent_again() {
    let world = World::with(sample().events()).await;
    let ask = |tag: &'static str| {
        let world = &world;
        async move {
            let path = format!("/v1/itineraries/{TRIP}");
            world.get_with(Who::traveller(OWNER), &path, &[("if-none-match", tag)]).await
        }
    };

    assert_eq!(ask("\"8\"").await.status, 304);
    assert_eq!(ask("\"6\", W/\"8\"").await.header("etag"), "\"8\"");
    assert_eq!(ask("\"7\"").await.status, 200);
}

#[tokio::test]
async fn a_list_holds_the_callers_trips_narrowed_down() {
    let world = World::with(sample().events()).await;
    let listed = |who: Uuid, query: &'static str| {
        let world = &world;
        async move {
            let answer = world.get(Who::traveller(who), &format!("/v1/itineraries?{query}")).await;
            let answer = answer.expect(200);
            let ids = answer.data().iter().map(|row| row["id"].as_str().unwrap().to_owned());
            ids.map(|id| Uuid::parse_str(&id).unwrap()).collect::<Vec<_>>()
        }
    };

    assert_eq!(listed(OWNER, "").await, [SHARED_TRIP, TRIP]);
    assert_eq!(listed(OWNER, "q=LISB").await, [TRIP]);
    assert_eq!(listed(OWNER, "q=reykjavik").await, NONE);
    assert_eq!(listed(OWNER, "status=archived").await, NONE);
    assert_eq!(listed(OWNER, "from=2026-05-09&to=2026-05-09").await, [SHARED_TRIP, TRIP]);
    assert_eq!(listed(OWNER, "from=2026-05-10").await, NONE);
    assert_eq!(listed(EDITOR, "").await, [TRIP]);
    assert_eq!(listed(INVITED, "").await, NONE);
    assert_eq!(listed(INVITED, "scope=invited").await, [SHARED_TRIP, TRIP]);
    assert_eq!(listed(STRANGER, "").await, NONE);
}

#[tokio::test]
async fn a_list_is_turned_page_by_page_without_repeats() {
    let mut log = SampleLog::new();
    for number in 0..7_u128 {
        let id = Uuid::from_u128(0x100 + number);
        log.append(0, id, OWNER, created(id, OWNER, "Trip"));
    }
    let world = World::with(log.events()).await;

    let mut seen = Vec::new();
    let mut path = "/v1/itineraries?limit=3".to_owned();
    loop {
        let page = world.get(Who::traveller(OWNER), &path).await.expect(200);
        seen.extend(page.data().iter().map(|row| row["id"].clone()));
        let Some(cursor) = page.body["next_cursor"].as_str() else { break };
        path = format!("/v1/itineraries?limit=3&cursor={cursor}");
    }

    let newest_first: Vec<_> =
        (0..7_u128).rev().map(|n| json!(Uuid::from_u128(0x100 + n))).collect();
    assert_eq!(seen, newest_first);
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_by_name() {
    let world = World::with(sample().events()).await;
    let feed = format!("/v1/itineraries/{TRIP}/activity?limit=2");
    let feed = world.get(Who::traveller(OWNER), &feed).await;
    let cursor = feed.body["next_cursor"].as_str().unwrap().to_owned();

    for (path, code) in [
        ("/v1/itineraries/17".to_owned(), "invalid_parameter"),
        ("/v1/itineraries?limit=101".to_owned(), "invalid_parameter"),
        ("/v1/itineraries?limit=0".to_owned(), "invalid_parameter"),
        ("/v1/itineraries?from=2026-02-30".to_owned(), "invalid_parameter"),
        ("/v1/itineraries?status=lost".to_owned(), "invalid_parameter"),
        ("/v1/itineraries?colour=red".to_owned(), "invalid_parameter"),
        (format!("/v1/itineraries?q={}", "x".repeat(201)), "invalid_parameter"),
        (format!("/v1/itineraries?cursor={cursor}"), "invalid_cursor"),
        (format!("/v1/itineraries/{TRIP}/activity?cursor=x"), "invalid_cursor"),
    ] {
        let refused = world.get(Who::traveller(OWNER), &path).await.expect(400);
        assert_eq!(refused.code(), code, "{path}: {:#}", refused.body);
    }
}

#[tokio::test]
async fn the_feed_says_who_did_what_newest_first() {
    let world = World::with(sample().events()).await;
    let path = format!("/v1/itineraries/{TRIP}/activity");

    let first = world.get(Who::traveller(EDITOR), &format!("{path}?limit=2")).await.expect(200);
    let cursor = first.body["next_cursor"].as_str().unwrap();
    let rest = world.get(Who::traveller(EDITOR), &format!("{path}?cursor={cursor}")).await;

    let rest = rest.expect(200);
    let line = &first.data()[1];
    assert_eq!((&line["type"], &line["version"]), (&json!("itinerary-renamed"), &json!(7)));
    assert_eq!(line["actor"], format!("account:{EDITOR}"));
    assert_eq!(line["data"], json!({ "title": "Ten days in Lisbon" }));
    assert_eq!(rest.data().len(), 6);
    assert_eq!(rest.body["next_cursor"], json!(null));
}

#[tokio::test]
async fn nobody_reads_without_an_identity_or_with_one_that_no_event_carries() {
    let world = World::with(sample().events()).await;
    let odd = Who { tenant: "UPPER", ..Who::traveller(OWNER) };

    let refused = world.get(odd, &format!("/v1/itineraries/{TRIP}")).await.expect(400);

    assert_eq!(refused.code(), "invalid_identity");
    let bare = query_api_without_identity().await;
    assert_eq!(bare, [401, 401, 401]);
}

/// The routes, with nobody to say who asks.
async fn query_api_without_identity() -> Vec<u16> {
    use axum::body::Body;
    use query_api::{NamedLog, QueryApi, QuerySettings};
    use read_models::testing::worlds::{SqliteWorld, StoreWorld as _};
    use std::sync::Arc;

    let files = SqliteWorld::new();
    files.open().prepare().await.unwrap();
    let (queries, log) = (Arc::new(files.queries()), Arc::new(NamedLog(super::world::LOG)));
    let api = QueryApi::new(
        queries,
        super::world::keys_that_are_away(),
        (log, Arc::new(super::world::ToldLog::default())),
        QuerySettings::default(),
        Default::default(),
    );
    let (router, _) = query_api::router(api).split_for_parts();
    let mut found = Vec::new();
    let audit = format!("/v1/audit/streams/itinerary-{TRIP}/events");
    for path in ["/v1/itineraries", audit.as_str(), "/v1/events"] {
        let request = http::Request::get(path).body(Body::empty()).unwrap();
        found.push(super::world::answer(&router, request).await.status);
    }
    found
}

#[tokio::test]
async fn a_trip_that_was_renamed_is_found_by_its_new_words_only() {
    let mut log = sample();
    let old = log.events().len();
    log.append(0, TRIP, OWNER, renamed(TRIP, "Madeira"));
    let world = World::with(&log.events()[..old]).await;

    world.load(&log.events()[old..]).await;

    let found = |q: &'static str| world.get(Who::traveller(OWNER), q);
    assert_eq!(found("/v1/itineraries?q=lisbon").await.data().len(), 0);
    assert_eq!(found("/v1/itineraries?q=madeira").await.data().len(), 1);
}
