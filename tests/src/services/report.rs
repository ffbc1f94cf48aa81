//! What `scripts/services status` shows.

use std::{fmt, path::PathBuf};

/// One process of a set, as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// `kafka-1`, `registry` and so on.
    pub name: String,
    /// How it is.
    pub condition: Condition,
    /// None when it was stopped on request.
    pub pid: Option<i32>,
    /// Loopback port.
    pub port: u16,
    /// Where its output goes.
    pub log: PathBuf,
}

/// How a process is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// It answered in its own protocol.
    Ready,
    /// It runs, but did not answer rightly: why.
    NotAnswering(String),
    /// Stopped by a signal, to be continued.
    Paused,
    /// It ended by itself, or somebody ended it.
    Died,
    /// It was stopped on request.
    Stopped,
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready => f.pad("ready"),
            Self::NotAnswering(_) => f.pad("no answer"),
            Self::Paused => f.pad("paused"),
            Self::Died => f.pad("died"),
            Self::Stopped => f.pad("stopped"),
        }
    }
}

/// The rows as text, one line each under a heading; reasons follow the line they belong to.
#[must_use]
pub fn table(rows: &[Row]) -> String {
    let mut lines =
        vec![format!("{:<10} {:<10} {:>8} {:>6}  LOG", "SERVICE", "STATE", "PID", "PORT")];
    for row in rows {
        let pid = row.pid.map_or_else(|| "-".to_owned(), |pid| pid.to_string());
        let (name, condition, log) = (&row.name, &row.condition, row.log.display());
        lines.push(format!("{name:<10} {condition:<10} {pid:>8} {:>6}  {log}", row.port));
        if let Condition::NotAnswering(why) = condition {
            lines.push(format!("           {why}"));
        }
    }
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_that_does_not_answer_says_why() {
        let row = |name: &str, condition, pid| Row {
            name: name.to_owned(),
            condition,
            pid,
            port: 7000,
            log: "/logs/x.log".into(),
        };
        let silent = Condition::NotAnswering("nobody answers on port 7000".to_owned());

        let text =
            table(&[row("redis", silent, Some(42)), row("kafka-1", Condition::Stopped, None)]);

        assert_eq!(
            text.lines().skip(1).collect::<Vec<_>>(),
            [
                "redis      no answer        42   7000  /logs/x.log",
                "           nobody answers on port 7000",
                "kafka-1    stopped           -   7000  /logs/x.log",
            ]
        );
    }
}
