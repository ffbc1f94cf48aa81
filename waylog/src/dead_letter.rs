//! `waylog dead-letter`: the streams that projections have parked, and taking them up again.

use clap::Subcommand;

use crate::output::{Ended, Format, complain, rows, table};
use crate::server::{Server, ServerArgs, escaped};

/// What to do with parked streams.
#[derive(Debug, Subcommand)]
pub(crate) enum DeadLetter {
    /// Lists the parked streams of a running server
    Ls {
        /// How to print them
        #[arg(long, value_enum, default_value_t)]
        output: Format,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Shows one of them as JSON
    Show {
        /// Its id, as `ls` names it
        id: String,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Folds a parked stream again from where it was parked; harmless when it is parked again
    Replay {
        /// Its id, as `ls` names it
        id: String,
        #[command(flatten)]
        server: ServerArgs,
    },
}

/// Does what was asked. The answer is no when there is no such dead letter, or the stream stays
/// parked.
///
/// # Errors
/// When the server does not answer or refuses.
pub(crate) fn run(dead_letter: DeadLetter) -> anyhow::Result<Ended> {
    match dead_letter {
        DeadLetter::Ls { output, server } => list(output, &Server::new(&server)?),
        DeadLetter::Show { id, server } => show(&id, &Server::new(&server)?),
        DeadLetter::Replay { id, server } => replay(&id, &Server::new(&server)?),
    }
}

fn list(output: Format, server: &Server) -> anyhow::Result<Ended> {
    let answer = server.get("/v1/dead-letters")?;
    if output == Format::Json {
        crate::output::say(format_args!("{answer:#}"));
        return Ok(Ended::Done);
    }
    let columns = ["id", "position", "waiting", "reason"];
    crate::output::tell(format_args!("{}", table(&columns, &rows(&answer, &columns))));
    Ok(Ended::Done)
}

fn show(id: &str, server: &Server) -> anyhow::Result<Ended> {
    let answer = server.get("/v1/dead-letters")?;
    let mut known = answer["data"].as_array().into_iter().flatten();
    let Some(found) = known.find(|letter| letter["id"] == id) else {
        complain(format_args!("there is no dead letter `{id}`; see `waylog dead-letter ls`"));
        return Ok(Ended::No);
    };
    crate::output::say(format_args!("{found:#}"));
    Ok(Ended::Done)
}

fn replay(id: &str, server: &Server) -> anyhow::Result<Ended> {
    // The key of a stream that cannot be read may hold anything.
    let path = format!("/v1/dead-letters/{}/replay", escaped(id));
    let answer = server.call(http::Method::POST, &path, None)?;
    crate::output::say(format_args!("{answer:#}"));
    Ok(if answer["freed"] == true { Ended::Done } else { Ended::No })
}
