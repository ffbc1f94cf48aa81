//! What a candidate tells of itself: state, progress, rate, and how long it still takes.

use std::time::Instant;

use domain::PositionVector;

use crate::candidate::Candidate;
use crate::decoded::distance;
use crate::rebuild::{RebuildState, RebuildStatus};

impl Candidate {
    /// Tells whoever watches.
    pub(crate) fn publish(&mut self) {
        let rate_per_second = self.rate.per_second(Instant::now());
        let empty = PositionVector::empty();
        let end = self.start.end.borrow().clone();
        let state = match self.over {
            Some(over) => over,
            None if self.paused => RebuildState::Paused,
            None if self.folder.is_none() => RebuildState::Starting,
            None if self.caught_up => RebuildState::Ready,
            None => RebuildState::Filling,
        };
        let folder = self.folder.as_ref();
        let vector = folder.map_or_else(PositionVector::empty, |folder| folder.vector.clone());
        let left = distance(&vector, &end);
        #[expect(clippy::cast_precision_loss, reason = "an estimate for people")]
        let eta_seconds = (rate_per_second > 0.0).then(|| left as f64 / rate_per_second);
        self.start.told.send_replace(RebuildStatus {
            projection: self.name(),
            number: self.start.generation.number,
            version: self.start.placement.projection.version(),
            state,
            records_done: distance(&empty, &vector),
            records_total: distance(&empty, &end).max(distance(&empty, &vector)),
            rate_per_second,
            eta_seconds,
            breaks: folder.map_or_else(Vec::new, |f| f.continuity.breaks().cloned().collect()),
            parked: folder.map_or(0, |folder| folder.parked.len()),
            comparison: self.comparison.clone(),
            trouble: self.trouble.clone(),
            vector,
        });
    }
}
