//! Building the indexes of a generation that was filled without them (see [`crate::rebuild`]).
//!
//! One index is one call to the store, which keeps it: a large table holds up no other's, and
//! whoever cancels the rebuild or stops the process is heard between two of them.

use std::time::Instant;

use read_models::{Indexed, ReadStoreError};

use crate::candidate::Candidate;

impl Candidate {
    /// Builds what the store left out while the tables were filled, once; gives whether all of it
    /// is there, which it is not when somebody cancelled meanwhile.
    pub(crate) async fn index(&mut self) -> Result<bool, ReadStoreError> {
        let Some(folder) = self.folder.as_ref().filter(|_| !self.indexed) else { return Ok(true) };
        let begun = Instant::now();
        let tables = folder.projection.tables();
        loop {
            if self.start.cancel.is_cancelled() {
                return Ok(false);
            }
            if folder.store.index(&folder.generation, tables).await? == Indexed::Whole {
                break;
            }
        }
        self.indexed = true;
        let seconds = begun.elapsed().as_secs_f64();
        tracing::info!(projection = self.name(), seconds, "indexed");
        Ok(true)
    }
}
