//! The store in Redis keeps the contract of every read store.

use read_models::testing::redis_world::RedisWorld;

async fn world() -> Option<RedisWorld> {
    RedisWorld::new()
}

read_models::read_store_contract!(world);
read_models::look_ups_contract!(world);
read_models::hot_queries_contract!(world);

#[cfg(test)]
mod server {

    use domain::PositionVector;
    use read_models::testing::loader::Loader;
    use read_models::testing::redis_world::RedisWorld;
    use read_models::testing::server_suite::{DEADLINE, away_or_silent, sums_agree, trips};
    use read_models::testing::worlds::StoreWorld as _;
    use read_models::{Generation, ReadStoreError, RedisReadStore, RedisSettings, projections};
    use redis::Commands as _;

    /// A projection that has no words to search for.
    fn feed() -> Box<dyn read_models::Projection> {
        projections().into_iter().find(|p| p.name() == "activity_feed").unwrap()
    }

    #[tokio::test]
    async fn a_server_that_is_away_or_silent_is_unavailable_within_the_deadline() {
        away_or_silent(|port| {
            let url = format!("redis://127.0.0.1:{port}");
            let settings = RedisSettings { deadline: DEADLINE, ..RedisSettings::new(url) };
            Box::new(RedisReadStore::new(&settings).unwrap())
        })
        .await;
    }

    #[tokio::test]
    async fn a_server_that_lost_its_memory_lost_the_vector_too() {
        let Some(world) = RedisWorld::new() else { return };
        let (store, feed) = (world.open(), feed());
        store.prepare().await.unwrap();
        let mut loader = Loader::new(&*store, &*feed, 1).await.unwrap();
        loader.batch(&trips()[..20]).await.unwrap();
        let generation = Generation { projection: feed.name().to_owned(), number: 1 };
        let before = store.sums(&generation).await.unwrap();

        assert!(world.forget() > 3);
        let lost = loader.batch(&trips()).await.unwrap_err();
        let mut anew = Loader::new(&*store, &*feed, 1).await.unwrap();
        let state = store.state(&generation).await.unwrap().unwrap();
        anew.batch(&trips()[..20]).await.unwrap();

        assert!(lost.to_string().contains("there is no activity_feed g1"), "{lost}");
        assert_eq!((state.vector, state.live), (PositionVector::empty(), true));
        assert_eq!(store.sums(&generation).await.unwrap(), before);
    }

    #[tokio::test]
    async fn rows_that_went_away_by_themselves_are_noticed_by_the_next_batch() {
        let Some(world) = RedisWorld::new() else { return };
        let (store, feed) = (world.open(), feed());
        store.prepare().await.unwrap();
        let mut loader = Loader::new(&*store, &*feed, 1).await.unwrap();
        loader.batch(&trips()[..20]).await.unwrap();

        let rows = format!("{{{}}}:rows:activity_feed_g1", world.settings().prefix);
        let gone: usize = world.client().del(rows).unwrap();
        let error = loader.batch(&trips()).await.unwrap_err();

        assert_eq!(gone, 1);
        assert!(matches!(error, ReadStoreError::Failed(..)), "{error:?}");
        assert!(error.to_string().contains("other rows than the 20"), "{error}");
    }

    #[tokio::test]
    async fn the_same_events_have_the_same_sums_as_in_memory_and_copies_are_taken_away() {
        let Some(world) = RedisWorld::new() else { return };
        let (store, feed) = (world.open(), feed());
        store.prepare().await.unwrap();
        let mut loader = Loader::new(&*store, &*feed, 1).await.unwrap();
        for events in trips().chunks(7) {
            loader.batch(events).await.unwrap();
        }

        sums_agree(&*store, &[feed]).await;

        let copies = format!("{{{}}}:copy:*", world.settings().prefix);
        let left: Vec<String> = world.client().keys(copies).unwrap();
        assert!(left.is_empty(), "{left:?}");
    }

    #[tokio::test]
    async fn rows_of_another_form_are_left_alone() {
        let Some(world) = RedisWorld::new() else { return };
        let store = world.open();
        let format = format!("{{{}}}:format", world.settings().prefix);
        let _: () = world.client().set(format, "2").unwrap();

        let refused = store.prepare().await.unwrap_err();

        assert!(matches!(refused, ReadStoreError::Refused(_)), "{refused:?}");
        assert!(refused.to_string().contains("form 2"), "{refused}");
    }

    #[test]
    fn a_password_is_never_shown() {
        let bad = RedisSettings::new("redis://waylog:hunter2@host:not-a-port/x");

        let refused = RedisReadStore::new(&bad).err().unwrap();

        assert!(matches!(refused, ReadStoreError::Refused(_)));
        assert!(!format!("{bad:?} {refused} {refused:?}").contains("hunter2"));
    }
}
