//! The server over real sockets: what it refuses, what it waits for, how it stops.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod world;

use std::time::Duration;

use axum::body::Body;
use http_body_util::BodyExt as _;
use hyper_util::rt::{TokioExecutor, TokioIo};
use service_kit::http_server::{Drained, Limits};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;

use world::{PATIENCE, World, answer, closed_after, post_trip};

const SHORT: Duration = Duration::from_millis(150);

#[tokio::test]
async fn every_answer_names_its_request() {
    let world = World::new(Limits::default()).await;

    let answer = world.ask(post_trip(r#"{"title": "Rome"}"#)).await;

    assert_eq!((answer.status, answer.body.as_str()), (200, "Rome"));
    let id = answer.header("x-request-id").unwrap().to_owned();
    assert_eq!(id.len(), 36);
    assert!(answer.header("idempotency-key").is_some());
    let trace_id = id.replace('-', "");
    assert!(answer.header("traceparent").unwrap().contains(&trace_id));
    world.stop().await;
}

#[tokio::test]
async fn a_problem_carries_the_context_of_its_request() {
    let world = World::new(Limits::default()).await;
    let id = "01890a5d-ac96-774b-bcce-b302099a8057";
    let request = format!("GET /nowhere?x=1 HTTP/1.1\r\nhost: x\r\nx-request-id: {id}\r\n\r\n");

    let answer = world.ask(request).await;

    let body = answer.json();
    assert_eq!((answer.status, &body["code"]), (404, &"route_not_found".into()));
    assert_eq!((&body["correlation_id"], &body["instance"]), (&id.into(), &"/nowhere".into()));
    assert_eq!(answer.header("x-request-id"), Some(id));
    world.stop().await;
}

#[tokio::test]
async fn a_method_that_is_not_allowed_is_told_what_is() {
    let world = World::new(Limits::default()).await;

    let answer = world.ask("DELETE /wait HTTP/1.1\r\nhost: x\r\n\r\n").await;

    assert_eq!((answer.status, &answer.json()["code"]), (405, &"method_not_allowed".into()));
    assert_eq!(answer.header("allow"), Some("GET,HEAD,POST"));
    world.stop().await;
}

#[tokio::test]
async fn bad_bodies_are_refused_with_their_place() {
    let world = World::new(Limits::default()).await;
    let deep = "[".repeat(10_000);

    let unknown = world.ask(post_trip(r#"{"title": "Rome", "colour": "red"}"#)).await;
    let nested = world.ask(post_trip(&deep)).await;
    let mut bad_utf8 = post_trip(r#"{"title": "?"}"#).into_bytes();
    let place = bad_utf8.iter().rposition(|byte| *byte == b'?').unwrap();
    bad_utf8[place] = 0xff;
    let bad_utf8 = world.ask(bad_utf8).await;

    assert_eq!((unknown.status, &unknown.json()["code"]), (400, &"invalid_field".into()));
    assert_eq!(unknown.json()["errors"][0]["field"], "colour");
    assert_eq!((nested.status, &nested.json()["code"]), (400, &"malformed_json".into()));
    assert_eq!((bad_utf8.status, &bad_utf8.json()["code"]), (400, &"malformed_json".into()));
    world.stop().await;
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_before_it_is_sent() {
    let world = World::new(Limits::default()).await;

    let answer = world
        .ask(
            "POST /trips HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
             content-length: 1048577\r\n\r\n",
        )
        .await;

    assert_eq!((answer.status, &answer.json()["code"]), (413, &"body_too_large".into()));
    world.stop().await;
}

#[tokio::test]
async fn a_body_that_trickles_is_answered_408() {
    let world = World::new(Limits { body_read_timeout: SHORT, ..Limits::default() }).await;

    let answer = world
        .ask(
            "POST /trips HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
             content-length: 17\r\n\r\n{\"title",
        )
        .await;

    assert_eq!((answer.status, &answer.json()["code"]), (408, &"request_timeout".into()));
    assert_eq!(answer.header("connection"), Some("close"));
    world.stop().await;
}

#[tokio::test]
async fn a_head_that_trickles_is_cut() {
    let world = World::new(Limits { header_read_timeout: SHORT, ..Limits::default() }).await;
    let mut silent = world.connect().await;
    let mut slow = world.connect().await;
    slow.write_all(b"GET /wait HT").await.unwrap();

    let (silent, slow) = tokio::join!(closed_after(&mut silent), closed_after(&mut slow));

    assert!(silent < PATIENCE / 2, "{silent:?}");
    assert!(slow < PATIENCE / 2, "{slow:?}");
    world.stop().await;
}

#[tokio::test]
async fn a_second_head_that_trickles_is_cut_long_before_the_idle_limit() {
    let limits = Limits { header_read_timeout: SHORT, ..Limits::default() };
    let world = World::new(limits).await;
    let mut socket = world.connect().await;
    socket.write_all(post_trip(r#"{"title": "Rome"}"#).as_bytes()).await.unwrap();
    assert_eq!(answer(&mut socket).await.status, 200);

    socket.write_all(b"GET /wait HT").await.unwrap();
    let closed = closed_after(&mut socket).await;

    assert!(closed < PATIENCE / 2, "{closed:?}");
    world.stop().await;
}

#[tokio::test]
async fn an_idle_connection_is_closed_but_one_at_work_is_not() {
    let world = World::new(Limits { idle_timeout: SHORT, ..Limits::default() }).await;
    let mut idle = world.connect().await;
    let mut busy = world.connect().await;
    busy.write_all(b"GET /wait HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    world.entered.notified().await;
    idle.write_all(post_trip(r#"{"title": "Rome"}"#).as_bytes()).await.unwrap();
    assert_eq!(answer(&mut idle).await.status, 200);

    let closed = closed_after(&mut idle).await;
    world.go_on.notify_one();

    assert!(closed >= SHORT / 2, "{closed:?}");
    assert_eq!(answer(&mut busy).await.body, "done");
    world.stop().await;
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_cut() {
    let world = World::new(Limits { write_stall_timeout: SHORT, ..Limits::default() }).await;
    let mut socket = world.connect().await;

    socket.write_all(b"GET /endless HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    // Peeking takes nothing; the buffers fill, and the server gives up.
    let cut = timeout(PATIENCE, async {
        loop {
            socket.writable().await.unwrap();
            if socket.write_all(b" ").await.is_err() {
                return;
            }
            tokio::task::yield_now().await;
        }
    });

    assert!(cut.await.is_ok(), "the connection was not cut");
    assert_eq!(world.stop().await, Drained { connections_cut: 0, requests_cut: 0 });
}

#[tokio::test]
async fn a_head_over_the_limit_is_refused() {
    let world = World::new(Limits { header_bytes_max: 8192, ..Limits::default() }).await;
    let long = "y".repeat(9000);

    let answer = world.ask(format!("GET / HTTP/1.1\r\nhost: x\r\nx-long: {long}\r\n\r\n")).await;

    assert_eq!(answer.status, 431);
    world.stop().await;
}

#[tokio::test]
async fn a_connection_too_many_is_told_so_at_once() {
    let world = World::new(Limits { connections_max: 1, ..Limits::default() }).await;
    let mut first = world.connect().await;
    first.write_all(b"GET /wait HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    world.entered.notified().await;

    let second = world.ask("GET /wait HTTP/1.1\r\nhost: x\r\n\r\n").await;
    world.go_on.notify_one();

    assert_eq!((second.status, &second.json()["code"]), (503, &"unavailable".into()));
    assert_eq!(second.header("retry-after"), Some("1"));
    assert_eq!(answer(&mut first).await.body, "done");
    world.stop().await;
}

#[tokio::test]
async fn a_panic_is_a_problem_and_the_connection_lives_on() {
    let world = World::new(Limits::default()).await;
    let mut socket = world.connect().await;

    socket.write_all(b"GET /panic HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let panicked = answer(&mut socket).await;
    socket.write_all(post_trip(r#"{"title": "Rome"}"#).as_bytes()).await.unwrap();
    let next = answer(&mut socket).await;

    assert_eq!((panicked.status, &panicked.json()["code"]), (500, &"defect".into()));
    assert!(!panicked.body.contains("on purpose"));
    assert_eq!(next.status, 200);
    world.stop().await;
}

#[tokio::test]
async fn a_handler_that_takes_too_long_says_what_is_known() {
    let world = World::with_handling_timeout(Limits::default(), SHORT).await;

    let question = world.ask("GET /wait HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let change = world.ask("POST /wait HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n").await;

    assert_eq!((question.status, &question.json()["code"]), (503, &"unavailable".into()));
    assert_eq!((change.status, &change.json()["code"]), (503, &"outcome_unknown".into()));
    world.stop().await;
}

#[tokio::test]
async fn draining_finishes_what_is_in_flight_and_takes_nothing_new() {
    let world = World::new(Limits::default()).await;
    let mut idle = world.connect().await;
    idle.write_all(post_trip(r#"{"title": "Rome"}"#).as_bytes()).await.unwrap();
    assert_eq!(answer(&mut idle).await.status, 200);
    let mut busy = world.connect().await;
    busy.write_all(b"GET /wait HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    world.entered.notified().await;

    world.shutdown.cancel();
    closed_after(&mut idle).await;
    let refused = TcpStream::connect(world.address).await;
    world.go_on.notify_one();

    assert!(refused.is_err(), "the listener is closed");
    assert_eq!(answer(&mut busy).await.body, "done");
    assert_eq!(world.stop().await, Drained { connections_cut: 0, requests_cut: 0 });
}

#[tokio::test]
async fn draining_cuts_what_does_not_finish_in_time() {
    let world = World::new(Limits { drain_timeout: SHORT, ..Limits::default() }).await;
    let mut busy = world.connect().await;
    busy.write_all(b"GET /wait HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    world.entered.notified().await;

    let drained = world.stop().await;

    assert_eq!(drained, Drained { connections_cut: 1, requests_cut: 1 });
    closed_after(&mut busy).await;
}

#[tokio::test]
async fn http_2_is_served_and_drained_on_the_same_port() {
    let world = World::new(Limits::default()).await;
    let io = TokioIo::new(world.connect().await);
    let (mut client, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
    let connection = tokio::spawn(connection);
    let mut ask = |request: http::request::Builder, body: &'static str| {
        client.send_request(request.body(Body::from(body)).unwrap())
    };
    let busy = ask(http::Request::get("http://x/wait"), "");
    let busy = tokio::spawn(busy);
    world.entered.notified().await;

    let trip = http::Request::post("http://x/trips").header("content-type", "application/json");
    let trip = ask(trip, r#"{"title": "Rome"}"#).await.unwrap();
    world.shutdown.cancel();
    world.go_on.notify_one();

    assert_eq!((trip.version(), trip.status().as_u16()), (http::Version::HTTP_2, 200));
    let done = busy.await.unwrap().unwrap().into_body().collect().await.unwrap().to_bytes();
    assert_eq!(done, "done");
    assert_eq!(world.stop().await, Drained { connections_cut: 0, requests_cut: 0 });
    timeout(PATIENCE, connection).await.unwrap().unwrap().unwrap();
}
