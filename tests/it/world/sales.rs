//! What sellers offer and travellers buy, and what they see of it: the actions of every test that
//! books something.

use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

use domain::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Answer, Client, eventually};

/// The longest that a booking may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The instant that it is.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    Timestamp::from_micros(since.as_micros().try_into().unwrap())
}

/// The day so many days after the one on which everything begins that is for sale here, which is
/// far enough ahead for refunds: the same for a whole run.
fn day(later: i64) -> String {
    const DAY: i64 = 86_400;
    static FIRST: LazyLock<Timestamp> = LazyLock::new(|| now().plus_seconds(60 * DAY));
    FIRST.plus_seconds(later * DAY).to_string()[.."2027-05-01".len()].to_owned()
}

/// Lists something that starts far enough ahead: half the price comes back until a day before.
pub(crate) fn offer(client: &Client, kind: &str, capacity: u32, amount: i64) -> String {
    let listed = client.post("/v1/offers", &listing(kind, capacity, &eur(amount)));
    text(&listed.expect(201), "/id")
}

/// The words in which such an offer is listed.
pub(crate) fn listing(kind: &str, capacity: u32, price: &Value) -> Value {
    json!({
        "kind": kind, "supplier": "Voa", "title": format!("A {kind}"), "places": ["Lisbon"],
        "starts_at": format!("{}T08:00:00Z", day(0)), "ends_at": format!("{}T11:00:00Z", day(0)),
        "zone": "Europe/Lisbon", "capacity": capacity, "price": price,
        "cancellation": [{ "hours_before": 24, "refund_percent": 50 }],
    })
}

/// Plans a trip.
pub(crate) fn itinerary(client: &Client) -> String {
    let period = json!({ "start": day(0), "end": day(8), "zone": "Europe/Lisbon" });
    let created = client.post("/v1/itineraries", &json!({ "title": "Lisbon", "period": period }));
    text(&created.expect(201), "/id")
}

/// Lays a trip aside: nothing can be attached to it any more.
pub(crate) fn archive(client: &Client, trip: &str) {
    client.post(&format!("/v1/itineraries/{trip}/archival"), &json!({})).expect(200);
}

/// One place of an offer at that price.
pub(crate) fn place(offer: &str, amount: i64) -> Value {
    json!({ "offer_id": offer, "quantity": 1, "unit_price": eur(amount) })
}

/// The words in which those lines are bought.
pub(crate) fn order(trip: &str, lines: &[Value], method: &str) -> Value {
    json!({
        "itinerary_id": trip, "lines": lines,
        "travellers": [{ "name": "Ada Lovelace", "email": "ada@example.org" }],
        "payment": { "method": method },
    })
}

/// Asks for one place of each offer at that price and waits for the end.
pub(crate) fn book(client: &Client, trip: &str, lines: &[(&str, i64)], method: &str) -> Answer {
    settled(client, &request(client, trip, lines, method))
}

/// Asks for one place of each offer at that price; gives where the booking is.
pub(crate) fn request(client: &Client, trip: &str, lines: &[(&str, i64)], method: &str) -> String {
    let lines: Vec<Value> = lines.iter().map(|(offer, amount)| place(offer, *amount)).collect();
    let asked = client.post("/v1/bookings", &order(trip, &lines, method));
    asked.expect(202).header("location").to_owned()
}

/// The same under a key of the caller's, as often as it takes until an answer comes: the process
/// may die meanwhile.
pub(crate) fn request_again(client: &Client, order: &Value, key: Uuid, within: Duration) -> String {
    let mut last = None;
    let asked = eventually(within, || {
        last = Some(post_once(client, "/v1/bookings", order, key));
        matches!(&last, Some(Ok(answer)) if answer.status == 202)
    });
    assert!(asked, "the booking is never taken: {last:?}");
    last.unwrap().unwrap().header("location").to_owned()
}

/// Sends a command under that key; an error means that no answer came.
pub(crate) fn post_once(
    client: &Client,
    path: &str,
    body: &Value,
    key: Uuid,
) -> Result<Answer, ureq::Error> {
    let key = key.to_string();
    client.send("POST", path, &[("idempotency-key", &key)], Some(body.to_string().as_bytes()))
}

/// Wants a booking undone.
pub(crate) fn cancel(client: &Client, booking: &str) -> Answer {
    client.post(&format!("{booking}/cancellation"), &json!({ "reason": "It rains." }))
}

/// The booking, once nothing is under way for it any more.
pub(crate) fn settled(client: &Client, booking: &str) -> Answer {
    until(client, booking, at_rest)
}

/// The booking, once it is cancelled and nothing is under way for it any more.
pub(crate) fn cancelled(client: &Client, booking: &str) -> Answer {
    until(client, booking, |read| read["status"] == "cancelled" && at_rest(read))
}

/// Whether the booking and its last saga have come to their ends. They are read models of their
/// own: one may be behind the other.
pub(crate) fn at_rest(booking: &Value) -> bool {
    let saga = |member: &str| booking["saga"][member].as_str().unwrap_or_default();
    let ended = matches!(saga("state"), "completed" | "compensated" | "resolved");
    ended
        && match booking["status"].as_str().unwrap_or_default() {
            "confirmed" | "rejected" | "expired" => true,
            // One that was confirmed is cancelled by a saga of its own, a moment later.
            "cancelled" => saga("state") != "completed" || saga("kind") == "cancellation",
            _ => false,
        }
}

/// On which day, in UTC, the booking was confirmed.
pub(crate) fn confirmed_on(booking: &Answer) -> String {
    text(booking, "/confirmed_at")[.."2027-05-01".len()].to_owned()
}

/// How many of the days are in the month of that one.
pub(crate) fn in_its_month(days: &[String], day: &str) -> usize {
    let month = &day[.."2027-05".len()];
    days.iter().filter(|day| day.starts_with(month)).count()
}

/// What is read there, once it is as it should be.
pub(crate) fn until(client: &Client, path: &str, reached: impl FnMut(&Value) -> bool) -> Answer {
    until_within(PATIENCE, client, path, reached)
}

/// The same, with a deadline of its own. What does not answer meanwhile is asked again.
pub(crate) fn until_within(
    patience: Duration,
    client: &Client,
    path: &str,
    mut reached: impl FnMut(&Value) -> bool,
) -> Answer {
    let mut last = client.send("GET", path, &[], None);
    let in_time = eventually(patience, || {
        last = client.send("GET", path, &[], None);
        last.as_ref().is_ok_and(|read| read.status == 200 && reached(&read.body))
    });
    assert!(in_time, "{path} stays {last:#?}");
    last.unwrap()
}

/// So many places of each offer can be bought, as soon as the read model knows.
pub(crate) fn free(client: &Client, places: &[(&str, i64)]) {
    for (offer, expected) in places {
        until(client, &format!("/v1/offers/{offer}"), |offer| offer["available"] == *expected);
    }
}

/// So many places of the offer are sold, and none is kept for anybody.
pub(crate) fn sold(client: &Client, offer: &str, places: i64) {
    until(client, &format!("/v1/offers/{offer}"), |offer| {
        offer["allocated"] == places && offer["held"] == 0
    });
}

pub(crate) fn eur(amount: i64) -> Value {
    json!({ "amount": amount, "currency": "EUR" })
}

pub(crate) fn text(answer: &Answer, pointer: &str) -> String {
    answer.at(pointer).as_str().unwrap().to_owned()
}
