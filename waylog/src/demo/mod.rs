//! `waylog demo`: plays journeys through the API of a system of its own, or of one that runs, and
//! tells what happened: how every booking ended, the story of one, the saga of another, and whether
//! everything holds.
//!
//! Every booking has to end, as it has to: the answer is no when one does not.
//!
//! Bookings that expire are played last, on the same system with less time for each: with little
//! time for all, a busy machine would be too slow for those that are to be bought.

mod journey;
mod story;
mod system;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use clap::Args;
use futures::future::join_all;
use futures::{StreamExt as _, stream};
use service_kit::shutdown::signalled;
use tokio_util::sync::CancellationToken;

use self::journey::{Ended as Journeyed, Kind};
use self::system::System;
use crate::api::Api;
use crate::log::{self, Use};
use crate::output::{Ended, Format, complain, say, table, tell};
use crate::progress::Progress;
use crate::settings::{ConnectorsSection, Places};
use crate::stage::Stage;
use crate::{saga, verify};

/// Things for sale that have room for everybody.
const OFFERS: u64 = 24;
/// How long a booking has to be paid where it is to expire: far less than until a silent card is
/// heard of.
const SHORT_DEADLINE_SECONDS: u32 = 1;
/// How long a silent card is waited for. One that was never asked for money is not heard of.
const HEARD_MAX: Duration = Duration::from_secs(8);
/// Surprises that are shown; all are counted.
const SHOWN_MAX: usize = 20;

/// What to play.
#[derive(Debug, Args)]
pub(crate) struct Question {
    /// How many bookings
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    bookings: u64,
    /// A system that runs already (http://...), with the development identity; without it, one of
    /// its own in this process. How long a booking has to be paid is that system's own: there none
    /// is played that expires, one is bought with a slow card in its stead
    #[arg(long, value_name = "URL")]
    against: Option<String>,
    /// Where the system of its own keeps its data, which then stays; with --against, where that
    /// system's is, unless the environment says
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Journeys at one time
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=256))]
    concurrency: u16,
    /// Seconds after which a booking counts as one that does not end
    #[arg(long, default_value_t = 120, value_parser = clap::value_parser!(u64).range(1..=3600))]
    patience_seconds: u64,
}

/// A journey by its number, and what happens on it.
type Journey = (u64, Kind);

/// What was played.
struct Played {
    asked: u64,
    ended: Vec<Journeyed>,
    /// What did not end, or not as it had to.
    surprises: Vec<String>,
    surprises_total: usize,
    took: Duration,
}

/// Plays, tells and checks; the answer is no when a booking did not end as it had to, or something
/// does not hold.
///
/// # Errors
/// When the system is away or stops, or its log cannot be read.
pub(crate) fn run(question: &Question) -> anyhow::Result<Ended> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    // Listened to from the beginning, whatever runs or is about to.
    let asked = CancellationToken::new();
    let listening = asked.clone();
    runtime.spawn(async move {
        if signalled().await.is_ok() {
            listening.cancel();
        }
    });
    let (system, played) = runtime.block_on(demonstrate(question, &asked))?;
    for surprise in &played.surprises {
        complain(format_args!("{surprise}"));
    }
    let (places, connectors) = (system.places, system.connectors);
    let proving = runtime.spawn_blocking(move || proof(&places, &connectors));
    let proved = runtime.block_on(async {
        tokio::select! {
            proved = proving => proved.context("the proof died")?,
            () = asked.cancelled() => bail!("it was stopped before everything was proved"),
        }
    });
    runtime.shutdown_background();
    let proved = proved?;
    Ok(if played.surprises_total == 0 { proved } else { Ended::No })
}

async fn demonstrate(
    question: &Question,
    asked: &CancellationToken,
) -> anyhow::Result<(System, Played)> {
    let mut system = match &question.against {
        Some(url) => System::running(url, question.data_dir.clone(), asked).await?,
        None => System::own(question.data_dir.as_deref(), asked).await?,
    };
    let place = match (&question.against, &question.data_dir) {
        (Some(_), _) => String::new(),
        (None, Some(dir)) => format!(", of its own, in {}", dir.display()),
        (None, None) => {
            format!(", of its own, in {} for now", system.places.data_dir.display())
        }
    };
    say(format_args!("{} bookings at {}{place}\n", question.bookings, system.url));
    let (patience, url) = (Duration::from_secs(question.patience_seconds), system.url.clone());
    let (late, in_time): (Vec<Journey>, Vec<Journey>) =
        question.journeys().partition(|(_, kind)| *kind == Kind::Expired);
    let (bookings, concurrency) = (question.bookings, question.concurrency.into());
    let mut played = Played::of(bookings);
    let playing = async {
        let stage = Stage::set(Api::new(&url)?, OFFERS, bookings, patience).await?;
        let forgotten = (bookings / 100 + 1).min(10);
        let holds = stream::iter(0..forgotten).map(|number| stage.forgotten_hold(number));
        let holds = holds.buffer_unordered(concurrency).collect::<Vec<_>>();
        let (holds, ()) = tokio::join!(holds, played.play(&stage, &in_time, concurrency));
        for error in holds.into_iter().filter_map(Result::err) {
            played.surprised(format!("{error:#}"));
        }
        anyhow::Ok(stage)
    };
    let mut stage = system.during(playing).await?;
    if !late.is_empty() {
        system.start_again(SHORT_DEADLINE_SECONDS).await?;
        stage = stage.moved(Api::new(&system.url)?);
        let (count, url) = (late.len(), &system.url);
        say(format_args!("{count} of them with {SHORT_DEADLINE_SECONDS} s to be paid, at {url}\n"));
        let playing = async {
            played.play(&stage, &late, concurrency).await;
            played.heard(&stage).await;
            anyhow::Ok(())
        };
        system.during(playing).await?;
    }
    totals(&played);
    system.during(examples(&stage, &played)).await?;
    system.stop().await?;
    Ok((system, played))
}

impl Question {
    /// Which journeys are played.
    fn journeys(&self) -> impl Iterator<Item = Journey> {
        let own = self.against.is_none();
        let kind = move |number| if own { Kind::of(number) } else { Kind::of(number).in_time() };
        (0..self.bookings).map(move |number| (number, kind(number)))
    }
}

impl Played {
    fn of(bookings: u64) -> Self {
        Self {
            asked: bookings,
            ended: Vec::new(),
            surprises: Vec::new(),
            surprises_total: 0,
            took: Duration::ZERO,
        }
    }

    /// Plays those journeys to their ends, so many at one time.
    async fn play(&mut self, stage: &Stage, journeys: &[Journey], concurrency: usize) {
        let begin = Instant::now();
        let mut progress = Progress::of(u64::try_from(journeys.len()).ok(), "bookings");
        let each = |(number, kind): &Journey| {
            let (number, kind) = (*number, *kind);
            async move { (number, kind, journey::play(stage, number, kind).await) }
        };
        let mut playing = stream::iter(journeys).map(each).buffer_unordered(concurrency);
        let mut over = 0;
        while let Some((number, kind, ended)) = playing.next().await {
            over += 1;
            match ended {
                Ok(ended) => {
                    if let Some(surprise) = kind.surprise(&ended) {
                        self.surprised(surprise);
                    }
                    self.ended.push(ended);
                }
                Err(error) => {
                    self.surprised(format!("journey {number}, {}: {error:#}", kind.name()));
                }
            }
            progress.at(over, format!("{} surprises", self.surprises_total));
        }
        progress.end();
        self.took += begin.elapsed();
    }

    /// Waits until the money of bookings that have expired was heard of, and given back.
    async fn heard(&self, stage: &Stage) {
        let late = self.ended.iter().filter(|ended| ended.kind == Kind::Expired);
        let heard = join_all(late.map(|ended| journey::given_back(stage, ended.id)));
        match tokio::time::timeout(HEARD_MAX, heard).await {
            Ok(heard) => {
                for error in heard.into_iter().filter_map(Result::err).take(SHOWN_MAX) {
                    complain(format_args!("{error:#}"));
                }
            }
            Err(_) => complain(format_args!(
                "the money of some bookings that expired was not heard of within {} s",
                HEARD_MAX.as_secs()
            )),
        }
    }

    fn surprised(&mut self, surprise: String) {
        self.surprises_total += 1;
        if self.surprises.len() < SHOWN_MAX {
            self.surprises.push(surprise);
        }
    }
}

/// How the bookings ended, and where the money is.
fn totals(played: &Played) {
    let mut by_kind: BTreeMap<(Kind, &str), (u64, i64)> = BTreeMap::new();
    let mut by_status: BTreeMap<&str, u64> = BTreeMap::new();
    for ended in &played.ended {
        let (count, kept) = by_kind.entry((ended.kind, &ended.status)).or_default();
        *count += 1;
        *kept += ended.captured - ended.refunded;
        *by_status.entry(&ended.status).or_default() += 1;
    }
    let rows: Vec<Vec<String>> = by_kind
        .into_iter()
        .map(|((kind, status), (count, kept))| {
            vec![kind.name().to_owned(), count.to_string(), status.to_owned(), euros(kept)]
        })
        .collect();
    tell(format_args!("{}", table(&["journey", "bookings", "ended", "kept"], &rows)));
    let sum = |part: fn(&Journeyed) -> i64| played.ended.iter().map(part).sum::<i64>();
    let (captured, refunded) = (sum(|ended| ended.captured), sum(|ended| ended.refunded));
    let statuses: Vec<String> =
        by_status.iter().map(|(status, count)| format!("{count} {status}")).collect();
    let seconds = played.took.as_secs_f64();
    say(format_args!(
        "\n{} of {} ended in {seconds:.1} s: {}",
        played.ended.len(),
        played.asked,
        statuses.join(", ")
    ));
    say(format_args!(
        "taken {}, returned {}, kept {}",
        euros(captured),
        euros(refunded),
        euros(captured - refunded)
    ));
}

#[expect(clippy::cast_precision_loss, reason = "an amount for people")]
fn euros(cents: i64) -> String {
    format!("{:.2} EUR", cents as f64 / 100.0)
}

/// The story of a trip, and the saga of one that was undone.
async fn examples(stage: &Stage, played: &Played) -> anyhow::Result<()> {
    let of = |kinds: &[Kind]| {
        kinds.iter().find_map(|kind| played.ended.iter().find(|ended| ended.kind == *kind))
    };
    if let Some(trip) = of(&[Kind::BoughtWhole, Kind::Bought]) {
        let path = format!("/v1/audit/correlations/{}", trip.correlation);
        let complete = |story: &serde_json::Value| story.to_string().contains("saga-completed");
        let story = stage.until(&path, complete).await?;
        say(format_args!("\nThe story of booking {} ({path}):\n", trip.id));
        tell(format_args!("{}", story::told(&story)));
    }
    let undone = of(&[Kind::Declined, Kind::SoldOut, Kind::PriceChanged, Kind::Cancelled]);
    if let Some((trip, saga_id)) = undone.and_then(|trip| Some((trip, trip.saga_id?))) {
        let path = format!("/v1/sagas/{saga_id}");
        let shown = stage.get(&path).await?;
        say(format_args!("\nThe saga of booking {}, {} ({path}):\n", trip.id, trip.kind.name()));
        tell(format_args!("{}", saga::told(&shown)));
    }
    Ok(())
}

/// Whether everything holds, over the whole log, the read models and the provider's book.
fn proof(places: &Places, connectors: &ConnectorsSection) -> anyhow::Result<Ended> {
    let open = log::open(places, Use::Read)?;
    let (report, read) = verify::check(&open, places, connectors)?;
    say(format_args!("\nverify:"));
    report.print(Format::Table, &open, &read);
    Ok(report.ended())
}
