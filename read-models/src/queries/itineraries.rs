//! Trips: one with everything about it, and lists of an account's.

use domain::calendar::Date;
use domain::ids::{AccountId, ItineraryId};
use domain::{Tenant, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::statement::{Dialect, Sql, Statement};
use super::{Answer, Page, PageRequest, QueryError, ReadPosition, ReadQueries, Viewer, cursor};
use crate::projections::{ActivityRow, CommentRow, ItineraryRow, MemberRow};
use crate::row::Cell as _;
use crate::search::query_words;
use crate::store::{Generation, ReadStoreError};
use crate::table::{ColumnType, Row, Value};

const PROJECTION: &str = "itineraries";
const LIST: &str = "itineraries";
/// The newest comments that come with a trip; its feed has all.
pub const COMMENTS_MAX: u32 = 100;
/// Columns that serve the search and the fold, and no reader.
const INNER: &[&str] = &["activity_texts", "search_words"];
/// Ids of one question about what is visible.
pub const IDS_MAX: usize = 1_000;

/// A trip with everything about it.
#[derive(Clone, Debug, PartialEq)]
pub struct ItineraryDetail {
    /// The trip (`activity_texts` and `search_words` left empty).
    pub itinerary: ItineraryRow,
    /// Owner, collaborators and open invitations, by account.
    pub members: Vec<MemberRow>,
    /// The plan, in order of time.
    pub activities: Vec<ActivityRow>,
    /// The newest [`COMMENTS_MAX`] comments, oldest first.
    pub comments: Vec<CommentRow>,
}

/// Which of an account's trips.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ItineraryScope {
    /// Those it owns or collaborates on.
    #[default]
    All,
    /// Those it owns.
    Owned,
    /// Those it collaborates on.
    Collaborating,
    /// Those it is invited to and has not joined.
    Invited,
}

/// What a list of trips is narrowed down to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ItineraryFilter {
    /// Which trips.
    pub scope: ItineraryScope,
    /// Words that each begin a word of title, activities or places. Text without a word finds
    /// nothing.
    pub query: Option<String>,
    /// `active` or `archived`.
    pub status: Option<String>,
    /// Trips that end on this day or later.
    pub from: Option<Date>,
    /// Trips that start on this day or earlier.
    pub to: Option<Date>,
}

/// A trip in an account's list.
#[derive(Clone, Debug, PartialEq)]
pub struct ListedItinerary {
    /// The trip (`activity_texts` and `search_words` left empty).
    pub itinerary: ItineraryRow,
    /// The account's part: `owner`, `editor` or `viewer`.
    pub role: String,
    /// `joined` or `invited`.
    pub state: String,
}

impl ReadQueries {
    /// A trip that the viewer may see: as its owner, as a collaborator or invited to be one, or
    /// because it is shared.
    ///
    /// # Errors
    /// [`QueryError`], as every question.
    pub async fn itinerary(
        &self,
        tenant: &Tenant,
        viewer: Viewer,
        id: ItineraryId,
    ) -> Result<Answer<Option<ItineraryDetail>>, QueryError> {
        let tenant = tenant.clone();
        let plan = move |states: &[crate::ProjectionState], dialect| {
            detail_statements(&states[0].generation, dialect, &tenant, viewer, id)
        };
        let snapshot = self.executor.read(&[PROJECTION], Box::new(plan)).await?;
        let at = ReadPosition::from(&snapshot.states[0]);
        let Ok([mut trips, members, activities, comments]) = <[_; 4]>::try_from(snapshot.rows)
        else {
            unreachable!("the plan has four statements");
        };
        let Some(trip) = trips.pop() else { return Ok(Answer { value: None, at }) };
        let mut comments: Vec<CommentRow> = read(comments)?;
        comments.reverse();
        let detail = ItineraryDetail {
            itinerary: ItineraryRow::from_values(trip).map_err(ReadStoreError::corrupt)?,
            members: read(members)?,
            activities: read(activities)?,
            comments,
        };
        Ok(Answer { value: Some(detail), at })
    }

    /// Trips of an account, newest first, in an order that does not change while pages are turned.
    ///
    /// # Errors
    /// [`QueryError::InvalidCursor`] for a cursor of another list; otherwise [`QueryError::Store`].
    pub async fn itineraries(
        &self,
        tenant: &Tenant,
        account: AccountId,
        filter: &ItineraryFilter,
        page: &PageRequest,
    ) -> Result<Answer<Page<ListedItinerary>>, QueryError> {
        let after: Option<(i64, Uuid)> = cursor::decode(LIST, page.cursor.as_deref())?;
        let limit = page.limit();
        let (tenant, filter) = (tenant.clone(), filter.clone());
        let plan = move |states: &[crate::ProjectionState], dialect| {
            let generation = &states[0].generation;
            vec![list_statement(generation, dialect, &tenant, account, &filter, after, limit)]
        };
        let mut snapshot = self.executor.read(&[PROJECTION], Box::new(plan)).await?;
        let at = ReadPosition::from(&snapshot.states[0]);
        let items = snapshot.rows.remove(0).into_iter().map(listed).collect::<Result<_, _>>()?;
        let page = Page::of(items, limit, |last: &ListedItinerary| {
            let key = (last.itinerary.created_at.micros(), last.itinerary.itinerary_id.0);
            cursor::encode(LIST, &key)
        });
        Ok(Answer { value: page, at })
    }

    /// Which of these trips (at most [`IDS_MAX`], the rest is taken as invisible) the viewer may
    /// see,
    /// in no order.
    ///
    /// # Errors
    /// [`QueryError`], as every question.
    pub async fn visible_itineraries(
        &self,
        tenant: &Tenant,
        viewer: Viewer,
        ids: &[ItineraryId],
    ) -> Result<Answer<Vec<ItineraryId>>, QueryError> {
        let tenant = tenant.clone();
        let mut ids: Vec<Uuid> = ids.iter().take(IDS_MAX).map(|id| id.0).collect();
        // Filled up to a power of two, so that few different statements are ever prepared.
        if let Some(last) = ids.last().copied() {
            ids.resize(ids.len().next_power_of_two(), last);
        }
        let plan = move |states: &[crate::ProjectionState], dialect| {
            if ids.is_empty() {
                return Vec::new();
            }
            let generation = &states[0].generation;
            let mut sql = Sql::new(dialect);
            sql.push("SELECT i.itinerary_id FROM ").table(generation, ItineraryRow::TABLE, "i");
            sql.push(" WHERE i.tenant = ").bind(tenant.into_value());
            sql.push(" AND i.itinerary_id IN (");
            for (index, id) in ids.into_iter().enumerate() {
                sql.push(if index == 0 { "" } else { ", " }).bind(Value::Uuid(id));
            }
            sql.push(")");
            visible(&mut sql, generation, viewer, true);
            vec![sql.of([ColumnType::Uuid])]
        };
        let snapshot = self.executor.read(&[PROJECTION], Box::new(plan)).await?;
        let at = ReadPosition::from(&snapshot.states[0]);
        let ids = snapshot.rows.into_iter().flatten().flatten().filter_map(ItineraryId::from_value);
        Ok(Answer { value: ids.collect(), at })
    }
}

fn detail_statements(
    generation: &Generation,
    dialect: Dialect,
    tenant: &Tenant,
    viewer: Viewer,
    id: ItineraryId,
) -> Vec<Statement> {
    let mut trip = Sql::new(dialect);
    trip.push("SELECT ").columns("i", ItineraryRow::TABLE, INNER).push(" FROM ");
    trip.table(generation, ItineraryRow::TABLE, "i");
    trip.push(" WHERE i.itinerary_id = ").bind(id.into_value());
    trip.push(" AND i.tenant = ").bind(tenant.clone().into_value());
    visible(&mut trip, generation, viewer, true);
    // What belongs to a trip that is not seen is found, and left with it.
    let beside = |table, order: &str| {
        let mut sql = Sql::new(dialect);
        sql.push("SELECT ").columns("t", table, &[]).push(" FROM ").table(generation, table, "t");
        sql.push(" WHERE t.itinerary_id = ").bind(id.into_value());
        sql.push(&format!(" ORDER BY {order}"));
        sql.of_table(table)
    };
    vec![
        trip.of_table(ItineraryRow::TABLE),
        beside(MemberRow::TABLE, "t.account_id"),
        beside(ActivityRow::TABLE, "t.starts_at, t.ends_at, t.activity_id"),
        beside(CommentRow::TABLE, &format!("t.version DESC LIMIT {COMMENTS_MAX}")),
    ]
}

/// Narrows trips `i` down to those that the viewer may see.
pub(super) fn visible(sql: &mut Sql, generation: &Generation, viewer: Viewer, shared: bool) {
    let Viewer::Account(account) = viewer else { return };
    sql.push(if shared { " AND (i.shared OR EXISTS (" } else { " AND (EXISTS (" });
    sql.push("SELECT 1 FROM ").table(generation, MemberRow::TABLE, "v");
    sql.push(" WHERE v.itinerary_id = i.itinerary_id AND v.account_id = ");
    sql.bind(account.into_value()).push("))");
}

fn list_statement(
    generation: &Generation,
    dialect: Dialect,
    tenant: &Tenant,
    account: AccountId,
    filter: &ItineraryFilter,
    after: Option<(i64, Uuid)>,
    limit: u32,
) -> Statement {
    let mut sql = Sql::new(dialect);
    sql.push("SELECT ").columns("i", ItineraryRow::TABLE, INNER).push(", m.role, m.state FROM ");
    sql.table(generation, MemberRow::TABLE, "m").push(" JOIN ");
    sql.table(generation, ItineraryRow::TABLE, "i").push(" ON i.itinerary_id = m.itinerary_id");
    sql.push(" WHERE m.tenant = ").bind(tenant.clone().into_value());
    sql.push(" AND m.account_id = ").bind(account.into_value());
    sql.push(match filter.scope {
        ItineraryScope::All => " AND m.state = 'joined'",
        ItineraryScope::Owned => " AND m.role = 'owner'",
        ItineraryScope::Collaborating => " AND m.state = 'joined' AND m.role <> 'owner'",
        ItineraryScope::Invited => " AND m.state = 'invited'",
    });
    if let Some((created_at, id)) = after {
        sql.push(" AND (m.itinerary_created_at, m.itinerary_id) < (");
        sql.bind(Value::Timestamp(Timestamp::from_micros(created_at))).push(", ");
        sql.bind(Value::Uuid(id)).push(")");
    }
    if let Some(status) = &filter.status {
        sql.push(" AND i.status = ").bind(Value::Text(status.clone()));
    }
    if let Some(from) = filter.from {
        sql.push(" AND i.end_date >= ").bind(from.into_value());
    }
    if let Some(to) = filter.to {
        sql.push(" AND i.start_date <= ").bind(to.into_value());
    }
    if let Some(query) = &filter.query {
        let words = query_words(query);
        if words.is_empty() {
            sql.push(" AND 1 = 0");
        } else {
            let index = (generation, ItineraryRow::TABLE, "words", "search_words");
            sql.push(" AND ").matches(index, "i", &words);
        }
    }
    sql.push(" ORDER BY m.itinerary_created_at DESC, m.itinerary_id DESC LIMIT ");
    sql.bind(Value::Integer(i64::from(limit) + 1));
    let types = ItineraryRow::TABLE.columns.iter().map(|column| column.column_type);
    sql.of(types.chain([ColumnType::Text, ColumnType::Text]))
}

fn listed(mut row: Vec<Value>) -> Result<ListedItinerary, ReadStoreError> {
    let (state, role) = (row.pop(), row.pop());
    let (Some(Value::Text(state)), Some(Value::Text(role))) = (state, role) else {
        return Err(ReadStoreError::corrupt("a member without role or state"));
    };
    let itinerary = ItineraryRow::from_values(row).map_err(ReadStoreError::corrupt)?;
    Ok(ListedItinerary { itinerary, role, state })
}

/// Rows as their type.
pub(super) fn read<R: Row>(rows: Vec<Vec<Value>>) -> Result<Vec<R>, ReadStoreError> {
    let rows = rows.into_iter().map(R::from_values);
    rows.collect::<Result<_, _>>().map_err(ReadStoreError::corrupt)
}
