//! What a verification looked at and what it found: counts of every kind of check, and evidence
//! enough for an operator to act on.

use std::collections::BTreeMap;

use domain::invariants::{BookingCounts, Finding, Kind, Totals};
use domain::{Position, PositionVector};
use serde::Serialize;
use serde_json::json;

use crate::log::OpenLog;
use crate::output::{self, Ended, Format};

/// How much evidence of a check is shown; all of it is counted.
const EVIDENCE_MAX: usize = 20;

/// One kind of check.
#[derive(Clone, Debug, Default, Serialize)]
struct Line {
    checked: u64,
    /// What was counted.
    of: &'static str,
    violations: u64,
}

/// Something that was found.
#[derive(Clone, Debug, Serialize)]
struct Evidence {
    kind: Kind,
    check: &'static str,
    what: String,
}

/// What could not be checked, and why.
#[derive(Clone, Debug, Serialize)]
struct NotChecked {
    check: String,
    reason: String,
}

/// What was checked, and what does not hold.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Report {
    pub(super) records: u64,
    pub(super) events: u64,
    pub(super) streams: usize,
    pub(super) partitions: usize,
    /// By check.
    checks: BTreeMap<&'static str, Line>,
    violations: u64,
    /// Sagas that wait for an operator.
    stuck: u64,
    /// Bookings that an operator settled by hand, and that are not as they should be.
    settled_by_hand: u64,
    /// What changed each time that it was looked at.
    moving: u64,
    pub(super) bookings_under_way: u64,
    pub(super) bookings_waiting: u64,
    pub(super) bookings_stuck: u64,
    pub(super) payments_under_way: u64,
    /// Payments of the provider's that no id of ours names.
    pub(super) payments_foreign: u64,
    /// Money that the compared payments moved, by currency, in minor units.
    pub(super) money: BTreeMap<String, Totals>,
    evidence: Vec<Evidence>,
    not_checked: Vec<NotChecked>,
    /// Whether something that was to be asked is away.
    away: bool,
}

impl Report {
    /// Whether everything that was checked holds, and no saga is stuck.
    pub(crate) const fn holds(&self) -> bool {
        self.violations == 0 && self.stuck == 0
    }

    /// How a verb ends that brings this.
    pub(crate) const fn ended(&self) -> Ended {
        match (self.holds(), self.away) {
            (false, _) => Ended::No,
            (true, true) => Ended::Away,
            (true, false) => Ended::Done,
        }
    }

    /// So much more was looked at.
    pub(crate) fn checked(&mut self, check: &'static str, of: &'static str, count: u64) {
        let line = self.checks.entry(check).or_default();
        line.checked += count;
        line.of = of;
    }

    /// Counts what does not hold, and keeps the first of it.
    pub(crate) fn violated(&mut self, check: &'static str, what: String) {
        self.checks.entry(check).or_default().violations += 1;
        self.violations += 1;
        self.show(Kind::Violation, check, what);
    }

    /// The same of a record.
    pub(super) fn violated_at(&mut self, check: &'static str, at: Position, what: &str) {
        self.violated(check, format!("{at}: {what}"));
    }

    /// What a check over events found.
    pub(super) fn add(&mut self, finding: &Finding) {
        let check = finding.check.name();
        let at = finding.position.map_or_else(String::new, |at| format!(" at {at}"));
        let what = format!("{} v{}{at}: {}", finding.stream, finding.version, finding.what);
        match finding.kind {
            Kind::Violation => return self.violated(check, what),
            Kind::Stuck => self.stuck += 1,
            Kind::SettledByHand => self.settled_by_hand += 1,
            Kind::Waiting => {}
        }
        self.show(finding.kind, check, what);
    }

    /// How many bookings were judged, and why the others were not.
    pub(super) fn bookings(&mut self, counts: BookingCounts) {
        let BookingCounts { judged, under_way, waiting, stuck } = counts;
        self.checked("bookings", domain::invariants::Check::Bookings.unit(), judged);
        self.bookings_under_way = under_way;
        self.bookings_waiting = waiting;
        self.bookings_stuck = stuck;
    }

    /// Something was another one each time that it was looked at, so that nothing is said of it.
    pub(super) fn moving(&mut self, count: usize) {
        self.moving += count as u64;
    }

    /// Says that something was not checked.
    pub(super) fn not_checked(&mut self, check: impl Into<String>, reason: impl Into<String>) {
        self.not_checked.push(NotChecked { check: check.into(), reason: reason.into() });
    }

    /// Says that something was not checked because it is away.
    pub(super) fn away(&mut self, check: impl Into<String>, reason: impl Into<String>) {
        self.away = true;
        self.not_checked(check, reason);
    }

    fn show(&mut self, kind: Kind, check: &'static str, what: String) {
        let of = |shown: &&Evidence| (shown.kind, shown.check) == (kind, check);
        if self.evidence.iter().filter(of).count() < EVIDENCE_MAX {
            self.evidence.push(Evidence { kind, check, what });
        }
    }

    /// Prints it.
    pub(crate) fn print(&self, format: Format, open: &OpenLog, read: &PositionVector) {
        match format {
            Format::Json => {
                let (log_id, holds) = (open.log.topology().log_id, self.holds());
                output::say(format_args!(
                    "{:#}",
                    json!({ "log_id": log_id, "up_to": read, "holds": holds, "findings": self })
                ));
            }
            Format::Table => output::tell(format_args!("{}", self.text())),
        }
    }

    fn text(&self) -> String {
        let Self { records, events, streams, partitions, .. } = self;
        let mut text = format!(
            "{records} records, {events} events in {streams} streams and {partitions} \
             partitions\n\n"
        );
        let rows = self.checks.iter().map(|(check, line)| {
            let cells = [(*check).to_owned(), line.checked.to_string(), line.of.to_owned()];
            cells.into_iter().chain([line.violations.to_string()]).collect()
        });
        let rows: Vec<Vec<String>> = rows.collect();
        text += &output::table(&["check", "checked", "of", "violations"], &rows);
        for (currency, money) in &self.money {
            let Totals { payments, captured_log, refunded_log, .. } = money;
            let (captured, refunded) = (money.captured_provider, money.refunded_provider);
            text += &format!(
                "\n{currency}, {payments} payments, minor units: captured {captured_log} (log), \
                 {captured} (provider); refunded {refunded_log} (log), {refunded} (provider)"
            );
        }
        text += "\n";
        for (count, of) in [
            (self.bookings_under_way, "bookings are under way: a saga works on them"),
            (self.bookings_waiting, "bookings wait for the provider, or for their saga to begin"),
            (self.bookings_stuck, "bookings are not judged: their saga is stuck"),
            (self.payments_under_way, "payments wait for the provider, and were not compared"),
            (self.payments_foreign, "payments of the provider's are not named as ours are"),
            (self.moving, "things changed whenever they were looked at: nothing is said of them"),
        ] {
            if count > 0 {
                text += &format!("{count} {of}\n");
            }
        }
        for NotChecked { check, reason } in &self.not_checked {
            text += &format!("not checked: {check}: {reason}\n");
        }
        for Evidence { kind, check, what } in &self.evidence {
            let kind = match kind {
                Kind::Violation => "violation",
                Kind::Stuck => "stuck",
                Kind::SettledByHand => "settled by hand",
                Kind::Waiting => "waiting",
            };
            text += &format!("{kind}: {check}: {what}\n");
        }
        let (violations, stuck) = (self.violations, self.stuck);
        let verdict = if self.holds() { "everything that was checked holds" } else { "NOT whole" };
        text + &format!("{verdict}: {violations} violations, {stuck} stuck sagas\n")
    }
}
