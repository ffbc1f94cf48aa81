//! `scripts/services` and [`Services`] against the real programs.
//!
//! Where these are not installed the tests leave themselves out, unless
//! `WAYLOG_TEST_REQUIRE_SERVICES=1` says that they may not.

use std::{
    fs,
    net::{Ipv4Addr, TcpListener},
    path::Path,
    process::{Command, Output},
    time::{Duration, Instant},
};

use tempfile::TempDir;
use waylog_tests::{
    Kind, Options, Services,
    services::{Condition, Engine, Row},
};

/// A set that was started from the command line: stopped when the test ends, however it ends.
struct Started(TempDir);

impl Started {
    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let stopped = services(self.path(), "stop");
        assert!(std::thread::panicking() || stopped.status.success(), "{}", said(&stopped));
    }
}

/// Runs the program behind `scripts/services` on one set.
fn services(dir: &Path, command: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_services"))
        .args([command, "--only", "redis,postgres", "--data-dir"])
        .arg(dir)
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn rows(dir: &Path) -> Vec<Row> {
    Engine::open(dir).unwrap().unwrap().rows()
}

fn row(dir: &Path, name: &str) -> Row {
    rows(dir).into_iter().find(|row| row.name == name).unwrap()
}

/// Waits until a service is in a condition, with a deadline.
fn await_condition(dir: &Path, name: &str, wanted: &Condition) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while row(dir, name).condition != *wanted {
        assert!(Instant::now() < deadline, "{name} is {:?}", row(dir, name).condition);
        std::thread::yield_now();
    }
}

/// Whether private services of these kinds can be had here, and must be.
fn installed(kinds: &[Kind]) -> bool {
    let required = std::env::var("WAYLOG_TEST_REQUIRE_SERVICES").is_ok_and(|value| value == "1");
    required || waylog_tests::services::install::complete(kinds)
}

#[test]
fn a_set_is_started_healed_and_stopped_and_a_second_start_changes_nothing() {
    if !installed(&[Kind::Redis, Kind::Postgres]) {
        return;
    }
    let dir = Started(tempfile::tempdir().unwrap());

    let first = services(dir.path(), "start");
    assert!(first.status.success(), "{}", said(&first));
    let begun = rows(dir.path());
    let second = services(dir.path(), "start");
    let after_second = rows(dir.path());
    let kill = format!("kill -KILL {}", row(dir.path(), "redis").pid.unwrap());
    assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    await_condition(dir.path(), "redis", &Condition::Died);
    let broken = services(dir.path(), "status");
    let healed = services(dir.path(), "start");
    let after_healing = rows(dir.path());
    let exports = services(dir.path(), "env");
    let stopped = services(dir.path(), "stop");
    let after_stop = services(dir.path(), "env");

    assert!(said(&second).contains("nothing was changed"), "{}", said(&second));
    assert_eq!(begun, after_second);
    assert_eq!(broken.status.code(), Some(1));
    assert!(healed.status.success(), "{}", said(&healed));
    assert!(said(&healed).contains("postgres: already running"), "{}", said(&healed));
    assert!(after_healing.iter().all(|row| row.condition == Condition::Ready));
    assert_eq!(String::from_utf8(exports.stdout).unwrap().lines().count(), 2);
    assert!(stopped.status.success(), "{}", said(&stopped));
    assert!(rows(dir.path()).iter().all(|row| row.condition == Condition::Stopped));
    assert!(
        after_healing
            .iter()
            .all(|row| { !Path::new(&format!("/proc/{}/exe", row.pid.unwrap())).exists() })
    );
    assert_eq!(after_stop.status.code(), Some(1));
}

#[test]
fn data_outlive_a_stop_and_other_sets_do_not_see_them() {
    if !installed(&[Kind::Redis]) {
        return;
    }
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let options = Options::only([Kind::Redis]);
    let redis = |services: &Services, words: &[&str]| {
        let asked = Command::new("redis-cli")
            .args(["--no-auth-warning", "-u", services.redis_url()])
            .args(words)
            .output()
            .unwrap();
        String::from_utf8(asked.stdout).unwrap().trim().to_owned()
    };

    let other = Services::start(two.path(), &options).unwrap();
    let services = Services::start(one.path(), &options).unwrap();
    let written = redis(&services, &["SET", "key", "value"]);
    // A polite end, so that the append-only file is complete.
    Engine::open(one.path()).unwrap().unwrap().stop(&[Kind::Redis]).unwrap();
    drop(services);
    let again = Services::start(one.path(), &options).unwrap();

    assert_eq!(written, "OK");
    assert_eq!(redis(&again, &["GET", "key"]), "value");
    assert_eq!(redis(&other, &["GET", "key"]), "");
}

#[test]
fn a_cluster_of_three_survives_a_killed_and_a_paused_broker() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { brokers: Some(3), ..Options::only([Kind::Kafka]) };
    let Some(services) = Services::start_if_installed(dir.path(), &options).unwrap() else {
        return;
    };

    let brokers = services.brokers().split(',').count();
    services.kill(Kind::Kafka, 1).unwrap();
    let without_first = rows(dir.path());
    services.restart(Kind::Kafka, 1).unwrap();
    services.pause(Kind::Kafka, 2).unwrap();
    let with_paused = row(dir.path(), "kafka-2");
    services.resume(Kind::Kafka, 2).unwrap();
    let at_last = rows(dir.path());
    let no_such = services.kill(Kind::Kafka, 4);
    drop(services);

    assert_eq!(brokers, 3);
    assert_eq!(without_first[0].condition, Condition::Stopped);
    assert_eq!(without_first[2].condition, Condition::Ready);
    assert_eq!(with_paused.condition, Condition::Paused);
    assert!(at_last.iter().all(|row| row.condition == Condition::Ready), "{at_last:?}");
    assert!(no_such.is_err());
    assert!(rows(dir.path()).iter().all(|row| row.condition == Condition::Stopped));
}

#[test]
fn a_set_keeps_the_number_of_brokers_that_it_was_made_with() {
    if !installed(&[Kind::Redis]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    drop(Services::start(dir.path(), &Options::only([Kind::Redis])).unwrap());

    let options = Options { brokers: Some(3), ..Options::only([Kind::Redis]) };
    let error = Services::start(dir.path(), &options).unwrap_err();

    assert!(error.to_string().contains("has 1 broker(s)"), "{error}");
}

#[test]
fn a_forgotten_set_leaves_nothing_behind() {
    if !installed(&[Kind::Redis]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let engine = Engine::start(dir.path(), &Options::only([Kind::Redis]), &|_| ()).unwrap();
    let running = row(dir.path(), "redis");

    engine.forget().unwrap();

    assert_eq!(running.condition, Condition::Ready);
    assert!(!Path::new(&format!("/proc/{}/exe", running.pid.unwrap())).exists());
    let left: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, ["lock"]);
}

#[test]
fn a_port_that_somebody_took_meanwhile_is_replaced() {
    if !installed(&[Kind::Redis]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let options = Options::only([Kind::Redis]);
    drop(Services::start(dir.path(), &options).unwrap());
    let port = row(dir.path(), "redis").port;

    // Where this fails, another test was the thief.
    let thief = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok();
    let services = Services::start(dir.path(), &options).unwrap();

    drop(thief);
    assert!(!services.redis_url().contains(&format!(":{port}/")));
    assert_eq!(row(dir.path(), "redis").condition, Condition::Ready);
}

#[test]
fn a_start_that_fails_says_why_and_leaves_nothing_running() {
    let kinds = [Kind::Postgres, Kind::Redis];
    if !installed(&kinds) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    drop(Services::start(dir.path(), &Options::only(kinds)).unwrap());
    fs::write(dir.path().join("data/postgres/cluster/PG_VERSION"), "9.0\n").unwrap();

    let error = Services::start(dir.path(), &Options::only(kinds)).unwrap_err();

    assert!(error.to_string().contains("postgres does not work: it ended"), "{error}");
    assert!(error.to_string().contains("9.0"), "the log is quoted: {error}");
    assert!(rows(dir.path()).iter().all(|row| row.condition == Condition::Stopped));
}
