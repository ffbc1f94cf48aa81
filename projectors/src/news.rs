//! Word that a projection has moved, for whoever works through its rows in the same process.

use domain::PositionVector;
use tokio::sync::watch;

use crate::placement::Told;
use crate::projectors::Projectors;

/// Tells when a projection's rows may have changed.
pub struct News {
    told: watch::Receiver<Told>,
    seen: PositionVector,
}

impl News {
    /// Waits until the projection has read further than when this was asked last. False when it
    /// never will again, because it was shut down. Cancel-safe.
    pub async fn moved(&mut self) -> bool {
        loop {
            if self.told.changed().await.is_err() {
                return false;
            }
            let told = self.told.borrow_and_update();
            if told.vector != self.seen {
                self.seen.clone_from(&told.vector);
                return true;
            }
        }
    }
}

impl Projectors {
    /// Word of a projection; nothing when it does not run here.
    #[must_use]
    pub fn news(&self, projection: &str) -> Option<News> {
        let told = self.0.entry(projection).ok()?.told.clone();
        Some(News { told, seen: PositionVector::empty() })
    }
}
