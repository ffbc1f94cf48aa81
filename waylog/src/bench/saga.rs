//! `waylog bench saga`: whole bookings, from the request to the confirmation.
//!
//! Buyers each request a booking, wait until it is confirmed, and request the next. How long a
//! booking took is told by its own events (`booking-requested` to `booking-confirmed`), so that
//! nothing is charged to it that the buyer did to learn of it. Buyers ask the read model, first
//! when half of the bookings so far were through, and then so seldom that the asking costs little.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use domain::Timestamp;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::api::Api;
use crate::server::ServerArgs;
use crate::stage::{Sale, Stage, Traveller, line};

/// How long a booking may take.
const PATIENCE: Duration = Duration::from_secs(120);
/// Offers over which single buyers spread.
const OFFERS: u64 = 16;
/// Requests on their way at one time, where nothing is measured.
const ASIDE: usize = 32;
/// Bookings of one part whose events are looked at.
const LOOKED_AT_MAX: usize = 1_000;
/// The method that everybody pays with.
const CARD: &str = "card_approved";

/// How many buyers, and for how long.
#[derive(Debug, clap::Args)]
pub(crate) struct Load {
    #[command(flatten)]
    server: ServerArgs,
    /// Buyers at one time, one part of the run for each
    #[arg(long, value_delimiter = ',', default_value = "1,4,16,64")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=1000))]
    buyers: Vec<u16>,
    /// Seconds of each part
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,
    /// Buyers who want one place each of the same offer, all at once; 0 for none
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u16).range(0..=2000))]
    crowd: u16,
    /// How many places that offer has
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=2000))]
    seats: u16,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What came of one part.
#[derive(Debug, Serialize)]
struct Part {
    buyers: u16,
    confirmed: usize,
    /// Confirmed bookings per second, from the first request to the last confirmation.
    per_second: f64,
    p50_ms: f64,
    p99_ms: f64,
    /// Of the time from request to confirmation, what passed between asking the provider and
    /// having its answer recorded.
    provider_share: f64,
    /// Medians of the time from one milestone to the next, by the later one.
    phases_p50_ms: BTreeMap<&'static str, f64>,
}

/// What came of the crowd.
#[derive(Debug, Serialize)]
struct Crowd {
    buyers: u16,
    seats: u16,
    confirmed: usize,
    sold_out: usize,
    /// From the first request to the last confirmation.
    sold_after_ms: f64,
    /// And to the last rejection.
    over_after_ms: f64,
}

/// When a booking passed which milestone.
struct Times(BTreeMap<&'static str, Timestamp>);

/// The milestones, in their order: event types.
const MILESTONES: [&str; 11] = [
    "booking-requested",
    "saga-started",
    "offer-held",
    "booking-held",
    "payment-requested",
    "payment-authorized",
    "offer-allocated",
    "itinerary-booking-attached",
    "payment-capture-requested",
    "payment-succeeded",
    "booking-confirmed",
];

/// Runs the parts and then the crowd; returns what to print.
///
/// # Errors
/// When the server is away, a booking ends otherwise, or the crowd gets more or fewer places than
/// there are.
pub(super) fn run(load: &Load) -> anyhow::Result<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(measured(load))
}

async fn measured(load: &Load) -> anyhow::Result<String> {
    let stage = Stage::set(Api::new(&load.server.url)?, OFFERS, 3_000, PATIENCE).await?;
    // The first bookings after a start find caches cold.
    part(&stage, 4, Duration::from_secs(load.seconds.min(3))).await?;
    let mut parts = Vec::new();
    for buyers in &load.buyers {
        parts.push(part(&stage, *buyers, Duration::from_secs(load.seconds)).await?);
    }
    let crowd = match load.crowd {
        0 => None,
        buyers => Some(crowd(&stage, buyers, load.seats).await?),
    };
    render(load.json, &parts, crowd.as_ref())
}

async fn part(stage: &Stage, buyers: u16, duration: Duration) -> anyhow::Result<Part> {
    let until = Instant::now() + duration;
    let buying = (0..u64::from(buyers)).map(|number| buyer(stage, number, until));
    let bought: Vec<Vec<(Uuid, Uuid)>> = futures::future::try_join_all(buying).await?;
    let bought: Vec<(Uuid, Uuid)> = bought.into_iter().flatten().collect();
    // The next part begins when nothing of this one is under way.
    let settled = stream::iter(&bought).map(|(id, _)| stage.settled(*id, "confirmed"));
    settled.buffer_unordered(ASIDE).try_for_each(|_| std::future::ready(Ok(()))).await?;
    let every = bought.len().div_ceil(LOOKED_AT_MAX).max(1);
    let looked = bought.iter().step_by(every).map(|(_, correlation)| times(stage, *correlation));
    let looked: Vec<Times> = stream::iter(looked).buffer_unordered(ASIDE).try_collect().await?;
    figures(buyers, bought.len(), &looked)
}

/// Buys one thing after another; bookings with their correlation ids.
async fn buyer(stage: &Stage, number: u64, until: Instant) -> anyhow::Result<Vec<(Uuid, Uuid)>> {
    let traveller = Traveller::new(number);
    let lines = [line(stage.sale(number), 1)];
    let (mut bought, mut usual) = (Vec::new(), Duration::from_millis(40));
    while Instant::now() < until {
        let trip = stage.plan_trip(&traveller, 1).await?;
        let correlation = Uuid::now_v7();
        let begin = Instant::now();
        let id = stage.book(&traveller, trip, &lines, CARD, correlation).await?;
        let path = format!("/v1/bookings/{id}");
        tokio::time::sleep(usual.mul_f64(0.8)).await;
        loop {
            // The read model may not know it yet.
            let booking = stage.once(&path).await.unwrap_or_default();
            let status = booking["status"].as_str().unwrap_or_default();
            if status == "confirmed" {
                break;
            }
            ensure!(matches!(status, "" | "requested" | "held"), "booking {id} is {status}");
            ensure!(begin.elapsed() < PATIENCE, "booking {id} is not confirmed");
            tokio::time::sleep((usual / 16).max(Duration::from_millis(4))).await;
        }
        usual = (usual * 7 + begin.elapsed()) / 8;
        bought.push((id, correlation));
    }
    Ok(bought)
}

async fn crowd(stage: &Stage, buyers: u16, seats: u16) -> anyhow::Result<Crowd> {
    let offer: Sale = stage.list(0, seats.into()).await?;
    let travellers: Vec<Traveller> = (0..buyers.into()).map(Traveller::new).collect();
    let trips = stream::iter(&travellers).map(|traveller| stage.plan_trip(traveller, 1));
    let trips: Vec<Uuid> = trips.buffered(ASIDE).try_collect().await?;
    let lines = [line(&offer, 1)];
    let asked = travellers.iter().zip(trips).map(|(traveller, trip)| {
        let lines = &lines;
        async move {
            let correlation = Uuid::now_v7();
            let id = stage.book(traveller, trip, lines, CARD, correlation).await?;
            anyhow::Ok((id, correlation))
        }
    });
    let asked: Vec<(Uuid, Uuid)> = futures::future::try_join_all(asked).await?;
    let ended = stream::iter(&asked).map(|(id, _)| stage.settled(*id, "confirmed"));
    let ended: Vec<Value> = ended.buffered(ASIDE).try_collect().await?;

    let with = |field: &str, text: &str| {
        ended.iter().filter(|booking| booking.pointer(field) == Some(&json!(text))).count()
    };
    let confirmed = with("/status", "confirmed");
    let sold_out = with("/rejection/code", "sold_out");
    let free = |offer: &Value| offer["held"] == 0 && offer["allocated"] == seats.min(buyers);
    let sold = stage.until(&format!("/v1/offers/{}", offer.id), free).await;
    sold.context("the offer has not sold what it has")?;
    let expected = usize::from(seats.min(buyers));
    ensure!(
        confirmed == expected && confirmed + sold_out == usize::from(buyers),
        "{confirmed} bookings were confirmed and {sold_out} found it sold out, of {buyers} for \
         {seats} places"
    );
    let times = of_bookings(&ended)?;
    Ok(Crowd { buyers, seats, confirmed, sold_out, sold_after_ms: times.0, over_after_ms: times.1 })
}

/// From the first request to the last confirmation, and to the last end of any kind; milliseconds.
fn of_bookings(ended: &[Value]) -> anyhow::Result<(f64, f64)> {
    let all = |field: &'static str| {
        let times = ended.iter().filter_map(move |booking| booking[field].as_str()?.parse().ok());
        times.collect::<Vec<Timestamp>>()
    };
    let first = all("created_at").into_iter().min().context("nobody asked")?;
    let sold = all("confirmed_at").into_iter().max().unwrap_or(first);
    let over = all("ended_at").into_iter().max().unwrap_or(sold).max(sold);
    Ok((millis(first, sold), millis(first, over)))
}

/// When the booking of that request passed its milestones.
async fn times(stage: &Stage, correlation: Uuid) -> anyhow::Result<Times> {
    let path = format!("/v1/audit/correlations/{correlation}");
    let confirmed = |found: &Value| found["data"].to_string().contains("booking-confirmed");
    let found = stage.until(&path, confirmed).await?;
    let mut times = BTreeMap::new();
    for event in found["data"].as_array().into_iter().flatten() {
        let name = MILESTONES.into_iter().find(|name| event["type"] == *name);
        let time = event["time"].as_str().and_then(|time| time.parse().ok());
        if let (Some(name), Some(time)) = (name, time) {
            times.entry(name).or_insert(time);
        }
    }
    ensure!(times.len() == MILESTONES.len(), "{path} lacks a milestone");
    Ok(Times(times))
}

impl Times {
    fn between(&self, from: &str, to: &str) -> f64 {
        millis(self.0[from], self.0[to])
    }
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn millis(from: Timestamp, to: Timestamp) -> f64 {
    (to.micros() - from.micros()) as f64 / 1_000.0
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn figures(buyers: u16, confirmed: usize, looked: &[Times]) -> anyhow::Result<Part> {
    let (requested, done) = (MILESTONES[0], MILESTONES[10]);
    let first = looked.iter().map(|times| times.0[requested]).min().context("nothing was sold")?;
    let last = looked.iter().map(|times| times.0[done]).max().unwrap_or(first);
    let sorted = |from: &str, to: &str| {
        let mut all: Vec<f64> = looked.iter().map(|times| times.between(from, to)).collect();
        all.sort_by(f64::total_cmp);
        all
    };
    let whole = sorted(requested, done);
    let asked: f64 = [(4, 5), (8, 9)]
        .into_iter()
        .flat_map(|(from, to)| sorted(MILESTONES[from], MILESTONES[to]))
        .sum();
    let phases = MILESTONES.windows(2).map(|pair| (pair[1], at(&sorted(pair[0], pair[1]), 0.5)));
    Ok(Part {
        buyers,
        confirmed,
        per_second: confirmed as f64 / (millis(first, last) / 1_000.0),
        p50_ms: at(&whole, 0.5),
        p99_ms: at(&whole, 0.99),
        provider_share: asked / whole.iter().sum::<f64>(),
        phases_p50_ms: phases.collect(),
    })
}

/// The value below which that part of all lies.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "an index of a list"
)]
fn at(sorted: &[f64], quantile: f64) -> f64 {
    let index = ((sorted.len() as f64 * quantile).ceil() as usize).saturating_sub(1);
    sorted.get(index).copied().unwrap_or_default()
}

fn render(as_json: bool, parts: &[Part], crowd: Option<&Crowd>) -> anyhow::Result<String> {
    if as_json {
        let figures = json!({ "parts": parts, "crowd": crowd });
        return serde_json::to_string_pretty(&figures).context("figures are JSON");
    }
    let mut text = format!(
        "{:>6}{:>11}{:>13}{:>10}{:>10}{:>12}\n",
        "buyers", "confirmed", "per second", "p50 ms", "p99 ms", "provider"
    );
    for part in parts {
        text += &format!(
            "{:>6}{:>11}{:>13.1}{:>10.1}{:>10.1}{:>10.0} %\n",
            part.buyers,
            part.confirmed,
            part.per_second,
            part.p50_ms,
            part.p99_ms,
            part.provider_share * 100.0
        );
    }
    for part in parts {
        text += &format!("\nmedian milliseconds to each milestone, {} buyers:\n", part.buyers);
        for name in &MILESTONES[1..] {
            text += &format!("  {name:<28}{:>8.1}\n", part.phases_p50_ms[name]);
        }
    }
    if let Some(crowd) = crowd {
        text += &format!(
            "\n{} buyers, {} places of one offer: {} sold after {:.0} ms, {} found it sold out, \
             all told after {:.0} ms\n",
            crowd.buyers,
            crowd.seats,
            crowd.confirmed,
            crowd.sold_after_ms,
            crowd.sold_out,
            crowd.over_after_ms
        );
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_come_from_the_events_own_times() {
        // Two bookings, the second twice as slow and a second later; 10 ms a milestone.
        let times = |begin: i64, step: i64| {
            let at = |index: usize| begin + step * i64::try_from(index).unwrap();
            let named = MILESTONES.iter().enumerate();
            Times(named.map(|(i, name)| (*name, Timestamp::from_micros(at(i)))).collect())
        };

        let part = figures(2, 2, &[times(0, 10_000), times(1_000_000, 20_000)]).unwrap();

        assert!((part.p50_ms - 100.0).abs() < 1e-9 && (part.p99_ms - 200.0).abs() < 1e-9);
        assert!((part.provider_share - 0.2).abs() < 1e-9, "two steps of ten");
        assert!((part.per_second - 2.0 / 1.2).abs() < 1e-9);
        assert!((part.phases_p50_ms["payment-succeeded"] - 10.0).abs() < 1e-9);
    }

    #[test]
    fn a_crowd_is_timed_from_the_first_request_to_the_last_end() {
        let sold = json!({
            "created_at": "2027-01-01T00:00:01Z", "confirmed_at": "2027-01-01T00:00:03Z",
        });
        let refused = json!({
            "created_at": "2027-01-01T00:00:00Z", "ended_at": "2027-01-01T00:00:05Z",
        });

        assert_eq!(of_bookings(&[sold, refused]).unwrap(), (3_000.0, 5_000.0));
    }
}
