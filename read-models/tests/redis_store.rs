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
    use std::time::{Duration, Instant};

    use domain::PositionVector;
    use read_models::testing::loader::Loader;
    use read_models::testing::redis_world::RedisWorld;
    use read_models::testing::samples::{SampleLog, created};
    use read_models::testing::worlds::StoreWorld as _;
    use read_models::{
        Generation, ReadStore as _, ReadStoreError, RedisReadStore, RedisSettings, projections,
    };
    use redis::Commands as _;
    use uuid::Uuid;

    fn events() -> Vec<domain::RecordedEvent> {
        let mut log = SampleLog::new();
        for n in 1..=40 {
            let id = Uuid::from_u128(n);
            log.append(u32::try_from(n % 3).unwrap(), id, id, created(id, id, "Évora"));
        }
        log.into_events()
    }

    /// A projection that has no words to search for.
    fn feed() -> Box<dyn read_models::Projection> {
        projections().into_iter().find(|p| p.name() == "activity_feed").unwrap()
    }

    #[tokio::test]
    async fn a_server_that_is_away_or_silent_is_unavailable_within_the_deadline() {
        // Accepts connections (by the backlog) and never says a word.
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let silent_port = silent.local_addr().unwrap().port();
        let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let closed_port = closed.local_addr().unwrap().port();
        drop(closed);

        for port in [silent_port, closed_port] {
            let deadline = Duration::from_millis(300);
            let url = format!("redis://127.0.0.1:{port}");
            let settings = RedisSettings { deadline, ..RedisSettings::new(url) };
            let store = RedisReadStore::new(&settings).unwrap();
            let start = Instant::now();

            let error = store.generations().await.unwrap_err();

            assert!(matches!(error, ReadStoreError::Unavailable(..)), "{error:?}");
            assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
        }
    }

    #[tokio::test]
    async fn a_server_that_lost_its_memory_lost_the_vector_too() {
        let Some(world) = RedisWorld::new() else { return };
        let (store, feed) = (world.open(), feed());
        store.prepare().await.unwrap();
        let mut loader = Loader::new(&*store, &*feed, 1).await.unwrap();
        loader.batch(&events()[..20]).await.unwrap();
        let generation = Generation { projection: feed.name().to_owned(), number: 1 };
        let before = store.sums(&generation).await.unwrap();

        assert!(world.forget() > 3);
        let lost = loader.batch(&events()).await.unwrap_err();
        let mut anew = Loader::new(&*store, &*feed, 1).await.unwrap();
        let state = store.state(&generation).await.unwrap().unwrap();
        anew.batch(&events()[..20]).await.unwrap();

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
        loader.batch(&events()[..20]).await.unwrap();

        let rows = format!("{{{}}}:rows:activity_feed_g1", world.settings().prefix);
        let gone: usize = world.client().del(rows).unwrap();
        let error = loader.batch(&events()).await.unwrap_err();

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
        for events in events().chunks(7) {
            loader.batch(events).await.unwrap();
        }
        let generation = Generation { projection: feed.name().to_owned(), number: 1 };

        let kept = store.sums(&generation).await.unwrap();
        let computed = store.recompute_sums(&generation, feed.tables()).await.unwrap();

        let mut memory = read_models::testing::harness::MemoryTables::default();
        memory.fold(&*feed, &events());
        assert_eq!(kept, computed);
        assert_eq!(kept.1, [("activity_feed".to_owned(), memory.sum("activity_feed"))]);
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
