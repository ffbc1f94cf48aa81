//! Destinations, for everybody of the tenant: the catalogue with what is offered and booked at
//! each, and which are booked most.

use std::collections::{BTreeMap, BTreeSet};

use domain::calendar::Date;
use domain::ids::DestinationId;
use domain::{PositionVector, Tenant};

use super::itineraries::read;
use super::look_up::{By, LookUp, Range};
use super::statement::{Dialect, Sql};
use super::{Answer, Page, PageRequest, QueryError, ReadPosition, ReadQueries, cursor};
use crate::projections::{
    DESCRIBED, DestinationCountRow, DestinationRow, Period, PopularPlaceRow, place_words,
};
use crate::row::Cell as _;
use crate::search::query_words;
use crate::store::{ProjectionState, ReadStoreError};
use crate::table::{ColumnType, Row as _, Value};

const CATALOGUE: &str = "destinations";
const RANKING: &str = "popular_destinations";
const LIST: &str = "destinations";
/// Places of a ranking that are looked at, most booked first; those beyond do not count.
const RANKED_MAX: u32 = 1_000;

/// One destination with its counts.
#[derive(Clone, Debug, PartialEq)]
pub struct ListedDestination {
    /// What is said of it.
    pub destination: DestinationRow,
    /// What is offered and booked there.
    pub counts: DestinationCounts,
}

/// What is offered and booked at a destination, by its slug and by its name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DestinationCounts {
    /// Offers ever listed.
    pub offers_listed: i64,
    /// Offers that are not closed.
    pub offers_open: i64,
    /// Places of offers that are sold now.
    pub places_sold: i64,
    /// Bookings ever confirmed.
    pub bookings_confirmed: i64,
    /// Confirmed bookings that were cancelled since.
    pub bookings_cancelled: i64,
}

/// What a list of destinations is narrowed down to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DestinationFilter {
    /// Destinations of this country (ISO 3166-1 alpha-2).
    pub country: Option<String>,
    /// Destinations that have this tag; case and accents are ignored.
    pub tag: Option<String>,
    /// Words that each begin a word of name, slug, country or tags. Text without a word finds
    /// nothing.
    pub query: Option<String>,
}

/// What a ranking goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Bookings that were confirmed.
    Bookings,
    /// Places that were sold by them.
    Places,
}

/// A destination in a ranking.
#[derive(Clone, Debug, PartialEq)]
pub struct PopularDestination {
    /// What is said of it.
    pub destination: DestinationRow,
    /// Bookings that were confirmed in the period.
    pub bookings: i64,
    /// Places that were sold by them.
    pub places: i64,
}

impl ReadQueries {
    /// A destination, retired or not.
    ///
    /// # Errors
    /// [`QueryError`], as every question.
    pub async fn destination(
        &self,
        tenant: &Tenant,
        id: DestinationId,
    ) -> Result<Answer<Option<ListedDestination>>, QueryError> {
        let tenant = tenant.clone();
        let plan = move |states: &[ProjectionState], dialect| {
            let mut sql = counted(states, dialect);
            sql.push(" WHERE d.destination_id = ").bind(id.into_value());
            sql.push(" AND d.tenant = ").bind(tenant.into_value());
            vec![sql.of(columns())]
        };
        let server = self.executor_of(CATALOGUE);
        let mut snapshot = server.read(&[CATALOGUE], Box::new(plan)).await?;
        let at = ReadPosition::from(&snapshot.states[0]);
        Ok(Answer { value: listed(snapshot.rows.remove(0))?.pop(), at })
    }

    /// The destinations of the catalogue in the order of their slugs.
    ///
    /// # Errors
    /// [`QueryError::InvalidCursor`] for a cursor of another list; otherwise [`QueryError::Store`].
    pub async fn destinations(
        &self,
        tenant: &Tenant,
        filter: &DestinationFilter,
        page: &PageRequest,
    ) -> Result<Answer<Page<ListedDestination>>, QueryError> {
        let after: Option<String> = cursor::decode(LIST, page.cursor.as_deref())?;
        let (tenant, filter, limit) = (tenant.clone(), filter.clone(), page.limit());
        let plan = move |states: &[ProjectionState], dialect| {
            let mut sql = counted(states, dialect);
            sql.push(" WHERE d.tenant = ").bind(tenant.into_value());
            sql.push(" AND d.status = ").bind(Value::Text(DESCRIBED.to_owned()));
            narrow(&mut sql, &states[0], &filter);
            if let Some(slug) = after {
                sql.push(" AND d.slug > ").bind(Value::Text(slug));
            }
            sql.push(" ORDER BY d.slug LIMIT ").bind(Value::Integer(i64::from(limit) + 1));
            vec![sql.of(columns())]
        };
        let server = self.executor_of(CATALOGUE);
        let mut snapshot = server.read(&[CATALOGUE], Box::new(plan)).await?;
        let at = ReadPosition::from(&snapshot.states[0]);
        let items = listed(snapshot.rows.remove(0))?;
        let page = Page::of(items, limit, |last: &ListedDestination| {
            cursor::encode(LIST, &last.destination.slug)
        });
        Ok(Answer { value: page, at })
    }

    /// The places that were booked most in the period that the day is in, most first: at most
    /// 1,000. Answered by Redis where it holds a copy.
    ///
    /// # Errors
    /// [`QueryError::Store`].
    pub async fn popular_places(
        &self,
        tenant: &Tenant,
        (period, day): (Period, Date),
        by: Measure,
        at_least: &PositionVector,
    ) -> Result<Answer<Vec<PopularPlaceRow>>, QueryError> {
        let range = Range {
            index: match by {
                Measure::Bookings => "by_bookings",
                Measure::Places => "by_places",
            },
            equal: vec![
                tenant.clone().into_value(),
                Value::Text(period.name().to_owned()),
                period.begins_on(day).into_value(),
            ],
            after: None,
            descending: true,
            limit: RANKED_MAX,
        };
        let question = LookUp { table: PopularPlaceRow::TABLE, by: By::Range(range) };
        let mut answer = self.look_up(RANKING, vec![question], at_least).await?;
        Ok(Answer { value: read(answer.value.remove(0))?, at: answer.at })
    }

    /// The destinations of the catalogue that were booked most in the period that the day is in,
    /// most first, equals in the order of their slugs. What is booked at places that no destination
    /// is described for is left out.
    ///
    /// # Errors
    /// [`QueryError::Store`].
    pub async fn popular_destinations(
        &self,
        tenant: &Tenant,
        period: (Period, Date),
        by: Measure,
        limit: u32,
        at_least: &PositionVector,
    ) -> Result<Answer<Vec<PopularDestination>>, QueryError> {
        let ranked = self.popular_places(tenant, period, by, at_least).await?;
        let booked: BTreeMap<String, PopularPlaceRow> =
            ranked.value.into_iter().map(|row| (row.place.clone(), row)).collect();
        let found = self.called(tenant, booked.keys().cloned().collect()).await?;
        let mut popular: Vec<PopularDestination> =
            found.value.into_iter().map(|destination| total(destination, &booked)).collect();
        popular.sort_by(|a, b| {
            let most = match by {
                Measure::Bookings => b.bookings.cmp(&a.bookings),
                Measure::Places => b.places.cmp(&a.places),
            };
            most.then_with(|| a.destination.slug.cmp(&b.destination.slug))
        });
        popular.truncate(limit as usize);
        // True of what both models have read.
        let (vector, last) = (&found.at.vector, found.at.last_event_at);
        let at = ReadPosition {
            vector: ranked.at.vector.common(vector),
            last_event_at: ranked.at.last_event_at.min(last),
            ..ranked.at
        };
        Ok(Answer { value: popular, at })
    }

    /// The destinations of the catalogue that have one of these places as slug or name.
    async fn called(
        &self,
        tenant: &Tenant,
        places: Vec<String>,
    ) -> Result<Answer<Vec<DestinationRow>>, QueryError> {
        let tenant = tenant.clone();
        let plan = move |states: &[ProjectionState], dialect| {
            let mut statements = Vec::new();
            let nameless = String::new();
            let padding = (places.len() + 1).next_power_of_two() - places.len();
            for column in ["slug_place", "name_place"] {
                let mut sql = Sql::new(dialect);
                sql.push("SELECT ").columns("d", DestinationRow::TABLE, &["search_words"]);
                sql.push(" FROM ").table(&states[0].generation, DestinationRow::TABLE, "d");
                sql.push(" WHERE d.tenant = ").bind(tenant.clone().into_value());
                sql.push(" AND d.status = ").bind(Value::Text(DESCRIBED.to_owned()));
                sql.push(&format!(" AND d.{column} IN ("));
                // Filled up with what nothing is called, to a power of two: lists of few lengths
                // are few texts to prepare, and an empty one is not SQL.
                let nothing = std::iter::repeat_n(&nameless, padding);
                for (nth, place) in places.iter().chain(nothing).enumerate() {
                    let comma = if nth == 0 { "" } else { ", " };
                    sql.push(comma).bind(Value::Text(place.clone()));
                }
                sql.push(")");
                statements.push(sql.of_table(DestinationRow::TABLE));
            }
            statements
        };
        let server = self.executor_of(CATALOGUE);
        let snapshot = server.read(&[CATALOGUE], Box::new(plan)).await?;
        let at = ReadPosition::from(&snapshot.states[0]);
        let mut seen = BTreeSet::new();
        let mut rows: Vec<DestinationRow> = read(snapshot.rows.into_iter().flatten().collect())?;
        rows.retain(|row| seen.insert(row.destination_id));
        Ok(Answer { value: rows, at })
    }
}

/// What was booked of a destination, by its slug and by its name.
fn total(
    destination: DestinationRow,
    booked: &BTreeMap<String, PopularPlaceRow>,
) -> PopularDestination {
    let names: BTreeSet<&str> = [destination.slug_place.as_str(), &destination.name_place].into();
    let rows: Vec<_> = names.into_iter().filter_map(|name| booked.get(name)).collect();
    let bookings = rows.iter().map(|row| row.bookings).sum();
    let places = rows.iter().map(|row| row.places).sum();
    PopularDestination { destination, bookings, places }
}

/// The beginning of a statement: destinations `d` with the counts of their slugs and names.
fn counted(states: &[ProjectionState], dialect: Dialect) -> Sql {
    let generation = &states[0].generation;
    let mut sql = Sql::new(dialect);
    sql.push("SELECT ").columns("d", DestinationRow::TABLE, &["search_words"]);
    for alias in ["s", "n"] {
        sql.push(", ").columns(alias, DestinationCountRow::TABLE, &[]);
    }
    sql.push(" FROM ").table(generation, DestinationRow::TABLE, "d");
    sql.push(" LEFT JOIN ").table(generation, DestinationCountRow::TABLE, "s");
    sql.push(" ON s.tenant = d.tenant AND s.place = d.slug_place");
    sql.push(" LEFT JOIN ").table(generation, DestinationCountRow::TABLE, "n");
    sql.push(" ON n.tenant = d.tenant AND n.place = d.name_place AND d.name_place <> d.slug_place");
    sql
}

fn columns() -> impl Iterator<Item = ColumnType> {
    let tables = [DestinationRow::TABLE, DestinationCountRow::TABLE, DestinationCountRow::TABLE];
    tables.into_iter().flat_map(|table| table.columns).map(|column| column.column_type)
}

/// Destinations with the counts that were found for them.
fn listed(rows: Vec<Vec<Value>>) -> Result<Vec<ListedDestination>, ReadStoreError> {
    let of_row = |mut values: Vec<Value>| {
        let mut found = values.split_off(DestinationRow::TABLE.columns.len());
        let by_name = found.split_off(DestinationCountRow::TABLE.columns.len());
        let mut counts = DestinationCounts::default();
        for values in [found, by_name] {
            if values[0] != Value::Null {
                counts.add(&DestinationCountRow::from_values(values)?);
            }
        }
        Ok(ListedDestination { destination: DestinationRow::from_values(values)?, counts })
    };
    rows.into_iter().map(of_row).collect::<Result<_, String>>().map_err(ReadStoreError::corrupt)
}

impl DestinationCounts {
    fn add(&mut self, row: &DestinationCountRow) {
        self.offers_listed += row.offers_listed;
        self.offers_open += row.offers_open;
        self.places_sold += row.places_sold;
        self.bookings_confirmed += row.bookings_confirmed;
        self.bookings_cancelled += row.bookings_cancelled;
    }
}

fn narrow(sql: &mut Sql, state: &ProjectionState, filter: &DestinationFilter) {
    if let Some(country) = &filter.country {
        sql.push(" AND d.country = ").bind(Value::Text(country.to_ascii_uppercase()));
    }
    if let Some(tag) = &filter.tag {
        // Letters, digits and spaces alone: nothing in a pattern means anything else. Catalogues
        // are small enough to be looked through.
        match place_words(tag) {
            words if words.is_empty() => sql.push(" AND 1 = 0"),
            words => sql.push(" AND d.tag_words LIKE ").bind(Value::Text(format!("%|{words}|%"))),
        };
    }
    if let Some(query) = &filter.query {
        let words = query_words(query);
        if words.is_empty() {
            sql.push(" AND 1 = 0");
        } else {
            let index = (&state.generation, DestinationRow::TABLE, "words", "search_words");
            sql.push(" AND ").matches(index, "d", &words);
        }
    }
}
