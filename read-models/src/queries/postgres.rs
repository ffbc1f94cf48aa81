//! Runs plans in `PostgreSQL`: one repeatable-read transaction sees one moment.

use deadpool_postgres::{Object, Transaction};
use futures::future::try_join_all;
use tokio_postgres::IsolationLevel;
use tokio_postgres::types::ToSql;

use super::statement::{Dialect, Statement};
use super::{Executor, Plan, Snapshot, ordered};
use crate::call::call;
use crate::postgres::PostgresReaders;
use crate::postgres::catalog::live;
use crate::postgres::pool::{fault, switched};
use crate::postgres::values::read_row;
use crate::store::ReadStoreError;
use crate::table::Value;

#[async_trait::async_trait]
impl Executor for PostgresReaders {
    async fn read(&self, projections: &[&str], plan: Plan) -> Result<Snapshot, ReadStoreError> {
        let deadline = self.connections.deadline;
        call!(self.connections, deadline, connection => read(connection, projections, plan))
    }
}

async fn read(
    connection: &mut Object,
    projections: &[&str],
    plan: Plan,
) -> Result<Snapshot, ReadStoreError> {
    let tx = connection
        .build_transaction()
        .isolation_level(IsolationLevel::RepeatableRead)
        .read_only(true)
        .start()
        .await
        .map_err(fault)?;
    let states = ordered(projections, live(&tx, projections).await.map_err(switched)?)?;
    let statements = plan(&states, Dialect::Postgres);
    // Sent together, answered in order: one round trip for all.
    let rows = try_join_all(statements.iter().map(|statement| select(&tx, statement))).await;
    let rows = rows.map_err(switched)?;
    // Nothing to commit: dropping sends the end of the transaction without waiting for an answer.
    drop(tx);
    Ok(Snapshot { states, rows })
}

async fn select(
    tx: &Transaction<'_>,
    statement: &Statement,
) -> Result<Vec<Vec<Value>>, ReadStoreError> {
    let prepared = tx.prepare_cached(&statement.sql).await.map_err(fault)?;
    let parameters: Vec<&(dyn ToSql + Sync)> =
        statement.parameters.iter().map(|value| value as &(dyn ToSql + Sync)).collect();
    let rows = tx.query(&prepared, &parameters).await.map_err(fault)?;
    rows.iter().map(|row| read_row(row, statement.columns.iter().copied())).collect()
}
