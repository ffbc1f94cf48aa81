//! `waylog events show` and `waylog events tail`: the log as it is, without read models.

use std::io::Write as _;
use std::time::Duration;

use domain::{PositionVector, StreamName};
use event_log::{Codec, LogEvent, LogRecord};
use serde_json::{Value, json};

use crate::log::{self, OpenLog, Use};
use crate::output::Ended;
use crate::reading;
use crate::settings::Places;
use crate::unseal::Unsealer;

/// Which events to print; one JSON object a line.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Events {
    /// Every event of one stream, by version
    Show {
        /// The stream, such as itinerary-018f4e2a-7c3b-7def-8123-456789abcdef
        stream: StreamName,
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
        Events::Show { stream, places } => show(&stream, &places),
        Events::Tail { from_start, limit, places } => tail(from_start, limit, &places),
    }
}

fn show(stream: &StreamName, places: &Places) -> anyhow::Result<Ended> {
    let OpenLog { log, codec } = log::open(places, Use::Read)?;
    let unsealer = Unsealer::of(places)?;
    let partition = log.topology().partition(stream);
    let mut found = Ended::No;
    let mut output = std::io::stdout().lock();
    reading::scan(&*log, &[partition], |record| {
        if let LogRecord::Event(event) = record
            && event.envelope.stream == *stream
        {
            found = Ended::Done;
            writeln!(output, "{}", printed(&codec, &unsealer, &event)?)?;
        }
        Ok(())
    })?;
    Ok(found)
}

fn tail(from_start: bool, limit: Option<usize>, places: &Places) -> anyhow::Result<Ended> {
    let OpenLog { log, codec } = log::open(places, Use::Read)?;
    let unsealer = Unsealer::of(places)?;
    let start = if from_start { PositionVector::empty() } else { log.end()? };
    let mut reader = log.reader(&start, &[])?;
    let mut left = limit.unwrap_or(usize::MAX);
    let mut output = std::io::stdout().lock();
    while left > 0 {
        for record in reader.poll(left.min(1000), Duration::from_millis(500))? {
            let line = match record {
                LogRecord::Event(event) => printed(&codec, &unsealer, &event)?,
                LogRecord::Opened(_) => continue,
                LogRecord::Unreadable(record) => json!({
                    "position": record.position.to_string(),
                    "stream": record.key,
                    "unreadable": record.reason,
                }),
            };
            match writeln!(output, "{line}") {
                // Whoever reads has seen enough, as `head` does.
                Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {
                    return Ok(Ended::Done);
                }
                written => written?,
            }
            left -= 1;
        }
        output.flush()?;
    }
    Ok(Ended::Done)
}

/// An event as the API shows it; personal data sealed where the keys cannot be had.
fn printed(codec: &Codec, unsealer: &Unsealer, event: &LogEvent) -> anyhow::Result<Value> {
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
