//! Requests and answers as they are on the wire.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::comparison::Comparison;
use crate::continuity::Break;
use crate::rebuild::RebuildStatus;
use crate::replay::Replayed;
use crate::status::{DeadLetter, ProjectionStatus};

/// All projections.
#[derive(Serialize, ToSchema)]
pub(super) struct ProjectionList {
    /// By name.
    pub(super) data: Vec<ProjectionAnswer>,
}

/// A projection as it is now.
#[derive(Serialize, ToSchema)]
#[schema(as = Projection)]
pub(super) struct ProjectionAnswer {
    /// Its name.
    name: &'static str,
    /// The version that the answering process folds.
    version: u32,
    /// `starting`, `running`, `paused`, `held`, `outdated` or `stopped`.
    state: &'static str,
    /// The live generation; 0 before it is known.
    generation: u32,
    /// How far it has read: `partition:offset`, comma-separated.
    vector: String,
    /// When the newest event that it has read was recorded (RFC 3339).
    last_event_at: Option<String>,
    /// Seconds behind the log's end; 0 when it has caught up.
    lag_seconds: Option<f64>,
    /// About how many records it is behind.
    lag_events: u64,
    /// Events folded since the process started.
    events_total: u64,
    /// Events a second, lately.
    rate_per_second: f64,
    /// Partitions that stopped because the log is not whole there.
    breaks: Vec<BreakAnswer>,
    /// How many streams are parked.
    parked: usize,
    /// Why it makes no progress at present.
    trouble: Option<String>,
    /// Its table sets.
    generations: Vec<GenerationAnswer>,
    /// What is filled beside the live one; only when one projection is asked for.
    pub(super) rebuilds: Vec<RebuildAnswer>,
}

/// A table set.
#[derive(Serialize, ToSchema)]
#[schema(as = ProjectionGeneration)]
pub(super) struct GenerationAnswer {
    number: u32,
    version: u32,
    live: bool,
    vector: String,
}

/// Where a partition is not whole.
#[derive(Serialize, ToSchema)]
#[schema(as = ContinuityBreak)]
pub(super) struct BreakAnswer {
    /// The partition.
    partition: u32,
    /// The first record that does not follow.
    offset: i64,
    /// What does not follow, in words.
    reason: String,
}

/// A rebuild as it is now.
#[derive(Serialize, ToSchema)]
#[schema(as = Rebuild)]
pub(super) struct RebuildAnswer {
    /// The number of the generation that it fills.
    id: u32,
    /// Of which projection.
    projection: &'static str,
    /// The version of the fold.
    version: u32,
    /// `starting`, `filling`, `ready`, `paused`, `promoted`, `dropped` or `stopped`.
    state: &'static str,
    /// How far it has read.
    vector: String,
    /// About how many records are read.
    records_done: u64,
    /// About how many there are.
    records_total: u64,
    /// Records a second, lately.
    rate_per_second: f64,
    /// About how long it still takes.
    eta_seconds: Option<f64>,
    /// Partitions that stopped.
    breaks: Vec<BreakAnswer>,
    /// How many streams it parked.
    parked: usize,
    /// The last comparison with the live generation.
    comparison: Option<ComparisonAnswer>,
    /// Why it makes no progress at present.
    trouble: Option<String>,
}

/// The live generation beside the new one.
#[derive(Serialize, ToSchema)]
#[schema(as = GenerationComparison)]
pub(super) struct ComparisonAnswer {
    /// `equal`, `different`, `incomparable` (other streams are parked) or `other_version`.
    verdict: &'static str,
    /// The vector that both were asked at.
    vector: String,
    /// Table by table.
    tables: Vec<TableAnswer>,
    /// Streams that one of them parked and the other did not.
    parked_apart: Vec<String>,
}

/// A table in both generations.
#[derive(Serialize, ToSchema)]
#[schema(as = TableComparison)]
pub(super) struct TableAnswer {
    table: String,
    equal: bool,
    /// Rows of the live generation.
    live_rows: Option<i64>,
    /// Rows of the new one.
    new_rows: Option<i64>,
}

/// What to promote.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PromotionRequest {
    /// The rebuild; the newest when missing.
    #[serde(default)]
    pub(super) rebuild_id: Option<u32>,
    /// The counts were looked at: promote another version, or generations that parked different
    /// streams. Different rows of one version are never promoted.
    #[serde(default)]
    pub(super) accept_differences: bool,
}

/// A rollback that was done.
#[derive(Serialize, ToSchema)]
pub(super) struct RolledBack {
    /// The live generation now.
    pub(super) generation: u32,
}

/// Where to go on although the log is not whole.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ContinuityAcceptance {
    /// The stopped partition.
    pub(super) partition: u32,
}

/// What was accepted.
#[derive(Serialize, ToSchema)]
pub(super) struct ContinuityAccepted {
    /// The break.
    pub(super) accepted: BreakAnswer,
}

/// All dead letters.
#[derive(Serialize, ToSchema)]
pub(super) struct DeadLetterList {
    /// By projection and stream.
    pub(super) data: Vec<DeadLetterAnswer>,
}

/// A parked stream.
#[derive(Serialize, ToSchema)]
#[schema(as = DeadLetter)]
pub(super) struct DeadLetterAnswer {
    /// `projection:stream`; to be percent-encoded in a path.
    id: String,
    /// By which projection.
    projection: &'static str,
    /// The record key.
    stream: String,
    /// The first event that was not folded: `partition:offset`.
    position: String,
    /// Why.
    reason: String,
    /// Later events that wait behind it, as counted since the process started.
    waiting: u64,
}

/// What became of a replay.
#[derive(Serialize, ToSchema)]
#[schema(as = DeadLetterReplay)]
pub(super) struct ReplayAnswer {
    /// Events folded.
    events: u64,
    /// Whether the stream is off the list.
    freed: bool,
    /// Where it is parked again.
    position: Option<String>,
    /// Why it is parked again.
    reason: Option<String>,
}

impl From<ProjectionStatus> for ProjectionAnswer {
    fn from(status: ProjectionStatus) -> Self {
        Self {
            name: status.name,
            version: status.version,
            state: status.state.name(),
            generation: status.generation,
            vector: status.vector.to_string(),
            last_event_at: status.last_event_at.map(|instant| instant.to_string()),
            lag_seconds: status.lag_seconds,
            lag_events: status.lag_events,
            events_total: status.events_total,
            rate_per_second: status.rate_per_second,
            breaks: status.breaks.iter().map(BreakAnswer::from).collect(),
            parked: status.parked,
            trouble: status.trouble,
            generations: status
                .generations
                .into_iter()
                .map(|generation| GenerationAnswer {
                    number: generation.number,
                    version: generation.version,
                    live: generation.live,
                    vector: generation.vector.to_string(),
                })
                .collect(),
            rebuilds: Vec::new(),
        }
    }
}

impl From<&Break> for BreakAnswer {
    fn from(stopped: &Break) -> Self {
        let (partition, offset) = (stopped.position.partition, stopped.position.offset);
        Self { partition, offset, reason: stopped.to_string() }
    }
}

impl From<RebuildStatus> for RebuildAnswer {
    fn from(status: RebuildStatus) -> Self {
        Self {
            id: status.number,
            projection: status.projection,
            version: status.version,
            state: status.state.name(),
            vector: status.vector.to_string(),
            records_done: status.records_done,
            records_total: status.records_total,
            rate_per_second: status.rate_per_second,
            eta_seconds: status.eta_seconds,
            breaks: status.breaks.iter().map(BreakAnswer::from).collect(),
            parked: status.parked,
            comparison: status.comparison.map(ComparisonAnswer::from),
            trouble: status.trouble,
        }
    }
}

impl From<Comparison> for ComparisonAnswer {
    fn from(comparison: Comparison) -> Self {
        let table = |table: crate::TableComparison| TableAnswer {
            equal: table.equal(),
            live_rows: table.expected.map(|sum| sum.rows),
            new_rows: table.found.map(|sum| sum.rows),
            table: table.table,
        };
        Self {
            verdict: comparison.verdict.name(),
            vector: comparison.vector.to_string(),
            tables: comparison.tables.into_iter().map(table).collect(),
            parked_apart: comparison.parked_apart,
        }
    }
}

impl From<DeadLetter> for DeadLetterAnswer {
    fn from(letter: DeadLetter) -> Self {
        Self {
            id: format!("{}:{}", letter.projection, letter.parked.stream),
            projection: letter.projection,
            stream: letter.parked.stream,
            position: letter.parked.position.to_string(),
            reason: letter.parked.reason,
            waiting: letter.waiting,
        }
    }
}

impl From<Replayed> for ReplayAnswer {
    fn from(replayed: Replayed) -> Self {
        let parked = replayed.parked;
        Self {
            events: replayed.events,
            freed: parked.is_none(),
            position: parked.as_ref().map(|parked| parked.position.to_string()),
            reason: parked.map(|parked| parked.reason),
        }
    }
}
