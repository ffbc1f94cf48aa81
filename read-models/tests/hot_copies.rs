//! A model that Redis holds a copy of is asked there, and in the server database whenever Redis is
//! away, behind, or has lost the copy.

#[cfg(test)]
mod hot {
    use std::time::{Duration, Instant};

    use domain::PositionVector;
    use read_models::queries::{By, LookUp, Range};
    use read_models::testing::redis_world::RedisWorld;
    use read_models::testing::worlds::{PostgresWorld, StoreWorld as _};
    use read_models::{
        Applied, Changes, Column, ColumnType, Generation, Index, IndexKind, PostgresReaders,
        ReadQueries, ReadStore, RedisReaders, RedisSettings, RowChange, Table, TableChange, Value,
    };

    const SEATS: &Table = &Table {
        name: "seats",
        comment: "Free seats",
        columns: &[Column {
            name: "free",
            column_type: ColumnType::Integer,
            nullable: false,
            comment: "How many",
        }],
        key_columns: 1,
        indexes: &[Index { name: "free", kind: IndexKind::Ordered(&["free"]) }],
        append_only: true,
    };

    /// Adds a row to the projection and moves its vector.
    async fn add(store: &dyn ReadStore, projection: &str, at: (&str, &str), free: i64) {
        let generation = Generation { projection: projection.to_owned(), number: 1 };
        store.create(&generation, 1, &[SEATS]).await.unwrap();
        let rows = vec![RowChange { before: None, after: Some(vec![Value::Integer(free)]) }];
        let (expected, next) = (vector(at.0), vector(at.1));
        let changes = Changes {
            generation: &generation,
            expected: &expected,
            expected_continuity: "",
            next: &next,
            continuity: "",
            last_event_at: None,
            tables: vec![TableChange { table: SEATS, rows }],
            parked: Vec::new(),
            unparked: Vec::new(),
        };
        assert_eq!(store.apply(changes).await.unwrap(), Applied::Committed);
    }

    fn vector(text: &str) -> PositionVector {
        text.parse().unwrap()
    }

    async fn free(queries: &ReadQueries, at_least: &str) -> Vec<i64> {
        let (equal, after) = (Vec::new(), None);
        let range = Range { index: "free", equal, after, descending: false, limit: 10 };
        let questions = vec![LookUp { table: SEATS, by: By::Range(range) }];
        let answer = queries.look_up("seats", questions, &vector(at_least)).await.unwrap();
        let number = |row: &Vec<Value>| match row[0] {
            Value::Integer(number) => number,
            _ => panic!("{row:?}"),
        };
        answer.value[0].iter().map(number).collect()
    }

    struct Scene {
        postgres: PostgresWorld,
        redis: RedisWorld,
    }

    impl Scene {
        /// PostgreSQL has read up to 0:1 and says 1; the copy, at the same place, says 101, so
        /// that they can be told apart.
        async fn new() -> Option<Self> {
            let (postgres, redis) = (PostgresWorld::new().await?, RedisWorld::new()?);
            for store in [postgres.open(), redis.open()] {
                store.prepare().await.unwrap();
            }
            add(&*postgres.open(), "seats", ("", "0:1"), 1).await;
            add(&*redis.open(), "seats_hot", ("", "0:1"), 101).await;
            Some(Self { postgres, redis })
        }

        fn queries_with(&self, settings: &RedisSettings) -> ReadQueries {
            let readers = PostgresReaders::new(self.postgres.settings()).unwrap();
            let hot = RedisReaders::new(settings).unwrap();
            ReadQueries::postgres(readers).with_redis(hot, [("seats", "seats_hot")])
        }

        fn queries(&self) -> ReadQueries {
            self.queries_with(self.redis.settings())
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_copy_that_is_there_answers() {
        let Some(scene) = Scene::new().await else { return };
        let queries = scene.queries();

        assert_eq!(free(&queries, "").await, [101]);
        assert_eq!(free(&queries, "0:1").await, [101]);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_copy_that_lacks_what_is_asked_for_does_not_answer() {
        let Some(scene) = Scene::new().await else { return };
        let queries = scene.queries();
        assert_eq!(free(&queries, "").await, [101]);

        add(&*scene.postgres.open(), "seats", ("0:1", "0:2"), 2).await;
        let wait = queries.wait_until("seats", &vector("0:2"), Duration::from_secs(10)).await;

        assert_eq!(wait.unwrap().vector, vector("0:2"));
        assert_eq!(free(&queries, "0:2").await, [1, 2]);
        add(&*scene.redis.open(), "seats_hot", ("0:1", "0:2"), 102).await;
        assert_eq!(free(&queries, "0:2").await, [101, 102]);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_copy_that_falls_behind_stops_answering_within_seconds() {
        let Some(scene) = Scene::new().await else { return };
        let queries = scene.queries();
        assert_eq!(free(&queries, "").await, [101]);

        add(&*scene.postgres.open(), "seats", ("0:1", "0:2"), 2).await;

        let deadline = Instant::now() + Duration::from_secs(10);
        while free(&queries, "").await != [1, 2] {
            assert!(Instant::now() < deadline, "the copy that is behind answers on");
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_copy_that_was_lost_is_not_missed() {
        let Some(scene) = Scene::new().await else { return };
        let queries = scene.queries();
        assert_eq!(free(&queries, "").await, [101]);

        assert!(scene.redis.forget() > 0);

        assert_eq!(free(&queries, "").await, [1]);
        assert_eq!(queries.position("seats").await.unwrap().vector, vector("0:1"));
        // Filled again, it answers again.
        add(&*scene.redis.open(), "seats_hot", ("", "0:1"), 103).await;
        let deadline = Instant::now() + Duration::from_secs(10);
        while free(&queries, "").await != [103] {
            assert!(Instant::now() < deadline, "the copy does not answer again");
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_redis_that_is_silent_costs_one_wait_and_no_answer() {
        let Some(scene) = Scene::new().await else { return };
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("redis://{}", silent.local_addr().unwrap());
        let deadline = Duration::from_millis(200);
        let queries = scene.queries_with(&RedisSettings { deadline, ..RedisSettings::new(url) });
        assert_eq!(free(&queries, "").await, [1]);

        let start = Instant::now();
        for _ in 0..20 {
            assert_eq!(free(&queries, "").await, [1]);
        }

        // Twenty waits of 0.2 s would be four seconds.
        assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    }
}
