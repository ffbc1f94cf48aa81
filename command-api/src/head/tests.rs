//! Commands that say all in their path, and what may come beside it.

use axum::body::Body;
use http::{Request, StatusCode};
use service_kit::auth::DEV_ACCOUNT;
use service_kit::json::BODY_BYTES_MAX;

use crate::itinerary::tests::{World, body};

const ID: &str = "0190b3a0-0000-7000-8000-000000000001";

/// Every route that takes no body, with its answer to an accepted command.
fn routes() -> Vec<(&'static str, String, u16)> {
    let trip = |path: &str| format!("/v1/itineraries/{ID}{path}");
    vec![
        ("POST", trip("/share"), 200),
        ("DELETE", trip("/share"), 200),
        ("POST", trip("/archival"), 200),
        ("DELETE", trip(&format!("/activities/{ID}")), 200),
        ("POST", trip(&format!("/collaborators/{DEV_ACCOUNT}/acceptance")), 200),
        ("DELETE", trip(&format!("/collaborators/{ID}")), 200),
        ("POST", format!("/v1/offers/{ID}/closure"), 200),
        ("DELETE", format!("/v1/offers/{ID}/holds/{ID}"), 204),
        ("POST", "/v1/destinations/porto/retirement".to_owned(), 200),
    ]
}

fn request(method: &str, path: &str, media_type: &str, sent: impl Into<Body>) -> Request<Body> {
    let request = Request::builder().method(method).uri(path).header("content-type", media_type);
    request.header("waylog-dev-roles", "admin").body(sent.into()).unwrap()
}

#[test]
fn every_route_without_a_described_body_is_looked_at() {
    let document = serde_json::to_value(crate::description()).unwrap();
    let writes = document["paths"].as_object().unwrap().values().flat_map(|path| {
        path.as_object().unwrap().values().filter(|route| route.get("operationId").is_some())
    });

    let without = writes.filter(|route| route.get("requestBody").is_none()).count();

    assert_eq!(without, routes().len());
}

#[tokio::test]
async fn nothing_and_an_empty_object_are_the_same_request() {
    for (method, path, status) in routes() {
        let mut prints = Vec::new();
        for (media_type, sent) in [
            ("application/json", ""),
            ("text/plain", ""),
            ("application/json", "{}"),
            ("application/json", " { }\n"),
        ] {
            let world = World::accepting();

            let answer = world.take(request(method, &path, media_type, sent)).await;

            assert_eq!(answer.status().as_u16(), status, "{method} {path} {sent}");
            prints.push(world.only_command().fingerprint);
        }
        assert!(prints.iter().all(|print| *print == prints[0]), "{method} {path}");
    }
}

#[tokio::test]
async fn anything_else_is_refused_as_it_is_everywhere() {
    let json = "application/json";
    let deep = r#"{"a":"#.to_owned() + &"[".repeat(10_000);
    let cases: [(&str, Vec<u8>, u16, &str); 10] = [
        (json, br#"{"a":1}"#.to_vec(), 400, "invalid_field"),
        (json, b"[]".to_vec(), 400, "invalid_field"),
        (json, b"null".to_vec(), 400, "invalid_field"),
        (json, b" ".to_vec(), 400, "malformed_json"),
        (json, b"{".to_vec(), 400, "malformed_json"),
        (json, b"{}{}".to_vec(), 400, "malformed_json"),
        (json, b"{\"\xff\":1}".to_vec(), 400, "malformed_json"),
        (json, deep.into_bytes(), 400, "malformed_json"),
        (json, vec![b' '; BODY_BYTES_MAX + 1], 413, "body_too_large"),
        ("text/plain", b"{}".to_vec(), 415, "unsupported_media_type"),
    ];

    for (method, path, _) in routes() {
        for (media_type, sent, status, code) in &cases {
            let world = World::accepting();
            let answer = world.take(request(method, &path, media_type, sent.clone())).await;
            assert_eq!(answer.status().as_u16(), *status, "{method} {path} {code}");
            assert_eq!(body(answer).await["code"], *code, "{method} {path}");
            assert!(world.nothing_sent(), "{method} {path} {code}");
        }
    }
}

#[tokio::test]
async fn a_parameter_that_no_command_reads_is_named() {
    for (method, path, status) in routes() {
        let world = World::accepting();

        let answer = world.send(method, &format!("{path}?foo=bar"), "").await;

        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{method} {path}");
        let problem = body(answer).await;
        assert_eq!(problem["code"], "invalid_parameter");
        assert_eq!(problem["errors"][0]["field"], "foo");
        assert!(world.nothing_sent());
        let plain = world.send(method, &format!("{path}?"), "").await;
        assert_eq!(plain.status().as_u16(), status, "{method} {path}");
    }
}
