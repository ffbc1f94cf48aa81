//! What happened to a trip, for its people.

use domain::Tenant;
use domain::ids::ItineraryId;

use super::itineraries::{read, visible};
use super::statement::Sql;
use super::{Answer, Page, PageRequest, QueryError, ReadPosition, ReadQueries, Viewer, cursor};
use crate::projections::{FeedRow, ItineraryRow};
use crate::row::Cell as _;
use crate::table::{ColumnType, Row as _, Value};

const LIST: &str = "activity_feed";

impl ReadQueries {
    /// What happened to a trip, newest first; nothing when the viewer takes no part in it (that it
    /// is
    /// shared is not enough).
    ///
    /// # Errors
    /// [`QueryError::InvalidCursor`] for a cursor of another list; otherwise [`QueryError::Store`].
    pub async fn activity_feed(
        &self,
        tenant: &Tenant,
        viewer: Viewer,
        id: ItineraryId,
        page: &PageRequest,
    ) -> Result<Answer<Option<Page<FeedRow>>>, QueryError> {
        let before: Option<i64> = cursor::decode(LIST, page.cursor.as_deref())?;
        let (tenant, limit) = (tenant.clone(), page.limit());
        let plan = move |states: &[crate::ProjectionState], dialect| {
            let trips = &states[1].generation;
            let mut seen = Sql::new(dialect);
            seen.push("SELECT i.itinerary_id FROM ").table(trips, ItineraryRow::TABLE, "i");
            seen.push(" WHERE i.itinerary_id = ").bind(id.into_value());
            seen.push(" AND i.tenant = ").bind(tenant.clone().into_value());
            visible(&mut seen, trips, viewer, false);
            let mut lines = Sql::new(dialect);
            lines.push("SELECT ").columns("f", FeedRow::TABLE, &[]).push(" FROM ");
            lines.table(&states[0].generation, FeedRow::TABLE, "f");
            lines.push(" WHERE f.itinerary_id = ").bind(id.into_value());
            lines.push(" AND f.tenant = ").bind(tenant.into_value());
            if let Some(version) = before {
                lines.push(" AND f.version < ").bind(Value::Integer(version));
            }
            lines.push(" ORDER BY f.version DESC LIMIT ");
            lines.bind(Value::Integer(i64::from(limit) + 1));
            vec![seen.of([ColumnType::Uuid]), lines.of_table(FeedRow::TABLE)]
        };
        let projections = ["activity_feed", "itineraries"];
        let mut snapshot = self.executor.read(&projections, Box::new(plan)).await?;
        let at = ReadPosition::from(&snapshot.states[0]);
        if snapshot.rows[0].is_empty() {
            return Ok(Answer { value: None, at });
        }
        let page = Page::of(read(snapshot.rows.remove(1))?, limit, |last: &FeedRow| {
            cursor::encode(LIST, &last.version)
        });
        Ok(Answer { value: Some(page), at })
    }
}
