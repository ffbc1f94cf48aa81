//! What sagas, timers and connectors have to do. Asked by the system for itself: over all tenants,
//! oldest first, a bounded piece at a time.

use domain::Timestamp;
use domain::ids::PaymentId;

use super::itineraries::read;
use super::statement::{Dialect, Sql, Statement};
use super::{QueryError, ReadQueries};
use crate::projections::{
    OpenHoldRow, ProviderPaymentRow, ProviderRequestRow, SagaWorkRow, provider_requests, saga_work,
};
use crate::row::Cell as _;
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

/// Where a look at holds whose time is over goes on: behind this one.
#[derive(Clone, Debug, PartialEq)]
pub struct HoldCursor([Value; 3]);

impl From<&OpenHoldRow> for HoldCursor {
    fn from(row: &OpenHoldRow) -> Self {
        let (offer, hold) = (row.offer_id.into_value(), row.hold_id.into_value());
        Self([Value::Timestamp(row.expires_at), offer, hold])
    }
}

/// Where a look at what the payment provider is to do goes on: behind this request.
#[derive(Clone, Debug, PartialEq)]
pub struct ProviderCursor([Value; 4]);

impl From<&ProviderRequestRow> for ProviderCursor {
    fn from(row: &ProviderRequestRow) -> Self {
        Self([
            Value::Timestamp(row.asked_at),
            row.payment_id.into_value(),
            row.kind.clone().into_value(),
            row.subject_id.into_value(),
        ])
    }
}

impl ReadQueries {
    /// The saga work of one kind (`saga_work::RECORD` or `SEND`) that is due, behind the cursor, at
    /// most [`WORK_MAX`].
    ///
    /// # Errors
    /// [`QueryError::Store`].
    pub async fn open_saga_work(
        &self,
        todo: &'static str,
        now: Timestamp,
        after: Option<WorkCursor>,
    ) -> Result<Vec<SagaWorkRow>, QueryError> {
        let plan = move |states: &[ProjectionState], dialect| {
            let mut sql = rows_of::<SagaWorkRow>(states, dialect);
            sql.push(" WHERE e.todo = ").bind(Value::Text(todo.to_owned()));
            if todo == saga_work::SEND {
                sql.push(" AND e.due_at <= ").bind(Value::Timestamp(now));
            }
            if let Some(after) = after {
                sql.push(" AND (e.due_at, e.target, e.effect) > (");
                sql.bind(Value::Timestamp(after.due_at)).push(", ");
                sql.bind(Value::Text(after.target)).push(", ");
                sql.bind(Value::Text(after.effect)).push(")");
            }
            sql.push(" ORDER BY e.due_at, e.target, e.effect");
            vec![limited::<SagaWorkRow>(sql)]
        };
        let mut snapshot = self.executor.read(&["saga_work"], Box::new(plan)).await?;
        Ok(read(snapshot.rows.remove(0))?)
    }

    /// The holds whose time is over, those behind the cursor, oldest first, at most [`WORK_MAX`].
    ///
    /// # Errors
    /// [`QueryError::Store`].
    pub async fn expired_holds(
        &self,
        now: Timestamp,
        after: Option<HoldCursor>,
    ) -> Result<Vec<OpenHoldRow>, QueryError> {
        let plan = move |states: &[ProjectionState], dialect| {
            let mut sql = rows_of::<OpenHoldRow>(states, dialect);
            sql.push(" WHERE e.expires_at <= ").bind(Value::Timestamp(now));
            if let Some(HoldCursor([expires_at, offer, hold])) = after {
                sql.push(" AND (e.expires_at, e.offer_id, e.hold_id) > (");
                sql.bind(expires_at).push(", ").bind(offer).push(", ").bind(hold).push(")");
            }
            sql.push(" ORDER BY e.expires_at, e.offer_id, e.hold_id");
            vec![limited::<OpenHoldRow>(sql)]
        };
        let mut snapshot = self.executor.read(&["open_holds"], Box::new(plan)).await?;
        Ok(read(snapshot.rows.remove(0))?)
    }

    /// What the payment provider has not answered, those requests behind the cursor, oldest first,
    /// at most [`WORK_MAX`].
    ///
    /// # Errors
    /// [`QueryError::Store`].
    pub async fn open_provider_requests(
        &self,
        after: Option<ProviderCursor>,
    ) -> Result<Vec<ProviderRequestRow>, QueryError> {
        let plan = move |states: &[ProjectionState], dialect| {
            let mut sql = rows_of::<ProviderRequestRow>(states, dialect);
            sql.push(" WHERE e.state = ");
            sql.bind(Value::Text(provider_requests::OPEN.to_owned()));
            if let Some(ProviderCursor([asked_at, payment, kind, subject])) = after {
                sql.push(" AND (e.asked_at, e.payment_id, e.kind, e.subject_id) > (");
                sql.bind(asked_at).push(", ").bind(payment).push(", ");
                sql.bind(kind).push(", ").bind(subject).push(")");
            }
            sql.push(" ORDER BY e.asked_at, e.payment_id, e.kind, e.subject_id");
            vec![limited::<ProviderRequestRow>(sql)]
        };
        let mut snapshot = self.executor.read(&["provider_requests"], Box::new(plan)).await?;
        Ok(read(snapshot.rows.remove(0))?)
    }

    /// The payment that a provider speaks of, if it is one of ours.
    ///
    /// # Errors
    /// [`QueryError::Store`].
    pub async fn provider_payment(
        &self,
        payment: PaymentId,
    ) -> Result<Option<ProviderPaymentRow>, QueryError> {
        let plan = move |states: &[ProjectionState], dialect| {
            let mut sql = rows_of::<ProviderPaymentRow>(states, dialect);
            sql.push(" WHERE e.payment_id = ").bind(payment.into_value());
            vec![limited::<ProviderPaymentRow>(sql)]
        };
        let mut snapshot = self.executor.read(&["provider_requests"], Box::new(plan)).await?;
        Ok(read::<ProviderPaymentRow>(snapshot.rows.remove(0))?.pop())
    }
}

fn rows_of<R: Row>(states: &[ProjectionState], dialect: Dialect) -> Sql {
    let mut sql = Sql::new(dialect);
    sql.push("SELECT ").columns("e", R::TABLE, &[]).push(" FROM ");
    // The live generation has one table of each kind.
    sql.table(&states[0].generation, R::TABLE, "e");
    sql
}

fn limited<R: Row>(mut sql: Sql) -> Statement {
    sql.push(" LIMIT ").bind(Value::Integer(WORK_MAX.into()));
    sql.of_table(R::TABLE)
}
