//! The outermost middleware: gives each request its [`RequestContext`] and watches it end.
//!
//! [`wrap`] it around the finished router, once. Every line logged while the request is worked on
//! carries `correlation_id` through a span; every answer carries `X-Request-ID`, `traceparent`
//! and, for changes, `Idempotency-Key`. A panic in a handler becomes a 500 problem, a handler
//! that outlives its deadline a 503 one. Each request is counted (see [`crate::http_metrics`])
//! and logged once: 5xx at warn, 4xx at info, everything else at debug, so that the default level
//! costs a successful request nothing. Durations end with the answer's head: the body of a long
//! stream is not part of them. A client that leaves early is logged as 499.

use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::MatchedPath;
use axum::response::{IntoResponse as _, Response};
use http::{Method, Request, StatusCode};
use pin_project_lite::pin_project;
use tokio::time::Sleep;
use tower::{Layer, Service};
use tracing::Span;

use crate::fallback;
use crate::http_metrics;
use crate::problem::Problem;
use crate::request_context::RequestContext;

/// A client that went away before its answer; never sent, only logged and counted.
const CLIENT_LEFT: u16 = 499;

/// Completes a router: unknown routes and methods answer with problems, and every request gets a
/// context. `handling_timeout` is the longest a handler may take to begin its answer. Call it
/// last: routes added afterwards are outside.
pub fn wrap(router: Router, handling_timeout: Duration) -> Router {
    router
        .fallback(fallback::route_not_found)
        .method_not_allowed_fallback(fallback::method_not_allowed)
        .layer(RequestLayer { handling_timeout })
}

/// The middleware of [`wrap`] alone.
#[derive(Debug, Clone, Copy)]
pub struct RequestLayer {
    /// The longest a handler may take to begin its answer.
    pub handling_timeout: Duration,
}

impl<S> Layer<S> for RequestLayer {
    type Service = WithContext<S>;

    fn layer(&self, inner: S) -> WithContext<S> {
        WithContext { inner, handling_timeout: self.handling_timeout }
    }
}

/// A service inside [`RequestLayer`].
#[derive(Debug, Clone)]
pub struct WithContext<S> {
    inner: S,
    handling_timeout: Duration,
}

impl<S> Service<Request<Body>> for WithContext<S>
where
    S: Service<Request<Body>, Response = Response, Error = Infallible>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Handling<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let context = RequestContext::read(request.method(), request.uri(), request.headers());
        // Error level, so that no filter short of `off` takes the id away from the lines inside.
        let span = tracing::error_span!("request", correlation_id = %context.correlation_id());
        let watch = Watch {
            started: Instant::now(),
            method: request.method().clone(),
            route: request.extensions().get::<MatchedPath>().cloned(),
            span,
            context,
            answered: false,
        };
        request.extensions_mut().insert(watch.context.clone());
        let inner = {
            let _entered = watch.span.enter();
            watch.context.scope(|| self.inner.call(request))
        };
        Handling { inner, watch, deadline: None, handling_timeout: self.handling_timeout }
    }
}

/// What is remembered about a request until it ends; says so even when it is dropped half-way.
struct Watch {
    started: Instant,
    method: Method,
    route: Option<MatchedPath>,
    context: RequestContext,
    span: Span,
    answered: bool,
}

impl Watch {
    fn record(&self, status: u16) {
        let duration = self.started.elapsed();
        let route = self.route.as_ref().map_or("unmatched", MatchedPath::as_str);
        http_metrics::record(&self.method, route, status, duration);
        let _entered = self.span.enter();
        let milliseconds = duration.as_secs_f64() * 1000.0;
        macro_rules! line {
            ($level:ident) => {
                tracing::$level!(
                    target: "waylog::access",
                    method = self.method.as_str(), route, status, duration_ms = milliseconds,
                    "request"
                )
            };
        }
        match status {
            CLIENT_LEFT => line!(debug),
            500.. => line!(warn),
            400.. => line!(info),
            _ => line!(debug),
        }
    }

    fn finish(&mut self, mut response: Response) -> Response {
        self.answered = true;
        self.context.stamp(response.headers_mut());
        self.record(response.status().as_u16());
        response
    }

    /// A change may have been made by then; a question can just be asked again.
    fn overdue(&self) -> Problem {
        tracing::error!("a handler outlived its deadline");
        match self.method {
            Method::GET | Method::HEAD | Method::OPTIONS => {
                Problem::unavailable("The answer took too long.")
            }
            _ => Problem::outcome_unknown(),
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if !self.answered {
            self.record(CLIENT_LEFT);
        }
    }
}

pin_project! {
    /// A request being handled.
    pub struct Handling<F> {
        #[pin]
        inner: F,
        watch: Watch,
        // Armed only when the handler did not answer at once; lives inline, without allocation.
        #[pin]
        deadline: Option<Sleep>,
        handling_timeout: Duration,
    }
}

impl<F> Future for Handling<F>
where
    F: Future<Output = Result<Response, Infallible>>,
{
    type Output = Result<Response, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let polled = {
            let _entered = this.watch.span.enter();
            this.watch.context.scope(|| {
                // The future is never polled again after a panic, so a broken state stays unseen.
                match catch_unwind(AssertUnwindSafe(|| this.inner.poll(cx))) {
                    Ok(polled) => polled,
                    // The panic hook has logged it, inside this span.
                    Err(_) => Poll::Ready(Ok(Problem::opaque_defect().into_response())),
                }
            })
        };
        if let Poll::Ready(Ok(response)) = polled {
            return Poll::Ready(Ok(this.watch.finish(response)));
        }
        if this.deadline.is_none() {
            let left = this.handling_timeout.saturating_sub(this.watch.started.elapsed());
            this.deadline.set(Some(tokio::time::sleep(left)));
        }
        let deadline = this.deadline.as_mut().as_pin_mut().expect("it was armed just above");
        ready!(deadline.poll(cx));
        let overdue = {
            let _entered = this.watch.span.enter();
            this.watch.context.scope(|| this.watch.overdue().into_response())
        };
        debug_assert_eq!(overdue.status(), StatusCode::SERVICE_UNAVAILABLE);
        Poll::Ready(Ok(this.watch.finish(overdue)))
    }
}
