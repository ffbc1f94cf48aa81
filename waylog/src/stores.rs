//! Opens the read store that the settings choose, and the queries over it.

use std::sync::Arc;

use read_models::{
    PostgresReadStore, PostgresReaders, PostgresSettings, ReadQueries, ReadStore, SqliteReadStore,
    SqliteReaders, SqliteSettings,
};

use crate::settings::{Mode, Places};

/// The file of the embedded read models; it may be deleted, and is then built anew from the log.
pub(crate) const READ_FILE: &str = "read.sqlite";

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
