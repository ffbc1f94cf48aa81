//! Whether the process lives, and whether it can do its work.
//!
//! `/health/live` answers 200 as long as requests are answered at all. `/health/ready` runs every
//! registered check in parallel, each with a deadline, and answers 200 or 503 with the list and
//! the reasons; a warning is shown and fails nothing. A report is reused for
//! [`REPORT_REUSE`], so that eager probes do not become load on what is being probed. Once
//! the process is told to stop, it is not ready: balancers turn away before the listener closes.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use futures::FutureExt as _;
use futures::future::{BoxFuture, join_all};
use http::StatusCode;
use http::header::{CACHE_CONTROL, HeaderValue};
use serde::Serialize;
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;

use crate::json::Json;

/// How long a report answers for.
pub const REPORT_REUSE: Duration = Duration::from_millis(250);

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// All is well.
    Passing,
    /// It works, but somebody should know.
    Warning(String),
    /// It does not work.
    Failing(String),
}

/// The state of a check or of all together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// All is well.
    Passing,
    /// It works, but somebody should know.
    Warning,
    /// It does not work.
    Failing,
}

/// One check in a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct CheckReport {
    /// What was checked.
    pub name: &'static str,
    /// What was found.
    pub status: Status,
    /// Why, unless it passed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The answer of `/health/ready`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ReadyReport {
    /// The worst of all checks.
    pub status: Status,
    /// Every check, in the order of registration.
    pub checks: Vec<CheckReport>,
}

type Check = Arc<dyn Fn() -> BoxFuture<'static, Finding> + Send + Sync>;

/// The checks of a process. Cheap to clone.
#[derive(Clone)]
pub struct Health(Arc<Registry>);

struct Registry {
    deadline: Duration,
    stopping: CancellationToken,
    checks: Mutex<Vec<(&'static str, Check)>>,
    latest: tokio::sync::Mutex<Option<(Instant, ReadyReport)>>,
}

impl Health {
    /// Each check may take `deadline`; cancelling `stopping` makes the process unready.
    #[must_use]
    pub fn new(deadline: Duration, stopping: CancellationToken) -> Self {
        Self(Arc::new(Registry {
            deadline,
            stopping,
            checks: Mutex::default(),
            latest: tokio::sync::Mutex::default(),
        }))
    }

    /// Adds a check; it counts from the next report on.
    pub fn register<F>(&self, name: &'static str, check: impl Fn() -> F + Send + Sync + 'static)
    where
        F: Future<Output = Finding> + Send + 'static,
    {
        let check: Check = Arc::new(move || check().boxed());
        self.0.checks.lock().unwrap_or_else(PoisonError::into_inner).push((name, check));
    }

    /// Runs all checks, unless they have just been run.
    pub async fn ready(&self) -> ReadyReport {
        if self.0.stopping.is_cancelled() {
            let reason = Some("the process is stopping".to_owned());
            let check = CheckReport { name: "process", status: Status::Failing, reason };
            return ReadyReport { status: Status::Failing, checks: vec![check] };
        }
        // Held while the checks run: whoever asks meanwhile waits for the same report. Bounded by
        // the checks' deadline.
        let mut latest = self.0.latest.lock().await;
        if let Some((at, report)) = &*latest
            && at.elapsed() < REPORT_REUSE
        {
            return report.clone();
        }
        let checks = self.0.checks.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let deadline = self.0.deadline;
        let runs = checks.into_iter().map(|(name, check)| run(name, check, deadline));
        let checks = join_all(runs).await;
        let status = checks.iter().map(|check| check.status).max().unwrap_or(Status::Passing);
        let report = ReadyReport { status, checks };
        *latest = Some((Instant::now(), report.clone()));
        report
    }

    /// `/health/live` and `/health/ready`.
    pub fn router(&self) -> Router {
        let health = self.clone();
        Router::new()
            .route("/health/live", get(async || Json(serde_json::json!({ "status": "passing" }))))
            .route("/health/ready", get(async move || answer(health.ready().await)))
    }
}

async fn run(name: &'static str, check: Check, deadline: Duration) -> CheckReport {
    let checked = AssertUnwindSafe(async { check().await }).catch_unwind();
    let (status, reason) = match tokio::time::timeout(deadline, checked).await {
        Ok(Ok(Finding::Passing)) => (Status::Passing, None),
        Ok(Ok(Finding::Warning(reason))) => (Status::Warning, Some(reason)),
        Ok(Ok(Finding::Failing(reason))) => (Status::Failing, Some(reason)),
        Ok(Err(_)) => (Status::Failing, Some("the check panicked".to_owned())),
        Err(_) => (Status::Failing, Some(format!("no answer within {deadline:?}"))),
    };
    CheckReport { name, status, reason }
}

fn answer(report: ReadyReport) -> Response {
    let status = match report.status {
        Status::Passing | Status::Warning => StatusCode::OK,
        Status::Failing => StatusCode::SERVICE_UNAVAILABLE,
    };
    let mut response = Json(report).into_response();
    *response.status_mut() = status;
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use axum::body::Body;
    use http::Request;
    use serde_json::{Value, json};
    use tower::ServiceExt as _;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    async fn ask(health: &Health, path: &str) -> (u16, Value) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = health.router().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let body = axum::body::to_bytes(response.into_body(), 10_000).await.unwrap();
        (status, serde_json::from_slice(&body).unwrap())
    }

    #[tokio::test]
    async fn a_warning_is_shown_and_fails_nothing() {
        let health = Health::new(SECOND, CancellationToken::new());
        health.register("log", || async { Finding::Passing });
        health.register("brokers", || async { Finding::Warning("one broker".into()) });

        let (status, body) = ask(&health, "/health/ready").await;

        assert_eq!(status, 200);
        assert_eq!(
            body,
            json!({"status": "warning", "checks": [
                {"name": "log", "status": "passing"},
                {"name": "brokers", "status": "warning", "reason": "one broker"},
            ]})
        );
    }

    #[tokio::test(start_paused = true)]
    async fn whatever_a_check_does_the_others_are_reported() {
        let health = Health::new(SECOND, CancellationToken::new());
        health.register("fine", || async { Finding::Passing });
        health.register("failing", || async { Finding::Failing("no database".into()) });
        health.register("hanging", std::future::pending);
        health.register("clumsy", || async { panic!("on purpose") });

        let (status, body) = ask(&health, "/health/ready").await;

        assert_eq!(status, 503);
        let reasons = body["checks"].as_array().unwrap().iter().map(|check| &check["reason"]);
        assert_eq!(
            json!(reasons.collect::<Vec<_>>()),
            json!([null, "no database", "no answer within 1s", "the check panicked"])
        );
        assert_eq!(ask(&health, "/health/live").await.0, 200);
    }

    #[tokio::test]
    async fn probes_that_come_together_share_one_report() {
        let health = Health::new(SECOND, CancellationToken::new());
        let runs = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&runs);
        health.register("counted", move || {
            counted.fetch_add(1, Ordering::Relaxed);
            async { Finding::Passing }
        });

        let reports = join_all((0..10).map(|_| health.ready())).await;

        assert!(reports.iter().all(|report| report.status == Status::Passing));
        assert_eq!(runs.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn a_stopping_process_lives_but_is_not_ready() {
        let stopping = CancellationToken::new();
        let health = Health::new(SECOND, stopping.clone());

        stopping.cancel();

        assert_eq!(ask(&health, "/health/ready").await.0, 503);
        assert_eq!(ask(&health, "/health/live").await.0, 200);
    }
}
