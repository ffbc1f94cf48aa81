//! Messages, for who owns the booking that they are about and for staff.

use domain::ids::{BookingId, NotificationId};
use domain::notification::Status;
use domain::{Tenant, Timestamp};
use uuid::Uuid;

use super::itineraries::read;
use super::statement::{Dialect, Sql};
use super::{Answer, Page, PageRequest, QueryError, ReadPosition, ReadQueries, Viewer, cursor};
use crate::projections::{BookingRow, NotificationRow, wire_name};
use crate::row::Cell as _;
use crate::store::ProjectionState;
use crate::table::{Row as _, Value};

/// Whose a message is, the booking says.
const PROJECTIONS: &[&str] = &["notifications", "bookings"];
const LIST: &str = "notifications";

/// What a list of messages is narrowed down to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NotificationFilter {
    /// Messages about this booking.
    pub booking_id: Option<BookingId>,
    /// Messages that stand there.
    pub status: Option<Status>,
}

impl ReadQueries {
    /// A message that the viewer may see.
    ///
    /// # Errors
    /// [`QueryError`], as every question.
    pub async fn notification(
        &self,
        tenant: &Tenant,
        viewer: Viewer,
        id: NotificationId,
    ) -> Result<Answer<Option<NotificationRow>>, QueryError> {
        let tenant = tenant.clone();
        let plan = move |states: &[ProjectionState], dialect| {
            let mut sql = visible(states, dialect, tenant, viewer);
            sql.push(" AND n.notification_id = ").bind(id.into_value());
            vec![sql.of_table(NotificationRow::TABLE)]
        };
        let mut snapshot = self.executor.read(PROJECTIONS, Box::new(plan)).await?;
        let at = ReadPosition::of_all(&snapshot.states);
        Ok(Answer { value: read(snapshot.rows.remove(0))?.pop(), at })
    }

    /// The messages that the viewer may see, newest first.
    ///
    /// # Errors
    /// [`QueryError::InvalidCursor`] for a cursor of another list; otherwise [`QueryError::Store`].
    pub async fn notifications(
        &self,
        tenant: &Tenant,
        viewer: Viewer,
        filter: &NotificationFilter,
        page: &PageRequest,
    ) -> Result<Answer<Page<NotificationRow>>, QueryError> {
        let after: Option<(i64, Uuid)> = cursor::decode(LIST, page.cursor.as_deref())?;
        let (tenant, filter, limit) = (tenant.clone(), filter.clone(), page.limit());
        let plan = move |states: &[ProjectionState], dialect| {
            let mut sql = visible(states, dialect, tenant, viewer);
            if let Some(booking_id) = filter.booking_id {
                sql.push(" AND n.booking_id = ").bind(booking_id.into_value());
            }
            if let Some(status) = filter.status {
                sql.push(" AND n.status = ").bind(Value::Text(wire_name(&status)));
            }
            if let Some((created_at, id)) = after {
                sql.push(" AND (n.created_at, n.notification_id) < (");
                sql.bind(Value::Timestamp(Timestamp::from_micros(created_at))).push(", ");
                sql.bind(Value::Uuid(id)).push(")");
            }
            sql.push(" ORDER BY n.created_at DESC, n.notification_id DESC LIMIT ");
            sql.bind(Value::Integer(i64::from(limit) + 1));
            vec![sql.of_table(NotificationRow::TABLE)]
        };
        let mut snapshot = self.executor.read(PROJECTIONS, Box::new(plan)).await?;
        let at = ReadPosition::of_all(&snapshot.states);
        let items = read(snapshot.rows.remove(0))?;
        let page = Page::of(items, limit, |last: &NotificationRow| {
            cursor::encode(LIST, &(last.created_at.micros(), last.notification_id.0))
        });
        Ok(Answer { value: page, at })
    }
}

/// The beginning of a statement: messages `n` that the viewer may see.
fn visible(states: &[ProjectionState], dialect: Dialect, tenant: Tenant, viewer: Viewer) -> Sql {
    let mut sql = Sql::new(dialect);
    sql.push("SELECT ").columns("n", NotificationRow::TABLE, &[]).push(" FROM ");
    sql.table(&states[0].generation, NotificationRow::TABLE, "n");
    if let Viewer::Account(account) = viewer {
        sql.push(" JOIN ").table(&states[1].generation, BookingRow::TABLE, "b");
        sql.push(" ON b.booking_id = n.booking_id AND b.tenant = n.tenant AND b.account_id = ");
        sql.bind(account.into_value());
    }
    sql.push(" WHERE n.tenant = ").bind(tenant.into_value());
    sql
}
