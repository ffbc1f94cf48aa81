//! `scripts/services`: the real services behind a command line.
//!
//! Standard output carries answers (`status`, `env`), standard error what is being done. Exit
//! codes: 0 done, 1 the answer is no or it failed, 2 wrong use.

use std::{
    env,
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Mutex,
    time::Instant,
};

use anyhow::{Context, Result, bail};
use waylog_tests::services::{Condition, Engine, Kind, Options, install, table};

const USAGE: &str = "\
Usage: scripts/services COMMAND [--data-dir DIR] [--brokers 1|3] [--only NAME,NAME]
                                  [--forget]

Commands:
  start    install what is missing, start what is not running, wait until it works
  stop     end what was started here, and nothing else; data stays for the next start
  status   a table of the processes; exit code 0 when all of them work
  env      lines for: eval \"$(scripts/services env)\"
  install  install what is missing and start nothing

Options:
  --data-dir DIR  where this set lives (default: .services in the checkout)
  --brokers N     Kafka brokers of a new set, 1 (default) or 3
  --only NAMES    kafka, registry, postgres, mariadb, redis (default: all)
  --forget        stop: end the whole set and remove its data and logs too
";

/// A command line, understood.
#[derive(Debug)]
struct Request {
    command: String,
    dir: PathBuf,
    options: Options,
    forget: bool,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--help" || argument == "-h") {
        return finish(answer(USAGE).map(|()| ExitCode::SUCCESS));
    }
    match parse(&arguments) {
        Ok(request) => finish(obey(&request)),
        Err(error) => {
            complain(&format!("{error:#}\n\n{USAGE}"));
            ExitCode::from(2)
        }
    }
}

fn finish(result: Result<ExitCode>) -> ExitCode {
    result.unwrap_or_else(|error| {
        complain(&format!("{error:#}"));
        ExitCode::FAILURE
    })
}

fn parse(arguments: &[String]) -> Result<Request> {
    let mut command = None;
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    let mut dir = checkout.context("the tests live in the checkout")?.join(".services");
    let (mut options, mut forget) = (Options::default(), false);
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let mut value = || rest.next().with_context(|| format!("{argument} wants a value"));
        match argument.as_str() {
            "--data-dir" => dir = PathBuf::from(value()?),
            "--brokers" => {
                options.brokers = match value()?.as_str() {
                    "1" => Some(1),
                    "3" => Some(3),
                    other => bail!("--brokers is 1 or 3, not {other}"),
                }
            }
            "--only" => {
                let names = value()?.split(',').map(str::trim);
                options.only = names.map(str::parse).collect::<Result<_>>()?;
                options.only.sort_unstable();
                options.only.dedup();
            }
            "--forget" => forget = true,
            "start" | "stop" | "status" | "env" | "install" if command.is_none() => {
                command = Some(argument.clone());
            }
            other => bail!("{other:?} is not understood"),
        }
    }
    let command = command.context("which command?")?;
    if forget && (command != "stop" || !options.only.is_empty()) {
        bail!("--forget goes with stop, and with the whole set");
    }
    Ok(Request { command, dir, options, forget })
}

fn obey(request: &Request) -> Result<ExitCode> {
    let kinds = request.options.kinds();
    match request.command.as_str() {
        "install" => install::ensure(&kinds, &complain)?,
        "start" => start(request, &kinds)?,
        "stop" => stop(request, &kinds)?,
        "status" => return status(request, &kinds),
        _ => return print_env(request),
    }
    Ok(ExitCode::SUCCESS)
}

fn start(request: &Request, kinds: &[Kind]) -> Result<()> {
    install::ensure(kinds, &complain)?;
    let began = Instant::now();
    // Whether anything had to be done is known only from what was said.
    let said: Mutex<Vec<String>> = Mutex::default();
    let say = |text: &str| {
        complain(text);
        if let Ok(mut said) = said.lock() {
            said.push(text.to_owned());
        }
    };
    Engine::start(&request.dir, &request.options, &say)?;
    let idle = said.lock().is_ok_and(|said| said.iter().all(|s| s.ends_with("already running")));
    if idle {
        complain("everything was running already; nothing was changed");
    } else {
        complain(&format!("all ready after {:.1} s", began.elapsed().as_secs_f32()));
    }
    Ok(())
}

fn stop(request: &Request, kinds: &[Kind]) -> Result<()> {
    let Some(engine) = Engine::open(&request.dir)? else {
        complain(&format!("nothing was started in {}", request.dir.display()));
        return Ok(());
    };
    if request.forget {
        engine.forget()?;
        complain("stopped and forgotten");
    } else {
        engine.stop(kinds)?;
        complain("stopped");
    }
    Ok(())
}

fn status(request: &Request, kinds: &[Kind]) -> Result<ExitCode> {
    let Some(engine) = Engine::open(&request.dir)? else {
        complain(&format!("nothing was started in {}", request.dir.display()));
        return Ok(ExitCode::FAILURE);
    };
    let mut rows = engine.rows();
    rows.retain(|row| kinds.iter().any(|kind| row.name.starts_with(kind.name())));
    answer(&table(&rows))?;
    let all = !rows.is_empty() && rows.iter().all(|row| row.condition == Condition::Ready);
    Ok(if all { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print_env(request: &Request) -> Result<ExitCode> {
    let exports = Engine::open(&request.dir)?.map(|engine| engine.endpoints().exports());
    match exports.filter(|text| !text.is_empty()) {
        Some(text) => answer(&text)?,
        None => bail!("nothing runs in {}; start it first", request.dir.display()),
    }
    Ok(ExitCode::SUCCESS)
}

fn answer(text: &str) -> Result<()> {
    io::stdout().write_all(text.as_bytes()).context("cannot write the answer")
}

fn complain(text: &str) {
    // With standard error closed there is nobody left to tell.
    writeln!(io::stderr(), "services: {text}").ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn options_may_stand_before_and_after_the_command() {
        let line = "--only redis,kafka,redis start --brokers 3 --data-dir /tmp/x";

        let request = parse(&words(line)).unwrap();

        assert_eq!(request.command, "start");
        assert_eq!(request.dir, Path::new("/tmp/x"));
        assert_eq!(request.options.brokers, Some(3));
        assert_eq!(request.options.kinds(), [Kind::Kafka, Kind::Redis]);
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        let lines =
            ["", "start stop", "begin", "start --brokers 2", "stop --only mysql", "env --only"];

        let refused = lines.map(|line| parse(&words(line)).is_err());

        assert_eq!(refused, [true; 6]);
    }
}
