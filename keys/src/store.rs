//! What keeps the keys.

use domain::Timestamp;
use domain::ids::PersonId;

use crate::error::KeyError;
use crate::key::Holding;

/// A person who was forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forgotten {
    /// Who.
    pub person: PersonId,
    /// When the key was destroyed; the first time counts.
    pub forgotten_at: Timestamp,
}

/// How many persons a store knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// With a key.
    pub keys: u64,
    /// Forgotten.
    pub forgotten: u64,
}

/// Keeps one key a person, outside the log. What a call answers is durable; every call has a
/// deadline of the store's own.
///
/// A person has no key, then one for as long as there is anything to read, then a tombstone for
/// ever. Nothing leads back.
#[async_trait::async_trait]
pub trait KeyStore: Send + Sync {
    /// The person's key, minted if there is none: two callers at once, wherever they are, get the
    /// same one.
    ///
    /// # Errors
    /// As the store is; a forgotten person is none.
    async fn load_or_mint(&self, person: PersonId) -> Result<Holding, KeyError>;

    /// What is held for each of these persons, in one trip; whom the store does not know is left
    /// out.
    ///
    /// # Errors
    /// As the store is.
    async fn load(&self, persons: &[PersonId]) -> Result<Vec<(PersonId, Holding)>, KeyError>;

    /// Destroys the person's key and leaves the tombstone, also for whom had no key yet. A repeat
    /// changes nothing and answers with the first time.
    ///
    /// # Errors
    /// As the store is; the key may be destroyed all the same, and a repeat tells.
    async fn destroy(&self, person: PersonId) -> Result<Forgotten, KeyError>;

    /// The forgotten, in the order of their ids, behind `after`; at most `limit`.
    ///
    /// # Errors
    /// As the store is.
    async fn forgotten(
        &self,
        after: Option<PersonId>,
        limit: u32,
    ) -> Result<Vec<Forgotten>, KeyError>;

    /// Whether the store answers.
    ///
    /// # Errors
    /// Why it does not.
    async fn check(&self) -> Result<(), KeyError>;

    /// Counts everybody: for people, not for probes.
    ///
    /// # Errors
    /// As the store is.
    async fn census(&self) -> Result<Census, KeyError>;
}
