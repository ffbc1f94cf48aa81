//! `waylog seed` against a running server: bad lines, a second run, a run that was killed.

use std::process::Output;
use std::time::Duration;

use serde_json::Value;

use crate::world::{World, eventually, waylog};

/// More than anybody loads before they are stopped. The first of them are the same however many
/// are asked for.
const ENDLESS: u64 = 1_000_000;
/// Places that come first.
const PLACES: u64 = 100;

#[test]
fn bad_lines_are_named_and_the_rest_is_loaded_once() {
    let world = World::embedded();
    let file = world.dir.path().join("offers.csv");
    let row = |title: &str, capacity: &str, zone: &str| {
        format!(
            "tour,Local Guides,{title},porto,2027-05-01T08:00:00Z,2027-05-01T09:00:00Z,{zone},\
             {capacity},900,EUR,24:50\n"
        )
    };
    let header = "kind,supplier,title,places,starts_at,ends_at,zone,capacity,price_amount,\
                  price_currency,cancellation\n";
    let text = [
        header,
        &row("First", "3", "Europe/Lisbon"),
        &row("Second", "many", "Europe/Lisbon"),
        &row("Third", "0", "Europe/Lisbon"),
        &row("Fourth", "3", "Europe/Nowhere"),
        &row("First", "3", "Europe/Lisbon"),
        &row("Sixth", "3", "Europe/Lisbon"),
    ];
    std::fs::write(&file, text.concat()).unwrap();

    let once = seed(&world, &[file.to_str().unwrap()]);
    let before = events(&world);
    let twice = seed(&world, &[file.to_str().unwrap()]);

    let said = String::from_utf8_lossy(&once.stderr).into_owned();
    assert_eq!(once.status.code(), Some(1), "{said}");
    assert!(said.contains("line 3: capacity: invalid digit"), "{said}");
    assert!(said.contains("line 4: ") && said.contains("line 5: "), "{said}");
    assert_eq!(said.lines().count(), 3, "{said}");
    assert!(String::from_utf8_lossy(&once.stdout).starts_with("3 loaded, 3 bad"), "{once:?}");
    assert_eq!(before, 2, "the second of two equal lines adds nothing");
    assert_eq!(twice.status.code(), Some(1));
    assert_eq!(events(&world), before, "nor does a second run");
}

#[test]
fn a_run_that_was_killed_is_finished_by_the_next_and_loads_nothing_twice() {
    let world = World::embedded();
    let mut first = waylog();
    first.args(["seed", "--concurrency", "1", "--url", world.url("origin")]);
    first.args(["--generate", &ENDLESS.to_string()]);
    let mut first = first.spawn().unwrap();
    let client = world.client();
    let begun = eventually(Duration::from_secs(30), || {
        client.get("/v1/offers?limit=1").at("/data").as_array().is_some_and(|all| !all.is_empty())
    });
    first.kill().unwrap();
    first.wait().unwrap();
    let killed_at = events(&world);

    // All that the first has loaded, and some more.
    let offers = killed_at - PLACES + 50;
    let second = seed(&world, &["--generate", &offers.to_string()]);

    assert!(begun && (PLACES + 1..PLACES + ENDLESS).contains(&killed_at), "killed at {killed_at}");
    assert!(second.status.success(), "{second:?}");
    assert_eq!(events(&world), PLACES + offers);
}

#[test]
fn wrong_use_and_a_server_that_is_away_have_codes_of_their_own() {
    let run = |words: &[&str]| waylog().arg("seed").args(words).output().unwrap().status.code();

    let no_file = run(&["no-such-file.csv"]);
    let no_format = run(&["-"]);
    let print = run(&["--generate", "2", "--print"]);

    assert_eq!((no_file, no_format, print), (Some(2), Some(2), Some(0)));
}

fn seed(world: &World, words: &[&str]) -> Output {
    world.run(&[&["seed", "--url", world.url("origin")], words].concat())
}

/// How many events the log has.
fn events(world: &World) -> u64 {
    let said = world.run(&["verify", "--output", "json"]);
    let said: Value = serde_json::from_slice(&said.stdout).unwrap();
    said.pointer("/findings/events").unwrap().as_u64().unwrap()
}
