//! The HTTP face of read-model operations: `/v1/projections` and `/v1/dead-letters`.
//!
//! No rules here: each route asks [`Projectors`] and words the answer. Whoever mounts the router
//! decides who may call it (operators only). Long work answers 202 with a `Location` to watch.

mod answers;
mod problems;

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header::LOCATION};
use axum::response::{AppendHeaders, IntoResponse};
use service_kit::{Json, Path, Problem};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::answers::{
    ContinuityAcceptance, ContinuityAccepted, DeadLetterAnswer, DeadLetterList, ProjectionAnswer,
    ProjectionList, PromotionRequest, RebuildAnswer, ReplayAnswer, RolledBack,
};
use crate::error::ProjectorError;
use crate::projectors::Projectors;
use crate::rebuild::{Proof, RebuildState};

/// The routes, with their part of the OpenAPI document.
#[must_use]
pub fn router(projectors: Projectors) -> OpenApiRouter {
    described().with_state(projectors)
}

/// The description of all routes, without anything behind them.
#[must_use]
pub fn description() -> utoipa::openapi::OpenApi {
    described().to_openapi()
}

fn described() -> OpenApiRouter<Projectors> {
    OpenApiRouter::new()
        .routes(routes!(list_projections))
        .routes(routes!(show_projection))
        .routes(routes!(start_rebuild))
        .routes(routes!(show_rebuild, cancel_rebuild))
        .routes(routes!(pause_rebuild))
        .routes(routes!(resume_rebuild))
        .routes(routes!(promote))
        .routes(routes!(roll_back))
        .routes(routes!(pause))
        .routes(routes!(resume))
        .routes(routes!(accept_continuity))
        .routes(routes!(list_dead_letters))
        .routes(routes!(replay_dead_letter))
}

type Answer<T> = Result<T, Problem>;

/// All projections of the process that answers.
#[utoipa::path(get, path = "/v1/projections", tag = "projections",
    operation_id = "list_projections",
    responses((status = 200, body = ProjectionList)))]
async fn list_projections(State(projectors): State<Projectors>) -> Json<ProjectionList> {
    let data = projectors.status().into_iter().map(ProjectionAnswer::from).collect();
    Json(ProjectionList { data })
}

/// One projection.
#[utoipa::path(get, path = "/v1/projections/{name}", tag = "projections",
    operation_id = "show_projection",
    params(("name" = String, Path, description = "The projection's name")),
    responses((status = 200, body = ProjectionAnswer), (status = 404, body = Problem)))]
async fn show_projection(
    State(projectors): State<Projectors>,
    Path(name): Path<String>,
) -> Answer<Json<ProjectionAnswer>> {
    let mut answer = ProjectionAnswer::from(projectors.projection(&name)?);
    answer.rebuilds = projectors.rebuilds(&name)?.into_iter().map(RebuildAnswer::from).collect();
    Ok(Json(answer))
}

/// Begins to fill a new generation beside the live one.
#[utoipa::path(post, path = "/v1/projections/{name}/rebuilds", tag = "projections",
    operation_id = "start_rebuild",
    params(("name" = String, Path, description = "The projection's name")),
    responses(
        (status = 202, body = RebuildAnswer,
            headers(("Location" = String, description = "Where to watch it"))),
        (status = 404, body = Problem), (status = 409, body = Problem)))]
async fn start_rebuild(
    State(projectors): State<Projectors>,
    Path(name): Path<String>,
) -> Answer<impl IntoResponse> {
    let status = projectors.rebuild(&name).await?;
    let path = format!("/v1/projections/{name}/rebuilds/{}", status.number);
    let location = HeaderValue::try_from(path).expect("a known projection's name is plain text");
    let answer = Json(RebuildAnswer::from(status));
    Ok((StatusCode::ACCEPTED, AppendHeaders([(LOCATION, location)]), answer))
}

/// A rebuild's progress, and how it compares with the live generation.
#[utoipa::path(get, path = "/v1/projections/{name}/rebuilds/{id}", tag = "projections",
    operation_id = "show_rebuild",
    params(("name" = String, Path, description = "The projection's name"),
        ("id" = u32, Path, description = "The generation's number")),
    responses((status = 200, body = RebuildAnswer), (status = 404, body = Problem)))]
async fn show_rebuild(
    State(projectors): State<Projectors>,
    Path((name, id)): Path<(String, u32)>,
) -> Answer<Json<RebuildAnswer>> {
    Ok(Json(projectors.rebuild_status(&name, id)?.into()))
}

/// Stops filling a generation and drops its tables.
#[utoipa::path(delete, path = "/v1/projections/{name}/rebuilds/{id}", tag = "projections",
    operation_id = "cancel_rebuild",
    params(("name" = String, Path, description = "The projection's name"),
        ("id" = u32, Path, description = "The generation's number")),
    responses((status = 204), (status = 404, body = Problem), (status = 409, body = Problem)))]
async fn cancel_rebuild(
    State(projectors): State<Projectors>,
    Path((name, id)): Path<(String, u32)>,
) -> Answer<StatusCode> {
    projectors.cancel_rebuild(&name, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Stops filling a generation until it is resumed.
#[utoipa::path(post, path = "/v1/projections/{name}/rebuilds/{id}/pause", tag = "projections",
    operation_id = "pause_rebuild",
    params(("name" = String, Path, description = "The projection's name"),
        ("id" = u32, Path, description = "The generation's number")),
    responses((status = 200, body = RebuildAnswer), (status = 404, body = Problem)))]
async fn pause_rebuild(
    State(projectors): State<Projectors>,
    Path((name, id)): Path<(String, u32)>,
) -> Answer<Json<RebuildAnswer>> {
    projectors.pause_rebuild(&name, id).await?;
    Ok(Json(projectors.rebuild_status(&name, id)?.into()))
}

/// Goes on filling a generation.
#[utoipa::path(post, path = "/v1/projections/{name}/rebuilds/{id}/resume", tag = "projections",
    operation_id = "resume_rebuild",
    params(("name" = String, Path, description = "The projection's name"),
        ("id" = u32, Path, description = "The generation's number")),
    responses((status = 200, body = RebuildAnswer), (status = 404, body = Problem)))]
async fn resume_rebuild(
    State(projectors): State<Projectors>,
    Path((name, id)): Path<(String, u32)>,
) -> Answer<Json<RebuildAnswer>> {
    projectors.resume_rebuild(&name, id).await?;
    Ok(Json(projectors.rebuild_status(&name, id)?.into()))
}

/// Makes a rebuilt generation the live one, once it is proved equal (or accepted, see the request).
#[utoipa::path(post, path = "/v1/projections/{name}/promotion", tag = "projections",
    operation_id = "promote_rebuild",
    params(("name" = String, Path, description = "The projection's name")),
    request_body = PromotionRequest,
    responses((status = 200, body = ProjectionAnswer), (status = 404, body = Problem),
        (status = 409, body = Problem)))]
async fn promote(
    State(projectors): State<Projectors>,
    Path(name): Path<String>,
    Json(request): Json<PromotionRequest>,
) -> Answer<Json<ProjectionAnswer>> {
    let number = match request.rebuild_id {
        Some(number) => number,
        None => newest_rebuild(&projectors, &name)?,
    };
    let proof = if request.accept_differences { Proof::Accepted } else { Proof::Equal };
    projectors.promote(&name, number, proof).await?;
    Ok(Json(projectors.projection(&name)?.into()))
}

fn newest_rebuild(projectors: &Projectors, name: &str) -> Result<u32, ProjectorError> {
    let live = projectors.projection(name)?.generation;
    let rebuilds = projectors.rebuilds(name)?;
    let newest = rebuilds
        .iter()
        .rev()
        .find(|rebuild| rebuild.number > live && !matches!(rebuild.state, RebuildState::Dropped));
    newest
        .map(|rebuild| rebuild.number)
        .ok_or_else(|| ProjectorError::NotReady(format!("projection `{name}` has no rebuild")))
}

/// Makes the generation before the live one the live one again.
#[utoipa::path(post, path = "/v1/projections/{name}/rollback", tag = "projections",
    operation_id = "roll_back_projection",
    params(("name" = String, Path, description = "The projection's name")),
    responses((status = 200, body = RolledBack), (status = 404, body = Problem),
        (status = 409, body = Problem)))]
async fn roll_back(
    State(projectors): State<Projectors>,
    Path(name): Path<String>,
) -> Answer<Json<RolledBack>> {
    let generation = projectors.rollback(&name).await?;
    Ok(Json(RolledBack { generation }))
}

/// Stops folding until it is resumed.
#[utoipa::path(post, path = "/v1/projections/{name}/pause", tag = "projections",
    operation_id = "pause_projection",
    params(("name" = String, Path, description = "The projection's name")),
    responses((status = 200, body = ProjectionAnswer), (status = 404, body = Problem)))]
async fn pause(
    State(projectors): State<Projectors>,
    Path(name): Path<String>,
) -> Answer<Json<ProjectionAnswer>> {
    projectors.pause(&name).await?;
    Ok(Json(projectors.projection(&name)?.into()))
}

/// Goes on folding.
#[utoipa::path(post, path = "/v1/projections/{name}/resume", tag = "projections",
    operation_id = "resume_projection",
    params(("name" = String, Path, description = "The projection's name")),
    responses((status = 200, body = ProjectionAnswer), (status = 404, body = Problem)))]
async fn resume(
    State(projectors): State<Projectors>,
    Path(name): Path<String>,
) -> Answer<Json<ProjectionAnswer>> {
    projectors.resume(&name).await?;
    Ok(Json(projectors.projection(&name)?.into()))
}

/// Goes on where a partition stopped because the log is not whole there.
#[utoipa::path(post, path = "/v1/projections/{name}/continuity-acceptance", tag = "projections",
    operation_id = "accept_continuity",
    params(("name" = String, Path, description = "The projection's name")),
    request_body = ContinuityAcceptance,
    responses((status = 200, body = ContinuityAccepted), (status = 404, body = Problem),
        (status = 409, body = Problem)))]
async fn accept_continuity(
    State(projectors): State<Projectors>,
    Path(name): Path<String>,
    Json(request): Json<ContinuityAcceptance>,
) -> Answer<Json<ContinuityAccepted>> {
    let accepted = projectors.accept_gap(&name, request.partition).await?;
    Ok(Json(ContinuityAccepted { accepted: (&accepted).into() }))
}

/// The streams that projections have parked.
#[utoipa::path(get, path = "/v1/dead-letters", tag = "dead-letters",
    operation_id = "list_dead_letters",
    responses((status = 200, body = DeadLetterList)))]
async fn list_dead_letters(State(projectors): State<Projectors>) -> Json<DeadLetterList> {
    let data = projectors.dead_letters().into_iter().map(DeadLetterAnswer::from).collect();
    Json(DeadLetterList { data })
}

/// Folds a parked stream again from where it was parked.
#[utoipa::path(post, path = "/v1/dead-letters/{id}/replay", tag = "dead-letters",
    operation_id = "replay_dead_letter",
    params(("id" = String, Path, description = "The dead letter's id")),
    responses((status = 200, body = ReplayAnswer), (status = 404, body = Problem),
        (status = 409, body = Problem)))]
async fn replay_dead_letter(
    State(projectors): State<Projectors>,
    Path(id): Path<String>,
) -> Answer<Json<ReplayAnswer>> {
    let (projection, stream) = id
        .split_once(':')
        .ok_or_else(|| Problem::not_found("unknown_dead_letter", "No dead letter has that id."))?;
    Ok(Json(projectors.replay(projection, stream).await?.into()))
}
