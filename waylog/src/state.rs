//! `waylog state`: an aggregate as it was at any version or instant, folded from the log.

use clap::Args;
use domain::{State, StreamName, Timestamp};
use event_log::LogRecord;
use serde_json::json;

use crate::log::{self, OpenLog, Use};
use crate::output::{Ended, complain};
use crate::reading;
use crate::settings::Places;
use crate::unseal::Unsealer;

/// Which state.
#[derive(Debug, Args)]
pub(crate) struct Question {
    /// The stream
    stream: StreamName,
    /// After this version instead of the last
    #[arg(long, conflicts_with = "at")]
    at_version: Option<u64>,
    /// At this instant (RFC 3339)
    #[arg(long)]
    at: Option<Timestamp>,
    #[command(flatten)]
    places: Places,
}

/// Prints the state as JSON.
///
/// # Errors
/// When the log cannot be read, or an event is of a type that this program does not know.
pub(crate) fn run(question: &Question) -> anyhow::Result<Ended> {
    let OpenLog { log, codec, .. } = log::open(&question.places, Use::Read)?;
    let stream = question.stream;
    let mut state = Some(State::initial(stream.category));
    let (mut version, mut time) = (0, None);
    reading::scan(&*log, &[log.topology().partition(&stream)], |record| {
        let LogRecord::Event(event) = record else { return Ok(()) };
        let envelope = &event.envelope;
        let wanted = question.at_version.is_none_or(|last| envelope.version <= last)
            && question.at.is_none_or(|at| envelope.recorded_at <= at);
        if envelope.stream == stream && wanted {
            let decoded = codec.decode(&envelope.event_type, &event.value)?;
            state = state.take().map(|state| state.evolve(&decoded));
            (version, time) = (envelope.version, Some(envelope.recorded_at));
        }
        Ok(())
    })?;
    if version == 0 {
        complain(format_args!("there is no event of {stream} up to there"));
        return Ok(Ended::No);
    }
    if let Some(wanted) = question.at_version.filter(|wanted| *wanted > version) {
        complain(format_args!("{stream} has no version {wanted} yet: it is at {version}"));
        return Ok(Ended::No);
    }
    let mut state = serde_json::to_value(state)?;
    Unsealer::of(&question.places)?.open(&stream, &mut state)?;
    let answer = json!({ "stream": stream, "version": version, "time": time, "state": state });
    crate::output::say(format_args!("{answer:#}"));
    Ok(Ended::Done)
}
