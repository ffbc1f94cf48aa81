//! Rubbish at the door: each kind is a stable problem with the right status, and nothing is
//! appended.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::world::World;

#[test]
fn rubbish_is_refused_with_a_stable_problem_and_leaves_no_trace() {
    let world = World::embedded();
    let client = world.client();
    let made = client.post("/v1/itineraries", &trip()).expect(201);
    let path = made.header("location").to_owned();
    let share = |body: &[u8]| {
        let headers = [("idempotency-key", USED_KEY)];
        client.send("POST", &format!("{path}/share"), &headers, Some(body)).unwrap()
    };
    let shared = share(b"").expect(200);
    let before = events(&world);

    for case in cases().into_iter().chain(without_bodies()) {
        let target = case.path.replace("{trip}", &path);
        let answer = client.send(case.method, &target, &case.headers, Some(&case.body)).unwrap();
        assert_eq!(answer.status, case.status, "{}: {:#}", case.name, answer.body);
        assert_eq!(answer.code(), case.code, "{}", case.name);
        assert_eq!(answer.header("content-type"), "application/problem+json", "{}", case.name);
        assert!(answer.body.get("correlation_id").is_some(), "{}", case.name);
    }

    let mut taken = trip();
    taken["id"] = made.at("/id").clone();
    let second = client.post("/v1/itineraries", &taken);
    assert_eq!(second.expect(409).code(), "itinerary_already_exists");
    let repeated = share(b"{}").expect(200);
    assert_eq!(repeated.header("etag"), shared.header("etag"), "the same request");
    assert_eq!(events(&world), before, "nothing was appended");
    client.get("/health/ready").expect(200);
}

/// The key of a command that was accepted.
const USED_KEY: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

fn trip() -> Value {
    json!({
        "title": "Lisbon",
        "period": { "start": "2027-05-01", "end": "2027-05-09", "zone": "Europe/Lisbon" },
    })
}

/// How many events are in the whole log.
fn events(world: &World) -> Value {
    let verified = world.run(&["verify", "--output", "json"]);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
    let answer: Value = serde_json::from_slice(&verified.stdout).unwrap();
    answer.pointer("/findings/events").unwrap().clone()
}

struct Case {
    name: &'static str,
    method: &'static str,
    path: String,
    headers: Vec<(&'static str, &'static str)>,
    body: Vec<u8>,
    status: u16,
    code: &'static str,
}

fn create(name: &'static str, body: impl Into<Vec<u8>>, status: u16, code: &'static str) -> Case {
    let path = "/v1/itineraries".to_owned();
    Case { name, method: "POST", path, headers: vec![], body: body.into(), status, code }
}

fn changed(pointer: &str, value: Value) -> String {
    let mut body = trip();
    *body.pointer_mut(pointer).unwrap() = value;
    body.to_string()
}

fn cases() -> Vec<Case> {
    let mut unknown = trip();
    unknown["surprise"] = json!(1);
    let mut cases = vec![
        create("not JSON", "{", 400, "malformed_json"),
        create("10,000 deep", "[".repeat(10_000), 400, "malformed_json"),
        create("bad UTF-8", b"{\"title\":\"\xff\"}".to_vec(), 400, "malformed_json"),
        create("unknown field", unknown.to_string(), 400, "invalid_field"),
        create("wrong type", changed("/title", json!(7)), 400, "invalid_field"),
        create("no such day", changed("/period/start", json!("2027-02-30")), 400, "invalid_field"),
        create("no such zone", changed("/period/zone", json!("Mars/One")), 400, "invalid_field"),
        create(
            "reversed",
            changed("/period/end", json!("2027-04-01")),
            422,
            "itinerary_period_reversed",
        ),
        create("blank title", changed("/title", json!("  ")), 422, "itinerary_text_blank"),
        create(
            "a control character",
            changed("/title", json!("a\u{0}b")),
            422,
            "itinerary_text_unprintable",
        ),
        create("over 1 MiB", changed("/title", json!("x".repeat(1 << 20))), 413, "body_too_large"),
    ];
    let mut typed =
        create("not declared as JSON", trip().to_string(), 415, "unsupported_media_type");
    typed.headers.push(("content-type", "text/plain"));
    let mut key =
        create("a key that is no UUID", trip().to_string(), 400, "invalid_idempotency_key");
    key.headers.push(("idempotency-key", "seven"));
    let patch = |name, path: &str, headers: Vec<(&'static str, &'static str)>, status, code| Case {
        name,
        method: "PATCH",
        path: path.to_owned(),
        headers,
        body: json!({ "title": "Porto" }).to_string().into_bytes(),
        status,
        code,
    };
    cases.extend([
        typed,
        key,
        patch("an id of another kind", "/v1/itineraries/17", vec![], 400, "invalid_parameter"),
        patch(
            "an id that nobody has",
            &format!("/v1/itineraries/{}", Uuid::now_v7()),
            vec![],
            404,
            "itinerary_not_found",
        ),
        patch("a stale version", "{trip}", vec![("if-match", "\"7\"")], 412, "version_conflict"),
        patch("a version that is none", "{trip}", vec![("if-match", "7")], 400, "invalid_if_match"),
        patch("no such route", "/v1/itinerary", vec![], 404, "route_not_found"),
    ]);
    cases
}

/// Commands that take no body, with every kind of one; and with a parameter.
fn without_bodies() -> Vec<Case> {
    let id = Uuid::now_v7();
    let routes = [
        ("POST", "{trip}/share".to_owned()),
        ("DELETE", "{trip}/share".to_owned()),
        ("POST", "{trip}/archival".to_owned()),
        ("DELETE", format!("{{trip}}/activities/{id}")),
        ("POST", format!("{{trip}}/collaborators/{id}/acceptance")),
        ("DELETE", format!("{{trip}}/collaborators/{id}")),
        ("POST", format!("/v1/offers/{id}/closure")),
        ("DELETE", format!("/v1/offers/{id}/holds/{id}")),
        ("POST", "/v1/destinations/porto/retirement".to_owned()),
    ];
    let bodies = || {
        [
            ("a body where none is taken", br#"{"a":1}"#.to_vec(), 400, "invalid_field"),
            ("an array where nothing is taken", b"[]".to_vec(), 400, "invalid_field"),
            ("deep where nothing is taken", b"[".repeat(10_000), 400, "malformed_json"),
            ("bad UTF-8 where nothing is taken", b"\xff".to_vec(), 400, "malformed_json"),
            ("over 1 MiB of nothing", b" ".repeat((1 << 20) + 1), 413, "body_too_large"),
        ]
    };
    let mut cases = Vec::new();
    for (method, path) in routes {
        let case = |name, path: String, body, status, code| Case {
            name,
            method,
            path,
            headers: vec![],
            body,
            status,
            code,
        };
        let refused =
            bodies().map(|(name, body, status, code)| case(name, path.clone(), body, status, code));
        let parameter = format!("{path}?foo=bar");
        let mut typed =
            case("untyped nothing", path.clone(), b"{}".to_vec(), 415, "unsupported_media_type");
        typed.headers.push(("content-type", "text/plain"));
        cases.extend(refused);
        cases.push(case("an unknown parameter", parameter, vec![], 400, "invalid_parameter"));
        cases.push(typed);
    }
    cases.push(Case {
        name: "a used key with another body",
        method: "POST",
        path: "{trip}/share".to_owned(),
        headers: vec![("idempotency-key", USED_KEY)],
        body: br#"{"a":1}"#.to_vec(),
        status: 400,
        code: "invalid_field",
    });
    let mut parameter =
        create("a parameter beside a body", trip().to_string(), 400, "invalid_parameter");
    parameter.path.push_str("?foo=bar");
    cases.push(parameter);
    cases
}
