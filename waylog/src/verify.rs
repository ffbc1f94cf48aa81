//! `waylog verify`: checks over the whole log what must hold at every prefix of it, and says how
//! much was checked.
//!
//! Of every stream: versions are 1..n, the hash chain holds, every event can be read, and the fold
//! accepts it. Of every partition: sequences are 1..n and epochs never go back. Read models are
//! compared by `waylog projection verify`.

use std::collections::BTreeMap;

use clap::Args;
use domain::{Digest, PositionVector, State, StreamName};
use event_log::hash_chain::HashChain;
use event_log::{Codec, LogEvent, LogRecord};
use serde::Serialize;
use serde_json::json;

use crate::log::{self, OpenLog, Use};
use crate::output::{Ended, Format};
use crate::reading;
use crate::settings::Places;

/// How many violations are shown; all are counted.
const EVIDENCE_MAX: usize = 20;

/// What to verify.
#[derive(Debug, Args)]
pub(crate) struct Question {
    /// How to print the result
    #[arg(long, value_enum, default_value_t)]
    output: Format,
    #[command(flatten)]
    places: Places,
}

#[derive(Default)]
struct Partition {
    sequence: u64,
    epoch: i64,
}

struct Stream {
    version: u64,
    hash: Digest,
    state: Option<State>,
}

/// What was checked, and what does not hold.
#[derive(Default, Serialize)]
pub(crate) struct Findings {
    records: u64,
    events: u64,
    streams: usize,
    partitions: usize,
    pub(crate) violations: u64,
    pub(crate) evidence: Vec<String>,
}

impl Findings {
    /// Counts what does not hold, and keeps the first of it.
    pub(crate) fn violated(&mut self, evidence: String) {
        self.violations += 1;
        if self.evidence.len() < EVIDENCE_MAX {
            self.evidence.push(evidence);
        }
    }
}

/// The checks, fed with records in order of each partition.
struct Checks<'a> {
    codec: &'a Codec,
    chain: HashChain,
    partitions: BTreeMap<u32, Partition>,
    streams: BTreeMap<StreamName, Stream>,
    findings: Findings,
}

impl<'a> Checks<'a> {
    fn new(codec: &'a Codec) -> Self {
        Self {
            codec,
            chain: HashChain::default(),
            partitions: BTreeMap::new(),
            streams: BTreeMap::new(),
            findings: Findings::default(),
        }
    }

    fn check(&mut self, record: &LogRecord) {
        self.findings.records += 1;
        match record {
            LogRecord::Event(event) => {
                self.findings.events += 1;
                self.partition(event);
                self.stream(event);
            }
            LogRecord::Opened(opened) => self.epoch(opened.position.partition, opened.epoch),
            LogRecord::Unreadable(record) => {
                let position = record.position;
                self.findings.violated(format!("{position}: unreadable: {}", record.reason));
            }
        }
    }

    fn epoch(&mut self, partition: u32, epoch: i64) {
        let known = self.partitions.entry(partition).or_default();
        if epoch < known.epoch {
            let evidence = format!("partition {partition}: epoch {epoch} after {}", known.epoch);
            self.findings.violated(evidence);
        }
        known.epoch = known.epoch.max(epoch);
    }

    fn partition(&mut self, event: &LogEvent) {
        let (position, sequence) = (event.position, event.envelope.sequence);
        self.epoch(position.partition, event.envelope.epoch);
        let known = self.partitions.entry(position.partition).or_default();
        if sequence != known.sequence + 1 {
            let evidence = format!("{position}: sequence {sequence} after {}", known.sequence);
            self.findings.violated(evidence);
        }
        known.sequence = sequence;
    }

    fn stream(&mut self, event: &LogEvent) {
        let (position, envelope) = (event.position, &event.envelope);
        let stream = self.streams.entry(envelope.stream).or_insert_with(|| Stream {
            version: 0,
            hash: Digest::default(),
            state: Some(State::initial(envelope.stream.category)),
        });
        let at = format!("{position}: {}", envelope.stream);
        if envelope.version != stream.version + 1 {
            let (version, last) = (envelope.version, stream.version);
            self.findings.violated(format!("{at}: version {version} after {last}"));
        }
        if !self.chain.follows(&stream.hash, event) {
            self.findings.violated(format!("{at}: the hash chain breaks here"));
        }
        match self.codec.decode(&envelope.event_type, &event.value) {
            Ok(decoded) => stream.state = stream.state.take().map(|s| s.evolve(&decoded)),
            Err(error) => self.findings.violated(format!("{at}: {error}")),
        }
        (stream.version, stream.hash) = (envelope.version, envelope.hash);
    }

    fn finish(mut self) -> Findings {
        self.findings.streams = self.streams.len();
        self.findings.partitions = self.partitions.len();
        self.findings
    }
}

/// Checks the log and prints what was found; the answer is no when anything does not hold.
///
/// # Errors
/// When the log cannot be read.
pub(crate) fn run(question: &Question) -> anyhow::Result<Ended> {
    let open = log::open(&question.places, Use::Read)?;
    let (findings, read) = check_log(&open)?;
    print(question.output, &open, &read, &findings);
    Ok(if findings.violations == 0 { Ended::Done } else { Ended::No })
}

/// Checks the whole log; what was found, and how far was read.
///
/// # Errors
/// When the log cannot be read.
pub(crate) fn check_log(open: &OpenLog) -> anyhow::Result<(Findings, PositionVector)> {
    let mut checks = Checks::new(&open.codec);
    let read = reading::scan(&*open.log, &[], |record| {
        checks.check(&record);
        Ok(())
    })?;
    Ok((checks.finish(), read))
}

/// Prints what was found.
pub(crate) fn print(output: Format, open: &OpenLog, read: &PositionVector, findings: &Findings) {
    match output {
        Format::Json => {
            let log_id = open.log.topology().log_id;
            crate::output::say(format_args!(
                "{:#}",
                json!({ "log_id": log_id, "up_to": read, "findings": findings })
            ));
        }
        Format::Table => {
            crate::output::say(format_args!(
                "{} records, {} events in {} streams and {} partitions: {} violations",
                findings.records,
                findings.events,
                findings.streams,
                findings.partitions,
                findings.violations
            ));
            findings
                .evidence
                .iter()
                .for_each(|evidence| crate::output::say(format_args!("  {evidence}")));
        }
    }
}
