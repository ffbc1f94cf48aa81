//! Every event: by stream, by request, by who asked, by place in the log.

use std::collections::VecDeque;

use domain::ids::{AccountId, BookingId, CorrelationId};
use domain::{Actor, Category, Position, PositionVector, StreamName, Tenant, Timestamp};

use super::itineraries::read;
use super::statement::{Dialect, Sql, Statement};
use super::{Answer, Page, PageRequest, QueryError, ReadPosition, ReadQueries, cursor};
use crate::projections::AuditRow;
use crate::row::Cell as _;
use crate::store::{Generation, ReadStoreError};
use crate::table::{Row as _, Value};

const PROJECTION: &str = "audit";
/// Events of one look past a position.
pub const EVENTS_MAX: u32 = 1_000;

/// Events past a position.
#[derive(Clone, Debug, PartialEq)]
pub struct EventsAfter {
    /// The events, each partition in order, by time where partitions meet.
    pub events: Vec<AuditRow>,
    /// Where to look next: everything up to here was given, or is another tenant's.
    pub next: PositionVector,
    /// Whether there was more than the limit.
    pub more: bool,
}

impl ReadQueries {
    /// The events of one stream, oldest first.
    ///
    /// # Errors
    /// [`QueryError::InvalidCursor`] for a cursor of another list; otherwise [`QueryError::Store`].
    pub async fn stream_events(
        &self,
        tenant: &Tenant,
        stream: StreamName,
        page: &PageRequest,
    ) -> Result<Answer<Page<AuditRow>>, QueryError> {
        const LIST: &str = "stream";
        let after: Option<i64> = cursor::decode(LIST, page.cursor.as_deref())?;
        let narrow = move |sql: &mut Sql| {
            sql.push(" AND e.stream = ").bind(Value::Text(stream.to_string()));
            if let Some(version) = after {
                sql.push(" AND e.version > ").bind(Value::Integer(version));
            }
            sql.push(" ORDER BY e.version");
        };
        let key = |last: &AuditRow| cursor::encode(LIST, &last.version);
        self.audit_page(tenant, page, narrow, key).await
    }

    /// The events of one stream behind a version, oldest first: a cursor that is further goes on
    /// from there.
    ///
    /// # Errors
    /// As [`ReadQueries::stream_events`].
    pub async fn stream_events_after(
        &self,
        tenant: &Tenant,
        stream: StreamName,
        version: u64,
        page: &PageRequest,
    ) -> Result<Answer<Page<AuditRow>>, QueryError> {
        const LIST: &str = "stream";
        let after: Option<i64> = cursor::decode(LIST, page.cursor.as_deref())?;
        // No stream is that long: what is behind such a version is nothing.
        let version = i64::try_from(version).unwrap_or(i64::MAX);
        let after = after.unwrap_or(0).max(version);
        let narrow = move |sql: &mut Sql| {
            sql.push(" AND e.stream = ").bind(Value::Text(stream.to_string()));
            sql.push(" AND e.version > ").bind(Value::Integer(after));
            sql.push(" ORDER BY e.version");
        };
        let key = |last: &AuditRow| cursor::encode(LIST, &last.version);
        self.audit_page(tenant, page, narrow, key).await
    }

    /// Whose booking it is, by its first event: an account, for good.
    ///
    /// # Errors
    /// As [`ReadQueries::stream_events`].
    pub async fn booking_owner(
        &self,
        tenant: &Tenant,
        booking_id: BookingId,
    ) -> Result<Answer<Option<AccountId>>, QueryError> {
        let stream = StreamName::new(Category::Booking, booking_id.0);
        let first = PageRequest { limit: 1, cursor: None };
        let Answer { value: page, at } = self.stream_events(tenant, stream, &first).await?;
        let requested = page.items.first().map(|event| &event.payload.0);
        let account = requested.and_then(|payload| payload.get("account")?.as_str());
        Ok(Answer { value: account.and_then(|account| account.parse().ok()), at })
    }

    /// What one request caused, in order of time.
    ///
    /// # Errors
    /// As [`ReadQueries::stream_events`].
    pub async fn correlated_events(
        &self,
        tenant: &Tenant,
        correlation: CorrelationId,
        page: &PageRequest,
    ) -> Result<Answer<Page<AuditRow>>, QueryError> {
        const LIST: &str = "correlation";
        let after: Option<TimeKey> = cursor::decode(LIST, page.cursor.as_deref())?;
        let narrow = move |sql: &mut Sql| {
            sql.push(" AND e.correlation_id = ").bind(correlation.into_value());
            if let Some(key) = after {
                beyond(sql, ">", key);
            }
            sql.push(" ORDER BY e.recorded_at, e.log_partition, e.log_offset");
        };
        self.audit_page(tenant, page, narrow, |last| cursor::encode(LIST, &time_key(last))).await
    }

    /// What one actor did, newest first.
    ///
    /// # Errors
    /// As [`ReadQueries::stream_events`].
    pub async fn actor_events(
        &self,
        tenant: &Tenant,
        actor: &Actor,
        page: &PageRequest,
    ) -> Result<Answer<Page<AuditRow>>, QueryError> {
        const LIST: &str = "actor";
        let before: Option<TimeKey> = cursor::decode(LIST, page.cursor.as_deref())?;
        let actor = actor.to_string();
        let narrow = move |sql: &mut Sql| {
            sql.push(" AND e.actor = ").bind(Value::Text(actor));
            if let Some(key) = before {
                beyond(sql, "<", key);
            }
            sql.push(" ORDER BY e.recorded_at DESC, e.log_partition DESC, e.log_offset DESC");
        };
        self.audit_page(tenant, page, narrow, |last| cursor::encode(LIST, &time_key(last))).await
    }

    /// The event at a position, if it is the tenant's and has been read.
    ///
    /// # Errors
    /// [`QueryError::Store`].
    pub async fn event_at(
        &self,
        tenant: &Tenant,
        position: Position,
    ) -> Result<Answer<Option<AuditRow>>, QueryError> {
        let narrow = move |sql: &mut Sql| {
            sql.push(" AND e.log_partition = ").bind(position.partition.into_value());
            sql.push(" AND e.log_offset = ").bind(Value::Integer(position.offset));
        };
        let page = PageRequest { limit: 1, cursor: None };
        let found = self.audit_page(tenant, &page, narrow, |_| String::new()).await?;
        Ok(Answer { value: found.value.items.into_iter().next(), at: found.at })
    }

    /// The tenant's events past a vector (at most [`EVENTS_MAX`]). A partition that the vector does
    /// not name is read from its beginning.
    ///
    /// # Errors
    /// [`QueryError::Store`].
    pub async fn events_after(
        &self,
        tenant: &Tenant,
        after: &PositionVector,
        limit: u32,
    ) -> Result<Answer<EventsAfter>, QueryError> {
        let limit = limit.clamp(1, EVENTS_MAX);
        let (tenant, start) = (tenant.clone(), after.clone());
        let plan = move |states: &[crate::ProjectionState], dialect| {
            let news = news(&start, &states[0].vector);
            let select = |(from, end): (i64, Position)| {
                let narrow = |sql: &mut Sql| {
                    sql.push(" AND e.log_partition = ").bind(end.partition.into_value());
                    sql.push(" AND e.log_offset > ").bind(Value::Integer(from));
                    sql.push(" ORDER BY e.log_offset");
                };
                audit_statement(&states[0].generation, dialect, &tenant, narrow, limit + 1)
            };
            news.map(select).collect()
        };
        let snapshot = self.executor.read(&[PROJECTION], Box::new(plan)).await?;
        let at = ReadPosition::from(&snapshot.states[0]);
        let partitions = snapshot.rows.into_iter().map(read).collect::<Result<Vec<_>, _>>()?;
        Ok(Answer { value: merged(after, &at.vector, partitions, limit), at })
    }

    async fn audit_page(
        &self,
        tenant: &Tenant,
        page: &PageRequest,
        narrow: impl FnOnce(&mut Sql) + Send + 'static,
        cursor: impl FnOnce(&AuditRow) -> String,
    ) -> Result<Answer<Page<AuditRow>>, QueryError> {
        let (tenant, limit) = (tenant.clone(), page.limit());
        let plan = move |states: &[crate::ProjectionState], dialect| {
            vec![audit_statement(&states[0].generation, dialect, &tenant, narrow, limit + 1)]
        };
        let mut snapshot = self.executor.read(&[PROJECTION], Box::new(plan)).await?;
        let at = ReadPosition::from(&snapshot.states[0]);
        let rows: Vec<AuditRow> = read(snapshot.rows.remove(0))?;
        Ok(Answer { value: Page::of(rows, limit, cursor), at })
    }
}

/// Where an event stands in a list by time.
type TimeKey = (i64, u32, i64);

fn time_key(event: &AuditRow) -> TimeKey {
    (event.recorded_at.micros(), event.log_partition, event.log_offset)
}

fn beyond(sql: &mut Sql, comparison: &str, (micros, partition, offset): TimeKey) {
    sql.push(&format!(" AND (e.recorded_at, e.log_partition, e.log_offset) {comparison} ("));
    sql.bind(Value::Timestamp(Timestamp::from_micros(micros))).push(", ");
    sql.bind(partition.into_value()).push(", ").bind(Value::Integer(offset)).push(")");
}

fn audit_statement(
    generation: &Generation,
    dialect: Dialect,
    tenant: &Tenant,
    narrow: impl FnOnce(&mut Sql),
    rows_max: u32,
) -> Statement {
    let mut sql = Sql::new(dialect);
    sql.push("SELECT ").columns("e", AuditRow::TABLE, &[]).push(" FROM ");
    sql.table(generation, AuditRow::TABLE, "e");
    sql.push(" WHERE e.tenant = ").bind(tenant.clone().into_value());
    narrow(&mut sql);
    sql.push(" LIMIT ").bind(Value::Integer(rows_max.into()));
    sql.of_table(AuditRow::TABLE)
}

/// The partitions that have been read past the start: from which offset, and up to where.
fn news<'a>(
    start: &'a PositionVector,
    end: &'a PositionVector,
) -> impl Iterator<Item = (i64, Position)> + 'a {
    let from = |end: Position| (start.offset(end.partition).unwrap_or(-1), end);
    end.iter().map(from).filter(|(from, end)| *from < end.offset)
}

/// Merges partitions by time, each in its own order, and says how far that goes.
fn merged(
    start: &PositionVector,
    end: &PositionVector,
    partitions: Vec<Vec<AuditRow>>,
    limit: u32,
) -> EventsAfter {
    let mut queues: Vec<(Position, VecDeque<AuditRow>)> =
        news(start, end).map(|(_, end)| end).zip(partitions.into_iter().map(Into::into)).collect();
    let mut next = start.clone();
    let mut events = Vec::new();
    while events.len() < limit as usize {
        let earliest =
            queues.iter_mut().filter(|(_, queue)| !queue.is_empty()).min_by_key(|(end, queue)| {
                (queue.front().map(|event| event.recorded_at), end.partition)
            });
        let Some((end, queue)) = earliest else { break };
        if let Some(event) = queue.pop_front() {
            next.advance(Position { partition: end.partition, offset: event.log_offset });
            events.push(event);
        }
    }
    let more = queues.iter().any(|(_, queue)| !queue.is_empty());
    for (end, queue) in queues {
        // All of the tenant's events there were given: what is left up to the end is of others.
        if queue.is_empty() {
            next.advance(end);
        }
    }
    EventsAfter { events, next, more }
}

impl AuditRow {
    /// Where the event is in the log.
    #[must_use]
    pub const fn position(&self) -> Position {
        Position { partition: self.log_partition, offset: self.log_offset }
    }

    /// The stream, as a name.
    ///
    /// # Errors
    /// [`ReadStoreError::Failed`], when it is none of this program's categories.
    pub fn stream_name(&self) -> Result<StreamName, ReadStoreError> {
        self.stream.parse().map_err(ReadStoreError::corrupt)
    }
}
