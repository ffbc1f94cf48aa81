//! What a caller asks of a start.

use super::kind::Kind;

/// What to start.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Kafka brokers, 1 or 3; none means as many as the set has, or 1.
    pub brokers: Option<u8>,
    /// Which services; empty means all.
    pub only: Vec<Kind>,
    /// Kill the services when this process ends, however it ends.
    pub mortal: bool,
}

impl Options {
    /// Only these services.
    #[must_use]
    pub fn only(kinds: impl Into<Vec<Kind>>) -> Self {
        Self { only: kinds.into(), ..Self::default() }
    }

    /// The services that are meant.
    #[must_use]
    pub fn kinds(&self) -> Vec<Kind> {
        if self.only.is_empty() { Kind::ALL.to_vec() } else { self.only.clone() }
    }
}
