//! How far a candidate is filled, and what it takes over from the live generation.

use read_models::{Applied, ProjectionState, ReadStoreError};

use crate::comparison::Snapshot;
use crate::continuity::Continuity;
use crate::folder::Folder;

/// How far the candidate may be filled.
pub(crate) enum Aim {
    /// Not at all, until the next look.
    Nowhere,
    /// Exactly to where the live generation was.
    Live(Box<Snapshot>),
    /// As far as there is anything.
    Anywhere,
}

impl Aim {
    /// Whether the record may be folded now.
    pub(crate) fn includes(&self, position: domain::Position) -> bool {
        match self {
            Self::Nowhere => false,
            Self::Live(live) => live.vector.includes(position),
            Self::Anywhere => true,
        }
    }
}

/// What an operator accepted for the live generation is accepted for the candidate. Whether that
/// was news.
pub(crate) async fn take_over_acceptances(
    folder: &mut Folder,
    live: &ProjectionState,
) -> Result<bool, ReadStoreError> {
    let Ok(accepted) = Continuity::parse(&live.continuity) else { return Ok(false) };
    let mut continuity = folder.continuity.clone();
    Ok(continuity.accept_as(&accepted)
        && folder.revise(continuity, vec![], "", None).await? == Applied::Committed)
}
