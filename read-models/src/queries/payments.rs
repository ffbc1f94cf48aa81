//! Payments, for who owns the booking and for staff.

use domain::ids::{BookingId, PaymentId};
use domain::{Tenant, Timestamp};
use uuid::Uuid;

use super::itineraries::read;
use super::statement::Sql;
use super::{Answer, Page, PageRequest, QueryError, ReadPosition, ReadQueries, Viewer, cursor};
use crate::projections::PaymentRow;
use crate::row::Cell as _;
use crate::table::{Row as _, Value};

const PROJECTION: &str = "payments";
const LIST: &str = "payments";

impl ReadQueries {
    /// A payment that the viewer may see: as the account that owns the booking, or as staff.
    ///
    /// # Errors
    /// [`QueryError`], as every question.
    pub async fn payment(
        &self,
        tenant: &Tenant,
        viewer: Viewer,
        id: PaymentId,
    ) -> Result<Answer<Option<PaymentRow>>, QueryError> {
        let tenant = tenant.clone();
        let plan = move |states: &[crate::ProjectionState], dialect| {
            let mut sql = Sql::new(dialect);
            sql.push("SELECT ").columns("p", PaymentRow::TABLE, &[]).push(" FROM ");
            sql.table(&states[0].generation, PaymentRow::TABLE, "p");
            sql.push(" WHERE p.payment_id = ").bind(id.into_value());
            sql.push(" AND p.tenant = ").bind(tenant.into_value());
            visible(&mut sql, viewer);
            vec![sql.of_table(PaymentRow::TABLE)]
        };
        let mut snapshot = self.executor.read(&[PROJECTION], Box::new(plan)).await?;
        let at = ReadPosition::from(&snapshot.states[0]);
        let value = read(snapshot.rows.remove(0))?.pop();
        Ok(Answer { value, at })
    }

    /// The payments that the viewer may see, of one booking or of all, newest first.
    ///
    /// # Errors
    /// [`QueryError::InvalidCursor`] for a cursor of another list; otherwise [`QueryError::Store`].
    pub async fn payments(
        &self,
        tenant: &Tenant,
        viewer: Viewer,
        booking_id: Option<BookingId>,
        page: &PageRequest,
    ) -> Result<Answer<Page<PaymentRow>>, QueryError> {
        let after: Option<(i64, Uuid)> = cursor::decode(LIST, page.cursor.as_deref())?;
        let (tenant, limit) = (tenant.clone(), page.limit());
        let plan = move |states: &[crate::ProjectionState], dialect| {
            let mut sql = Sql::new(dialect);
            sql.push("SELECT ").columns("p", PaymentRow::TABLE, &[]).push(" FROM ");
            sql.table(&states[0].generation, PaymentRow::TABLE, "p");
            sql.push(" WHERE p.tenant = ").bind(tenant.into_value());
            visible(&mut sql, viewer);
            if let Some(booking_id) = booking_id {
                sql.push(" AND p.booking_id = ").bind(booking_id.into_value());
            }
            if let Some((created_at, id)) = after {
                sql.push(" AND (p.created_at, p.payment_id) < (");
                sql.bind(Value::Timestamp(Timestamp::from_micros(created_at))).push(", ");
                sql.bind(Value::Uuid(id)).push(")");
            }
            sql.push(" ORDER BY p.created_at DESC, p.payment_id DESC LIMIT ");
            sql.bind(Value::Integer(i64::from(limit) + 1));
            vec![sql.of_table(PaymentRow::TABLE)]
        };
        let mut snapshot = self.executor.read(&[PROJECTION], Box::new(plan)).await?;
        let at = ReadPosition::from(&snapshot.states[0]);
        let items = read(snapshot.rows.remove(0))?;
        let page = Page::of(items, limit, |last: &PaymentRow| {
            cursor::encode(LIST, &(last.created_at.micros(), last.payment_id.0))
        });
        Ok(Answer { value: page, at })
    }
}

/// Narrows payments `p` down to those that the viewer may see.
fn visible(sql: &mut Sql, viewer: Viewer) {
    if let Viewer::Account(account) = viewer {
        sql.push(" AND p.account_id = ").bind(account.into_value());
    }
}
