//! Log lines as JSON: one object a line, flat.
//!
//! `timestamp`, `level`, `target` and `message` come first; then, as members of the same object,
//! the fields of the spans around the event (outermost first, so that an inner one wins) and the
//! fields of the event, which win over all. A field that is called like one of the four is
//! written with a `_` behind its name.

use std::fmt;
use std::io::Write as _;
use std::time::SystemTime;

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime as Rfc3339};
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

/// Writes events as JSON to what `make_writer` makes.
pub(crate) struct JsonLog<W> {
    make_writer: W,
}

impl<W> JsonLog<W> {
    pub(crate) fn new(make_writer: W) -> Self {
        Self { make_writer }
    }
}

/// The fields of a span, kept with it.
struct SpanFields(Fields);

#[derive(Default)]
struct Fields(Vec<(&'static str, Value)>);

impl Fields {
    fn set(&mut self, field: &Field, value: impl Into<Value>) {
        let (name, value) = (field.name(), value.into());
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => *known = value,
            None => self.0.push((name, value)),
        }
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        // What JSON cannot say (NaN, infinities) becomes null.
        self.set(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.set(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.set(field, format!("{value:?}"));
    }
}

impl<S, W> Layer<S> for JsonLog<W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + 'static,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let span = context.span(id).expect("the registry knows a span that it just made");
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        span.extensions_mut().insert(SpanFields(fields));
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let span = context.span(id).expect("the registry knows a span that is being recorded");
        if let Some(SpanFields(fields)) = span.extensions_mut().get_mut() {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut members = Map::new();
        for span in context.event_scope(event).into_iter().flat_map(|scope| scope.from_root()) {
            if let Some(SpanFields(fields)) = span.extensions().get() {
                members.extend(fields.0.iter().map(|(name, value)| (key(name), value.clone())));
            }
        }
        let mut fields = Fields::default();
        event.record(&mut fields);
        let mut message = Value::Null;
        for (name, value) in fields.0 {
            match name {
                "message" => message = value,
                _ => {
                    members.insert(key(name), value);
                }
            }
        }
        let metadata = event.metadata();
        let mut line = format!("{{\"timestamp\":\"{}\"", now());
        let first = [
            ("level", Value::from(metadata.level().as_str())),
            ("target", metadata.target().into()),
            ("message", message),
        ];
        let first = first.into_iter().map(|(name, value)| (name.to_owned(), value));
        for (name, value) in first.chain(members) {
            line.push(',');
            line.push_str(&Value::from(name).to_string());
            line.push(':');
            line.push_str(&value.to_string());
        }
        line.push_str("}\n");
        let written = self.make_writer.make_writer_for(metadata).write_all(line.as_bytes());
        if written.is_err() {
            // Where the log itself cannot be written, only the metrics can tell.
            metrics::counter!("waylog_log_lines_lost_total").increment(1);
        }
    }
}

fn key(name: &str) -> String {
    match name {
        "timestamp" | "level" | "target" | "message" => format!("{name}_"),
        _ => name.to_owned(),
    }
}

/// RFC 3339, UTC, microseconds.
fn now() -> String {
    let mut text = String::with_capacity(32);
    match Rfc3339.format_time(&mut Writer::new(&mut text)) {
        Ok(()) => text,
        Err(fmt::Error) => format!("{:?}", SystemTime::now()),
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    #[derive(Clone, Default)]
    struct Memory(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Memory {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(work: impl FnOnce()) -> Vec<Value> {
        let memory = Memory::default();
        let make = memory.clone();
        let log = JsonLog::new(move || make.clone());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(log), work);
        let text = String::from_utf8(memory.0.lock().unwrap().clone()).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn a_line_holds_the_event_and_all_spans_around_it_in_one_object() {
        let lines = logged(|| {
            let request = tracing::info_span!("request", correlation_id = "abc", depth = 1);
            let _request = request.enter();
            let _inner = tracing::info_span!("decide", depth = 2).entered();
            tracing::warn!(target: "waylog::lane", seats = 3, ok = false, "two\nlines");
        });

        let line = &lines[0];
        assert_eq!(lines.len(), 1);
        assert_eq!((&line["level"], &line["target"]), (&"WARN".into(), &"waylog::lane".into()));
        assert_eq!(line["message"], "two\nlines");
        assert_eq!((&line["correlation_id"], &line["depth"]), (&"abc".into(), &2.into()));
        assert_eq!((&line["seats"], &line["ok"]), (&3.into(), &false.into()));
        let timestamp = line["timestamp"].as_str().unwrap();
        assert!(timestamp.ends_with('Z') && timestamp.len() == 27, "{timestamp}");
    }

    #[test]
    fn a_field_recorded_later_is_there_and_none_displaces_the_four() {
        let lines = logged(|| {
            let span = tracing::info_span!("s", late = tracing::field::Empty, level = "deep");
            let _span = span.enter();
            span.record("late", "yes");
            tracing::info!(target_count = 1, f = f64::NAN, "m");
        });

        assert_eq!(lines[0]["late"], "yes");
        assert_eq!((&lines[0]["level"], &lines[0]["level_"]), (&"INFO".into(), &"deep".into()));
        assert_eq!(lines[0]["f"], Value::Null);
    }

    #[test]
    fn every_line_inside_a_request_carries_its_correlation_id() {
        use axum::{Router, body::Body, routing::get};
        use tower::ServiceExt as _;

        let id = "01890a5d-ac96-774b-bcce-b302099a8057";
        let lines = logged(|| {
            let handler = get(async || tracing::info!("inside"));
            let router = crate::request_layer::wrap(
                Router::new().route("/things/{id}", handler),
                std::time::Duration::from_secs(10),
            );
            let request = http::Request::get("/things/7").header("x-request-id", id);
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
            let answer = router.oneshot(request.body(Body::empty()).unwrap());
            runtime.unwrap().block_on(answer).unwrap();
        });

        let of = |message: &str| lines.iter().find(|line| line["message"] == message).unwrap();
        assert_eq!(of("inside")["correlation_id"], id);
        let access = of("request");
        assert_eq!((&access["correlation_id"], &access["status"]), (&id.into(), &200.into()));
        assert_eq!((&access["method"], &access["route"]), (&"GET".into(), &"/things/{id}".into()));
        assert!(access["duration_ms"].is_number());
    }

    #[test]
    fn a_client_that_leaves_before_its_answer_is_logged_as_499() {
        use axum::{Router, body::Body, routing::get};
        use futures::FutureExt as _;
        use tower::ServiceExt as _;

        let lines = logged(|| {
            let router = crate::request_layer::wrap(
                Router::new().route("/", get(std::future::pending::<()>)),
                std::time::Duration::from_secs(10),
            );
            let request = http::Request::get("/").body(Body::empty()).unwrap();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
            // Polled once, then dropped.
            let answer =
                runtime.unwrap().block_on(async { router.oneshot(request).now_or_never() });
            assert!(answer.is_none());
        });

        assert_eq!((&lines[0]["message"], &lines[0]["status"]), (&"request".into(), &499.into()));
    }
}
