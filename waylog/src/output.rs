//! How verbs answer: tables for people, JSON for programs, and exit codes for scripts.

use std::fmt;
use std::io::Write as _;
use std::process::ExitCode;

use clap::ValueEnum;

/// How a listing is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Columns for people.
    #[default]
    Table,
    /// One JSON document.
    Json,
}

/// How a verb ended, when nothing went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It did what was asked.
    Done,
    /// The answer to what was asked is no (a check failed, a thing is not there).
    No,
    /// As far as could be seen; something that was to be asked is away.
    Away,
}

impl From<Ended> for ExitCode {
    fn from(ended: Ended) -> Self {
        match ended {
            Ended::Done => Self::SUCCESS,
            Ended::No => Self::from(1),
            Ended::Away => Self::from(3),
        }
    }
}

/// The exit code of a failure: 2 for settings that cannot be, 3 when something that is needed is
/// away, else 1.
pub(crate) fn failure_code(error: &anyhow::Error) -> ExitCode {
    let away = error.chain().any(|cause| {
        let log = cause.downcast_ref::<event_log::LogError>();
        let registry = cause.downcast_ref::<event_log::schema_registry::RegistryError>();
        let http = cause.downcast_ref::<reqwest::Error>();
        let server = cause.downcast_ref::<crate::api::Trouble>();
        let load = cause.downcast_ref::<crate::bench::Trouble>();
        let store = cause.downcast_ref::<read_models::ReadStoreError>();
        matches!(log, Some(event_log::LogError::Unavailable { .. }))
            || matches!(
                registry,
                Some(event_log::schema_registry::RegistryError::Unavailable { .. })
            )
            || matches!(store, Some(read_models::ReadStoreError::Unavailable(..)))
            || server.is_some_and(crate::api::Trouble::passes)
            || load.is_some_and(crate::bench::Trouble::passes)
            || http.is_some_and(|error| error.is_connect() || error.is_timeout())
    });
    let wrong_use = error.chain().any(|cause| cause.is::<crate::settings::WrongUse>());
    ExitCode::from(match (wrong_use, away) {
        (true, _) => 2,
        (false, true) => 3,
        (false, false) => 1,
    })
}

/// Prints an answer and ends its line.
pub(crate) fn say(answer: fmt::Arguments<'_>) {
    tell(format_args!("{answer}\n"));
}

/// Prints an answer. A reader that has seen enough (`| head`) ends the program in good order.
pub(crate) fn tell(answer: fmt::Arguments<'_>) {
    if let Err(error) = std::io::stdout().lock().write_fmt(answer) {
        let enough = error.kind() == std::io::ErrorKind::BrokenPipe;
        std::process::exit(i32::from(!enough));
    }
}

/// Says why the answer is no, beside the answer.
#[expect(clippy::print_stderr, reason = "the command line's answer")]
pub(crate) fn complain(why: fmt::Arguments<'_>) {
    eprintln!("waylog: {why}");
}

/// Asks for `--yes` where it is missing: prints what would be done. Whether it may be done.
pub(crate) fn agreed(yes: bool, plan: fmt::Arguments<'_>) -> bool {
    if !yes {
        say(format_args!("{plan} Say --yes to do it."));
    }
    yes
}

/// The members of a listing's `data` as rows of text, a column each.
pub(crate) fn rows(listing: &serde_json::Value, columns: &[&str]) -> Vec<Vec<String>> {
    let text = |value: &serde_json::Value| match value {
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Null => "-".to_owned(),
        other => other.to_string(),
    };
    let data = listing["data"].as_array().into_iter().flatten();
    data.map(|row| columns.iter().map(|column| text(&row[*column])).collect()).collect()
}

/// Rows in columns, the header first, each as wide as its widest cell.
pub(crate) fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = header.iter().map(|cell| cell.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let padded: Vec<String> =
            cells.zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        padded.join("  ").trim_end().to_owned() + "\n"
    };
    let mut text = line(&mut header.iter().copied());
    for row in rows {
        text += &line(&mut row.iter().map(String::as_str));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = vec![
            vec!["itineraries".to_owned(), "1".to_owned()],
            vec!["audit".to_owned(), "20".to_owned()],
        ];

        let text = table(&["name", "rows"], &rows);

        assert_eq!(text, "name         rows\nitineraries  1\naudit        20\n");
    }

    #[test]
    fn a_dependency_that_is_away_has_a_code_of_its_own() {
        let away =
            event_log::LogError::Unavailable { reason: "no broker".to_owned(), source: None };
        let away = anyhow::Error::from(away).context("cannot serve");
        let other = anyhow::anyhow!("anything else");

        assert_eq!(format!("{:?}", failure_code(&away)), format!("{:?}", ExitCode::from(3)));
        assert_eq!(format!("{:?}", failure_code(&other)), format!("{:?}", ExitCode::from(1)));
    }
}
