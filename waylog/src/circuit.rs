//! `waylog circuit`: providers that are left alone for a while, and an operator's word that they
//! are back.

use clap::Subcommand;

use crate::output::{Ended, Format, agreed, rows, say, table, tell};
use crate::server::{Server, ServerArgs, escaped};

const COLUMNS: [&str; 5] = ["provider", "state", "failures", "openings", "retry_after_seconds"];

/// What to do with circuits.
#[derive(Debug, Subcommand)]
pub(crate) enum Circuit {
    /// Lists the circuits of a running process that calls providers
    Ls {
        /// How to print them
        #[arg(long, value_enum, default_value_t)]
        output: Format,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Closes a circuit: calls to the provider are made again at once
    Reset {
        /// Whose, as `ls` names it
        provider: String,
        /// Do it; without it, the plan is printed
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        server: ServerArgs,
    },
}

/// Does what was asked.
///
/// # Errors
/// When the server does not answer or refuses.
pub(crate) fn run(circuit: Circuit) -> anyhow::Result<Ended> {
    match circuit {
        Circuit::Ls { output, server } => list(output, &Server::new(&server)?),
        Circuit::Reset { provider, yes, server } => reset(&provider, yes, &Server::new(&server)?),
    }
}

fn list(output: Format, server: &Server) -> anyhow::Result<Ended> {
    let answer = server.get("/v1/circuits")?;
    if output == Format::Json {
        say(format_args!("{answer:#}"));
    } else {
        tell(format_args!("{}", table(&COLUMNS, &rows(&answer, &COLUMNS))));
    }
    Ok(Ended::Done)
}

fn reset(provider: &str, yes: bool, server: &Server) -> anyhow::Result<Ended> {
    let plan = format_args!("Would make calls to `{provider}` again at once.");
    if !agreed(yes, plan) {
        return Ok(Ended::No);
    }
    let path = format!("/v1/circuits/{}/reset", escaped(provider));
    say(format_args!("{:#}", server.call(http::Method::POST, &path, None)?));
    Ok(Ended::Done)
}
