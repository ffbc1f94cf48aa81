//! Outcomes that are not acceptance, as problems.

use std::time::Duration;

use domain::{Refusal, RefusalKind};
use http::StatusCode;
use lanes::CommandError;
use service_kit::Problem;

/// The domain said no.
pub(crate) fn by_domain(refusal: impl Into<Refusal>) -> Problem {
    let refusal: Refusal = refusal.into();
    let (status, title) = match refusal.kind {
        RefusalKind::NotFound => (StatusCode::NOT_FOUND, "Not found"),
        RefusalKind::Forbidden => (StatusCode::FORBIDDEN, "Not allowed"),
        RefusalKind::AlreadyExists => (StatusCode::CONFLICT, "It exists already"),
        RefusalKind::Rule => (StatusCode::UNPROCESSABLE_ENTITY, "A rule forbids it"),
    };
    let problem = Problem::new(status, refusal.code, title).detail(refusal.message);
    refusal.facts.into_iter().fold(problem, |problem, (name, fact)| problem.fact(&name, fact))
}

/// Whatever else the port answers.
pub(crate) fn by_port(error: CommandError) -> Problem {
    let seconds = |seconds: u32| Duration::from_secs(u64::from(seconds));
    match error {
        CommandError::Refused(refusal) => by_domain(refusal),
        CommandError::VersionConflict { expected, current } => {
            Problem::new(StatusCode::PRECONDITION_FAILED, "version_conflict", "Somebody was first")
                .detail("Read it again and decide again.")
                .fact("expected_version", expected)
                .fact("current_version", current)
        }
        CommandError::IdempotencyMismatch => Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "idempotency_mismatch",
            "The idempotency key was used for another request",
        )
        .detail("Send a new key with a new request, and the same key only with the same request."),
        CommandError::TooLarge { bytes_max } => Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "event_too_large",
            "The event would be larger than the log takes",
        )
        .fact("bytes_max", bytes_max),
        CommandError::Unavailable { reason, retry_after_seconds } => {
            // The reason names addresses of the inside: it is for the log.
            tracing::warn!(reason, "a command was not tried");
            Problem::unavailable("The owner of this data cannot be reached now.")
                .retry_after(seconds(retry_after_seconds))
        }
        CommandError::OutcomeUnknown { reason, retry_after_seconds } => {
            tracing::warn!(reason, "a command's outcome is unknown");
            Problem::outcome_unknown().retry_after(seconds(retry_after_seconds))
        }
        // The lane has logged the cause.
        CommandError::Defect { .. } => Problem::opaque_defect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status_and_code(error: CommandError) -> (u16, String) {
        let problem = by_port(error);
        (problem.status().as_u16(), problem.code().to_owned())
    }

    #[test]
    fn each_outcome_has_the_status_of_the_contract() {
        let refusal = |kind| {
            CommandError::Refused(Refusal {
                code: "some_rule".to_owned(),
                kind,
                message: "no".to_owned(),
                facts: serde_json::Map::new(),
            })
        };
        let away = || ("broker away".to_owned(), 1);
        let (reason, retry_after_seconds) = away();

        let cases = [
            (refusal(RefusalKind::NotFound), 404, "some_rule"),
            (refusal(RefusalKind::Forbidden), 403, "some_rule"),
            (refusal(RefusalKind::AlreadyExists), 409, "some_rule"),
            (refusal(RefusalKind::Rule), 422, "some_rule"),
            (CommandError::VersionConflict { expected: 1, current: 2 }, 412, "version_conflict"),
            (CommandError::IdempotencyMismatch, 422, "idempotency_mismatch"),
            (CommandError::TooLarge { bytes_max: 1 }, 413, "event_too_large"),
            (
                CommandError::Unavailable { reason: reason.clone(), retry_after_seconds },
                503,
                "unavailable",
            ),
            (CommandError::OutcomeUnknown { reason, retry_after_seconds }, 503, "outcome_unknown"),
            (CommandError::Defect { reason: "panic".to_owned() }, 500, "defect"),
        ];

        for (error, status, code) in cases {
            assert_eq!(status_and_code(error), (status, code.to_owned()));
        }
    }
}
