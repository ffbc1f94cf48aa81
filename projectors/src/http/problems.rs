//! How failures are worded as problems.

use axum::http::StatusCode;
use read_models::ReadStoreError;
use service_kit::Problem;

use crate::error::ProjectorError;

impl From<ProjectorError> for Problem {
    fn from(error: ProjectorError) -> Self {
        let conflict = |title| Self::new(StatusCode::CONFLICT, error.code(), title);
        let detail = error.to_string();
        match &error {
            ProjectorError::UnknownProjection(_)
            | ProjectorError::UnknownRebuild { .. }
            | ProjectorError::NotParked { .. } => Self::not_found(error.code(), detail),
            ProjectorError::NotBroken { .. } => {
                conflict("The partition is not stopped").detail(detail)
            }
            ProjectorError::NotReady(_) => {
                conflict("Not possible in the present state").detail(detail)
            }
            ProjectorError::NotEqual(comparison) => conflict("The rows are not proved equal")
                .detail(detail)
                .fact("verdict", comparison.verdict.name()),
            ProjectorError::TimedOut(_) | ProjectorError::Stopped => Self::unavailable(detail),
            ProjectorError::Store(ReadStoreError::Unavailable(..)) => {
                Self::unavailable("The read store is away.")
            }
            ProjectorError::Store(damaged @ ReadStoreError::Damaged(..)) => {
                tracing::error!(code = damaged.code(), error = %damaged, "nothing can be changed");
                Self::unavailable(
                    "The read store is damaged. Stop the server, remove the store's file, and \
                     start it again: the file is built anew from the log.",
                )
            }
            ProjectorError::Store(_) => Self::defect(&error),
        }
    }
}
