//! What sagas, timers and connectors have to do. Asked by the system for itself: over all tenants,
//! oldest first, a bounded piece at a time.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use domain::Timestamp;
use domain::ids::PaymentId;
use uuid::Uuid;

use super::itineraries::read;
use super::sagas::SagaState;
use super::statement::{Dialect, Sql, Statement};
use super::{QueryError, ReadQueries};
use crate::projection::encode_key;
use crate::projections::{
    NotificationRow, OpenHoldRow, ProviderPaymentRow, ProviderRequestRow, SagaRow, SagaWorkRow,
    provider_requests, saga_work,
};
use crate::row::Cell as _;
use crate::store::ProjectionState;
use crate::table::{Row, Value};

/// Rows of one look at a work list at most.
pub const WORK_MAX: u32 = 500;
/// Pieces that one look asks for at most, to fill up for rows that cannot be read.
const PIECES_MAX: usize = 16;
/// Rows that cannot be read which are remembered, and so told of.
const SPOILED_MAX: usize = 1_024;

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

/// Where a look at messages that are due goes on: behind this one.
#[derive(Clone, Debug, PartialEq)]
pub struct NotificationCursor([Value; 2]);

impl From<&NotificationRow> for NotificationCursor {
    fn from(row: &NotificationRow) -> Self {
        Self([row.due_at.into_value(), row.notification_id.into_value()])
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
        let list = List {
            projection: "saga_work",
            order: &["due_at", "target", "effect"],
            after: after.map(|WorkCursor { due_at, target, effect }| {
                vec![Value::Timestamp(due_at), Value::Text(target), Value::Text(effect)]
            }),
            narrow: move |sql: &mut Sql| {
                sql.push("e.todo = ").bind(Value::Text(todo.to_owned()));
                if todo == saga_work::SEND {
                    sql.push(" AND e.due_at <= ").bind(Value::Timestamp(now));
                }
            },
        };
        self.work(list).await
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
        let list = List {
            projection: "open_holds",
            order: &["expires_at", "offer_id", "hold_id"],
            after: after.map(|HoldCursor(values)| values.to_vec()),
            narrow: move |sql: &mut Sql| {
                sql.push("e.expires_at <= ").bind(Value::Timestamp(now));
            },
        };
        self.work(list).await
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
        let list = List {
            projection: "provider_requests",
            order: &["asked_at", "payment_id", "kind", "subject_id"],
            after: after.map(|ProviderCursor(values)| values.to_vec()),
            narrow: |sql: &mut Sql| {
                sql.push("e.state = ").bind(Value::Text(provider_requests::OPEN.to_owned()));
            },
        };
        self.work(list).await
    }

    /// The messages that are due, those behind the cursor, oldest first, at most [`WORK_MAX`].
    ///
    /// # Errors
    /// [`QueryError::Store`].
    pub async fn open_notifications(
        &self,
        now: Timestamp,
        after: Option<NotificationCursor>,
    ) -> Result<Vec<NotificationRow>, QueryError> {
        let list = List {
            projection: "notifications",
            order: &["due_at", "notification_id"],
            after: after.map(|NotificationCursor(values)| values.to_vec()),
            narrow: move |sql: &mut Sql| {
                sql.push("e.due_at <= ").bind(Value::Timestamp(now));
            },
        };
        self.work(list).await
    }

    /// The sagas that only an operator can help, oldest first, at most [`WORK_MAX`].
    ///
    /// # Errors
    /// [`QueryError::Store`].
    pub async fn stuck_sagas(&self) -> Result<Vec<SagaRow>, QueryError> {
        let list = List {
            projection: "sagas",
            order: &["started_at", "saga_id"],
            after: None,
            narrow: |sql: &mut Sql| {
                sql.push("e.state = ").bind(Value::Text(SagaState::Stuck.name().to_owned()));
            },
        };
        self.work(list).await
    }

    /// Up to [`WORK_MAX`] rows of a list. One that cannot be read is passed over, so that it holds
    /// up nobody else's work: it is told of once, and counted.
    async fn work<R: Row>(
        &self,
        list: List<impl Fn(&mut Sql) + Clone + Send + Sync + 'static>,
    ) -> Result<Vec<R>, QueryError> {
        let mut found = Vec::new();
        let mut after = list.after.clone();
        for _ in 0..PIECES_MAX {
            let wanted = WORK_MAX as usize - found.len();
            let rows = self.piece::<R>(&list, after.take(), wanted).await?;
            let whole = rows.len() < wanted;
            after = rows.last().map(|row| place::<R>(list.order, row));
            found.extend(rows.into_iter().filter_map(|row| self.spoiled.pass(row)));
            if whole || found.len() == WORK_MAX as usize {
                break;
            }
        }
        Ok(found)
    }

    /// The first rows of a list behind a place.
    async fn piece<R: Row>(
        &self,
        list: &List<impl Fn(&mut Sql) + Clone + Send + Sync + 'static>,
        after: Option<Vec<Value>>,
        limit: usize,
    ) -> Result<Vec<Vec<Value>>, QueryError> {
        let (order, narrow) = (list.order, list.narrow.clone());
        let plan = move |states: &[ProjectionState], dialect| {
            let columns = order.iter().map(|column| format!("e.{column}"));
            let columns = columns.collect::<Vec<_>>().join(", ");
            let mut sql = rows_of::<R>(states, dialect);
            sql.push(" WHERE ");
            narrow(&mut sql);
            if let Some(after) = after {
                sql.push(&format!(" AND ({columns}) > ("));
                for (nth, value) in after.into_iter().enumerate() {
                    sql.push(if nth == 0 { "" } else { ", " }).bind(value);
                }
                sql.push(")");
            }
            sql.push(&format!(" ORDER BY {columns}"));
            vec![limited::<R>(sql, limit)]
        };
        let mut snapshot = self.executor.read(&[list.projection], Box::new(plan)).await?;
        Ok(snapshot.rows.remove(0))
    }

    /// The last request of that kind about a payment, or about one of its refunds (`subject`); open
    /// or answered.
    ///
    /// # Errors
    /// [`QueryError::Store`].
    pub async fn provider_request(
        &self,
        payment: PaymentId,
        kind: &'static str,
        subject: Uuid,
    ) -> Result<Option<ProviderRequestRow>, QueryError> {
        let plan = move |states: &[ProjectionState], dialect| {
            let mut sql = rows_of::<ProviderRequestRow>(states, dialect);
            sql.push(" WHERE e.payment_id = ").bind(payment.into_value());
            sql.push(" AND e.kind = ").bind(kind.to_owned().into_value());
            sql.push(" AND e.subject_id = ").bind(subject.into_value());
            vec![limited::<ProviderRequestRow>(sql, 1)]
        };
        let mut snapshot = self.executor.read(&["provider_requests"], Box::new(plan)).await?;
        Ok(read::<ProviderRequestRow>(snapshot.rows.remove(0))?.pop())
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
            vec![limited::<ProviderPaymentRow>(sql, 1)]
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

fn limited<R: Row>(mut sql: Sql, rows: usize) -> Statement {
    let rows = i64::try_from(rows).unwrap_or(i64::MAX);
    sql.push(" LIMIT ").bind(Value::Integer(rows));
    sql.of_table(R::TABLE)
}

/// The row's values of these columns.
fn place<R: Row>(columns: &[&str], row: &[Value]) -> Vec<Value> {
    let of_column = |name: &&str| {
        let at = R::TABLE.columns.iter().position(|column| column.name == *name);
        row[at.expect("a list is in the order of its table's columns")].clone()
    };
    columns.iter().map(of_column).collect()
}

/// A work list: of which projection, in which order, from where on, and which rows of it.
struct List<N> {
    projection: &'static str,
    order: &'static [&'static str],
    after: Option<Vec<Value>>,
    narrow: N,
}

/// The rows that could not be read, by table and key, so that each is told of once.
#[derive(Default)]
pub(super) struct Spoiled(Mutex<BTreeSet<(&'static str, Vec<u8>)>>);

impl Spoiled {
    /// The row, if it can be read.
    fn pass<R: Row>(&self, values: Vec<Value>) -> Option<R> {
        let table = R::TABLE;
        let key = values[..table.key_columns].to_vec();
        let error = match R::from_values(values) {
            Ok(row) => return Some(row),
            Err(error) => error,
        };
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let remembered = known.len() < SPOILED_MAX && known.insert((table.name, encode_key(&key)));
        drop(known);
        metrics::counter!("waylog_work_rows_unreadable_total", "table" => table.name).increment(1);
        if remembered {
            let table = table.name;
            tracing::error!(table, ?key, error, "work that cannot be read is passed over");
        }
        None
    }
}
