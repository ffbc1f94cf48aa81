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
    create(store, projection, number).await
}

/// The generations of a projection, and the live one, created when there is none.
pub(crate) async fn with_live(
    store: &dyn ReadStore,
    projection: &dyn Projection,
) -> Result<(Vec<ProjectionState>, ProjectionState), ReadStoreError> {
    // The number before the look: of processes that start together, those that find none live
    // create the same one.
    let number = store.next_number(projection.name()).await?;
    let states = of_projection(store, projection.name()).await?;
    let live = match live_of(&states) {
        Some(live) => live.clone(),
        None => create(store, projection, number).await?,
    };
    Ok((states, live))
}

/// Creates that generation; nothing happens when it exists.
async fn create(
    store: &dyn ReadStore,
    projection: &dyn Projection,
    number: u32,
) -> Result<ProjectionState, ReadStoreError> {
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
