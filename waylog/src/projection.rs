//! `waylog projection`: where read models are, rebuilding them, switching, and proving them.

mod rebuild;
mod verify;

pub(crate) use self::rebuild::follow;
pub(crate) use self::verify::{print as print_verification, verification};

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::output::{Ended, Format, agreed, complain, rows, table};
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
        /// Do it; without it, the plan is printed
        #[arg(long)]
        yes: bool,
    },
    /// Stops a rebuild that was not switched to, and drops its tables
    Cancel {
        #[command(flatten)]
        named: Named,
        /// The rebuild, as `show` names it
        #[arg(long)]
        rebuild: u32,
        /// Do it; without it, the plan is printed
        #[arg(long)]
        yes: bool,
    },
    /// Switches back to the table set before the live one
    Rollback {
        #[command(flatten)]
        named: Named,
        /// Do it; without it, the plan is printed
        #[arg(long)]
        yes: bool,
    },
    /// Goes on where a partition stopped because the log is not whole there
    AcceptContinuity {
        #[command(flatten)]
        named: Named,
        /// The partition, as `show` names it
        #[arg(long)]
        partition: u32,
        /// Do it; without it, the plan is printed
        #[arg(long)]
        yes: bool,
    },
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
        Projection::Promote { named, accept_differences, yes } => {
            named.promote(accept_differences, yes)
        }
        Projection::Cancel { named, rebuild, yes } => named.cancel(rebuild, yes),
        Projection::Rollback { named, yes } => named.roll_back(yes),
        Projection::AcceptContinuity { named, partition, yes } => {
            named.accept_continuity(partition, yes)
        }
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

    fn promote(&self, accept_differences: bool, yes: bool) -> anyhow::Result<Ended> {
        let now = Server::new(&self.server)?.get(&self.path(""))?;
        let sameness =
            if accept_differences { "whatever differs" } else { "if its rows are proved equal" };
        let (name, live) = (&self.name, &now["generation"]);
        let plan = format_args!(
            "Would switch queries of `{name}` from generation {live} to its newest rebuild, \
             {sameness}; generation {live} stays for `waylog projection rollback`."
        );
        if !agreed(yes, plan) {
            return Ok(Ended::No);
        }
        self.post("/promotion", Some(&json!({ "accept_differences": accept_differences })))
    }

    fn cancel(&self, rebuild: u32, yes: bool) -> anyhow::Result<Ended> {
        let server = Server::new(&self.server)?;
        let path = self.path(&format!("/rebuilds/{rebuild}"));
        let now = server.get(&path)?;
        let (name, done) = (&self.name, &now["records_done"]);
        let plan = format_args!(
            "Would stop filling generation {rebuild} of `{name}` ({done} records so far) and drop \
             its tables."
        );
        if !agreed(yes, plan) {
            return Ok(Ended::No);
        }
        server.call(http::Method::DELETE, &path, None)?;
        Ok(Ended::Done)
    }

    fn roll_back(&self, yes: bool) -> anyhow::Result<Ended> {
        let now = Server::new(&self.server)?.get(&self.path(""))?;
        let (name, live) = (&self.name, &now["generation"]);
        let plan = format_args!(
            "Would switch queries of `{name}` from generation {live} back to the one before, which \
             has been kept up meanwhile."
        );
        if agreed(yes, plan) { self.post("/rollback", None) } else { Ok(Ended::No) }
    }

    fn accept_continuity(&self, partition: u32, yes: bool) -> anyhow::Result<Ended> {
        let now = Server::new(&self.server)?.get(&self.path(""))?;
        let rebuilds = now["rebuilds"].as_array().into_iter().flatten();
        let mut breaks = std::iter::once(&now)
            .chain(rebuilds)
            .flat_map(|one| one["breaks"].as_array().into_iter().flatten());
        let Some(stopped) = breaks.find(|stopped| stopped["partition"] == partition) else {
            let name = &self.name;
            complain(format_args!("partition {partition} of `{name}` is not stopped"));
            return Ok(Ended::No);
        };
        let (name, offset) = (&self.name, &stopped["offset"]);
        let reason = stopped["reason"].as_str().unwrap_or_default();
        let plan = format_args!(
            "Would let `{name}` go on at offset {offset} of partition {partition}, where it \
             stopped ({reason}). What is missing in the log will be missing in its rows."
        );
        if !agreed(yes, plan) {
            return Ok(Ended::No);
        }
        self.post("/continuity-acceptance", Some(&json!({ "partition": partition })))
    }
}

fn list(output: Format, server: &Server) -> anyhow::Result<Ended> {
    let answer = server.get("/v1/projections")?;
    if output == Format::Json {
        crate::output::say(format_args!("{answer:#}"));
        return Ok(Ended::Done);
    }
    let columns = ["name", "version", "generation", "state", "lag_seconds", "lag_events", "parked"];
    crate::output::tell(format_args!("{}", table(&columns, &rows(&answer, &columns))));
    Ok(Ended::Done)
}
