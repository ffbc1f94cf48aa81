//! Keys in `PostgreSQL`, for the distributed mode, in tables of their own.
//!
//! The store is prepared by the first call that reaches the database, so that a process starts and
//! does its other work while the database is away. Commits wait for the server's disk. Destroying a
//! key takes it out of the table; old row versions, write-ahead segments and backups age out as the
//! server is told to.

mod pool;

use std::time::Duration;

use deadpool_postgres::Object;
use domain::Timestamp;
use domain::ids::PersonId;
use tokio::sync::OnceCell;
use tokio_postgres::Row;
use uuid::Uuid;
use zeroize::Zeroizing;

pub use self::pool::PostgresKeySettings;
use self::pool::{Connections, fault};
use crate::error::{KeyError, damaged_store};
use crate::key::{Holding, Key};
use crate::store::{Census, Forgotten, KeyStore};

/// Taken while migrations run: an arbitrary number that nothing else of ours takes.
const MIGRATION_LOCK: i64 = 0x7761_796B_6579_7301;

/// In order.
const MIGRATIONS: &[&str] =
    &[include_str!("../../../migrations/postgres/keys/0001_person_keys.sql")];

/// Keys in one database (and schema: the first of the connection's search path).
pub struct PostgresKeyStore {
    connections: Connections,
    prepared: OnceCell<()>,
}

impl PostgresKeyStore {
    /// A store in that database; it connects when it is first used.
    ///
    /// # Errors
    /// [`KeyError::Refused`], when the URL cannot be read.
    pub fn new(settings: &PostgresKeySettings) -> Result<Self, KeyError> {
        Ok(Self { connections: Connections::new(settings)?, prepared: OnceCell::new() })
    }

    /// For those who only look: nothing is created or migrated, and a database without keys is an
    /// error.
    ///
    /// # Errors
    /// [`KeyError::Refused`], when the URL cannot be read.
    pub fn read_only(settings: &PostgresKeySettings) -> Result<Self, KeyError> {
        let prepared = OnceCell::new_with(Some(()));
        Ok(Self { connections: Connections::new(settings)?, prepared })
    }

    /// Makes the call on a connection to a prepared database, within the deadline. A connection
    /// whose call did not end is closed, so that nobody waits behind that call.
    async fn run<T>(
        &self,
        call: impl AsyncFnOnce(&mut Object) -> Result<T, KeyError>,
    ) -> Result<T, KeyError> {
        let deadline = self.connections.deadline;
        let mut connection = self.connections.connection().await?;
        let run = async {
            self.prepared.get_or_try_init(|| prepare(&mut connection)).await?;
            call(&mut connection).await
        };
        let outcome = tokio::time::timeout(deadline, run).await;
        outcome.unwrap_or_else(|_| {
            drop(Object::take(connection));
            Err(late(deadline))
        })
    }
}

fn late(deadline: Duration) -> KeyError {
    KeyError::Unavailable(format!("no answer within {deadline:?}"), None)
}

#[async_trait::async_trait]
impl KeyStore for PostgresKeyStore {
    async fn load_or_mint(&self, person: PersonId) -> Result<Holding, KeyError> {
        self.run(async |connection| {
            if let Some(holding) = held(connection, person).await? {
                return Ok(holding);
            }
            let key = Key::random()?;
            // Of two at once, the second waits here for the first to commit, and then sees its key.
            let sql = "INSERT INTO waylog_person_keys (person, key) VALUES ($1, $2) \
                       ON CONFLICT DO NOTHING";
            let bytes = key.expose().as_slice();
            let minted = connection.execute(sql, &[&person.0, &bytes]).await.map_err(fault)?;
            if minted == 1 {
                return Ok(Holding::Key(key));
            }
            let theirs = held(connection, person).await?;
            theirs.ok_or_else(|| damaged_store("neither room for a key nor a key"))
        })
        .await
    }

    async fn load(&self, persons: &[PersonId]) -> Result<Vec<(PersonId, Holding)>, KeyError> {
        let persons: Vec<Uuid> = persons.iter().map(|person| person.0).collect();
        self.run(async |connection| {
            let sql = "SELECT person, key FROM waylog_person_keys WHERE person = ANY($1)";
            let statement = connection.prepare_cached(sql).await.map_err(fault)?;
            let rows = connection.query(&statement, &[&persons]).await.map_err(fault)?;
            rows.iter().map(|row| Ok((PersonId(cell(row, 0)?), holding(row, 1)?))).collect()
        })
        .await
    }

    async fn destroy(&self, person: PersonId) -> Result<Forgotten, KeyError> {
        self.run(async |connection| {
            let sql = "INSERT INTO waylog_person_keys AS held (person, key, forgotten_at) \
                       VALUES ($1, NULL, now()) ON CONFLICT (person) DO UPDATE \
                       SET key = NULL, forgotten_at = now() WHERE held.forgotten_at IS NULL";
            connection.execute(sql, &[&person.0]).await.map_err(fault)?;
            let sql = format!("SELECT person, {MICROS} FROM waylog_person_keys WHERE person = $1");
            let row = connection.query_one(&sql, &[&person.0]).await.map_err(fault)?;
            forgotten(&row)
        })
        .await
    }

    async fn forgotten(
        &self,
        after: Option<PersonId>,
        limit: u32,
    ) -> Result<Vec<Forgotten>, KeyError> {
        self.run(async |connection| {
            let sql = format!(
                "SELECT person, {MICROS} FROM waylog_person_keys WHERE forgotten_at IS NOT NULL \
                 AND ($1::uuid IS NULL OR person > $1) ORDER BY person LIMIT $2"
            );
            let after = after.map(|person| person.0);
            let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 2] =
                [&after, &i64::from(limit)];
            let rows = connection.query(&sql, &parameters).await.map_err(fault)?;
            rows.iter().map(forgotten).collect()
        })
        .await
    }

    async fn check(&self) -> Result<(), KeyError> {
        self.run(async |connection| held(connection, PersonId(Uuid::nil())).await.map(drop)).await
    }

    async fn census(&self) -> Result<Census, KeyError> {
        self.run(async |connection| {
            let sql = "SELECT count(key), count(forgotten_at) FROM waylog_person_keys";
            let row = connection.query_one(sql, &[]).await.map_err(fault)?;
            let (keys, forgotten): (i64, i64) = (cell(&row, 0)?, cell(&row, 1)?);
            Ok(Census { keys: keys.unsigned_abs(), forgotten: forgotten.unsigned_abs() })
        })
        .await
    }
}

/// When somebody was forgotten, in microseconds since 1970.
const MICROS: &str = "(extract(epoch FROM forgotten_at) * 1000000)::bigint";

/// Takes the migrations that are still to be taken, in one transaction that keeps others out.
async fn prepare(connection: &mut Object) -> Result<(), KeyError> {
    let tx = connection.transaction().await.map_err(fault)?;
    tx.execute("SELECT pg_advisory_xact_lock($1)", &[&MIGRATION_LOCK]).await.map_err(fault)?;
    tx.batch_execute(
        "CREATE TABLE IF NOT EXISTS waylog_key_migrations (
             number bigint PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now()
         )",
    )
    .await
    .map_err(fault)?;
    let sql = "SELECT count(*) FROM waylog_key_migrations";
    let taken: i64 = cell(&tx.query_one(sql, &[]).await.map_err(fault)?, 0)?;
    let pending = usize::try_from(taken).ok().and_then(|taken| MIGRATIONS.get(taken..));
    let Some(pending) = pending else {
        return Err(KeyError::Refused("a newer program prepared it: run that one".to_owned()));
    };
    for (number, step) in (taken + 1..).zip(pending) {
        tx.batch_execute(step).await.map_err(fault)?;
        let sql = "INSERT INTO waylog_key_migrations (number) VALUES ($1)";
        tx.execute(sql, &[&number]).await.map_err(fault)?;
    }
    tx.commit().await.map_err(fault)
}

async fn held(connection: &Object, person: PersonId) -> Result<Option<Holding>, KeyError> {
    let sql = "SELECT key FROM waylog_person_keys WHERE person = $1";
    let statement = connection.prepare_cached(sql).await.map_err(fault)?;
    let row = connection.query_opt(&statement, &[&person.0]).await.map_err(fault)?;
    row.map(|row| holding(&row, 0)).transpose()
}

fn holding(row: &Row, column: usize) -> Result<Holding, KeyError> {
    let bytes: Option<Vec<u8>> = cell(row, column)?;
    match bytes.map(Zeroizing::new) {
        Some(bytes) => Ok(Holding::Key(Key::from_bytes(&bytes)?)),
        None => Ok(Holding::Forgotten),
    }
}

fn forgotten(row: &Row) -> Result<Forgotten, KeyError> {
    let (person, micros) = (PersonId(cell(row, 0)?), cell(row, 1)?);
    Ok(Forgotten { person, forgotten_at: Timestamp::from_micros(micros) })
}

fn cell<'a, T: tokio_postgres::types::FromSql<'a>>(
    row: &'a Row,
    column: usize,
) -> Result<T, KeyError> {
    row.try_get(column).map_err(fault)
}
