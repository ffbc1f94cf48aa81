//! The store of the distributed mode keeps the contract of every key store.

use keys::testing::PostgresKeyWorld;

async fn world() -> Option<PostgresKeyWorld> {
    PostgresKeyWorld::new().await
}

keys::key_store_contract!(world);

#[cfg(test)]
mod server {
    use std::time::{Duration, Instant};

    use domain::ids::PersonId;
    use keys::testing::{KeyWorld as _, PostgresKeyWorld};
    use keys::{KeyErrorKind, KeyStore as _, PostgresKeySettings, PostgresKeyStore};
    use uuid::Uuid;

    #[tokio::test]
    async fn a_server_that_is_away_or_silent_is_unavailable_within_the_deadline() {
        // Accepts connections (by the backlog) and never says a word.
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let silent_port = silent.local_addr().unwrap().port();
        let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let closed_port = closed.local_addr().unwrap().port();
        drop(closed);

        for port in [silent_port, closed_port] {
            let url = format!("postgresql://nobody:s3cr3t@127.0.0.1:{port}/none");
            let deadline = Duration::from_millis(300);
            let settings = PostgresKeySettings { deadline, ..PostgresKeySettings::new(url) };
            let store = PostgresKeyStore::new(&settings).unwrap();
            let start = Instant::now();

            let error = store.load_or_mint(PersonId(Uuid::from_u128(1))).await.unwrap_err();

            assert_eq!(error.kind(), KeyErrorKind::Unavailable, "{error}");
            assert!(start.elapsed() < Duration::from_secs(5));
            assert!(!format!("{settings:?}{error:?}").contains("s3cr3t"));
        }
    }

    #[tokio::test]
    async fn the_table_itself_refuses_to_bring_a_key_back() {
        let Some(world) = PostgresKeyWorld::new().await else { return };
        let person = PersonId(Uuid::from_u128(1));
        world.open().destroy(person).await.unwrap();
        let url = &world.settings().url;
        let (client, connection) =
            tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);

        for sql in [
            "UPDATE waylog_person_keys SET key = decode(repeat('00', 32), 'hex'), \
             forgotten_at = NULL",
            "DELETE FROM waylog_person_keys",
        ] {
            client.batch_execute(sql).await.unwrap_err();
        }

        assert_eq!(world.open().census().await.unwrap().forgotten, 1);
    }

    // Two workers: the schema is dropped while one is blocked, and the refused connection has to be
    // rolled back meanwhile.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_database_of_a_newer_program_is_left_alone() {
        let Some(world) = PostgresKeyWorld::new().await else { return };
        world.open().check().await.unwrap();
        let url = &world.settings().url;
        let (client, connection) =
            tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        let sql = "INSERT INTO waylog_key_migrations (number) VALUES (99)";
        client.batch_execute(sql).await.unwrap();

        let refused = world.open().check().await.unwrap_err();

        assert_eq!(refused.code(), "key_store_refused");
    }
}
