//! The HTTP client of calls between instances: every call has deadlines, every answer a limit.
//!
//! No proxies, no redirects: an internal hop goes where the directory says or nowhere. The cluster
//! secret goes along as a bearer token, the request in progress as `X-Request-ID` and
//! `traceparent`, so that the logs of both instances carry one correlation id.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, Response};

use crate::request_context::{self, TRACEPARENT, X_REQUEST_ID};
use crate::secret::Secret;

/// What a call may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientLimits {
    /// To connect.
    pub connect_timeout: Duration,
    /// From the call to the end of the answer's body.
    pub total_timeout: Duration,
    /// How long an unused connection is kept; shorter than the server's idle timeout, so that a
    /// request never meets a connection that is being closed.
    pub idle_timeout: Duration,
    /// Unused connections kept per host.
    pub idle_connections_max: usize,
}

impl Default for ClientLimits {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(2),
            total_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(30),
            idle_connections_max: 32,
        }
    }
}

/// Why a call brought no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The client could not be made: the secret does not fit into a header, or the system has no
    /// randomness. Nothing was sent.
    #[error("the client could not be made")]
    Build(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The answer broke off, or took too long. What was asked may have happened.
    #[error("the answer did not arrive")]
    Read(#[source] reqwest::Error),
    /// The answer is longer than the caller takes. What was asked has happened.
    #[error("the answer is longer than {bytes_max} bytes")]
    TooLong {
        /// The caller's limit.
        bytes_max: usize,
    },
}

impl ClientError {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Build(_) => "client_not_built",
            Self::Read(_) => "answer_incomplete",
            Self::TooLong { .. } => "answer_too_long",
        }
    }
}

/// A client for calls to other instances; one per process, it pools connections.
///
/// # Errors
/// [`ClientError::Build`].
pub fn internal_client(
    limits: &ClientLimits,
    secret: Option<&Secret>,
) -> Result<Client, ClientError> {
    let mut headers = HeaderMap::new();
    if let Some(secret) = secret {
        let bearer = format!("Bearer {}", secret.expose());
        let mut bearer =
            HeaderValue::try_from(bearer).map_err(|error| ClientError::Build(error.into()))?;
        bearer.set_sensitive(true);
        headers.insert(AUTHORIZATION, bearer);
    }
    Client::builder()
        .default_headers(headers)
        .user_agent(concat!("waylog/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(limits.connect_timeout)
        .timeout(limits.total_timeout)
        .pool_idle_timeout(limits.idle_timeout)
        .pool_max_idle_per_host(limits.idle_connections_max)
        .redirect(Policy::none())
        .no_proxy()
        .tcp_nodelay(true)
        .build()
        .map_err(|error| ClientError::Build(error.into()))
}

/// Adds the ids of the request in progress, if there is one, to a call made for it.
pub fn on_behalf(call: RequestBuilder) -> RequestBuilder {
    match request_context::current() {
        Some(context) => call
            .header(X_REQUEST_ID, context.correlation_header())
            .header(TRACEPARENT, context.trace().header_value()),
        None => call,
    }
}

/// Reads an answer's body of at most `bytes_max`.
///
/// # Errors
/// [`ClientError::Read`] and [`ClientError::TooLong`].
pub async fn read_answer(mut answer: Response, bytes_max: usize) -> Result<Bytes, ClientError> {
    let too_long = || ClientError::TooLong { bytes_max };
    let stated = usize::try_from(answer.content_length().unwrap_or(0)).unwrap_or(usize::MAX);
    if stated > bytes_max {
        return Err(too_long());
    }
    let mut body = BytesMut::with_capacity(stated);
    while let Some(piece) = answer.chunk().await.map_err(ClientError::Read)? {
        if body.len() + piece.len() > bytes_max {
            return Err(too_long());
        }
        body.extend_from_slice(&piece);
    }
    Ok(body.freeze())
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Body;
    use axum::routing::get;
    use tokio::net::TcpListener;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::http_server::{self, Limits};
    use crate::{RequestContext, auth, request_layer};

    const LONG: Duration = Duration::from_secs(30);

    /// An instance with a guarded route that names its request, and others that misbehave.
    async fn instance(secret: &Secret) -> (String, CancellationToken) {
        let guarded = Router::new().route(
            "/who",
            get(|context: RequestContext| async move { context.correlation_id().to_string() }),
        );
        let chunks =
            || futures::stream::iter((0..10).map(|_| Ok::<_, std::io::Error>("0123456789")));
        let router = auth::protect_internal(guarded, Some(secret.clone()))
            .route("/hang", get(std::future::pending::<()>))
            .route("/away", get(|| async { axum::response::Redirect::temporary("/who") }))
            .route("/chunks", get(move || async move { Body::from_stream(chunks()) }));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let shutdown = CancellationToken::new();
        let limits = Limits { drain_timeout: Duration::ZERO, ..Limits::default() };
        let router = request_layer::wrap(router, LONG);
        tokio::spawn(http_server::serve(listener, router, limits, shutdown.clone()));
        (url, shutdown)
    }

    fn secret() -> Secret {
        "correct horse battery".parse().unwrap()
    }

    #[tokio::test]
    async fn a_call_carries_the_secret_and_the_request_it_is_made_for() {
        let (url, shutdown) = instance(&secret()).await;
        let client = internal_client(&ClientLimits::default(), Some(&secret())).unwrap();
        let context =
            RequestContext::read(&http::Method::GET, &"/".parse().unwrap(), &HeaderMap::new());

        let call = context.scope(|| on_behalf(client.get(format!("{url}/who"))));
        let answer = read_answer(call.send().await.unwrap(), 100).await.unwrap();

        assert_eq!(answer, context.correlation_id().to_string());
        shutdown.cancel();
    }

    #[tokio::test]
    async fn a_call_without_the_secret_is_refused() {
        let (url, shutdown) = instance(&secret()).await;
        let client = internal_client(&ClientLimits::default(), None).unwrap();

        let answer = client.get(format!("{url}/who")).send().await.unwrap();

        assert_eq!(answer.status(), 401);
        shutdown.cancel();
    }

    #[tokio::test]
    async fn an_answer_that_is_late_long_or_elsewhere_is_bounded() {
        let (url, shutdown) = instance(&secret()).await;
        let limits =
            ClientLimits { total_timeout: Duration::from_millis(100), ..ClientLimits::default() };
        let hasty = internal_client(&limits, None).unwrap();
        let client = internal_client(&ClientLimits::default(), None).unwrap();

        let late = hasty.get(format!("{url}/hang")).send().await;
        let chunks = || async { client.get(format!("{url}/chunks")).send().await.unwrap() };
        let long = read_answer(chunks().await, 99).await;
        let fitting = read_answer(chunks().await, 100).await;
        let elsewhere = client.get(format!("{url}/away")).send().await.unwrap();

        assert!(late.unwrap_err().is_timeout());
        assert_eq!(long.unwrap_err().code(), "answer_too_long");
        assert_eq!(fitting.unwrap().len(), 100);
        assert_eq!(elsewhere.status(), 307);
        shutdown.cancel();
    }

    #[test]
    fn a_secret_that_no_header_can_carry_is_refused_at_start() {
        let secret: Secret = "correct horse\nbattery".parse().unwrap();

        let error = internal_client(&ClientLimits::default(), Some(&secret)).unwrap_err();

        assert_eq!(error.code(), "client_not_built");
        assert!(!format!("{error:?}").contains("horse"));
    }
}
