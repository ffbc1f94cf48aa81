//! What a process's projections need around them: the log's end, and first words.

use std::sync::Arc;

use domain::PositionVector;
use tokio::sync::watch;

use crate::placement::Placement;
use crate::reader::{Reading, Trouble, spawn};
use crate::rebuild::{RebuildState, RebuildStatus};

/// Asks for the log's end again and again, on a thread: for lag and progress.
pub(crate) fn watch_end(
    reading: &Reading,
    trouble: Arc<Trouble>,
) -> watch::Receiver<PositionVector> {
    let (tell, end) = watch::channel(PositionVector::empty());
    let (reading, token) = (reading.clone(), reading.tracker.token());
    spawn("waylog-log-end", move || {
        let _running = token;
        loop {
            match reading.log.end() {
                Ok(end) => {
                    trouble.set(None);
                    tell.send_if_modified(|known| {
                        let news = *known != end;
                        *known = end;
                        news
                    });
                }
                Err(error) => trouble.set(Some(format!("{}: {error}", error.code()))),
            }
            if reading.stop.pause(reading.settings.end_interval) {
                return;
            }
        }
    });
    end
}

/// A rebuild that has not said anything yet.
pub(crate) fn starting(placement: &Placement, number: u32) -> RebuildStatus {
    RebuildStatus {
        projection: placement.projection.name(),
        number,
        version: placement.projection.version(),
        state: RebuildState::Starting,
        vector: PositionVector::empty(),
        records_done: 0,
        records_total: 0,
        rate_per_second: 0.0,
        eta_seconds: None,
        breaks: Vec::new(),
        parked: 0,
        comparison: None,
        trouble: None,
    }
}
