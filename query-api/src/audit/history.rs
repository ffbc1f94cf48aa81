//! Reading a stream's history from the audit read model, in bounded pieces.

use domain::{StreamName, Tenant, Timestamp};
use read_models::projections::AuditRow;
use read_models::queries::{LIMIT_MAX, PageRequest, ReadPosition};
use service_kit::Problem;

use crate::{QueryApi, failure};

/// Up to where a history is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Until {
    /// All of it.
    Now,
    /// The event of that version, included.
    Version(u64),
    /// What was recorded at that instant or before.
    Instant(Timestamp),
}

impl Until {
    fn includes(self, event: &AuditRow) -> bool {
        match self {
            Self::Now => true,
            Self::Version(version) => event.version <= version,
            Self::Instant(instant) => event.recorded_at <= instant,
        }
    }
}

impl QueryApi {
    /// Gives each event of the stream, in order, to `each`, up to `until`; then where the read
    /// model was at the last look, and whether the stream has any event at all.
    ///
    /// # Errors
    /// As every query; or what `each` says.
    pub(super) async fn history(
        &self,
        tenant: &Tenant,
        stream: StreamName,
        until: Until,
        mut each: impl FnMut(AuditRow) -> Result<(), Problem> + Send,
    ) -> Result<(ReadPosition, bool), Problem> {
        let mut after = 0;
        let mut exists = false;
        loop {
            let page = PageRequest { limit: LIMIT_MAX, cursor: None };
            let answer = self.0.queries.stream_events_after(tenant, stream, after, &page).await;
            let answer = answer.map_err(failure::of_query)?;
            let last_piece = answer.value.next_cursor.is_none();
            for event in answer.value.items {
                exists = true;
                if !until.includes(&event) {
                    return Ok((answer.at, exists));
                }
                after = event.version;
                each(event)?;
            }
            if last_piece || until == Until::Version(after) {
                return Ok((answer.at, exists));
            }
        }
    }
}
