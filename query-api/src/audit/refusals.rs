//! What was refused, to whom and why: for staff. Refusals are evidence that the log keeps for a
//! limited time, and no facts; so this list reads them from the log itself, backwards and in
//! bounded pieces, and may say that there is more to look through than it has.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::ids::CorrelationId;
use domain::{Actor, Position, PositionVector, StreamName, Tenant, Timestamp};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use service_kit::{Json, Problem, Query};
use tokio::time::Instant;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::caller::Caller;
use crate::openapi::Problems;
use crate::page::{Limit, Page};
use crate::refusal_trail::{Refused, TrailError};
use crate::{QueryApi, failure};

/// Refusals that one request looks through at most.
const LOOKED_THROUGH_MAX: usize = 5_000;
/// How many are read at once.
const PIECE: usize = 500;
/// How long one request looks through them; one more piece may come after it.
const LOOKING_MAX: Duration = Duration::from_secs(3);
/// What a cursor of this list begins with.
const CURSOR: &str = "refusals:";
/// How much earlier than the first event of a request a refusal of it may be: clocks of shards
/// differ.
const EARLIER_SECONDS: i64 = 60;

/// Which refusals.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    /// Of commands to this stream only.
    #[param(value_type = Option<String>)]
    stream: Option<StreamName>,
    /// Of this actor's commands only: `account:<id>` or `system:<name>`.
    #[param(value_type = Option<String>)]
    actor: Option<Actor>,
    /// With this code only, such as `sold_out`.
    code: Option<String>,
    /// Not earlier than this instant.
    #[param(value_type = Option<String>, format = DateTime)]
    since: Option<Timestamp>,
    /// Rows of the page, 1 to 100; 50 when missing.
    #[serde(default)]
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100)]
    limit: Limit,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// A command that was refused.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct RefusalView {
    /// When it was judged.
    #[schema(format = DateTime)]
    pub(super) time: String,
    /// The stream that the command was for.
    pub(super) stream: String,
    /// The stream's version that it was judged against.
    version: u64,
    /// The command's name.
    #[schema(example = "offer.hold")]
    pub(super) command: String,
    /// Its id.
    pub(super) command_id: Uuid,
    /// What the request and everything it caused have in common.
    correlation_id: Uuid,
    /// The message that caused the command; null where it was not kept.
    #[schema(required)]
    pub(super) causation_id: Option<Uuid>,
    /// Who asked.
    pub(super) actor: String,
    /// The stable code of the broken rule; null for a command that changed nothing, because all
    /// that it asked for was true already.
    #[schema(required, example = "sold_out")]
    pub(super) code: Option<String>,
    /// One sentence for people.
    #[schema(required)]
    pub(super) message: Option<String>,
    /// The numbers and names behind the sentence.
    #[schema(value_type = Object)]
    facts: Map<String, Value>,
}

impl RefusalView {
    /// How many more of its kind it stands for, where it says so.
    pub(super) fn left_out(&self) -> u64 {
        self.facts.get("left_out").and_then(Value::as_u64).unwrap_or(0)
    }
}

impl From<Refused> for RefusalView {
    fn from(refused: Refused) -> Self {
        let (code, message, facts) = refused.refusal.map_or((None, None, Map::new()), |refusal| {
            (Some(refusal.code), Some(refusal.message), refusal.facts)
        });
        Self {
            time: refused.refused_at.to_string(),
            stream: refused.stream.to_string(),
            version: refused.version,
            command: refused.command,
            command_id: refused.command_id.0,
            correlation_id: refused.correlation_id.0,
            causation_id: refused.causation_id,
            actor: refused.actor.to_string(),
            code,
            message,
            facts,
        }
    }
}

/// What was refused, newest first. A page may have fewer rows than its limit, or none, and a
/// `next_cursor` all the same: one request looks through at most 5000 refusals.
#[utoipa::path(
    get, path = "/v1/audit/refusals", tag = "audit", operation_id = "refusals",
    params(Wanted),
    responses((status = 200, description = "One page", body = Page<RefusalView>), Problems),
)]
pub(super) async fn refusals(
    State(api): State<QueryApi>,
    caller: Caller,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Problem> {
    caller.require_staff()?;
    let before = cursor_of(wanted.cursor.as_deref())?;
    let matches = |refused: &Refused| {
        let code = refused.refusal.as_ref().map(|refusal| &refusal.code);
        code.is_some()
            && wanted.stream.is_none_or(|stream| stream == refused.stream)
            && wanted.actor.as_ref().is_none_or(|actor| *actor == refused.actor)
            && (wanted.code.is_none() || wanted.code.as_ref() == code)
    };
    let limit = wanted.limit.0 as usize;
    let look = Look { tenant: &caller.tenant, since: wanted.since, limit };
    let looked =
        api.look_through(before, &look, matches).await.map_err(|error| of_trail(&error))?;
    let page = Page {
        data: looked.found.into_iter().map(RefusalView::from).collect(),
        next_cursor: looked.next.map(|next| URL_SAFE_NO_PAD.encode(format!("{CURSOR}{next}"))),
    };
    Ok(Json(page).into_response())
}

fn cursor_of(cursor: Option<&str>) -> Result<PositionVector, Problem> {
    let Some(cursor) = cursor else { return Ok(PositionVector::empty()) };
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok();
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    let vector = text.as_deref().and_then(|text| text.strip_prefix(CURSOR)?.parse().ok());
    vector.ok_or_else(failure::invalid_cursor)
}

fn of_trail(error: &TrailError) -> Problem {
    match error {
        TrailError::Unavailable(_) => {
            tracing::warn!(code = error.code(), %error, "the refusals were not read");
            Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                error.code(),
                "The refusals cannot be read now",
            )
            .retry_after(Duration::from_secs(2))
        }
        TrailError::Failed(_) => Problem::defect(error),
    }
}

/// What is looked for.
struct Look<'a> {
    tenant: &'a Tenant,
    since: Option<Timestamp>,
    limit: usize,
}

/// What was found, and where to look on, if there is anything left.
struct Looked {
    found: Vec<Refused>,
    next: Option<PositionVector>,
}

impl QueryApi {
    /// Looks through the tenant's refusals, newest first, from before those places on.
    async fn look_through(
        &self,
        before: PositionVector,
        look: &Look<'_>,
        matches: impl Fn(&Refused) -> bool,
    ) -> Result<Looked, TrailError> {
        let (mut before, mut found, mut looked) = (before, Vec::new(), 0);
        let deadline = Instant::now() + LOOKING_MAX;
        loop {
            let page = self.0.trail.read(before, PIECE).await?;
            let mut place: BTreeMap<u32, i64> =
                page.start.iter().map(|at| (at.partition, at.offset)).collect();
            for refused in page.refused {
                if look.since.is_some_and(|since| refused.refused_at < since) {
                    return Ok(Looked { found, next: None });
                }
                looked += 1;
                place.insert(refused.at.partition, refused.at.offset);
                if refused.tenant == *look.tenant && matches(&refused) {
                    found.push(refused);
                }
                if found.len() == look.limit {
                    let at = |(partition, offset)| Position { partition, offset };
                    let next = place.into_iter().map(at).collect();
                    return Ok(Looked { found, next: Some(next) });
                }
            }
            if !page.more {
                return Ok(Looked { found, next: None });
            }
            before = page.before;
            if looked >= LOOKED_THROUGH_MAX || Instant::now() >= deadline {
                return Ok(Looked { found, next: Some(before) });
            }
        }
    }

    /// What was refused or changed nothing under a correlation id, oldest first, and whether that
    /// is all that is still kept. `since` is when its first event was recorded, if it has any.
    pub(super) async fn refused_under(
        &self,
        tenant: &Tenant,
        correlation: CorrelationId,
        since: Option<Timestamp>,
        limit: usize,
    ) -> (Vec<RefusalView>, bool) {
        let since = since.map(|since| since.plus_seconds(-EARLIER_SECONDS));
        let of = |refused: &Refused| refused.correlation_id == correlation;
        let look = Look { tenant, since, limit };
        match self.look_through(PositionVector::empty(), &look, of).await {
            Ok(looked) => {
                let views = looked.found.into_iter().rev().map(RefusalView::from);
                (views.collect(), looked.next.is_none())
            }
            Err(error) => {
                // The events are the answer; what is missing is said in it.
                tracing::warn!(code = error.code(), %error, "a tree is told without its refusals");
                (Vec::new(), false)
            }
        }
    }
}
