//! What a process's projections need around them: the log's end, generations that are kept filled,
//! and first words.

use std::sync::Arc;

use domain::PositionVector;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use crate::placement::Placement;
use crate::projectors::Inner;
use crate::reader::{Reading, Trouble, spawn};
use crate::rebuild::{RebuildState, RebuildStatus};
use crate::status::GenerationStatus;

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

/// Fills every generation of this process's version that is not live: rebuilds that a restart
/// interrupted, and the one before the live one, so that a rollback is possible.
pub(crate) async fn keep_candidates(inner: Arc<Inner>, name: &'static str) {
    let Ok(entry) = inner.entry(name) else { return };
    let version = entry.placement.projection.version();
    let mut told = entry.told.clone();
    let mut tick = interval(inner.reading.settings.end_interval);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = inner.cancel.cancelled() => return,
            _ = tick.tick() => {
                let status = inner.status(entry);
                if let Some(lag) = status.lag_seconds {
                    metrics::gauge!("waylog_projection_lag_seconds", "projection" => name).set(lag);
                }
                continue;
            }
            changed = told.changed() => if changed.is_err() { return },
        }
        let generations = told.borrow_and_update().generations.clone();
        let fills = |g: &&GenerationStatus| !g.live && g.version == version;
        let _changing = entry.changing.lock().await;
        for generation in generations.iter().filter(fills) {
            let known = entry.candidates().get(&generation.number).map(|c| c.told.borrow().state);
            // The list may be older than the end of a generation.
            if known != Some(RebuildState::Dropped) {
                inner.fill(entry, generation.number);
            }
        }
    }
}
