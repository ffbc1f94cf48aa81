//! What every read store in a server of its own has to do beside the contract of stores.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use domain::RecordedEvent;
use uuid::Uuid;

use super::harness::MemoryTables;
use super::samples::{SampleLog, created};
use crate::projection::Projection;
use crate::store::{Generation, ReadStore, ReadStoreError};

/// What each call of a store may take in [`away_or_silent`].
pub const DEADLINE: Duration = Duration::from_millis(300);

/// Forty trips, in three partitions.
#[must_use]
pub fn trips() -> Vec<RecordedEvent> {
    let mut log = SampleLog::new();
    for n in 1..=40_u8 {
        let id = Uuid::from_u128(n.into());
        log.append(u32::from(n % 3), id, id, created(id, id, "Évora"));
    }
    log.into_events()
}

/// A server that is away, and one that accepts connections and never says a word, are `unavailable`
/// soon after [`DEADLINE`].
///
/// # Panics
/// When they are anything else.
pub async fn away_or_silent(store_at: impl Fn(u16) -> Box<dyn ReadStore>) {
    let listen = || TcpListener::bind("127.0.0.1:0").unwrap();
    let port = |listener: &TcpListener| listener.local_addr().unwrap().port();
    // It accepts by its backlog alone.
    let (silent, closed) = (listen(), listen());
    let ports = [port(&silent), port(&closed)];
    drop(closed);

    for port in ports {
        let store = store_at(port);
        let begun = Instant::now();

        let error = store.generations().await.unwrap_err();

        assert!(matches!(error, ReadStoreError::Unavailable(..)), "{error:?}");
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    }
}

/// The sums that a store has kept of its first generations after [`trips`] are those that it
/// computes from its rows, and those of the same fold in memory.
///
/// # Panics
/// When they are not.
pub async fn sums_agree(store: &dyn ReadStore, projections: &[Box<dyn Projection>]) {
    for projection in projections {
        let generation = Generation { projection: projection.name().to_owned(), number: 1 };
        let mut memory = MemoryTables::default();
        memory.fold(&**projection, &trips());

        let kept = store.sums(&generation).await.unwrap();
        let computed = store.recompute_sums(&generation, projection.tables()).await.unwrap();

        assert_eq!(kept, computed);
        assert_eq!(kept.1.len(), projection.tables().len());
        assert!(kept.1.iter().all(|(table, sum)| memory.sum(table) == *sum), "{generation}");
    }
}
