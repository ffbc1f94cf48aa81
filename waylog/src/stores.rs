//! Opens the read stores that the settings choose, says which projection is kept where, gives the
//! queries over them, and opens the key store.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use keys::{
    KeyError, KeyStore, Keyring, KeyringSettings, PostgresKeySettings, PostgresKeyStore,
    SqliteKeyStore,
};
use projectors::Placement;
use read_models::{
    Home, HotCopy, MysqlReadStore, MysqlReaders, MysqlSettings, PostgresReadStore, PostgresReaders,
    PostgresSettings, Projection, ReadQueries, ReadStore, RedisReadStore, RedisReaders,
    RedisSettings, SqliteReadStore, SqliteReaders, SqliteSettings, projections,
};

use service_kit::secret::ConnectionUrl;

use crate::settings::{Mode, Places, WrongUse};

/// The file of the embedded read models; it may be deleted, and is then built anew from the log.
pub(crate) const READ_FILE: &str = "read.sqlite";
/// How long a question to Redis may take before the server database is asked instead.
const REDIS_QUESTION: std::time::Duration = std::time::Duration::from_millis(500);

/// The file of the embedded keys; what it holds is nowhere else.
pub(crate) const KEYS_FILE: &str = "keys.sqlite";

/// The read stores of a deployment.
pub(crate) struct Stores {
    /// The embedded file, or the server database.
    pub(crate) main: Arc<dyn ReadStore>,
    /// Where it is named.
    pub(crate) mysql: Option<Arc<dyn ReadStore>>,
    /// Where it is named.
    pub(crate) redis: Option<Arc<dyn ReadStore>>,
}

/// The read stores for those who write them. Nothing is asked of a database yet: it may be away,
/// and whoever writes prepares it when it is there.
///
/// # Errors
/// When a database's address cannot be read, or the file cannot be opened.
pub(crate) fn open(places: &Places) -> anyhow::Result<Stores> {
    let mode = places.mode()?;
    let main: Arc<dyn ReadStore> = match &mode {
        Mode::Embedded => {
            let path = places.data_dir.join(READ_FILE);
            let store = SqliteReadStore::open(&path, SqliteSettings::default());
            Arc::new(store.with_context(|| format!("cannot open {}", path.display()))?)
        }
        Mode::Distributed { postgres, .. } => {
            Arc::new(PostgresReadStore::new(&PostgresSettings::new(postgres.expose()))?)
        }
    };
    with_servers(main, places, &mode)
}

/// The read stores for those who only look: nothing is created, migrated or altered.
///
/// # Errors
/// When a database's address cannot be read, or there is no file.
pub(crate) fn look(places: &Places) -> anyhow::Result<Stores> {
    let mode = places.mode()?;
    let main: Arc<dyn ReadStore> = match &mode {
        Mode::Embedded => {
            let path = places.data_dir.join(READ_FILE);
            anyhow::ensure!(
                path.exists(),
                "there are no read models in {} yet: run `waylog serve`",
                places.data_dir.display()
            );
            let store = SqliteReadStore::open_read_only(&path, SqliteSettings::default());
            Arc::new(store.with_context(|| format!("cannot open {}", path.display()))?)
        }
        Mode::Distributed { postgres, .. } => {
            Arc::new(PostgresReadStore::read_only(&PostgresSettings::new(postgres.expose()))?)
        }
    };
    with_servers(main, places, &mode)
}

/// The same with the other databases that are named, as far as any projection belongs there.
/// Neither is asked anything before it is used.
fn with_servers(main: Arc<dyn ReadStore>, places: &Places, mode: &Mode) -> anyhow::Result<Stores> {
    let (mut mysql, mut redis) = (None, None);
    if let Mode::Distributed { mysql: url, redis: redis_url, .. } = mode {
        let homes = projections();
        if let Some(url) = url
            && homes.iter().any(|projection| projection.home() == Home::Mysql)
        {
            let store = MysqlReadStore::new(&MysqlSettings::new(url.expose()))?;
            mysql = Some(Arc::new(store) as Arc<dyn ReadStore>);
        }
        if let Some(url) = redis_url
            && homes.iter().any(|projection| matches!(projection.home(), Home::Redis { .. }))
        {
            let store = RedisReadStore::new(&redis_settings(places, url))?;
            redis = Some(Arc::new(store) as Arc<dyn ReadStore>);
        }
    }
    Ok(Stores { main, mysql, redis })
}

/// The log's name keeps the deployments of one server apart.
fn redis_settings(places: &Places, url: &ConnectionUrl) -> RedisSettings {
    RedisSettings { prefix: places.kafka_topic_prefix.clone(), ..RedisSettings::new(url.expose()) }
}

impl Stores {
    /// Where each of the projections is kept: where it says that it belongs, and embedded all in
    /// one file. One that belongs in Redis is kept in the server database too, under its own name.
    pub(crate) fn placements(&self) -> Vec<Placement> {
        let mut placements = Vec::new();
        for projection in projections() {
            let store = self.store_of(projection.home());
            placements.push(Placement { projection: Arc::from(projection), store });
        }
        if let Some(redis) = &self.redis {
            for copy in projections().into_iter().filter_map(HotCopy::of) {
                placements.push(Placement { projection: Arc::new(copy), store: Arc::clone(redis) });
            }
        }
        placements
    }

    fn store_of(&self, home: Home) -> Arc<dyn ReadStore> {
        match (home, &self.mysql) {
            (Home::Mysql, Some(mysql)) => Arc::clone(mysql),
            // Without MySQL only the embedded mode gets here: the settings have seen to it.
            (Home::Mysql, None) | (Home::Postgres | Home::Redis { .. }, _) => {
                Arc::clone(&self.main)
            }
        }
    }
}

/// Refuses settings that do not name a database which a projection belongs in.
///
/// # Errors
/// A sentence that names projection and setting.
pub(crate) fn check_homes(
    projections: &[Box<dyn Projection>],
    mysql_named: bool,
) -> anyhow::Result<()> {
    match projections.iter().find(|projection| projection.home() == Home::Mysql) {
        Some(projection) if !mysql_named => Err(WrongUse::because(format!(
            "the read model `{}` is kept in MySQL: --kafka-brokers needs --mysql-url too",
            projection.name()
        ))),
        _ => Ok(()),
    }
}

/// The queries over stores that were prepared.
///
/// # Errors
/// When a database's address cannot be read, or the file cannot be opened.
pub(crate) fn queries(places: &Places) -> anyhow::Result<Arc<ReadQueries>> {
    let queries = match places.mode()? {
        Mode::Embedded => {
            let path = places.data_dir.join(READ_FILE);
            ReadQueries::sqlite(SqliteReaders::open(&path, &SqliteSettings::default())?)
        }
        Mode::Distributed { postgres, mysql, redis, .. } => {
            let settings = PostgresSettings::new(postgres.expose());
            let mut queries = ReadQueries::postgres(PostgresReaders::new(&settings)?);
            let homes = projections();
            if let Some(mysql) = mysql {
                let here = homes.iter().filter(|projection| projection.home() == Home::Mysql);
                let readers = MysqlReaders::new(&MysqlSettings::new(mysql.expose()))?;
                queries = queries.with_mysql(readers, here.map(|projection| projection.name()));
            }
            if let Some(redis) = redis {
                let settings =
                    RedisSettings { deadline: REDIS_QUESTION, ..redis_settings(places, &redis) };
                let copies = homes.iter().filter_map(|projection| match projection.home() {
                    Home::Redis { copy } => Some((projection.name(), copy)),
                    Home::Postgres | Home::Mysql => None,
                });
                queries = queries.with_redis(RedisReaders::new(&settings)?, copies);
            }
            queries
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
    keyring_over(places, SqliteKeyStore::open, PostgresKeyStore::new)
}

/// The keys of personal data, for looking at them beside a running server.
///
/// # Errors
/// As [`keyring`]; also when there is no file.
pub(crate) fn keyring_to_read(places: &Places) -> anyhow::Result<Keyring> {
    keyring_over(places, SqliteKeyStore::open_read_only, PostgresKeyStore::read_only)
}

fn keyring_over(
    places: &Places,
    file: impl FnOnce(&Path) -> Result<SqliteKeyStore, KeyError>,
    server: impl FnOnce(&PostgresKeySettings) -> Result<PostgresKeyStore, KeyError>,
) -> anyhow::Result<Keyring> {
    let store: Arc<dyn KeyStore> = match places.mode()? {
        Mode::Embedded => Arc::new(file(&places.data_dir.join(KEYS_FILE))?),
        Mode::Distributed { postgres, .. } => {
            Arc::new(server(&PostgresKeySettings::new(postgres.expose()))?)
        }
    };
    Ok(Keyring::new(store, KeyringSettings::default()))
}
