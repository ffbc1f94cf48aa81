//! Making a candidate the live generation (see [`crate::rebuild`] for the whole story).
//!
//! The live runner of this process is held for the last round, so that the candidate can catch it;
//! the store itself refuses a candidate that does not cover the live one's vector, whoever else
//! writes. Whatever fails, the pointer is where it was and the live runner goes on.

use std::sync::Arc;

use read_models::{ReadStore, ReadStoreError};
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::aim::Aim;
use crate::candidate::Candidate;
use crate::comparison::Verdict;
use crate::control::Control;
use crate::error::ProjectorError;
use crate::generations::{live_of, of_projection};
use crate::rebuild::{Proof, RebuildState};

impl Candidate {
    /// Makes this generation the live one. The live runner of this process stands still meanwhile.
    pub(crate) async fn promote(&mut self, proof: Proof) -> Result<(), ProjectorError> {
        let promotion_max = self.start.reading.settings.promotion_max;
        let opening = async {
            while self.folder.is_none() && self.over.is_none() {
                self.step().await;
            }
        };
        timeout(promotion_max, opening)
            .await
            .map_err(|_| ProjectorError::TimedOut("opening the generation"))?;
        if self.over.is_some() || (!self.caught_up && proof != Proof::Rollback) {
            return Err(ProjectorError::NotReady(format!(
                "generation {} is gone, or has not caught up yet",
                self.start.generation.number
            )));
        }
        let (reply, held) = oneshot::channel();
        let asked = self.start.live.send(Control::Hold(reply));
        let held = timeout(promotion_max, async {
            asked.await.ok()?;
            held.await.ok()
        })
        .await;
        let _guard = held
            .map_err(|_| ProjectorError::TimedOut("holding the live projection"))?
            .ok_or(ProjectorError::Stopped)??;
        timeout(promotion_max, self.prove_and_switch(proof))
            .await
            .unwrap_or(Err(ProjectorError::TimedOut("the promotion")))
    }

    async fn prove_and_switch(&mut self, proof: Proof) -> Result<(), ProjectorError> {
        self.comparison = None;
        if !self.index().await? {
            return Err(ProjectorError::Stopped);
        }
        self.take_aim().await?;
        self.work().await;
        if proof != Proof::Rollback && !matches!(self.aim, Aim::Anywhere) {
            while self.comparison.is_none() {
                self.step().await;
            }
        }
        self.check(proof)?;
        // What is filled beyond the proof takes the comparison away; the status keeps the proof.
        let proved = self.comparison.clone();
        let (store, generation) =
            (Arc::clone(&self.start.placement.store), self.start.generation.clone());
        loop {
            if self.retry_at.is_none() {
                // Beyond the proof: whatever another process has moved the live one to.
                self.aim_anywhere();
                self.work().await;
            }
            let covered = self.covers_live(&*store).await;
            match covered {
                Ok(true) => match store.promote(&generation).await {
                    Ok(()) => break,
                    Err(ReadStoreError::Behind(reason)) => {
                        tracing::debug!(reason, "the live generation moved on");
                    }
                    // Asking again cannot help.
                    Err(
                        error @ (ReadStoreError::Refused(_)
                        | ReadStoreError::Damaged(..)
                        | ReadStoreError::Failed(..)),
                    ) => return Err(error.into()),
                    Err(error @ ReadStoreError::Unavailable(..)) => self.failed(&error),
                },
                Ok(false) => {}
                Err(error) => self.failed(&error),
            }
            if self.over.is_some() {
                break;
            }
            self.step().await;
        }
        if self.over == Some(RebuildState::Dropped) {
            return Err(ProjectorError::NotReady("the generation was dropped".to_owned()));
        }
        tracing::info!(projection = self.name(), generation = generation.number, "promoted");
        self.comparison = proved;
        self.over = Some(RebuildState::Promoted);
        Ok(())
    }

    fn check(&self, proof: Proof) -> Result<(), ProjectorError> {
        let Some(comparison) = &self.comparison else {
            return match (proof, &self.aim) {
                (Proof::Rollback, _) | (Proof::Accepted, Aim::Anywhere) => Ok(()),
                _ => Err(ProjectorError::NotReady(
                    "the new generation is of another version: accept it by name".to_owned(),
                )),
            };
        };
        match (proof, comparison.verdict) {
            (Proof::Rollback, _)
            | (_, Verdict::Equal)
            | (Proof::Accepted, Verdict::Incomparable | Verdict::OtherVersion) => Ok(()),
            _ => Err(ProjectorError::NotEqual(Box::new(comparison.clone()))),
        }
    }

    async fn covers_live(&mut self, store: &dyn ReadStore) -> Result<bool, ReadStoreError> {
        let states = of_projection(store, self.name()).await?;
        let own = states.iter().find(|state| state.generation == self.start.generation);
        match own {
            None => self.over = Some(RebuildState::Dropped),
            Some(own) if own.live => self.over = Some(RebuildState::Promoted),
            Some(_) => {}
        }
        let vector = self.folder.as_ref().map(|folder| &folder.vector);
        Ok(match (live_of(&states), vector) {
            (Some(live), Some(vector)) => vector.covers(&live.vector),
            _ => false,
        })
    }
}
