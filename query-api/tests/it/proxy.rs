//! What this process does not serve goes on to who does.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::IntoResponse as _;
use axum::routing::{any, get};
use http::Method;
use http_body_util::BodyExt as _;
use query_api::proxy::{Methods, Passage, Proxy, ProxyLimits};
use serde_json::{Value, json};
use service_kit::request_layer;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;
use uuid::Uuid;

use super::world::{Answer, PATIENCE, answer};

/// A server that tells what it was sent.
async fn echo() -> String {
    async fn tell(request: Request) -> impl axum::response::IntoResponse {
        let (parts, body) = request.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let headers: serde_json::Map<String, Value> = parts
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().into()))
            .collect();
        let told = json!({
            "method": parts.method.as_str(),
            "path": parts.uri.path_and_query().unwrap().as_str(),
            "headers": headers,
            "body": String::from_utf8_lossy(&bytes),
        });
        let answered = [("etag", "\"7\""), ("waylog-position", "p"), ("connection", "x-hop")];
        (http::StatusCode::CREATED, answered, [("x-hop", "1")], told.to_string()).into_response()
    }
    serve(Router::new().fallback(any(tell))).await
}

async fn serve(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    url
}

/// An address that refuses connections: it was free a moment ago.
async fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

/// A server that reads a request and dies without a word.
async fn dying() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let read = stream.read(&mut [0; 4096]).await.unwrap();
            assert!(read > 0, "something was sent");
        }
    });
    url
}

fn origin(passages: Vec<Passage>) -> Router {
    let limits = ProxyLimits { answer_timeout: Duration::from_secs(5), ..ProxyLimits::default() };
    let local = Router::new().route("/v1/itineraries/{id}", get(|| async { "ours" }));
    let router = Proxy::new(passages, limits).unwrap().complete(local);
    request_layer::wrap(router, PATIENCE)
}

fn writes(urls: &[String]) -> Vec<Passage> {
    vec![Passage { prefix: "/v1", methods: Methods::Writes, urls: urls.to_vec() }]
}

async fn send(router: &Router, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = http::Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    answer(router, request.body(Body::from("{\"title\":\"Porto\"}")).unwrap()).await
}

#[tokio::test]
async fn a_write_goes_on_as_it_came_and_its_answer_comes_back() {
    let router = origin(writes(&[echo().await]));
    let (key, id) = (Uuid::now_v7().to_string(), Uuid::now_v7().to_string());
    let headers = [
        ("content-type", "application/json"),
        ("idempotency-key", key.as_str()),
        ("if-match", "\"7\""),
        ("x-request-id", id.as_str()),
        ("waylog-dev-actor", "account:x"),
        ("keep-alive", "timeout=5"),
    ];

    let told =
        send(&router, Method::PATCH, "/v1/itineraries/9?a=b%20c", &headers).await.expect(201);

    let body = &told.body;
    assert_eq!(
        (&body["method"], &body["path"]),
        (&json!("PATCH"), &json!("/v1/itineraries/9?a=b%20c"))
    );
    assert_eq!(body["body"], "{\"title\":\"Porto\"}");
    for (name, value) in &headers[..5] {
        assert_eq!(body["headers"][*name], json!(value), "{name}");
    }
    assert!(body["headers"].get("keep-alive").is_none());
    assert!(body["headers"]["traceparent"].is_string());
    assert_eq!((told.header("etag"), told.header("waylog-position")), ("\"7\"", "p"));
    assert!(told.headers.get("x-hop").is_none());
    assert_eq!((told.header("idempotency-key"), told.header("x-request-id")), (&*key, &*id));
}

#[tokio::test]
async fn a_key_that_is_minted_here_is_the_one_that_goes_on() {
    let router = origin(writes(&[echo().await]));

    let told = send(&router, Method::POST, "/v1/itineraries", &[]).await.expect(201);
    let bad = send(&router, Method::POST, "/v1/itineraries", &[("idempotency-key", "seven")]).await;

    assert_eq!(told.body["headers"]["idempotency-key"], told.header("idempotency-key"));
    assert_eq!(bad.expect(400).code(), "invalid_idempotency_key");
}

#[tokio::test]
async fn only_what_the_table_names_goes_on() {
    let (commands, projectors) = (echo().await, echo().await);
    let mut passages = writes(&[commands]);
    let urls = vec![projectors];
    passages.push(Passage { prefix: "/v1/projections", methods: Methods::All, urls });
    let router = origin(passages);
    let get = |path: &'static str| send(&router, Method::GET, path, &[]);

    assert_eq!(get("/v1/itineraries/9").await.expect(200).body, "ours");
    assert_eq!(get("/v1/projections").await.expect(201).body["path"], "/v1/projections");
    assert_eq!(get("/v1/projections/x/rebuilds").await.expect(201).body["method"], "GET");
    assert_eq!(get("/v1/offers").await.expect(404).code(), "route_not_found");
    assert_eq!(get("/v1/projectionsx").await.expect(404).code(), "route_not_found");
    assert_eq!(get("/elsewhere").await.expect(404).code(), "route_not_found");
    let options = send(&router, Method::OPTIONS, "/v1/itineraries/9", &[]).await.expect(405);
    assert_eq!(options.code(), "method_not_allowed");
    let deep = send(&router, Method::DELETE, "/v1/itineraries/9/share", &[]).await.expect(201);
    assert_eq!(deep.body["method"], "DELETE");
}

#[tokio::test]
async fn who_cannot_be_reached_is_passed_over() {
    let router = origin(writes(&[nobody().await, echo().await]));
    let alone = origin(writes(&[nobody().await]));

    let told = send(&router, Method::POST, "/v1/itineraries", &[]).await;
    let away = send(&alone, Method::POST, "/v1/itineraries", &[]).await.expect(503);

    assert_eq!(told.status, 201);
    assert_eq!(away.code(), "unavailable");
    assert_eq!(away.header("retry-after"), "1");
}

#[tokio::test]
async fn a_write_that_may_have_arrived_is_never_sent_again() {
    let (dying, alive) = (dying().await, echo().await);
    let mut passages = writes(&[dying.clone(), alive]);
    let urls = vec![dying];
    passages.push(Passage { prefix: "/v1/projections", methods: Methods::All, urls });
    let router = origin(passages);

    let lost = send(&router, Method::POST, "/v1/itineraries", &[]).await.expect(503);
    let asked = send(&router, Method::GET, "/v1/projections", &[]).await.expect(503);

    assert_eq!(lost.code(), "outcome_unknown");
    assert!(Uuid::parse_str(lost.header("idempotency-key")).is_ok(), "the key to ask with");
    assert_eq!(asked.code(), "unavailable");
}

#[tokio::test]
async fn a_silent_service_is_given_up_and_a_long_body_never_leaves() {
    let silent = serve(Router::new().fallback(any(std::future::pending::<()>))).await;
    let limits = ProxyLimits { answer_timeout: Duration::from_millis(100), ..Default::default() };
    let proxy = Proxy::new(writes(&[silent]), limits).unwrap();
    let router = request_layer::wrap(proxy.complete(Router::new()), PATIENCE);

    let late = send(&router, Method::POST, "/v1/itineraries", &[]).await.expect(503);
    let long = http::Request::post("/v1/itineraries").body(Body::from(vec![b'x'; (1 << 20) + 1]));
    let long = answer(&router, long.unwrap()).await.expect(413);

    assert_eq!((late.code(), long.code()), ("outcome_unknown", "body_too_large"));
}

#[test]
fn a_table_without_usable_urls_is_refused_at_start() {
    for urls in [vec![], vec!["ftp://x".to_owned()], vec!["10.0.0.7:8080".to_owned()]] {
        let refused = Proxy::new(writes(&urls), ProxyLimits::default()).err().unwrap();
        assert_eq!(refused.code(), "proxy_url_invalid", "{urls:?}");
    }
}
