//! Sealing personal data under a key of the person it is about, and forgetting the person by
//! destroying the key.
//!
//! Events, read models and snapshots hold [`domain::Sealed`] text alone. Whoever receives personal
//! data seals it with a [`Keyring`] before anything is decided; whoever shows it opens it when the
//! answer is made. So one destroyed key makes a person's data unreadable everywhere at once, and
//! no table has to be swept.
//!
//! A [`KeyStore`] keeps the keys outside the log, in `SQLite` or `PostgreSQL`; one contract suite
//! proves both. It is a source of truth: a key that is lost there is lost.

mod cache;
mod cipher;
mod documents;
mod error;
mod key;
mod keyring;
mod postgres;
mod purpose;
mod sqlite;
mod store;
#[cfg(feature = "testing")]
pub mod testing;

pub use cipher::PLAINTEXT_BYTES_MAX;
pub use error::{Damage, KeyError, KeyErrorKind};
pub use key::{Holding, Key};
pub use keyring::{KEY_LIFE, Keyring, KeyringSettings, Opened};
pub use postgres::{PostgresKeySettings, PostgresKeyStore};
pub use purpose::{Form, Purpose};
pub use sqlite::SqliteKeyStore;
pub use store::{Census, Forgotten, KeyStore};
