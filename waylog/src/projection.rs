//! `waylog projection`: where read models are, rebuilding them, switching, and proving them.

mod rebuild;
mod verify;

pub(crate) use self::rebuild::follow;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::output::{Ended, Format, table};
use crate::server::{Server, ServerArgs};

/// What to do with read models.
#[derive(Debug, Subcommand)]
pub(crate) enum Projection {
    /// Lists the projections of a running server
    Ls {
        /// How to print them
        #[arg(long, value_enum, default_value_t)]
        output: Format,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Shows one projection as JSON, with its table sets and rebuilds
    Show(Named),
    /// Stops folding until resumed
    Pause(Named),
    /// Goes on folding
    Resume(Named),
    /// Builds it anew beside the live one, compares, and switches
    Rebuild(rebuild::Rebuild),
    /// Switches to a rebuild that is ready
    Promote {
        #[command(flatten)]
        named: Named,
        /// Accept another version of the fold after looking at the counts
        #[arg(long)]
        accept_differences: bool,
    },
    /// Stops a rebuild that was not switched to, and drops its tables
    Cancel {
        #[command(flatten)]
        named: Named,
        /// The rebuild, as `show` names it
        #[arg(long)]
        rebuild: u32,
    },
    /// Switches back to the table set before the live one
    Rollback(Named),
    /// Proves the live rows equal to a fresh fold of the log
    Verify(verify::Verify),
}

/// One projection of a running server.
#[derive(Debug, Args)]
pub(crate) struct Named {
    /// The projection
    name: String,
    #[command(flatten)]
    server: ServerArgs,
}

/// Does what was asked.
///
/// # Errors
/// When the server does not answer or refuses.
pub(crate) fn run(projection: Projection) -> anyhow::Result<Ended> {
    match projection {
        Projection::Ls { output, server } => list(output, &Server::new(&server)?),
        Projection::Show(named) => {
            let shown = Server::new(&named.server)?.get(&named.path(""))?;
            crate::output::say(format_args!("{shown:#}"));
            Ok(Ended::Done)
        }
        Projection::Pause(named) => named.post("/pause", None),
        Projection::Resume(named) => named.post("/resume", None),
        Projection::Rebuild(rebuild) => rebuild::run(&rebuild),
        Projection::Promote { named, accept_differences } => {
            named.post("/promotion", Some(&json!({ "accept_differences": accept_differences })))
        }
        Projection::Cancel { named, rebuild } => {
            let path = named.path(&format!("/rebuilds/{rebuild}"));
            Server::new(&named.server)?.call(http::Method::DELETE, &path, None)?;
            Ok(Ended::Done)
        }
        Projection::Rollback(named) => named.post("/rollback", None),
        Projection::Verify(question) => verify::run(&question),
    }
}

impl Named {
    fn path(&self, action: &str) -> String {
        format!("/v1/projections/{}{action}", self.name)
    }

    fn post(&self, action: &str, body: Option<&Value>) -> anyhow::Result<Ended> {
        let server = Server::new(&self.server)?;
        let answer = server.call(http::Method::POST, &self.path(action), body)?;
        crate::output::say(format_args!("{answer:#}"));
        Ok(Ended::Done)
    }
}

fn list(output: Format, server: &Server) -> anyhow::Result<Ended> {
    let answer = server.get("/v1/projections")?;
    if output == Format::Json {
        crate::output::say(format_args!("{answer:#}"));
        return Ok(Ended::Done);
    }
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Null => "-".to_owned(),
        other => other.to_string(),
    };
    let columns = ["name", "version", "generation", "state", "lag_seconds", "lag_events", "parked"];
    let rows: Vec<Vec<String>> = answer["data"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|row| columns.iter().map(|column| text(&row[*column])).collect())
        .collect();
    crate::output::tell(format_args!("{}", table(&columns, &rows)));
    Ok(Ended::Done)
}
