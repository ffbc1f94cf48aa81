//! What one request caused, as a tree for people: commands and the events that each brought.

use domain::Timestamp;
use serde_json::Value;

/// The tree that `GET /v1/audit/correlations/{id}` gives, a line for each event, refusal and call
/// without an answer. Times count from the first event.
pub(super) fn told(correlation: &Value) -> String {
    let commands = correlation["commands"].as_array();
    let began_at = correlation["data"][0]["time"].as_str().and_then(|time| time.parse().ok());
    let mut text = String::new();
    for command in commands.into_iter().flatten() {
        below(command, began_at.unwrap_or_default(), "", &mut text);
    }
    text
}

/// A command's events with what each caused, why it was refused, and what its answer caused.
fn below(command: &Value, began_at: Timestamp, indent: &str, text: &mut String) {
    let (actor, stream) = (said(&command["actor"]), short(said(&command["stream"])));
    let actor = actor.strip_prefix("system:").map_or("a traveller", |system| system);
    for event in command["events"].as_array().into_iter().flatten() {
        let millis = since(began_at, event);
        let name = format!("{indent}{}", said(&event["type"]));
        *text += &format!("{millis:>7} ms  {name:<44} {stream:<24} by {actor}\n");
        for caused in event["caused"].as_array().into_iter().flatten() {
            below(caused, began_at, &format!("{indent}  "), text);
        }
    }
    let unanswered = command["outcome"] == "unanswered";
    for refused in command["refusals"].as_array().into_iter().flatten() {
        if unanswered {
            let (millis, times) = (since(began_at, refused), &refused["times"]);
            let name = format!("{indent}({times} x) {}", said(&refused["message"]));
            *text += &format!("{millis:>7} ms  {name}\n");
            continue;
        }
        let (what, code) = (said(&refused["command"]), said(&refused["code"]));
        let name = format!("{indent}{what} refused: {code}");
        *text += &format!("{:>10}  {name:<44} {stream:<24} by {actor}\n", "");
    }
    for caused in command["caused"].as_array().into_iter().flatten() {
        below(caused, began_at, &format!("{indent}  "), text);
    }
}

/// Milliseconds from the story's beginning to this.
fn since(began_at: Timestamp, what: &Value) -> i64 {
    let at: Timestamp = said(&what["time"]).parse().unwrap_or(began_at);
    (at.micros() - began_at.micros()) / 1_000
}

fn said(value: &Value) -> &str {
    value.as_str().unwrap_or("?")
}

/// A stream by its category and the end of its id, which tells ids of one time apart.
fn short(stream: &str) -> String {
    match stream.len().checked_sub(36).filter(|cut| stream.is_char_boundary(*cut)) {
        Some(cut) => format!("{}..{}", &stream[..cut], &stream[stream.len() - 6..]),
        None => stream.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_event_stands_below_what_caused_it() {
        let event = |name: &str, time: &str, caused: Value| {
            let time = format!("2027-01-01T00:00:{time}Z");
            json!({ "type": name, "time": time, "caused": caused })
        };
        let id = "01890a5d-ac96-774b-bcce-b302099a8057";
        let started = event("saga-started", "00.250", json!([]));
        let saga =
            json!({ "actor": "system:sagas", "stream": format!("saga-{id}"), "events": [started] });
        let answered = event("saga-step-failed", "00.500", json!([]));
        let answer = json!({ "actor": "system:sagas", "stream": "saga-1", "events": [answered] });
        let hold = json!({
            "actor": "system:sagas", "stream": "offer-1", "events": [], "caused": [answer],
            "refusals": [{ "command": "hold", "code": "sold_out" }],
        });
        let message = "`capture` has no certain answer of the provider: provider_late";
        let call = json!({
            "actor": "system:payments", "stream": "payment-1", "events": [], "caused": [],
            "outcome": "unanswered",
            "refusals": [{ "message": message, "times": 3, "time": "2027-01-01T00:00:00.750Z" }],
        });
        let requested = event("booking-requested", "00.000", json!([saga, hold, call]));
        let booking = json!({
            "actor": "account:1", "stream": format!("booking-{id}"), "events": [requested],
        });

        let text = told(&json!({ "commands": [booking], "data": [requested] }));

        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].starts_with("      0 ms  booking-requested "), "{text}");
        assert!(lines[0].ends_with("booking-..9a8057         by a traveller"), "{text}");
        assert!(lines[1].starts_with("    250 ms    saga-started "), "{text}");
        assert!(lines[1].ends_with("by sagas"), "{text}");
        assert!(lines[2].starts_with("              hold refused: sold_out "), "{text}");
        assert!(lines[3].starts_with("    500 ms      saga-step-failed "), "{text}");
        assert_eq!(lines[4], format!("    750 ms    (3 x) {message}"));
    }
}
