//! A booking survives `kill -9` wherever it strikes: before and after each append, each command
//! that is sent for a saga, each call to the provider, each commit of a read model. What dies is
//! started again, and within seconds the booking is bought whole or undone whole, here and at the
//! provider.
//!
//! A first run tells which places each journey passes: purchases, cancellations, and all the ways
//! in which a purchase is undone; then each of them is deadly once. Journeys that end because their
//! time is over are a trial of their own, where nobody has much of it.
//!
//! `WAYLOG_TEST_CRASH_POINTS=all` (`scripts/soak`) tries all places, otherwise what each journey is
//! there for and a sample that is spread over all kinds; `WAYLOG_TEST_SEED` picks another one.

use std::time::{Duration, Instant};

use domain::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::journey::skipped;
use crate::world::crash_points::spread;
use crate::world::journeys::{IN_TIME, Journey, LATE, PRICES, TOTAL, payments, reads};
use crate::world::sales::{
    PATIENCE, archive, at_rest, itinerary, now, offer, order, place, post_once, request_again,
    settled, sold, text, until, until_within,
};
use crate::world::{Client, World, eventually};

/// From the restart to the booking's end.
const RECOVERY: Duration = Duration::from_secs(30);
/// The longest that a journey may take to come to the place that is deadly.
const JOURNEY: Duration = Duration::from_secs(30);
/// Kills of one run, unless all are asked for.
const EMBEDDED: usize = 66;
const DISTRIBUTED: usize = 14;
/// The same where everybody has little time.
const LATE_EMBEDDED: usize = 14;
const LATE_DISTRIBUTED: usize = 5;
/// A place that is passed for another reason than the first time may be missed, and another one is
/// tried in its stead: for one kill in so many.
const MISSED: usize = 2;
/// After so many kills the log is checked as a whole.
const CHECK_EVERY: usize = 24;

/// How long a booking of those that come too late has to be paid; and their provider is called
/// however often it fails.
const SHORT: [(&str, &str); 3] = [
    ("WAYLOG_PAYMENT_DEADLINE_SECONDS", "2"),
    ("WAYLOG_HOLD_MARGIN_SECONDS", "2"),
    ("WAYLOG_PROVIDER_FAILURES_MAX", "1000"),
];
/// Who finds out first that the time is over, saga or payment, may be chance: a journey is tried so
/// often until it passes what it is there for.
const LEARN_MAX: usize = 5;
/// From a call that failed until its payment rests before the next.
const RESTS: Duration = Duration::from_millis(100);
/// What goes wrong goes wrong until the provider is told to behave.
const ALWAYS: u32 = 1_000;

#[test]
fn bookings_survive_a_kill_anywhere_embedded() {
    Trial::of(World::selling_alone(&[]), &IN_TIME).run(EMBEDDED);
}

#[test]
fn bookings_survive_a_kill_anywhere_distributed() {
    let Some(world) = World::selling() else { return skipped() };

    Trial::of(world, &IN_TIME).run(DISTRIBUTED);
}

#[test]
fn bookings_that_are_too_late_survive_a_kill_anywhere_embedded() {
    let world = World::selling_alone(&SHORT);

    Trial::of(world, &LATE).run(LATE_EMBEDDED);
}

#[test]
fn bookings_that_are_too_late_survive_a_kill_anywhere_distributed() {
    let Some(world) = World::selling_with(&SHORT) else { return skipped() };

    Trial::of(world, &LATE).run(LATE_DISTRIBUTED);
}

/// A deployment, what it sells, and what it has sold.
struct Trial {
    world: World,
    journeys: &'static [Journey],
    open_trip: String,
    archived_trip: String,
    offers: [String; 2],
    bookings: usize,
    live: i64,
}

impl Trial {
    fn of(world: World, journeys: &'static [Journey]) -> Self {
        let client = world.client();
        let archived_trip = itinerary(&client);
        archive(&client, &archived_trip);
        let offers = ["flight", "hotel"].map(|kind| {
            let price = PRICES[usize::from(kind == "hotel")];
            offer(&client, kind, 5_000, price)
        });
        let open_trip = itinerary(&client);
        Self { world, journeys, open_trip, archived_trip, offers, bookings: 0, live: 0 }
    }

    fn run(&mut self, kills: usize) {
        let all = self.learn();
        assert!(all.len() >= 3 * kills, "only {all:#?}");
        let seed = std::env::var("WAYLOG_TEST_SEED").ok().and_then(|text| text.parse().ok());
        let seed = seed.unwrap_or(20_270_501);
        let everything = std::env::var("WAYLOG_TEST_CRASH_POINTS").is_ok_and(|text| text == "all");
        let (tries, kills) = if everything {
            (all.len(), all.len() - all.len() / 10)
        } else {
            (kills + kills / MISSED, kills)
        };
        eprintln!("seed {seed}: {kills} kills at {} crash points", all.len());

        let mut spread = spread(&all, seed);
        // What a journey is there for is tried in any case.
        spread.sort_by_key(|(journey, point)| *point != journey.own());
        let (mut missed, mut died) = (Vec::new(), 0);
        for (number, (journey, point)) in spread.iter().take(tries).enumerate() {
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
        let given_back = |their: &Value| their["authorized"] == TOTAL && their["released"] == TOTAL;
        let some = self.world.provider().all_totals().iter().any(given_back);
        assert!(some, "nothing that the provider had set aside was given back");
        assert!(died >= kills, "{died} kills of {kills}; never reached: {missed:?}");
    }

    /// The places that each journey passes.
    fn learn(&mut self) -> Vec<(Journey, String)> {
        let mut all = Vec::new();
        for &journey in self.journeys {
            let own = journey.own();
            let mut passed = Vec::new();
            for _ in 0..LEARN_MAX {
                passed = self.passed(journey);
                if passed.contains(&own) {
                    break;
                }
            }
            assert!(passed.contains(&own), "{journey:?} does not pass {own}: {passed:#?}");
            eprintln!("{journey:?} passes {} places", passed.len());
            all.extend(passed.into_iter().map(|point| (journey, point)));
        }
        all
    }

    /// The places that one journey passes now.
    fn passed(&mut self, journey: Journey) -> Vec<String> {
        let begun = self.before(journey);
        let passed = self.world.crash_points().of(|| {
            let client = self.world.client();
            let booking = self.go(journey, begun.as_deref(), Uuid::now_v7());
            until_within(JOURNEY, &client, &booking, |read| journey.ended(read));
        });
        self.count(journey);
        passed
    }

    /// Takes one journey into that place, and through it. Who died, if anybody did.
    fn survive(&mut self, journey: Journey, point: &str) -> Option<&'static str> {
        let (points, key) = (self.world.crash_points(), Uuid::now_v7());
        let begun = self.before(journey);
        points.arm(point);

        let client = self.world.client();
        let (mut killed, mut first) = (None, None);
        // What a journey leaves behind when it is at rest may still be deadly, for a moment.
        let mut rested_at: Option<Instant> = None;
        let came_to_it = eventually(JOURNEY, || {
            killed = self.world.dead();
            if killed.is_some() {
                return true;
            }
            // The process may die of it; whether it was taken in is found out after that.
            first = first.take().or_else(|| self.set_off(journey, begun.as_deref(), key));
            let over = || first.as_deref().is_some_and(|path| journey.rests(&client, path));
            if rested_at.is_none() && over() {
                rested_at = Some(Instant::now());
            }
            rested_at.is_some_and(|at| at.elapsed() > Duration::from_secs(2))
        });
        assert!(came_to_it, "{journey:?} {point}: neither died nor came to rest");
        points.disarm();
        let restarted_at = Instant::now();
        killed.into_iter().for_each(|name| self.world.restart(name));

        let client = self.world.client();
        let booking = self.go(journey, begun.as_deref(), key);
        let left = RECOVERY.saturating_sub(restarted_at.elapsed());
        let ended = until_within(left, &client, &booking, |read| journey.ended(read));
        self.count(journey);
        journey.paid(&client, &text(&ended, "/id"));
        self.offers.iter().for_each(|offer| sold(&client, offer, self.live));
        if LATE.contains(&journey) {
            // Nothing that came too late is still reserved.
            self.world.provider().agrees_with(&client);
        }
        killed
    }

    fn count(&mut self, journey: Journey) {
        self.bookings += 1;
        self.live += i64::from(journey == Journey::Bought);
    }

    /// What has to be there before the journey begins: where its booking is.
    fn before(&self, journey: Journey) -> Option<String> {
        let (client, provider) = (self.world.client(), self.world.provider());
        provider.behave();
        match journey {
            Journey::Bought | Journey::Declined | Journey::Undone => return None,
            Journey::Cancelled => {}
            Journey::Refunded => provider.misbehave("capture", "error_before", ALWAYS, 0),
            Journey::Expired => {
                provider.misbehave("confirm", "drop_after", ALWAYS, 0);
                provider.misbehave("look_up", "error_before", ALWAYS, 0);
            }
            Journey::Unanswered => provider.misbehave("confirm", "drop_before", ALWAYS, 0),
        }
        let order = self.order(journey);
        let request = || request_again(&client, &order, Uuid::now_v7(), RECOVERY);
        let over = |booking: &String| reads(&client, booking, at_rest);
        Some(match journey {
            Journey::Unanswered => {
                let points = self.world.crash_points();
                let booking = points.past("connector.after_call authorize", 2, request, over);
                self.stand_still(&client, &booking);
                booking
            }
            Journey::Expired => {
                self.world.crash_points().past("connector.after_call authorize", 1, request, over)
            }
            Journey::Refunded => {
                let booking = request();
                let read = payments(&booking);
                until(&client, &read, |read| read["data"][0]["status"] == "capturing");
                booking
            }
            _ => {
                let booking = request();
                assert_eq!(settled(&client, &booking).at("/status"), "confirmed");
                booking
            }
        })
    }

    /// Nobody ends the booking until after its payment is due. Where that is asked for in the same
    /// process, it rests then: it is asked about first of all when the process goes on.
    fn stand_still(&self, client: &Client, booking: &str) {
        let read = until(client, &payments(booking), |read| read["data"][0].is_object());
        let due: Timestamp = text(&read, "/data/0/due_at").parse().unwrap();
        let since = Instant::now();
        assert!(eventually(PATIENCE, || since.elapsed() > RESTS));
        self.world.process(self.world.of_sagas()).signal("STOP");
        assert!(eventually(PATIENCE, || now() > due), "it is {} and not later", now());
    }

    /// Sets the journey off, as often as it takes. Where its booking is.
    fn go(&self, journey: Journey, begun: Option<&str>, key: Uuid) -> String {
        let mut booking = None;
        let off = eventually(RECOVERY, || {
            booking = self.set_off(journey, begun, key);
            booking.is_some()
        });
        assert!(off, "{journey:?} of {begun:?} cannot be set off");
        booking.expect("it was waited for")
    }

    /// The same once; nothing when it was not taken in, or it is too early.
    fn set_off(&self, journey: Journey, begun: Option<&str>, key: Uuid) -> Option<String> {
        let client = self.world.client();
        let Some(booking) = begun else {
            let asked = post_once(&client, "/v1/bookings", &self.order(journey), key).ok()?;
            return (asked.status == 202).then(|| asked.header("location").to_owned());
        };
        let off = match journey {
            Journey::Expired => {
                let over = |read: &Value| read["saga"]["deadline_passed"] == true || at_rest(read);
                reads(&client, booking, over)
            }
            // Whoever is alone can be asked only when it goes on.
            Journey::Unanswered if self.world.of_sagas() == "origin" => true,
            Journey::Unanswered => {
                reads(&client, &payments(booking), |read| read["data"][0]["status"] != "requested")
            }
            _ => {
                let (path, reason) = (format!("{booking}/cancellation"), json!("It rains."));
                let asked = post_once(&client, &path, &json!({ "reason": reason }), key);
                asked.is_ok_and(|answer| answer.status == 202)
            }
        };
        if !off {
            return None;
        }
        match journey {
            Journey::Unanswered => self.world.process(self.world.of_sagas()).signal("CONT"),
            _ => self.world.provider().behave(),
        }
        Some(booking.to_owned())
    }

    fn order(&self, journey: Journey) -> Value {
        let (trip, card) = match journey {
            Journey::Undone => (&self.archived_trip, "card_approved"),
            Journey::Declined => (&self.open_trip, "card_declined"),
            _ => (&self.open_trip, "card_approved"),
        };
        let lines = [0, 1].map(|line| place(&self.offers[line], PRICES[line]));
        order(trip, &lines, card)
    }

    /// Both books agree, nothing was booked twice or forgotten, and the log holds.
    fn check(&self) {
        let client = self.world.client();
        self.world.provider().agrees_with(&client);
        assert_eq!(count(&client), self.bookings);
        self.world.verify();
    }
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
