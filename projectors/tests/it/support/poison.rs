//! A projection that chokes on chosen events until it is cured.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use domain::RecordedEvent;
use read_models::{Projection, RowKey, Rows, Table};

/// Panics at the chosen versions of the chosen streams; otherwise the projection inside.
pub(crate) struct Poisonable {
    inner: Arc<dyn Projection>,
    pub(crate) poison: Mutex<BTreeSet<(String, u64)>>,
    pub(crate) version: u32,
    /// How long each fold takes.
    pub(crate) slow: Mutex<std::time::Duration>,
}

impl Poisonable {
    pub(crate) fn new(inner: Arc<dyn Projection>) -> Arc<Self> {
        let version = inner.version();
        let (poison, slow) = (Mutex::default(), Mutex::default());
        Arc::new(Self { inner, poison, version, slow })
    }

    pub(crate) fn of_version(inner: Arc<dyn Projection>, version: u32) -> Arc<Self> {
        let (poison, slow) = (Mutex::default(), Mutex::default());
        Arc::new(Self { inner, poison, version, slow })
    }

    /// The projection without poison.
    pub(crate) fn inner(&self) -> Arc<dyn Projection> {
        Arc::clone(&self.inner)
    }

    pub(crate) fn poison(&self, stream: &str, version: u64) {
        self.poison.lock().unwrap().insert((stream.to_owned(), version));
    }

    pub(crate) fn cure(&self) {
        self.poison.lock().unwrap().clear();
    }
}

impl Projection for Poisonable {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn version(&self) -> u32 {
        self.version
    }

    fn tables(&self) -> &'static [&'static Table] {
        self.inner.tables()
    }

    fn keyed_by_stream(&self) -> bool {
        self.inner.keyed_by_stream()
    }

    fn keys(&self, event: &RecordedEvent, keys: &mut Vec<RowKey>) {
        self.inner.keys(event, keys);
    }

    fn further_keys(&self, rows: &Rows, event: &RecordedEvent, keys: &mut Vec<RowKey>) {
        self.inner.further_keys(rows, event, keys);
    }

    fn fold(&self, rows: &mut Rows, event: &RecordedEvent) {
        let envelope = &event.envelope;
        let place = (envelope.stream.to_string(), envelope.version);
        let poisoned = self.poison.lock().unwrap().contains(&place);
        self.inner.fold(rows, event);
        std::thread::sleep(*self.slow.lock().unwrap());
        assert!(!poisoned, "poisoned");
    }
}
