//! `waylog config`: the settings in effect, where each came from, secrets redacted.

use clap::{ArgMatches, Args, CommandFactory as _};
use service_kit::config::{Setting, effective as settings_of};

use crate::output::{Ended, Format, table};
use crate::settings::Settings;

/// How to show them; takes the same flags and variables as `serve`.
#[derive(Debug, Args)]
pub(crate) struct Question {
    /// How to print them
    #[arg(long, value_enum, default_value_t)]
    output: Format,
    #[command(flatten)]
    _settings: Settings,
}

/// The settings of a verb as its matches have them.
pub(crate) fn effective(verb: &str, matches: &ArgMatches) -> Vec<Setting> {
    let command = crate::Cli::command();
    match (command.find_subcommand(verb), matches.subcommand_matches(verb)) {
        (Some(command), Some(matches)) => settings_of(command, matches),
        _ => Vec::new(),
    }
}

/// Prints the settings.
///
/// # Errors
/// Never; JSON of strings can be written.
pub(crate) fn run(question: &Question, matches: &ArgMatches) -> anyhow::Result<Ended> {
    let settings = effective("config", matches);
    if question.output == Format::Json {
        crate::output::say(format_args!("{}", serde_json::to_string_pretty(&settings)?));
        return Ok(Ended::Done);
    }
    let rows: Vec<Vec<String>> = settings
        .into_iter()
        .map(|setting| {
            let source = format!("{:?}", setting.source).to_lowercase();
            let value = setting.value.unwrap_or_default();
            vec![format!("--{}", setting.name), value, source, setting.env.unwrap_or_default()]
        })
        .collect();
    crate::output::tell(format_args!(
        "{}",
        table(&["setting", "value", "from", "variable"], &rows)
    ));
    Ok(Ended::Done)
}
