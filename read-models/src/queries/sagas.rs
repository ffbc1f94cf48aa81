//! Sagas, for staff: what runs, what is stuck, and what each has done.

use domain::ids::SagaId;
use domain::saga::Kind;
use domain::{Tenant, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::itineraries::read;
use super::statement::Sql;
use super::{Answer, Page, PageRequest, QueryError, ReadPosition, ReadQueries, cursor};
use crate::projections::{SagaEventRow, SagaRow};
use crate::row::Cell as _;
use crate::store::ProjectionState;
use crate::table::{Row as _, Value};

const PROJECTION: &str = "sagas";
const LIST: &str = "sagas";
/// The newest events that come with a saga; the audit has all.
pub const TIMELINE_MAX: u32 = 1_000;

/// Where a saga stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SagaState {
    /// It asks for steps, or undoes them.
    Running,
    /// It needs an operator.
    Stuck,
    /// Everything is done.
    Completed,
    /// Everything is undone.
    Compensated,
    /// An operator ended it.
    Resolved,
}

impl SagaState {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Stuck => "stuck",
            Self::Completed => "completed",
            Self::Compensated => "compensated",
            Self::Resolved => "resolved",
        }
    }
}

/// What a list of sagas is narrowed down to.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SagaFilter {
    /// Those that stand there.
    pub state: Option<SagaState>,
    /// Those of this kind.
    pub kind: Option<Kind>,
}

/// A saga with what it has done.
#[derive(Clone, Debug, PartialEq)]
pub struct SagaDetail {
    /// The saga.
    pub saga: SagaRow,
    /// Its newest [`TIMELINE_MAX`] events, oldest first.
    pub timeline: Vec<SagaEventRow>,
}

impl ReadQueries {
    /// A saga with its timeline.
    ///
    /// # Errors
    /// [`QueryError`], as every question.
    pub async fn saga(
        &self,
        tenant: &Tenant,
        id: SagaId,
    ) -> Result<Answer<Option<SagaDetail>>, QueryError> {
        let tenant = tenant.clone();
        let plan = move |states: &[ProjectionState], dialect| {
            let generation = &states[0].generation;
            let of = |table, more: &str| {
                let mut sql = Sql::new(dialect);
                sql.push("SELECT ").columns("s", table, &[]).push(" FROM ");
                sql.table(generation, table, "s");
                sql.push(" WHERE s.saga_id = ").bind(id.into_value());
                sql.push(" AND s.tenant = ").bind(tenant.clone().into_value()).push(more);
                sql.of_table(table)
            };
            let newest = format!(" ORDER BY s.version DESC LIMIT {TIMELINE_MAX}");
            vec![of(SagaRow::TABLE, ""), of(SagaEventRow::TABLE, &newest)]
        };
        let mut snapshot = self.executor.read(&[PROJECTION], Box::new(plan)).await?;
        let at = ReadPosition::from(&snapshot.states[0]);
        let mut timeline: Vec<SagaEventRow> = read(snapshot.rows.remove(1))?;
        timeline.reverse();
        let saga = read::<SagaRow>(snapshot.rows.remove(0))?.pop();
        Ok(Answer { value: saga.map(|saga| SagaDetail { saga, timeline }), at })
    }

    /// Sagas, those that started last first.
    ///
    /// # Errors
    /// [`QueryError::InvalidCursor`] for a cursor of another list; otherwise [`QueryError::Store`].
    pub async fn sagas(
        &self,
        tenant: &Tenant,
        filter: SagaFilter,
        page: &PageRequest,
    ) -> Result<Answer<Page<SagaRow>>, QueryError> {
        let after: Option<(i64, Uuid)> = cursor::decode(LIST, page.cursor.as_deref())?;
        let (tenant, limit) = (tenant.clone(), page.limit());
        let plan = move |states: &[ProjectionState], dialect| {
            let mut sql = Sql::new(dialect);
            sql.push("SELECT ").columns("s", SagaRow::TABLE, &[]).push(" FROM ");
            sql.table(&states[0].generation, SagaRow::TABLE, "s");
            sql.push(" WHERE s.tenant = ").bind(tenant.into_value());
            if let Some(state) = filter.state {
                sql.push(" AND s.state = ").bind(Value::Text(state.name().to_owned()));
            }
            if let Some(kind) = filter.kind {
                sql.push(" AND s.kind = ").bind(Value::Text(kind.name().to_owned()));
            }
            if let Some((started_at, id)) = after {
                sql.push(" AND (s.started_at, s.saga_id) < (");
                sql.bind(Value::Timestamp(Timestamp::from_micros(started_at))).push(", ");
                sql.bind(Value::Uuid(id)).push(")");
            }
            sql.push(" ORDER BY s.started_at DESC, s.saga_id DESC LIMIT ");
            sql.bind(Value::Integer(i64::from(limit) + 1));
            vec![sql.of_table(SagaRow::TABLE)]
        };
        let mut snapshot = self.executor.read(&[PROJECTION], Box::new(plan)).await?;
        let at = ReadPosition::from(&snapshot.states[0]);
        let items = read(snapshot.rows.remove(0))?;
        let page = Page::of(items, limit, |last: &SagaRow| {
            cursor::encode(LIST, &(last.started_at.micros(), last.saga_id.0))
        });
        Ok(Answer { value: page, at })
    }
}
