//! `waylog bench rebuild`: how fast a projection is built anew, by a server that goes on serving.

use std::time::Instant;

use anyhow::Context as _;
use serde_json::json;

use crate::projection::follow;
use crate::server::{Server, ServerArgs};

/// Starts a rebuild over the server's API, follows it until it has reached the live tables, and
/// drops it again. The time includes the comparison with the live tables.
///
/// # Errors
/// When the server cannot be reached or the rebuild fails.
pub(super) fn run(server: &ServerArgs, projection: &str, as_json: bool) -> anyhow::Result<String> {
    let server = Server::new(server)?;
    let path = format!("/v1/projections/{projection}/rebuilds");
    let begin = Instant::now();
    let started = server.call(http::Method::POST, &path, None)?;
    let id = started["id"].as_u64().context("the server names no rebuild")?;
    let path = format!("{path}/{id}");
    let built = follow(&server, &path)?;
    let seconds = begin.elapsed().as_secs_f64();
    server.call(http::Method::DELETE, &path, None)?;
    let records = built["records_done"].as_f64().unwrap_or_default();
    let verdict = built["comparison"]["verdict"].as_str().unwrap_or("not compared").to_owned();
    let per_second = records / seconds;
    if as_json {
        let figures = json!({
            "projection": projection, "records": records, "seconds": seconds,
            "per_second": per_second, "verdict": verdict,
        });
        return Ok(format!("{figures:#}"));
    }
    Ok(format!(
        "{projection}: {records} records in {seconds:.1} s, {per_second:.0} per second, {verdict}"
    ))
}
