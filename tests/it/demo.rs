//! `waylog demo` as people run it: a system of its own, every kind of journey, and the proof.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::world::{World, directory, eventually, waylog};

/// Less than it takes to wait for a system that is not there any more.
const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn a_demonstration_ends_every_booking_as_it_has_to_and_everything_holds() {
    let dir = directory();
    let data = dir.path().join("data");

    let played =
        waylog().args(["demo", "--bookings", "20", "--data-dir"]).arg(&data).output().unwrap();

    let said = String::from_utf8_lossy(&played.stdout).into_owned();
    let complaints = String::from_utf8_lossy(&played.stderr).into_owned();
    assert!(played.status.success(), "{said}\n{complaints}");
    // The mix of twenty journeys.
    assert!(said.contains("20 of 20 ended"), "{said}");
    assert!(said.contains("3 cancelled, 11 confirmed, 1 expired, 5 rejected"), "{said}");
    for told in ["booking-requested", "payment-succeeded", "saga-compensation-requested"] {
        assert!(said.contains(told), "the story lacks {told}: {said}");
    }
    assert!(said.contains("not paid in time             1         expired    0.00 EUR"), "{said}");
    assert!(data.join("log.sqlite").exists(), "its data stays where it was told to be");
}

#[test]
fn a_demonstration_that_is_interrupted_while_it_starts_says_so_soon() {
    let dir = directory();
    let data = dir.path().join("data");
    let mut command = waylog();
    command.args(["demo", "--bookings", "40", "--data-dir"]).arg(&data);
    let demo = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    assert!(eventually(PATIENCE, || data.join("log.sqlite").exists()));

    let (over, code, complaints) = interrupted(demo);

    assert_eq!((over, code), (true, Some(1)), "{complaints}");
    assert!(complaints.contains("stopped before everything was played"), "{complaints}");
}

#[test]
fn a_demonstration_against_another_system_is_interrupted_too_and_leaves_it_running() {
    let world = World::embedded();
    let client = world.client();
    let mut command = waylog();
    command.args(["demo", "--bookings", "2000", "--against", world.url("origin")]);
    let demo = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let begun = || client.get("/v1/bookings").body["data"][0].is_object();
    assert!(eventually(PATIENCE, begun));

    let (over, code, complaints) = interrupted(demo);

    assert_eq!((over, code), (true, Some(1)), "{complaints}");
    assert!(complaints.contains("stopped before everything was played"), "{complaints}");
    client.get("/v1/bookings").expect(200);
}

/// Whether it ends soon after Ctrl-C, how, and what it says.
fn interrupted(mut demo: Child) -> (bool, Option<i32>, String) {
    let id = demo.id().to_string();
    assert!(Command::new("kill").args(["-s", "INT", &id]).status().unwrap().success());
    let over = eventually(PATIENCE, || demo.try_wait().unwrap().is_some());
    if !over {
        demo.kill().unwrap();
    }
    let ended = demo.wait_with_output().unwrap();
    (over, ended.status.code(), String::from_utf8_lossy(&ended.stderr).into_owned())
}

#[test]
fn whoever_plays_against_nobody_is_told_so_at_once() {
    let url = "http://127.0.0.1:1";
    let run = |words: &[&str]| waylog().args(words).output().unwrap().status.code();

    let demo = run(&["demo", "--against", url]);
    let bench = run(&["bench", "saga", "--url", url]);
    let seed = run(&["seed", "--url", url]);

    assert_eq!((demo, bench, seed), (Some(3), Some(3), Some(3)));
}
