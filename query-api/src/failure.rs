//! What a client is told when a question to the read models was not answered.

use std::time::Duration;

use http::StatusCode;
use read_models::ReadStoreError;
use read_models::queries::QueryError;
use service_kit::Problem;

/// How long a client should leave a store alone that is away.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// The problem that an error of the read models is.
#[expect(clippy::needless_pass_by_value, reason = "what `map_err` takes")]
pub(crate) fn of_query(error: QueryError) -> Problem {
    match error {
        QueryError::InvalidCursor(_) => invalid_cursor(),
        QueryError::Store(ReadStoreError::Unavailable(..)) => {
            tracing::warn!(code = error.code(), %error, "a read model did not answer");
            store_away()
        }
        QueryError::Store(ReadStoreError::Damaged(..)) => {
            tracing::error!(code = error.code(), %error, "a read model cannot be read");
            store_away().detail(
                "Their database is damaged. An operator stops the server, removes its file \
                 (read.sqlite in the data directory) and starts it again: it is built anew from \
                 the log.",
            )
        }
        QueryError::Store(_) => Problem::defect(&error),
    }
}

/// 503 `read_store_unavailable`.
pub(crate) fn store_away() -> Problem {
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "read_store_unavailable",
        "The read models cannot be asked now",
    )
    .detail("Their database did not answer in time, or they are not there yet. Ask again.")
    .retry_after(RETRY_AFTER)
}

/// 400 `invalid_cursor`.
pub(crate) fn invalid_cursor() -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "invalid_cursor", "The cursor is of no use here")
        .detail("Send next_cursor of the page before, unchanged, to the list it came from.")
        .field("cursor", "is not a cursor of this list")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_store_is_no_defect_and_names_the_way_out() {
        let damaged = ReadStoreError::Damaged("malformed".to_owned(), None);

        let problem = of_query(QueryError::Store(damaged));

        assert_eq!(problem.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(problem.code(), "read_store_unavailable");
        let detail = problem.into_document().detail.unwrap();
        assert!(detail.contains("removes its file"), "{detail}");
    }
}
