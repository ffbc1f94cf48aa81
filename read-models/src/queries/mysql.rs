//! Runs plans in `MySQL`: one transaction with a consistent snapshot sees one moment.

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Error, Params, Row, Transaction};

use super::statement::{Dialect, Statement};
use super::{Executor, Plan, Snapshot, ordered};
use crate::call::call;
use crate::mysql::MysqlReaders;
use crate::mysql::catalog::live;
use crate::mysql::pool::{fault, snapshot};
use crate::mysql::values::{parameter, read_row};
use crate::store::ReadStoreError;
use crate::table::Value;

/// The server's codes for a table and for a column that is missing.
const MISSING: [u16; 2] = [1146, 1054];

#[async_trait::async_trait]
impl Executor for MysqlReaders {
    async fn read(&self, projections: &[&str], plan: Plan) -> Result<Snapshot, ReadStoreError> {
        let deadline = self.connections.limits.call;
        call!(self.connections, deadline, connection => read(connection, projections, plan))
    }
}

async fn read(
    connection: &mut Conn,
    projections: &[&str],
    plan: Plan,
) -> Result<Snapshot, ReadStoreError> {
    let mut tx = connection.start_transaction(snapshot()).await.map_err(fault)?;
    let mut states = Vec::with_capacity(projections.len());
    for projection in projections {
        states.extend(live(&mut tx, projection).await.map_err(switched)?);
    }
    let states = ordered(projections, states)?;
    let mut rows = Vec::new();
    for statement in plan(&states, Dialect::Mysql) {
        rows.push(select(&mut tx, statement).await.map_err(switched)?);
    }
    tx.commit().await.map_err(fault)?;
    Ok(Snapshot { states, rows })
}

async fn select(
    tx: &mut Transaction<'_>,
    statement: Statement,
) -> Result<Vec<Vec<Value>>, ReadStoreError> {
    let parameters: Vec<_> = statement.parameters.iter().map(parameter).collect();
    let parameters =
        if parameters.is_empty() { Params::Empty } else { Params::Positional(parameters) };
    let rows: Vec<Row> = tx.exec(statement.sql, parameters).await.map_err(fault)?;
    rows.into_iter().map(|row| read_row(row, statement.columns.iter().copied())).collect()
}

/// A table or column that is missing: the store is not prepared yet, or the generation was switched
/// and dropped since the transaction began, or is of another version. Asking again helps.
fn switched(error: ReadStoreError) -> ReadStoreError {
    match error {
        ReadStoreError::Failed(text, Some(source))
            if matches!(source.downcast_ref::<Error>(), Some(Error::Server(server))
                if MISSING.contains(&server.code)) =>
        {
            ReadStoreError::Unavailable(text, Some(source))
        }
        other => other,
    }
}
