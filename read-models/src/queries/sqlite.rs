//! Runs plans in `SQLite`: one deferred transaction sees one moment.

use rusqlite::params_from_iter;

use super::statement::{Dialect, Statement};
use super::{Executor, Plan, Snapshot, ordered};
use crate::sqlite::SqliteReaders;
use crate::sqlite::catalog::live;
use crate::sqlite::threads::{fault, unprepared};
use crate::sqlite::values::read_row;
use crate::store::ReadStoreError;
use crate::table::Value;

#[async_trait::async_trait]
impl Executor for SqliteReaders {
    async fn read(&self, projections: &[&str], plan: Plan) -> Result<Snapshot, ReadStoreError> {
        let projections: Vec<String> = projections.iter().copied().map(str::to_owned).collect();
        let job = move |connection: &mut rusqlite::Connection| {
            let tx = connection.transaction().map_err(fault)?;
            let mut states = Vec::with_capacity(projections.len());
            for projection in &projections {
                states.extend(live(&tx, projection).map_err(unprepared)?);
            }
            let states = ordered(&projections, states)?;
            let statements = plan(&states, Dialect::Sqlite);
            let rows = statements.iter().map(|statement| select(&tx, statement));
            let rows = rows.collect::<Result<_, _>>()?;
            Ok(Snapshot { states, rows })
        };
        self.threads.run(self.deadline, job).await
    }
}

fn select(
    connection: &rusqlite::Connection,
    statement: &Statement,
) -> Result<Vec<Vec<Value>>, ReadStoreError> {
    let mut prepared = connection.prepare_cached(&statement.sql).map_err(fault)?;
    let mut found = prepared.query(params_from_iter(&statement.parameters)).map_err(fault)?;
    let mut rows = Vec::new();
    while let Some(row) = found.next().map_err(fault)? {
        rows.push(read_row(row, statement.columns.iter().copied())?);
    }
    Ok(rows)
}
