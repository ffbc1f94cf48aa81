//! Counts and times HTTP requests: `waylog_http_requests_total` and
//! `waylog_http_request_duration_seconds`, both by `method`, `route` and `status`.
//!
//! The handles of a series are looked up once and kept, so that a request costs two atomic
//! operations and a hash of its route, and no allocation. `route` is the route's pattern, so the
//! number of series is bounded by the router; unknown methods are counted as `other`.

use std::collections::HashMap;
use std::sync::{LazyLock, PoisonError, RwLock};
use std::time::Duration;

use http::Method;
use metrics::{Counter, Histogram, counter, histogram};

/// Requests answered.
pub const REQUESTS_TOTAL: &str = "waylog_http_requests_total";
/// Seconds from the request's head to the answer's.
pub const REQUEST_DURATION_SECONDS: &str = "waylog_http_request_duration_seconds";

#[derive(Clone)]
struct Series {
    method: &'static str,
    status: u16,
    requests: Counter,
    duration: Histogram,
}

static SERIES: LazyLock<RwLock<HashMap<Box<str>, Vec<Series>>>> = LazyLock::new(RwLock::default);

/// Records one request. Before the recorder is installed (see [`crate::telemetry`]) nothing is
/// kept, and nothing ever will be for a series first seen then: install it before serving.
pub(crate) fn record(method: &Method, route: &str, status: u16, duration: Duration) {
    let method = name(method);
    let matches = |series: &&Series| series.status == status && series.method == method;
    {
        let known = SERIES.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(series) = known.get(route).and_then(|all| all.iter().find(matches)) {
            series.requests.increment(1);
            series.duration.record(duration);
            return;
        }
    }
    let mut known = SERIES.write().unwrap_or_else(PoisonError::into_inner);
    let all = known.entry(route.into()).or_default();
    let series = match all.iter().position(|series| matches(&series)) {
        Some(place) => &all[place],
        None => {
            all.push(Series::new(method, route, status));
            &all[all.len() - 1]
        }
    };
    series.requests.increment(1);
    series.duration.record(duration);
}

impl Series {
    fn new(method: &'static str, route: &str, status: u16) -> Self {
        let labels = [
            ("method", method.to_owned()),
            ("route", route.to_owned()),
            ("status", status.to_string()),
        ];
        Self {
            method,
            status,
            requests: counter!(REQUESTS_TOTAL, &labels),
            duration: histogram!(REQUEST_DURATION_SECONDS, &labels),
        }
    }
}

/// A method can be any token; only the known ones may become labels.
fn name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}
