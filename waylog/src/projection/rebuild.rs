//! `waylog projection rebuild`: starts a rebuild, follows it, and switches when it is proved equal.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use clap::Args;
use serde_json::{Value, json};

use crate::output::{Ended, agreed};
use crate::progress::Progress;
use crate::server::{Server, ServerArgs};

/// How often progress is asked for.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How long a rebuild may make no progress before following it ends.
const STALL_MAX: Duration = Duration::from_secs(300);

/// How the trouble begins of a rebuild that waits for a record which cannot be read: no patience
/// helps.
const LOG_CORRUPT: &str = "log_corrupt";

/// Which projection, and whether to switch.
#[derive(Debug, Args)]
pub(crate) struct Rebuild {
    /// The projection
    name: String,
    /// Switch to the new tables when they are proved equal; without it, the plan is printed
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    server: ServerArgs,
}

/// Rebuilds and prints what happened.
///
/// # Errors
/// When the server does not answer or refuses, or the rebuild makes no progress.
pub(crate) fn run(rebuild: &Rebuild) -> anyhow::Result<Ended> {
    let server = Server::new(&rebuild.server)?;
    let path = format!("/v1/projections/{}", rebuild.name);
    let live = server.get(&path)?;
    let plan = format_args!(
        "Would build a new table set of `{}` beside generation {} (at {}), compare both at one \
         position, and switch to the new one when they are equal; the old one stays for `waylog \
         projection rollback`.",
        rebuild.name, live["generation"], live["vector"]
    );
    if !agreed(rebuild.yes, plan) {
        return Ok(Ended::No);
    }
    let begin = Instant::now();
    let started = server.call(http::Method::POST, &format!("{path}/rebuilds"), None)?;
    let id = started["id"].as_u64().context("the server names no rebuild")?;
    let built = follow(&server, &format!("{path}/rebuilds/{id}"))?;
    let body = json!({ "rebuild_id": id });
    server.call(http::Method::POST, &format!("{path}/promotion"), Some(&body))?;
    let done = server.get(&format!("{path}/rebuilds/{id}")).unwrap_or(built);
    crate::output::say(format_args!(
        "{}: generation {id} is live, {} records in {:.1} s, {}",
        rebuild.name,
        done["records_done"],
        begin.elapsed().as_secs_f64(),
        verdict(&done)
    ));
    Ok(Ended::Done)
}

/// Follows a rebuild until it is ready to be switched to.
///
/// # Errors
/// When it stops, is cancelled, meets a corrupt log, or makes no progress.
pub(crate) fn follow(server: &Server, path: &str) -> anyhow::Result<Value> {
    let mut progress = Progress::of(Some(0), "records");
    let (mut moved, mut seen) = (Instant::now(), 0);
    loop {
        let now = server.get(path)?;
        let state = now["state"].as_str().unwrap_or_default().to_owned();
        let done = now["records_done"].as_u64().unwrap_or_default();
        let total = now["records_total"].as_u64().unwrap_or(done).max(done);
        let rate = now["rate_per_second"].as_f64().unwrap_or_default();
        let trouble = now["trouble"].as_str().unwrap_or_default();
        progress.at_of(done, total, format!("{rate:.0}/s {trouble}"));
        match state.as_str() {
            "ready" | "promoted" => {
                progress.end();
                return Ok(now);
            }
            _ if trouble.starts_with(LOG_CORRUPT) => bail!(
                "the rebuild cannot go on, and its tables stay unused: {trouble}; the live ones \
                 still answer, and `waylog projection cancel` drops the new ones"
            ),
            "stopped" | "dropped" => bail!("the rebuild is {state}: {}", now["trouble"]),
            _ => {}
        }
        if done != seen {
            (moved, seen) = (Instant::now(), done);
        }
        if moved.elapsed() > STALL_MAX {
            bail!("no progress for {} s: {}", STALL_MAX.as_secs(), now["trouble"]);
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

fn verdict(done: &Value) -> String {
    match done["comparison"]["verdict"].as_str() {
        Some("equal") => "equal to the one before".to_owned(),
        Some(other) => format!("beside the one before: {other}"),
        None => "not compared".to_owned(),
    }
}
