//! Sealing and opening: a store's keys, with a short memory in front of them.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use domain::Sealed;
use domain::ids::PersonId;

use crate::cache::Cache;
use crate::cipher;
use crate::error::{Damage, KeyError};
use crate::key::Holding;
use crate::purpose::Purpose;
use crate::store::{Census, Forgotten, KeyStore};

/// How long a key is remembered: the longest that a key destroyed by another process still opens
/// anything in this one.
pub const KEY_LIFE: Duration = Duration::from_secs(5);

/// What the memory of a keyring may cost.
#[derive(Clone, Copy, Debug)]
pub struct KeyringSettings {
    /// Keys that are remembered at one time.
    pub keys_max: usize,
    /// How long each is.
    pub key_life: Duration,
}

impl Default for KeyringSettings {
    fn default() -> Self {
        Self { keys_max: 10_000, key_life: KEY_LIFE }
    }
}

/// A sealed text, opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opened {
    /// What was sealed.
    Plain(String),
    /// Its person was forgotten; nobody can read it any longer.
    Forgotten,
}

/// Seals and opens with the keys of one store. Cheap to clone; clones share their memory, and so
/// see at once what one of them destroys.
#[derive(Clone)]
pub struct Keyring(Arc<Parts>);

struct Parts {
    store: Arc<dyn KeyStore>,
    cache: Mutex<Cache>,
}

impl Keyring {
    /// A keyring of that store.
    #[must_use]
    pub fn new(store: Arc<dyn KeyStore>, settings: KeyringSettings) -> Self {
        let cache = Mutex::new(Cache::new(settings.keys_max, settings.key_life));
        Self(Arc::new(Parts { store, cache }))
    }

    /// Seals a text about the person; the first one mints the person's key, which is durable before
    /// this answers.
    ///
    /// # Errors
    /// [`KeyError::Forgotten`], [`KeyError::TooLarge`]; as the store is.
    pub async fn seal(
        &self,
        person: PersonId,
        purpose: Purpose,
        plaintext: &str,
    ) -> Result<Sealed, KeyError> {
        let remembered = self.cache().look(person, Instant::now());
        let holding = match remembered {
            Some(holding) => holding,
            None => {
                let ticket = self.cache().ticket(Instant::now());
                let holding = self.0.store.load_or_mint(person).await?;
                self.cache().keep(ticket, person, holding.clone());
                holding
            }
        };
        match holding {
            Holding::Key(key) => cipher::seal(&key, person, purpose, plaintext),
            Holding::Forgotten => Err(KeyError::Forgotten(person)),
        }
    }

    /// Opens one text.
    ///
    /// # Errors
    /// [`KeyError::Damaged`]; as the store is.
    pub async fn open(&self, sealed: &Sealed, purpose: Purpose) -> Result<Opened, KeyError> {
        let mut opened = self.open_all(&[(sealed, purpose)]).await?;
        let only = opened.pop().unwrap_or(Err(Damage::KeyMissing));
        Ok(only?)
    }

    /// Opens many texts, in their order; however many persons they are about, the store is asked at
    /// most once, and not at all for none. One that is damaged spoils no other.
    ///
    /// # Errors
    /// As the store is.
    pub async fn open_all(
        &self,
        texts: &[(&Sealed, Purpose)],
    ) -> Result<Vec<Result<Opened, Damage>>, KeyError> {
        let holdings = self.holdings(texts.iter().map(|(sealed, _)| sealed.person)).await?;
        let open = |(sealed, purpose): &(&Sealed, Purpose)| match holdings.get(&sealed.person) {
            Some(Holding::Key(key)) => cipher::open(key, sealed, *purpose).map(Opened::Plain),
            Some(Holding::Forgotten) => Ok(Opened::Forgotten),
            None => Err(Damage::KeyMissing),
        };
        Ok(texts.iter().map(open).collect())
    }

    /// Destroys the person's key, for ever. When this answers, no clone of this keyring opens
    /// anything about the person any longer; keyrings elsewhere stop within their keys' life.
    ///
    /// # Errors
    /// As the store is; the key may be destroyed all the same, and a repeat tells.
    pub async fn forget(&self, person: PersonId) -> Result<Forgotten, KeyError> {
        let destroyed = self.0.store.destroy(person).await;
        // Also after an error: the store may have destroyed it and failed to say so.
        self.cache().remove(person);
        destroyed
    }

    /// The forgotten, in the order of their ids, behind `after`; at most `limit`.
    ///
    /// # Errors
    /// As the store is.
    pub async fn forgotten(
        &self,
        after: Option<PersonId>,
        limit: u32,
    ) -> Result<Vec<Forgotten>, KeyError> {
        self.0.store.forgotten(after, limit).await
    }

    /// Whether the store answers.
    ///
    /// # Errors
    /// Why it does not.
    pub async fn check(&self) -> Result<(), KeyError> {
        self.0.store.check().await
    }

    /// How many persons the store knows.
    ///
    /// # Errors
    /// As the store is.
    pub async fn census(&self) -> Result<Census, KeyError> {
        self.0.store.census().await
    }

    /// What is held for these persons, from memory or else from the store.
    async fn holdings(
        &self,
        persons: impl Iterator<Item = PersonId>,
    ) -> Result<HashMap<PersonId, Holding>, KeyError> {
        let mut known = HashMap::new();
        let mut missing = BTreeSet::new();
        let ticket = {
            let (mut cache, now) = (self.cache(), Instant::now());
            for person in persons {
                match cache.look(person, now) {
                    Some(holding) => drop(known.insert(person, holding)),
                    None => drop(missing.insert(person)),
                }
            }
            cache.ticket(now)
        };
        if !missing.is_empty() {
            let missing: Vec<PersonId> = missing.into_iter().collect();
            let loaded = self.0.store.load(&missing).await?;
            let mut cache = self.cache();
            for (person, holding) in loaded {
                cache.keep(ticket, person, holding.clone());
                known.insert(person, holding);
            }
        }
        Ok(known)
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.0.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
