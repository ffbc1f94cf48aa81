//! What the process tells of itself: log lines on standard error, metrics at `/metrics`.
//!
//! Metrics are called `waylog_<component>_<what>` with the unit or kind last: `_total` for
//! counters, `_seconds` and `_bytes` for what is measured, nothing for gauges that count. Labels
//! have few values: routes, not paths; codes, not messages; never ids.
//! Everything called `…_seconds` is a histogram over [`SECONDS_BUCKETS`].

use std::backtrace::Backtrace;
use std::io::IsTerminal as _;
use std::panic::PanicHookInfo;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use http::header::CONTENT_TYPE;
use metrics::{Unit, describe_counter, describe_gauge, describe_histogram, gauge};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::filter::{EnvFilter, ParseError};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};
use tracing_subscriber::{Layer as _, fmt};

use crate::config::{LogFormat, TelemetrySection};
use crate::http_metrics::{REQUEST_DURATION_SECONDS, REQUESTS_TOTAL};
use crate::json_log::JsonLog;

/// Upper bounds of the histograms of everything that takes time, in seconds.
pub const SECONDS_BUCKETS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// How often recorded samples are moved into their buckets when nobody scrapes; what bounds them.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

/// Why telemetry could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The log level is neither a level nor directives.
    #[error("the log level {given:?} cannot be read")]
    LogLevel {
        /// What was configured.
        given: String,
        /// What is wrong with it.
        #[source]
        cause: ParseError,
    },
    /// Logging was set up before.
    #[error("logging is set up already")]
    Logging(#[source] TryInitError),
    /// Metrics were set up before.
    #[error("metrics cannot be recorded")]
    Metrics(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl TelemetryError {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::LogLevel { .. } => "invalid_log_level",
            Self::Logging(_) => "logging_set_up_twice",
            Self::Metrics(_) => "metrics_not_set_up",
        }
    }
}

/// Sends log lines to standard error from here on, panics among them. Once per process.
///
/// # Errors
/// [`TelemetryError::LogLevel`] and [`TelemetryError::Logging`].
pub fn init_logging(section: &TelemetrySection) -> Result<(), TelemetryError> {
    let filter = EnvFilter::try_new(&section.log_level)
        .map_err(|cause| TelemetryError::LogLevel { given: section.log_level.clone(), cause })?;
    let terminal = std::io::stderr().is_terminal();
    let json = match section.log_format {
        LogFormat::Json => true,
        LogFormat::Text => false,
        LogFormat::Auto => !terminal,
    };
    let layer = if json {
        JsonLog::new(std::io::stderr).boxed()
    } else {
        fmt::layer().with_writer(std::io::stderr).with_ansi(terminal).boxed()
    };
    tracing_subscriber::registry()
        .with(filter)
        .with(layer)
        .try_init()
        .map_err(TelemetryError::Logging)?;
    std::panic::set_hook(Box::new(log_panic));
    Ok(())
}

fn log_panic(panic: &PanicHookInfo<'_>) {
    let location = panic.location().map(ToString::to_string);
    // Captured only when RUST_BACKTRACE asks for it.
    let backtrace = Backtrace::capture();
    tracing::error!(
        location = location.as_deref(),
        thread = std::thread::current().name(),
        %backtrace,
        "panicked: {}",
        panic.payload_as_str().unwrap_or("with something that is not text")
    );
}

/// The metrics of the process. Cheap to clone.
#[derive(Clone)]
pub struct Metrics(PrometheusHandle);

/// What was built, as `waylog_build_info`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Build {
    /// The released version.
    pub version: &'static str,
    /// The commit, or `unknown`.
    pub revision: &'static str,
}

/// Records metrics from here on. Once per process, before anything is served.
///
/// # Errors
/// [`TelemetryError::Metrics`].
pub fn init_metrics(build: Build) -> Result<Metrics, TelemetryError> {
    let recorder = builder().map_err(metrics_error)?.build_recorder();
    let handle = recorder.handle();
    metrics::set_global_recorder(recorder).map_err(metrics_error)?;
    describe(build);
    Ok(Metrics(handle))
}

fn metrics_error(error: impl std::error::Error + Send + Sync + 'static) -> TelemetryError {
    TelemetryError::Metrics(Box::new(error))
}

fn builder() -> Result<PrometheusBuilder, BuildError> {
    let seconds = Matcher::Suffix("_seconds".to_owned());
    PrometheusBuilder::new().set_buckets_for_metric(seconds, &SECONDS_BUCKETS)
}

fn describe(build: Build) {
    describe_counter!(REQUESTS_TOTAL, "HTTP requests answered");
    describe_histogram!(
        REQUEST_DURATION_SECONDS,
        Unit::Seconds,
        "From a request's head to the head of its answer"
    );
    describe_counter!(
        "waylog_http_connections_refused_total",
        "Connections answered 503 because too many were open"
    );
    describe_gauge!("waylog_build_info", "Always 1; the labels say what was built");
    gauge!("waylog_build_info", "version" => build.version, "revision" => build.revision).set(1.0);
}

impl Metrics {
    /// In Prometheus' text format.
    #[must_use]
    pub fn render(&self) -> String {
        self.0.render()
    }

    /// `GET /metrics`.
    pub fn router(&self) -> Router {
        let metrics = self.clone();
        let text = [(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
        Router::new().route("/metrics", get(async move || (text, metrics.render())))
    }

    /// Keeps the memory of samples bounded until `stop`, whether anybody scrapes or not.
    pub async fn upkeep(self, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(UPKEEP_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let forever = async {
            loop {
                ticks.tick().await;
                self.0.run_upkeep();
            }
        };
        let ended: Option<std::convert::Infallible> = stop.run_until_cancelled(forever).await;
        debug_assert!(ended.is_none(), "only the token ends it");
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use http::Request;
    use tower::ServiceExt as _;

    use super::*;

    async fn get_text(router: Router, path: &str) -> String {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let body = router.oneshot(request).await.unwrap().into_body();
        let bytes = axum::body::to_bytes(body, 1 << 20).await.unwrap();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    /// The only test of this crate that installs the process-wide recorder.
    #[tokio::test]
    async fn requests_are_counted_and_timed_by_route_method_and_status() {
        let metrics = init_metrics(Build { version: "1.2.3", revision: "abc" }).unwrap();
        let api = Router::new().route("/counted/{id}", get(|| async { "here" }));
        let router = api.merge(metrics.router());
        let router = crate::request_layer::wrap(router, Duration::from_secs(10));
        let twice = init_metrics(Build { version: "1.2.3", revision: "abc" });

        for path in ["/counted/1", "/counted/2", "/counted/1/nowhere"] {
            get_text(router.clone(), path).await;
        }
        let text = get_text(router, "/metrics").await;

        assert_eq!(twice.err().map(|error| error.code()), Some("metrics_not_set_up"));
        let counted = r#"{method="GET",route="/counted/{id}",status="200""#;
        let unmatched = r#"{method="GET",route="unmatched",status="404""#;
        for line in [
            format!("waylog_http_requests_total{counted}}} 2"),
            format!("waylog_http_requests_total{unmatched}}} 1"),
            format!("waylog_http_request_duration_seconds_bucket{counted},le=\"+Inf\"}} 2"),
            format!("waylog_http_request_duration_seconds_count{counted}}} 2"),
            r#"waylog_build_info{version="1.2.3",revision="abc"} 1"#.to_owned(),
        ] {
            assert!(text.contains(&line), "{line}\nis not in\n{text}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn upkeep_ends_when_it_is_told_to() {
        let metrics = Metrics(builder().unwrap().build_recorder().handle());
        let stop = CancellationToken::new();
        let upkeep = tokio::spawn(metrics.upkeep(stop.clone()));

        stop.cancel();

        assert!(upkeep.await.is_ok());
    }

    #[test]
    fn a_log_level_that_cannot_be_read_is_refused() {
        let section =
            TelemetrySection { log_format: LogFormat::Json, log_level: "waylog=loud".to_owned() };

        let error = init_logging(&section).unwrap_err();

        assert_eq!(error.code(), "invalid_log_level");
    }
}
