//! Read models thrown away and built anew while commands flow, and proven equal.

use std::time::Duration;

use serde_json::Value;

use crate::journey::skipped;
use crate::load::Load;
use crate::world::{World, eventually};

#[test]
fn every_projection_is_rebuilt_equal_while_commands_flow_embedded() {
    rebuilt_under_load(&World::embedded(), &["origin"], "origin");
}

#[test]
fn every_projection_is_rebuilt_equal_while_commands_flow_distributed() {
    let Some(world) = World::distributed() else { return skipped() };
    rebuilt_under_load(&world, &["command-1", "command-2"], "projectors");
}

fn rebuilt_under_load(world: &World, commands: &[&str], projectors: &str) {
    let clients: Vec<_> =
        commands.iter().map(|name| crate::world::Client::to(world.url(name))).collect();
    let load = Load::start(&clients, 4);
    assert!(eventually(Duration::from_secs(60), || load.acknowledged() > 300));

    let url = world.url(projectors).to_owned();
    let listed = || -> Vec<Value> {
        let listed = world.run(&["projection", "ls", "--url", &url, "--output", "json"]);
        let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
        listed["data"].as_array().unwrap().clone()
    };
    let names: Vec<String> =
        listed().iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect();
    assert!(names.iter().any(|name| name == "itineraries"), "{names:?}");
    for projection in &names {
        let rebuilt = world.run(&["projection", "rebuild", projection, "--url", &url, "--yes"]);
        assert!(
            rebuilt.status.success(),
            "{projection}: {}{}\n{}",
            String::from_utf8_lossy(&rebuilt.stdout),
            String::from_utf8_lossy(&rebuilt.stderr),
            world.process(projectors).log(),
        );
    }
    let known = load.finish();

    assert!(known.surprises.is_empty(), "{:#?}", known.surprises);
    for projection in &listed() {
        let generations = projection["generations"].as_array().unwrap();
        let live = generations.iter().find(|generation| generation["live"] == true).unwrap();
        assert_eq!(live["number"], 2, "the rebuilt tables are live: {projection:#}");
    }
    for projection in &names {
        let verified = world.run(&["projection", "verify", projection]);
        assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
    }
}
