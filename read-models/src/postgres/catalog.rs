//! Generations in `PostgreSQL`: which there are, which is live, how to create, switch and drop
//! them.

use deadpool_postgres::{GenericClient, Object, Transaction};
use domain::{Position, PositionVector, Timestamp};
use tokio_postgres::Row;

use super::ddl;
use super::pool::fault;
use super::values::read_row;
use crate::migrations::{self, AppliedMigration};
use crate::store::{Generation, Indexed, ParkedStream, ProjectionState, ReadStoreError};
use crate::table::{ColumnType, Table, Value};

type Outcome<T> = Result<T, ReadStoreError>;

/// Held while migrations run: any number that nobody else takes ("waylogrm" in ASCII).
const MIGRATION_LOCK: i64 = 0x7761_796c_6f67_726d;

/// Takes the migrations that are still to be taken, in one transaction that keeps others out.
pub(super) async fn prepare(connection: &mut Object) -> Outcome<()> {
    let tx = durable(connection).await?;
    tx.execute("SELECT pg_advisory_xact_lock($1)", &[&MIGRATION_LOCK]).await.map_err(fault)?;
    tx.batch_execute(
        "CREATE TABLE IF NOT EXISTS waylog_migrations (
             number bigint PRIMARY KEY, name text NOT NULL, checksum text NOT NULL,
             applied_at timestamptz NOT NULL DEFAULT now()
         )",
    )
    .await
    .map_err(fault)?;
    let sql = "SELECT number, checksum FROM waylog_migrations ORDER BY number";
    let rows = tx.query(sql, &[]).await.map_err(fault)?;
    let applied: Vec<_> = rows
        .iter()
        .map(|row| AppliedMigration { number: row.get(0), checksum: row.get(1) })
        .collect();
    for step in migrations::pending(migrations::POSTGRES, &applied)? {
        tx.batch_execute(step.sql).await.map_err(fault)?;
        let sql = "INSERT INTO waylog_migrations (number, name, checksum) VALUES ($1, $2, $3)";
        tx.execute(sql, &[&step.number, &step.name, &step.checksum()]).await.map_err(fault)?;
    }
    tx.commit().await.map_err(fault)
}

/// A transaction whose commit waits for the disk, unlike those of batches, which the log repeats.
async fn durable(connection: &mut Object) -> Outcome<Transaction<'_>> {
    let tx = connection.transaction().await.map_err(fault)?;
    tx.batch_execute("SET LOCAL synchronous_commit = on").await.map_err(fault)?;
    Ok(tx)
}

const STATES: &str = "SELECT g.projection, g.number, g.version, g.vector, g.continuity, \
     g.last_event_at, l.number IS NOT NULL \
     FROM waylog_generations g \
     LEFT JOIN waylog_live l ON l.projection = g.projection AND l.number = g.number \
     WHERE NOT g.dropped";

fn read_state(row: &Row) -> Outcome<ProjectionState> {
    use ColumnType::{Bool, Integer, Text, Timestamp as Instant};
    let values = read_row(row, [Text, Integer, Integer, Text, Text, Instant, Bool])?;
    ProjectionState::from_values(values)
}

/// All generations that are not dropped.
pub(super) async fn generations(connection: &Object) -> Outcome<Vec<ProjectionState>> {
    let sql = format!("{STATES} ORDER BY g.projection COLLATE \"C\", g.number");
    let statement = connection.prepare_cached(&sql).await.map_err(fault)?;
    let rows = connection.query(&statement, &[]).await.map_err(fault)?;
    rows.iter().map(read_state).collect()
}

/// One more than the largest number ever used.
pub(super) async fn next_number(connection: &Object, projection: &str) -> Outcome<u32> {
    let sql = "SELECT coalesce(max(number), 0) + 1 FROM waylog_generations WHERE projection = $1";
    let row = connection.query_one(sql, &[&projection]).await.map_err(fault)?;
    row.get::<_, i64>(0).try_into().map_err(ReadStoreError::corrupt)
}

/// One generation as it is now.
pub(super) async fn state(
    client: &impl GenericClient,
    generation: &Generation,
) -> Outcome<Option<ProjectionState>> {
    let sql = format!("{STATES} AND g.projection = $1 AND g.number = $2");
    let statement = client.prepare_cached(&sql).await.map_err(fault)?;
    let key: Key<'_> = (&generation.projection, i64::from(generation.number));
    let row = client.query_opt(&statement, &[key.0, &key.1]).await.map_err(fault)?;
    row.as_ref().map(read_state).transpose()
}

type Key<'a> = (&'a String, i64);

/// The live generations of projections.
pub(crate) async fn live(
    client: &impl GenericClient,
    projections: &[&str],
) -> Outcome<Vec<ProjectionState>> {
    let sql = format!("{STATES} AND l.number IS NOT NULL AND g.projection = ANY($1)");
    let statement = client.prepare_cached(&sql).await.map_err(fault)?;
    let rows = client.query(&statement, &[&projections]).await.map_err(fault)?;
    rows.iter().map(read_state).collect()
}

/// Creates the tables of a new generation; the first of a projection is live, and indexed, at once.
pub(super) async fn create(
    connection: &mut Object,
    generation: &Generation,
    version: u32,
    tables: &'static [&'static Table],
) -> Outcome<ProjectionState> {
    let tx = durable(connection).await?;
    // Looked up first: inserting would wait for a batch that is being written.
    if let Some(state) = state(&tx, generation).await? {
        return state.of_version(version);
    }
    let names: Vec<&str> = tables.iter().map(|table| table.name).collect();
    let (projection, number) = (&generation.projection, i64::from(generation.number));
    // Whoever inserts the row creates the tables; others wait here until that is committed.
    let inserted = tx
        .execute(
            "INSERT INTO waylog_generations (projection, number, version, vector, continuity, \
             tables) VALUES ($1, $2, $3, '', '', $4) ON CONFLICT DO NOTHING",
            &[projection, &number, &i64::from(version), &names],
        )
        .await
        .map_err(fault)?;
    if inserted == 0 {
        let state = state(&tx, generation).await?;
        return state.ok_or_else(|| ReadStoreError::dropped(generation))?.of_version(version);
    }
    for table in tables {
        tx.batch_execute(&ddl::create_table(generation, table)?).await.map_err(fault)?;
        tx.execute(
            "INSERT INTO waylog_table_sums VALUES ($1, $2, $3, 0, 0)",
            &[projection, &number, &table.name],
        )
        .await
        .map_err(fault)?;
    }
    let sql = "INSERT INTO waylog_live (projection, number) VALUES ($1, $2) ON CONFLICT DO NOTHING";
    if tx.execute(sql, &[projection, &number]).await.map_err(fault)? == 1 {
        point_views(&tx, generation, &names).await?;
        create_indexes(&tx, generation, tables).await?;
    }
    let created = state(&tx, generation).await?;
    tx.commit().await.map_err(fault)?;
    created.ok_or_else(|| ReadStoreError::unknown(generation))
}

/// Memory that building an index may take before it goes through the disk.
const INDEX_MEMORY: &str = "128MB";

/// Builds the next index of a generation that was filled without them, in a transaction of its own:
/// what was built stays, whatever becomes of the next one.
pub(super) async fn index(
    connection: &mut Object,
    generation: &Generation,
    tables: &'static [&'static Table],
    deadline: std::time::Duration,
) -> Outcome<Indexed> {
    let tx = durable(connection).await?;
    let sql = "SELECT indexed FROM waylog_generations \
               WHERE projection = $1 AND number = $2 AND NOT dropped";
    let key: Key<'_> = (&generation.projection, i64::from(generation.number));
    let row = tx.query_opt(sql, &[key.0, &key.1]).await.map_err(fault)?;
    if row.ok_or_else(|| ReadStoreError::unknown(generation))?.get(0) {
        return Ok(Indexed::Whole);
    }
    let mut missing = missing_indexes(&tx, generation, tables).await?.into_iter();
    if let Some(sql) = missing.next() {
        let millis = deadline.as_millis();
        let bounds = format!(
            "SET LOCAL statement_timeout = {millis}; \
             SET LOCAL maintenance_work_mem = '{INDEX_MEMORY}'"
        );
        tx.batch_execute(&bounds).await.map_err(fault)?;
        tx.batch_execute(&sql).await.map_err(fault)?;
    }
    let outcome = if missing.next().is_none() {
        indexed(&tx, generation).await?;
        Indexed::Whole
    } else {
        Indexed::Partly
    };
    tx.commit().await.map_err(fault)?;
    Ok(outcome)
}

/// The statements that create what indexes the tables do not have yet.
async fn missing_indexes(
    tx: &Transaction<'_>,
    generation: &Generation,
    tables: &'static [&'static Table],
) -> Outcome<Vec<String>> {
    let mut wanted = Vec::new();
    for table in tables {
        wanted.extend(ddl::create_indexes(generation, table)?);
    }
    let names: Vec<&str> = wanted.iter().map(|(name, _)| name.as_str()).collect();
    let sql = "SELECT indexname FROM pg_indexes \
               WHERE schemaname = current_schema() AND indexname = ANY($1)";
    let rows = tx.query(sql, &[&names]).await.map_err(fault)?;
    let there: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    wanted.retain(|(name, _)| !there.contains(name));
    Ok(wanted.into_iter().map(|(_, sql)| sql).collect())
}

async fn create_indexes(
    tx: &Transaction<'_>,
    generation: &Generation,
    tables: &'static [&'static Table],
) -> Outcome<()> {
    for sql in missing_indexes(tx, generation, tables).await? {
        tx.batch_execute(&sql).await.map_err(fault)?;
    }
    indexed(tx, generation).await
}

/// Keeps that all indexes are there.
async fn indexed(tx: &Transaction<'_>, generation: &Generation) -> Outcome<()> {
    let sql = "UPDATE waylog_generations SET indexed = true WHERE projection = $1 AND number = $2";
    let key: Key<'_> = (&generation.projection, i64::from(generation.number));
    tx.execute(sql, &[key.0, &key.1]).await.map(|_| ()).map_err(fault)
}

/// Moves the live pointer and the views.
pub(super) async fn promote(connection: &mut Object, generation: &Generation) -> Outcome<()> {
    let tx = durable(connection).await?;
    let projection = &generation.projection;
    // Neither vector may move between the comparison and the switch. The lock is taken in number
    // order, and batches lock one row only: no deadlock.
    tx.execute(
        "SELECT number FROM waylog_generations WHERE projection = $1 ORDER BY number FOR UPDATE",
        &[projection],
    )
    .await
    .map_err(fault)?;
    let next = state(&tx, generation).await?;
    let next = next.ok_or_else(|| ReadStoreError::unknown(generation))?;
    if let [live] = live(&tx, &[projection]).await?.as_slice() {
        next.may_replace(live)?;
    }
    let number = i64::from(generation.number);
    let sql = "UPDATE waylog_live SET number = $2 WHERE projection = $1";
    if tx.execute(sql, &[projection, &number]).await.map_err(fault)? != 1 {
        return Err(ReadStoreError::no_pointer(generation));
    }
    let sql =
        "SELECT tables, indexed FROM waylog_generations WHERE projection = $1 AND number = $2";
    let row = tx.query_one(sql, &[projection, &number]).await.map_err(fault)?;
    if !row.get::<_, bool>(1) {
        return Err(ReadStoreError::Refused(format!("{generation} has no indexes yet")));
    }
    let tables: Vec<String> = row.get(0);
    point_views(&tx, generation, &tables).await?;
    tx.commit().await.map_err(fault)
}

/// A view by each table's logical name, for people's own SQL: always the live generation.
async fn point_views(
    tx: &Transaction<'_>,
    generation: &Generation,
    tables: &[impl AsRef<str>],
) -> Outcome<()> {
    for table in tables.iter().map(AsRef::as_ref) {
        let physical = generation.physical_name(table);
        let create = format!("VIEW \"{table}\" AS SELECT * FROM \"{physical}\"");
        // Replacing keeps grants and the views that people built on this one; it is refused when
        // columns went away or changed, and only then the view is made anew.
        tx.batch_execute("SAVEPOINT replacing").await.map_err(fault)?;
        if tx.batch_execute(&format!("CREATE OR REPLACE {create}")).await.is_err() {
            let anew =
                format!("ROLLBACK TO SAVEPOINT replacing; DROP VIEW \"{table}\"; CREATE {create}");
            tx.batch_execute(&anew).await.map_err(fault)?;
        }
        let sql = "SELECT a.attname, col_description(a.attrelid, a.attnum), \
                   obj_description(a.attrelid, 'pg_class') FROM pg_attribute a \
                   WHERE a.attrelid = $1::text::regclass AND a.attnum > 0 AND NOT a.attisdropped";
        let quoted = format!("\"{physical}\"");
        let mut comments = String::new();
        for row in tx.query(sql, &[&quoted]).await.map_err(fault)? {
            let column: &str = row.get(0);
            let comment = ddl::literal(row.get::<_, Option<&str>>(1).unwrap_or_default());
            let of_table = ddl::literal(row.get::<_, Option<&str>>(2).unwrap_or_default());
            comments = format!(
                "{comments}COMMENT ON COLUMN \"{table}\".\"{column}\" IS {comment}; \
                 COMMENT ON VIEW \"{table}\" IS {of_table}; "
            );
        }
        tx.batch_execute(&comments).await.map_err(fault)?;
    }
    Ok(())
}

/// Drops a generation's tables.
pub(super) async fn drop_generation(
    connection: &mut Object,
    generation: &Generation,
) -> Outcome<()> {
    let tx = durable(connection).await?;
    let (projection, number) = (&generation.projection, i64::from(generation.number));
    // The pointer first: a promotion of this very generation waits for us, or we for it.
    let sql =
        "SELECT number FROM waylog_generations WHERE projection = $1 ORDER BY number FOR UPDATE";
    tx.execute(sql, &[projection]).await.map_err(fault)?;
    let sql = "SELECT g.tables, g.dropped, l.number IS NOT NULL FROM waylog_generations g \
               LEFT JOIN waylog_live l ON l.projection = g.projection AND l.number = g.number \
               WHERE g.projection = $1 AND g.number = $2";
    let row = tx.query_opt(sql, &[projection, &number]).await.map_err(fault)?;
    let row = row.ok_or_else(|| ReadStoreError::unknown(generation))?;
    if row.get(1) {
        return Ok(());
    }
    if row.get(2) {
        return Err(ReadStoreError::Refused(format!("{generation} is the live one")));
    }
    for table in row.get::<_, Vec<String>>(0) {
        let physical = generation.physical_name(&table);
        let sql = format!("DROP TABLE IF EXISTS \"{physical}\"");
        tx.batch_execute(&sql).await.map_err(fault)?;
    }
    for sql in [
        "DELETE FROM waylog_table_sums WHERE projection = $1 AND number = $2",
        "DELETE FROM waylog_parked_streams WHERE projection = $1 AND number = $2",
        "UPDATE waylog_generations SET dropped = true WHERE projection = $1 AND number = $2",
    ] {
        tx.execute(sql, &[projection, &number]).await.map_err(fault)?;
    }
    tx.commit().await.map_err(fault)
}

/// The streams that a generation could not fold.
pub(super) async fn parked(
    connection: &Object,
    generation: &Generation,
) -> Outcome<Vec<ParkedStream>> {
    let sql = "SELECT stream, log_partition, log_offset, reason FROM waylog_parked_streams \
               WHERE projection = $1 AND number = $2 ORDER BY stream COLLATE \"C\"";
    let number = i64::from(generation.number);
    let rows = connection.query(sql, &[&generation.projection, &number]).await.map_err(fault)?;
    let read = |row: &Row| {
        Ok(ParkedStream {
            stream: row.get(0),
            position: Position {
                partition: row.get::<_, i64>(1).try_into().map_err(ReadStoreError::corrupt)?,
                offset: row.get(2),
            },
            reason: row.get(3),
        })
    };
    rows.iter().map(read).collect()
}

/// How an instant is given to the store's own tables.
pub(super) fn instant(at: Option<Timestamp>) -> Value {
    at.map_or(Value::Null, Value::Timestamp)
}

/// The vector of a generation that must be there.
pub(super) async fn vector(
    client: &impl GenericClient,
    generation: &Generation,
) -> Outcome<PositionVector> {
    let state = state(client, generation).await?;
    state.map(|state| state.vector).ok_or_else(|| ReadStoreError::unknown(generation))
}
