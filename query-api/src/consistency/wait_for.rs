//! The header `Waylog-Wait-For`: how far a read model must have read before it answers.
//!
//! One token or several, in one field or in several, separated by commas or spaces; all are merged.
//! Anything else is 400 `invalid_wait_for`, the token of another log 400 `foreign_position`.

use axum::extract::FromRequestParts;
use domain::{ConsistencyToken, LogId, PositionVector};
use http::request::Parts;
use http::{HeaderMap, HeaderName, StatusCode};
use service_kit::Problem;

use crate::QueryApi;

/// What a query is to wait for.
pub(crate) const WAYLOG_WAIT_FOR: HeaderName = HeaderName::from_static("waylog-wait-for");

/// Tokens that one request may name.
const TOKENS_MAX: usize = 32;

/// What the caller wants to see at least; empty when the request names nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct WaitFor(pub(crate) PositionVector);

impl WaitFor {
    /// Whether the caller named anything.
    pub(crate) fn wanted(&self) -> bool {
        self.0 != PositionVector::empty()
    }
}

impl FromRequestParts<QueryApi> for WaitFor {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &QueryApi) -> Result<Self, Problem> {
        if !parts.headers.contains_key(WAYLOG_WAIT_FOR) {
            return Ok(Self::default());
        }
        let log = api.log_id().ok_or_else(log_unknown)?;
        merge(read(&parts.headers)?, log).map(Self)
    }
}

/// The tokens that a text names, however they are separated. A token holds commas itself: what
/// names no log belongs to the token before it.
pub(crate) fn tokens(text: &str) -> Option<Vec<ConsistencyToken>> {
    let mut tokens: Vec<String> = Vec::new();
    for piece in text.split([',', ' ', '\t']).filter(|piece| !piece.is_empty()) {
        if piece.contains('@') {
            tokens.push(piece.to_owned());
        } else {
            let token = tokens.last_mut()?;
            if !token.ends_with('@') {
                token.push(',');
            }
            token.push_str(piece);
        }
    }
    (1..=TOKENS_MAX).contains(&tokens.len()).then_some(())?;
    tokens.iter().map(|token| token.parse().ok()).collect()
}

fn read(headers: &HeaderMap) -> Result<Vec<ConsistencyToken>, Problem> {
    let fields = headers.get_all(WAYLOG_WAIT_FOR).iter();
    let texts: Option<Vec<&str>> = fields.map(|value| value.to_str().ok()).collect();
    texts.and_then(|texts| tokens(&texts.join(" "))).ok_or_else(|| {
        Problem::new(StatusCode::BAD_REQUEST, "invalid_wait_for", "The position cannot be read")
            .detail("Send the Waylog-Position of an answer, unchanged; several are merged.")
            .field(WAYLOG_WAIT_FOR.as_str(), "is not made of consistency tokens")
    })
}

/// All that the tokens include.
///
/// # Errors
/// 400 `foreign_position`.
pub(crate) fn merge(tokens: Vec<ConsistencyToken>, log: LogId) -> Result<PositionVector, Problem> {
    let mut wanted = PositionVector::empty();
    for token in tokens {
        if token.log != log {
            return Err(Problem::new(
                StatusCode::BAD_REQUEST,
                "foreign_position",
                "The position is of another log",
            )
            .detail(
                "Positions of two logs cannot be compared. This one is of another installation.",
            )
            .fact("log", log.to_string())
            .fact("position_log", token.log.to_string()));
        }
        wanted.merge(&token.vector);
    }
    Ok(wanted)
}

/// The process has not learned yet which log it serves.
pub(crate) fn log_unknown() -> Problem {
    Problem::unavailable("It is not known yet which log the read models are made from.")
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const LOG: LogId = LogId(Uuid::from_u128(7));

    fn wanted(fields: &[&str]) -> Result<String, Problem> {
        let field = |text: &&str| (WAYLOG_WAIT_FOR, text.parse().unwrap());
        let headers: HeaderMap = fields.iter().map(field).collect();
        Ok(merge(read(&headers)?, LOG)?.to_string())
    }

    #[test]
    fn several_tokens_are_merged_however_they_come() {
        let (one, two) = (format!("{LOG}@0:17,3:9"), format!("{LOG}@3:12,4:1"));
        let all = Ok("0:17,3:12,4:1".to_owned());

        assert_eq!(wanted(&[&one, &two]), all);
        assert_eq!(wanted(&[&format!("{one}, {two}")]), all);
        assert_eq!(wanted(&[&format!("{one} {two}")]), all);
        assert_eq!(wanted(&[&format!("{LOG}@")]), Ok(String::new()));
    }

    #[test]
    fn what_is_no_token_is_refused() {
        let many = vec![format!("{LOG}@0:1"); TOKENS_MAX + 1].join(" ");

        for text in ["", "0:17", "x@0:1", &format!("{LOG}@0"), &format!("{LOG}@3:1,0:1"), &many] {
            assert_eq!(wanted(&[text]).unwrap_err().code(), "invalid_wait_for", "{text}");
        }
    }

    #[test]
    fn a_token_of_another_log_is_foreign() {
        let other = format!("{}@0:1", Uuid::from_u128(8));

        let refused = wanted(&[&format!("{LOG}@0:1"), &other]).unwrap_err();

        assert_eq!((refused.status().as_u16(), refused.code()), (400, "foreign_position"));
    }
}
