//! Reading what one wrote: `Waylog-Wait-For`, `Waylog-Position`, `Waylog-Lag`.
//!
//! A query waits until the read model that it asks has read what the caller names, or says how far
//! behind it is. Every answer says at which position it is true, and how many seconds the read
//! model is behind the log's end, as far as that end is known.

mod gate;
mod wait_for;

use axum::response::{IntoResponseParts, ResponseParts};
use domain::{ConsistencyToken, LogId, PositionVector, StreamName};
use http::{HeaderName, HeaderValue, StatusCode};
use read_models::queries::ReadPosition;
use service_kit::Problem;

pub(crate) use self::gate::Gate;
pub use self::gate::WaitLimits;
pub(crate) use self::wait_for::{WaitFor, log_unknown, merge, tokens};
use crate::{LogEnd, QueryApi, failure};

const WAYLOG_POSITION: HeaderName = HeaderName::from_static("waylog-position");
const WAYLOG_LAG: HeaderName = HeaderName::from_static("waylog-lag");

/// The headers that say what a read model held when it answered.
pub(crate) struct Stamp {
    position: Option<HeaderValue>,
    lag: Option<HeaderValue>,
}

impl QueryApi {
    /// Waits until the projections have read what the caller wants to see.
    ///
    /// # Errors
    /// 503 `read_model_behind`, `read_store_unavailable` or `unavailable`.
    pub(crate) async fn reach(
        &self,
        wait: &WaitFor,
        projections: &[&'static str],
    ) -> Result<(), Problem> {
        if !wait.wanted() {
            return Ok(());
        }
        let log = self.log_id().ok_or_else(log_unknown)?;
        for projection in projections {
            self.0.gate.reach(projection, &wait.0, log).await?;
        }
        Ok(())
    }

    /// Tells a caller who waited that the projection does not follow the stream: what was waited
    /// for will not come before an operator has seen to it. Who did not wait takes what there is.
    ///
    /// # Errors
    /// 503 `stream_parked`.
    pub(crate) async fn followed(
        &self,
        wait: &WaitFor,
        projection: &'static str,
        stream: StreamName,
    ) -> Result<(), Problem> {
        if !wait.wanted() {
            return Ok(());
        }
        let parked = self.0.queries.parked_stream(projection, &stream.to_string()).await;
        match parked.map_err(failure::of_query)?.value {
            Some(parked) if wait.0.includes(parked.position) => {
                Err(stream_parked(projection, stream))
            }
            _ => Ok(()),
        }
    }

    /// The headers for an answer that is true at that position.
    pub(crate) fn stamp(&self, at: &ReadPosition) -> Stamp {
        let token = self.log_id().map(|log| token(log, &at.vector));
        let lag = self.0.log.end().map(|end| HeaderValue::from_str(&lag_seconds(at, &end)));
        Stamp {
            position: token.and_then(|token| HeaderValue::try_from(token).ok()),
            lag: lag.and_then(Result::ok),
        }
    }

    /// The log that the read models are made from, when it is known.
    pub(crate) fn log_id(&self) -> Option<LogId> {
        self.0.log.log_id()
    }
}

/// A position as clients carry it.
pub(crate) fn token(log: LogId, vector: &PositionVector) -> String {
    ConsistencyToken { log, vector: vector.clone() }.to_string()
}

fn stream_parked(projection: &str, stream: StreamName) -> Problem {
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "stream_parked",
        "The read model does not follow this stream at present",
    )
    .detail("An event of it could not be read. It is durable, and shown once operators saw to it.")
    .fact("read_model", projection)
    .fact("stream", stream.to_string())
    .retry_after(std::time::Duration::from_secs(60))
}

/// Seconds between the newest event of the log and the newest one that was read (or the last time
/// that there was nothing else to read), with milliseconds; zero when everything was read.
fn lag_seconds(at: &ReadPosition, end: &LogEnd) -> String {
    let (Some(last), false) = (end.last_event_at, at.vector.covers(&end.vector)) else {
        return "0.000".to_owned();
    };
    let mut read = at.last_event_at.unwrap_or(last);
    if let Some((before, seen_at)) = &end.before
        && at.vector.covers(before)
    {
        read = read.max(*seen_at);
    }
    let micros = last.micros().saturating_sub(read.micros()).max(0);
    format!("{}.{:03}", micros / 1_000_000, micros % 1_000_000 / 1_000)
}

impl IntoResponseParts for Stamp {
    type Error = std::convert::Infallible;

    fn into_response_parts(self, mut parts: ResponseParts) -> Result<ResponseParts, Self::Error> {
        let headers = parts.headers_mut();
        for (name, value) in [(WAYLOG_POSITION, self.position), (WAYLOG_LAG, self.lag)] {
            if let Some(value) = value {
                headers.insert(name, value);
            }
        }
        Ok(parts)
    }
}

#[cfg(test)]
mod tests {
    use domain::Timestamp;

    use super::*;

    fn position(vector: &str, last: Option<i64>) -> ReadPosition {
        ReadPosition {
            version: 1,
            generation: 1,
            vector: vector.parse().unwrap(),
            last_event_at: last.map(Timestamp::from_micros),
        }
    }

    #[test]
    fn the_lag_is_the_time_between_the_newest_events() {
        let last_event_at = Some(Timestamp::from_micros(9_500_000));
        let end = LogEnd { vector: "0:9".parse().unwrap(), last_event_at, before: None };

        assert_eq!(lag_seconds(&position("0:9", Some(1)), &end), "0.000");
        assert_eq!(lag_seconds(&position("0:8", Some(7_250_000)), &end), "2.250");
        assert_eq!(lag_seconds(&position("", None), &end), "0.000");
        assert_eq!(lag_seconds(&position("0:8", Some(9_900_000)), &end), "0.000");
    }

    #[test]
    fn hours_without_an_event_are_no_lag() {
        let last_event_at = Some(Timestamp::from_micros(9_000_000_000));
        let before = Some(("0:8".parse().unwrap(), Timestamp::from_micros(8_999_750_000)));
        let end = LogEnd { vector: "0:9".parse().unwrap(), last_event_at, before };

        assert_eq!(lag_seconds(&position("0:8", Some(1_000_000)), &end), "0.250");
        assert_eq!(lag_seconds(&position("0:7", Some(1_000_000)), &end), "8999.000");
    }
}
