//! The store of the embedded mode keeps the contract of every key store, and its file its secrets.

use keys::testing::SqliteKeyWorld;

async fn world() -> Option<SqliteKeyWorld> {
    Some(SqliteKeyWorld::new())
}

keys::key_store_contract!(world);

#[cfg(test)]
mod file {
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;

    use domain::ids::PersonId;
    use keys::testing::{KeyWorld as _, SqliteKeyWorld};
    use keys::{Holding, KeyStore as _, SqliteKeyStore};
    use rusqlite::Connection;
    use uuid::Uuid;

    const PERSON: PersonId = PersonId(Uuid::from_u128(0xB1));

    fn mode(path: &Path) -> u32 {
        path.metadata().unwrap().permissions().mode() & 0o777
    }

    /// The key's bytes, from the table itself.
    fn raw_key(path: &Path) -> Vec<u8> {
        let connection = Connection::open(path).unwrap();
        connection.query_row("SELECT key FROM person_keys", (), |row| row.get(0)).unwrap()
    }

    /// Whether the bytes are anywhere in the file or in what belongs to it.
    fn found(path: &Path, bytes: &[u8]) -> bool {
        let directory = path.parent().unwrap().read_dir().unwrap();
        directory.into_iter().any(|entry| {
            let text = std::fs::read(entry.unwrap().path()).unwrap();
            text.windows(bytes.len()).any(|window| window == bytes)
        })
    }

    #[tokio::test]
    async fn nobody_but_the_owner_can_read_it() {
        let world = SqliteKeyWorld::new();
        let store = world.open();
        store.load_or_mint(PERSON).await.unwrap();

        assert_eq!(mode(&world.path()), 0o600);
        assert_eq!(mode(&world.path().with_extension("sqlite-wal")), 0o600);

        drop(store);
        std::fs::set_permissions(world.path(), std::fs::Permissions::from_mode(0o644)).unwrap();
        world.open();
        assert_eq!(mode(&world.path()), 0o600, "what was open to others is closed");
    }

    #[tokio::test]
    async fn a_destroyed_key_is_in_none_of_its_files() {
        let world = SqliteKeyWorld::new();
        let store = world.open();
        store.load_or_mint(PERSON).await.unwrap();
        let key = raw_key(&world.path());
        assert!(found(&world.path(), &key));

        store.destroy(PERSON).await.unwrap();

        assert!(!found(&world.path(), &key), "while it is open");
        drop(store);
        assert!(!found(&world.path(), &key), "and when it is closed");
    }

    #[tokio::test]
    async fn the_table_itself_refuses_to_bring_a_key_back() {
        let world = SqliteKeyWorld::new();
        world.open().destroy(PERSON).await.unwrap();
        let connection = Connection::open(world.path()).unwrap();

        for sql in [
            "UPDATE person_keys SET key = zeroblob(32), forgotten_at = NULL",
            "DELETE FROM person_keys",
        ] {
            connection.execute(sql, ()).unwrap_err();
        }

        assert_eq!(world.open().census().await.unwrap().forgotten, 1);
    }

    #[tokio::test]
    async fn it_can_be_read_beside_the_process_that_writes_it() {
        let world = SqliteKeyWorld::new();
        assert!(SqliteKeyStore::open_read_only(&world.path()).is_err(), "nothing is made");
        let writer = world.open();
        writer.load_or_mint(PERSON).await.unwrap();

        let reader = SqliteKeyStore::open_read_only(&world.path()).unwrap();

        assert!(matches!(reader.load(&[PERSON]).await.unwrap()[..], [(_, Holding::Key(_))]));
        assert!(reader.load_or_mint(PersonId(Uuid::from_u128(2))).await.is_err());
        writer.destroy(PERSON).await.unwrap();
        assert!(matches!(reader.load(&[PERSON]).await.unwrap()[..], [(_, Holding::Forgotten)]));
    }

    #[tokio::test]
    async fn a_file_of_a_newer_program_or_of_another_is_refused() {
        let world = SqliteKeyWorld::new();
        drop(world.open());
        Connection::open(world.path()).unwrap().pragma_update(None, "user_version", 99).unwrap();

        let newer = SqliteKeyStore::open(&world.path()).map(drop).unwrap_err();
        std::fs::write(world.path(), "something else altogether, but long enough to be a header")
            .unwrap();
        let other = SqliteKeyStore::open(&world.path()).map(drop).unwrap_err();

        assert_eq!(newer.code(), "key_store_refused");
        assert_eq!(other.code(), "key_store_failed", "{other}");
    }
}
