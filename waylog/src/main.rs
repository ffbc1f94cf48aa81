//! The one binary: everything in one process, each service alone, and the operator's commands.

mod accept_log;
mod api;
mod audit;
mod banner;
mod bench;
mod circuit;
mod config;
mod connectors;
mod dead_letter;
mod demo;
mod demo_data;
mod doctor;
mod events;
mod identity;
mod log;
mod log_watch;
mod notifications;
mod openapi;
mod output;
mod passages;
mod progress;
mod projection;
mod read_health;
mod reading;
mod refusals;
mod running;
mod saga;
mod sagas;
mod sandbox;
mod seed;
mod serve;
mod server;
mod settings;
mod stage;
mod state;
mod stores;
mod unseal;
mod verify;
mod word;

use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _, Parser};

use crate::output::Ended;
use crate::settings::Settings;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// An event-sourced backend for travel booking on a Kafka log.
///
/// Exit codes: 0 done, 1 the answer is no, 2 wrong use, 3 a dependency is away.
#[derive(Debug, Parser)]
#[command(name = "waylog", version)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Serves everything in one process, or some services of a distributed deployment
    Serve(Box<Settings>),
    /// Reads the log
    #[command(subcommand)]
    Events(events::Events),
    /// Shows an aggregate as it was
    State(state::Question),
    /// Operates read models of a running server
    #[command(subcommand)]
    Projection(projection::Projection),
    /// Lists, shows and settles the processes that carry out bookings
    #[command(subcommand)]
    Saga(saga::Saga),
    /// Lists and resets the circuits of providers that keep failing
    #[command(subcommand)]
    Circuit(circuit::Circuit),
    /// Lists and replays the streams that projections have parked
    #[command(subcommand)]
    DeadLetter(dead_letter::DeadLetter),
    /// Proves the audit trail
    #[command(subcommand)]
    Audit(audit::Audit),
    /// Plays journeys through the API, tells what happened, and checks that all invariants hold
    Demo(demo::Question),
    /// Loads destinations and offers into a running server
    Seed(seed::Question),
    /// Checks the log's invariants from the first event on
    Verify(verify::Question),
    /// Serves the payment provider's sandbox
    Sandbox(sandbox::Question),
    /// Takes an embedded log as it is after part of it, or its keys, were lost
    AcceptLog(accept_log::Question),
    /// Says what works, what does not, and what to do about it
    Doctor(Box<doctor::Question>),
    /// Shows the settings in effect, secrets redacted
    Config(Box<config::Question>),
    /// Prints the OpenAPI document
    Openapi,
    /// Measures a running system
    #[command(subcommand)]
    Bench(bench::Bench),
    /// Prints completions for a shell
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
}

fn main() -> ExitCode {
    let matches = Cli::command().get_matches();
    let cli = match Cli::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(error) => error.exit(),
    };
    match run(cli.verb, &matches) {
        Ok(ended) => ended.into(),
        Err(error) => {
            output::complain(format_args!("{error:#}"));
            output::failure_code(&error)
        }
    }
}

fn run(verb: Verb, matches: &clap::ArgMatches) -> anyhow::Result<Ended> {
    match verb {
        Verb::Serve(settings) => serve::run(&settings, &config::effective("serve", matches)),
        Verb::Events(events) => events::run(events),
        Verb::State(question) => state::run(&question),
        Verb::Projection(projection) => projection::run(projection),
        Verb::Saga(saga) => saga::run(saga),
        Verb::Circuit(circuit) => circuit::run(circuit),
        Verb::DeadLetter(dead_letter) => dead_letter::run(dead_letter),
        Verb::Audit(audit) => audit::run(&audit),
        Verb::Demo(question) => demo::run(&question),
        Verb::Seed(question) => seed::run(&question),
        Verb::Verify(question) => verify::run(&question),
        Verb::Sandbox(question) => sandbox::run(&question),
        Verb::AcceptLog(question) => accept_log::run(&question),
        Verb::Doctor(question) => doctor::run(&question),
        Verb::Config(question) => config::run(&question, matches),
        Verb::Openapi => openapi::run(),
        Verb::Bench(bench) => measure(bench),
        Verb::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "waylog", &mut std::io::stdout());
            Ok(Ended::Done)
        }
    }
}

fn measure(bench: bench::Bench) -> anyhow::Result<Ended> {
    crate::output::say(format_args!("{}", bench::run(bench)?));
    Ok(Ended::Done)
}
