//! The server: connections, and the tasks that live as long as it serves.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use crate::api::{Api, Dropped, Peer};
use crate::error::SandboxError;
use crate::faults::Faults;
use crate::ledger::Ledger;
use crate::mail::MailSink;
use crate::settings::Settings;
use crate::webhooks;

const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(30);
/// How long requests in flight have at the end.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(2);
/// The pause after the system had no connection to give.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// An opened ledger, ready to be served.
#[derive(Debug)]
pub struct Sandbox {
    api: Api,
    client: reqwest::Client,
    connections_max: usize,
}

/// A connection ends without an answer, as planned.
#[derive(Debug, thiserror::Error)]
#[error("the connection is dropped on purpose")]
struct DroppedOnPurpose;

impl Sandbox {
    /// Opens the ledger, making it when it does not exist. Blocks for as long as that takes.
    ///
    /// # Errors
    /// [`SandboxError`], when it is no ledger, or another process serves it.
    pub fn open(settings: &Settings) -> Result<Self, SandboxError> {
        let faults = Arc::new(Faults::default());
        let ledger = Ledger::open(settings, Arc::clone(&faults))?;
        let api = Api::new(ledger, faults, settings);
        Ok(Self { api, client: webhooks::client()?, connections_max: settings.connections_max })
    }

    /// What goes wrong on purpose; the same as the admin routes plan.
    #[must_use]
    pub fn faults(&self) -> Arc<Faults> {
        Arc::clone(self.api.faults())
    }

    /// The mail side, to be served on a listener of its own.
    #[must_use]
    pub fn mail(&self) -> MailSink {
        MailSink(self.api.clone())
    }

    /// Serves until `shutdown`, then gives requests in flight two seconds. Dropped, it ends at
    /// once, and its connections with it.
    pub async fn serve(self, listener: TcpListener, shutdown: impl Future<Output = ()>) {
        let stop = CancellationToken::new();
        let mut shutdown = pin!(shutdown);
        let mut connections = JoinSet::new();
        let mut deliveries = JoinSet::new();
        deliveries.spawn(webhooks::run(self.api.clone(), self.client));
        let router = self.api.router();
        loop {
            let room = connections.len() < self.connections_max;
            tokio::select! {
                () = &mut shutdown => break,
                Some(_) = connections.join_next() => {}
                accepted = listener.accept(), if room => match accepted {
                    Ok((stream, peer)) => {
                        connections.spawn(connection(stream, peer, router.clone(), stop.clone()));
                    }
                    Err(error) => {
                        tracing::warn!(%error, "cannot accept connections");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                }
            }
        }
        drop(listener);
        stop.cancel();
        while connections.join_next().await.is_some() {}
    }
}

async fn connection(stream: TcpStream, peer: SocketAddr, router: Router, stop: CancellationToken) {
    let service = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(Peer(peer));
        let answer = router.clone().oneshot(request);
        async move {
            let answer: Result<Response<Body>, Infallible> = answer.await;
            let Ok(answer) = answer;
            if answer.extensions().get::<Dropped>().is_some() {
                return Err(DroppedOnPurpose);
            }
            Ok(answer)
        }
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEADER_READ_TIMEOUT);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            match tokio::time::timeout(DRAIN_TIMEOUT, connection).await {
                Ok(ended) => ended,
                Err(_) => return tracing::info!(%peer, "a request was cut at the end"),
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "a connection broke off");
    }
}
