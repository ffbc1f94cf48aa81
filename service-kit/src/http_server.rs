//! The HTTP server: an accept loop over hyper (HTTP/1.1 and prior-knowledge HTTP/2) in which
//! nothing waits for ever.
//!
//! - `header_read_timeout`: a head that is not complete in time, or a connection that never sends
//!   a request, is closed without an answer.
//! - `body_read_timeout`: reading the body fails, and the JSON extractor answers 408
//!   `request_timeout`.
//! - `idle_timeout`: a kept-alive connection without a request is closed.
//! - `write_stall_timeout`: a client that takes nothing of its answer is cut; noticed within twice
//!   the limit.
//! - `header_bytes_max`: 431, from hyper, without a body.
//! - `connections_max`: one more is answered 503 with `Retry-After` at once and closed. It is not
//!   left in the backlog: a balancer that sees a 503 goes elsewhere, one that hangs does not.
//! - `streams_per_connection_max`: HTTP/2 flow control, the client waits.
//!
//! How long a handler may take is [`crate::request_layer::wrap`]'s business, because it answers.
//! On shutdown the listener closes, idle connections close, requests in flight have
//! `drain_timeout` to finish, and what is left is cut and counted. Endless streams (SSE) have to
//! end themselves when the shutdown begins, or they are what is cut.

use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use hyper::body::{Body as _, Incoming};
use hyper::{Request, Response, Version};
use hyper_util::rt::TokioTimer;
use hyper_util::server::conn::auto;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service as _;

use crate::activity::{Activity, InFlight, TrackedBody};
use crate::connection;
use crate::request_body::TimedBody;

/// Connections that are being told 503 at the same time; beyond them they are just closed.
const REFUSALS_MAX: usize = 64;
/// How long a refused connection may take to read its 503.
const REFUSAL_TIMEOUT: Duration = Duration::from_secs(1);
/// How long what was cut may take to notice.
const CUT_TIMEOUT: Duration = Duration::from_secs(1);
const ACCEPT_BACKOFF_MIN: Duration = Duration::from_millis(10);
const ACCEPT_BACKOFF_MAX: Duration = Duration::from_secs(1);

const REFUSAL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\n\
    content-type: application/problem+json\r\nretry-after: 1\r\nconnection: close\r\n\
    content-length: 126\r\n\r\n\
    {\"type\":\"/problems/unavailable\",\"title\":\"Nothing was tried, try again\",\"status\":503,\
    \"code\":\"unavailable\",\"detail\":\"Too busy.\"}";

/// What a client may cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Connections served at the same time.
    pub connections_max: usize,
    /// Bytes of a request's head; at least 8192.
    pub header_bytes_max: usize,
    /// HTTP/2 requests on one connection at the same time.
    pub streams_per_connection_max: u32,
    /// From a request's first byte (or the connection's opening) to the end of its head.
    pub header_read_timeout: Duration,
    /// From the first wait for a piece of the body to its end.
    pub body_read_timeout: Duration,
    /// Between requests of a kept-alive connection.
    pub idle_timeout: Duration,
    /// Without a byte of the answer being taken.
    pub write_stall_timeout: Duration,
    /// For requests in flight when the server is told to stop.
    pub drain_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 4096,
            header_bytes_max: 32 * 1024,
            streams_per_connection_max: 128,
            header_read_timeout: Duration::from_secs(10),
            body_read_timeout: Duration::from_secs(20),
            idle_timeout: Duration::from_secs(75),
            write_stall_timeout: Duration::from_secs(30),
            drain_timeout: Duration::from_secs(20),
        }
    }
}

/// How a server ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drained {
    /// Connections that were still open when the drain's time was up.
    pub connections_cut: usize,
    /// Requests on them that had no complete answer.
    pub requests_cut: usize,
}

/// Why a server could not go on.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The listening socket itself is broken.
    #[error("the listening socket no longer accepts connections")]
    Accept(#[source] io::Error),
}

impl ServeError {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Accept(_) => "listener_broken",
        }
    }
}

/// Where connections come from; a seam for tests of accept errors.
pub(crate) trait Accept {
    fn accept(&self) -> impl Future<Output = io::Result<(TcpStream, SocketAddr)>> + Send;
}

impl Accept for TcpListener {
    async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        TcpListener::accept(self).await
    }
}

/// Serves `router` until `shutdown` is cancelled, then drains. The peer's address is in every
/// request as axum's `ConnectInfo<SocketAddr>`.
///
/// # Errors
/// Only when the listening socket is broken; lack of file descriptors and the like is waited out.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    shutdown: CancellationToken,
) -> Result<Drained, ServeError> {
    serve_from(listener, router, limits, shutdown).await
}

pub(crate) async fn serve_from<A: Accept>(
    listener: A,
    router: Router,
    limits: Limits,
    shutdown: CancellationToken,
) -> Result<Drained, ServeError> {
    let slots = Arc::new(Semaphore::new(limits.connections_max));
    let refusals = Arc::new(Semaphore::new(REFUSALS_MAX));
    let server = Arc::new(Server::new(router, limits));
    let mut backoff = ACCEPT_BACKOFF_MIN;
    let outcome = loop {
        let accepted = tokio::select! {
            biased;
            () = shutdown.cancelled() => break Ok(()),
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((socket, peer)) => {
                backoff = ACCEPT_BACKOFF_MIN;
                match Arc::clone(&slots).try_acquire_owned() {
                    Ok(slot) => server.open(socket, peer, slot),
                    Err(_) => server.refuse(socket, &refusals),
                }
            }
            Err(error) if connection_failed(&error) => {}
            Err(error) if socket_broken(&error) => break Err(ServeError::Accept(error)),
            Err(error) => {
                tracing::warn!(%error, wait_ms = backoff.as_millis(), "cannot accept connections");
                tokio::select! {
                    () = shutdown.cancelled() => break Ok(()),
                    () = tokio::time::sleep(backoff) => {}
                }
                backoff = (backoff * 2).min(ACCEPT_BACKOFF_MAX);
            }
        }
    };
    drop(listener);
    let drained = server.drain().await;
    outcome.map(|()| drained)
}

/// The client was gone before we accepted it; nothing of ours.
fn connection_failed(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

/// EBADF, EINVAL, ENOTSOCK: no waiting mends these.
fn socket_broken(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(9 | 22 | 88))
}

/// What the server wants of its connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
#[repr(u8)]
pub(crate) enum Phase {
    Serving = 0,
    Draining = 1,
    Cutting = 2,
}

pub(crate) struct Server {
    pub(crate) builder: auto::Builder<Streams>,
    pub(crate) limits: Limits,
    router: Router,
    phase: AtomicU8,
    connections: Mutex<HashMap<u64, Arc<Activity>>>,
    next_id: AtomicU64,
    tasks: TaskTracker,
    cut: CancellationToken,
}

impl Server {
    fn new(router: Router, limits: Limits) -> Self {
        let tasks = TaskTracker::new();
        let cut = CancellationToken::new();
        let mut builder = auto::Builder::new(Streams { tasks: tasks.clone(), cut: cut.clone() });
        builder
            .http1()
            // Timed per connection instead (see `activity`): hyper's timer costs an allocation
            // per request, and counts idle time as reading time.
            .header_read_timeout(None)
            .max_buf_size(limits.header_bytes_max.max(8192));
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(limits.streams_per_connection_max)
            .max_header_list_size(u32::try_from(limits.header_bytes_max).unwrap_or(u32::MAX))
            .keep_alive_interval(limits.idle_timeout)
            .keep_alive_timeout(limits.write_stall_timeout);
        Self {
            builder,
            limits,
            router,
            phase: AtomicU8::new(Phase::Serving as u8),
            connections: Mutex::default(),
            next_id: AtomicU64::new(0),
            tasks,
            cut,
        }
    }

    pub(crate) fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Acquire) {
            0 => Phase::Serving,
            1 => Phase::Draining,
            _ => Phase::Cutting,
        }
    }

    fn open(self: &Arc<Self>, socket: TcpStream, peer: SocketAddr, slot: OwnedSemaphorePermit) {
        if let Err(error) = socket.set_nodelay(true) {
            tracing::debug!(%error, "the connection is slow: TCP_NODELAY was refused");
        }
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let activity = Arc::new(Activity::new());
        self.open_connections().insert(id, Arc::clone(&activity));
        let server = Arc::clone(self);
        self.tasks.spawn(async move {
            connection::drive(&server, socket, peer, activity).await;
            server.open_connections().remove(&id);
            drop(slot);
        });
    }

    fn refuse(&self, mut socket: TcpStream, refusals: &Arc<Semaphore>) {
        metrics::counter!("waylog_http_connections_refused_total").increment(1);
        let Ok(permit) = Arc::clone(refusals).try_acquire_owned() else { return };
        self.tasks.spawn(async move {
            let told = tokio::time::timeout(REFUSAL_TIMEOUT, async {
                socket.write_all(REFUSAL).await?;
                socket.shutdown().await?;
                // Closing with unread bytes would reset the connection under the answer.
                let mut unread = [0; 1024];
                while socket.read(&mut unread).await? > 0 {}
                io::Result::Ok(())
            });
            if !matches!(told.await, Ok(Ok(()))) {
                tracing::debug!("a refused connection did not read why");
            }
            drop(permit);
        });
    }

    /// Answers one request of a connection.
    pub(crate) fn answer(
        &self,
        request: Request<Incoming>,
        peer: SocketAddr,
        activity: &Arc<Activity>,
    ) -> impl Future<Output = Result<Response<TrackedBody<Body>>, Infallible>> + use<> {
        let in_flight: InFlight = activity.begin(request.version() == Version::HTTP_2);
        let timeout = self.limits.body_read_timeout;
        let mut request = request.map(|body| {
            if body.is_end_stream() {
                Body::empty()
            } else {
                Body::new(TimedBody::new(body, timeout))
            }
        });
        request.extensions_mut().insert(ConnectInfo(peer));
        let answer = self.router.clone().call(request);
        async move { Ok(answer.await?.map(|body| TrackedBody::new(body, in_flight))) }
    }

    async fn drain(&self) -> Drained {
        self.tasks.close();
        self.enter(Phase::Draining);
        if tokio::time::timeout(self.limits.drain_timeout, self.tasks.wait()).await.is_ok() {
            return Drained { connections_cut: 0, requests_cut: 0 };
        }
        let drained = {
            let open = self.open_connections();
            let requests = open.values().map(|activity| activity.requests_in_flight() as usize);
            Drained { connections_cut: open.len(), requests_cut: requests.sum() }
        };
        self.enter(Phase::Cutting);
        self.cut.cancel();
        if tokio::time::timeout(CUT_TIMEOUT, self.tasks.wait()).await.is_err() {
            tracing::warn!("a request handler blocks its thread; left running");
        }
        drained
    }

    fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Release);
        for activity in self.open_connections().values() {
            activity.waker.wake();
        }
    }

    fn open_connections(&self) -> MutexGuard<'_, HashMap<u64, Arc<Activity>>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs the streams of HTTP/2 connections, so that draining waits for them and cutting ends them.
#[derive(Clone)]
pub(crate) struct Streams {
    tasks: TaskTracker,
    cut: CancellationToken,
}

impl<F> hyper::rt::Executor<F> for Streams
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    fn execute(&self, stream: F) {
        let cut = self.cut.clone();
        self.tasks.spawn(async move {
            if cut.run_until_cancelled(stream).await.is_none() {
                tracing::debug!("a stream was cut");
            }
        });
    }
}

#[cfg(test)]
mod tests;
