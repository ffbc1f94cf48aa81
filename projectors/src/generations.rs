//! Which table sets a projection has.

use read_models::{Generation, Projection, ProjectionState, ReadStore, ReadStoreError};

use crate::status::GenerationStatus;

/// The generations of one projection, ascending.
pub(crate) async fn of_projection(
    store: &dyn ReadStore,
    projection: &str,
) -> Result<Vec<ProjectionState>, ReadStoreError> {
    let mut states = store.generations().await?;
    states.retain(|state| state.generation.projection == projection);
    states.sort_by_key(|state| state.generation.number);
    Ok(states)
}

/// The one that queries read.
pub(crate) fn live_of(states: &[ProjectionState]) -> Option<&ProjectionState> {
    states.iter().find(|state| state.live)
}

/// Creates a generation under the next number.
pub(crate) async fn create_next(
    store: &dyn ReadStore,
    projection: &dyn Projection,
) -> Result<ProjectionState, ReadStoreError> {
    let number = store.next_number(projection.name()).await?;
    let generation = Generation { projection: projection.name().to_owned(), number };
    store.create(&generation, projection.version(), projection.tables()).await
}

impl From<&ProjectionState> for GenerationStatus {
    fn from(state: &ProjectionState) -> Self {
        Self {
            number: state.generation.number,
            version: state.version,
            live: state.live,
            vector: state.vector.clone(),
        }
    }
}
