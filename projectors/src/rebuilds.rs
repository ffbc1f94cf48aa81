//! Operating rebuilds: start, watch, pause, cancel, promote, roll back (see [`crate::rebuild`]).

use domain::PositionVector;
use read_models::{Generation, ProjectionState};

use crate::candidate::CandidateControl;
use crate::error::ProjectorError;
use crate::generations::{create_next, live_of, of_projection};
use crate::projectors::{CandidateHandle, Entry, Projectors};
use crate::rebuild::{Proof, RebuildState, RebuildStatus};

impl Projectors {
    /// Creates the next generation and begins to fill it from the log's beginning. Generations
    /// before the live one are dropped first; a rebuild in progress is refused.
    ///
    /// # Errors
    /// [`ProjectorError`].
    pub async fn rebuild(&self, name: &str) -> Result<RebuildStatus, ProjectorError> {
        let entry = self.0.entry(name)?;
        let _changing = entry.changing.lock().await;
        let (states, live) = generations(entry).await?;
        let version = entry.placement.projection.version();
        let newer = |state: &&ProjectionState| state.generation.number > live;
        if let Some(newer) = states.iter().filter(newer).find(|state| state.version == version) {
            return Err(ProjectorError::NotReady(format!(
                "generation {} is being filled already: promote or cancel it first",
                newer.generation.number
            )));
        }
        // A newer one of another version is another release's, which may be filling it.
        for state in states.iter().filter(|state| state.generation.number < live) {
            drop_generation(entry, &state.generation).await?;
        }
        let (store, projection) = (&*entry.placement.store, &*entry.placement.projection);
        let created = create_next(store, projection).await?;
        tracing::info!(projection = name, generation = created.generation.number, "rebuild begins");
        let candidate = self.0.fill(entry, created.generation.number);
        Ok(candidate.status())
    }

    /// The generations that are being filled beside the live one, or were since this process
    /// started.
    ///
    /// # Errors
    /// [`ProjectorError::UnknownProjection`].
    pub fn rebuilds(&self, name: &str) -> Result<Vec<RebuildStatus>, ProjectorError> {
        let candidates = self.0.entry(name)?.candidates();
        Ok(candidates.values().map(CandidateHandle::status).collect())
    }

    /// One of them, by its generation's number.
    ///
    /// # Errors
    /// [`ProjectorError::UnknownRebuild`].
    pub fn rebuild_status(&self, name: &str, number: u32) -> Result<RebuildStatus, ProjectorError> {
        Ok(self.candidate(name, number)?.status())
    }

    /// Stops filling until [`Projectors::resume_rebuild`], or until the process starts again.
    ///
    /// # Errors
    /// [`ProjectorError`].
    pub async fn pause_rebuild(&self, name: &str, number: u32) -> Result<(), ProjectorError> {
        self.candidate(name, number)?.ask(CandidateControl::Pause).await
    }

    /// Goes on filling.
    ///
    /// # Errors
    /// [`ProjectorError`].
    pub async fn resume_rebuild(&self, name: &str, number: u32) -> Result<(), ProjectorError> {
        self.candidate(name, number)?.ask(CandidateControl::Resume).await
    }

    /// Stops filling the generation and drops its tables. Also drops the generation that a
    /// promotion left behind; never the live one.
    ///
    /// # Errors
    /// [`ProjectorError`].
    pub async fn cancel_rebuild(&self, name: &str, number: u32) -> Result<(), ProjectorError> {
        let entry = self.0.entry(name)?;
        let _changing = entry.changing.lock().await;
        let (states, live) = generations(entry).await?;
        if number == live {
            return Err(ProjectorError::NotReady(format!("generation {number} is the live one")));
        }
        let found = states.iter().find(|state| state.generation.number == number);
        let found = found.ok_or_else(|| unknown(name, number))?;
        drop_generation(entry, &found.generation).await
    }

    /// Makes the generation the live one, given the proof. Queries change over at once.
    ///
    /// # Errors
    /// [`ProjectorError`]: the live generation is the one that it was.
    pub async fn promote(
        &self,
        name: &str,
        number: u32,
        proof: Proof,
    ) -> Result<(), ProjectorError> {
        let entry = self.0.entry(name)?;
        let _changing = entry.changing.lock().await;
        self.switch(entry, number, proof).await
    }

    /// Makes the generation before the live one the live one again. Its number.
    ///
    /// # Errors
    /// [`ProjectorError::NotReady`] when there is none of a version that this process folds: start
    /// the release that does.
    pub async fn rollback(&self, name: &str) -> Result<u32, ProjectorError> {
        let entry = self.0.entry(name)?;
        let _changing = entry.changing.lock().await;
        let (states, live) = generations(entry).await?;
        let version = entry.placement.projection.version();
        let before = states
            .iter()
            .rev()
            .find(|state| state.generation.number < live && state.version == version);
        let number = before.map(|state| state.generation.number).ok_or_else(|| {
            ProjectorError::NotReady(format!(
                "projection `{name}` has no generation before {live} of version {version}"
            ))
        })?;
        self.0.fill(entry, number);
        self.switch(entry, number, Proof::Rollback).await?;
        Ok(number)
    }

    async fn switch(&self, entry: &Entry, number: u32, proof: Proof) -> Result<(), ProjectorError> {
        let name = entry.placement.projection.name();
        let candidate = self.candidate(name, number)?;
        if candidate.told.borrow().state.over() {
            return Err(unknown(name, number));
        }
        candidate.ask(|reply| CandidateControl::Promote { proof, reply }).await?;
        // Whoever is told of the promotion finds the live projection on it.
        let mut told = entry.told.clone();
        let promoted = told.wait_for(|told| told.generation == number);
        let patience = self.0.reading.settings.promotion_max;
        match tokio::time::timeout(patience, promoted).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => Err(ProjectorError::Stopped),
            Err(_) => Err(ProjectorError::TimedOut("opening the promoted generation")),
        }
    }

    fn candidate(&self, name: &str, number: u32) -> Result<CandidateHandle, ProjectorError> {
        let candidates = self.0.entry(name)?.candidates();
        candidates.get(&number).cloned().ok_or_else(|| unknown(name, number))
    }
}

/// All generations, and the number of the live one.
async fn generations(entry: &Entry) -> Result<(Vec<ProjectionState>, u32), ProjectorError> {
    let name = entry.placement.projection.name();
    let states = of_projection(&*entry.placement.store, name).await?;
    let live = live_of(&states).map(|live| live.generation.number).ok_or_else(|| {
        ProjectorError::NotReady(format!("projection `{name}` has no live generation yet"))
    })?;
    Ok((states, live))
}

async fn drop_generation(entry: &Entry, generation: &Generation) -> Result<(), ProjectorError> {
    if let Some(candidate) = entry.candidates().get_mut(&generation.number) {
        candidate.stop().await;
    }
    entry.placement.store.drop_generation(generation).await?;
    entry.dropped(generation.number);
    Ok(())
}

fn unknown(name: &str, number: u32) -> ProjectorError {
    ProjectorError::UnknownRebuild { projection: name.to_owned(), number }
}

/// A rebuild's last word after its tables were dropped.
pub(crate) fn last_word(before: &RebuildStatus) -> RebuildStatus {
    RebuildStatus {
        state: RebuildState::Dropped,
        vector: PositionVector::empty(),
        eta_seconds: None,
        ..before.clone()
    }
}
