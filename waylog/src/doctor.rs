//! `waylog doctor`: opens everything that the settings name and says of each whether it works, what
//! it means, and what to do when it does not.

use std::time::{Duration, Instant};

use clap::Args;
use event_log::{EventLog, ShardId, ShardOwner};
use lanes::LaneSettings;
use read_models::ProjectionState;
use serde_json::json;

use crate::log::{self, Use};
use crate::output::{Ended, Format, table};
use crate::settings::{Mode, Settings};
use crate::stores;

/// How long the directory of owners may take to fill.
const DIRECTORY_WAIT: Duration = Duration::from_secs(2);

/// What to look at; takes the same flags and variables as `serve`.
#[derive(Debug, Args)]
pub(crate) struct Question {
    /// How to print the result
    #[arg(long, value_enum, default_value_t)]
    output: Format,
    #[command(flatten)]
    settings: Settings,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Good,
    Note,
    Bad,
}

impl Verdict {
    const fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Note => "note",
            Self::Bad => "bad",
        }
    }
}

struct Finding {
    what: &'static str,
    verdict: Verdict,
    says: String,
}

/// Looks at everything and prints what was found; the answer is no when anything is bad.
///
/// # Errors
/// When the settings contradict themselves.
pub(crate) fn run(question: &Question) -> anyhow::Result<Ended> {
    question.settings.places.mode()?;
    let mut findings = Vec::new();
    look_at_log(&question.settings, &mut findings);
    look_at_read_store(&question.settings, &mut findings)?;
    look_at_keys(&question.settings, &mut findings)?;
    match question.output {
        Format::Json => {
            let findings: Vec<_> = findings
                .iter()
                .map(|f| json!({ "what": f.what, "verdict": f.verdict.name(), "says": f.says }))
                .collect();
            crate::output::say(format_args!("{:#}", json!({ "findings": findings })));
        }
        Format::Table => {
            let rows: Vec<Vec<String>> = findings
                .iter()
                .map(|f| vec![f.what.to_owned(), f.verdict.name().to_owned(), f.says.clone()])
                .collect();
            crate::output::tell(format_args!("{}", table(&["what", "is", "because"], &rows)));
        }
    }
    let bad = findings.iter().any(|finding| finding.verdict == Verdict::Bad);
    Ok(if bad { Ended::No } else { Ended::Done })
}

fn look_at_log(settings: &Settings, findings: &mut Vec<Finding>) {
    let mut found = |what, verdict, says| findings.push(Finding { what, verdict, says });
    let open = match log::open(&settings.places, Use::Read) {
        Ok(open) => open,
        Err(error) => return found("log", Verdict::Bad, format!("{error:#}")),
    };
    let topology = open.log.topology();
    found(
        "log",
        Verdict::Good,
        format!(
            "{} with {} partitions in {} shards",
            topology.log_id, topology.partitions, topology.shards
        ),
    );
    let durability = open.log.durability();
    let verdict = if durability.survives_power_cut { Verdict::Good } else { Verdict::Note };
    found("durability", verdict, durability.description);
    let skew_max = LaneSettings::default().clock_skew_max;
    match open.log.clock_skew_micros() {
        Ok(micros) if Duration::from_micros(micros.unsigned_abs()) > skew_max => found(
            "clock",
            Verdict::Bad,
            format!("{micros} µs ahead of the log's; lanes do not serve: correct the clock"),
        ),
        Ok(micros) => found("clock", Verdict::Good, format!("{micros} µs ahead of the log's")),
        Err(error) => found("clock", Verdict::Bad, error.to_string()),
    }
    for shard in topology.all_shards() {
        match owner_of(&*open.log, shard) {
            Some(owner) if !owner.address.is_empty() => {
                let says = format!("last opened by {} (epoch {})", owner.address, owner.epoch);
                found("shard", Verdict::Good, format!("{shard}: {says}"));
            }
            Some(owner) => {
                let says = format!("{shard}: last opened under epoch {}", owner.epoch);
                found("shard", Verdict::Good, says);
            }
            None => found("shard", Verdict::Note, format!("{shard}: nobody has opened it yet")),
        }
    }
}

/// Who owns the shard; the directory of a log that was just opened fills within moments.
fn owner_of(log: &dyn EventLog, shard: ShardId) -> Option<ShardOwner> {
    let deadline = Instant::now() + DIRECTORY_WAIT;
    loop {
        let owner = log.owner(shard);
        if owner.is_some() || Instant::now() > deadline {
            return owner;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn look_at_read_store(settings: &Settings, findings: &mut Vec<Finding>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let looked = runtime.block_on(async { stores::look(&settings.places) });
    let stores = match looked {
        Ok(stores) => stores,
        Err(error) => {
            let says = format!("{error:#}");
            findings.push(Finding { what: "read models", verdict: Verdict::Bad, says });
            return Ok(());
        }
    };
    let named =
        [("read models", Some(stores.main)), ("mysql", stores.mysql), ("redis", stores.redis)];
    for (what, store) in named {
        let Some(store) = store else { continue };
        let (verdict, says) = match runtime.block_on(store.generations()) {
            Ok(states) => (Verdict::Good, live_models(&states)),
            // Nothing is there alone: the server database answers meanwhile.
            Err(error) if what == "redis" => {
                (Verdict::Note, format!("{error}; its copies are answered from PostgreSQL"))
            }
            Err(error) => (Verdict::Bad, format!("{error:#}")),
        };
        findings.push(Finding { what, verdict, says });
    }
    Ok(())
}

fn look_at_keys(settings: &Settings, findings: &mut Vec<Finding>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let census = runtime.block_on(async {
        let keyring = stores::keyring_to_read(&settings.places)?;
        anyhow::Ok(keyring.census().await?)
    });
    let file = settings.places.data_dir.join(stores::KEYS_FILE);
    let embedded = settings.places.mode()? == Mode::Embedded;
    let (verdict, says) = match census {
        Ok(census) => (
            Verdict::Good,
            format!("{} persons have one, {} were forgotten", census.keys, census.forgotten),
        ),
        Err(_) if embedded && !file.exists() => (
            Verdict::Note,
            format!(
                "{} is not there: serve makes it for a new log, and does not start without it \
                 where the log has events",
                file.display()
            ),
        ),
        Err(error) => (Verdict::Bad, format!("{error:#}; personal data cannot be read or taken")),
    };
    findings.push(Finding { what: "keys", verdict, says });
    Ok(())
}

fn live_models(states: &[ProjectionState]) -> String {
    let live: Vec<String> = states
        .iter()
        .filter(|state| state.live)
        .map(|state| {
            format!("{} (generation {})", state.generation.projection, state.generation.number)
        })
        .collect();
    format!("{} projections live: {}", live.len(), live.join(", "))
}
