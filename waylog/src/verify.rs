//! `waylog verify`: checks everything that must hold over the whole log, its read models and the
//! payment provider's book, and says how much was checked.
//!
//! Safe beside a running server: nothing is written, and what holds only between streams is judged,
//! read on about, and judged again, until it is found again unchanged. Then everything that it
//! follows from was read, and it is no accident of the order in which partitions were.

mod provider;
mod read_models;
mod records;
mod report;

use std::collections::BTreeSet;

use clap::Args;
use domain::PositionVector;
use domain::invariants::{Books, Check, Finding, Invariants, Judgement, Kind};
use event_log::LogRecord;
use lanes::{SystemClock, WallClock as _};
use tokio::runtime::Runtime;

use crate::log::{self, OpenLog, Use};
use crate::output::{Ended, Format};
use crate::reading;
use crate::settings::{ConnectorsSection, Places};
use provider::{Came, Ledger};
use records::Records;
pub(crate) use report::Report;

/// How often what was found is looked at again, until it stands still.
const ROUNDS_MAX: usize = 5;

/// What to verify.
#[derive(Debug, Args)]
pub(crate) struct Question {
    /// How to print the result
    #[arg(long, value_enum, default_value_t)]
    output: Format,
    #[command(flatten)]
    places: Places,
    #[command(flatten)]
    connectors: ConnectorsSection,
}

/// Checks everything and prints what was found; the answer is no when anything does not hold.
///
/// # Errors
/// When log or read models cannot be read.
pub(crate) fn run(question: &Question) -> anyhow::Result<Ended> {
    let open = log::open(&question.places, Use::Read)?;
    let (report, read) = check(&open, &question.places, &question.connectors)?;
    report.print(question.output, &open, &read);
    Ok(report.ended())
}

/// Checks everything; what was found, and how far the log was read. Blocks: call it from a thread
/// of its own, never from a runtime's.
///
/// # Errors
/// When log or read models cannot be read.
pub(crate) fn check(
    open: &OpenLog,
    places: &Places,
    connectors: &ConnectorsSection,
) -> anyhow::Result<(Report, PositionVector)> {
    let ledger = Ledger::of(places, connectors)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut pass = Pass::new(open);
    pass.go_on()?;
    let rest = pass.rest(&ledger, &runtime)?;
    let (mut report, invariants, read) = pass.finish();
    told(&invariants, rest, &ledger, &mut report);
    runtime.block_on(read_models::check(places, open, &mut report))?;
    Ok((report, read))
}

/// Checks the records alone: versions, hash chains, sequences, epochs; and how far was read.
///
/// # Errors
/// When the log cannot be read.
pub(crate) fn check_log(open: &OpenLog) -> anyhow::Result<(Report, PositionVector)> {
    let (mut records, mut report) = (Records::new(&open.codec), Report::default());
    let read = reading::scan(&*open.log, &[], |record| {
        records.read(&record, &mut report);
        Ok(())
    })?;
    (report.streams, report.partitions) = records.counts();
    Ok((report, read))
}

/// One reading of the log, which goes on whenever it is asked to.
struct Pass<'a> {
    open: &'a OpenLog,
    records: Records<'a>,
    invariants: Invariants,
    report: Report,
    read: PositionVector,
}

/// What is found at rest.
#[derive(Default)]
struct Rest {
    judgement: Judgement,
    provider: Option<Came>,
}

/// What was found again unchanged, and how much was not.
struct Settled {
    rest: Rest,
    confirmed: BTreeSet<Finding>,
    moving: usize,
}

impl<'a> Pass<'a> {
    fn new(open: &'a OpenLog) -> Self {
        Self {
            open,
            records: Records::new(&open.codec),
            invariants: Invariants::default(),
            report: Report::default(),
            read: PositionVector::empty(),
        }
    }

    /// Reads to where the log ends now.
    fn go_on(&mut self) -> anyhow::Result<()> {
        let Self { open, records, invariants, report, read } = self;
        reading::go_on(&*open.log, &[], read, |record| {
            let happened = records.read(&record, report);
            if let (LogRecord::Event(event), Some(happened)) = (&record, happened) {
                let found = invariants.read(event.position, &event.envelope, &happened);
                found.iter().for_each(|finding| report.add(finding));
            }
            Ok(())
        })
    }

    fn judge(&self, ledger: &Ledger, runtime: &Runtime) -> anyhow::Result<Rest> {
        let judgement = self.invariants.judge(SystemClock.now());
        Ok(Rest { judgement, provider: ledger.compare(&self.invariants, runtime)? })
    }

    /// Judges until nothing is found, or what is found is found again.
    fn rest(&mut self, ledger: &Ledger, runtime: &Runtime) -> anyhow::Result<Settled> {
        let mut rest = self.judge(ledger, runtime)?;
        let mut found = rest.found();
        let mut confirmed = BTreeSet::new();
        for _ in 0..ROUNDS_MAX {
            if found == confirmed {
                break;
            }
            self.go_on()?;
            rest = self.judge(ledger, runtime)?;
            let again = rest.found();
            confirmed = found.intersection(&again).cloned().collect();
            found = again;
        }
        let moving = found.len() - confirmed.len();
        Ok(Settled { rest, confirmed, moving })
    }

    fn finish(self) -> (Report, Invariants, PositionVector) {
        let Self { records, invariants, mut report, read, .. } = self;
        (report.streams, report.partitions) = records.counts();
        (report, invariants, read)
    }
}

impl Rest {
    /// Everything that would be told, but for what only waits.
    fn found(&self) -> BTreeSet<Finding> {
        let books = match &self.provider {
            Some(Came::Compared(compared)) => &compared.books.found[..],
            Some(Came::Away(_)) | None => &[],
        };
        let found = self.judgement.found.iter().chain(books);
        found.filter(|finding| finding.kind != Kind::Waiting).cloned().collect()
    }
}

/// Writes into the report what was found at rest, and how much was looked at.
fn told(invariants: &Invariants, settled: Settled, ledger: &Ledger, report: &mut Report) {
    let Settled { rest: Rest { judgement, provider }, confirmed, moving } = settled;
    let Judgement { found, bookings, open_holds } = judgement;
    for check in Check::ALL {
        if let Some(count) = invariants.checked(*check) {
            report.checked(check.name(), check.unit(), count);
        }
    }
    report.checked(Check::Holds.name(), Check::Holds.unit(), open_holds);
    report.bookings(bookings);
    confirmed.iter().for_each(|finding| report.add(finding));
    let waiting = found.iter().filter(|finding| finding.kind == Kind::Waiting);
    waiting.for_each(|finding| report.add(finding));
    report.moving(moving);
    let name = Check::Provider.name();
    match (provider, ledger) {
        (Some(Came::Compared(compared)), _) => {
            let Books { totals, compared: count, under_way, .. } = compared.books;
            report.checked(name, Check::Provider.unit(), count);
            report.money = totals;
            report.payments_under_way = under_way;
            report.payments_foreign = compared.foreign;
        }
        (Some(Came::Away(code)), _) => {
            report.away(name, format!("the provider does not answer ({code})"));
        }
        (None, Ledger::Nowhere(reason)) => report.not_checked(name, reason.clone()),
        (None, Ledger::Api(_) | Ledger::File(_)) => {}
    }
}
