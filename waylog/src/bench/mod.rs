//! `waylog bench`: loads a running system over its HTTP API and prints rates and ratios.
//!
//! Machines are noisy, so a figure is worth something beside another one of the same run: `append`
//! measures durable commands beside requests that the same server parses and refuses at conversion,
//! `hot` measures one itinerary beside many, `rebuild` a projection beside COPY of its rows.

mod load;
mod plans;
mod rebuild;
mod saga;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use http::StatusCode;
use serde_json::json;

use load::Shape;
pub(crate) use load::{Measured, Trouble};

/// What to measure.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Bench {
    /// Durable creates, beside requests refused at conversion (end before start).
    Append(Load),
    /// Commands to one itinerary, beside the same commands spread over many.
    Hot(Load),
    /// Reads of single itineraries.
    Query(Load),
    /// A rebuild of a projection, from the first event to the live vector.
    Rebuild(rebuild::Rebuild),
    /// Whole bookings, from the request to the confirmation; and a crowd that wants one offer.
    Saga(saga::Load),
}

/// Which server.
#[derive(Debug, clap::Args)]
pub(crate) struct Target {
    /// Its address; plain HTTP.
    #[arg(long, env = "WAYLOG_BENCH_ADDRESS", default_value = "127.0.0.1:8080")]
    address: String,
}

/// How much load.
#[derive(Debug, clap::Args)]
pub(crate) struct Load {
    #[command(flatten)]
    target: Target,
    /// Connections, each with one request in flight.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=4096))]
    connections: u16,
    /// Seconds to count, for each part of the run.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,
    /// Requests per second with fixed start times (latencies corrected for coordinated omission);
    /// as many as possible when missing.
    #[arg(long)]
    rate: Option<f64>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl Load {
    fn shape(&self) -> Shape {
        Shape {
            connections: usize::from(self.connections),
            duration: Duration::from_secs(self.seconds),
            rate: self.rate,
        }
    }
}

/// Runs the benchmark and returns what to print.
///
/// # Errors
/// When the server cannot be reached or answers with something else than was asked for.
pub(crate) fn run(bench: Bench) -> anyhow::Result<String> {
    match bench {
        Bench::Append(load) => on_runtime(append(&load)),
        Bench::Hot(load) => on_runtime(hot(&load)),
        Bench::Query(load) => on_runtime(query(&load)),
        Bench::Saga(load) => saga::run(&load),
        Bench::Rebuild(rebuild) => rebuild::run(&rebuild),
    }
}

fn on_runtime(measuring: impl Future<Output = anyhow::Result<String>>) -> anyhow::Result<String> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(measuring)
}

async fn append(load: &Load) -> anyhow::Result<String> {
    let address = &load.target.address;
    let refuse = plans::create(address, plans::Days::Backward);
    let refused = StatusCode::UNPROCESSABLE_ENTITY;
    let base = load::run("refused at conversion", address, load.shape(), refused, refuse).await?;
    let create = plans::create(address, plans::Days::Forward);
    let run = load::run("durable creates", address, load.shape(), StatusCode::CREATED, create);
    render(load, &[base, run.await?], "durable / refused")
}

async fn hot(load: &Load) -> anyhow::Result<String> {
    let address = &load.target.address;
    let spread = Arc::new(plans::created(address, 1000).await?);
    let one = Arc::new(spread[..1].to_vec());
    let renames = plans::rename(address, spread);
    let base = load::run("spread over 1000", address, load.shape(), StatusCode::OK, renames);
    let base = base.await?;
    let renames = plans::rename(address, one);
    let run = load::run("one itinerary", address, load.shape(), StatusCode::OK, renames);
    render(load, &[base, run.await?], "one / spread")
}

async fn query(load: &Load) -> anyhow::Result<String> {
    let address = &load.target.address;
    let ids = Arc::new(plans::created(address, 1000).await?);
    let read = plans::read(address, ids);
    let run = load::run("itinerary by id", address, load.shape(), StatusCode::OK, read).await?;
    render(load, &[run], "")
}

/// The runs as lines or JSON, with the ratio of the second to the first.
fn render(load: &Load, runs: &[Measured], ratio_name: &str) -> anyhow::Result<String> {
    let ratio = match runs {
        [base, run] => Some(run.per_second / base.per_second),
        _ => None,
    };
    if load.json {
        let ratio = ratio.map(|ratio| json!({ "name": ratio_name, "value": ratio }));
        return serde_json::to_string_pretty(&json!({ "runs": runs, "ratio": ratio }))
            .context("figures are JSON");
    }
    let mut text = format!(
        "{:<24}{:>6}{:>12}{:>10}{:>10}{:>10}{:>10}{:>12}\n",
        "", "loop", "per second", "p50 ms", "p90 ms", "p99 ms", "max ms", "unexpected"
    );
    for run in runs {
        text += &format!(
            "{:<24}{:>6}{:>12.0}{:>10.2}{:>10.2}{:>10.2}{:>10.2}{:>12}\n",
            run.name,
            run.loop_kind,
            run.per_second,
            run.p50_ms,
            run.p90_ms,
            run.p99_ms,
            run.max_ms,
            run.unexpected
        );
    }
    if let Some(ratio) = ratio {
        text += &format!("{ratio_name}: {:.1} %\n", ratio * 100.0);
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::process::ExitCode;

    use super::*;
    use crate::output::failure_code;

    fn exit_codes(address: &str) -> Vec<String> {
        let benches: [fn(Load) -> Bench; 3] = [Bench::Append, Bench::Hot, Bench::Query];
        let code = |bench: fn(Load) -> Bench| {
            let target = Target { address: address.to_owned() };
            let load = Load { target, connections: 1, seconds: 1, rate: None, json: false };
            format!("{:?}", failure_code(&run(bench(load)).unwrap_err()))
        };
        benches.map(code).to_vec()
    }

    fn all(code: u8) -> Vec<String> {
        vec![format!("{:?}", ExitCode::from(code)); 3]
    }

    #[test]
    fn a_server_that_is_away_has_the_code_of_a_dependency() {
        let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();

        let codes = exit_codes(&closed.to_string());

        assert_eq!(codes, all(3));
    }

    #[test]
    fn a_server_that_goes_away_has_it_too() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        // Ends with the test's process.
        std::thread::spawn(move || listener.incoming().for_each(drop));

        let codes = exit_codes(&address.to_string());

        assert_eq!(codes, all(3));
    }

    #[test]
    fn an_address_that_cannot_be_is_nobodys_absence() {
        assert_eq!(exit_codes("127.0.0.1:none"), all(1));
    }
}
