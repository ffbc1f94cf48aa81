//! What can be wrong with an operation on projections.

use read_models::ReadStoreError;

use crate::comparison::Comparison;

/// An operation on a projection was not done.
#[derive(Debug, thiserror::Error)]
pub enum ProjectorError {
    /// No projection of that name runs here.
    #[error("there is no projection `{0}` here")]
    UnknownProjection(String),
    /// The projection has no generation of that number that is being filled.
    #[error("projection `{projection}` has no rebuild {number}")]
    UnknownRebuild {
        /// Of which projection.
        projection: String,
        /// The generation's number.
        number: u32,
    },
    /// The stream is not parked.
    #[error("projection `{projection}` has not parked `{stream}`")]
    NotParked {
        /// Which projection.
        projection: String,
        /// The record key.
        stream: String,
    },
    /// No partition of that number is stopped.
    #[error("projection `{projection}` has not stopped at partition {partition}")]
    NotBroken {
        /// Which projection.
        projection: String,
        /// The partition.
        partition: u32,
    },
    /// It cannot be done in the present state; the message names what is missing.
    #[error("{0}")]
    NotReady(String),
    /// The new generation is not proved equal to the live one.
    #[error("the new generation is not proved equal to the live one: {0}")]
    NotEqual(Box<Comparison>),
    /// It took longer than allowed; nothing is half done.
    #[error("{0} took too long")]
    TimedOut(&'static str),
    /// The projections are shutting down.
    #[error("the projections are shutting down")]
    Stopped,
    /// The read store did not do its part.
    #[error("the read store did not do its part")]
    Store(#[from] ReadStoreError),
}

impl ProjectorError {
    /// Stable code for logs, metrics and problems.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::UnknownProjection(_) => "unknown_projection",
            Self::UnknownRebuild { .. } => "unknown_rebuild",
            Self::NotParked { .. } => "not_parked",
            Self::NotBroken { .. } => "not_broken",
            Self::NotReady(_) => "projection_not_ready",
            Self::NotEqual(_) => "projection_not_equal",
            Self::TimedOut(_) => "projection_timed_out",
            Self::Stopped => "shutting_down",
            Self::Store(error) => error.code(),
        }
    }
}
