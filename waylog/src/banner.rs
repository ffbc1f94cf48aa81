//! What `serve` says when it serves: where, how, and a first command to copy.

use std::fmt::Write as _;

use crate::settings::{Mode, Settings};

/// The banner; its first line holds the URL.
pub(crate) fn banner(
    url: &str,
    mode: &Mode,
    settings: &Settings,
    durability: &str,
    sandbox: Option<&str>,
) -> String {
    let mut text = format!("Waylog serves at {url}\n\n");
    let line = |text: &mut String, name: &str, value: &str| {
        writeln!(text, "  {name:<12} {value}").expect("a string takes every line");
    };
    match mode {
        Mode::Embedded => {
            line(&mut text, "log", &format!("embedded, in {}", settings.places.data_dir.display()));
        }
        Mode::Distributed { brokers, postgres, mysql, redis, .. } => {
            line(&mut text, "log", &format!("Kafka at {brokers}"));
            line(&mut text, "read models", &postgres.to_string());
            for also in [mysql, redis].into_iter().flatten() {
                line(&mut text, "", &also.to_string());
            }
        }
    }
    line(&mut text, "durable", durability);
    if let Some(sandbox) = sandbox {
        line(&mut text, "payments", &format!("sandbox at {sandbox}: no money moves"));
        line(&mut text, "messages", &format!("kept at {sandbox}/admin/messages"));
    }
    line(&mut text, "API", &format!("{url}/docs/"));
    line(&mut text, "health", &format!("{url}/health/ready"));
    line(&mut text, "metrics", &format!("{url}/metrics"));
    if *mode == Mode::Embedded {
        text += &format!(
            "\nEvery request comes from the development account. Try:\n\n  \
             curl -si {url}/v1/itineraries -H 'content-type: application/json' \\\n    \
             -d '{{\"title\":\"Nine days in Lisbon\",\"period\":{{\"start\":\"2027-05-01\",\
             \"end\":\"2027-05-09\",\"zone\":\"Europe/Lisbon\"}}}}'\n"
        );
    }
    text
}
