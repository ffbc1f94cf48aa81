//! `waylog verify`, tried as a whole: a log with every kind of booking holds, and each kind of
//! violation that is planted in a copy of it is found, and no other. Violations are written past
//! the aggregates, through the log's own writer, or into the files of log, read models and
//! provider. A check that finds nothing of all that is planted fails the test.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::PathBuf;

use domain::ids::{CommandId, CorrelationId, EventId, HoldId, InvoiceSeriesId, RefundId};
use domain::money::Money;
use domain::offer::{Claim, OfferHeld};
use domain::payment::PaymentRefunded;
use domain::{Category, Digest, Envelope, Event, StreamName, Tenant, Timestamp};
use domain::{invoice_series, itinerary, saga};
use event_log::hash_chain::HashChain;
use event_log::{
    Batch, EmbeddedLog, EmbeddedOptions, EventLog as _, LogEvent, LogRecord, NewEvent, ShardId,
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::world::sales::{book, cancel, cancelled, itinerary, offer, text};
use crate::world::{World, directory, waylog};

/// A server's files, after one booking of each kind, and what they are called.
struct Sold {
    world: World,
    offer: StreamName,
    trip: StreamName,
    confirmed: Uuid,
    /// The checks that found what was planted for them.
    proven: RefCell<BTreeSet<String>>,
}

impl Sold {
    fn make() -> Self {
        let mut world = World::embedded();
        let client = world.client();
        let (trip, flight) = (itinerary(&client), offer(&client, "flight", 5, 12_900));
        let buy = |method: &str| book(&client, &trip, &[(&flight, 12_900)], method);
        let confirmed = buy("card_approved");
        let declined = buy("card_declined");
        let undone = buy("card_approved");
        let undone = format!("/v1/bookings/{}", text(&undone, "/id"));
        cancel(&client, &undone);
        cancelled(&client, &undone);
        assert_eq!(declined.at("/status"), "rejected");
        // Beside the running server, before its files are used by others.
        let beside = world.run(&["verify", "--output", "json"]);
        assert!(beside.status.success(), "{}", String::from_utf8_lossy(&beside.stdout));
        assert!(world.take("origin").terminate().success());
        Self {
            offer: StreamName::new(Category::Offer, flight.parse().unwrap()),
            trip: StreamName::new(Category::Itinerary, trip.parse().unwrap()),
            confirmed: text(&confirmed, "/id").parse().unwrap(),
            proven: RefCell::default(),
            world,
        }
    }

    /// A copy of the files with something planted; what is found then, and how the verb ends.
    fn planted(&self, plant: impl FnOnce(&mut Copy)) -> (Option<i32>, Value) {
        let dir = directory();
        let from = self.world.dir.path().join("origin/data");
        for entry in std::fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            std::fs::copy(entry.path(), dir.path().join(entry.file_name())).unwrap();
        }
        plant(&mut Copy { dir: dir.path().to_owned(), altered: false });
        let said = waylog()
            .args(["verify", "--output", "json", "--data-dir"])
            .arg(dir.path())
            .output()
            .unwrap();
        let answer = serde_json::from_slice(&said.stdout);
        let answer = answer.unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&said.stderr)));
        (said.status.code(), answer)
    }

    /// Exactly these checks find something that is planted; one of them says the words.
    fn expect(&self, checks: &[&str], words: &str, plant: impl FnOnce(&mut Copy)) {
        let (code, answer) = self.planted(plant);
        assert_eq!(violated(&answer), checks, "{answer:#}");
        assert_eq!((code, &answer["holds"]), (Some(1), &json!(false)), "{answer:#}");
        let evidence = answer.pointer("/findings/evidence").unwrap().to_string();
        assert!(evidence.contains(words), "`{words}` is missing: {evidence}");
        self.proven.borrow_mut().extend(checks.iter().map(|check| (*check).to_owned()));
    }
}

/// The checks that found violations.
fn violated(answer: &Value) -> Vec<&str> {
    let checks = answer.pointer("/findings/checks").unwrap().as_object().unwrap().iter();
    checks.filter(|(_, line)| line["violations"] != 0).map(|(check, _)| check.as_str()).collect()
}

/// Files to plant something in.
struct Copy {
    dir: PathBuf,
    /// Whether what is appended is altered behind its hash.
    altered: bool,
}

impl Copy {
    /// Alters a row of a file of ours.
    fn alter(&self, file: &str, statements: &str) {
        let connection = rusqlite::Connection::open(self.dir.join(file)).unwrap();
        connection.execute_batch(statements).unwrap();
    }

    /// Everything in the log.
    fn events(&self) -> Vec<LogEvent> {
        let log = EmbeddedLog::open_read_only(&self.dir).unwrap();
        let end = log.end().unwrap();
        let (mut read, mut events) = (domain::PositionVector::empty(), Vec::new());
        let mut reader = log.reader(&read, &[]).unwrap();
        while !read.covers(&end) {
            for record in reader.poll(1000, std::time::Duration::from_secs(5)).unwrap() {
                read.advance(record.position());
                if let LogRecord::Event(event) = record {
                    events.push(event);
                }
            }
        }
        events
    }

    /// The last event of that type, opened.
    fn last(&self, name: &str) -> (StreamName, Event) {
        let codec = EmbeddedLog::open_read_only(&self.dir).unwrap().codec().unwrap();
        let events = self.events();
        let found = events.iter().rfind(|event| event.envelope.event_type == name).unwrap();
        (found.envelope.stream, codec.decode(name, &found.value).unwrap())
    }

    /// Alters the newest event where it is kept.
    fn alter_last(&self, assignments: &str) {
        let newest = "(SELECT place FROM events ORDER BY recorded_at DESC, place DESC LIMIT 1)";
        let update = format!("UPDATE events SET {assignments} WHERE place = {newest}");
        self.alter("log.sqlite", &update);
    }

    /// Appends an event to a stream as if somebody had decided it.
    fn append(&mut self, stream: StreamName, event: impl Into<Event>) {
        self.append_as(stream, &event.into(), |_| {});
    }

    /// The same with another envelope.
    fn append_as(&mut self, stream: StreamName, event: &Event, alter: impl FnOnce(&mut Envelope)) {
        let mut value = Vec::new();
        let codec = EmbeddedLog::open_read_only(&self.dir).unwrap().codec().unwrap();
        codec.encode(event, &mut value).unwrap();
        self.append_value(stream, event.name(), value, alter);
    }

    /// The same with any bytes for an event.
    fn append_value(
        &mut self,
        stream: StreamName,
        name: &'static str,
        value: Vec<u8>,
        alter: impl FnOnce(&mut Envelope),
    ) {
        let events = self.events();
        let log = EmbeddedLog::open(&self.dir, EmbeddedOptions::default()).unwrap();
        let partition = log.topology().partition(&stream);
        let before = events.iter().rfind(|event| event.envelope.stream == stream);
        let last = events.iter().rfind(|event| event.position.partition == partition);
        let mut shard = log.open_shard(ShardId(0), "").unwrap();
        let mut envelope = Envelope {
            event_id: EventId(Uuid::now_v7()),
            event_type: name.into(),
            stream,
            version: before.map_or(0, |event| event.envelope.version) + 1,
            recorded_at: now(),
            sequence: last.map_or(0, |event| event.envelope.sequence) + 1,
            epoch: shard.epoch,
            correlation_id: CorrelationId(Uuid::now_v7()),
            causation_id: Uuid::now_v7(),
            command_id: CommandId(Uuid::now_v7()),
            fingerprint: Digest::default(),
            actor: "system:test".parse().unwrap(),
            tenant: before.map_or_else(Tenant::default, |event| event.envelope.tenant.clone()),
            hash: Digest::default(),
            traceparent: None,
        };
        let previous = before.map(|event| event.envelope.hash).unwrap_or_default();
        alter(&mut envelope);
        envelope.hash = HashChain::default().hash(&previous, &envelope, &value);
        if self.altered {
            envelope.actor = "system:somebody-else".parse().unwrap();
        }
        let events = vec![NewEvent { partition, envelope, value: bytes::Bytes::from(value) }];
        shard.writer.append(&Batch { events, refusals: Vec::new() }).unwrap();
    }
}

fn now() -> Timestamp {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Timestamp::from_micros(i64::try_from(now.as_micros()).unwrap())
}

fn euro(amount: i64) -> Money {
    Money { amount, currency: "EUR".parse().unwrap() }
}

/// A hold like the last one, of something else.
fn hold(copy: &Copy, claim: Claim) -> OfferHeld {
    let (_, Event::Offer(domain::offer::Event::Held(held))) = copy.last("offer-held") else {
        panic!("nothing was held");
    };
    let hold_id = HoldId(Uuid::now_v7());
    OfferHeld { hold_id, line: None, claim, expires_at: now().plus_seconds(600), ..held }
}

fn renamed(trip: StreamName) -> itinerary::ItineraryRenamed {
    let itinerary_id = domain::ids::ItineraryId(trip.id);
    itinerary::ItineraryRenamed { itinerary_id, title: "Planted".to_owned() }
}

#[test]
fn what_holds_is_said_to_hold_and_each_planted_violation_is_found() {
    let sold = Sold::make();

    let listed = holds(&sold);
    of_records(&sold);
    of_ids(&sold);
    of_places(&sold);
    of_money(&sold);
    between_streams(&sold);
    in_other_files(&sold);

    assert_eq!(*sold.proven.borrow(), listed, "every check finds what is planted for it");
}

/// The checks that there are.
fn holds(sold: &Sold) -> BTreeSet<String> {
    let (code, answer) = sold.planted(|_| {});

    assert_eq!((code, &answer["holds"]), (Some(0), &json!(true)), "{answer:#}");
    let checked = |check: &str| {
        let count = answer.pointer(&format!("/findings/checks/{check}/checked"));
        count.and_then(Value::as_u64).unwrap_or_else(|| panic!("{check}: {answer:#}"))
    };
    assert_eq!((checked("bookings"), checked("provider")), (3, 3));
    assert_eq!((checked("sagas"), checked("invoices"), checked("attachments")), (4, 3, 3));
    let always = ["records", "versions", "hash_chain", "sequences", "commands", "capacity"];
    for check in always.iter().chain(&["payments", "read_models"]) {
        assert!(checked(check) > 0, "{check}: {answer:#}");
    }
    let money = answer.pointer("/findings/money/EUR").unwrap();
    assert_eq!(money["captured_log"], 25_800);
    assert_eq!(money["captured_provider"], 25_800);
    assert_eq!(money["refunded_log"], money["refunded_provider"]);
    assert_eq!(answer.pointer("/findings/not_checked"), Some(&json!([])), "{answer:#}");
    let checks = answer.pointer("/findings/checks").unwrap().as_object().unwrap();
    checks.keys().cloned().collect()
}

fn of_records(sold: &Sold) {
    let trip = sold.trip;
    sold.expect(&["hash_chain"], "the hash chain breaks", |copy| {
        copy.altered = true;
        copy.append(trip, renamed(trip));
    });
    sold.expect(&["versions"], "version", |copy| {
        copy.append_as(trip, &renamed(trip).into(), |envelope| envelope.version += 1);
    });
    sold.expect(&["sequences"], "sequence", |copy| {
        copy.append_as(trip, &renamed(trip).into(), |envelope| envelope.sequence += 1);
    });
    // Whoever was fenced off writes all the same.
    sold.expect(&["epochs"], "after", |copy| {
        copy.append_as(trip, &renamed(trip).into(), |envelope| envelope.epoch -= 1);
    });
    sold.expect(&["records"], "malformed itinerary-renamed", |copy| {
        let value = b"\0\0\0\0\x01planted".to_vec();
        copy.append_value(trip, "itinerary-renamed", value, |_| {});
    });
    sold.expect(&["records"], "unreadable: its category is not known here", |copy| {
        copy.append(trip, renamed(trip));
        copy.alter_last("stream = CAST(substr(stream, 1, 16) || 'cruise' AS BLOB)");
    });
}

fn of_ids(sold: &Sold) {
    let trip = sold.trip;
    let first = |copy: &Copy| {
        let events = copy.events();
        events.into_iter().find(|event| event.envelope.stream == trip).unwrap().envelope
    };
    sold.expect(&["commands"], "come again", |copy| {
        let command_id = first(copy).command_id;
        copy.append_as(trip, &renamed(trip).into(), |envelope| envelope.command_id = command_id);
    });
    sold.expect(&["commands"], "is given to a second event", |copy| {
        let event_id = first(copy).event_id;
        copy.append_as(trip, &renamed(trip).into(), |envelope| envelope.event_id = event_id);
    });
}

fn of_places(sold: &Sold) {
    let offer = sold.offer;
    sold.expect(&["capacity"], "6 places are held or sold, and there are 5", |copy| {
        copy.append(offer, hold(copy, Claim::Quantity(5)));
    });
    sold.expect(&["seats"], "seat 1A", |copy| {
        for _ in 0..2 {
            copy.append(offer, hold(copy, Claim::Seats(vec!["1A".to_owned()])));
        }
    });
    sold.expect(&["holds"], "is open", |copy| {
        let held = hold(copy, Claim::Quantity(1));
        copy.append(offer, OfferHeld { expires_at: now().plus_seconds(-3600), ..held });
    });
}

fn of_money(sold: &Sold) {
    sold.expect(&["bookings", "payments", "provider"], "refunded", |copy| {
        let (stream, failed) = copy.last("payment-failed");
        let Event::Payment(domain::payment::Event::Failed(failed)) = failed else {
            panic!("no payment failed");
        };
        copy.append(
            stream,
            PaymentRefunded {
                payment_id: failed.payment_id,
                booking_id: failed.booking_id,
                saga_id: failed.saga_id,
                refund_id: RefundId(Uuid::now_v7()),
                reference: Some("re_planted".to_owned()),
                amount: euro(100),
                reported: None,
            },
        );
    });
    sold.expect(&["invoices"], "number 9 is drawn, and the next one is 4", |copy| {
        let (stream, issued) = copy.last("invoice-issued");
        let Event::InvoiceSeries(invoice_series::Event::Issued(issued)) = issued else {
            panic!("no invoice was issued");
        };
        let series_id = InvoiceSeriesId(stream.id);
        copy.append(stream, invoice_series::InvoiceIssued { series_id, number: 9, ..issued });
    });
}

fn between_streams(sold: &Sold) {
    let (trip, confirmed) = (sold.trip, sold.confirmed);
    let itinerary_id = domain::ids::ItineraryId(trip.id);
    let booking_id = domain::ids::BookingId(confirmed);
    sold.expect(&["bookings"], "confirmed, but it is not attached", |copy| {
        copy.append(trip, itinerary::ItineraryBookingDetached { itinerary_id, booking_id });
    });
    sold.expect(&["attachments"], "a second time", |copy| {
        copy.append(trip, itinerary::ItineraryBookingAttached { itinerary_id, booking_id });
    });
    sold.expect(&["sagas"], "after its end", |copy| {
        let (stream, requested) = copy.last("saga-step-requested");
        assert!(matches!(requested, Event::Saga(saga::Event::StepRequested(_))));
        copy.append(stream, requested);
    });
}

fn in_other_files(sold: &Sold) {
    sold.expect(&["provider"], "the provider EUR", |copy| {
        let movement = |account: &str, amount: i64| {
            format!(
                "INSERT INTO entries (movement, intent, kind, account, amount, created_at) \
                 SELECT 'planted', intent, 'refund', '{account}', {amount}, 0 FROM entries \
                 WHERE kind = 'capture' LIMIT 1;"
            )
        };
        let both = [movement("merchant", -7), movement("cardholder", 7)].concat();
        copy.alter("sandbox.sqlite", &both);
    });
    sold.expect(&["read_models"], "bookings (generation 1) is not what the log says", |copy| {
        copy.alter(
            "read.sqlite",
            "UPDATE bookings_g1 SET status = 'held' WHERE status = 'rejected'",
        );
    });
    let (code, answer) = sold.planted(|copy| {
        for file in ["sandbox.sqlite", "read.sqlite"] {
            crate::world::remove(&copy.dir.join(file));
        }
    });
    let not_checked = answer.pointer("/findings/not_checked").unwrap();
    assert_eq!(code, Some(0), "{answer:#}");
    assert_eq!(not_checked.as_array().unwrap().len(), 2, "{not_checked:#}");
}
