//! What a client wants to be told, and what of it the client may see.

use domain::{Event, StreamName};
use http::StatusCode;
use read_models::projections::AuditRow;
use serde::Deserialize;
use service_kit::Problem;
use utoipa::IntoParams;

use super::moment::Audience;
use crate::caller::Caller;

/// Names in one list.
const NAMES_MAX: usize = 32;

/// What of everything that happens.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    /// Streams, separated by commas; all that the caller may see when missing.
    #[param(example = "itinerary-018f4e2a-7c3b-7def-8123-456789abcdef")]
    stream: Option<String>,
    /// Event types, separated by commas; all when missing.
    #[serde(rename = "type")]
    #[param(rename = "type", example = "itinerary-renamed,itinerary-commented")]
    event_type: Option<String>,
    /// As `Last-Event-ID`, for clients that cannot send headers: a `Waylog-Position`.
    pub(super) after: Option<String>,
}

/// A client's wishes and rights.
#[derive(Clone, Debug)]
pub(super) struct Filter {
    pub(super) caller: Caller,
    streams: Vec<StreamName>,
    types: Vec<String>,
}

impl Filter {
    /// # Errors
    /// 400 `invalid_parameter` for what is no stream, or no type of event.
    pub(super) fn of(wanted: &Wanted, caller: Caller) -> Result<Self, Problem> {
        let stream = |name: &str| name.parse().ok();
        let known = |name: &str| Event::names().find(|known| *known == name).map(str::to_owned);
        Ok(Self {
            caller,
            streams: names("stream", wanted.stream.as_deref(), stream)?,
            types: names("type", wanted.event_type.as_deref(), known)?,
        })
    }

    /// Whether the client wants to be told of the event, if it may see it.
    pub(super) fn wants(&self, event: &AuditRow) -> bool {
        self.caller.tenant == event.tenant
            && (self.types.is_empty() || self.types.contains(&event.event_type))
            && (self.streams.is_empty() || self.names(&event.stream))
    }

    /// Whether the client may see the event.
    pub(super) fn admits(&self, event: &AuditRow, audience: &Audience) -> bool {
        let Some(account) = self.caller.account().filter(|_| !self.caller.staff) else {
            return self.caller.staff;
        };
        event.actor.parse() == Ok(self.caller.actor.clone())
            || audience.members.contains(&account)
            || (audience.shared && self.names(&event.stream))
    }

    fn names(&self, stream: &str) -> bool {
        stream.parse().is_ok_and(|stream| self.streams.contains(&stream))
    }
}

fn names<T>(
    parameter: &str,
    list: Option<&str>,
    read: impl Fn(&str) -> Option<T>,
) -> Result<Vec<T>, Problem> {
    let refused = |message: String| {
        Problem::new(StatusCode::BAD_REQUEST, "invalid_parameter", "The request is malformed")
            .field(parameter, message)
    };
    let Some(list) = list else { return Ok(Vec::new()) };
    if list.split(',').count() > NAMES_MAX {
        return Err(refused(format!("names more than {NAMES_MAX}")));
    }
    let read = |name: &str| read(name).ok_or_else(|| refused("names what there is not".to_owned()));
    list.split(',').map(read).collect()
}
