//! `waylog events show` and `waylog events tail`: the log as it is, without read models.

use std::time::Duration;

use domain::{PositionVector, StreamName};
use event_log::{Codec, LogEvent, LogRecord};
use serde_json::{Value, json};

use crate::log::{self, OpenLog, Use};
use crate::output::{Ended, Format, complain};
use crate::reading;
use crate::settings::Places;
use crate::unseal::Unsealer;

/// Which events to print.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Events {
    /// Every event of one stream, by version
    Show {
        /// The stream, such as itinerary-018f4e2a-7c3b-7def-8123-456789abcdef
        stream: StreamName,
        /// How to print them; as JSON, with all they carry, an object a line
        #[arg(long, value_enum, default_value_t)]
        output: Format,
        #[command(flatten)]
        places: Places,
    },
    /// Events as they are appended, until interrupted
    Tail {
        /// Begin at the first event instead of at the present end
        #[arg(long)]
        from_start: bool,
        /// End after that many events
        #[arg(long)]
        limit: Option<usize>,
        /// How to print them; as JSON, with all they carry, an object a line
        #[arg(long, value_enum, default_value_t)]
        output: Format,
        #[command(flatten)]
        places: Places,
    },
}

/// Prints what was asked for.
///
/// # Errors
/// When the log cannot be read.
pub(crate) fn run(events: Events) -> anyhow::Result<Ended> {
    match events {
        Events::Show { stream, output, places } => show(&stream, output, &places),
        Events::Tail { from_start, limit, output, places } => {
            tail(from_start, limit, output, &places)
        }
    }
}

fn show(stream: &StreamName, format: Format, places: &Places) -> anyhow::Result<Ended> {
    let OpenLog { log, codec, .. } = log::open(places, Use::Read)?;
    let unsealer = Unsealer::of(places)?;
    let partition = log.topology().partition(stream);
    let mut printer = Printer::new(format, &codec, &unsealer);
    reading::scan(&*log, &[partition], |record| {
        if let LogRecord::Event(event) = &record
            && event.envelope.stream == *stream
        {
            printer.print(&record)?;
        }
        Ok(())
    })?;
    if printer.printed == 0 {
        complain(format_args!("there are no events of {stream}"));
        return Ok(Ended::No);
    }
    Ok(Ended::Done)
}

fn tail(
    from_start: bool,
    limit: Option<usize>,
    format: Format,
    places: &Places,
) -> anyhow::Result<Ended> {
    let OpenLog { log, codec, .. } = log::open(places, Use::Read)?;
    let unsealer = Unsealer::of(places)?;
    let start = if from_start { PositionVector::empty() } else { log.end()? };
    let mut reader = log.reader(&start, &[])?;
    let limit = limit.unwrap_or(usize::MAX);
    let mut printer = Printer::new(format, &codec, &unsealer);
    while printer.printed < limit {
        let left = limit - printer.printed;
        for record in reader.poll(left.min(1000), Duration::from_millis(500))? {
            printer.print(&record)?;
        }
    }
    Ok(Ended::Done)
}

/// Prints records one after the other, a line each.
struct Printer<'a> {
    format: Format,
    codec: &'a Codec,
    unsealer: &'a Unsealer,
    printed: usize,
}

impl<'a> Printer<'a> {
    fn new(format: Format, codec: &'a Codec, unsealer: &'a Unsealer) -> Self {
        Self { format, codec, unsealer, printed: 0 }
    }

    fn print(&mut self, record: &LogRecord) -> anyhow::Result<()> {
        if matches!(record, LogRecord::Opened(_)) {
            return Ok(());
        }
        if self.printed == 0 && self.format == Format::Table {
            line(["position", "time", "version", "stream", "type"]);
        }
        self.printed += 1;
        match (self.format, record) {
            (Format::Json, LogRecord::Event(event)) => {
                let event = shown(self.codec, self.unsealer, event)?;
                crate::output::say(format_args!("{event}"));
            }
            (Format::Json, record) => {
                let (position, key, reason) = unreadable(record);
                let record = json!({ "position": position, "stream": key, "unreadable": reason });
                crate::output::say(format_args!("{record}"));
            }
            (Format::Table, LogRecord::Event(event)) => {
                let envelope = &event.envelope;
                line([
                    &event.position.to_string(),
                    &envelope.recorded_at.to_string(),
                    &envelope.version.to_string(),
                    &envelope.stream.to_string(),
                    &envelope.event_type,
                ]);
            }
            (Format::Table, record) => {
                let (position, key, reason) = unreadable(record);
                line([&position, "-", "-", &key, &format!("unreadable: {reason}")]);
            }
        }
        Ok(())
    }
}

/// A record that is no event, in words.
fn unreadable(record: &LogRecord) -> (String, String, String) {
    let position = record.position().to_string();
    match record {
        LogRecord::Unreadable(record) => (position, record.key.clone(), record.reason.clone()),
        _ => (position, String::new(), String::new()),
    }
}

/// A row whose columns stay where they are, although what follows is not known yet.
fn line([position, time, version, stream, kind]: [&str; 5]) {
    crate::output::say(format_args!("{position:<10} {time:<27} {version:>7} {stream:<48} {kind}"));
}

/// An event as the API shows it; personal data sealed where the keys cannot be had.
fn shown(codec: &Codec, unsealer: &Unsealer, event: &LogEvent) -> anyhow::Result<Value> {
    let envelope = &event.envelope;
    let mut data = match codec.decode(&envelope.event_type, &event.value) {
        Ok(decoded) => serde_json::to_value(decoded).unwrap_or(Value::Null),
        Err(error) => json!({ "unreadable": error.to_string() }),
    };
    unsealer.open(&envelope.stream, &mut data)?;
    Ok(json!({
        "position": event.position.to_string(),
        "stream": envelope.stream,
        "version": envelope.version,
        "type": envelope.event_type,
        "time": envelope.recorded_at,
        "actor": envelope.actor,
        "tenant": envelope.tenant,
        "correlation_id": envelope.correlation_id,
        "causation_id": envelope.causation_id,
        "command_id": envelope.command_id,
        "hash": envelope.hash,
        "data": data,
    }))
}
