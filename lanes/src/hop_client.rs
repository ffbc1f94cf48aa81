//! The sending side of the internal hop: a command to the owner of its shard, over HTTP.

use std::time::Duration;

use reqwest::StatusCode;
use serde::{Deserialize, Serialize};
use service_kit::Secret;
use service_kit::client::{ClientError, ClientLimits, internal_client, read_answer};

use crate::internal_hop::PATH;
use crate::{Accepted, CommandError, CommandRequest};

/// Longer answers are not read.
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// An owner on the same network either takes a connection quickly or is away.
const CONNECT_MAX: Duration = Duration::from_secs(1);
/// The receiver stops waiting this much earlier, so that its answer arrives in time.
const JOURNEY: Duration = Duration::from_millis(150);

/// What travels to the owner.
#[derive(Debug, Serialize)]
pub(crate) struct HopRequest<'a> {
    pub(crate) request: &'a CommandRequest,
    /// How long the sender waits for an outcome, in milliseconds.
    pub(crate) wait_ms: u64,
}

/// What comes back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "outcome", content = "detail", rename_all = "snake_case")]
pub(crate) enum HopReply {
    Accepted(Accepted),
    Failed(CommandError),
    /// The receiver does not own the shard; the owner as far as it knows.
    NotHere {
        owner: Option<String>,
    },
}

/// There is no reply.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HopError {
    /// The owner has not seen the command.
    #[error("the owner was not reached: {0}")]
    NotSent(String),
    /// It may have.
    #[error("the owner did not answer: {0}")]
    Unknown(String),
}

/// Forwards commands; keeps its connections.
#[derive(Clone)]
pub(crate) struct HopClient(reqwest::Client);

impl HopClient {
    pub(crate) fn new(secret: &Secret) -> Result<Self, ClientError> {
        let limits = ClientLimits { connect_timeout: CONNECT_MAX, ..ClientLimits::default() };
        internal_client(&limits, Some(secret)).map(Self)
    }

    /// Sends the command and waits at most that long.
    pub(crate) async fn forward(
        &self,
        address: &str,
        request: &CommandRequest,
        wait: Duration,
    ) -> Result<HopReply, HopError> {
        let patience = wait.saturating_sub(JOURNEY);
        if patience.is_zero() {
            return Err(HopError::NotSent("no time is left".to_owned()));
        }
        let wait_ms = u64::try_from(patience.as_millis()).unwrap_or(u64::MAX);
        let mut sending = self
            .0
            .post(format!("{}{PATH}", address.trim_end_matches('/')))
            .timeout(wait)
            .json(&HopRequest { request, wait_ms });
        if let Some(traceparent) = &request.traceparent {
            sending = sending.header("traceparent", traceparent);
        }
        let response = sending.send().await.map_err(|error| {
            if error.is_connect() || error.is_builder() {
                HopError::NotSent(chain(&error))
            } else {
                HopError::Unknown(chain(&error))
            }
        })?;
        match response.status() {
            StatusCode::OK | StatusCode::MISDIRECTED_REQUEST => {}
            status if status.is_client_error() => {
                return Err(HopError::NotSent(format!("the owner said {status}")));
            }
            status => return Err(HopError::Unknown(format!("the owner said {status}"))),
        }
        let body = read_answer(response, ANSWER_BYTES_MAX).await;
        let body = body.map_err(|error| HopError::Unknown(chain(&error)))?;
        serde_json::from_slice(&body)
            .map_err(|error| HopError::Unknown(format!("the answer is not readable: {error}")))
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use domain::{Refusal, RefusalKind};
    use serde_json::{Map, json};

    use super::*;
    use crate::TokenText;

    #[test]
    fn every_reply_reads_back_as_itself() {
        let mut facts = Map::new();
        facts.insert("error".to_owned(), json!("a fact may be called anything"));
        let refusal = Refusal {
            code: "no".to_owned(),
            kind: RefusalKind::Rule,
            message: "no".to_owned(),
            facts,
        };
        let position = TokenText("log@0:1".to_owned());
        let accepted = Accepted { version: u64::MAX, position, replayed: false, events: 1 };
        let replies = [
            HopReply::Accepted(accepted),
            HopReply::Failed(CommandError::Refused(refusal)),
            HopReply::Failed(CommandError::VersionConflict { expected: 1, current: 2 }),
            HopReply::Failed(CommandError::IdempotencyMismatch),
            HopReply::Failed(CommandError::TooLarge { bytes_max: 3 }),
            HopReply::NotHere { owner: None },
            HopReply::NotHere { owner: Some("http://a".to_owned()) },
        ];

        for reply in replies {
            let json = serde_json::to_string(&reply).unwrap();

            assert_eq!(serde_json::from_str::<HopReply>(&json).unwrap(), reply, "{json}");
        }
    }
}
