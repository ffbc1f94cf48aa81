//! `waylog saga`: what processes run, what is stuck, and an operator's way out.

use anyhow::bail;
use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::output::{Ended, Format, agreed, complain, rows, say, table, tell};
use crate::server::{Server, ServerArgs, escaped};

/// What to do with sagas.
#[derive(Debug, Subcommand)]
pub(crate) enum Saga {
    /// Lists the sagas of a running server, those that started last first
    Ls(Listing),
    /// Shows one saga: where it stands, what it waits for, and what it has done
    Show {
        /// The saga, as `ls` names it
        id: Uuid,
        /// How to print it
        #[arg(long, value_enum, default_value_t)]
        output: Format,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Tries again what a stuck saga gave up, or one step at once
    Retry {
        /// The saga, as `ls` names it
        id: Uuid,
        /// This step alone, whether it was given up or waits for its next attempt
        #[arg(long)]
        step: Option<String>,
        /// Why; kept with the saga
        #[arg(long)]
        reason: Option<String>,
        #[command(flatten)]
        change: Change,
    },
    /// Settles a step, or the whole saga, by hand
    Resolve {
        /// The saga, as `ls` names it
        id: Uuid,
        /// This step alone, which then counts as done; without it, the saga ends
        #[arg(long)]
        step: Option<String>,
        /// Why, and what was done instead; kept with the saga
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        change: Change,
    },
}

/// Which sagas to list.
#[derive(Debug, Args)]
pub(crate) struct Listing {
    /// Only those that are running, stuck, completed, compensated or resolved
    #[arg(long)]
    state: Option<String>,
    /// Only those of this kind: trip-booking or cancellation
    #[arg(long)]
    kind: Option<String>,
    /// How many, 1 to 100
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100))]
    limit: u32,
    /// Where to go on, as the listing before said
    #[arg(long)]
    cursor: Option<String>,
    /// How to print them
    #[arg(long, value_enum, default_value_t)]
    output: Format,
    #[command(flatten)]
    server: ServerArgs,
}

/// How something is changed.
#[derive(Debug, Args)]
pub(crate) struct Change {
    /// Do it; without it, the plan is printed
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    server: ServerArgs,
}

/// Does what was asked.
///
/// # Errors
/// When the server does not answer or refuses.
pub(crate) fn run(saga: Saga) -> anyhow::Result<Ended> {
    match saga {
        Saga::Ls(listing) => list(&listing),
        Saga::Show { id, output, server } => show(id, output, &Server::new(&server)?),
        Saga::Retry { id, step, reason, change } => retry(id, step, reason, &change),
        Saga::Resolve { id, step, reason, change } => resolve(id, step, reason, &change),
    }
}

fn list(listing: &Listing) -> anyhow::Result<Ended> {
    let answer = Server::new(&listing.server)?.get(&listing.path())?;
    if listing.output == Format::Json {
        say(format_args!("{answer:#}"));
        return Ok(Ended::Done);
    }
    let columns = ["id", "kind", "state", "cause", "booking_id", "started_at", "deadline_at"];
    tell(format_args!("{}", table(&columns, &rows(&answer, &columns))));
    if let Some(cursor) = answer["next_cursor"].as_str() {
        complain(format_args!("there are more: --cursor {cursor}"));
    }
    Ok(Ended::Done)
}

impl Listing {
    fn path(&self) -> String {
        let wanted = [("state", &self.state), ("kind", &self.kind), ("cursor", &self.cursor)];
        let wanted = wanted.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?)));
        let wanted = wanted.map(|(name, value)| format!("&{name}={}", escaped(value)));
        format!("/v1/sagas?limit={}{}", self.limit, wanted.collect::<String>())
    }
}

fn show(id: Uuid, output: Format, server: &Server) -> anyhow::Result<Ended> {
    let saga = server.get(&path(id, ""))?;
    if output == Format::Json {
        say(format_args!("{saga:#}"));
        return Ok(Ended::Done);
    }
    tell(format_args!("{}", told(&saga)));
    Ok(Ended::Done)
}

/// A saga for people: where it stands, its steps, and its story.
pub(crate) fn told(saga: &Value) -> String {
    let text = |name: &str| saga[name].as_str().unwrap_or("-").to_owned();
    let head = ["id", "kind", "booking_id", "state", "cause", "deadline_at"].map(text).to_vec();
    let about = table(&["saga", "kind", "booking", "state", "cause", "deadline"], &[head]);
    let part = |name: &str, columns: &[&str]| {
        table(columns, &rows(&json!({ "data": saga[name] }), columns))
    };
    let steps = part("steps", &["step", "status", "attempt", "target", "not_before"]);
    let timeline = part("timeline", &["at", "type", "step", "attempt", "code", "message"]);
    format!("{about}\n{steps}\n{timeline}")
}

fn retry(
    id: Uuid,
    step: Option<String>,
    reason: Option<String>,
    change: &Change,
) -> anyhow::Result<Ended> {
    let server = Server::new(&change.server)?;
    let saga = server.get(&path(id, ""))?;
    if step.is_none() && saga["state"] != "stuck" {
        bail!(
            "{}: only a stuck saga is tried again as a whole; `--step` tries one step of a \
             running one",
            standing(&saga)
        );
    }
    let what = step.as_ref().map_or("everything that it gave up".to_owned(), named);
    let plan = format_args!("Would try {what} of {} again.", standing(&saga));
    if !agreed(change.yes, plan) {
        return Ok(Ended::No);
    }
    post(&server, id, "/retry", [("step", step), ("reason", reason)])
}

fn resolve(
    id: Uuid,
    step: Option<String>,
    reason: String,
    change: &Change,
) -> anyhow::Result<Ended> {
    let server = Server::new(&change.server)?;
    let saga = server.get(&path(id, ""))?;
    let what = match &step {
        Some(step) => format!("count {} as done, and go on with", named(step)),
        None => "send nothing more for, and end,".to_owned(),
    };
    let plan = format_args!(
        "Would {what} {}. Whatever it stood for has to be done by hand.",
        standing(&saga)
    );
    if !agreed(change.yes, plan) {
        return Ok(Ended::No);
    }
    post(&server, id, "/resolution", [("step", step), ("reason", Some(reason))])
}

fn named(step: &String) -> String {
    format!("step `{step}`")
}

/// Which saga it is and where it stands, for a plan.
fn standing(saga: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
    let open = saga["waits_for"].as_array().into_iter().flatten();
    let open: Vec<String> =
        open.map(|at| format!("{} {}", text(&at["step"]), text(&at["status"]))).collect();
    let waits = if open.is_empty() { "nothing open".to_owned() } else { open.join(", ") };
    let (kind, id, state) = (text(&saga["kind"]), text(&saga["id"]), text(&saga["state"]));
    let booking = text(&saga["booking_id"]);
    format!("{kind} {id} of booking {booking} ({state}: {waits})")
}

fn post(
    server: &Server,
    id: Uuid,
    action: &str,
    fields: [(&str, Option<String>); 2],
) -> anyhow::Result<Ended> {
    let said =
        fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.into())));
    let body = Value::Object(Map::from_iter(said));
    let answer = server.call(http::Method::POST, &path(id, action), Some(&body))?;
    say(format_args!("{answer:#}"));
    Ok(Ended::Done)
}

fn path(id: Uuid, action: &str) -> String {
    format!("/v1/sagas/{id}{action}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stuck() -> Value {
        let refund = json!({
            "step": "refund", "status": "given_up", "attempt": 12, "target": "payment-2",
            "not_before": "2027-01-01T12:00:00Z",
        });
        json!({
            "id": "1", "kind": "cancellation", "booking_id": "3", "state": "stuck",
            "waits_for": [refund], "steps": [refund],
            "timeline": [{
                "at": "2027-01-01T12:00:01Z", "type": "saga-stuck", "step": "refund",
                "attempt": 12, "code": "declined", "message": "No.",
            }],
        })
    }

    #[test]
    fn a_plan_says_which_saga_and_what_is_open() {
        let said = standing(&stuck());

        assert_eq!(said, "cancellation 1 of booking 3 (stuck: refund given_up)");
    }

    #[test]
    fn a_saga_is_shown_with_its_steps_and_its_story() {
        let shown = told(&stuck());

        let lines: Vec<&str> = shown.lines().collect();
        assert!(lines[1].starts_with("1     cancellation  3        stuck"), "{shown}");
        assert!(lines[4].starts_with("refund  given_up  12       payment-2"), "{shown}");
        assert!(lines[7].contains("saga-stuck  refund  12       declined  No."), "{shown}");
    }
}
