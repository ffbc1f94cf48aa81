//! Tells answers apart: what is certain, and what is not.
//!
//! | what came | outcome |
//! |---|---|
//! | 200 that can be read and fits what was asked | done |
//! | 400, 402, 404, 409, 422 with an error that can be read | refused; done if the error shows so |
//! | 401, 403, 429, an unknown route, no connection | not tried |
//! | everything else: nothing in time, a connection that broke off, 5xx, garbage | unknown |

use bytes::Bytes;
use http::StatusCode;
use serde::de::DeserializeOwned;
use service_kit::client::{ClientError, read_answer};

use super::wire::{ErrorBody, ProviderError};
use super::{Doubt, Obstacle, Outcome, Refusal};

/// Turns what came, if anything came, into an outcome. `done` reads a success, `settled` an error
/// that may show that what was asked is so already.
pub(crate) async fn classify<W: DeserializeOwned, T>(
    answer: Result<reqwest::Response, reqwest::Error>,
    bytes_max: usize,
    done: impl Fn(W) -> Option<T>,
    settled: impl Fn(&ProviderError) -> Option<T>,
) -> Outcome<T> {
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => return lost(&error),
    };
    let status = answer.status();
    match read_answer(answer, bytes_max).await {
        Ok(body) => read(status, &body, done, settled),
        Err(ClientError::Read(error)) => lost(&error),
        Err(ClientError::Build(_) | ClientError::TooLong { .. }) => {
            Outcome::Unknown(Doubt::Unreadable)
        }
    }
}

fn lost<T>(error: &reqwest::Error) -> Outcome<T> {
    // A connection that timed out while it was made is both; nothing was sent on it.
    if error.is_connect() {
        return Outcome::NotTried(Obstacle::NoConnection);
    }
    Outcome::Unknown(if error.is_timeout() { Doubt::Late } else { Doubt::BrokenOff })
}

fn read<W: DeserializeOwned, T>(
    status: StatusCode,
    body: &Bytes,
    done: impl Fn(W) -> Option<T>,
    settled: impl Fn(&ProviderError) -> Option<T>,
) -> Outcome<T> {
    match status {
        StatusCode::OK => match serde_json::from_slice(body) {
            Ok(said) => done(said).map_or(Outcome::Unknown(Doubt::Mismatch), Outcome::Done),
            Err(_) => Outcome::Unknown(Doubt::Unreadable),
        },
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            Outcome::NotTried(Obstacle::Misconfigured)
        }
        StatusCode::TOO_MANY_REQUESTS => Outcome::NotTried(Obstacle::RateLimited),
        StatusCode::BAD_REQUEST
        | StatusCode::PAYMENT_REQUIRED
        | StatusCode::NOT_FOUND
        | StatusCode::CONFLICT
        | StatusCode::UNPROCESSABLE_ENTITY => match serde_json::from_slice::<ErrorBody>(body) {
            Ok(ErrorBody { error }) if error.code == "route_unknown" => {
                Outcome::NotTried(Obstacle::Misconfigured)
            }
            Ok(ErrorBody { error }) => match settled(&error) {
                Some(done) => Outcome::Done(done),
                None => Outcome::Refused(Refusal::said(error.code, &error.message)),
            },
            Err(_) => Outcome::Unknown(Doubt::Unreadable),
        },
        other => Outcome::Unknown(Doubt::Status(other.as_u16())),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn told(status: u16, body: &str) -> Outcome<i64> {
        let body = Bytes::copy_from_slice(body.as_bytes());
        let done = |said: Value| said["amount"].as_i64();
        let settled = |error: &ProviderError| (error.code == "there_already").then_some(7);
        read(StatusCode::from_u16(status).unwrap(), &body, done, settled)
    }

    fn error(code: &str) -> String {
        json!({"error": {"type": "card_error", "code": code, "message": "No."}}).to_string()
    }

    #[test]
    fn only_a_success_that_fits_is_done() {
        assert_eq!(told(200, r#"{"amount":5}"#), Outcome::Done(5));
        assert_eq!(told(200, r#"{"amount":"5"}"#), Outcome::Unknown(Doubt::Mismatch));
        assert_eq!(told(200, "<html>"), Outcome::Unknown(Doubt::Unreadable));
        assert_eq!(told(200, ""), Outcome::Unknown(Doubt::Unreadable));
        assert_eq!(told(202, r#"{"amount":5}"#), Outcome::Unknown(Doubt::Status(202)));
    }

    #[test]
    fn only_an_error_that_can_be_read_is_a_refusal() {
        for status in [400, 402, 404, 409, 422] {
            let Outcome::Refused(refusal) = told(status, &error("card_declined")) else {
                panic!("{status} is a refusal");
            };
            assert_eq!(refusal.code, "card_declined");
            assert_eq!(told(status, "<html>"), Outcome::Unknown(Doubt::Unreadable));
            assert_eq!(told(status, &error("there_already")), Outcome::Done(7));
        }
    }

    #[test]
    fn a_server_that_fails_or_points_elsewhere_tells_nothing() {
        for status in [301, 307, 408, 500, 502, 503, 504] {
            let outcome = told(status, &error("card_declined"));

            assert_eq!(outcome, Outcome::Unknown(Doubt::Status(status)));
        }
    }

    #[test]
    fn what_was_not_let_in_was_not_tried() {
        assert_eq!(told(401, ""), Outcome::NotTried(Obstacle::Misconfigured));
        assert_eq!(told(403, ""), Outcome::NotTried(Obstacle::Misconfigured));
        assert_eq!(told(429, ""), Outcome::NotTried(Obstacle::RateLimited));
        let route = error("route_unknown");
        assert_eq!(told(404, &route), Outcome::NotTried(Obstacle::Misconfigured));
    }
}
