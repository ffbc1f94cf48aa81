//! Bookings, for who owns them and for staff, each with the saga that works on it.

use domain::booking::Status;
use domain::ids::{BookingId, ItineraryId};
use domain::{Tenant, Timestamp};
use uuid::Uuid;

use super::statement::{Dialect, Sql, Statement};
use super::{Answer, Page, PageRequest, QueryError, ReadPosition, ReadQueries, Viewer, cursor};
use crate::projections::{BookingRow, SagaRow};
use crate::row::Cell as _;
use crate::store::{ProjectionState, ReadStoreError};
use crate::table::{Row, Value};

/// What answers come from; in this order in every plan.
const PROJECTIONS: &[&str] = &["bookings", "sagas"];
const LIST: &str = "bookings";
/// What lists have no use for.
const INNER: &[&str] = &["sealed"];

/// A booking with what works on it.
#[derive(Clone, Debug, PartialEq)]
pub struct BookingDetail {
    /// The booking.
    pub booking: BookingRow,
    /// The saga that works on it, or worked on it last; none before the first has started.
    pub saga: Option<SagaRow>,
}

/// What a list of bookings is narrowed down to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BookingFilter {
    /// Those of this trip.
    pub itinerary_id: Option<ItineraryId>,
    /// Those that stand there.
    pub status: Option<Status>,
}

impl ReadQueries {
    /// A booking that the viewer may see: as the account that owns it, or as staff. True at the
    /// position that both read models hold.
    ///
    /// # Errors
    /// [`QueryError`], as every question.
    pub async fn booking(
        &self,
        tenant: &Tenant,
        viewer: Viewer,
        id: BookingId,
    ) -> Result<Answer<Option<BookingDetail>>, QueryError> {
        let tenant = tenant.clone();
        let plan = move |states: &[ProjectionState], dialect| {
            let mut sql = select(states, dialect, &tenant, viewer, &[]);
            sql.push(" AND b.booking_id = ").bind(id.into_value());
            vec![both(sql)]
        };
        let mut snapshot = self.executor.read(PROJECTIONS, Box::new(plan)).await?;
        let value = snapshot.rows.remove(0).pop().map(detail).transpose()?;
        Ok(Answer { value, at: ReadPosition::of_all(&snapshot.states) })
    }

    /// The bookings that the viewer may see, newest first. What is `sealed` of them is left empty.
    ///
    /// # Errors
    /// [`QueryError::InvalidCursor`] for a cursor of another list; otherwise [`QueryError::Store`].
    pub async fn bookings(
        &self,
        tenant: &Tenant,
        viewer: Viewer,
        filter: &BookingFilter,
        page: &PageRequest,
    ) -> Result<Answer<Page<BookingDetail>>, QueryError> {
        let after: Option<(i64, Uuid)> = cursor::decode(LIST, page.cursor.as_deref())?;
        let (tenant, filter, limit) = (tenant.clone(), filter.clone(), page.limit());
        let plan = move |states: &[ProjectionState], dialect| {
            let mut sql = select(states, dialect, &tenant, viewer, INNER);
            if let Some(itinerary_id) = filter.itinerary_id {
                sql.push(" AND b.itinerary_id = ").bind(itinerary_id.into_value());
            }
            if let Some(status) = filter.status {
                sql.push(" AND b.status = ").bind(Value::Text(status.name().to_owned()));
            }
            if let Some((created_at, id)) = after {
                sql.push(" AND (b.created_at, b.booking_id) < (");
                sql.bind(Value::Timestamp(Timestamp::from_micros(created_at))).push(", ");
                sql.bind(Value::Uuid(id)).push(")");
            }
            sql.push(" ORDER BY b.created_at DESC, b.booking_id DESC LIMIT ");
            sql.bind(Value::Integer(i64::from(limit) + 1));
            vec![both(sql)]
        };
        let mut snapshot = self.executor.read(PROJECTIONS, Box::new(plan)).await?;
        let rows = snapshot.rows.remove(0);
        let items = rows.into_iter().map(detail).collect::<Result<_, _>>()?;
        let page = Page::of(items, limit, |last: &BookingDetail| {
            cursor::encode(LIST, &(last.booking.created_at.micros(), last.booking.booking_id.0))
        });
        Ok(Answer { value: page, at: ReadPosition::of_all(&snapshot.states) })
    }
}

/// Bookings `b` that the viewer may see, each with its saga `s`: the active one, else the last.
fn select(
    states: &[ProjectionState],
    dialect: Dialect,
    tenant: &Tenant,
    viewer: Viewer,
    omitted: &[&str],
) -> Sql {
    let (bookings, sagas) = (&states[0].generation, &states[1].generation);
    let mut sql = Sql::new(dialect);
    sql.push("SELECT ").columns("b", BookingRow::TABLE, omitted).push(", ");
    sql.columns("s", SagaRow::TABLE, &[]).push(" FROM ");
    sql.table(bookings, BookingRow::TABLE, "b").push(" LEFT JOIN ");
    sql.table(sagas, SagaRow::TABLE, "s").push(" ON s.saga_id = (SELECT x.saga_id FROM ");
    sql.table(sagas, SagaRow::TABLE, "x");
    sql.push(" WHERE x.tenant = b.tenant AND x.booking_id = b.booking_id");
    sql.push(" ORDER BY (x.ended_at IS NULL) DESC, x.started_at DESC, x.saga_id LIMIT 1)");
    sql.push(" WHERE b.tenant = ").bind(tenant.clone().into_value());
    if let Viewer::Account(account) = viewer {
        sql.push(" AND b.account_id = ").bind(account.into_value());
    }
    sql
}

fn both(sql: Sql) -> Statement {
    let columns = BookingRow::TABLE.columns.iter().chain(SagaRow::TABLE.columns);
    sql.of(columns.map(|column| column.column_type))
}

fn detail(mut booking: Vec<Value>) -> Result<BookingDetail, ReadStoreError> {
    let saga = booking.split_off(BookingRow::TABLE.columns.len());
    let saga = match saga.first() {
        None | Some(Value::Null) => None,
        Some(_) => Some(SagaRow::from_values(saga).map_err(ReadStoreError::corrupt)?),
    };
    let booking = BookingRow::from_values(booking).map_err(ReadStoreError::corrupt)?;
    Ok(BookingDetail { booking, saga })
}
