//! Opens the read store that the settings choose, the queries over it, and the key store.

use std::path::Path;
use std::sync::Arc;

use keys::{
    KeyError, KeyStore, Keyring, KeyringSettings, PostgresKeySettings, PostgresKeyStore,
    SqliteKeyStore,
};
use read_models::{
    PostgresReadStore, PostgresReaders, PostgresSettings, ReadQueries, ReadStore, SqliteReadStore,
    SqliteReaders, SqliteSettings,
};

use crate::settings::{Mode, Places};

/// The file of the embedded read models; it may be deleted, and is then built anew from the log.
pub(crate) const READ_FILE: &str = "read.sqlite";

/// The file of the embedded keys; what it holds is nowhere else.
pub(crate) const KEYS_FILE: &str = "keys.sqlite";

/// The read store for those who write it. Nothing is asked of a database yet: it may be away, and
/// whoever writes prepares it when it is there.
///
/// # Errors
/// When the database's address cannot be read, or the file cannot be opened.
pub(crate) fn open(places: &Places) -> anyhow::Result<Arc<dyn ReadStore>> {
    let store: Arc<dyn ReadStore> = match places.mode()? {
        Mode::Embedded => {
            let path = places.data_dir.join(READ_FILE);
            Arc::new(SqliteReadStore::open(&path, SqliteSettings::default())?)
        }
        Mode::Distributed { postgres, .. } => {
            Arc::new(PostgresReadStore::new(&PostgresSettings::new(postgres.expose()))?)
        }
    };
    Ok(store)
}

/// The read store for those who only look: nothing is created, migrated or altered.
///
/// # Errors
/// When the database's address cannot be read, or there is no file.
pub(crate) fn look(places: &Places) -> anyhow::Result<Arc<dyn ReadStore>> {
    let store: Arc<dyn ReadStore> = match places.mode()? {
        Mode::Embedded => {
            let path = places.data_dir.join(READ_FILE);
            anyhow::ensure!(
                path.exists(),
                "there are no read models in {} yet: run `waylog serve`",
                places.data_dir.display()
            );
            Arc::new(SqliteReadStore::open_read_only(&path, SqliteSettings::default())?)
        }
        Mode::Distributed { postgres, .. } => {
            Arc::new(PostgresReadStore::read_only(&PostgresSettings::new(postgres.expose()))?)
        }
    };
    Ok(store)
}

/// The queries over a store that was prepared.
///
/// # Errors
/// When the database's address cannot be read, or the file cannot be opened.
pub(crate) fn queries(places: &Places) -> anyhow::Result<Arc<ReadQueries>> {
    let queries = match places.mode()? {
        Mode::Embedded => {
            let path = places.data_dir.join(READ_FILE);
            ReadQueries::sqlite(SqliteReaders::open(&path, &SqliteSettings::default())?)
        }
        Mode::Distributed { postgres, .. } => {
            let settings = PostgresSettings::new(postgres.expose());
            ReadQueries::postgres(PostgresReaders::new(&settings)?)
        }
    };
    Ok(Arc::new(queries))
}

/// The keys of personal data, for serving. The distributed store is connected to when it is first
/// asked: what needs no keys goes on without it.
///
/// # Errors
/// When the file cannot be opened, or the database's address cannot be read.
pub(crate) fn keyring(places: &Places) -> anyhow::Result<Keyring> {
    keyring_over(places, SqliteKeyStore::open)
}

/// The keys of personal data, for looking at them beside a running server.
///
/// # Errors
/// As [`keyring`]; also when there is no file.
pub(crate) fn keyring_to_read(places: &Places) -> anyhow::Result<Keyring> {
    keyring_over(places, SqliteKeyStore::open_read_only)
}

fn keyring_over(
    places: &Places,
    file: impl FnOnce(&Path) -> Result<SqliteKeyStore, KeyError>,
) -> anyhow::Result<Keyring> {
    let store: Arc<dyn KeyStore> = match places.mode()? {
        Mode::Embedded => Arc::new(file(&places.data_dir.join(KEYS_FILE))?),
        Mode::Distributed { postgres, .. } => {
            Arc::new(PostgresKeyStore::new(&PostgresKeySettings::new(postgres.expose()))?)
        }
    };
    Ok(Keyring::new(store, KeyringSettings::default()))
}
