//! The store in `MySQL` or `MariaDB` keeps the contract of every read store, and the questions have
//! the same answers there.

use read_models::testing::mysql_world::MysqlWorld;

async fn world() -> Option<MysqlWorld> {
    MysqlWorld::new().await
}

read_models::read_store_contract!(world);
read_models::read_queries_contract!(world);
read_models::look_ups_contract!(world);

#[cfg(test)]
mod server {
    use std::time::{Duration, Instant};

    use mysql_async::prelude::Queryable as _;
    use read_models::testing::loader::{Loader, load_all};
    use read_models::testing::mysql_world::MysqlWorld;
    use read_models::testing::server_suite::{DEADLINE, away_or_silent, sums_agree, trips};
    use read_models::testing::worlds::StoreWorld as _;
    use read_models::{
        Generation, MysqlReadStore, MysqlSettings, ReadStore as _, ReadStoreError, projections,
    };

    fn generation(number: u32) -> Generation {
        Generation { projection: "itineraries".to_owned(), number }
    }

    #[tokio::test]
    async fn a_server_that_is_away_or_silent_is_unavailable_within_the_deadline() {
        away_or_silent(|port| {
            let url = format!("mysql://nobody@127.0.0.1:{port}/none");
            let settings = MysqlSettings { deadline: DEADLINE, ..MysqlSettings::new(url) };
            Box::new(MysqlReadStore::new(&settings).unwrap())
        })
        .await;
    }

    #[tokio::test]
    async fn a_batch_that_waits_for_a_lock_gives_up_and_leaves_the_store_usable() {
        let Some(world) = MysqlWorld::new().await else { return };
        let store = world.open();
        store.prepare().await.unwrap();
        load_all(&*store, &trips()[..20], 7).await.unwrap();
        let deadline = Duration::from_secs(3);
        let settings = MysqlSettings { deadline, ..world.settings().clone() };
        let hurried = MysqlReadStore::new(&settings).unwrap();
        let all = projections();
        let mut loader = Loader::new(&hurried, &*all[0], 1).await.unwrap();
        let mut holder = world.client().await;
        let mut tx = holder.start_transaction(mysql_async::TxOpts::new()).await.unwrap();
        tx.query_drop("UPDATE waylog_generations SET continuity = 'held'").await.unwrap();

        let locked = loader.batch(&trips()).await.unwrap_err();
        tx.rollback().await.unwrap();
        let free = loader.batch(&trips()).await;

        assert!(matches!(locked, ReadStoreError::Unavailable(..)), "{locked:?}");
        assert!(locked.to_string().contains("ock wait"), "{locked}");
        assert!(free.is_ok(), "{free:?}");
    }

    #[tokio::test]
    async fn a_call_that_is_given_up_leaves_no_busy_connection_behind() {
        let Some(world) = MysqlWorld::new().await else { return };
        let prepared = world.open();
        prepared.prepare().await.unwrap();
        load_all(&*prepared, &trips()[..20], 7).await.unwrap();
        let settings = MysqlSettings { connections: 1, ..world.settings().clone() };
        let store = MysqlReadStore::new(&settings).unwrap();
        let all = projections();
        let mut loader = Loader::new(&store, &*all[0], 1).await.unwrap();
        let mut holder = world.client().await;
        let mut tx = holder.start_transaction(mysql_async::TxOpts::new()).await.unwrap();
        tx.query_drop("UPDATE waylog_generations SET continuity = 'held'").await.unwrap();
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
        let Some(world) = MysqlWorld::new().await else { return };
        let store = world.open();
        store.prepare().await.unwrap();

        load_all(&*store, &trips(), 3).await.unwrap();

        sums_agree(&*store, &projections()).await;
    }

    #[tokio::test]
    async fn people_find_readable_views_of_the_live_tables() {
        let Some(world) = MysqlWorld::new().await else { return };
        let store = world.open();
        store.prepare().await.unwrap();
        load_all(&*store, &trips(), 50).await.unwrap();
        let mut client = world.client().await;
        let all = projections();
        let mut rebuilt = Loader::new(&*store, &*all[0], 2).await.unwrap();
        rebuilt.batch(&trips()).await.unwrap();
        let sql = "SELECT itinerary_id, CAST(start_date AS CHAR) FROM itineraries \
                   WHERE itinerary_id = '00000000-0000-0000-0000-000000000007'";
        let before: Vec<(String, String)> = client.query(sql).await.unwrap();
        client.query_drop("DELETE FROM itineraries_g2").await.unwrap();

        store.promote(&generation(2)).await.unwrap();

        let after: Vec<(String, String)> = client.query(sql).await.unwrap();
        assert_eq!(before.len(), 1);
        assert!(before[0].1.starts_with("2026-"), "{before:?}");
        assert!(after.is_empty(), "the view follows the pointer");
        let comment = "SELECT column_comment FROM information_schema.columns WHERE table_schema \
                       = DATABASE() AND table_name = 'itineraries_g2' \
                       AND column_name = 'created_at'";
        let comment: String = client.query_first(comment).await.unwrap().unwrap();
        assert!(comment.contains("microseconds since 1970"), "{comment}");
    }

    #[tokio::test]
    async fn what_an_interrupted_process_left_is_finished_by_the_next_start() {
        let Some(world) = MysqlWorld::new().await else { return };
        let store = world.open();
        store.prepare().await.unwrap();
        load_all(&*store, &trips(), 50).await.unwrap();
        let all = projections();
        let mut second = Loader::new(&*store, &*all[0], 2).await.unwrap();
        second.batch(&trips()).await.unwrap();
        let mut client = world.client().await;
        // A switch without its view, a drop without its tables, a creation without its row.
        for sql in [
            "UPDATE waylog_live SET number = 2 WHERE projection = 'itineraries'",
            "UPDATE waylog_generations SET dropped = TRUE WHERE projection = 'itineraries' \
             AND number = 1",
            "CREATE TABLE itineraries_g3 (nothing INT)",
        ] {
            client.query_drop(sql).await.unwrap();
        }

        world.open().prepare().await.unwrap();
        store.create(&generation(3), all[0].version(), all[0].tables()).await.unwrap();

        let count = "SELECT COUNT(*) FROM itineraries";
        assert_eq!(client.query_first::<i64, _>(count).await.unwrap(), Some(40));
        let left = "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE() \
                    AND table_name LIKE 'itineraries\\_g1%'";
        assert_eq!(client.query_first::<i64, _>(left).await.unwrap(), Some(0));
        assert_eq!(store.sums(&generation(3)).await.unwrap().1[0].1.rows, 0);
    }

    #[test]
    fn a_url_without_a_database_is_refused_and_a_password_never_shown() {
        for url in ["mysql://waylog:hunter2@host:not-a-port/x", "mysql://waylog:hunter2@host"] {
            let bad = MysqlSettings::new(url);

            let refused = MysqlReadStore::new(&bad).err().unwrap();

            assert!(matches!(refused, ReadStoreError::Refused(_)));
            assert!(!format!("{bad:?} {refused} {refused:?}").contains("hunter2"));
        }
    }
}
