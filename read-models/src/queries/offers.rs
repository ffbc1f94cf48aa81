//! Offers, for everybody of the tenant: one, and what is found by kind, place, days and words.

use domain::calendar::Date;
use domain::ids::OfferId;
use domain::offer::OfferKind;
use domain::{Tenant, Timestamp};
use uuid::Uuid;

use super::itineraries::read;
use super::statement::{Dialect, Sql, Statement};
use super::{Answer, Page, PageRequest, QueryError, ReadPosition, ReadQueries, cursor};
use crate::projections::{OfferPlaceRow, OfferRow, place_words};
use crate::row::Cell as _;
use crate::search::query_words;
use crate::store::{Generation, ProjectionState};
use crate::table::{Row as _, Value};

const PROJECTION: &str = "offers";
const LIST: &str = "offers";
/// What lists have no use for.
const INNER: &[&str] = &["search_words", "seats"];

/// What a list of offers is narrowed down to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OfferFilter {
    /// Offers of this kind.
    pub kind: Option<OfferKind>,
    /// Offers at, from or to this place; case and accents are ignored.
    pub place: Option<String>,
    /// Offers that begin on this day or later, as their place counts days.
    pub from: Option<Date>,
    /// Offers that begin on this day or earlier.
    pub to: Option<Date>,
    /// Offers of which that many places can be bought now.
    pub available: Option<u32>,
    /// Words that each begin a word of title, places or supplier. Text without a word finds
    /// nothing.
    pub query: Option<String>,
}

impl ReadQueries {
    /// An offer.
    ///
    /// # Errors
    /// [`QueryError`], as every question.
    pub async fn offer(
        &self,
        tenant: &Tenant,
        id: OfferId,
    ) -> Result<Answer<Option<OfferRow>>, QueryError> {
        let (of, tenant) = (tenant, tenant.clone());
        let plan = move |states: &[ProjectionState], dialect| {
            let mut sql = Sql::new(dialect);
            sql.push("SELECT ").columns("o", OfferRow::TABLE, &["search_words"]).push(" FROM ");
            sql.table(&states[0].generation, OfferRow::TABLE, "o");
            sql.push(" WHERE o.offer_id = ").bind(id.into_value());
            sql.push(" AND o.tenant = ").bind(tenant.into_value());
            vec![sql.of_table(OfferRow::TABLE)]
        };
        let mut snapshot = self.executor.read(&[PROJECTION], Box::new(plan)).await?;
        let at = ReadPosition::from(&snapshot.states[0]);
        let mut found: Vec<OfferRow> = read(snapshot.rows.remove(0))?;
        self.refresh(of, &mut found).await?;
        Ok(Answer { value: found.pop(), at })
    }

    /// Offers in the order in which they begin. Their `seats` are left empty. Those of which too
    /// little is left by now are taken off the page, which may so be shorter than its limit.
    ///
    /// # Errors
    /// [`QueryError::InvalidCursor`] for a cursor of another list; otherwise [`QueryError::Store`].
    pub async fn offers(
        &self,
        tenant: &Tenant,
        filter: &OfferFilter,
        page: &PageRequest,
    ) -> Result<Answer<Page<OfferRow>>, QueryError> {
        let after: Option<(i64, Uuid)> = cursor::decode(LIST, page.cursor.as_deref())?;
        let (of, available) = (tenant, filter.available);
        let (tenant, filter, limit) = (tenant.clone(), filter.clone(), page.limit());
        let plan = move |states: &[ProjectionState], dialect| {
            vec![list_statement(&states[0].generation, dialect, &tenant, &filter, after, limit)]
        };
        let mut snapshot = self.executor.read(&[PROJECTION], Box::new(plan)).await?;
        let at = ReadPosition::from(&snapshot.states[0]);
        let items = read(snapshot.rows.remove(0))?;
        let mut page = Page::of(items, limit, |last: &OfferRow| {
            cursor::encode(LIST, &(last.starts_at.micros(), last.offer_id.0))
        });
        self.refresh(of, &mut page.items).await?;
        page.items.retain(|row| available.is_none_or(|wanted| row.available >= wanted));
        Ok(Answer { value: page, at })
    }
}

fn list_statement(
    generation: &Generation,
    dialect: Dialect,
    tenant: &Tenant,
    filter: &OfferFilter,
    after: Option<(i64, Uuid)>,
    limit: u32,
) -> Statement {
    let mut sql = Sql::new(dialect);
    // A place's own table is in the order of the list, and the whole list when a place is named.
    let first = if filter.place.is_some() { "p" } else { "o" };
    sql.push("SELECT ").columns("o", OfferRow::TABLE, INNER).push(" FROM ");
    match &filter.place {
        Some(place) => {
            sql.table(generation, OfferPlaceRow::TABLE, "p").push(" JOIN ");
            sql.table(generation, OfferRow::TABLE, "o").push(" ON o.offer_id = p.offer_id");
            sql.push(" WHERE p.place = ").bind(Value::Text(place_words(place))).push(" AND ");
        }
        None => {
            sql.table(generation, OfferRow::TABLE, "o").push(" WHERE ");
        }
    }
    sql.push(&format!("{first}.tenant = ")).bind(tenant.clone().into_value());
    if let Some(kind) = filter.kind {
        sql.push(" AND o.kind = ").bind(Value::Text(kind.name().to_owned()));
    }
    if let Some(from) = filter.from {
        sql.push(" AND o.start_date >= ").bind(from.into_value());
    }
    if let Some(to) = filter.to {
        sql.push(" AND o.start_date <= ").bind(to.into_value());
    }
    if let Some(available) = filter.available {
        sql.push(" AND o.available >= ").bind(Value::Integer(available.into()));
    }
    if let Some(query) = &filter.query {
        let words = query_words(query);
        if words.is_empty() {
            sql.push(" AND 1 = 0");
        } else {
            let index = (generation, OfferRow::TABLE, "words", "search_words");
            sql.push(" AND ").matches(index, "o", &words);
        }
    }
    if let Some((starts_at, id)) = after {
        sql.push(&format!(" AND ({first}.starts_at, {first}.offer_id) > ("));
        sql.bind(Value::Timestamp(Timestamp::from_micros(starts_at))).push(", ");
        sql.bind(Value::Uuid(id)).push(")");
    }
    sql.push(&format!(" ORDER BY {first}.starts_at, {first}.offer_id LIMIT "));
    sql.bind(Value::Integer(i64::from(limit) + 1));
    sql.of_table(OfferRow::TABLE)
}
