//! The way on for what this process does not serve: writes go to the command API, operating read
//! models to the projectors, so that clients know one origin.
//!
//! Which requests go where is a table of prefixes. Several URLs of one place are tried in turn, but
//! only while nothing was sent: once a request may have arrived, its fate is `outcome_unknown` and
//! the same `Idempotency-Key` tells.

mod forward;

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use axum::routing::any;
use http::{Method, StatusCode};
use service_kit::Problem;
use service_kit::client::{ClientError, ClientLimits, internal_client};

/// Which methods of a prefix are passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Methods {
    /// POST, PUT, PATCH and DELETE; the rest is served here.
    Writes,
    /// All of them.
    All,
}

impl Methods {
    fn include(self, method: &Method) -> bool {
        self == Self::All || writes(method)
    }
}

/// Requests under a prefix, and where they go.
#[derive(Clone, Debug)]
pub struct Passage {
    /// The path without a slash at its end, `/v1/projections`; the longest that fits is taken.
    pub prefix: &'static str,
    /// Which methods.
    pub methods: Methods,
    /// Base URLs of equals, such as `http://10.0.0.7:8080`; at least one. The first that could be
    /// reached is used until it cannot.
    pub urls: Vec<String>,
}

/// What passing a request on may cost.
#[derive(Clone, Debug)]
pub struct ProxyLimits {
    /// To connect to one URL.
    pub connect_timeout: Duration,
    /// From the first byte sent to the end of the answer.
    pub answer_timeout: Duration,
    /// Bytes of an answer's body.
    pub answer_bytes_max: usize,
}

impl Default for ProxyLimits {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(2),
            answer_timeout: Duration::from_secs(25),
            answer_bytes_max: 8 << 20,
        }
    }
}

/// The table does not make sense.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// A prefix has no URL, or one that is none.
    #[error("`{url}` is no http URL to pass {prefix} on to")]
    Url {
        /// The prefix.
        prefix: &'static str,
        /// What was given.
        url: String,
    },
    /// The client could not be made.
    #[error(transparent)]
    Client(#[from] ClientError),
}

impl ProxyError {
    /// Stable code for logs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Url { .. } => "proxy_url_invalid",
            Self::Client(_) => "client_not_built",
        }
    }
}

/// A passage that can be taken.
struct Route {
    passage: Passage,
    /// Which URL was reached last.
    reached: AtomicUsize,
}

/// Passes requests on. Cheap to clone.
#[derive(Clone)]
pub struct Proxy(Arc<Table>);

struct Table {
    /// The longest prefix first.
    routes: Vec<Route>,
    client: reqwest::Client,
    limits: ProxyLimits,
}

impl Proxy {
    /// # Errors
    /// [`ProxyError`], when a URL is none, or the HTTP client cannot be made.
    pub fn new(passages: Vec<Passage>, limits: ProxyLimits) -> Result<Self, ProxyError> {
        for passage in &passages {
            let prefix = passage.prefix;
            let bad = passage.urls.iter().find(|url| !usable(url)).cloned();
            if let Some(url) = bad.or_else(|| passage.urls.is_empty().then(String::new)) {
                return Err(ProxyError::Url { prefix, url });
            }
        }
        let client_limits = ClientLimits {
            connect_timeout: limits.connect_timeout,
            total_timeout: limits.answer_timeout,
            ..ClientLimits::default()
        };
        let client = internal_client(&client_limits, None)?;
        let route = |passage| Route { passage, reached: AtomicUsize::new(0) };
        let mut routes: Vec<Route> = passages.into_iter().map(route).collect();
        routes.sort_by_key(|route| std::cmp::Reverse(route.passage.prefix.len()));
        Ok(Self(Arc::new(Table { routes, client, limits })))
    }

    /// A router that serves what `router` does and passes on the rest of what the table names.
    ///
    /// Call it before `service_kit::request_layer::wrap`, which answers what is left. Inside
    /// `auth::protect`, nothing is passed on for a caller without an identity; the process that the
    /// request goes to establishes it anew in any case.
    pub fn complete(self, router: Router) -> Router {
        let otherwise = self.clone();
        let mut router = router.method_not_allowed_fallback(move |request: Request| {
            let proxy = otherwise.clone();
            async move { proxy.pass(request, method_not_allowed).await }
        });
        for route in &self.0.routes {
            let prefix = route.passage.prefix;
            for path in [prefix.to_owned(), format!("{prefix}/{{*rest}}")] {
                let proxy = self.clone();
                let pass = any(move |request: Request| {
                    let proxy = proxy.clone();
                    async move { proxy.pass(request, route_not_found).await }
                });
                router = router.route(&path, pass);
            }
        }
        router
    }

    async fn pass(self, request: Request, otherwise: fn(&Method) -> Problem) -> Response {
        let path = request.uri().path();
        let fits = |route: &&Route| {
            let prefix = route.passage.prefix;
            let rest = path.strip_prefix(prefix);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        match self.0.routes.iter().find(fits) {
            Some(route) if route.passage.methods.include(request.method()) => {
                let passing = forward::forward(&self.0, route, request);
                passing.await.unwrap_or_else(Problem::into_response)
            }
            _ => otherwise(request.method()).into_response(),
        }
    }
}

fn usable(url: &str) -> bool {
    reqwest::Url::parse(url).is_ok_and(|url| url.scheme() == "http" && url.has_host())
}

/// Whether requests of that method change something.
fn writes(method: &Method) -> bool {
    matches!(*method, Method::POST | Method::PUT | Method::PATCH | Method::DELETE)
}

fn route_not_found(_: &Method) -> Problem {
    Problem::not_found("route_not_found", "No such route. /openapi.json lists them all.")
}

fn method_not_allowed(method: &Method) -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "Method not allowed")
        .detail(format!("This route does not take {method}; the header Allow names what it takes."))
}
