//! Other requests about what one request began: a cancellation, an operator's word to a saga. Each
//! has a correlation id of its own; this is how a reader gets from one to the others.

use std::collections::BTreeSet;

use domain::ids::CorrelationId;
use domain::{Category, StreamName, Tenant};
use read_models::projections::AuditRow;
use read_models::queries::{LIMIT_MAX, PageRequest};
use serde::Serialize;
use service_kit::Problem;
use utoipa::ToSchema;
use uuid::Uuid;

use super::event::EventView;
use crate::{QueryApi, failure};

/// Streams of one request that are looked through, each as far as [`PAGES_MAX`] pages.
const STREAMS_MAX: usize = 16;
const PAGES_MAX: usize = 5;

/// Another request about the same booking or saga.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RelatedView {
    /// Its correlation id.
    correlation_id: Uuid,
    /// What both are about.
    #[schema(example = "saga-018f4e2a-7c3b-7def-8123-456789abcdef")]
    stream: String,
    /// What it did there first.
    #[serde(rename = "type")]
    #[schema(example = "saga-resolved-by-operator")]
    event_type: String,
    /// Who asked.
    actor: String,
    /// When.
    #[schema(format = DateTime)]
    time: String,
}

impl QueryApi {
    /// The other requests about the bookings and sagas of these events, each once, by time.
    pub(super) async fn related(
        &self,
        tenant: &Tenant,
        own: CorrelationId,
        events: &[EventView],
    ) -> Result<Vec<RelatedView>, Problem> {
        let streams: BTreeSet<StreamName> = events
            .iter()
            .filter_map(|event| event.stream.parse::<StreamName>().ok())
            .filter(|stream| matches!(stream.category, Category::Booking | Category::Saga))
            .collect();
        let mut related: Vec<RelatedView> = Vec::new();
        for stream in streams.into_iter().take(STREAMS_MAX) {
            let mut page = PageRequest { limit: LIMIT_MAX, cursor: None };
            for _ in 0..PAGES_MAX {
                let answer = self.0.queries.stream_events(tenant, stream, &page).await;
                let answer = answer.map_err(failure::of_query)?.value;
                let others = answer.items.into_iter().filter(|row| row.correlation_id != own);
                related.extend(others.map(RelatedView::of));
                page.cursor = answer.next_cursor;
                if page.cursor.is_none() {
                    break;
                }
            }
        }
        related.sort_by(|one, other| one.time.cmp(&other.time));
        let mut seen = BTreeSet::new();
        related.retain(|one| seen.insert(one.correlation_id));
        Ok(related)
    }
}

impl RelatedView {
    fn of(row: AuditRow) -> Self {
        Self {
            correlation_id: row.correlation_id.0,
            stream: row.stream,
            event_type: row.event_type,
            actor: row.actor,
            time: row.recorded_at.to_string(),
        }
    }
}
