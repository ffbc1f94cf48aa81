//! A booking survives `kill -9` wherever it strikes: before and after each append, each command
//! that is sent for a saga, each call to the provider, each commit of a read model. What dies is
//! started again, and within seconds the booking is bought whole or undone whole, here and at the
//! provider.
//!
//! A first run tells which places a purchase, its cancellation and a purchase that is undone
//! halfway pass; then each of them is deadly once. `WAYLOG_TEST_CRASH_POINTS=all` (`scripts/soak`)
//! tries all of them, otherwise a sample that is spread over all kinds; `WAYLOG_TEST_SEED` picks
//! another one.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use uuid::Uuid;

use crate::journey::skipped;
use crate::world::crash_points::spread;
use crate::world::sales::{
    archive, at_rest, itinerary, offer, order, place, post_once, request_again, settled, sold,
    text, until_within,
};
use crate::world::{Client, World, eventually, kept};

/// From the restart to the booking's end.
const RECOVERY: Duration = Duration::from_secs(30);
/// The longest that a journey may take to come to the place that is deadly.
const JOURNEY: Duration = Duration::from_secs(30);
/// Kills of one run, unless all are asked for.
const EMBEDDED: usize = 60;
const DISTRIBUTED: usize = 12;
/// A place that is passed for another reason than the first time may be missed, and another one is
/// tried in its stead: for one kill in so many.
const MISSED: usize = 2;
/// After so many kills the log is checked as a whole.
const CHECK_EVERY: usize = 24;

/// What both offers cost, and what is kept of it when the booking is cancelled.
const PRICES: [i64; 2] = [12_900, 8_000];
const TOTAL: i64 = PRICES[0] + PRICES[1];
const FEE: i64 = TOTAL / 2;

/// What happens to a booking until it is at rest.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Journey {
    /// It is bought.
    Bought,
    /// Its trip was laid aside: what was held, authorized and allocated is undone.
    Undone,
    /// It was bought, and is cancelled.
    Cancelled,
}

#[test]
fn bookings_survive_a_kill_anywhere_embedded() {
    Trial::of(World::selling_alone(&[])).run(EMBEDDED);
}

#[test]
fn bookings_survive_a_kill_anywhere_distributed() {
    let Some(world) = World::selling() else { return skipped() };

    Trial::of(world).run(DISTRIBUTED);
}

/// A deployment, what it sells, and what it has sold.
struct Trial {
    world: World,
    open_trip: String,
    archived_trip: String,
    offers: [String; 2],
    bookings: usize,
    live: i64,
}

impl Trial {
    fn of(world: World) -> Self {
        let client = world.client();
        let archived_trip = itinerary(&client);
        archive(&client, &archived_trip);
        let offers = ["flight", "hotel"].map(|kind| {
            let price = PRICES[usize::from(kind == "hotel")];
            offer(&client, kind, 5_000, price)
        });
        let open_trip = itinerary(&client);
        Self { world, open_trip, archived_trip, offers, bookings: 0, live: 0 }
    }

    fn run(&mut self, kills: usize) {
        let all = self.learn();
        let seed = std::env::var("WAYLOG_TEST_SEED").ok().and_then(|text| text.parse().ok());
        let seed = seed.unwrap_or(20_270_501);
        let everything = std::env::var("WAYLOG_TEST_CRASH_POINTS").is_ok_and(|text| text == "all");
        let (tries, kills) = if everything {
            (all.len(), all.len() - all.len() / 10)
        } else {
            (kills + kills / MISSED, kills)
        };
        eprintln!("seed {seed}: {kills} kills at {} crash points", all.len());

        let (mut missed, mut died) = (Vec::new(), 0);
        for (number, (journey, point)) in spread(&all, seed).iter().take(tries).enumerate() {
            if died == kills && !everything {
                break;
            }
            let begun = Instant::now();
            let killed = self.survive(*journey, point);
            eprintln!("{journey:?} {point}: {killed:?} in {:.1?}", begun.elapsed());
            match killed {
                Some(_) => died += 1,
                None => missed.push(point.clone()),
            }
            if (number + 1) % CHECK_EVERY == 0 {
                self.check();
            }
        }

        self.check();
        assert!(died >= kills, "{died} kills of {kills}; never reached: {missed:?}");
    }

    /// The places that each journey passes.
    fn learn(&mut self) -> Vec<(Journey, String)> {
        let points = self.world.crash_points();
        let mut all = Vec::new();
        for journey in [Journey::Bought, Journey::Undone, Journey::Cancelled] {
            let bought = self.before(journey);
            let client = self.world.client();
            let passed = points.of(|| {
                let booking = self.go(journey, &client, bought.as_deref(), Uuid::now_v7());
                until_within(JOURNEY, &client, &booking, |read| ended(read, journey));
            });
            all.extend(passed.into_iter().map(|point| (journey, point)));
            self.bookings += usize::from(journey != Journey::Cancelled);
            self.live += i64::from(journey == Journey::Bought);
            self.live -= i64::from(journey == Journey::Cancelled);
        }
        assert!(all.len() >= 3 * EMBEDDED, "only {all:#?}");
        all
    }

    /// Takes one journey into that place, and through it. Who died, if anybody did.
    fn survive(&mut self, journey: Journey, point: &str) -> Option<&'static str> {
        let (points, key) = (self.world.crash_points(), Uuid::now_v7());
        let bought = self.before(journey);
        points.arm(point);

        let client = self.world.client();
        let first = self.try_to_go(journey, &client, bought.as_deref(), key);
        let mut killed = None;
        let over = || first.as_deref().is_some_and(|path| rests(&client, path, journey));
        // What a journey leaves behind when it is at rest may still be deadly, for a moment.
        let mut rested_at: Option<Instant> = None;
        let came_to_it = eventually(JOURNEY, || {
            killed = self.world.dead();
            if rested_at.is_none() && killed.is_none() && over() {
                rested_at = Some(Instant::now());
            }
            killed.is_some() || rested_at.is_some_and(|at| at.elapsed() > Duration::from_secs(2))
        });
        assert!(came_to_it, "{journey:?} {point}: neither died nor came to rest");
        points.disarm();
        let restarted_at = Instant::now();
        killed.into_iter().for_each(|name| self.world.restart(name));

        let client = self.world.client();
        let booking = self.go(journey, &client, bought.as_deref(), key);
        let left = RECOVERY.saturating_sub(restarted_at.elapsed());
        let ended = until_within(left, &client, &booking, |read| ended(read, journey));
        self.bookings += usize::from(journey != Journey::Cancelled);
        self.live += i64::from(journey == Journey::Bought);
        self.live -= i64::from(journey == Journey::Cancelled);
        kept(&client, &text(&ended, "/id"), journey.kept());
        self.offers.iter().for_each(|offer| sold(&client, offer, self.live));
        killed
    }

    /// What has to be there before the journey begins: where the booking is that it cancels.
    fn before(&mut self, journey: Journey) -> Option<String> {
        (journey == Journey::Cancelled).then(|| {
            let client = self.world.client();
            let booking = self.go(Journey::Bought, &client, None, Uuid::now_v7());
            assert_eq!(settled(&client, &booking).at("/status"), "confirmed");
            self.bookings += 1;
            self.live += 1;
            booking
        })
    }

    /// Sets the journey off, as often as it takes. Where its booking is.
    fn go(&self, journey: Journey, client: &Client, bought: Option<&str>, key: Uuid) -> String {
        if let Some(booking) = bought {
            let asked = eventually(RECOVERY, || self.cancelled(client, booking, key));
            assert!(asked, "{booking} cannot be cancelled");
            return booking.to_owned();
        }
        request_again(client, &self.order(journey), key, RECOVERY)
    }

    /// The same once: the process may die of it.
    fn try_to_go(
        &self,
        journey: Journey,
        client: &Client,
        bought: Option<&str>,
        key: Uuid,
    ) -> Option<String> {
        if let Some(booking) = bought {
            // Whether it was taken in is found out after the kill.
            return self.cancelled(client, booking, key).then(|| booking.to_owned());
        }
        let order = self.order(journey);
        let asked = post_once(client, "/v1/bookings", &order, key).ok()?;
        (asked.status == 202).then(|| asked.header("location").to_owned())
    }

    fn cancelled(&self, client: &Client, booking: &str, key: Uuid) -> bool {
        let path = format!("{booking}/cancellation");
        let reason = json!({ "reason": "It rains." });
        let asked = post_once(client, &path, &reason, key);
        asked.is_ok_and(|answer| answer.status == 202)
    }

    fn order(&self, journey: Journey) -> Value {
        let trip = match journey {
            Journey::Undone => &self.archived_trip,
            Journey::Bought | Journey::Cancelled => &self.open_trip,
        };
        let lines = [0, 1].map(|line| place(&self.offers[line], PRICES[line]));
        order(trip, &lines, "card_approved")
    }

    /// Both books agree, nothing was booked twice or forgotten, and the log holds.
    fn check(&self) {
        let client = self.world.client();
        self.world.provider().agrees_with(&client);
        assert_eq!(count(&client), self.bookings);
        self.world.verify();
    }
}

impl Journey {
    /// What stays with the seller at the end.
    const fn kept(self) -> i64 {
        match self {
            Self::Bought => TOTAL,
            Self::Undone => 0,
            Self::Cancelled => FEE,
        }
    }
}

fn ended(booking: &Value, journey: Journey) -> bool {
    let status = match journey {
        Journey::Bought => "confirmed",
        Journey::Undone => "rejected",
        Journey::Cancelled => "cancelled",
    };
    at_rest(booking) && booking["status"] == status
}

fn rests(client: &Client, booking: &str, journey: Journey) -> bool {
    let read = client.send("GET", booking, &[], None);
    read.is_ok_and(|read| read.status == 200 && ended(&read.body, journey))
}

fn count(client: &Client) -> usize {
    let (mut count, mut cursor) = (0, String::new());
    loop {
        let page = client.get(&format!("/v1/bookings?limit=100{cursor}")).expect(200);
        count += page.at("/data").as_array().unwrap().len();
        match page.body["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return count,
        }
    }
}
