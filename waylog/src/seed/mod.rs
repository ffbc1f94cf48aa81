//! `waylog seed`: loads destinations and offers through the API, from files or made up.
//!
//! Every line is sent under a key that follows from its content: a line that comes twice, in one
//! run or in two, or again after a run that was killed, is decided once. A destination that was
//! described anew meanwhile stays as it is.

mod generate;
mod item;
mod lines;
mod load;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::{Args, ValueEnum};

pub(crate) use self::generate::{Generator, places};
use self::item::Item;
use self::lines::{Line, Lines};
use crate::api::Api;
use crate::output::{Ended, complain, say};
use crate::progress::Progress;
use crate::server::ServerArgs;
use crate::settings::WrongUse;

/// What chance goes by when nobody says.
pub(crate) const SEED: u64 = 1;
/// The first day of made up offers when nobody says.
pub(crate) const FIRST_DAY: jiff::civil::Date = jiff::civil::date(2027, 5, 1);

/// What to load.
#[derive(Debug, Args)]
pub(crate) struct Question {
    /// CSV or JSON lines of destinations or offers, `-` for the standard input; without it, a
    /// hundred places that come with Waylog
    file: Option<PathBuf>,
    /// How the file is written; without it, its name tells
    #[arg(long, value_enum, requires = "file")]
    format: Option<Format>,
    /// Make up that many offers between the hundred places, and load them too
    #[arg(long, value_name = "N", default_value_t = 0, conflicts_with = "file")]
    #[arg(value_parser = clap::value_parser!(u64).range(0..=1_000_000))]
    generate: u64,
    /// What chance goes by: the same makes the same offers
    #[arg(long, default_value_t = SEED, requires = "generate")]
    seed: u64,
    /// The first day of the year in which the offers begin
    #[arg(long, value_name = "DATE", default_value_t = FIRST_DAY, requires = "generate")]
    from: jiff::civil::Date,
    /// Print JSON lines, and load nothing
    #[arg(long)]
    print: bool,
    /// Requests on their way at one time
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=256))]
    concurrency: u16,
    #[command(flatten)]
    server: ServerArgs,
}

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Under a header that names the columns
    Csv,
    /// One JSON object a line, as the API takes it
    Jsonl,
}

/// Where lines come from.
struct Source<'a> {
    lines: Lines<'a>,
    /// How far `Line::until` will go, where that is known, and what it counts.
    total: Option<u64>,
    unit: &'static str,
}

/// Loads, and says what came of it; the answer is no when a line was bad.
///
/// # Errors
/// When the file cannot be read, or the server is away.
pub(crate) fn run(question: &Question) -> anyhow::Result<Ended> {
    let source = source(question)?;
    if question.print {
        return print(source.lines);
    }
    let api = Api::new(&question.server.url)?;
    let mut progress = Progress::of(source.total, source.unit);
    let begin = Instant::now();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let tally = runtime.block_on(load::load(
        &api,
        source.lines,
        question.concurrency.into(),
        |tally, until, number, bad| {
            if let Some(wrong) = bad {
                progress.remark(format_args!("line {number}: {wrong}"));
            }
            progress.at(until, format!("{} loaded, {} bad", tally.loaded, tally.bad));
        },
    ));
    progress.end();
    let tally = tally?;
    let seconds = begin.elapsed().as_secs_f64();
    say(format_args!("{} loaded, {} bad, in {seconds:.1} s", tally.loaded, tally.bad));
    Ok(if tally.bad == 0 { Ended::Done } else { Ended::No })
}

fn print(lines: Lines<'_>) -> anyhow::Result<Ended> {
    let mut ended = Ended::Done;
    for line in lines {
        let Line { number, item, .. } = line?;
        match item {
            Ok(item) => say(format_args!("{}", item.body)),
            Err(wrong) => {
                complain(format_args!("line {number}: {wrong}"));
                ended = Ended::No;
            }
        }
    }
    Ok(ended)
}

fn source(question: &Question) -> anyhow::Result<Source<'static>> {
    let Some(path) = &question.file else { return Ok(made_up(question)) };
    let format = format_of(path, question.format)?;
    if path == Path::new("-") {
        return Ok(Source { lines: lines(io::stdin(), format)?, total: None, unit: "bytes" });
    }
    let file = File::open(path)
        .map_err(|error| WrongUse::because(format!("{}: {error}", path.display())))?;
    let total = file.metadata()?.len();
    Ok(Source { lines: lines(file, format)?, total: Some(total), unit: "bytes" })
}

fn lines(source: impl io::Read + 'static, format: Format) -> anyhow::Result<Lines<'static>> {
    match format {
        Format::Csv => lines::csv_rows(source),
        Format::Jsonl => Ok(lines::json_lines(source)),
    }
}

fn format_of(path: &Path, said: Option<Format>) -> anyhow::Result<Format> {
    let named = match path.extension().and_then(|extension| extension.to_str()) {
        Some("csv") => Some(Format::Csv),
        Some("jsonl" | "ndjson") => Some(Format::Jsonl),
        _ => None,
    };
    said.or(named).ok_or_else(|| {
        let path = path.display();
        WrongUse::because(format!("{path}: neither .csv nor .jsonl; say --format"))
    })
}

/// The shipped places, and then offers between them.
fn made_up(question: &Question) -> Source<'static> {
    let generator = Generator::new(question.seed, question.from);
    let places = places();
    let total = places.len() as u64 + question.generate;
    let items: Vec<Item> = places.iter().map(item::PlaceRow::item).collect();
    let offers = (0..question.generate).map(move |number| generator.item(number));
    let numbered = (1..).zip(items.into_iter().chain(offers));
    let line = |(number, item)| Ok(Line { number, item: Ok(item), until: number });
    Source { lines: Box::new(numbered.map(line)), total: Some(total), unit: "lines" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_the_format_unless_it_is_said() {
        let of = |path: &str, said| format_of(Path::new(path), said).ok();

        assert_eq!(of("offers.csv", None), Some(Format::Csv));
        assert_eq!(of("offers.ndjson", None), Some(Format::Jsonl));
        assert_eq!(of("-", None), None);
        assert_eq!(of("-", Some(Format::Csv)), Some(Format::Csv));
    }
}
