//! The distributed store keeps the contract of every read store.

use read_models::testing::worlds::PostgresWorld;

async fn world() -> Option<PostgresWorld> {
    PostgresWorld::new().await
}

read_models::read_store_contract!(world);
read_models::read_queries_contract!(world);
read_models::look_ups_contract!(world);

#[cfg(test)]
mod server {
    use std::time::{Duration, Instant};

    use read_models::postgres::copy_again;
    use read_models::testing::loader::{Loader, index, load_all};
    use read_models::testing::server_suite::{DEADLINE, away_or_silent, sums_agree, trips};
    use read_models::testing::worlds::{PostgresWorld, StoreWorld};
    use read_models::{
        Generation, PostgresReadStore, PostgresSettings, ReadStore, ReadStoreError, projections,
    };

    async fn client(world: &PostgresWorld) -> tokio_postgres::Client {
        let url = &world.settings().url;
        let (client, connection) =
            tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }

    #[tokio::test]
    async fn rows_are_copied_once_more_and_nothing_of_it_is_left() {
        let Some(world) = PostgresWorld::new().await else { return };
        let store = world.open();
        store.prepare().await.unwrap();
        let audit = projections().into_iter().find(|known| known.name() == "audit").unwrap();
        load_all(&*store, &trips(), 16).await.unwrap();
        let generation = Generation { projection: "audit".to_owned(), number: 1 };
        let client = client(&world).await;

        let copied = copy_again(world.settings(), &generation, audit.tables()).await.unwrap();

        assert_eq!(copied.rows, 40);
        let sql = "SELECT count(*) FROM pg_tables WHERE schemaname = current_schema() \
                   AND tablename LIKE '%\\_copy'";
        let left: i64 = client.query_one(sql, &[]).await.unwrap().get(0);
        assert_eq!(left, 0);
    }

    #[tokio::test]
    async fn a_server_that_is_away_or_silent_is_unavailable_within_the_deadline() {
        away_or_silent(|port| {
            let url = format!("postgresql://nobody@127.0.0.1:{port}/none");
            let settings = PostgresSettings { deadline: DEADLINE, ..PostgresSettings::new(url) };
            Box::new(PostgresReadStore::new(&settings).unwrap())
        })
        .await;
    }

    #[tokio::test]
    async fn a_batch_that_waits_for_a_lock_gives_up_and_leaves_the_store_usable() {
        let Some(world) = PostgresWorld::new().await else { return };
        let store = world.open();
        store.prepare().await.unwrap();
        load_all(&*store, &trips()[..20], 7).await.unwrap();
        let deadline = Duration::from_secs(2);
        let settings = PostgresSettings { deadline, ..world.settings().clone() };
        let hurried = PostgresReadStore::new(&settings).unwrap();
        let all = projections();
        let mut loader = Loader::new(&hurried, &*all[0], 1).await.unwrap();
        let mut holder = client(&world).await;
        let tx = holder.transaction().await.unwrap();
        tx.execute("UPDATE waylog_generations SET continuity = 'held'", &[]).await.unwrap();

        let locked = loader.batch(&trips()).await.unwrap_err();
        tx.rollback().await.unwrap();
        let free = loader.batch(&trips()).await;

        assert!(matches!(locked, ReadStoreError::Unavailable(..)), "{locked:?}");
        assert!(free.is_ok(), "{free:?}");
    }

    #[tokio::test]
    async fn a_call_that_is_given_up_leaves_no_busy_connection_behind() {
        let Some(world) = PostgresWorld::new().await else { return };
        let prepared = world.open();
        prepared.prepare().await.unwrap();
        load_all(&*prepared, &trips()[..20], 7).await.unwrap();
        let settings = PostgresSettings { connections: 1, ..world.settings().clone() };
        let store = PostgresReadStore::new(&settings).unwrap();
        let all = projections();
        let mut loader = Loader::new(&store, &*all[0], 1).await.unwrap();
        let mut holder = client(&world).await;
        let tx = holder.transaction().await.unwrap();
        tx.execute("UPDATE waylog_generations SET continuity = 'held'", &[]).await.unwrap();
        let begun = Instant::now();
        let patience = Duration::from_secs(2);

        let given_up = tokio::time::timeout(patience, loader.batch(&trips())).await;
        let known = store.generations().await;
        let waited = begun.elapsed();
        tx.rollback().await.unwrap();

        assert!(given_up.is_err(), "it waits for the lock");
        assert!(known.is_ok(), "{known:?}");
        // The lock is waited for 13 s and more.
        assert!(waited < Duration::from_secs(10), "{waited:?}");
    }

    #[tokio::test]
    async fn the_same_events_have_the_same_sums_as_in_memory() {
        let Some(world) = PostgresWorld::new().await else { return };
        let store = world.open();
        store.prepare().await.unwrap();

        load_all(&*store, &trips(), 3).await.unwrap();

        sums_agree(&*store, &projections()).await;
    }

    #[tokio::test]
    async fn people_find_documented_views_of_the_live_tables() {
        let Some(world) = PostgresWorld::new().await else { return };
        let store = world.open();
        store.prepare().await.unwrap();
        load_all(&*store, &trips(), 50).await.unwrap();
        let client = client(&world).await;
        let count = async || -> i64 {
            client.query_one("SELECT count(*) FROM itineraries", &[]).await.unwrap().get(0)
        };
        assert_eq!(count().await, 40);
        let all = projections();
        let mut rebuilt = Loader::new(&*store, &*all[0], 2).await.unwrap();
        rebuilt.batch(&trips()).await.unwrap();
        let second = Generation { projection: "itineraries".to_owned(), number: 2 };
        index(&*store, &second, all[0].tables()).await.unwrap();
        client.batch_execute("DELETE FROM itineraries_g2 WHERE title = 'Évora'").await.unwrap();

        store.promote(&second).await.unwrap();

        assert_eq!(count().await, 0, "the view follows the pointer");
        let comment = "SELECT col_description('itineraries'::regclass, attnum), \
                       obj_description('itineraries_g2'::regclass) FROM pg_attribute \
                       WHERE attrelid = 'itineraries'::regclass AND attname = 'budget_amount'";
        let row = client.query_one(comment, &[]).await.unwrap();
        assert!(row.get::<_, &str>(0).contains("minor units"));
        assert!(row.get::<_, &str>(1).starts_with("One trip"));
    }

    #[tokio::test]
    async fn what_has_no_indexes_is_not_promoted() {
        let Some(world) = PostgresWorld::new().await else { return };
        let store = world.open();
        store.prepare().await.unwrap();
        load_all(&*store, &trips(), 50).await.unwrap();
        let all = projections();
        let mut rebuilt = Loader::new(&*store, &*all[0], 2).await.unwrap();
        rebuilt.batch(&trips()).await.unwrap();
        let second = Generation { projection: "itineraries".to_owned(), number: 2 };
        let indexes = async |table: &str| -> i64 {
            let sql = "SELECT count(*) FROM pg_indexes \
                       WHERE schemaname = current_schema() AND tablename = $1";
            client(&world).await.query_one(sql, &[&table]).await.unwrap().get(0)
        };

        let early = store.promote(&second).await.unwrap_err();
        let (before, wanted) = (indexes("itineraries_g2").await, indexes("itineraries_g1").await);
        index(&*store, &second, all[0].tables()).await.unwrap();

        assert!(early.to_string().contains("has no indexes yet"), "{early}");
        assert!(before < wanted, "{before} of {wanted}");
        assert_eq!(indexes("itineraries_g2").await, wanted);
        store.promote(&second).await.unwrap();
    }

    #[tokio::test]
    async fn a_search_is_served_by_its_index() {
        let Some(world) = PostgresWorld::new().await else { return };
        let store = world.open();
        store.prepare().await.unwrap();
        load_all(&*store, &trips(), 50).await.unwrap();
        let client = client(&world).await;
        client.batch_execute("SET enable_seqscan = off").await.unwrap();

        let plan = client
            .query(
                "EXPLAIN SELECT title FROM itineraries WHERE \
                 array_to_tsvector(string_to_array(search_words, ' ')) @@ '''evo'':*'::tsquery",
                &[],
            )
            .await
            .unwrap();

        let plan: Vec<&str> = plan.iter().map(|row| row.get(0)).collect();
        assert!(plan.join("\n").contains("itineraries_g1_words"), "{plan:?}");
    }

    #[test]
    fn a_password_is_never_shown() {
        let bad = PostgresSettings::new("postgresql://waylog:hunter2@host:not-a-port/x");

        let refused = PostgresReadStore::new(&bad).err().unwrap();

        assert!(matches!(refused, ReadStoreError::Refused(_)));
        assert!(!format!("{bad:?} {refused} {refused:?}").contains("hunter2"));
    }
}
