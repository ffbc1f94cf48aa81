//! Opens the read stores that the settings choose, says which projection is kept where, and gives
//! the queries over them.

use std::sync::Arc;

use projectors::Placement;
use read_models::{
    Home, HotCopy, MysqlReadStore, MysqlReaders, MysqlSettings, PostgresReadStore, PostgresReaders,
    PostgresSettings, Projection, ReadQueries, ReadStore, ReadStoreError, RedisReadStore,
    RedisReaders, RedisSettings, SqliteReadStore, SqliteReaders, SqliteSettings, projections,
};

use service_kit::secret::ConnectionUrl;

use crate::settings::{Mode, Places, WrongUse};

/// The file of the embedded read models; it may be deleted, and is then built anew from the log.
pub(crate) const READ_FILE: &str = "read.sqlite";
/// How long a question to Redis may take before the server database is asked instead.
const REDIS_QUESTION: std::time::Duration = std::time::Duration::from_millis(500);

/// The read stores of a deployment, with their own tables brought up to date.
pub(crate) struct Stores {
    /// The embedded file, or the server database.
    pub(crate) main: Arc<dyn ReadStore>,
    /// Where it is named.
    pub(crate) mysql: Option<Arc<dyn ReadStore>>,
    /// Where it is named.
    pub(crate) redis: Option<Arc<dyn ReadStore>>,
}

/// Opens every read store that the settings name.
///
/// # Errors
/// When a database is away or refuses; Redis may be away, because nothing is kept there alone.
pub(crate) async fn open(places: &Places) -> anyhow::Result<Stores> {
    let mode = places.mode()?;
    let main: Arc<dyn ReadStore> = match &mode {
        Mode::Embedded => {
            let path = places.data_dir.join(READ_FILE);
            Arc::new(SqliteReadStore::open(&path, SqliteSettings::default())?)
        }
        Mode::Distributed { postgres, .. } => {
            Arc::new(PostgresReadStore::new(&PostgresSettings::new(postgres.expose()))?)
        }
    };
    main.prepare().await?;
    let (mut mysql, mut redis) = (None, None);
    if let Mode::Distributed { mysql: url, redis: redis_url, .. } = &mode {
        if let Some(url) = url {
            let store = MysqlReadStore::new(&MysqlSettings::new(url.expose()))?;
            store.prepare().await?;
            mysql = Some(Arc::new(store) as Arc<dyn ReadStore>);
        }
        if let Some(url) = redis_url {
            let store = RedisReadStore::new(&redis_settings(places, url))?;
            match store.prepare().await {
                Ok(()) => {}
                Err(error @ ReadStoreError::Unavailable(..)) => {
                    tracing::warn!(code = error.code(), %error, "going on without Redis for now");
                }
                Err(error) => return Err(error.into()),
            }
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

#[cfg(test)]
mod tests {
    use domain::RecordedEvent;
    use read_models::{RowKey, Rows, Table};

    use super::*;

    struct Placed(Home);

    impl Projection for Placed {
        fn name(&self) -> &'static str {
            "placed"
        }

        fn version(&self) -> u32 {
            1
        }

        fn tables(&self) -> &'static [&'static Table] {
            &[]
        }

        fn home(&self) -> Home {
            self.0
        }

        fn keyed_by_stream(&self) -> bool {
            true
        }

        fn keys(&self, _: &RecordedEvent, _: &mut Vec<RowKey>) {}

        fn fold(&self, _: &mut Rows, _: &RecordedEvent) {}
    }

    fn checked(home: Home, mysql_named: bool) -> anyhow::Result<()> {
        check_homes(&[Box::new(Placed(home))], mysql_named)
    }

    #[test]
    fn a_model_that_belongs_in_mysql_needs_its_setting_and_one_in_redis_none() {
        let error = checked(Home::Mysql, false).unwrap_err().to_string();

        assert!(error.contains("`placed`") && error.contains("--mysql-url"), "{error}");
        assert!(checked(Home::Mysql, true).is_ok());
        assert!(checked(Home::Redis { copy: "placed_hot" }, false).is_ok());
    }

    #[test]
    fn only_a_model_that_belongs_in_redis_has_a_copy_under_a_name_of_its_own() {
        let copy = |home| HotCopy::of(Box::new(Placed(home))).map(|copy| copy.name());

        assert_eq!(copy(Home::Redis { copy: "placed_hot" }), Some("placed_hot"));
        assert_eq!(copy(Home::Mysql), None);
        assert_eq!(copy(Home::Postgres), None);
    }
}
