//! A load generator for HTTP/1.1: a fixed number of connections, each one request at a time.
//!
//! Two ways to run. *Closed*: every connection sends its next request as soon as it has an answer;
//! that finds the highest rate, and its latencies are service times. *Open* (`rate` given):
//! requests have fixed start times, and a latency counts from the time at which its request should
//! have started, so that a stall of the server is charged to every request that it delayed
//! (corrected for coordinated omission).

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use bytes::Bytes;
use hdrhistogram::Histogram;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde::Serialize;
use tokio::net::TcpStream;

/// The longest that one answer may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// A request to send; `index` counts from 0 over all connections.
pub(crate) type MakeRequest = dyn Fn(u64) -> http::Request<Full<Bytes>> + Send + Sync;

/// How much load, and for how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// Connections, each with one request in flight.
    pub(crate) connections: usize,
    /// How long to count; a fifth of it, at most 2 s, is run before and not counted.
    pub(crate) duration: Duration,
    /// Requests per second over all connections; as many as possible when missing.
    pub(crate) rate: Option<f64>,
}

/// What came of one run.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Measured {
    /// What was sent.
    pub(crate) name: String,
    /// `closed` or `open`.
    pub(crate) loop_kind: &'static str,
    /// Connections.
    pub(crate) connections: usize,
    /// Answers counted.
    pub(crate) answers: u64,
    /// Answers with a status that was not expected.
    pub(crate) unexpected: u64,
    /// Answers per second.
    pub(crate) per_second: f64,
    /// Latency in milliseconds.
    pub(crate) p50_ms: f64,
    /// Latency in milliseconds.
    pub(crate) p90_ms: f64,
    /// Latency in milliseconds.
    pub(crate) p99_ms: f64,
    /// Latency in milliseconds.
    pub(crate) max_ms: f64,
}

/// Why a server gave no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Trouble {
    /// Nobody there.
    #[error("cannot connect to {address}; is the server running?")]
    Unreached {
        address: String,
        #[source]
        source: io::Error,
    },
    /// The connection ended, or what came is no HTTP.
    #[error("the connection broke")]
    BrokeOff(#[from] hyper::Error),
    /// Not in time.
    #[error("an answer took longer than {} s", ANSWER_TIMEOUT.as_secs())]
    Late,
}

impl Trouble {
    /// Whether the server is away: not when there can be none at the address, nor when somebody
    /// else answers there.
    pub(crate) fn passes(&self) -> bool {
        match self {
            Self::Unreached { source, .. } => source.kind() != io::ErrorKind::InvalidInput,
            Self::BrokeOff(error) => !error.is_parse(),
            Self::Late => true,
        }
    }
}

/// Sends `count` requests over a few connections, each once, and counts the expected answers.
///
/// # Errors
/// When a connection cannot be made or breaks.
pub(crate) async fn each(
    address: &str,
    count: u64,
    expected: http::StatusCode,
    make: Arc<MakeRequest>,
) -> anyhow::Result<u64> {
    let next = Arc::new(AtomicU64::new(0));
    let mut workers = Vec::new();
    for _ in 0..16 {
        let mut connection = connect(address).await?;
        let (make, next) = (Arc::clone(&make), Arc::clone(&next));
        workers.push(tokio::spawn(async move {
            let mut answered = 0;
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                if index >= count {
                    return anyhow::Ok(answered);
                }
                answered += u64::from(send(&mut connection, make(index)).await? == expected);
            }
        }));
    }
    let mut answered = 0;
    for worker in workers {
        answered += worker.await.context("a connection's task died")??;
    }
    Ok(answered)
}

struct Tally {
    histogram: Histogram<u64>,
    answers: u64,
    unexpected: u64,
}

/// Runs the load and counts the answers of its main part.
///
/// # Errors
/// When a connection cannot be made or breaks, or an answer takes longer than 30 s.
pub(crate) async fn run(
    name: &str,
    address: &str,
    shape: Shape,
    expected: http::StatusCode,
    make: Arc<MakeRequest>,
) -> anyhow::Result<Measured> {
    let warm_up = (shape.duration / 5).min(Duration::from_secs(2));
    let begin = Instant::now();
    let clock = Clock { begin, count_from: begin + warm_up, end: begin + warm_up + shape.duration };
    let next = Arc::new(AtomicU64::new(0));

    let mut workers = Vec::with_capacity(shape.connections);
    for _ in 0..shape.connections {
        let connection = connect(address).await?;
        let (make, next) = (Arc::clone(&make), Arc::clone(&next));
        workers.push(tokio::spawn(async move {
            worker(connection, clock, shape.rate, expected, &next, &*make).await
        }));
    }

    let mut total = Tally::new()?;
    for worker in workers {
        let tally = worker.await.context("a connection's task died")??;
        total.histogram.add(&tally.histogram)?;
        total.answers += tally.answers;
        total.unexpected += tally.unexpected;
    }
    Ok(total.measured(name, shape))
}

#[derive(Clone, Copy)]
struct Clock {
    begin: Instant,
    count_from: Instant,
    end: Instant,
}

impl Tally {
    fn new() -> anyhow::Result<Self> {
        // 1 µs to 60 s, three significant digits.
        Ok(Self {
            histogram: Histogram::new_with_bounds(1, 60_000_000, 3)?,
            answers: 0,
            unexpected: 0,
        })
    }

    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    fn measured(&self, name: &str, shape: Shape) -> Measured {
        let at = |q: f64| self.histogram.value_at_quantile(q) as f64 / 1000.0;
        Measured {
            name: name.to_owned(),
            loop_kind: if shape.rate.is_some() { "open" } else { "closed" },
            connections: shape.connections,
            answers: self.answers,
            unexpected: self.unexpected,
            per_second: self.answers as f64 / shape.duration.as_secs_f64(),
            p50_ms: at(0.5),
            p90_ms: at(0.9),
            p99_ms: at(0.99),
            max_ms: self.histogram.max() as f64 / 1000.0,
        }
    }
}

type Connection = http1::SendRequest<Full<Bytes>>;

async fn connect(address: &str) -> Result<Connection, Trouble> {
    let unreached = |source| Trouble::Unreached { address: address.to_owned(), source };
    let stream = TcpStream::connect(address).await.map_err(unreached)?;
    stream.set_nodelay(true).map_err(unreached)?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // The connection ends with its sender; an error shows as the failure of the request in flight.
    tokio::spawn(async move { connection.await.ok() });
    Ok(sender)
}

async fn worker(
    mut connection: Connection,
    clock: Clock,
    rate: Option<f64>,
    expected: http::StatusCode,
    next: &AtomicU64,
    make: &MakeRequest,
) -> anyhow::Result<Tally> {
    let mut tally = Tally::new()?;
    loop {
        let index = next.fetch_add(1, Ordering::Relaxed);
        let start = match rate {
            None => Instant::now(),
            Some(rate) => {
                #[expect(clippy::cast_precision_loss, reason = "an index below 2^52")]
                let due = clock.begin + Duration::from_secs_f64(index as f64 / rate);
                tokio::time::sleep_until(due.into()).await;
                due
            }
        };
        if start >= clock.end {
            return Ok(tally);
        }
        let status = send(&mut connection, make(index)).await?;
        let now = Instant::now();
        // An open loop counts every request that was due in time, however late its answer came.
        let counted_at = if rate.is_some() { start } else { now };
        if counted_at >= clock.count_from && counted_at < clock.end {
            tally.answers += 1;
            tally.unexpected += u64::from(status != expected);
            let micros = u64::try_from((now - start).as_micros()).unwrap_or(u64::MAX);
            tally.histogram.saturating_record(micros);
        }
    }
}

async fn send(
    connection: &mut Connection,
    request: http::Request<Full<Bytes>>,
) -> Result<http::StatusCode, Trouble> {
    let answer = async {
        connection.ready().await?;
        let mut response = connection.send_request(request).await?;
        while let Some(frame) = response.body_mut().frame().await {
            frame?;
        }
        Ok(response.status())
    };
    tokio::time::timeout(ANSWER_TIMEOUT, answer).await.unwrap_or(Err(Trouble::Late))
}
