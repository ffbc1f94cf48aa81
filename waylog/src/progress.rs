//! How far long work has come: a bar on a terminal, a plain line now and then elsewhere. Beside the
//! answer, on standard error.

use std::fmt;
use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// How often a plain line is printed where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Work with an end.
pub(crate) struct Progress {
    bar: ProgressBar,
    printed_at: Instant,
    /// What is counted.
    unit: &'static str,
}

impl Progress {
    /// Nothing done yet of that many `unit`; nobody knows how many when missing.
    pub(crate) fn of(total: Option<u64>, unit: &'static str) -> Self {
        let template = match total {
            Some(_) => "{bar:40} {human_pos}/{human_len} {eta} to go {msg}",
            None => "{spinner} {human_pos} {msg}",
        };
        let style = ProgressStyle::with_template(template).expect("the template is valid");
        let bar = if std::io::stderr().is_terminal() {
            total.map_or_else(ProgressBar::new_spinner, ProgressBar::new)
        } else {
            ProgressBar::hidden()
        };
        bar.set_length(total.unwrap_or_default());
        Self { bar: bar.with_style(style), printed_at: Instant::now(), unit }
    }

    /// So much is done, of so much by now.
    pub(crate) fn at_of(&mut self, done: u64, total: u64, message: String) {
        self.bar.set_length(total);
        self.at(done, message);
    }

    /// So much is done.
    pub(crate) fn at(&mut self, done: u64, message: String) {
        self.bar.set_position(done);
        if self.bar.is_hidden() && self.printed_at.elapsed() > LINE_EVERY {
            self.printed_at = Instant::now();
            let of = match self.bar.length() {
                Some(total) if total > 0 => format!(" of {total}"),
                _ => String::new(),
            };
            line(format_args!("{done}{of} {}, {message}", self.unit));
        }
        self.bar.set_message(message);
    }

    /// Something that people should see meanwhile; the bar makes room for it.
    pub(crate) fn remark(&self, remark: fmt::Arguments<'_>) {
        self.bar.suspend(|| crate::output::complain(remark));
    }

    /// The work is over: the bar goes.
    pub(crate) fn end(self) {
        self.bar.finish_and_clear();
    }
}

#[expect(clippy::print_stderr, reason = "progress for people, beside the answer")]
fn line(line: fmt::Arguments<'_>) {
    eprintln!("{line}");
}
