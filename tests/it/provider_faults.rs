//! Whatever the payment provider does to a call, a booking ends bought whole or undone whole, and
//! the provider's books are ours: answers that are lost, late, wrong or unreadable, a provider that
//! is away, and one that comes too late.

use serde_json::{Value, json};

use crate::world::sales::{
    PATIENCE, archive, book, cancel, cancelled, itinerary, settled, text, until,
};
use crate::world::shop::{IMPATIENT, PRICE, Shop};
use crate::world::{Client, World, eventually};

/// How an answer goes wrong. The delay is far longer than anybody waits.
const KINDS: [&str; 6] =
    ["drop_before", "drop_after", "error_before", "error_after", "delay", "garbage"];
const DELAY_MS: u64 = 30_000;
const STATE: &str = "waylog_provider_circuit_state";
const OPENED: &str = "waylog_provider_circuit_opened_total";
const PAYMENTS: &str = "provider=\"payments\"";

/// Impatient, with a deadline that is longer than a booking takes on a busy machine and shorter
/// than a test.
fn hurried() -> World {
    let deadline = ("WAYLOG_PAYMENT_DEADLINE_SECONDS", "12");
    World::selling_alone(&[&IMPATIENT[..], &[deadline]].concat())
}

#[test]
fn an_answer_that_goes_wrong_charges_nobody_twice_and_leaves_nothing_behind() {
    let world = World::selling_alone(&IMPATIENT);
    let shop = Shop::of(&world);
    let archived_trip = itinerary(&shop.client);
    archive(&shop.client, &archived_trip);
    let undone = || {
        let lines = [(shop.flight.as_str(), PRICE)];
        let booking = book(&shop.client, &archived_trip, &lines, "card_approved");
        shop.ended(&booking, "rejected", 0);
    };
    let back_again = || {
        let path = shop.ask("card_approved");
        shop.ended(&settled(&shop.client, &path), "confirmed", PRICE);
        cancel(&shop.client, &path).expect(202);
        shop.ended(&cancelled(&shop.client, &path), "cancelled", PRICE / 2);
    };
    let go_wrong = |operations: &[&str], journey: &dyn Fn()| {
        for kind in KINDS {
            let each = |operation: &&str| shop.provider.misbehave(operation, kind, 1, DELAY_MS);
            operations.iter().for_each(each);
            journey();
        }
    };

    // Whose call meets which fault is left to chance: every booking has to end well.
    std::thread::scope(|scope| {
        scope.spawn(|| go_wrong(&["confirm", "look_up"], &|| drop(shop.buy("card_approved"))));
        scope.spawn(|| go_wrong(&["cancel"], &undone));
        scope.spawn(|| go_wrong(&["capture", "refund"], &back_again));
    });

    assert_eq!(shop.provider.faults_left(), 0, "every fault was met");
    shop.provider.behave();
    shop.balanced(KINDS.len() as i64);
    world.verify();
}

#[test]
fn cards_that_are_slow_or_lose_their_answers_are_charged_once() {
    let world = World::selling_alone(&IMPATIENT);
    let shop = Shop::of(&world);

    let cards = ["card_slow", "card_lost_answer", "card_error_after_work", "card_webhook_late"];
    std::thread::scope(|scope| {
        cards.iter().for_each(|card| drop(scope.spawn(|| shop.buy(card))));
    });

    shop.balanced(cards.len() as i64);
    world.verify();
}

#[test]
fn bookings_wait_for_a_provider_that_is_away_and_go_on_when_it_is_back() {
    let mut world = World::selling_alone(&IMPATIENT);
    let shop = Shop::of(&world);
    let circuit = |state: f64| {
        let mut last = None;
        let reached = eventually(PATIENCE, || {
            last = shop.metric(STATE, PAYMENTS);
            last == Some(state)
        });
        assert!(reached, "the circuit is {last:?} and not {state}");
    };
    let said = || shop.client.get("/health/ready").body.to_string();

    world.process("sandbox").signal("KILL");
    let waiting = ["card_approved", "card_declined"].map(|card| shop.ask(card));
    circuit(2.0);
    let away = eventually(PATIENCE, || said().contains("payments wait for it"));
    world.restart("sandbox");
    operated(&world, &shop.client);

    let ended = waiting.map(|booking| settled(&shop.client, &booking));
    shop.ended(&ended[0], "confirmed", PRICE);
    shop.ended(&ended[1], "rejected", 0);
    circuit(0.0);
    assert!(away, "nobody says that the provider is away");
    assert!(!said().contains("payments wait for it"), "{}", said());
    let opened = shop.metric(OPENED, PAYMENTS);
    assert!(opened.is_some_and(|times| times >= 1.0), "it opened {opened:?} times");
    shop.balanced(1);
    world.verify();
}

/// An operator sees whom nobody calls and says that they are back; nobody else may.
fn operated(world: &World, client: &Client) {
    let said = |words: &[&str]| {
        let ran = world.run(&[words, &["--url", world.url("origin")]].concat());
        (ran.status.code(), String::from_utf8(ran.stdout).unwrap())
    };
    let reset = |provider| format!("/v1/circuits/{provider}/reset");
    let traveller = [("waylog-dev-roles", "traveller")];

    let listed = said(&["circuit", "ls"]);
    let refused = client.send("POST", &reset("payments"), &traveller, None).unwrap();
    let planned = said(&["circuit", "reset", "payments"]);
    let closed = said(&["circuit", "reset", "payments", "--yes"]);
    let nobody = client.send("POST", &reset("nobody"), &[], None).unwrap();

    assert!(listed.0 == Some(0) && listed.1.contains("payments"), "{listed:?}");
    assert_eq!((refused.status, refused.code()), (403, "forbidden"));
    assert_eq!(planned.0, Some(1), "nothing is done without `--yes`");
    assert!(closed.0 == Some(0) && closed.1.contains("\"closed\""), "{closed:?}");
    assert_eq!((nobody.status, nobody.code()), (404, "circuit_not_found"));
}

#[test]
fn a_payment_that_comes_after_its_booking_has_expired_is_undone() {
    let world = hurried();
    let shop = Shop::of(&world);
    shop.buy("card_approved");

    // It stands still with the request in its sockets, and works on it when nobody wants it.
    world.process("sandbox").signal("STOP");
    let late = shop.ask("card_approved");
    until(&shop.client, &late, |read| read["saga"]["deadline_passed"] == true);
    world.process("sandbox").signal("CONT");

    shop.ended(&settled(&shop.client, &late), "expired", 0);
    shop.balanced(1);
    world.verify();
}

#[test]
fn money_that_is_taken_after_the_deadline_is_given_back_in_full() {
    let world = hurried();
    let shop = Shop::of(&world);

    // It is authorized; what became of the capture is unknown until the time is over.
    shop.provider.misbehave("capture", "drop_before", 1_000, 0);
    let booking = shop.ask("card_approved");
    until(&shop.client, &booking, |read| read["saga"]["deadline_passed"] == true);
    shop.provider.behave();

    let ended = settled(&shop.client, &booking);
    shop.ended(&ended, "expired", 0);
    nobody_answered(&shop.client, &booking, "payment-capture-requested", "capture");
    // It was taken, once.
    until(&shop.client, &Shop::payments(&ended), |payments| {
        payments.pointer("/data/0/captured/amount") == Some(&json!(PRICE))
    });
    shop.balanced(0);
    world.verify();
}

#[test]
fn a_refund_that_the_provider_refuses_is_listed_until_an_operator_settles_it() {
    let world = World::selling_alone(&[]);
    let shop = Shop::of(&world);
    shop.provider.deliver_to(world.url("origin"));
    let bought = shop.buy("card_refund_refused");
    let path = format!("/v1/bookings/{}", text(&bought, "/id"));
    cancel(&shop.client, &path).expect(202);

    let saga = given_up(&shop.client, &path);
    let waylog = |words: &[&str]| {
        let done = world.run(&[words, &["--url", world.url("origin")]].concat());
        let said = String::from_utf8(done.stdout).unwrap();
        assert!(done.status.success(), "{said} {}", String::from_utf8_lossy(&done.stderr));
        said
    };
    let listed = waylog(&["saga", "ls", "--state", "stuck"]);
    let shown = waylog(&["saga", "show", &saga]);
    let settle = ["saga", "resolve", &saga, "--step", "refund", "--reason", "By bank transfer."];
    waylog(&[&settle[..], &["--yes"]].concat());

    assert!(listed.contains(&saga), "{listed}");
    assert!(shown.contains("refund_refused"), "{shown}");
    // The money has not moved: it was given back by another way.
    shop.ended(&cancelled(&shop.client, &path), "cancelled", PRICE);
    let story = format!("/v1/audit/streams/saga-{saga}/events?limit=100");
    let story = until(&shop.client, &story, |read| read.to_string().contains("By bank transfer."));
    let events = story.at("/data").as_array().unwrap();
    let mut settlements =
        events.iter().filter(|event| event["type"] == "saga-resolved-by-operator");
    let last = settlements.next_back().unwrap();
    assert!(last["actor"].to_string().contains("account"), "the audit names who: {last:#}");
    hangs_together(&shop.client, &path, last);
    shop.balanced(0);
    world.verify();
}

/// From what the cancellation caused, a reader finds what the operator did, and back; and whatever
/// the provider told on its own stands below the request that it answers.
fn hangs_together(client: &Client, booking: &str, settled: &Value) {
    let history =
        format!("/v1/audit/streams/booking-{}/events", booking.rsplit_once('/').unwrap().1);
    let history = client.get(&history).expect(200).body;
    let mut events = history["data"].as_array().unwrap().iter();
    let asked = events.find(|event| event["type"] == "booking-cancellation-requested").unwrap();
    let tree = |of: &Value| {
        let path = format!("/v1/audit/correlations/{}", of["correlation_id"].as_str().unwrap());
        client.get(&path).expect(200).body
    };
    let related = |of: &Value, to: &Value| {
        let tree = tree(of);
        let mut all = tree["related"].as_array().unwrap().iter();
        all.any(|one| one["correlation_id"] == to["correlation_id"])
    };

    assert!(related(asked, settled) && related(settled, asked), "{:#}", tree(asked));
    let roots = tree(asked)["commands"].as_array().unwrap().clone();
    assert_eq!(roots.len(), 1, "{roots:#?}");
}

/// Below the event that asks the provider, a reader finds the call that had no answer.
fn nobody_answered(client: &Client, booking: &str, request: &str, operation: &str) {
    let stream = format!("booking-{}", booking.rsplit_once('/').unwrap().1);
    let first = client.get(&format!("/v1/audit/streams/{stream}/events?limit=1")).expect(200);
    let path = format!("/v1/audit/correlations/{}", text(&first, "/data/0/correlation_id"));
    let tree = client.get(&path).expect(200).body;

    let asked = event(&tree["commands"], request).unwrap_or_else(|| panic!("{tree:#}"));
    let mut caused = asked["caused"].as_array().unwrap().iter();
    let call = caused.find(|command| {
        let message = command.pointer("/refusals/0/message").and_then(Value::as_str);
        let told =
            format!("`{operation}` has no certain answer of the provider: provider_broke_off");
        command["outcome"] == "unanswered" && message == Some(&told)
    });
    let call = call.unwrap_or_else(|| panic!("{tree:#}"));
    assert_eq!(call["actor"], "system:payments");
    assert!(call.pointer("/refusals/0/times").unwrap().as_u64() >= Some(1), "{call:#}");
}

/// The event of that name, anywhere below.
fn event<'a>(below: &'a Value, name: &str) -> Option<&'a Value> {
    if below["type"] == name {
        return Some(below);
    }
    match below {
        Value::Object(members) => members.values().find_map(|inside| event(inside, name)),
        Value::Array(items) => items.iter().find_map(|inside| event(inside, name)),
        _ => None,
    }
}

/// The saga that cancels the booking, once it has given its refund up. Nobody waits for all of its
/// attempts, which would take half an hour: each is made at once.
fn given_up(client: &Client, booking: &str) -> String {
    let cancelling = until(client, booking, |read| read["saga"]["kind"] == "cancellation");
    let path = format!("/v1/sagas/{}", text(&cancelling, "/saga/id"));
    let again = json!({ "step": "refund", "reason": "The bank may see it differently now." });
    let mut hastened = 1;
    let stuck = until(client, &path, |saga| {
        let waits_for = saga["waits_for"].as_array().unwrap();
        let refund = waits_for.iter().find(|waits| waits["step"] == "refund");
        let attempt = refund.map_or(0, |waits| waits["attempt"].as_i64().unwrap());
        if attempt > hastened {
            hastened = attempt;
            client.post(&format!("{path}/retry"), &again).expect(200);
        }
        saga["state"] == "stuck"
    });
    text(&stuck, "/id")
}
