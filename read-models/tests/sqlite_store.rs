//! The embedded store keeps the contract of every read store.

use read_models::testing::worlds::SqliteWorld;

async fn world() -> Option<SqliteWorld> {
    Some(SqliteWorld::new())
}

read_models::read_store_contract!(world);
read_models::read_queries_contract!(world);
read_models::look_ups_contract!(world);

#[cfg(test)]
mod away {
    use std::time::{Duration, Instant};

    use domain::Tenant;
    use read_models::queries::WORK_MAX;
    use read_models::testing::loader::load_all;
    use read_models::testing::sales::any_sale;
    use read_models::testing::samples::{START, SampleLog};
    use read_models::testing::worlds::{SqliteWorld, StoreWorld as _};
    use read_models::{
        ReadStore as _, ReadStoreError, SqliteReadStore, SqliteReaders, SqliteSettings,
    };
    use uuid::Uuid;

    fn settings() -> SqliteSettings {
        SqliteSettings { deadline: Duration::from_millis(300), ..SqliteSettings::default() }
    }

    #[tokio::test]
    async fn a_store_that_somebody_else_locks_is_unavailable_within_its_deadline() {
        let world = SqliteWorld::new();
        world.open().prepare().await.unwrap();
        let store = SqliteReadStore::open(&world.path(), settings()).unwrap();
        let other = rusqlite::Connection::open(world.path()).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        let start = Instant::now();
        let generation = read_models::Generation { projection: "suite".to_owned(), number: 1 };

        let locked = store.create(&generation, 1, &[]).await.unwrap_err();
        let waited = start.elapsed();
        other.execute_batch("ROLLBACK").unwrap();
        let free = store.create(&generation, 1, &[]).await;

        assert!(matches!(locked, ReadStoreError::Unavailable(..)), "{locked:?}");
        assert!(waited < Duration::from_secs(5), "{waited:?}");
        assert!(free.unwrap().live);
    }

    #[tokio::test]
    async fn queries_go_on_while_a_writer_holds_the_file() {
        let world = SqliteWorld::new();
        let store = world.open();
        store.prepare().await.unwrap();
        read_models::testing::loader::load_all(&*store, &[], 1).await.unwrap();
        let other = rusqlite::Connection::open(world.path()).unwrap();
        other.execute_batch("BEGIN IMMEDIATE; DELETE FROM waylog_live").unwrap();

        let position = world.queries().position("itineraries").await;

        assert_eq!(position.unwrap().generation, 1);
    }

    #[test]
    fn a_file_that_is_not_there_is_not_created_by_a_reader() {
        let world = SqliteWorld::new();

        let missing = SqliteReaders::open(&world.path(), &settings()).err().unwrap();

        assert!(matches!(missing, ReadStoreError::Unavailable(..)), "{missing:?}");
        assert!(!world.path().exists());
    }

    /// The file's name with something after it.
    fn beside(world: &SqliteWorld, suffix: &str) -> std::path::PathBuf {
        let mut name = world.path().into_os_string();
        name.push(suffix);
        name.into()
    }

    #[tokio::test]
    async fn a_file_that_is_no_database_is_set_aside_and_begun_anew() {
        let world = SqliteWorld::new();
        let garbage = "x".repeat(4096);
        for suffix in ["", "-wal"] {
            std::fs::write(beside(&world, suffix), &garbage).unwrap();
        }

        let store = world.open();
        store.prepare().await.unwrap();

        assert!(store.generations().await.unwrap().is_empty());
        assert_eq!(std::fs::read_to_string(beside(&world, ".damaged")).unwrap(), garbage);
        assert!(!std::fs::read(beside(&world, "-wal")).unwrap().starts_with(b"x"));
    }

    #[tokio::test]
    async fn a_file_that_is_no_database_is_not_touched_by_who_only_looks() {
        let world = SqliteWorld::new();
        std::fs::write(world.path(), "x".repeat(4096)).unwrap();

        let looked = SqliteReadStore::open_read_only(&world.path(), settings()).unwrap();

        let damaged = looked.generations().await.unwrap_err();
        assert!(matches!(damaged, ReadStoreError::Damaged(..)), "{damaged:?}");
        assert!(damaged.to_string().contains("remove the file"), "{damaged}");
        assert!(world.path().exists() && !beside(&world, ".damaged").exists());
    }

    #[tokio::test]
    async fn a_damaged_page_is_told_as_damage() {
        let world = SqliteWorld::new();
        let store = world.open();
        store.prepare().await.unwrap();
        load_all(&*store, &[], 1).await.unwrap();
        drop(store);
        let connection = rusqlite::Connection::open(world.path()).unwrap();
        let root = "SELECT rootpage FROM sqlite_schema WHERE name = 'itineraries_g1'";
        let page: i64 = connection.query_row(root, [], |row| row.get(0)).unwrap();
        let page = usize::try_from(page).unwrap();
        drop(connection);
        let mut bytes = std::fs::read(world.path()).unwrap();
        bytes[(page - 1) * 4096..page * 4096].fill(0xff);
        std::fs::write(world.path(), bytes).unwrap();

        let store = world.open();

        let generation =
            read_models::Generation { projection: "itineraries".to_owned(), number: 1 };
        let tables = projection("itineraries").tables();
        let damaged = store.recompute_sums(&generation, tables).await.unwrap_err();
        assert!(matches!(damaged, ReadStoreError::Damaged(..)), "{damaged:?}");
        assert_eq!(damaged.code(), "read_store_damaged");
    }

    fn projection(name: &str) -> Box<dyn read_models::Projection> {
        let mut all = read_models::projections().into_iter();
        all.find(|projection| projection.name() == name).unwrap()
    }

    #[tokio::test]
    async fn work_that_cannot_be_read_holds_up_no_other() {
        let world = SqliteWorld::new();
        let store = world.open();
        store.prepare().await.unwrap();
        let mut log = SampleLog::new();
        // More than one piece of a list.
        for n in 1..=u128::from(WORK_MAX) + 2 {
            let id = Uuid::from_u128(n);
            log.append(0, id, id, any_sale(5, 0, id));
        }
        load_all(&*store, log.events(), 1_000).await.unwrap();
        let file = rusqlite::Connection::open(world.path()).unwrap();
        let spoil = |which: &str| {
            let sql = format!("UPDATE open_holds_g1 SET quantity = -1 WHERE {which}");
            file.execute(&sql, []).unwrap()
        };
        let queries = world.queries();
        let open = async || -> Vec<Uuid> {
            let open = queries.expired_holds(START.plus_seconds(9_999_999), None).await.unwrap();
            open.into_iter().map(|hold| hold.offer_id).collect()
        };

        assert_eq!(open().await.len(), WORK_MAX as usize);
        let first = open().await[0];
        assert_eq!(spoil(&format!("offer_id = x'{}'", first.simple())), 1);
        let others = open().await;
        assert_eq!((others.len(), others.contains(&first)), (WORK_MAX as usize, false));
        let last = Uuid::from_u128(u128::from(WORK_MAX) + 2);
        spoil(&format!("offer_id <> x'{}'", last.simple()));
        assert_eq!(open().await, [last]);
    }

    #[tokio::test]
    async fn a_file_that_is_not_prepared_answers_no_question() {
        let world = SqliteWorld::new();
        let _store = world.open();

        let tenant = Tenant::default();
        let position = domain::Position { partition: 0, offset: 0 };
        let failed = world.queries().event_at(&tenant, position).await.unwrap_err();

        assert_eq!(failed.code(), "read_store_unavailable");
    }
}
