//! What sagas, timers and connectors have to do. Asked by the system for itself: over all tenants,
//! oldest first, a bounded piece at a time.

use domain::Timestamp;

use super::itineraries::read;
use super::statement::{Dialect, Sql, Statement};
use super::{QueryError, ReadQueries};
use crate::projections::{OpenHoldRow, SagaWorkRow, saga_work};
use crate::store::ProjectionState;
use crate::table::{Row, Value};

/// Rows of one look at a work list at most.
pub const WORK_MAX: u32 = 500;

/// Where a look at a work list goes on: behind the row with this instant, target and effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkCursor {
    due_at: Timestamp,
    target: String,
    effect: String,
}

impl From<&SagaWorkRow> for WorkCursor {
    fn from(row: &SagaWorkRow) -> Self {
        Self { due_at: row.due_at, target: row.target.clone(), effect: row.effect.clone() }
    }
}

impl ReadQueries {
    /// The saga work that is due: outcomes that sagas have not heard of, then commands to be sent,
    /// those behind the cursor. At most [`WORK_MAX`] of each.
    ///
    /// # Errors
    /// [`QueryError::Store`].
    pub async fn open_saga_work(
        &self,
        now: Timestamp,
        after: Option<WorkCursor>,
    ) -> Result<Vec<SagaWorkRow>, QueryError> {
        let plan = move |states: &[ProjectionState], dialect| {
            let of = |todo: &str, after: Option<&WorkCursor>| {
                let mut sql = work(states, dialect);
                sql.push(" WHERE e.todo = ").bind(Value::Text(todo.to_owned()));
                if todo == saga_work::SEND {
                    sql.push(" AND e.due_at <= ").bind(Value::Timestamp(now));
                }
                if let Some(after) = after {
                    sql.push(" AND (e.due_at, e.target, e.effect) > (");
                    sql.bind(Value::Timestamp(after.due_at)).push(", ");
                    sql.bind(Value::Text(after.target.clone())).push(", ");
                    sql.bind(Value::Text(after.effect.clone())).push(")");
                }
                sql.push(" ORDER BY e.due_at, e.target, e.effect");
                limited::<SagaWorkRow>(sql)
            };
            vec![of(saga_work::RECORD, None), of(saga_work::SEND, after.as_ref())]
        };
        let mut snapshot = self.executor.read(&["saga_work"], Box::new(plan)).await?;
        let to_send = snapshot.rows.remove(1);
        let mut open: Vec<SagaWorkRow> = read(snapshot.rows.remove(0))?;
        open.extend(read::<SagaWorkRow>(to_send)?);
        Ok(open)
    }

    /// The holds whose time is over, oldest first, at most [`WORK_MAX`].
    ///
    /// # Errors
    /// [`QueryError::Store`].
    pub async fn expired_holds(&self, now: Timestamp) -> Result<Vec<OpenHoldRow>, QueryError> {
        let plan = move |states: &[ProjectionState], dialect| {
            let mut sql = Sql::new(dialect);
            sql.push("SELECT ").columns("e", OpenHoldRow::TABLE, &[]).push(" FROM ");
            sql.table(&states[0].generation, OpenHoldRow::TABLE, "e");
            sql.push(" WHERE e.expires_at <= ").bind(Value::Timestamp(now));
            sql.push(" ORDER BY e.expires_at");
            vec![limited::<OpenHoldRow>(sql)]
        };
        let mut snapshot = self.executor.read(&["open_holds"], Box::new(plan)).await?;
        Ok(read(snapshot.rows.remove(0))?)
    }
}

fn work(states: &[ProjectionState], dialect: Dialect) -> Sql {
    let mut sql = Sql::new(dialect);
    sql.push("SELECT ").columns("e", SagaWorkRow::TABLE, &[]).push(" FROM ");
    sql.table(&states[0].generation, SagaWorkRow::TABLE, "e");
    sql
}

fn limited<R: Row>(mut sql: Sql) -> Statement {
    sql.push(" LIMIT ").bind(Value::Integer(WORK_MAX.into()));
    sql.of_table(R::TABLE)
}
