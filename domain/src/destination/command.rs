//! What can be asked of a destination.

use serde::{Deserialize, Serialize};

use super::value::Description;
use crate::ids::DestinationId;

/// A command to a destination.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Command {
    /// Says what it is; replaces what was said before.
    Describe {
        /// Its id, which also names its stream: derived from the slug.
        destination_id: DestinationId,
        /// What it is.
        description: Description,
    },
    /// Takes it out of the catalogue.
    Retire,
}

impl Command {
    /// Refuses what no destination accepts, whatever its state, before it reaches one.
    ///
    /// # Errors
    /// The same refusal that a decision would give.
    pub fn check(&self) -> Result<(), super::Refusal> {
        match self {
            Self::Describe { description, .. } => super::check::description(description).map(drop),
            Self::Retire => Ok(()),
        }
    }

    /// The command's name for logs and metrics.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Describe { .. } => "describe",
            Self::Retire => "retire",
        }
    }
}
