//! A server with routes that wait, panic and never end, and a client that speaks bytes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::Value;
use service_kit::http_server::{Drained, Limits, ServeError, serve};
use service_kit::{Json, request_layer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// Nothing here may take longer; reached only by a test that fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Trip {
    title: String,
}

/// A server with a route that waits until it is told to answer.
pub(crate) struct World {
    pub(crate) address: SocketAddr,
    pub(crate) entered: Arc<Notify>,
    pub(crate) go_on: Arc<Notify>,
    pub(crate) shutdown: CancellationToken,
    server: JoinHandle<Result<Drained, ServeError>>,
}

impl World {
    pub(crate) async fn new(limits: Limits) -> Self {
        Self::with_handling_timeout(limits, PATIENCE).await
    }

    pub(crate) async fn with_handling_timeout(limits: Limits, handling_timeout: Duration) -> Self {
        let (entered, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let wait = {
            let (entered, go_on) = (Arc::clone(&entered), Arc::clone(&go_on));
            move || async move {
                entered.notify_one();
                go_on.notified().await;
                "done"
            }
        };
        let router = Router::new()
            .route("/trips", post(|Json(trip): Json<Trip>| async move { trip.title }))
            .route("/wait", get(wait.clone()).post(wait))
            .route(
                "/panic",
                get(|| async {
                    if true {
                        panic!("on purpose")
                    }
                }),
            )
            .route("/endless", get(|| async { Body::from_stream(endless()) }));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let router = request_layer::wrap(router, handling_timeout);
        let server = tokio::spawn(serve(listener, router, limits, shutdown.clone()));
        Self { address, entered, go_on, shutdown, server }
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// One request on a connection of its own; the answer's status, head and JSON body.
    pub(crate) async fn ask(&self, request: impl AsRef<[u8]>) -> Answer {
        let mut socket = self.connect().await;
        socket.write_all(request.as_ref()).await.unwrap();
        answer(&mut socket).await
    }

    pub(crate) async fn stop(self) -> Drained {
        self.shutdown.cancel();
        timeout(PATIENCE, self.server).await.unwrap().unwrap().unwrap()
    }
}

fn endless() -> impl futures::Stream<Item = Result<Bytes, std::io::Error>> {
    futures::stream::repeat_with(|| Ok(Bytes::from_static(&[b'x'; 16 * 1024])))
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

/// Reads one answer with a stated length, or to the end of the connection.
pub(crate) async fn answer(socket: &mut TcpStream) -> Answer {
    let mut bytes = Vec::new();
    timeout(PATIENCE, async {
        loop {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let length = head
                    .lines()
                    .find_map(|line| line.strip_prefix("content-length: "))
                    .map(|length| length.parse::<usize>().unwrap());
                if length.is_some_and(|length| body.len() >= length) {
                    return;
                }
            }
            if socket.read_buf(&mut bytes).await.unwrap() == 0 {
                return;
            }
        }
    })
    .await
    .expect("an answer in time");
    let text = String::from_utf8(bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    Answer { status, head: head.to_owned(), body: body.to_owned() }
}

/// How long until the server closes the connection without saying anything.
pub(crate) async fn closed_after(socket: &mut TcpStream) -> Duration {
    let since = Instant::now();
    let read = timeout(PATIENCE, socket.read(&mut [0; 64])).await.expect("closed in time");
    assert_eq!(read.unwrap_or(0), 0, "nothing is said");
    since.elapsed()
}

pub(crate) fn post_trip(body: &str) -> String {
    let length = body.len();
    format!(
        "POST /trips HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n\r\n{body}"
    )
}
