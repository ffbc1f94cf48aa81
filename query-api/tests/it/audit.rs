//! History, time travel, causes; and who may look.

use domain::ids::{CommandId, CorrelationId};
use domain::{Position, Refusal, RefusalKind};
use query_api::Refused;
use serde_json::json;
use uuid::Uuid;

use super::world::{
    EDITOR, INVITED, OWNER, SHARED_TRIP, STRANGER, TRIP, Who, World, renamed, sample,
};

const STAFF: Who = Who::staff("support");

fn stream(rest: &str) -> String {
    format!("/v1/audit/streams/itinerary-{TRIP}/{rest}")
}

#[tokio::test]
async fn a_stream_shows_every_event_with_all_that_travels_with_it() {
    let world = World::with(sample().events()).await;

    let events = world.get(STAFF, &stream("events")).await.expect(200);
    let behind = world.get(STAFF, &stream("events?after_version=6&limit=1")).await.expect(200);
    let cursor = behind.body["next_cursor"].as_str().unwrap();
    let last = world.get(STAFF, &stream(&format!("events?after_version=6&cursor={cursor}"))).await;

    let versions: Vec<_> = events.data().iter().map(|event| event["version"].clone()).collect();
    assert_eq!(json!(versions), json!([1, 2, 3, 4, 5, 6, 7, 8]));
    let first = &events.data()[0];
    assert_eq!(first["position"], json!({ "partition": 0, "offset": 2 }));
    assert_eq!(first["stream"], format!("itinerary-{TRIP}"));
    assert_eq!(
        (&first["type"], &first["tenant"]),
        (&json!("itinerary-created"), &json!("default"))
    );
    assert_eq!(first["time"], "2026-05-01T00:00:01.000000Z");
    assert_eq!(first["actor"], format!("account:{OWNER}"));
    assert_eq!(first["data"]["title"], "Nine days in Lisbon");
    assert_eq!(first["hash"].as_str().unwrap().len(), 64);
    for id in ["event_id", "correlation_id", "causation_id", "command_id"] {
        assert!(Uuid::parse_str(first[id].as_str().unwrap()).is_ok(), "{id}");
    }
    assert_eq!(behind.data()[0]["version"], 7);
    assert_eq!(last.expect(200).data()[0]["version"], 8);
}

#[tokio::test]
async fn history_is_open_to_staff_and_to_who_takes_part() {
    let world = World::with(sample().events()).await;
    let shared = format!("/v1/audit/streams/itinerary-{SHARED_TRIP}/events");
    let expected = [
        (Who::traveller(OWNER), 200, 200),
        (Who::traveller(EDITOR), 200, 404),
        (Who::traveller(INVITED), 404, 404),
        (Who::traveller(STRANGER), 404, 404),
        (Who::staff("support"), 200, 200),
        (Who::staff("operator"), 200, 200),
        (Who::staff("admin"), 200, 200),
        (Who::staff("operator").of("other"), 404, 404),
    ];

    for (who, own, other) in expected {
        for question in ["events", "state", "diff?from=1"] {
            assert_eq!(world.get(who, &stream(question)).await.status, own, "{who:?} {question}");
        }
        assert_eq!(world.get(who, &shared).await.status, other, "{who:?}");
    }
    let nothing = format!("/v1/audit/streams/itinerary-{}/state", Uuid::nil());
    assert_eq!(world.get(STAFF, &nothing).await.expect(404).code(), "stream_not_found");
    let odd = world.get(STAFF, "/v1/audit/streams/trip-7/events").await.expect(400);
    assert_eq!(odd.code(), "invalid_parameter");
}

#[tokio::test]
async fn a_state_is_shown_at_any_version_and_instant() {
    let world = World::with(sample().events()).await;
    let at = |question: &'static str| world.get(STAFF, question_path(question));

    let first = at("state?at_version=1").await.expect(200);
    let now = at("state").await.expect(200);
    let then = at("state?at=2026-05-01T00:00:06.999999Z").await.expect(200);
    let before = at("state?at=2026-05-01T00:00:00Z").await.expect(200);
    let nothing = at("state?at_version=0").await.expect(200);
    let never = at("state?at_version=9").await.expect(404);
    let both = at("state?at_version=1&at=2026-05-01T00:00:00Z").await.expect(400);

    assert_eq!(first.body["state"]["title"], "Nine days in Lisbon");
    assert_eq!((&first.body["version"], &first.body["position"]["offset"]), (&json!(1), &json!(2)));
    assert_eq!(first.body["time"], "2026-05-01T00:00:01.000000Z");
    assert_eq!(
        (&now.body["state"]["title"], &now.body["version"]),
        (&json!("Ten days in Lisbon"), &json!(8))
    );
    assert_eq!(now.body["state"]["status"], "active");
    assert_eq!(then.body["version"], 6);
    assert_eq!((&before.body["version"], &before.body["time"]), (&json!(0), &json!(null)));
    assert_eq!(nothing.body["state"], json!({ "status": "not_created" }));
    assert_eq!((never.code(), &never.body["current_version"]), ("version_not_found", &json!(8)));
    assert_eq!(both.code(), "invalid_parameter");
}

fn question_path(question: &str) -> &'static str {
    stream(question).leak()
}

#[tokio::test]
async fn a_history_of_many_pages_is_folded_whole() {
    let mut log = sample();
    for number in 0..230 {
        log.append(0, TRIP, OWNER, renamed(TRIP, &format!("Title {number}")));
    }
    let world = World::with(log.events()).await;

    let now = world.get(STAFF, &stream("state")).await.expect(200);
    let then = world.get(STAFF, &stream("state?at_version=208")).await.expect(200);

    assert_eq!(
        (&now.body["version"], &now.body["state"]["title"]),
        (&json!(238), &json!("Title 229"))
    );
    assert_eq!(then.body["state"]["title"], "Title 199");
}

#[tokio::test]
async fn a_difference_names_every_path_that_changed() {
    let world = World::with(sample().events()).await;
    let diff = |question: &'static str| world.get(STAFF, question_path(question));

    let named = diff("diff?from=6&to=7").await.expect(200);
    let newest = diff("diff?from=7").await.expect(200);
    let same = diff("diff?from=3&to=3").await.expect(200);
    let whole = diff("diff?from=0&to=1").await.expect(200);

    let title = json!([
        { "path": "/title", "from": "Nine days in Lisbon", "to": "Ten days in Lisbon" },
    ]);
    assert_eq!(named.body["changes"], title);
    assert_eq!((&newest.body["from"], &newest.body["to"]), (&json!(7), &json!(8)));
    assert_eq!(newest.body["changes"][0]["path"], "/metadata/preferences");
    assert_eq!(same.body["changes"], json!([]));
    assert_eq!(whole.body["changes"].as_array().unwrap().last().unwrap()["path"], "/title");
    assert_eq!(diff("diff?from=7&to=6").await.expect(400).code(), "invalid_parameter");
    assert_eq!(diff("diff?from=9").await.expect(404).code(), "version_not_found");
    assert_eq!(diff("diff").await.expect(400).code(), "invalid_parameter");
}

#[tokio::test]
async fn a_correlation_shows_what_a_request_caused() {
    let log = sample();
    let world = World::with(log.events()).await;
    let envelope = &log.events()[1].envelope;
    let path = format!("/v1/audit/correlations/{}", envelope.correlation_id);

    let caused = world.get(STAFF, &path).await.expect(200);

    let types: Vec<_> = caused.data().iter().map(|event| event["type"].clone()).collect();
    assert_eq!(json!(types), json!(["itinerary-activity-added", "itinerary-collaborator-invited"]));
    let first = &caused.body["commands"][0];
    assert_eq!(first["command_id"], json!(envelope.command_id));
    assert_eq!(first["events"][0]["type"], "itinerary-activity-added");
    assert_eq!(caused.body["truncated"], false);
    let unknown = format!("/v1/audit/correlations/{}", Uuid::nil());
    assert_eq!(world.get(STAFF, &unknown).await.expect(404).code(), "correlation_not_found");
    assert_eq!(world.get(Who::traveller(OWNER), &path).await.expect(403).code(), "forbidden");
    assert_eq!(world.get(STAFF.of("other"), &path).await.status, 404);
}

#[tokio::test]
async fn an_actors_deeds_are_for_staff_and_the_actor() {
    let world = World::with(sample().events()).await;
    let path = format!("/v1/audit/actors/account:{EDITOR}");

    let staff = world.get(STAFF, &format!("{path}?limit=2")).await.expect(200);
    let own = world.get(Who::traveller(EDITOR), &path).await.expect(200);
    let other = world.get(Who::traveller(OWNER), &path).await.expect(403);

    let types = |answer: &super::world::Answer| {
        json!(answer.data().iter().map(|event| event["type"].clone()).collect::<Vec<_>>())
    };
    assert_eq!(types(&staff), json!(["itinerary-renamed", "itinerary-commented"]));
    assert!(staff.body["next_cursor"].is_string());
    assert_eq!(own.data().len(), 3);
    assert_eq!(other.code(), "forbidden");
    assert_eq!(world.get(STAFF.of("other"), &path).await.expect(200).data().len(), 0);
    assert_eq!(
        world.get(STAFF, "/v1/audit/actors/me").await.expect(400).code(),
        "invalid_parameter"
    );
}

/// A refusal in the default tenant: the later its number, the newer.
fn refused(number: i64, code: &str, correlation_id: CorrelationId, cause: Option<Uuid>) -> Refused {
    let at = format!("2026-05-01T00:00:{number:02}Z");
    Refused {
        at: Position { partition: 0, offset: number },
        stream: format!("itinerary-{TRIP}").parse().unwrap(),
        version: 3,
        command_id: CommandId(Uuid::from_u128(0xC0 + u128::from(number.unsigned_abs()))),
        command: "itinerary.rename".to_owned(),
        correlation_id,
        causation_id: cause,
        actor: format!("account:{EDITOR}").parse().unwrap(),
        tenant: "default".parse().unwrap(),
        refused_at: at.parse().unwrap(),
        refusal: (!code.is_empty()).then(|| Refusal {
            code: code.to_owned(),
            kind: RefusalKind::Rule,
            message: "no".to_owned(),
            facts: serde_json::Map::new(),
        }),
    }
}

fn numbers(answer: &super::world::Answer) -> Vec<String> {
    let times = answer.data().iter().map(|row| row["time"].as_str().unwrap()[17..19].to_owned());
    times.collect()
}

#[tokio::test]
async fn refusals_are_listed_newest_first_by_what_is_asked_for() {
    let world = World::with(sample().events()).await;
    let other = CorrelationId(Uuid::from_u128(5));
    let codes = ["b", "c", "a", "b", "c", "a", "b", "c", "a"];
    let numbered = (1..).zip(codes);
    let mut kept: Vec<Refused> =
        numbered.map(|(number, code)| refused(number, code, other, None)).collect();
    kept.reverse();
    kept[0].refusal = None;
    kept[1].tenant = "elsewhere".parse().unwrap();
    kept[2].actor = "system:sagas".parse().unwrap();
    *world.log.1.lock().unwrap() = Some(kept);
    let get = async |query: &str| {
        world.get(STAFF, &format!("/v1/audit/refusals{query}")).await.expect(200)
    };

    let all = get("").await;
    let first = get("?limit=2").await;
    let cursor = first.body["next_cursor"].as_str().unwrap().to_owned();
    let next = get(&format!("?limit=2&cursor={cursor}")).await;
    let coded = get("?code=b&since=2026-05-01T00:00:02Z").await;
    let by = get("?actor=system:sagas").await;
    let of = get("?stream=itinerary-00000000-0000-0000-0000-000000000001").await;

    assert_eq!(numbers(&all), ["07", "06", "05", "04", "03", "02", "01"]);
    assert_eq!((&all.body["next_cursor"], &all.data()[0]["code"]), (&json!(null), &json!("b")));
    assert_eq!(
        (numbers(&first), numbers(&next)),
        (vec!["07".to_owned(), "06".to_owned()], vec!["05".to_owned(), "04".to_owned()])
    );
    assert_eq!(numbers(&coded), ["07", "04"]);
    assert_eq!((numbers(&by), numbers(&of)), (vec!["07".to_owned()], Vec::new()));
    let path = "/v1/audit/refusals";
    let wrong = world.get(STAFF, &format!("{path}?cursor=abc")).await.expect(400);
    assert_eq!(wrong.code(), "invalid_cursor");
    assert_eq!(world.get(Who::traveller(OWNER), path).await.expect(403).code(), "forbidden");
    *world.log.1.lock().unwrap() = None;
    let away = world.get(STAFF, path).await.expect(503);
    assert_eq!(away.code(), "refusals_unavailable");
}

#[tokio::test]
async fn what_was_refused_stands_in_the_tree_where_it_was_caused() {
    let log = sample();
    let world = World::with(log.events()).await;
    let envelope = &log.events()[1].envelope;
    let (correlation, cause) = (envelope.correlation_id, envelope.event_id.0);
    let path = format!("/v1/audit/correlations/{correlation}");
    let twice = refused(9, "itinerary_archived", correlation, Some(cause));
    let mut kept = vec![twice.clone(), refused(8, "", correlation, None), twice];
    kept[2].at.offset = 7;
    *world.log.1.lock().unwrap() = Some(kept);

    let caused = world.get(STAFF, &path).await.expect(200);
    *world.log.1.lock().unwrap() = None;
    let without = world.get(STAFF, &path).await.expect(200);

    let command = caused.body.pointer("/commands/0/events/0/caused/0").unwrap();
    assert_eq!(command["outcome"], "refused", "{:#}", caused.body);
    assert_eq!(command.pointer("/refusals/0/code"), Some(&json!("itinerary_archived")));
    assert_eq!(command.pointer("/refusals/0/times"), Some(&json!(2)));
    let roots = caused.body["commands"].as_array().unwrap();
    assert!(roots.iter().any(|root| root["outcome"] == "unchanged"), "{:#}", caused.body);
    assert_eq!(caused.body["refusals"].as_array().unwrap().len(), 3);
    assert_eq!(caused.body["refusals_complete"], true);
    assert_eq!(without.body["refusals_complete"], false);
}
