//! `waylog openapi`: the description of the whole API, without a server.

use crate::output::Ended;

/// The description of every route, as a server with all services has it.
fn document() -> utoipa::openapi::OpenApi {
    let parts = [
        command_api::description(),
        query_api::description(),
        projectors::http::description(),
        connectors::circuits::description(),
    ];
    query_api::docs::document(parts, &[])
}

/// Prints the document as JSON.
///
/// # Errors
/// Never; a description is plain JSON.
pub(crate) fn run() -> anyhow::Result<Ended> {
    crate::output::say(format_args!("{}", document().to_pretty_json()?));
    Ok(Ended::Done)
}
