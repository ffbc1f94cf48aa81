//! The HTTP face of circuits: `/v1/circuits`, for operators who see that a provider is back before
//! the next call would.
//!
//! A circuit belongs to a process: what is shown and reset is that of the process that answers.
//! Whoever mounts the router decides who may call it.

use std::sync::Arc;

use axum::extract::State;
use serde::Serialize;
use service_kit::auth::Identity;
use service_kit::{Json, Path, Problem};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::circuit::Circuit;

/// The circuits of a process, each once.
type Circuits = Arc<[Arc<Circuit>]>;

/// All circuits.
#[derive(Serialize, ToSchema)]
struct CircuitList {
    data: Vec<CircuitAnswer>,
}

/// A circuit as it is now.
#[derive(Serialize, ToSchema)]
#[schema(as = Circuit)]
struct CircuitAnswer {
    /// Whose calls it is about: `payments`, `mail` or `messages`.
    provider: &'static str,
    /// `closed`: calls are made. `open`: none is made. `half_open`: one is made, which decides.
    state: &'static str,
    /// Calls that failed in a row.
    failures: u32,
    /// How often it opened in a row; each time for longer.
    openings: u32,
    /// While it is open: until one call is made.
    retry_after_seconds: Option<f64>,
}

/// The routes, with their part of the OpenAPI document.
#[must_use]
pub fn router(circuits: impl IntoIterator<Item = Arc<Circuit>>) -> OpenApiRouter {
    described().with_state(circuits.into_iter().collect())
}

/// The description of all routes, without anything behind them.
#[must_use]
pub fn description() -> utoipa::openapi::OpenApi {
    described().to_openapi()
}

fn described() -> OpenApiRouter<Circuits> {
    OpenApiRouter::new().routes(routes!(list_circuits)).routes(routes!(reset_circuit))
}

/// All circuits of the process that answers.
#[utoipa::path(get, path = "/v1/circuits", tag = "circuits", operation_id = "list_circuits",
    responses((status = 200, body = CircuitList)))]
async fn list_circuits(State(circuits): State<Circuits>) -> Json<CircuitList> {
    Json(CircuitList { data: circuits.iter().map(|circuit| CircuitAnswer::of(circuit)).collect() })
}

/// Closes a circuit: what waits for the provider is tried again within seconds.
#[utoipa::path(post, path = "/v1/circuits/{provider}/reset", tag = "circuits",
    operation_id = "reset_circuit",
    params(("provider" = String, Path, description = "Whose circuit, as listed")),
    responses((status = 200, body = CircuitAnswer), (status = 404, body = Problem)))]
async fn reset_circuit(
    State(circuits): State<Circuits>,
    Path(provider): Path<String>,
    identity: Identity,
) -> Result<Json<CircuitAnswer>, Problem> {
    let found = circuits.iter().find(|circuit| circuit.provider() == provider);
    let unknown = || Problem::not_found("circuit_not_found", "There is no such circuit here.");
    let circuit = found.ok_or_else(unknown)?;
    let before = circuit.state().name();
    circuit.reset();
    tracing::warn!(provider, before, actor = %identity.actor, "an operator reset a circuit");
    Ok(Json(CircuitAnswer::of(circuit)))
}

impl CircuitAnswer {
    fn of(circuit: &Circuit) -> Self {
        let standing = circuit.standing();
        Self {
            provider: circuit.provider(),
            state: standing.state.name(),
            failures: standing.failures,
            openings: standing.openings,
            retry_after_seconds: standing.lets_through_in.map(|left| left.as_secs_f64()),
        }
    }
}
