//! Redis is emptied, made read-only, killed: no answer is ever wrong for it, nothing waits for it,
//! and its copies come back by themselves.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use waylog_tests::{Kind, Options, Services};

use crate::journey::skipped;
use crate::world::{Client, World, eventually, sales};

/// How long the copies may take to come back on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
const CAPACITY: i64 = 40;
const COPIES: [&str; 2] = ["availability_hot", "popular_destinations_hot"];

/// A traveller and an operator at work, who know what every answer has to be.
struct Journey<'a> {
    client: &'a Client,
    trip: String,
    flight: String,
    /// On which days places were sold.
    sold: Vec<String>,
    held: i64,
}

impl<'a> Journey<'a> {
    fn begin(client: &'a Client) -> Self {
        let described = json!({
            "slug": "lisbon", "name": "Lisboa", "country": "PT", "zone": "Europe/Lisbon",
            "coordinates": { "latitude": 38.7223, "longitude": -9.1393 }, "tags": [],
        });
        client.post("/v1/destinations", &described).expect(201);
        let capacity = u32::try_from(CAPACITY).unwrap();
        let flight = sales::offer(client, "flight", capacity, 900);
        Self { client, trip: sales::itinerary(client), flight, sold: Vec::new(), held: 0 }
    }

    /// One more place is held, and everybody who asks behind that sees exactly so.
    fn hold(&mut self) {
        let body = json!({
            "quantity": 1, "ttl_seconds": 86_400,
            "unit_price": { "amount": 900, "currency": "EUR" },
        });
        let path = format!("/v1/offers/{}/holds", self.flight);
        let held = self.client.post(&path, &body).expect(201);
        self.held += 1;
        self.look(held.header("waylog-position"));
    }

    /// One more booking is confirmed, and the ranking knows it.
    fn book(&mut self) {
        let lines = [(self.flight.as_str(), 900)];
        let booked = sales::book(self.client, &self.trip, &lines, "card_approved");
        assert_eq!(booked.at("/status"), "confirmed", "{:#}", booked.body);
        let day = sales::confirmed_on(&booked);
        self.sold.push(day.clone());
        // Of the offer, the next hold tells: its place in the log is behind the sale's.
        let position = booked.header("waylog-position");
        let path = format!("/v1/destinations/popular?period=month&date={day}");
        let ranking = self.client.get_at(&path, position).expect(200);
        assert_eq!(ranking.at("/data/0/destination/slug"), "lisbon");
        let confirmed = sales::in_its_month(&self.sold, &day);
        assert_eq!(ranking.at("/data/0/bookings"), confirmed, "{:#}", ranking.body);
    }

    /// Asks for what is left, of the offer and in lists.
    fn look(&self, position: &str) {
        let sold = i64::try_from(self.sold.len()).unwrap();
        let free = CAPACITY - sold - self.held;
        let one = self.client.get_at(&format!("/v1/offers/{}", self.flight), position).expect(200);
        assert_eq!(one.at("/available"), free, "{:#}", one.body);
        assert_eq!((one.at("/held"), one.at("/allocated")), (&json!(self.held), &json!(sold)));
        for (wanted, found) in [(free, 1), (free + 1, 0)] {
            let path = format!("/v1/offers?kind=flight&available={wanted}");
            let list = self.client.get_at(&path, position).expect(200);
            assert_eq!(list.at("/data").as_array().unwrap().len(), found, "{:#}", list.body);
        }
    }

    /// Some of everything.
    fn go_on(&mut self) {
        self.hold();
        self.book();
        self.hold();
    }
}

fn redis(services: &Services, words: &[&str]) -> String {
    let asked = Command::new("redis-cli")
        .args(["--no-auth-warning", "-u", services.redis_url()])
        .args(words)
        .output()
        .unwrap();
    assert!(asked.status.success(), "{}", String::from_utf8_lossy(&asked.stderr));
    String::from_utf8_lossy(&asked.stdout).trim().to_owned()
}

/// Waits until both copies are what the log says.
fn copies_are_back(world: &World) {
    for copy in COPIES {
        let equal = || world.run(&["projection", "verify", copy]).status.success();
        let last = || world.run(&["projection", "verify", copy]);
        assert!(eventually(PATIENCE, equal), "{copy}: {:?}", last());
    }
}

fn check_of(client: &Client, name: &str) -> Value {
    let ready = client.get("/health/ready").expect(200);
    let checks = ready.at("/checks").as_array().unwrap();
    checks.iter().find(|check| check["name"] == name).unwrap().clone()
}

#[test]
fn answers_stay_right_while_redis_is_emptied_read_only_and_killed() {
    let kinds = [Kind::Kafka, Kind::Registry, Kind::Postgres, Kind::MariaDb];
    let Some(shared) = Services::from_env(&kinds).unwrap() else { return skipped() };
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o711)).unwrap();
    let options = Options::only([Kind::Redis]);
    let own = Services::start_if_installed(&dir.path().join("s"), &options).unwrap();
    let Some(own) = own else { return skipped() };
    let world = World::selling_in_one(&shared, own.redis_url());
    let client = world.client();
    let mut journey = Journey::begin(&client);

    journey.go_on();
    copies_are_back(&world);
    assert_eq!(check_of(&client, "redis")["status"], "passing");

    redis(&own, &["FLUSHALL"]);
    journey.go_on();
    copies_are_back(&world);
    assert_ne!(redis(&own, &["DBSIZE"]), "0", "built anew by itself");

    redis(&own, &["CONFIG", "SET", "min-replicas-to-write", "3"]);
    journey.go_on();
    redis(&own, &["CONFIG", "SET", "min-replicas-to-write", "0"]);
    copies_are_back(&world);

    own.kill(Kind::Redis, 1).unwrap();
    journey.go_on();
    assert_eq!(check_of(&client, "redis")["status"], "warning");
    own.restart(Kind::Redis, 1).unwrap();
    journey.go_on();
    copies_are_back(&world);
}
